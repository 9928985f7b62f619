#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

#include <furrow/geo/raster/coverage.h>

namespace furrow::assessment {

/// Calls `visit(col, row, share)` for every covered pixel, in the order of the runs.
template <class Visit>
void for_each_covered(std::span<const geo::CoveredRun> runs, const Visit& visit) {
  for (const geo::CoveredRun& run : runs) {
    for (std::int64_t col = run.col; col < run.end_col; ++col) visit(col, run.row, run.share);
  }
}

/// A pixel covered at least half is the polygon's own; the slack is for rounding.
inline constexpr double kOwnShare = 0.5 - 1e-9;

/// Statistics of pixels weighted by the share that a polygon covers of each.
/// Method: weighted incremental mean and variance (West 1979, CACM 22(9)). The order of calls decides about
/// the last digits.
class CoverageSummary {
 public:
  /// @param share  > 0
  void add(double value, double share) {
    m_weight += share;
    const double from_mean = value - m_mean;
    m_mean += share / m_weight * from_mean;
    m_squares += share * from_mean * (value - m_mean);
    if (share >= kOwnShare) {
      m_least = m_own == 0 ? value : std::min(m_least, value);
      m_most = m_own == 0 ? value : std::max(m_most, value);
      ++m_own;
    } else if (share > m_largest_share) {
      m_largest_share = share;
      m_value_there = value;
    }
  }

  /// Pixels covered, in whole pixels.
  [[nodiscard]] double weight() const { return m_weight; }
  /// NaN without any pixel, as all below.
  [[nodiscard]] double mean() const { return m_weight > 0.0 ? m_mean : kUnset; }
  /// Of the population.
  [[nodiscard]] double deviation() const {
    return m_weight > 0.0 ? std::sqrt(std::max(0.0, m_squares / m_weight)) : kUnset;
  }
  /// Over the own pixels; without any, the value of the pixel that is covered most.
  [[nodiscard]] double least() const { return m_own > 0 ? m_least : value_of_largest(); }
  [[nodiscard]] double most() const { return m_own > 0 ? m_most : value_of_largest(); }
  /// Pixels behind least() and most().
  [[nodiscard]] std::int64_t own_pixels() const { return m_own > 0 ? m_own : m_weight > 0.0 ? 1 : 0; }

 private:
  static constexpr double kUnset = std::numeric_limits<double>::quiet_NaN();

  [[nodiscard]] double value_of_largest() const { return m_weight > 0.0 ? m_value_there : kUnset; }

  double m_weight = 0.0;
  double m_mean = 0.0;
  double m_squares = 0.0;
  std::int64_t m_own = 0;
  double m_least = 0.0;
  double m_most = 0.0;
  double m_largest_share = 0.0;
  double m_value_there = 0.0;
};

}  // namespace furrow::assessment
