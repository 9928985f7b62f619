#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

/// Whether somebody's scores change over time.
namespace furrow::labelling {

struct DriftOptions {
  std::int64_t permutations = 9999;
  std::int64_t least_scores = 12;  ///< fewer are not tested
  std::int64_t least_side = 5;     ///< scores on each side of a change
  std::int64_t first_scores = 20;  ///< length of the learning phase
};

/// Change and trend in one sequence of scores.
struct Drift {
  bool tested = false;
  std::int64_t scores = 0;
  std::size_t first_after = 0;  ///< position of the first score after the most probable change
  double before = std::numeric_limits<double>::quiet_NaN();  ///< mean up to the change
  double after = std::numeric_limits<double>::quiet_NaN();   ///< mean from it on
  double change_p = std::numeric_limits<double>::quiet_NaN();
  double slope_per_100 = std::numeric_limits<double>::quiet_NaN();  ///< least squares, per 100 scores
  double slope_p = std::numeric_limits<double>::quiet_NaN();
  double first = std::numeric_limits<double>::quiet_NaN();  ///< mean of the learning phase
  double later = std::numeric_limits<double>::quiet_NaN();  ///< mean of all later scores
};

/// Looks for one change of level and for a trend in scores that are in order of time.
///
/// Change: the split with the largest standardised difference of the means of its two sides (the maximum of
/// the cumulated sum, weighted by the sides' sizes). p-values: the share of random orders of the same scores
/// that give as much, (1 + as extreme) / (1 + permutations): no assumption about the distribution, and the
/// search over all splits is accounted for. Both p-values are two-sided. Many labellers are many tests: see
/// adjust_p_values.
/// @param seed  of the random orders; give every labeller one of its own
/// Threads: safe to call concurrently.
[[nodiscard]] Drift find_drift(std::span<const double> scores, std::uint64_t seed,
                               const DriftOptions& options = {});

/// p-values that hold for all tests together (Holm 1979); NaN = not tested, and stays so.
[[nodiscard]] std::vector<double> adjust_p_values(std::span<const double> p_values);

}  // namespace furrow::labelling
