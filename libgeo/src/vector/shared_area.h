#pragma once

#include <vector>

#include <furrow/geo/vector/geometry.h>

namespace furrow::geo::detail {

/// A side of a polygon's outline that is not vertical, from left to right.
struct Side {
  double left = 0.0;
  double right = 0.0;
  double y_left = 0.0;
  double slope = 0.0;
  double sign = 1.0;  ///< +1: the polygon lies below the side; -1: above it
};

/// The sides of a polygon by their left end. Which way its rings run does not matter.
/// @throws GeometryError  a ring is not closed
[[nodiscard]] std::vector<Side> sides_of(const MultiPolygon& shape);

/// The area that two polygons share, without an overlay: sums alone, so nothing degenerates where outlines
/// run along each other.
///
/// Method: a polygon is the sum of the trapezoids between its sides and a line below everything, those under
/// upper sides added, those under lower sides taken away. Hence the shared area is the sum, over all pairs of
/// sides, of what their trapezoids share, the integral of the lower of the two sides over the columns they
/// have in common. Pairs are found by a sweep from left to right.
///
/// @param a, b  as sides_of gives them; valid polygons
/// @param base  y of a line below both
/// @return      squared units; wrong by some 1e-15 of the area of both boxes and may be slightly negative,
///              so it does not tell touching from overlapping
[[nodiscard]] double shared_area_by_columns(const std::vector<Side>& a, const std::vector<Side>& b,
                                            double base);

}  // namespace furrow::geo::detail
