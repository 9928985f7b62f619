#include "shared_area.h"

#include <algorithm>
#include <cstddef>

#include <furrow/geo/core/error.h>

namespace furrow::geo::detail {
namespace {

void add_sides(const Ring& ring, bool is_hole, std::vector<Side>& out) {
  if (ring.empty()) return;
  if (ring.front() != ring.back()) throw GeometryError("a ring is not closed");
  // Counter-clockwise, an upper side runs from right to left; the outside of a hole is the other way round.
  const bool counter_clockwise = signed_area(ring) > 0.0;
  const double to_the_left = counter_clockwise == is_hole ? -1.0 : 1.0;
  for (std::size_t i = 0; i + 1 < ring.size(); ++i) {
    const Point& p = ring[i];
    const Point& q = ring[i + 1];
    if (p.x == q.x) continue;
    const double slope = (q.y - p.y) / (q.x - p.x);
    if (p.x < q.x) {
      out.push_back({p.x, q.x, p.y, slope, -to_the_left});
    } else {
      out.push_back({q.x, p.x, q.y, slope, to_the_left});
    }
  }
}

double height(const Side& side, double x) {
  return side.y_left + side.slope * (x - side.left);
}

/// Integral of the lower of two sides above the base, over the columns they share.
double below_both(const Side& a, const Side& b, double base) {
  const double left = std::max(a.left, b.left);
  const double right = std::min(a.right, b.right);
  const double a0 = height(a, left) - base;
  const double a1 = height(a, right) - base;
  const double b0 = height(b, left) - base;
  const double b1 = height(b, right) - base;
  const double width = right - left;
  const double d0 = a0 - b0;
  const double d1 = a1 - b1;
  if (d0 <= 0.0 && d1 <= 0.0) return 0.5 * width * (a0 + a1);
  if (d0 >= 0.0 && d1 >= 0.0) return 0.5 * width * (b0 + b1);
  const double at = d0 / (d0 - d1);  // they cross
  const double y = a0 + at * (a1 - a0);
  return 0.5 * width * (at * (std::min(a0, b0) + y) + (1.0 - at) * (y + std::min(a1, b1)));
}

/// Sides that the sweep has reached and not left.
class Active {
 public:
  void add(const Side& side) { m_sides.push_back(&side); }

  /// What the side and those of the other polygon have in common.
  double meet(const Side& side, double base) {
    double sum = 0.0;
    std::size_t kept = 0;
    for (const Side* other : m_sides) {
      if (other->right <= side.left) continue;
      m_sides[kept++] = other;
      sum += other->sign * below_both(side, *other, base);
    }
    m_sides.resize(kept);
    return side.sign * sum;
  }

 private:
  std::vector<const Side*> m_sides;
};

}  // namespace

std::vector<Side> sides_of(const MultiPolygon& shape) {
  std::vector<Side> sides;
  for (const Polygon& polygon : shape) {
    add_sides(polygon.shell, false, sides);
    for (const Ring& hole : polygon.holes) add_sides(hole, true, sides);
  }
  std::ranges::sort(sides, {}, &Side::left);
  return sides;
}

double shared_area_by_columns(const std::vector<Side>& a, const std::vector<Side>& b, double base) {
  Active of_a;
  Active of_b;
  double sum = 0.0;
  std::size_t i = 0;
  std::size_t k = 0;
  // When one polygon is over, the other's sides still meet those of it that reach further right.
  while (i < a.size() || k < b.size()) {
    if (k == b.size() || (i < a.size() && a[i].left <= b[k].left)) {
      sum += of_b.meet(a[i], base);
      of_a.add(a[i++]);
    } else {
      sum += of_a.meet(b[k], base);
      of_b.add(b[k++]);
    }
  }
  return sum;
}

}  // namespace furrow::geo::detail
