#pragma once

#include <vector>

#include <furrow/geo/vector/geometry.h>

/// Convex pieces of land, cut by straight lines. Internal to the simulation library.
namespace furrow::simulation::detail {

/// Corners of a convex polygon, counter-clockwise, the first not repeated.
using Corners = std::vector<geo::Point>;

/// A straight line: points p with (p - origin) . normal = 0.
struct Line {
  geo::Point origin;
  geo::Point normal;  ///< unit length
};

/// The rectangle of least area round a convex polygon.
struct Extent {
  geo::Point axis;  ///< unit vector along the longer side
  geo::Point centre;
  double length = 0.0;
  double width = 0.0;
};

[[nodiscard]] double area(const Corners& corners);
[[nodiscard]] Extent extent(const Corners& corners);
/// What lies between `low` and `high` metres from the line, along its normal; empty when nothing does.
[[nodiscard]] Corners between(const Corners& corners, const Line& line, double low, double high);

}  // namespace furrow::simulation::detail
