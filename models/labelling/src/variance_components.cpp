#include <furrow/labelling/variance_components.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <numbers>

#include <boost/math/special_functions/erf.hpp>

#include <furrow/geo/core/error.h>

#include "dense_cholesky.h"

namespace furrow::labelling {
namespace {

/// Standard deviations of labellers and sites, relative to the rest's.
using Ratios = std::array<double, 2>;

struct Cell {
  std::size_t labeller;  ///< position among those with scores
  double count;
};

struct SiteSums {
  std::vector<Cell> cells;
  double count = 0.0;
  double sum = 0.0;
};

/// The sufficient sums of the scores, centred at their mean.
struct Sums {
  std::vector<double> count;  ///< per labeller with scores
  std::vector<double> sum;
  std::vector<SiteSums> sites;  ///< with scores
  double scores = 0.0;
  double centre = 0.0;
  double squares = 0.0;
};

/// The mixed-model equations of the unknowns (mean, labellers), sites eliminated. Labellers' unknowns are
/// effect / ratio, so that a ratio of 0 needs no care.
class Equations {
 public:
  Equations(const Sums& sums, Ratios ratios)
      : m_sums(sums), m_ratios(ratios), m_size(sums.count.size() + 1), m_factor(matrix(), m_size) {
    m_solution = m_factor.solve(m_right);
    double explained = m_site_explained;
    for (std::size_t i = 0; i < m_size; ++i) explained += m_right[i] * m_solution[i];
    m_residual = std::max(m_sums.squares - explained, 0.0);
  }

  /// Minus twice the restricted log-likelihood, the rest's variance profiled out.
  [[nodiscard]] double deviance() const {
    const double df = m_sums.scores - 1.0;
    return m_factor.log_determinant() + m_site_log_determinant +
           df * (1.0 + std::log(2.0 * std::numbers::pi * std::max(m_residual, 1e-300) / df));
  }

  [[nodiscard]] double variance_rest() const { return m_residual / (m_sums.scores - 1.0); }
  [[nodiscard]] double mean() const { return m_sums.centre + m_solution[0]; }
  [[nodiscard]] double effect(std::size_t labeller) const { return m_ratios[0] * m_solution[labeller + 1]; }
  /// Variance of the error of mean + effect, in units of the rest's variance.
  [[nodiscard]] double level_variance(std::size_t labeller) const {
    std::vector<double> direction(m_size, 0.0);
    direction[0] = 1.0;
    direction[labeller + 1] = m_ratios[0];
    const auto solved = m_factor.solve(direction);
    return solved[0] + m_ratios[0] * solved[labeller + 1];
  }
  [[nodiscard]] double mean_variance() const {
    std::vector<double> direction(m_size, 0.0);
    direction[0] = 1.0;
    return m_factor.solve(direction)[0];
  }
  [[nodiscard]] double site_effect(const SiteSums& site) const {
    double sum = site.sum - site.count * m_solution[0];
    for (const auto& cell : site.cells) sum -= cell.count * effect(cell.labeller);
    return m_ratios[1] * m_ratios[1] * sum / (m_ratios[1] * m_ratios[1] * site.count + 1.0);
  }

 private:
  std::vector<double> matrix() {
    const double a = m_ratios[0];
    const double b2 = m_ratios[1] * m_ratios[1];
    std::vector<double> m(m_size * m_size, 0.0);
    m_right.assign(m_size, 0.0);
    m[0] = m_sums.scores;
    for (std::size_t i = 1; i < m_size; ++i) {
      m[i * m_size] = a * m_sums.count[i - 1];
      m[i * m_size + i] = a * a * m_sums.count[i - 1] + 1.0;
      m_right[i] = a * m_sums.sum[i - 1];
      m_right[0] += m_sums.sum[i - 1];
    }
    for (const auto& site : m_sums.sites) {
      const double pivot = b2 * site.count + 1.0;
      const double f = b2 / pivot;
      m_site_log_determinant += std::log(pivot);
      m_site_explained += f * site.sum * site.sum;
      m[0] -= f * site.count * site.count;
      m_right[0] -= f * site.count * site.sum;
      for (const auto& x : site.cells) {
        const std::size_t i = x.labeller + 1;
        m[i * m_size] -= f * a * x.count * site.count;
        m_right[i] -= f * a * x.count * site.sum;
        for (const auto& y : site.cells) {
          if (y.labeller <= x.labeller) m[i * m_size + y.labeller + 1] -= f * a * a * x.count * y.count;
        }
      }
    }
    return m;
  }

  const Sums& m_sums;
  Ratios m_ratios;
  std::size_t m_size;
  std::vector<double> m_right;
  double m_site_log_determinant = 0.0;
  double m_site_explained = 0.0;
  DenseCholesky m_factor;
  std::vector<double> m_solution;
  double m_residual = 0.0;
};

/// Nelder and Mead's simplex in two dimensions (1965), on absolute values.
Ratios minimise(const std::function<double(Ratios)>& function, Ratios start) {
  struct Vertex {
    Ratios at;
    double value;
  };
  const auto vertex = [&](Ratios at) {
    for (double& v : at) v = std::abs(v);
    return Vertex{at, function(at)};
  };
  std::array<Vertex, 3> v{vertex(start), vertex({start[0] * 1.5 + 0.05, start[1]}),
                          vertex({start[0], start[1] * 1.5 + 0.05})};
  const auto from_worst = [&](double factor) {
    Ratios at{};
    for (std::size_t k = 0; k < 2; ++k) {
      const double middle = 0.5 * (v[0].at[k] + v[1].at[k]);
      at[k] = middle + factor * (v[2].at[k] - middle);
    }
    return vertex(at);
  };
  constexpr int kMostSteps = 300;
  constexpr double kTolerance = 1e-10;
  for (int step = 0; step < kMostSteps; ++step) {
    std::ranges::stable_sort(v, {}, &Vertex::value);
    const double size = std::abs(v[2].at[0] - v[0].at[0]) + std::abs(v[2].at[1] - v[0].at[1]) +
                        std::abs(v[1].at[0] - v[0].at[0]) + std::abs(v[1].at[1] - v[0].at[1]);
    if (v[2].value - v[0].value < kTolerance && size < 1e-5) break;
    const Vertex reflected = from_worst(-1.0);
    if (reflected.value < v[0].value) {
      const Vertex expanded = from_worst(-2.0);
      v[2] = expanded.value < reflected.value ? expanded : reflected;
    } else if (reflected.value < v[1].value) {
      v[2] = reflected;
    } else {
      const Vertex contracted = from_worst(reflected.value < v[2].value ? -0.5 : 0.5);
      if (contracted.value < std::min(reflected.value, v[2].value)) {
        v[2] = contracted;
      } else {
        for (std::size_t i = 1; i < 3; ++i) {
          v[i] = vertex({0.5 * (v[0].at[0] + v[i].at[0]), 0.5 * (v[0].at[1] + v[i].at[1])});
        }
      }
    }
  }
  return std::ranges::min_element(v, {}, &Vertex::value)->at;
}

/// Sums of the scores and which labellers and sites they are about.
struct Grouped {
  Sums sums;
  std::vector<std::size_t> labellers;  ///< the caller's positions
  std::vector<std::size_t> sites;
};

void check(std::span<const CrossedScore> scores, std::size_t labellers, std::size_t sites,
           const VarianceOptions& options) {
  if (!(options.interval > 0.0 && options.interval < 1.0))
    throw geo::InvalidArgument("the interval must be between 0 and 1");
  for (const auto& s : scores) {
    if (s.labeller >= labellers || s.site >= sites)
      throw geo::InvalidArgument("a score of a labeller or site that does not exist");
    if (!std::isfinite(s.value)) throw geo::InvalidArgument("a score is not a finite number");
  }
}

Grouped group(std::span<const CrossedScore> scores) {
  Grouped g;
  std::map<std::size_t, std::size_t> labeller_of;
  std::map<std::size_t, std::map<std::size_t, std::vector<double>>> by_site;
  for (const auto& s : scores) {
    g.sums.centre += s.value / static_cast<double>(scores.size());
    labeller_of.emplace(s.labeller, 0);
  }
  for (auto& [labeller, position] : labeller_of) {
    position = g.labellers.size();
    g.labellers.push_back(labeller);
  }
  g.sums.scores = static_cast<double>(scores.size());
  g.sums.count.assign(g.labellers.size(), 0.0);
  g.sums.sum.assign(g.labellers.size(), 0.0);
  for (const auto& s : scores) {
    const double value = s.value - g.sums.centre;
    const std::size_t j = labeller_of.at(s.labeller);
    g.sums.count[j] += 1.0;
    g.sums.sum[j] += value;
    g.sums.squares += value * value;
    by_site[s.site][j].push_back(value);
  }
  for (const auto& [site, cells] : by_site) {
    SiteSums sums;
    for (const auto& [labeller, values] : cells) {
      sums.cells.push_back({labeller, static_cast<double>(values.size())});
      sums.count += static_cast<double>(values.size());
      for (const double value : values) sums.sum += value;
    }
    g.sites.push_back(site);
    g.sums.sites.push_back(std::move(sums));
  }
  return g;
}

Ratios best_ratios(const Sums& sums, bool labellers, bool sites) {
  const auto deviance = [&](Ratios r) {
    return Equations(sums, {labellers ? r[0] : 0.0, sites ? r[1] : 0.0}).deviance();
  };
  Ratios best{0.0, 0.0};
  double lowest = deviance(best);
  if (!labellers && !sites) return best;
  for (const Ratios start : {Ratios{0.3, 0.6}, Ratios{1.0, 0.1}}) {
    const Ratios found = minimise(deviance, start);
    const double value = deviance(found);
    if (value < lowest) {
      lowest = value;
      best = {labellers ? found[0] : 0.0, sites ? found[1] : 0.0};
    }
  }
  return best;
}

void add_note(std::string& note, const char* text) {
  note += (note.empty() ? "" : "; ") + std::string(text);
}

}  // namespace

double VarianceComponents::intraclass_correlation() const {
  const double between = sd_labeller * sd_labeller;
  return between / (between + sd_rest * sd_rest);
}

double VarianceComponents::sites_for_reliability(double reliability) const {
  const double between = sd_labeller * sd_labeller;
  if (between == 0.0) return std::numeric_limits<double>::infinity();
  return reliability / (1.0 - reliability) * sd_rest * sd_rest / between;
}

VarianceComponents fit_variance(std::span<const CrossedScore> scores, std::size_t labellers,
                                std::size_t sites, const VarianceOptions& options) {
  check(scores, labellers, sites, options);
  VarianceComponents result;
  result.levels.resize(labellers);
  result.site_effects.assign(sites, 0.0);
  if (scores.empty()) {
    result.note = "there are no scores";
    return result;
  }
  const Grouped g = group(scores);
  const std::size_t count = scores.size();
  result.scores = static_cast<std::int64_t>(count);
  result.labellers = static_cast<std::int64_t>(g.labellers.size());
  result.sites = static_cast<std::int64_t>(g.sites.size());
  if (g.sums.squares < 1e-20 * static_cast<double>(count)) {
    result.mean = g.sums.centre;
    for (auto& level : result.levels) level.mean = result.mean;
    result.note = count == 1 ? "there is one score only" : "all scores are equal";
    return result;
  }
  const bool has_labellers = g.labellers.size() > 1 && g.labellers.size() < count;
  const bool has_sites = options.sites && g.sites.size() > 1 && g.sites.size() < count;
  if (!has_labellers) {
    add_note(result.note, g.labellers.size() == 1 ? "one labeller only: nobody to compare with"
                                                  : "no labeller has more than one score");
  }
  if (options.sites && !has_sites) {
    add_note(result.note, g.sites.size() == 1 ? "one site only"
                                              : "no site has more than one score: site difficulty unknown");
  }
  const Ratios ratios = best_ratios(g.sums, has_labellers, has_sites);
  const Equations fit(g.sums, ratios);
  const double rest = fit.variance_rest();
  result.mean = fit.mean();
  result.sd_rest = std::sqrt(rest);
  result.sd_labeller = has_labellers ? ratios[0] * result.sd_rest : std::nan("");
  result.sd_site = has_sites ? ratios[1] * result.sd_rest : (options.sites ? std::nan("") : 0.0);

  const double z = std::numbers::sqrt2 * boost::math::erf_inv(options.interval);
  const auto estimate = [&](double mean, double variance) {
    const double half = z * std::sqrt(variance);
    return SkillEstimate{std::clamp(mean, options.low, options.high),
                         std::clamp(mean - half, options.low, options.high),
                         std::clamp(mean + half, options.low, options.high)};
  };
  const double unseen = rest * (fit.mean_variance() + ratios[0] * ratios[0]);
  for (auto& level : result.levels) level = estimate(result.mean, unseen);
  for (std::size_t j = 0; j < g.labellers.size(); ++j) {
    result.levels[g.labellers[j]] = estimate(result.mean + fit.effect(j), rest * fit.level_variance(j));
  }
  for (std::size_t i = 0; i < g.sites.size(); ++i)
    result.site_effects[g.sites[i]] = fit.site_effect(g.sums.sites[i]);
  return result;
}

}  // namespace furrow::labelling
