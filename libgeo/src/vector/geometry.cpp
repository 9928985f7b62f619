#include <furrow/geo/vector/geometry.h>

#include <cmath>

namespace furrow::geo {

Box bounds(const Ring& ring) {
  Box box;
  for (const Point& p : ring) box.expand(p);
  return box;
}

Box bounds(const Polygon& polygon) {
  return bounds(polygon.shell);
}

Box bounds(const MultiPolygon& shape) {
  Box box;
  for (const auto& polygon : shape) box.expand(bounds(polygon));
  return box;
}

Polygon to_polygon(const Box& box) {
  return {{{box.min_x, box.min_y},
           {box.max_x, box.min_y},
           {box.max_x, box.max_y},
           {box.min_x, box.max_y},
           {box.min_x, box.min_y}},
          {}};
}

double signed_area(const Ring& ring) {
  if (ring.size() < 4) return 0.0;
  // Relative to the first point: large coordinates would eat the digits otherwise.
  const Point origin = ring.front();
  double twice = 0.0;
  for (std::size_t i = 0; i + 1 < ring.size(); ++i) {
    twice += (ring[i].x - origin.x) * (ring[i + 1].y - origin.y) -
             (ring[i + 1].x - origin.x) * (ring[i].y - origin.y);
  }
  return 0.5 * twice;
}

double area(const Polygon& polygon) {
  double total = std::abs(signed_area(polygon.shell));
  for (const auto& hole : polygon.holes) total -= std::abs(signed_area(hole));
  return total;
}

double area(const MultiPolygon& shape) {
  double total = 0.0;
  for (const auto& polygon : shape) total += area(polygon);
  return total;
}

double length(const Ring& ring) {
  double total = 0.0;
  for (std::size_t i = 0; i + 1 < ring.size(); ++i) {
    total += std::hypot(ring[i + 1].x - ring[i].x, ring[i + 1].y - ring[i].y);
  }
  return total;
}

double perimeter(const MultiPolygon& shape) {
  double total = 0.0;
  for (const auto& polygon : shape) {
    total += length(polygon.shell);
    for (const auto& hole : polygon.holes) total += length(hole);
  }
  return total;
}

Point centroid(const MultiPolygon& shape) {
  const Box box = bounds(shape);
  const Point origin = box.centre();
  double total = 0.0;
  double x = 0.0;
  double y = 0.0;
  const auto add_ring = [&](const Ring& ring, double sign) {
    double twice = 0.0;
    double sx = 0.0;
    double sy = 0.0;
    for (std::size_t i = 0; i + 1 < ring.size(); ++i) {
      const double ax = ring[i].x - origin.x;
      const double ay = ring[i].y - origin.y;
      const double bx = ring[i + 1].x - origin.x;
      const double by = ring[i + 1].y - origin.y;
      const double cross = ax * by - bx * ay;
      twice += cross;
      sx += (ax + bx) * cross;
      sy += (ay + by) * cross;
    }
    const double orientation = twice < 0.0 ? -sign : sign;
    total += orientation * twice;
    x += orientation * sx / 3.0;
    y += orientation * sy / 3.0;
  };
  for (const auto& polygon : shape) {
    add_ring(polygon.shell, 1.0);
    for (const auto& hole : polygon.holes) add_ring(hole, -1.0);
  }
  if (total == 0.0) return origin;
  return {origin.x + x / total, origin.y + y / total};
}

namespace {
bool in_ring(const Ring& ring, Point p) {
  bool inside = false;
  for (std::size_t i = 0; i + 1 < ring.size(); ++i) {
    const Point& a = ring[i];
    const Point& b = ring[i + 1];
    if ((a.y > p.y) != (b.y > p.y) && p.x < a.x + (b.x - a.x) * (p.y - a.y) / (b.y - a.y)) inside = !inside;
  }
  return inside;
}
}  // namespace

bool contains(const Polygon& polygon, Point p) {
  if (!in_ring(polygon.shell, p)) return false;
  return std::ranges::none_of(polygon.holes, [&](const Ring& hole) { return in_ring(hole, p); });
}

bool contains(const MultiPolygon& shape, Point p) {
  return std::ranges::any_of(shape, [&](const Polygon& polygon) { return contains(polygon, p); });
}

}  // namespace furrow::geo
