#include <furrow/labelling/area_skills.h>

#include <algorithm>
#include <cmath>

#include <furrow/geo/core/error.h>
#include <furrow/labelling/scoreboard.h>

namespace furrow::labelling {
namespace {

struct SiteShare {
  double looks;
  double share;
};

struct Person {
  std::vector<SiteShare> sites;
  double weight = 0.0;
  double mean = 0.0;
};

class Fit {
 public:
  Fit(std::span<const AreaShare> shares, std::size_t labellers, double look_m2) : m_people(labellers) {
    double right = 0.0;
    double all = 0.0;
    for (const auto& s : shares) {
      if (s.labeller >= labellers) throw geo::InvalidArgument("an area of a labeller who does not exist");
      const double area = s.right_m2 + s.wrong_m2;
      if (!(area > 0.0)) continue;
      m_people[s.labeller].sites.push_back({area / look_m2, s.right_m2 / area});
      right += s.right_m2 / area;
      all += 1.0;
    }
    m_mean = all > 0.0 ? right / all : 0.0;
    for (const auto& person : m_people) {
      if (person.sites.size() < 2) continue;
      ++m_repeated;
      m_freedom += static_cast<double>(person.sites.size() - 1);
    }
  }

  [[nodiscard]] std::string too_little() const {
    constexpr double kLeastFreedom = 12.0;
    constexpr int kLeastPeople = 3;
    if (m_repeated < kLeastPeople) return "fewer than three labellers have two sites";
    if (m_freedom < kLeastFreedom) return "fewer than 12 repeated sites";
    if (m_mean <= 0.0 || m_mean >= 1.0) return "all areas are right, or all are wrong";
    return {};
  }

  /// Weights, means and the Pearson statistic at a likeness.
  double pearson(double likeness) {
    double statistic = 0.0;
    for (auto& person : m_people) {
      person.weight = 0.0;
      double right = 0.0;
      for (const auto& site : person.sites) {
        const double w = worth(site, likeness);
        person.weight += w;
        right += w * site.share;
      }
      if (person.weight == 0.0) continue;
      person.mean = right / person.weight;
      // One look of the population keeps the variance of a flawless labeller above 0.
      const double p = (right + m_mean) / (person.weight + 1.0);
      for (const auto& site : person.sites) {
        const double off = site.share - person.mean;
        statistic += worth(site, likeness) * off * off / (p * (1.0 - p));
      }
    }
    return statistic;
  }

  double estimate_likeness() {
    double low = 1e-6;
    double high = 1.0;
    if (pearson(high) >= m_freedom) return high;
    if (pearson(low) <= m_freedom) {
      return low;
    }
    for (int i = 0; i < 60; ++i) {
      const double middle = std::sqrt(low * high);
      (pearson(middle) > m_freedom ? low : high) = middle;
    }
    (void)pearson(high);
    return high;
  }

  /// Mean and weight of the population, from weights and means at the present likeness.
  void population(double& a, double& b) const {
    double weights = 0.0;
    double squares = 0.0;
    double sum = 0.0;
    double people = 0.0;
    for (const auto& person : m_people) {
      weights += person.weight;
      squares += person.weight * person.weight;
      sum += person.weight * person.mean;
      people += person.weight > 0.0 ? 1.0 : 0.0;
    }
    const double mean = std::clamp(sum / weights, 0.005, 0.995);
    const double unit = mean * (1.0 - mean);
    double q = 0.0;
    for (const auto& person : m_people)
      q += person.weight * (person.mean - mean) * (person.mean - mean) / unit;
    const double between = unit * (q - (people - 1.0)) / (weights - squares / weights);
    constexpr double kLeast = 2.0;
    constexpr double kMost = 200.0;
    const double concentration = between > 0.0 ? std::clamp(unit / between - 1.0, kLeast, kMost) : kMost;
    a = mean * concentration;
    b = (1.0 - mean) * concentration;
  }

  [[nodiscard]] const std::vector<Person>& people() const { return m_people; }

 private:
  static double worth(const SiteShare& site, double likeness) {
    return site.looks / (1.0 + std::max(site.looks - 1.0, 0.0) * likeness);
  }

  std::vector<Person> m_people;
  double m_mean = 0.0;
  int m_repeated = 0;
  double m_freedom = 0.0;
};

}  // namespace

AreaSkills fit_area_skills(std::span<const AreaShare> shares, std::size_t labellers,
                           const AreaSkillOptions& options) {
  if (!(options.interval > 0.0 && options.interval < 1.0))
    throw geo::InvalidArgument("the interval must be between 0 and 1");
  if (!(options.look_m2 > 0.0)) throw geo::InvalidArgument("the area of a look must be above 0");
  Fit fit(shares, labellers, options.look_m2);
  AreaSkills result;
  result.note = fit.too_little();
  if (!result.note.empty()) return result;
  result.estimated = true;
  result.overdispersion = fit.estimate_likeness();
  fit.population(result.prior_a, result.prior_b);
  const double tail = 0.5 * (1.0 - options.interval);
  for (const auto& person : fit.people()) {
    const double a = result.prior_a + person.weight * person.mean;
    const double b = result.prior_b + person.weight * (1.0 - person.mean);
    result.looks.push_back(person.weight);
    result.right.push_back(person.weight * person.mean);
    result.skills.push_back({a / (a + b), beta_quantile(a, b, tail), beta_quantile(a, b, 1.0 - tail)});
  }
  return result;
}

}  // namespace furrow::labelling
