#include <furrow/labelling/strata.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include <furrow/geo/core/text.h>

namespace furrow::labelling {
namespace {

constexpr double kSquareMetresPerHectare = 1e4;

double logit(double p) {
  return std::log(p / (1.0 - p));
}

double inverse_logit(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

/// Which stratum a field belongs to; nothing = none.
using Division = std::function<std::optional<std::size_t>(const ReferenceField&)>;

struct Strata {
  std::string by;
  std::vector<std::string> names;
  Division of;
};

/// A labeller's fields of one stratum.
struct Tally {
  std::int64_t fields = 0;
  std::int64_t matched = 0;
};

class StratumReporter {
 public:
  StratumReporter(const Campaign& campaign, const Scoreboard& board, double interval)
      : m_campaign(campaign), m_board(board), m_interval(interval) {
    for (const auto& l : board.labellers) m_labeller.emplace(l.labeller, m_labeller.size());
    std::set<std::string> seen;
    for (const auto& score : board.assignments) {
      if (!score.corrected || !m_labeller.contains(assignment(score).labeller)) continue;
      if (!seen.insert(assignment(score).site).second) continue;
      m_fields.insert(m_fields.end(), score.corrected->fields.begin(), score.corrected->fields.end());
    }
  }

  std::vector<StratumSkill> report() const {
    std::vector<std::vector<StratumSkill>> by_labeller(m_labeller.size());
    for (const Strata& strata : {sizes(), classes()}) {
      for (std::size_t s = 0; s < strata.names.size(); ++s) add(strata, s, by_labeller);
    }
    std::vector<StratumSkill> all;
    for (auto& skills : by_labeller) all.insert(all.end(), skills.begin(), skills.end());
    return all;
  }

 private:
  [[nodiscard]] const Assignment& assignment(const AssignmentScore& score) const {
    return m_campaign.assignments[score.assignment];
  }

  [[nodiscard]] Strata sizes() const {
    constexpr std::size_t kLeastFields = 9;
    Strata strata{"size", {}, {}};
    if (m_fields.size() < kLeastFields) return strata;
    std::vector<double> areas;
    for (const auto& field : m_fields) areas.push_back(field.area_m2);
    std::ranges::sort(areas);
    const std::array limits{areas[areas.size() / 3], areas[2 * areas.size() / 3]};
    const auto ha = [](double m2) { return geo::fixed(m2 / kSquareMetresPerHectare, 2) + " ha"; };
    strata.names = {"small, below " + ha(limits[0]), "medium", "large, from " + ha(limits[1])};
    strata.of = [limits](const ReferenceField& field) -> std::optional<std::size_t> {
      return field.area_m2 < limits[0] ? 0U : field.area_m2 < limits[1] ? 1U : 2U;
    };
    return strata;
  }

  [[nodiscard]] Strata classes() const {
    std::map<std::string, std::size_t> positions;
    for (const auto& field : m_fields) {
      if (!field.category.empty()) positions.emplace(field.category, 0);
    }
    Strata strata{"class", {}, {}};
    if (positions.size() < 2) return strata;
    for (auto& [name, position] : positions) {
      position = strata.names.size();
      strata.names.push_back(name);
    }
    strata.of = [positions](const ReferenceField& field) -> std::optional<std::size_t> {
      const auto found = positions.find(field.category);
      if (found == positions.end()) return std::nullopt;
      return found->second;
    };
    return strata;
  }

  void add(const Strata& strata, std::size_t stratum,
           std::vector<std::vector<StratumSkill>>& by_labeller) const {
    std::vector<AreaShare> shares;
    std::vector<Tally> tallies(m_labeller.size());
    for (const auto& score : m_board.assignments) {
      const auto found = m_labeller.find(assignment(score).labeller);
      if (!score.corrected || found == m_labeller.end()) continue;
      AreaShare share{found->second, 0.0, 0.0};
      for (const auto& field : score.corrected->fields) {
        if (strata.of(field) != stratum) continue;
        share.right_m2 += field.covered_m2;
        share.wrong_m2 += field.area_m2 - field.covered_m2;
        ++tallies[found->second].fields;
        tallies[found->second].matched += field.matched ? 1 : 0;
      }
      shares.push_back(share);
    }
    AreaSkillOptions options;
    options.interval = m_interval;
    const AreaSkills fit = fit_area_skills(shares, m_labeller.size(), options);
    if (!fit.estimated) return;
    for (const auto& [labeller, j] : m_labeller) {
      StratumSkill skill;
      skill.labeller = labeller;
      skill.by = strata.by;
      skill.stratum = strata.names[stratum];
      skill.fields = tallies[j].fields;
      if (skill.fields > 0)
        skill.matched = static_cast<double>(tallies[j].matched) / static_cast<double>(skill.fields);
      skill.field_skill = posterior(fit, j);
      by_labeller[j].push_back(std::move(skill));
    }
  }

  [[nodiscard]] SkillEstimate posterior(const AreaSkills& fit, std::size_t j) const {
    const double weight = fit.prior_a + fit.prior_b;
    const double harder = logit(fit.prior_a / weight) -
                          logit(m_board.field.prior_a / (m_board.field.prior_a + m_board.field.prior_b));
    const double own = std::clamp(m_board.labellers[j].field_skill.mean, 0.001, 0.999);
    const double start = std::clamp(inverse_logit(logit(own) + harder), 0.001, 0.999);
    const double a = weight * start + fit.right[j];
    const double b = weight * (1.0 - start) + fit.looks[j] - fit.right[j];
    const double tail = 0.5 * (1.0 - m_interval);
    return {a / (a + b), beta_quantile(a, b, tail), beta_quantile(a, b, 1.0 - tail)};
  }

  const Campaign& m_campaign;
  const Scoreboard& m_board;
  double m_interval;
  std::map<std::string, std::size_t> m_labeller;  ///< in the board's order, which is by name
  std::vector<ReferenceField> m_fields;           ///< of every scored site once
};

}  // namespace

std::vector<StratumSkill> stratum_skills(const Campaign& campaign, const Scoreboard& board, double interval) {
  if (!board.field.estimated) return {};
  return StratumReporter(campaign, board, interval).report();
}

}  // namespace furrow::labelling
