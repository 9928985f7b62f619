#include <furrow/labelling/drift.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>

namespace furrow::labelling {
namespace {

struct Split {
  std::size_t first_after = 0;
  double statistic = 0.0;
};

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// The split with the largest |sum of one side|, in standard deviations of it under a random order.
/// @param centred  scores less their mean
Split strongest_split(std::span<const double> centred, std::size_t least_side) {
  const auto n = static_cast<double>(centred.size());
  Split best;
  double sum = 0.0;
  for (std::size_t k = 1; k + least_side <= centred.size(); ++k) {
    sum += centred[k - 1];
    if (k < least_side) continue;
    const auto before = static_cast<double>(k);
    const double statistic = std::abs(sum) / std::sqrt(before * (n - before) / n);
    if (statistic > best.statistic) best = {k, statistic};
  }
  return best;
}

/// Sum of score x centred position: proportional to the slope.
double trend(std::span<const double> centred) {
  const double middle = 0.5 * static_cast<double>(centred.size() - 1);
  double sum = 0.0;
  for (std::size_t i = 0; i < centred.size(); ++i) sum += centred[i] * (static_cast<double>(i) - middle);
  return sum;
}

}  // namespace

Drift find_drift(std::span<const double> scores, std::uint64_t seed, const DriftOptions& options) {
  if (options.permutations < 1 || options.least_side < 1 || options.first_scores < 1)
    throw geo::InvalidArgument("drift: permutations, sides and the learning phase must be at least 1");
  Drift drift;
  const std::size_t n = scores.size();
  const auto first = static_cast<std::size_t>(options.first_scores);
  drift.scores = static_cast<std::int64_t>(n);
  if (n > 0) drift.first = mean_of(scores.first(std::min(n, first)));
  if (n > first) drift.later = mean_of(scores.subspan(first));
  if (drift.scores < std::max(options.least_scores, 2 * options.least_side)) return drift;

  drift.tested = true;
  const double mean = mean_of(scores);
  std::vector<double> centred(scores.begin(), scores.end());
  for (double& v : centred) v -= mean;
  const auto least_side = static_cast<std::size_t>(options.least_side);
  const Split split = strongest_split(centred, least_side);
  const double slope = trend(centred);
  // Equal sums in another order differ by rounding; they count as extreme.
  constexpr double kRounding = 1.0 - 1e-9;
  const double change_limit = split.statistic * kRounding;
  const double slope_limit = std::abs(slope) * kRounding;
  std::int64_t as_changed = 0;
  std::int64_t as_steep = 0;
  geo::Random random(seed);
  for (std::int64_t i = 0; i < options.permutations; ++i) {
    random.shuffle(centred);
    if (strongest_split(centred, least_side).statistic >= change_limit) ++as_changed;
    if (std::abs(trend(centred)) >= slope_limit) ++as_steep;
  }
  const auto tries = static_cast<double>(options.permutations + 1);
  drift.change_p = static_cast<double>(as_changed + 1) / tries;
  drift.slope_p = static_cast<double>(as_steep + 1) / tries;
  const auto count = static_cast<double>(n);
  drift.slope_per_100 = 100.0 * slope / (count * (count * count - 1.0) / 12.0);
  drift.first_after = std::max(split.first_after, least_side);
  drift.before = mean_of(scores.first(drift.first_after));
  drift.after = mean_of(scores.subspan(drift.first_after));
  return drift;
}

std::vector<double> adjust_p_values(std::span<const double> p_values) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < p_values.size(); ++i) {
    if (!std::isnan(p_values[i])) order.push_back(i);
  }
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return p_values[i]; });
  std::vector<double> adjusted(p_values.begin(), p_values.end());
  double highest = 0.0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const double scaled = p_values[order[rank]] * static_cast<double>(order.size() - rank);
    highest = std::max(highest, std::min(scaled, 1.0));
    adjusted[order[rank]] = highest;
  }
  return adjusted;
}

}  // namespace furrow::labelling
