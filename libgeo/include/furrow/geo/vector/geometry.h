#pragma once

#include <algorithm>
#include <limits>
#include <vector>

namespace furrow::geo {

/// A position: x = easting or longitude, y = northing or latitude, or (col, row) in pixel space.
struct Point {
  double x = 0.0;
  double y = 0.0;
  friend bool operator==(const Point&, const Point&) = default;
};

/// A closed ring; first and last point are equal. Plain values: free to share between threads, unlike GEOS
/// objects.
using Ring = std::vector<Point>;

struct Polygon {
  Ring shell;
  std::vector<Ring> holes;
};

using MultiPolygon = std::vector<Polygon>;

/// An axis-parallel box; empty while min > max.
struct Box {
  double min_x = std::numeric_limits<double>::infinity();
  double min_y = std::numeric_limits<double>::infinity();
  double max_x = -std::numeric_limits<double>::infinity();
  double max_y = -std::numeric_limits<double>::infinity();

  [[nodiscard]] bool empty() const noexcept { return min_x > max_x || min_y > max_y; }
  [[nodiscard]] double width() const noexcept { return empty() ? 0.0 : max_x - min_x; }
  [[nodiscard]] double height() const noexcept { return empty() ? 0.0 : max_y - min_y; }
  [[nodiscard]] Point centre() const noexcept { return {0.5 * (min_x + max_x), 0.5 * (min_y + max_y)}; }
  [[nodiscard]] bool contains(Point p) const noexcept {
    return p.x >= min_x && p.x <= max_x && p.y >= min_y && p.y <= max_y;
  }
  /// Boxes that only touch intersect too.
  [[nodiscard]] bool intersects(const Box& o) const noexcept {
    return min_x <= o.max_x && o.min_x <= max_x && min_y <= o.max_y && o.min_y <= max_y;
  }
  void expand(Point p) noexcept {
    min_x = std::min(min_x, p.x);
    min_y = std::min(min_y, p.y);
    max_x = std::max(max_x, p.x);
    max_y = std::max(max_y, p.y);
  }
  void expand(const Box& o) noexcept {
    min_x = std::min(min_x, o.min_x);
    min_y = std::min(min_y, o.min_y);
    max_x = std::max(max_x, o.max_x);
    max_y = std::max(max_y, o.max_y);
  }
  friend bool operator==(const Box&, const Box&) = default;
};

[[nodiscard]] Box bounds(const Ring& ring);
[[nodiscard]] Box bounds(const Polygon& polygon);
[[nodiscard]] Box bounds(const MultiPolygon& shape);

/// The box as a counter-clockwise polygon.
[[nodiscard]] Polygon to_polygon(const Box& box);

/// Planar area, in squared units of the coordinates; signed: positive counter-clockwise.
[[nodiscard]] double signed_area(const Ring& ring);
/// Planar area, holes taken off; never negative for valid input.
[[nodiscard]] double area(const Polygon& polygon);
[[nodiscard]] double area(const MultiPolygon& shape);
[[nodiscard]] double length(const Ring& ring);
/// Length of all rings.
[[nodiscard]] double perimeter(const MultiPolygon& shape);
/// Centre of gravity; the centre of the bounds where the area is 0.
[[nodiscard]] Point centroid(const MultiPolygon& shape);
/// Even-odd rule; points on the outline count as either side.
[[nodiscard]] bool contains(const Polygon& polygon, Point p);
[[nodiscard]] bool contains(const MultiPolygon& shape, Point p);

}  // namespace furrow::geo
