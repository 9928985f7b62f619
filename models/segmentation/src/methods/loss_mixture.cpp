#include "loss_mixture.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include <furrow/geo/core/error.h>

namespace furrow::segmentation {
namespace {

struct Component {
  double share = 0.5;
  double mean = 0.0;
  double sd = 1.0;

  [[nodiscard]] double log_density(double x) const {
    const double z = (x - mean) / sd;
    return std::log(share) - std::log(sd) - 0.5 * std::log(2.0 * std::numbers::pi) - 0.5 * z * z;
  }
};

double log_sum(double a, double b) {
  const double high = std::max(a, b);
  return high + std::log(std::exp(a - high) + std::exp(b - high));
}

/// The component that maximises the expected likelihood under the weights, its width bounded below.
Component maximised(std::span<const double> losses, const std::vector<double>& weights, double least_sd) {
  double mass = 0.0;
  double mean = 0.0;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    mass += weights[i];
    mean += weights[i] * losses[i];
  }
  mean /= mass;
  double variance = 0.0;
  for (std::size_t i = 0; i < losses.size(); ++i)
    variance += weights[i] * (losses[i] - mean) * (losses[i] - mean);
  return {mass / static_cast<double>(losses.size()), mean, std::max(std::sqrt(variance / mass), least_sd)};
}

/// One step of EM; false when a component has lost all its blocks.
bool step(std::span<const double> losses, Component& low, Component& high, double least_sd) {
  std::vector<double> low_weights;
  std::vector<double> high_weights;
  double low_mass = 0.0;
  for (const double loss : losses) {
    const double a = low.log_density(loss);
    const double p = std::exp(a - log_sum(a, high.log_density(loss)));
    low_weights.push_back(p);
    high_weights.push_back(1.0 - p);
    low_mass += p;
  }
  const auto n = static_cast<double>(losses.size());
  if (low_mass < 1e-6 || low_mass > n - 1e-6) return false;
  low = maximised(losses, low_weights, least_sd);
  high = maximised(losses, high_weights, least_sd);
  return true;
}

double log_likelihood(std::span<const double> losses, const Component& low, const Component& high) {
  double sum = 0.0;
  for (const double loss : losses) sum += log_sum(low.log_density(loss), high.log_density(loss));
  return sum;
}

}  // namespace

double LossMixture::clean_probability(double loss) const {
  if (!separates) return 1.0;
  const double x = std::clamp(loss, clean_mean, noisy_mean);
  const double clean = Component{clean_share, clean_mean, clean_sd}.log_density(x);
  const double noisy = Component{1.0 - clean_share, noisy_mean, noisy_sd}.log_density(x);
  return std::exp(clean - log_sum(clean, noisy));
}

LossMixture fit_loss_mixture(std::span<const double> losses) {
  constexpr std::size_t kFewest = 8;
  constexpr int kMostSteps = 500;
  if (!std::ranges::all_of(losses, [](double loss) { return std::isfinite(loss); }))
    throw geo::InvalidArgument("losses of blocks must be finite numbers");
  std::vector<double> sorted(losses.begin(), losses.end());
  std::ranges::sort(sorted);  // sums do not depend on the order of the blocks
  LossMixture result;
  if (sorted.size() < kFewest || !(sorted.back() > sorted.front())) return result;
  const double least_sd = 1e-3 * (sorted.back() - sorted.front());
  const auto n = static_cast<double>(sorted.size());
  std::vector<double> lower(sorted.size(), 0.0);
  std::fill_n(lower.begin(), sorted.size() / 2, 1.0);
  std::vector<double> upper(sorted.size());
  std::ranges::transform(lower, upper.begin(), [](double weight) { return 1.0 - weight; });
  Component low = maximised(sorted, lower, least_sd);
  Component high = maximised(sorted, upper, least_sd);
  const Component one = maximised(sorted, std::vector<double>(sorted.size(), 1.0), least_sd);
  result.log_likelihood.push_back(log_likelihood(sorted, low, high));
  for (int i = 0; i < kMostSteps && step(sorted, low, high, least_sd); ++i) {
    const double before = result.log_likelihood.back();
    result.log_likelihood.push_back(log_likelihood(sorted, low, high));
    if (result.log_likelihood.back() - before < 1e-10 * std::abs(before)) break;
  }
  double single = 0.0;
  for (const double loss : sorted) single += one.log_density(loss);
  if (low.mean > high.mean) std::swap(low, high);
  const double gain = 2.0 * (result.log_likelihood.back() - single) - 3.0 * std::log(n);
  result.separates = gain > 0.0 && n * std::min(low.share, high.share) >= 1.0 && high.mean > low.mean;
  result.clean_share = result.separates ? low.share : 1.0;
  result.clean_mean = low.mean;
  result.clean_sd = low.sd;
  result.noisy_mean = high.mean;
  result.noisy_sd = high.sd;
  return result;
}

}  // namespace furrow::segmentation
