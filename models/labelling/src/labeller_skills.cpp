#include <furrow/labelling/labeller_skills.h>

#include <tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <map>

#include <boost/math/distributions/binomial.hpp>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>

namespace furrow::labelling {
namespace {

using geo::concat;

/// Sites with at least this share of field are no place for an empty map.
constexpr double kFieldSite = 0.02;

std::string percent(double share) {
  return geo::fixed(100.0 * share, 0) + " %";
}

/// Ids by number where they are numbers, else by text; numbers first.
bool id_before(const std::string& a, const std::string& b) {
  long long x = 0;
  long long y = 0;
  const bool a_is_number = geo::parse_number(a, x);
  const bool b_is_number = geo::parse_number(b, y);
  if (a_is_number != b_is_number) return a_is_number;
  return a_is_number ? x < y : a < b;
}

class Reporter {
 public:
  Reporter(const Campaign& campaign, const Scoreboard& board, const SkillReportOptions& options)
      : m_campaign(campaign), m_board(board), m_options(options) {
    for (const auto& l : board.labellers) m_labeller.emplace(l.labeller, m_labeller.size());
    for (const auto& s : campaign.sites) m_site.emplace(s.name, m_site.size());
    m_scores.resize(board.labellers.size());
    m_report.labellers.resize(board.labellers.size());
    m_report.ordered_by_time = true;
    for (const auto& score : board.assignments) {
      const auto found = m_labeller.find(assignment(score).labeller);
      if (found == m_labeller.end() || !score.unscorable.empty()) continue;
      m_scores[found->second].push_back(&score);
      if (assignment(score).completion_time.empty()) m_report.ordered_by_time = false;
    }
    for (auto& scores : m_scores) {
      std::ranges::stable_sort(
          scores, [this](const auto* a, const auto* b) { return before(assignment(*a), assignment(*b)); });
    }
  }

  SkillReport report(geo::ExecContext& exec) {
    spread();
    levels();
    exec.execute(
        [&] { tbb::parallel_for(std::size_t{0}, m_scores.size(), [&](std::size_t j) { drift(j); }); });
    adjust();
    m_report.strata = stratum_skills(m_campaign, m_board, m_options.interval);
    m_report.agreement = compare_labellers(m_campaign, m_options.pairs, exec);
    drift_flags();
    for (std::size_t j = 0; j < m_scores.size(); ++j) spam(j);
    empty_maps();
    pair_flags();
    return std::move(m_report);
  }

 private:
  [[nodiscard]] const Assignment& assignment(const AssignmentScore& score) const {
    return m_campaign.assignments[score.assignment];
  }

  [[nodiscard]] bool before(const Assignment& a, const Assignment& b) const {
    if (m_report.ordered_by_time && a.completion_time != b.completion_time)
      return a.completion_time < b.completion_time;
    return id_before(a.id, b.id);
  }

  [[nodiscard]] const std::string& order_text(const AssignmentScore& score) const {
    const Assignment& a = assignment(score);
    return m_report.ordered_by_time ? a.completion_time : a.id;
  }

  void spread() {
    const std::pair<const char*, Measure AssignmentScore::*> measures[] = {
        {"Score", &AssignmentScore::score},
        {"N", &AssignmentScore::n},
        {"Edge", &AssignmentScore::edge},
        {"Area", &AssignmentScore::area},
        {"Categorical", &AssignmentScore::category},
        {"FieldSkill", &AssignmentScore::field_skill},
        {"NoFieldSkill", &AssignmentScore::nofield_skill}};
    for (const auto& [name, measure] : measures) {
      std::vector<CrossedScore> scores;
      for (std::size_t j = 0; j < m_scores.size(); ++j) {
        for (const auto* s : m_scores[j]) {
          const Measure& m = s->*measure;
          if (m.defined() && std::isfinite(m.value))
            scores.push_back({j, m_site.at(assignment(*s).site), m.value});
        }
      }
      VarianceOptions options;
      options.interval = m_options.interval;
      MeasureSpread spread{name, {}, fit_variance(scores, m_scores.size(), m_site.size(), options)};
      options.sites = false;
      spread.raw = fit_variance(scores, m_scores.size(), m_site.size(), options);
      m_report.spread.push_back(std::move(spread));
    }
  }

  [[nodiscard]] const VarianceComponents& fit() const { return m_report.spread.front().adjusted; }

  void levels() {
    for (std::size_t j = 0; j < m_scores.size(); ++j) {
      LabellerReport& r = m_report.labellers[j];
      r.level = fit().levels[j];
      const double n = static_cast<double>(defined_scores(j));
      const double icc = fit().intraclass_correlation();
      r.reliability = std::isnan(icc) ? icc : n * icc / (1.0 + (n - 1.0) * icc);
    }
  }

  [[nodiscard]] std::size_t defined_scores(std::size_t j) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(m_scores[j], [](const auto* s) { return s->score.defined(); }));
  }

  void drift(std::size_t j) {
    std::vector<double> adjusted;
    std::vector<const AssignmentScore*> used;
    for (const auto* s : m_scores[j]) {
      if (!s->score.defined()) continue;
      adjusted.push_back(s->score.value - fit().site_effects[m_site.at(assignment(*s).site)]);
      used.push_back(s);
    }
    LabellerReport& r = m_report.labellers[j];
    r.drift = find_drift(adjusted, geo::stable_hash(m_board.labellers[j].labeller), m_options.drift);
    if (used.empty()) return;
    r.first_order = order_text(*used.front());
    r.last_order = order_text(*used.back());
    if (r.drift.tested) r.change_at = order_text(*used[r.drift.first_after]);
  }

  void adjust() {
    std::vector<double> slope;
    std::vector<double> change;
    for (const auto& r : m_report.labellers) {
      slope.push_back(r.drift.slope_p);
      change.push_back(r.drift.change_p);
    }
    slope = adjust_p_values(slope);
    change = adjust_p_values(change);
    for (std::size_t j = 0; j < slope.size(); ++j) {
      m_report.labellers[j].drift_p = slope[j];
      m_report.labellers[j].change_p = change[j];
    }
  }

  void drift_flags() {
    for (auto& r : m_report.labellers) {
      if (r.drift_p < m_options.alarm) {
        r.flags.push_back(concat("scores go ", r.drift.slope_per_100 > 0.0 ? "up" : "down", " by ",
                                 geo::fixed(std::abs(r.drift.slope_per_100), 3), " per 100 sites"));
      }
      if (r.change_p < m_options.alarm) {
        const double size = r.drift.after - r.drift.before;
        r.flags.push_back(concat("scores ", size > 0.0 ? "rose" : "fell", " by ",
                                 geo::fixed(std::abs(size), 3), " about ", r.change_at));
      }
    }
  }

  /// Normal approximation of the sum of two independent posteriors.
  void spam(std::size_t j) {
    const LabellerScore& l = m_board.labellers[j];
    LabellerReport& r = m_report.labellers[j];
    const double informed = l.field_skill.mean + l.nofield_skill.mean - 1.0;
    if (std::isnan(informed)) return;
    r.spammer_score = informed * informed;
    if (std::isnan(l.field_skill.low) || std::isnan(l.nofield_skill.low) || l.scored == 0) return;
    constexpr double kTenthQuantile = 1.2816;
    constexpr double kNinetyInterval = 1.6449;
    const double field = (l.field_skill.high - l.field_skill.low) / (2.0 * kNinetyInterval);
    const double nofield = (l.nofield_skill.high - l.nofield_skill.low) / (2.0 * kNinetyInterval);
    constexpr double kUninformed = 0.2;
    if (informed + kTenthQuantile * std::hypot(field, nofield) < kUninformed) {
      r.flags.push_back(concat("maps hardly depend on what is there: field skill ",
                               geo::fixed(l.field_skill.mean, 2), " + no-field skill ",
                               geo::fixed(l.nofield_skill.mean, 2), " is near 1"));
    }
  }

  void empty_maps() {
    std::int64_t sites = 0;
    std::int64_t empty = 0;
    for (std::size_t j = 0; j < m_scores.size(); ++j) {
      LabellerReport& r = m_report.labellers[j];
      for (const auto* s : m_scores[j]) {
        const Confusion c = s->corrected    ? s->corrected->areas
                            : s->compatible ? s->compatible->inside
                                            : Confusion{};
        const double cell = c.tp_m2 + c.fp_m2 + c.fn_m2 + c.tn_m2;
        if (!(c.tp_m2 + c.fn_m2 > kFieldSite * cell)) continue;
        ++r.field_sites;
        r.empty_maps += assignment(*s).polygons.empty() ? 1 : 0;
      }
      sites += r.field_sites;
      empty += r.empty_maps;
    }
    for (auto& r : m_report.labellers) flag_empty_maps(r, sites - r.field_sites, empty - r.empty_maps);
  }

  /// More empty maps than the other labellers' rate explains; that rate is taken as 3 % at least.
  void flag_empty_maps(LabellerReport& r, std::int64_t other_sites, std::int64_t other_empty) const {
    if (r.empty_maps < 2) return;
    const double others =
        other_sites > 0 ? static_cast<double>(other_empty) / static_cast<double>(other_sites) : 0.0;
    const double usual = std::clamp(others, 0.03, 0.999);
    const boost::math::binomial distribution(static_cast<double>(r.field_sites), usual);
    const double p =
        boost::math::cdf(boost::math::complement(distribution, static_cast<double>(r.empty_maps - 1)));
    if (p >= m_options.alarm) return;
    r.flags.push_back(concat("hands in empty maps: ", r.empty_maps, " of ", r.field_sites,
                             " sites with fields (others ", percent(others), ")"));
  }

  void pair_flags() {
    for (const auto& pair : m_report.agreement.pairs) {
      constexpr std::int64_t kLeastVertices = 12;
      if (pair.vertices >= kLeastVertices && pair.same_vertices >= m_options.same_vertices) {
        flag_both(pair, [&](const std::string& other) {
          return concat("same corners as ", other, ": ", percent(pair.same_vertices), " of ", pair.vertices);
        });
      }
      if (pair.shared_errors_p_adjusted < m_options.alarm && pair.shared_errors >= m_options.shared_errors) {
        flag_both(pair, [&](const std::string& other) {
          return concat("same errors as ", other, " on ", pair.error_sites, " sites");
        });
      }
    }
  }

  template <class Text>
  void flag_both(const LabellerPair& pair, const Text& text) {
    for (const auto& [one, other] : {std::pair{pair.first, pair.second}, {pair.second, pair.first}}) {
      const auto found = m_labeller.find(one);
      if (found != m_labeller.end()) m_report.labellers[found->second].flags.push_back(text(other));
    }
  }

  const Campaign& m_campaign;
  const Scoreboard& m_board;
  const SkillReportOptions& m_options;
  std::map<std::string, std::size_t> m_labeller;
  std::map<std::string, std::size_t> m_site;
  std::vector<std::vector<const AssignmentScore*>> m_scores;  ///< per labeller, in order
  SkillReport m_report;
};

}  // namespace

SkillReport report_skills(const Campaign& campaign, const Scoreboard& board,
                          const SkillReportOptions& options, geo::ExecContext& exec) {
  if (!(options.interval > 0.0 && options.interval < 1.0))
    throw geo::InvalidArgument("the interval must be between 0 and 1");
  if (!(options.reliability > 0.0 && options.reliability < 1.0))
    throw geo::InvalidArgument("the reliability must be between 0 and 1");
  return Reporter(campaign, board, options).report(exec);
}

}  // namespace furrow::labelling
