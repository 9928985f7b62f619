#include <furrow/labelling/scoreboard.h>

#include <tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <map>

#include <boost/math/special_functions/beta.hpp>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

#include "metric_frame.h"

namespace furrow::labelling {
namespace {

using geo::concat;

bool is_reference_class(const Assignment& a, const ScoreboardOptions& options) {
  return std::ranges::find(options.reference_classes, a.site_class) != options.reference_classes.end();
}

constexpr double kUsualEffectiveSize = 15.0;

void set_unscorable(AssignmentScore& score, const std::string& why) {
  score.unscorable = why;
  for (Measure* m : {&score.score, &score.n, &score.edge, &score.area, &score.category, &score.field_skill,
                     &score.nofield_skill}) {
    *m = Measure::undefined(why);
  }
}

/// What scoring a site left behind besides the scores.
struct SiteNotes {
  std::vector<CampaignProblem> problems;
  std::string note;
};

class SiteScorer {
 public:
  SiteScorer(const Campaign& campaign, const ScoreboardOptions& options, std::vector<AssignmentScore>& scores)
      : m_campaign(campaign), m_options(options), m_scores(scores) {}

  SiteNotes score(const Site& site) const {
    SiteNotes notes;
    const auto members = m_campaign.assignments_of(site.name);
    const auto reference = choose_reference(site, members, notes);
    std::vector<std::size_t> wanted;
    for (const std::size_t i : members) {
      const std::string why = why_not(m_campaign.assignments[i], reference.has_value());
      if (!why.empty())
        set_unscorable(m_scores[i], why);
      else
        wanted.push_back(i);
    }
    if (wanted.empty()) return notes;
    try {
      const Assignment& truth = m_campaign.assignments[*reference];
      const MetricFrame frame(m_campaign.crs, site.cell, m_options.mode);
      SiteMaps maps{frame.apply(site.cell), frame.apply(truth.polygons), {}};
      for (const std::size_t i : wanted) {
        score_assignment(i, truth.id, frame, maps, notes);
      }
    } catch (const geo::Error& error) {
      // The cell or the reference itself: nobody can be scored here.
      notes.problems.push_back({concat("site ", site.name), error.what()});
      for (const std::size_t i : wanted)
        set_unscorable(m_scores[i], concat("the site failed: ", error.what()));
    }
    return notes;
  }

 private:
  void score_assignment(std::size_t i, const std::string& reference, const MetricFrame& frame, SiteMaps& maps,
                        SiteNotes& notes) const {
    const Assignment& a = m_campaign.assignments[i];
    try {
      maps.labeller = frame.apply(a.polygons);
      m_scores[i] = score_maps(maps, m_options);
      m_scores[i].assignment = i;
    } catch (const geo::Error& error) {
      notes.problems.push_back({concat("assignment ", a.id, " of site ", a.site), error.what()});
      set_unscorable(m_scores[i], concat("it failed: ", error.what()));
    }
    m_scores[i].reference = reference;
  }

  [[nodiscard]] std::string why_not(const Assignment& a, bool has_reference) const {
    if (!a.is_finished()) return concat("its status is ", a.status, ": it was never handed in");
    if (is_reference_class(a, m_options)) return concat("it is a reference (class ", a.site_class, ")");
    if (!has_reference) return "its site has no reference";
    return {};
  }

  /// The latest completed reference (ISO 8601 texts sort by time); ties: the lower id, which comes first.
  std::optional<std::size_t> choose_reference(const Site& site, const std::vector<std::size_t>& members,
                                              SiteNotes& notes) const {
    std::optional<std::size_t> chosen;
    int found = 0;
    for (const std::size_t i : members) {
      const Assignment& a = m_campaign.assignments[i];
      if (!is_reference_class(a, m_options) || !a.is_finished()) continue;
      ++found;
      if (!chosen || a.completion_time > m_campaign.assignments[*chosen].completion_time) chosen = i;
    }
    if (found > 1) {
      notes.note = concat("site ", site.name, " has ", found, " references; ",
                          m_campaign.assignments[*chosen].id, ", the latest, is used");
    }
    return chosen;
  }

  const Campaign& m_campaign;
  const ScoreboardOptions& m_options;
  std::vector<AssignmentScore>& m_scores;
};

/// Mean of what is defined.
struct Mean {
  double sum = 0.0;
  std::int64_t count = 0;
  void add(const Measure& m) {
    if (!m.defined()) return;
    sum += m.value;
    ++count;
  }
  [[nodiscard]] double value() const {
    return count == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(count);
  }
};

/// Pooled counts of agreements and errors of one kind.
struct RightAndWrong {
  double right = 0.0;
  double wrong = 0.0;
};

SkillEstimate posterior(const RightAndWrong& counts, const ScoreboardOptions& options) {
  const double a = options.prior_a + counts.right;
  const double b = options.prior_b + counts.wrong;
  const double tail = 0.5 * (1.0 - options.interval);
  return {a / (a + b), beta_quantile(a, b, tail), beta_quantile(a, b, 1.0 - tail)};
}

class LabellerSum {
 public:
  void add(const AssignmentScore& s, const ScoreboardOptions& options) {
    ++m_assignments;
    if (!s.unscorable.empty()) return;
    ++m_scored;
    m_score.add(s.score);
    m_n.add(s.n);
    m_edge.add(s.edge);
    m_area.add(s.area);
    m_category.add(s.category);
    m_field_skill.add(s.field_skill);
    m_nofield_skill.add(s.nofield_skill);
    if (!s.corrected) return;
    const Confusion& c = s.corrected->areas;
    const double evaluated_m2 = c.tp_m2 + c.fp_m2 + c.fn_m2 + c.tn_m2;
    if (!(evaluated_m2 > 0.0)) return;
    const double per_m2 = options.site_effective_size.value_or(kUsualEffectiveSize) / evaluated_m2;
    m_field.right += per_m2 * c.tp_m2;
    m_field.wrong += per_m2 * c.fn_m2;
    m_nofield.right += per_m2 * c.tn_m2;
    m_nofield.wrong += per_m2 * c.fp_m2;
  }

  [[nodiscard]] LabellerScore result(const std::string& labeller, const ScoreboardOptions& options) const {
    LabellerScore r;
    r.labeller = labeller;
    r.assignments = m_assignments;
    r.scored = m_scored;
    r.score = m_score.value();
    r.n = m_n.value();
    r.edge = m_edge.value();
    r.area = m_area.value();
    r.category = m_category.value();
    if (options.mode == ScoreMode::kCorrected) {
      r.field_skill = posterior(m_field, options);
      r.nofield_skill = posterior(m_nofield, options);
    } else {
      r.field_skill.mean = m_field_skill.value();
      r.nofield_skill.mean = m_nofield_skill.value();
    }
    return r;
  }

 private:
  std::int64_t m_assignments = 0;
  std::int64_t m_scored = 0;
  Mean m_score;
  Mean m_n;
  Mean m_edge;
  Mean m_area;
  Mean m_category;
  Mean m_field_skill;
  Mean m_nofield_skill;
  RightAndWrong m_field;
  RightAndWrong m_nofield;
};

/// Replaces the skills of the labellers by beta-binomial ones where the data allow it.
void estimate_area_skills(const Campaign& campaign, const ScoreboardOptions& options, Scoreboard& board) {
  std::map<std::string, std::size_t> positions;
  for (const auto& l : board.labellers) positions.emplace(l.labeller, positions.size());
  std::vector<AreaShare> field;
  std::vector<AreaShare> nofield;
  for (const auto& score : board.assignments) {
    const auto found = positions.find(campaign.assignments[score.assignment].labeller);
    if (!score.corrected || found == positions.end()) continue;
    const Confusion& c = score.corrected->areas;
    field.push_back({found->second, c.tp_m2, c.fn_m2});
    nofield.push_back({found->second, c.tn_m2, c.fp_m2});
  }
  AreaSkillOptions area;
  area.interval = options.interval;
  board.field = fit_area_skills(field, positions.size(), area);
  board.nofield = fit_area_skills(nofield, positions.size(), area);
  for (std::size_t j = 0; j < board.labellers.size(); ++j) {
    if (board.field.estimated) board.labellers[j].field_skill = board.field.skills[j];
    if (board.nofield.estimated) board.labellers[j].nofield_skill = board.nofield.skills[j];
  }
}

void check(const ScoreboardOptions& o) {
  if (!(o.corrected.edge_buffer_m > 0.0) || !(o.compatible.edge_buffer_m > 0.0)) {
    throw geo::InvalidArgument("the edge buffer must be above 0 m");
  }
  if (o.site_effective_size && !(*o.site_effective_size > 0.0))
    throw geo::InvalidArgument("the effective size of a site must be above 0");
  if (!(o.prior_a > 0.0 && o.prior_b > 0.0)) throw geo::InvalidArgument("the prior's counts must be above 0");
  if (!(o.interval > 0.0 && o.interval < 1.0))
    throw geo::InvalidArgument("the interval must be between 0 and 1");
  if (o.reference_classes.empty()) throw geo::InvalidArgument("no class is said to hold the references");
}

Measure platform_measure(double value) {
  return std::isnan(value) ? Measure::undefined("the platform gives no number here") : Measure::of(value);
}

}  // namespace

AssignmentScore score_maps(const SiteMaps& maps, const ScoreboardOptions& options) {
  AssignmentScore score;
  if (options.mode == ScoreMode::kCorrected) {
    const CorrectedScores s = score_corrected(maps, options.corrected);
    score.score = s.score;
    score.n = s.n;
    score.edge = s.edge;
    score.area = s.area;
    score.category = s.category;
    score.field_skill = s.field_skill;
    score.nofield_skill = s.nofield_skill;
    score.corrected = s;
  } else {
    const CompatibleScores s = score_compatible(maps, options.compatible);
    score.score = platform_measure(s.new_score);
    score.n = platform_measure(s.n);
    score.edge = platform_measure(s.edge);
    score.area = platform_measure(s.in);
    score.category = platform_measure(s.category);
    score.field_skill = platform_measure(s.field_skill);
    score.nofield_skill = platform_measure(s.nofield_skill);
    score.compatible = s;
  }
  return score;
}

double beta_quantile(double a, double b, double p) {
  if (!(a > 0.0 && b > 0.0 && p >= 0.0 && p <= 1.0)) {
    throw geo::InvalidArgument(concat("no quantile ", p, " of a Beta(", a, ", ", b, ") distribution"));
  }
  return boost::math::ibeta_inv(a, b, p);
}

Scoreboard score_campaign(const Campaign& campaign, const ScoreboardOptions& options,
                          geo::ExecContext& exec) {
  check(options);
  Scoreboard board;
  board.mode = options.mode;
  board.assignments.resize(campaign.assignments.size());
  for (std::size_t i = 0; i < board.assignments.size(); ++i) board.assignments[i].assignment = i;
  std::vector<SiteNotes> notes(campaign.sites.size());
  const SiteScorer scorer(campaign, options, board.assignments);
  geo::Progress progress(exec, "scoring sites", static_cast<std::int64_t>(campaign.sites.size()));
  exec.execute([&] {
    tbb::parallel_for(std::size_t{0}, campaign.sites.size(), [&](std::size_t i) {
      notes[i] = scorer.score(campaign.sites[i]);
      progress.advance();
    });
  });
  for (auto& n : notes) {
    if (!n.note.empty()) board.notes.push_back(std::move(n.note));
    for (auto& problem : n.problems) board.problems.push_back(std::move(problem));
  }
  std::map<std::string, LabellerSum> sums;
  for (const auto& score : board.assignments) {
    const Assignment& a = campaign.assignments[score.assignment];
    if (!is_reference_class(a, options)) sums[a.labeller].add(score, options);
  }
  for (const auto& [labeller, sum] : sums) board.labellers.push_back(sum.result(labeller, options));
  if (options.mode == ScoreMode::kCorrected && !options.site_effective_size)
    estimate_area_skills(campaign, options, board);
  return board;
}

}  // namespace furrow::labelling
