#include <furrow/labelling/joint_consensus.h>

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <utility>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/rasterize.h>
#include <furrow/labelling/dawid_skene.h>
#include <furrow/labelling/staple.h>

namespace furrow::labelling {
namespace {

std::string voter_name(const Assignment& assignment) {
  return assignment.labeller.empty() ? geo::concat("(assignment ", assignment.id, ")") : assignment.labeller;
}

/// Maps of a site that show how good their labellers are.
const std::vector<std::size_t>& maps_of(const SiteVoters& voters) {
  return voters.from_expert ? voters.learners : voters.assignments;
}

std::vector<std::string> names_of(const Campaign& campaign, std::span<const SiteVoters> voters) {
  std::set<std::string> names;
  for (const auto& v : voters) {
    for (const std::size_t i : maps_of(v)) names.insert(voter_name(campaign.assignments[i]));
    if (v.has_model) names.insert(kModelLabeller);
  }
  return {names.begin(), names.end()};
}

/// What the experts agree on, as votes; missing where they do not, and off the cell.
std::vector<Vote> expert_truth(const SiteConsensus& experts) {
  constexpr double kAgreed = 1e-9;
  std::vector<Vote> truth(experts.patterns.of_pixel.size(), kMissingVote);
  for (std::size_t p = 0; p < truth.size(); ++p) {
    const FusedVote& fused = experts.at(p);
    if (fused.label != geo::kIgnore && fused.risk <= kAgreed) truth[p] = make_vote(fused.label);
  }
  return truth;
}

/// Outcome of a vote: the class of the sure polygons, "unsure" where there are only unsure ones.
std::uint16_t outcome_of(Vote vote, int classes) {
  if (sure_class(vote) == 0 && unsure_class(vote) != 0) return static_cast<std::uint16_t>(classes);
  return static_cast<std::uint16_t>(sure_class(vote));
}

double field_skill(const FusionFit& fit, std::size_t voter) {
  double right = 0.0;
  double total = 0.0;
  for (int c = 1; c < fit.classes; ++c) {
    const double share = fit.class_shares[static_cast<std::size_t>(c)];
    total += share;
    for (int o = 1; o < fit.classes; ++o) right += share * fit.confusion_at(voter, c, o);
  }
  return total > 0.0 ? right / total : std::numeric_limits<double>::quiet_NaN();
}

std::string text(double value) {
  return value != value ? "NA" : geo::shortest(value);
}

/// A usual labeller of maps, as 8 answers a row with their shares: nine tenths of what is no field are left
/// empty, four fifths of fields are found, and half of the boundary pixels, which are few and thin, are hit.
std::vector<double> usual_map_rows(int classes, int outcomes) {
  constexpr double kAnswers = 8.0;
  std::vector<double> rows;
  if (classes == 3) {
    rows = {0.90, 0.05, 0.04, 0.01, 0.16, 0.74, 0.08, 0.02, 0.24, 0.24, 0.50, 0.02};
  } else {
    rows = {0.90, 0.09, 0.01, 0.19, 0.79, 0.02};
  }
  if (outcomes == classes) {  // nobody can say "unsure"
    const auto per_row = static_cast<std::size_t>(classes) + 1;
    for (std::size_t c = static_cast<std::size_t>(classes); c-- > 0;)
      rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(c * per_row + per_row - 1));
  }
  for (double& share : rows) share *= kAnswers;
  return rows;
}

BayesOptions map_options(const VoteTable& votes, BayesOptions options) {
  const bool is_map = votes.classes() <= 3 && votes.outcomes() <= votes.classes() + 1;
  if (options.usual_rows.empty() && is_map)
    options.usual_rows = usual_map_rows(votes.classes(), votes.outcomes());
  return options;
}

FusionFit fit_staple(const VoteTable& table) {
  return table.classes() == 2 ? staple(table) : multi_label_staple(table);
}

}  // namespace

SiteVotes collect_votes(const Campaign& campaign, const Site& site, const SiteVoters& voters,
                        const geo::Grid& grid, const ConsensusOptions& options) {
  SiteVotes result;
  if (!voters.from_expert) {
    result.patterns = collect_patterns(campaign, site, voters, grid, options).patterns;
    result.patterns.of_pixel.clear();
    result.truth.assign(result.patterns.size(), -1);
    return result;
  }
  const SiteConsensus experts = fuse_site(campaign, site, voters, grid, options);
  PatternBuilder builder(experts.inside.size());
  builder.add(expert_truth(experts));
  for (const std::size_t i : voters.learners) {
    builder.add(
        keep_inside(rasterize_votes(campaign.assignments[i], site.cell, grid, options), experts.inside));
  }
  if (voters.has_model) builder.add(keep_inside(options.model->votes(grid), experts.inside));
  const VotePatterns all = std::move(builder).finish();
  result.patterns.voters = voters.learners.size() + (voters.has_model ? 1 : 0);
  result.patterns.counts = all.counts;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto pattern = all.pattern(i);
    result.truth.push_back(pattern[0] == kMissingVote ? -1 : static_cast<std::int32_t>(pattern[0]));
    result.patterns.votes.insert(result.patterns.votes.end(), pattern.begin() + 1, pattern.end());
  }
  return result;
}

JointVotes::JointVotes(const Campaign& campaign, std::span<const SiteVoters> voters, int classes)
    : m_labellers(names_of(campaign, voters)),
      m_first_row(campaign.sites.size()),
      m_table(classes, classes + 1, m_labellers.size()) {
  const auto voter_of = [&](const std::string& name) {
    return static_cast<std::uint32_t>(std::ranges::lower_bound(m_labellers, name) - m_labellers.begin());
  };
  for (const auto& v : voters) {
    auto& of_site = m_voters.emplace_back();
    for (const std::size_t i : maps_of(v)) of_site.push_back(voter_of(voter_name(campaign.assignments[i])));
    if (v.has_model) of_site.push_back(voter_of(kModelLabeller));
  }
}

void JointVotes::add(std::size_t site, const SiteVotes& votes) {
  m_first_row[site] = m_table.rows();
  std::vector<VoteEntry> entries;
  for (std::size_t i = 0; i < votes.patterns.size(); ++i) {
    const auto pattern = votes.patterns.pattern(i);
    entries.clear();
    for (std::size_t v = 0; v < pattern.size(); ++v) {
      if (pattern[v] != kMissingVote)
        entries.push_back({m_voters[site][v], outcome_of(pattern[v], m_table.classes()), 1});
    }
    // Pixels off the cell are no items.
    const bool counts = !entries.empty() || votes.truth[i] >= 0;
    m_table.add(entries, counts ? static_cast<double>(votes.patterns.counts[i]) : 0.0, votes.truth[i],
                static_cast<std::uint32_t>(site));
  }
}

std::optional<std::size_t> JointVotes::first_row(std::size_t site) const {
  return m_first_row[site];
}

JointFit fuse_jointly(const VoteTable& votes, std::vector<std::string> labellers,
                      const ConsensusOptions& options) {
  JointFit fit;
  fit.labellers = std::move(labellers);
  fit.n_sites = count_sites(votes);
  switch (options.method) {
    case ConsensusMethod::kBayes:
      fit.bayes = fuse_bayes(votes, map_options(votes, options.bayes));
      fit.fusion = fit.bayes->fusion;
      fit.bayes->fusion.posterior = {};
      return fit;
    case ConsensusMethod::kDawidSkene:
      fit.fusion = dawid_skene(votes);
      return fit;
    case ConsensusMethod::kStaple:
      fit.fusion = fit_staple(votes);
      return fit;
    case ConsensusMethod::kMajority:
    case ConsensusMethod::kWeighted:
      break;
  }
  throw geo::InvalidArgument("majority and weighted vote are fused site by site");
}

JointFit fuse_jointly(const JointVotes& votes, const ConsensusOptions& options) {
  return fuse_jointly(votes.table(), votes.labellers(), options);
}

TableFit table_fit_of(const JointFit& fit) {
  return {fit.fusion, fit.bayes ? fit.bayes->skills : std::vector<VoterSkill>{}, {}};
}

std::vector<FusedVote> decide_site(const JointVotes& votes, const JointFit& fit, std::size_t site,
                                   const FusionOptions& options) {
  std::vector<FusedVote> fused;
  const auto first = votes.first_row(site);
  if (!first) throw geo::InvalidArgument("the site's votes were not collected");
  for (std::size_t row = *first; row < votes.table().rows(); ++row) {
    const VoteRow of_row = votes.table().row(row);
    if (of_row.group != site) break;
    fused.push_back(decide_posterior(
        of_row.votes.empty() ? std::span<const double>{} : fit.fusion.posterior_of(row), options));
  }
  return fused;
}

std::vector<std::string> answer_names(int classes, int outcomes) {
  std::vector<std::string> names{"background", "field"};
  if (classes == 3) names = {"background", "interior", "boundary"};
  if (outcomes > classes) names.emplace_back("unsure");
  return names;
}

std::vector<std::int64_t> count_sites(const VoteTable& table) {
  std::vector<std::set<std::uint32_t>> sites(table.voters());
  for (std::size_t i = 0; i < table.rows(); ++i) {
    const VoteRow row = table.row(i);
    for (const VoteEntry& vote : row.votes) sites[vote.voter].insert(row.group);
  }
  std::vector<std::int64_t> counts;
  for (const auto& s : sites) counts.push_back(static_cast<std::int64_t>(s.size()));
  return counts;
}

geo::CsvTable labeller_table(const JointFit& fit) {
  geo::CsvTable table;
  table.columns = {"Labeller",          "n_sites",         "effective_sites",  "FieldSkill",
                   "FieldSkill_low",    "FieldSkill_high", "NoFieldSkill",     "NoFieldSkill_low",
                   "NoFieldSkill_high", "field_units",     "background_units", "counts"};
  const auto classes = answer_names(fit.fusion.classes, fit.fusion.classes);
  const auto answers = answer_names(fit.fusion.classes, fit.fusion.outcomes);
  for (const auto& c : classes) {
    for (const auto& o : answers) table.columns.push_back(geo::concat(c, "_as_", o));
  }
  const auto cells = static_cast<std::size_t>(fit.fusion.classes * fit.fusion.outcomes);
  for (std::size_t v = 0; v < fit.labellers.size(); ++v) {
    auto& row = table.rows.emplace_back();
    row = {fit.labellers[v], std::to_string(fit.n_sites[v])};
    if (fit.bayes) {
      const VoterSkill& skill = fit.bayes->skills[v];
      row.push_back(text(skill.effective_sites));
      for (const Estimate& e : {skill.sensitivity, skill.specificity})
        row.insert(row.end(), {text(e.mean), text(e.low), text(e.high)});
      row.insert(row.end(),
                 {text(skill.field_units), text(skill.background_units), skill.is_silenced ? "0" : "1"});
    } else {
      row.insert(row.end(), {"NA", text(field_skill(fit.fusion, v)), "NA", "NA",
                             text(fit.fusion.confusion_at(v, 0, 0)), "NA", "NA", "NA", "NA", "1"});
    }
    for (std::size_t cell = 0; cell < cells; ++cell)
      row.push_back(text(fit.fusion.confusion[v * cells + cell]));
  }
  return table;
}

geo::CsvTable reliability_table(const CalibrationReport& report) {
  geo::CsvTable table;
  table.columns = {"risk_low", "risk_high", "weight", "mean_risk", "error_rate"};
  for (const auto& bin : report.bins) {
    if (bin.weight > 0.0) {
      table.rows.push_back(
          {text(bin.low), text(bin.high), text(bin.weight), text(bin.mean_risk), text(bin.error_rate)});
    }
  }
  return table;
}

}  // namespace furrow::labelling
