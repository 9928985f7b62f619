#include "dirichlet.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <boost/math/special_functions/beta.hpp>
#include <boost/math/special_functions/digamma.hpp>
#include <boost/math/special_functions/trigamma.hpp>

namespace furrow::labelling {
namespace {

constexpr double kSmallest = 1e-3;  ///< of a pseudo-count

using Policy =
    boost::math::policies::policy<boost::math::policies::promote_double<false>,
                                  boost::math::policies::overflow_error<boost::math::policies::ignore_error>>;

double digamma(double x) {
  return boost::math::digamma(x, Policy{});
}
double trigamma(double x) {
  return boost::math::trigamma(x, Policy{});
}

double sum(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

/// log density of shares with these mean logarithms, as a function of the pseudo-counts.
double log_density(std::span<const double> alpha, std::span<const double> mean_log) {
  double value = std::lgamma(sum(alpha));
  for (std::size_t k = 0; k < alpha.size(); ++k)
    value += (alpha[k] - 1.0) * mean_log[k] - std::lgamma(alpha[k]);
  return value;
}

/// One Newton step towards the pseudo-counts of shares with these mean logarithms (Minka 2000, equation 15);
/// shortened until the density grows.
std::vector<double> newton_step(const std::vector<double>& alpha, std::span<const double> mean_log) {
  const double total = sum(alpha);
  const double z = trigamma(total);
  std::vector<double> gradient(alpha.size());
  std::vector<double> curvature(alpha.size());
  double top = 0.0;
  double bottom = 1.0 / z;
  for (std::size_t k = 0; k < alpha.size(); ++k) {
    gradient[k] = digamma(total) - digamma(alpha[k]) + mean_log[k];
    curvature[k] = -trigamma(alpha[k]);
    top += gradient[k] / curvature[k];
    bottom += 1.0 / curvature[k];
  }
  const double before = log_density(alpha, mean_log);
  std::vector<double> next(alpha.size());
  for (double length = 1.0; length > 1e-4; length *= 0.5) {
    bool is_valid = true;
    for (std::size_t k = 0; k < alpha.size(); ++k) {
      next[k] = alpha[k] - length * (gradient[k] - top / bottom) / curvature[k];
      is_valid = is_valid && next[k] >= kSmallest;
    }
    if (is_valid && log_density(next, mean_log) >= before) return next;
  }
  return alpha;
}

void limit(std::vector<double>& alpha, double max_strength) {
  const double total = sum(alpha);
  for (double& a : alpha) a = std::max(kSmallest, total > max_strength ? a * max_strength / total : a);
}

/// E log of the shares of a row with these counts, given the pseudo-counts; added to `mean_log`.
void add_expected_log(std::span<const double> alpha, std::span<const double> counts, double weight,
                      std::vector<double>& mean_log) {
  double total = sum(alpha);
  if (!counts.empty()) total += sum(counts);
  const double log_total = digamma(total);
  for (std::size_t k = 0; k < alpha.size(); ++k) {
    const double count = counts.empty() ? 0.0 : counts[k];
    mean_log[k] += weight * (digamma(alpha[k] + count) - log_total);
  }
}

}  // namespace

std::vector<double> learn_dirichlet(const CountRows& rows, std::span<const double> prior, double prior_rows,
                                    double max_strength) {
  std::vector<double> alpha(prior.begin(), prior.end());
  double total_weight = prior_rows;
  for (const double w : rows.weights) total_weight += w;
  constexpr int kSteps = 200;
  for (int step = 0; step < kSteps; ++step) {
    std::vector<double> mean_log(rows.classes, 0.0);
    add_expected_log(prior, {}, prior_rows, mean_log);
    for (std::size_t i = 0; i < rows.weights.size(); ++i)
      add_expected_log(alpha, {rows.counts.data() + i * rows.classes, rows.classes}, rows.weights[i],
                       mean_log);
    for (double& m : mean_log) m /= total_weight;
    std::vector<double> next = newton_step(alpha, mean_log);
    limit(next, max_strength);
    double change = 0.0;
    for (std::size_t k = 0; k < alpha.size(); ++k)
      change = std::max(change, std::abs(next[k] - alpha[k]) / alpha[k]);
    alpha = std::move(next);
    if (change < 1e-4) break;
  }
  return alpha;
}

Estimate beta_estimate(double mean, double strength, double interval) {
  const double m = std::clamp(mean, 1e-9, 1.0 - 1e-9);
  const double a = m * strength;
  const double b = (1.0 - m) * strength;
  const double tail = 0.5 * (1.0 - interval);
  return {mean, boost::math::ibeta_inv(a, b, tail, Policy{}), boost::math::ibetac_inv(a, b, tail, Policy{})};
}

}  // namespace furrow::labelling
