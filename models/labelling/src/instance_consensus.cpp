#include <furrow/labelling/instance_consensus.h>

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/geos.h>

#include "field_existence.h"
#include "field_outlines.h"

namespace furrow::labelling {
namespace {

void check(const Campaign& campaign, std::span<const SiteVoters> voters, const InstanceOptions& options) {
  const auto require = [](bool condition, const char* message) {
    if (!condition) throw geo::InvalidArgument(message);
  };
  require(voters.size() == campaign.sites.size(), "there must be one set of voters per site");
  require(options.min_iou > 0.0 && options.min_iou <= 1.0,
          "the least IoU of equal fields must be above 0 and at most 1");
  require(options.min_field_m2 >= 0.0 && options.border_m >= 0.0,
          "the least field and the border must not be negative");
  require(options.threshold >= 0.0 && options.threshold <= 1.0, "the threshold must be in 0..1");
  require(options.items_per_class >= 1 && options.max_size_classes >= 1,
          "classes of size need at least one field, and there must be one");
  if (campaign.crs.empty()) throw geo::CrsError("the campaign has no CRS");
}

/// Labellers by name; maps without a name are labellers of their own.
class Labellers {
 public:
  Labellers(const Campaign& campaign, std::span<const SiteVoters> voters) {
    std::set<std::string> names;
    const auto for_all = [&](const auto& use) {
      for (const auto& site : voters) {
        for (const auto* maps : {&site.assignments, &site.learners}) {
          for (const std::size_t a : *maps) use(a);
        }
      }
    };
    for_all([&](std::size_t a) { names.insert(campaign.assignments[a].labeller); });
    names.erase("");
    const std::vector<std::string> sorted(names.begin(), names.end());
    m_of.assign(campaign.assignments.size(), 0);
    m_size = sorted.size();
    for_all([&](std::size_t a) {
      const std::string& name = campaign.assignments[a].labeller;
      m_of[a] = static_cast<std::uint32_t>(
          name.empty() ? m_size++
                       : static_cast<std::size_t>(std::ranges::lower_bound(sorted, name) - sorted.begin()));
    });
  }

  [[nodiscard]] std::uint32_t of(std::size_t assignment) const { return m_of[assignment]; }
  [[nodiscard]] std::size_t size() const noexcept { return m_size; }

 private:
  std::vector<std::uint32_t> m_of;
  std::size_t m_size = 0;
};

/// What came of one site.
struct SiteResult {
  std::vector<ConsensusField> fields;
  std::vector<std::size_t> land_of;  ///< per field: its position in `lands`; none at expert sites
  std::vector<VotedLand> lands;
  std::string problem;
};

bool is_same(const geo::MultiPolygon& a, const geo::MultiPolygon& b) {
  return std::ranges::equal(a, b, [](const geo::Polygon& p, const geo::Polygon& q) {
    return p.shell == q.shell && p.holes == q.holes;
  });
}

/// Works on one site.
class SiteWork {
 public:
  SiteWork(const Campaign& campaign, std::size_t site, const SiteVoters& voters, const Labellers& labellers,
           const InstanceOptions& options)
      : m_campaign(campaign),
        m_site(site),
        m_voters(voters),
        m_labellers(labellers),
        m_options(options),
        m_frame(campaign.crs, campaign.sites[site].cell),
        m_cell(m_frame.apply(campaign.sites[site].cell)) {}

  SiteResult run() {
    const SiteMapSet maps = read(m_voters.assignments);
    const std::vector<FieldOutline> fields = outline_fields(maps, m_cell, m_options);
    const std::vector<FieldVote> votes = vote_on_fields(fields, maps);
    describe(fields, votes, maps);
    if (!m_voters.from_expert) {
      free_area(add_lands(fields, votes, m_voters.assignments, std::vector<std::int32_t>(fields.size(), -1)),
                m_voters.assignments, -1);
      for (std::size_t f = 0; f < fields.size(); ++f) m_result.land_of.push_back(f);
    } else if (!m_voters.learners.empty()) {
      learn(fields, votes, maps);
    }
    return std::move(m_result);
  }

 private:
  [[nodiscard]] SiteMapSet read(const std::vector<std::size_t>& assignments) const {
    SiteMapSet maps;
    const CellCutter cutter(m_cell);
    const geo::Box box = geo::bounds(m_cell);
    for (const std::size_t a : assignments) {
      const Assignment& assignment = m_campaign.assignments[a];
      const auto it = m_options.influence.find(assignment.labeller);
      maps.weights.push_back(it == m_options.influence.end() ? 1.0 : it->second);
      maps.draws_whole.push_back(false);
      for (const auto& polygon : assignment.polygons) {
        SitePolygon own;
        own.whole = m_frame.apply(polygon.shape);
        const geo::Box reach = geo::bounds(own.whole);
        const double margin = m_options.border_m;
        const bool leaves = reach.min_x < box.min_x - margin || reach.max_x > box.max_x + margin ||
                            reach.min_y < box.min_y - margin || reach.max_y > box.max_y + margin;
        if (leaves) maps.draws_whole.back() = true;
        own.inside = cutter.cut(own.whole);
        if (geo::area(own.inside) < m_options.min_field_m2 || own.inside.empty()) continue;
        own.map = static_cast<std::uint32_t>(maps.weights.size() - 1);
        own.unsure = polygon.unsure;
        own.original = &polygon.shape;
        maps.polygons.push_back(std::move(own));
      }
    }
    return maps;
  }

  /// The outline in the campaign's CRS; what was not changed, as it was drawn.
  [[nodiscard]] geo::MultiPolygon placed(const FieldOutline& field, const SiteMapSet& maps) const {
    const SitePolygon& typical = maps.polygons[field.typical];
    if (is_same(field.whole, typical.whole)) return *typical.original;
    geo::MultiPolygon shape = m_frame.invert(field.whole);
    // Vertices that nearly coincide may cross over when their coordinates are rounded.
    return geo::check_validity(shape).valid ? shape : geo::make_valid(shape);
  }

  void describe(const std::vector<FieldOutline>& fields, const std::vector<FieldVote>& votes,
                const SiteMapSet& maps) {
    const std::size_t n = maps.weights.size();
    const geo::GeodesicMeasure measure(m_campaign.crs);
    for (std::size_t f = 0; f < fields.size(); ++f) {
      ConsensusField field;
      field.site = m_campaign.sites[m_site].name;
      field.id = geo::concat(field.site, "_", f + 1);
      field.shape = placed(fields[f], maps);
      field.n_labellers = static_cast<std::int64_t>(n);
      for (std::size_t m = 0; m < n; ++m) {
        const FieldVote& vote = votes[f * n + m];
        if (vote.answer == FieldVote::kYes) ++field.n_votes;
        if (vote.answer == FieldVote::kUnsure) ++field.n_unsure;
        if (vote.is_split) ++field.split_votes;
        if (vote.is_merged) ++field.merge_votes;
      }
      const OutlineSpread spread = measure_spread(fields[f], maps, m_cell);
      field.iou_mean = spread.iou_mean;
      field.outline_spread_m = spread.mean_m;
      field.outline_spread95_m = spread.p95_m;
      field.area_ha = measure.area_m2(field.shape) / 1e4;
      field.from_expert = m_voters.from_expert;
      field.p_exists = (static_cast<double>(field.n_votes) + 0.5 * static_cast<double>(field.n_unsure)) /
                       static_cast<double>(n);
      m_result.fields.push_back(std::move(field));
    }
  }

  [[nodiscard]] std::vector<std::uint32_t> names(const std::vector<std::size_t>& assignments) const {
    std::vector<std::uint32_t> found;
    for (const std::size_t a : assignments) found.push_back(m_labellers.of(a));
    return found;
  }

  /// Adds what the makers of some maps say of fields. @return the land that the fields take, m2
  double add_lands(const std::vector<FieldOutline>& fields, const std::vector<FieldVote>& votes,
                   const std::vector<std::size_t>& assignments, const std::vector<std::int32_t>& truths) {
    const std::vector<std::uint32_t> voters = names(assignments);
    double taken = 0.0;
    for (std::size_t f = 0; f < fields.size(); ++f) {
      VotedLand land;
      land.site = static_cast<std::uint32_t>(m_site);
      land.area_m2 = geo::area(fields[f].inside);
      land.truth = truths[f];
      land.voters = voters;
      for (std::size_t m = 0; m < voters.size(); ++m)
        land.answers.push_back(votes[f * voters.size() + m].answer);
      taken += land.area_m2;
      m_result.lands.push_back(std::move(land));
    }
    return taken;
  }

  void free_area(double taken_m2, const std::vector<std::size_t>& assignments, std::int32_t truth) {
    if (assignments.empty()) return;
    VotedLand land;
    land.site = static_cast<std::uint32_t>(m_site);
    land.area_m2 = std::max(0.0, geo::area(m_cell) - taken_m2);
    land.is_free = true;
    land.truth = truth;
    land.voters = names(assignments);
    land.answers.assign(land.voters.size(), FieldVote::kNo);
    m_result.lands.push_back(std::move(land));
  }

  /// Labellers' maps of an expert's site: known fields, and what they drew where the experts see none.
  void learn(const std::vector<FieldOutline>& fields, const std::vector<FieldVote>& expert_votes,
             const SiteMapSet& experts) {
    const SiteMapSet learners = read(m_voters.learners);
    const std::size_t n = experts.weights.size();
    const auto count = [n](const std::vector<FieldVote>& votes, std::size_t f, FieldVote::Answer answer) {
      const auto first = votes.begin() + static_cast<std::ptrdiff_t>(f * n);
      return std::count_if(first, first + static_cast<std::ptrdiff_t>(n),
                           [answer](const FieldVote& v) { return v.answer == answer; });
    };
    std::vector<std::int32_t> truths;
    for (std::size_t f = 0; f < fields.size(); ++f) {
      const auto yes = 2 * static_cast<std::size_t>(count(expert_votes, f, FieldVote::kYes));
      truths.push_back(yes > n ? 1 : -1);
    }
    double taken = add_lands(fields, vote_on_fields(fields, learners), m_voters.learners, truths);
    std::vector<FieldOutline> others = outline_fields(learners, m_cell, m_options);
    const std::vector<FieldVote> on_others = vote_on_fields(others, experts);
    std::vector<FieldOutline> false_ones;
    for (std::size_t f = 0; f < others.size(); ++f) {
      if (static_cast<std::size_t>(count(on_others, f, FieldVote::kNo)) == n)
        false_ones.push_back(std::move(others[f]));
    }
    taken += add_lands(false_ones, vote_on_fields(false_ones, learners), m_voters.learners,
                       std::vector<std::int32_t>(false_ones.size(), 0));
    free_area(taken, m_voters.learners, 0);
  }

  const Campaign& m_campaign;
  std::size_t m_site;
  const SiteVoters& m_voters;
  const Labellers& m_labellers;
  const InstanceOptions& m_options;
  SiteFrame m_frame;
  geo::MultiPolygon m_cell;
  SiteResult m_result;
};

/// Posteriors of all sites from one fit.
void judge(std::vector<SiteResult>& sites, std::size_t n_labellers, const InstanceOptions& options,
           InstanceConsensus& result) {
  std::vector<VotedLand> lands;
  std::vector<std::size_t> first;
  for (auto& site : sites) {
    first.push_back(lands.size());
    std::ranges::move(site.lands, std::back_inserter(lands));
  }
  ExistenceFit fit = fit_existence(lands, n_labellers, options);
  for (std::size_t s = 0; s < sites.size(); ++s) {
    for (std::size_t f = 0; f < sites[s].land_of.size(); ++f)
      sites[s].fields[f].p_exists = fit.p_exists[first[s] + sites[s].land_of[f]];
    for (auto& field : sites[s].fields) field.in_consensus = field.p_exists >= options.threshold;
    std::ranges::move(sites[s].fields, std::back_inserter(result.fields));
  }
  result.size_classes = std::move(fit.size_classes);
}

struct Column {
  const char* name;
  geo::FieldType type;
  const char* alias;
  std::function<geo::Value(const ConsensusField&)> value;
};

geo::Value number_or_unset(double value) {
  if (std::isnan(value)) return {};
  return value;
}

const std::vector<Column>& columns() {
  using geo::FieldType;
  using F = ConsensusField;
  static const std::vector<Column> kColumns{
      {"site", FieldType::kString, "Site", [](const F& f) { return geo::Value(f.site); }},
      {"id", FieldType::kString, "Field", [](const F& f) { return geo::Value(f.id); }},
      {"p_exists", FieldType::kReal, "Probability that there is a field",
       [](const F& f) { return geo::Value(f.p_exists); }},
      {"n_votes", FieldType::kInteger, "Labellers who mapped it",
       [](const F& f) { return geo::Value(f.n_votes); }},
      {"n_labellers", FieldType::kInteger, "Labellers who mapped the site",
       [](const F& f) { return geo::Value(f.n_labellers); }},
      {"n_unsure", FieldType::kInteger, "Labellers who were unsure of it",
       [](const F& f) { return geo::Value(f.n_unsure); }},
      {"split_votes", FieldType::kInteger, "Labellers who drew it as several",
       [](const F& f) { return geo::Value(f.split_votes); }},
      {"merge_votes", FieldType::kInteger, "Labellers who joined it with another",
       [](const F& f) { return geo::Value(f.merge_votes); }},
      {"iou_mean", FieldType::kReal, "Mean IoU of its drawings with the outline",
       [](const F& f) { return number_or_unset(f.iou_mean); }},
      {"outline_spread_m", FieldType::kReal, "Mean distance of its drawings' outlines (m)",
       [](const F& f) { return number_or_unset(f.outline_spread_m); }},
      {"outline_spread95_m", FieldType::kReal, "95 % of its drawings' outlines lie within (m)",
       [](const F& f) { return number_or_unset(f.outline_spread95_m); }},
      {"area_ha", FieldType::kReal, "Area (ha)", [](const F& f) { return geo::Value(f.area_ha); }},
      {"in_consensus", FieldType::kBoolean, "In the consensus",
       [](const F& f) { return geo::Value(std::int64_t{f.in_consensus ? 1 : 0}); }},
      {"from_expert", FieldType::kBoolean, "An expert's field",
       [](const F& f) { return geo::Value(std::int64_t{f.from_expert ? 1 : 0}); }}};
  return kColumns;
}

}  // namespace

InstanceConsensus find_fields(const Campaign& campaign, std::span<const SiteVoters> voters,
                              const InstanceOptions& options, geo::ExecContext& exec) {
  check(campaign, voters, options);
  const Labellers labellers(campaign, voters);
  std::vector<SiteResult> sites(campaign.sites.size());
  geo::Progress progress(exec, "finding fields", static_cast<std::int64_t>(sites.size()));
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, sites.size(), 1), [&](const auto& range) {
    for (std::size_t i = range.begin(); i != range.end(); ++i) {
      try {
        if (!voters[i].assignments.empty() && geo::area(campaign.sites[i].cell) > 0.0)
          sites[i] = SiteWork(campaign, i, voters[i], labellers, options).run();
      } catch (const geo::GeometryError& error) {
        sites[i].problem = geo::concat("its fields could not be put together: ", error.what());
      }
      progress.advance();
    }
  });
  InstanceConsensus result;
  for (std::size_t i = 0; i < sites.size(); ++i) {
    if (!sites[i].problem.empty())
      result.problems.push_back({"site " + campaign.sites[i].name, sites[i].problem});
  }
  judge(sites, labellers.size(), options, result);
  return result;
}

std::map<std::string, double> labeller_influence(const Campaign& campaign, std::span<const SiteVoters> voters,
                                                 const std::optional<JointFit>& joint) {
  constexpr double kLeast = 0.05;
  std::map<std::string, double> influence;
  if (joint) {
    const FusionFit& fit = joint->fusion;
    for (std::size_t v = 0; v < joint->labellers.size(); ++v) {
      double told = 0.0;  // sensitivity + specificity - 1
      if (joint->bayes) {
        const VoterSkill& skill = joint->bayes->skills[v];
        told = skill.sensitivity.mean + skill.specificity.mean - 1.0;
      } else if (!fit.confusion.empty()) {
        told = fit.confusion_at(v, 0, 0) + fit.confusion_at(v, 1, 1) - 1.0;
      }
      influence[joint->labellers[v]] = std::isfinite(told) ? std::max(kLeast, told) : kLeast;
    }
    return influence;
  }
  for (const auto& site : voters) {
    for (std::size_t i = 0; i < site.weights.size() && i < site.assignments.size(); ++i) {
      const VoterWeight& w = site.weights[i];
      const double told = w.score * w.field_skill;
      const std::string& name = campaign.assignments[site.assignments[i]].labeller;
      if (!site.from_expert && std::isfinite(told) && !name.empty()) influence[name] = std::max(kLeast, told);
    }
  }
  return influence;
}

geo::Layer consensus_field_layer(const Campaign& campaign, std::span<const ConsensusField> fields) {
  geo::Layer layer;
  layer.name = "consensus_fields";
  layer.crs = campaign.crs;
  for (const auto& column : columns()) layer.fields.push_back({column.name, column.type, column.alias});
  for (const auto& field : fields) {
    geo::Feature feature;
    feature.geometry = field.shape;
    for (const auto& column : columns()) feature.values.push_back(column.value(field));
    layer.features.push_back(std::move(feature));
  }
  return layer;
}

}  // namespace furrow::labelling
