#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

#include "corner_moves.h"
#include "lattice.h"
#include "lattice_triangle.h"

namespace furrow::geo::detail {

/// The line u - v has the triangle's third corner `other` on one side and all of the square of +-reach around
/// p on the other.
inline bool separates(LatticePoint u, LatticePoint v, LatticePoint other, LatticePoint p,
                      std::int64_t reach) {
  const std::int64_t margin = reach * (std::abs(std::int64_t{v.x} - u.x) + std::abs(std::int64_t{v.y} - u.y));
  const std::int64_t side = cross(u, v, other);
  const std::int64_t away = cross(u, v, p);
  if (side > 0) return away < -margin;
  if (side < 0) return away > margin;
  return std::abs(away) > margin;
}

/// Calls test(p) for each corner p of pixels (in pixels) that may lie in the closed triangle (in kMoveUnits)
/// once it is moved, until one answers true.
template <class Test>
bool any_near_triangle(LatticePoint a, LatticePoint b, LatticePoint c, const Test& test) {
  const auto [low, high] = std::minmax({a.y, b.y, c.y});
  const std::int32_t last = (high + kLargestMove) / kMoveUnits;
  for (std::int32_t y = (std::max(low - kLargestMove, 0) + kMoveUnits - 1) / kMoveUnits; y <= last; ++y) {
    const double top = y * kMoveUnits - kLargestMove;
    const double bottom = y * kMoveUnits + kLargestMove;
    double left = INFINITY;
    double right = -INFINITY;
    const auto cut = [&](LatticePoint p, LatticePoint q) {
      if (p.y > q.y) std::swap(p, q);
      if (q.y < top || p.y > bottom) return;
      const double slope = p.y == q.y ? 0.0 : (static_cast<double>(q.x) - p.x) / (q.y - p.y);
      const double from = p.x + slope * (std::max<double>(p.y, top) - p.y);
      const double to = p.y == q.y ? q.x : p.x + slope * (std::min<double>(q.y, bottom) - p.y);
      left = std::min({left, from, to});
      right = std::max({right, from, to});
    };
    cut(a, b);
    cut(b, c);
    cut(c, a);
    // The exact test decides; the slack only makes sure that no candidate is lost to rounding.
    constexpr double kSlack = kLargestMove + 0.001;
    const auto end = static_cast<std::int32_t>(std::floor((right + kSlack) / kMoveUnits));
    for (auto x = static_cast<std::int32_t>(std::ceil((left - kSlack) / kMoveUnits)); x <= end; ++x) {
      const LatticePoint p{x * kMoveUnits, y * kMoveUnits};
      if (separates(a, b, c, p, kLargestMove) || separates(b, c, a, p, kLargestMove) ||
          separates(c, a, b, p, kLargestMove)) {
        continue;
      }
      if (test(LatticePoint{x, y})) return true;
    }
  }
  return false;
}

/// The corners of all lines, for the ArcSimplifier of one arc whose corners moved. Its own are known exactly.
/// A corner of another line counts as in the triangle where it may have moved into it: that keeps a corner
/// too many here and there, and needs no look at the other line. So the rule "no corner of any arc in the
/// closed triangle" holds for the moved corners, and with it what simplify_arcs promises: its reasoning needs
/// lines that neither cross nor touch before (CornerMoves), not corners on a lattice.
class MovedCorners {
 public:
  /// @param traced  pixel corners of the arc
  /// @param moved   where they are, in kMoveUnits; must outlive this
  MovedCorners(const CornerMoves& all, const std::vector<LatticePoint>& traced,
               const std::vector<LatticePoint>& moved)
      : m_all(all), m_moved(moved) {
    m_own.reserve(traced.size());
    for (std::size_t i = 0; i < traced.size(); ++i) m_own.emplace_back(lattice_key(traced[i]), i);
    std::ranges::sort(m_own);
  }

  template <class Test>
  bool any_in_triangle(LatticePoint a, LatticePoint b, LatticePoint c, const Test& test) const {
    return any_near_triangle(a, b, c, [&](LatticePoint p) {
      if (!m_all.has(p)) return false;
      const std::uint64_t key = lattice_key(p);
      const auto own = std::ranges::lower_bound(m_own, key, {}, [](const auto& o) { return o.first; });
      if (own == m_own.end() || own->first != key) return true;
      const LatticePoint q = m_moved[own->second];
      return in_triangle(a, b, c, q) && test(q);
    });
  }

 private:
  const CornerMoves& m_all;
  const std::vector<LatticePoint>& m_moved;
  std::vector<std::pair<std::uint64_t, std::size_t>> m_own;  ///< by place as traced
};

}  // namespace furrow::geo::detail
