#pragma once

#include <span>
#include <vector>

#include <furrow/geo/vector/geometry.h>

namespace furrow::assessment {

struct WeightedPoint {
  double x = 0.0;
  double y = 0.0;
  double weight = 1.0;
};

/// Neighbouring points that got one value.
struct IsotonicBlock {
  double first_x = 0.0;
  double last_x = 0.0;
  double value = 0.0;  ///< weighted mean of y
  double weight = 0.0;
};

/// The non-decreasing function of x with the least weighted squares of errors.
/// Method: pool adjacent violators (Ayer et al. 1955, Ann. Math. Stat. 26; Robertson, Wright & Dykstra 1988,
/// Order Restricted Statistical Inference, ch. 1). Points of one x become one, of their weight. O(n log n).
/// @param points  in any order; the result does not depend on it
/// @return ordered by x, values strictly ascending; empty without points
/// @throws geo::InvalidArgument  a number is not finite, a weight is not positive
[[nodiscard]] std::vector<IsotonicBlock> fit_isotonic(std::span<const WeightedPoint> points);

/// A non-decreasing function: straight between its knots, constant before the first and after the last one.
class MonotoneCurve {
 public:
  /// @throws geo::InvalidArgument  no knot, one that is not finite, or x or y descend
  explicit MonotoneCurve(std::vector<geo::Point> knots);

  [[nodiscard]] double at(double x) const;
  [[nodiscard]] const std::vector<geo::Point>& knots() const noexcept { return m_knots; }

 private:
  std::vector<geo::Point> m_knots;
};

}  // namespace furrow::assessment
