#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <furrow/geo/topology/simplify.h>

namespace furrow::geo::detail {

/// Twice the signed area of a triangle.
inline std::int64_t cross(LatticePoint a, LatticePoint b, LatticePoint c) {
  return (std::int64_t{b.x} - a.x) * (std::int64_t{c.y} - a.y) -
         (std::int64_t{c.x} - a.x) * (std::int64_t{b.y} - a.y);
}

/// Inside or on the outline; for three points in line: on the line between the outer two.
inline bool in_triangle(LatticePoint a, LatticePoint b, LatticePoint c, LatticePoint p) {
  const std::int64_t u = cross(a, b, p);
  const std::int64_t v = cross(b, c, p);
  const std::int64_t w = cross(c, a, p);
  return (u >= 0 && v >= 0 && w >= 0) || (u <= 0 && v <= 0 && w <= 0);
}

/// Calls test(p) for each lattice point in the closed triangle until one answers true.
template <class Test>
bool any_in_triangle(LatticePoint a, LatticePoint b, LatticePoint c, const Test& test) {
  const auto [low, high] = std::minmax({a.y, b.y, c.y});
  for (std::int32_t y = low; y <= high; ++y) {
    double left = INFINITY;
    double right = -INFINITY;
    const auto cut = [&](LatticePoint p, LatticePoint q) {
      if (p.y == q.y) {
        if (p.y != y) return;
        left = std::min({left, static_cast<double>(p.x), static_cast<double>(q.x)});
        right = std::max({right, static_cast<double>(p.x), static_cast<double>(q.x)});
        return;
      }
      if (y < std::min(p.y, q.y) || y > std::max(p.y, q.y)) return;
      const double x = p.x + (static_cast<double>(y) - p.y) * (static_cast<double>(q.x) - p.x) /
                                 (static_cast<double>(q.y) - p.y);
      left = std::min(left, x);
      right = std::max(right, x);
    };
    cut(a, b);
    cut(b, c);
    cut(c, a);
    // The exact test decides; the slack only makes sure that no candidate is lost to rounding.
    constexpr double kSlack = 1e-6;
    const auto end = static_cast<std::int32_t>(std::floor(right + kSlack));
    for (auto x = static_cast<std::int32_t>(std::ceil(left - kSlack)); x <= end; ++x) {
      const LatticePoint p{x, y};
      if (in_triangle(a, b, c, p) && test(p)) return true;
    }
  }
  return false;
}

/// From a point to the segment a-c, in the tolerance's unit.
inline double distance(LatticePoint p, LatticePoint a, LatticePoint c, const SimplifyOptions& options) {
  const double px = (static_cast<double>(p.x) - a.x) * options.pixel_width;
  const double py = (static_cast<double>(p.y) - a.y) * options.pixel_height;
  const double cx = (static_cast<double>(c.x) - a.x) * options.pixel_width;
  const double cy = (static_cast<double>(c.y) - a.y) * options.pixel_height;
  const double squared = cx * cx + cy * cy;
  const double t = squared == 0.0 ? 0.0 : std::clamp((px * cx + py * cy) / squared, 0.0, 1.0);
  return std::hypot(px - t * cx, py - t * cy);
}

}  // namespace furrow::geo::detail
