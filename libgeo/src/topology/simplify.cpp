#include <furrow/geo/topology/simplify.h>

#include <algorithm>
#include <cmath>
#include <queue>
#include <tuple>

#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/core/error.h>

#include "lattice.h"

namespace furrow::geo {
namespace {

/// Twice the signed area of a triangle.
std::int64_t cross(LatticePoint a, LatticePoint b, LatticePoint c) {
  return (std::int64_t{b.x} - a.x) * (std::int64_t{c.y} - a.y) -
         (std::int64_t{c.x} - a.x) * (std::int64_t{b.y} - a.y);
}

/// Inside or on the outline; for three points in line: on the line between the outer two.
bool in_triangle(LatticePoint a, LatticePoint b, LatticePoint c, LatticePoint p) {
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

class ArcSimplifier {
 public:
  ArcSimplifier(const std::vector<LatticePoint>& points, std::size_t keep, const SimplifyOptions& options,
                const detail::LatticeBits& corners)
      : m_points(points), m_keep(keep), m_options(options), m_corners(corners), m_left(points.size()) {
    const std::size_t n = points.size();
    for (std::size_t i = 0; i < n; ++i) {
      m_previous.push_back(i == 0 ? 0 : i - 1);
      m_next.push_back(i + 1);
      m_own.emplace_back(detail::lattice_key(points[i]), i);
    }
    m_alive.assign(n, true);
    m_version.assign(n, 0);
    std::ranges::sort(m_own);
  }

  std::vector<LatticePoint> run() {
    for (std::size_t i = 1; i + 1 < m_points.size(); ++i) push(i);
    while (!m_queue.empty() && m_left > m_keep) {
      const auto [area, i, version] = m_queue.top();
      m_queue.pop();
      if (!m_alive[i] || version != m_version[i] || !can_go(i)) continue;
      m_alive[i] = false;
      --m_left;
      const std::size_t before = m_previous[i];
      const std::size_t after = m_next[i];
      m_next[before] = after;
      m_previous[after] = before;
      if (before != 0) push(before);
      if (after + 1 != m_points.size()) push(after);
    }
    std::vector<LatticePoint> kept;
    for (std::size_t i = 0; i < m_points.size(); ++i) {
      if (m_alive[i]) kept.push_back(m_points[i]);
    }
    return kept;
  }

 private:
  using Entry = std::tuple<std::int64_t, std::size_t, std::uint32_t>;  // area, corner, version

  void push(std::size_t i) {
    const std::int64_t area = std::abs(cross(m_points[m_previous[i]], m_points[i], m_points[m_next[i]]));
    m_queue.emplace(area, i, ++m_version[i]);
  }

  [[nodiscard]] bool can_go(std::size_t i) const {
    const LatticePoint a = m_points[m_previous[i]];
    const LatticePoint b = m_points[i];
    const LatticePoint c = m_points[m_next[i]];
    if (distance(b, a, c) > m_options.tolerance) return false;
    for (std::size_t k = m_previous[i] + 1; k < m_next[i]; ++k) {
      if (distance(m_points[k], a, c) > m_options.tolerance) return false;
    }
    return !any_in_triangle(a, b, c, [&](LatticePoint p) {
      return p != a && p != b && p != c && m_corners.test(p) && !is_gone(p);
    });
  }

  /// A corner of this arc that was dropped.
  [[nodiscard]] bool is_gone(LatticePoint p) const {
    const std::uint64_t key = detail::lattice_key(p);
    const auto it = std::ranges::lower_bound(m_own, key, {}, [](const auto& own) { return own.first; });
    return it != m_own.end() && it->first == key && !m_alive[it->second];
  }

  /// From a point to the segment a-c, in the tolerance's unit.
  [[nodiscard]] double distance(LatticePoint p, LatticePoint a, LatticePoint c) const {
    const double px = (static_cast<double>(p.x) - a.x) * m_options.pixel_width;
    const double py = (static_cast<double>(p.y) - a.y) * m_options.pixel_height;
    const double cx = (static_cast<double>(c.x) - a.x) * m_options.pixel_width;
    const double cy = (static_cast<double>(c.y) - a.y) * m_options.pixel_height;
    const double squared = cx * cx + cy * cy;
    const double t = squared == 0.0 ? 0.0 : std::clamp((px * cx + py * cy) / squared, 0.0, 1.0);
    return std::hypot(px - t * cx, py - t * cy);
  }

  const std::vector<LatticePoint>& m_points;
  std::size_t m_keep;
  const SimplifyOptions& m_options;
  const detail::LatticeBits& m_corners;
  std::size_t m_left;
  std::vector<std::size_t> m_previous;
  std::vector<std::size_t> m_next;
  std::vector<bool> m_alive;
  std::vector<std::uint32_t> m_version;
  std::vector<std::pair<std::uint64_t, std::size_t>> m_own;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> m_queue;
};

/// The fewest points each arc must keep.
std::vector<std::size_t> points_to_keep(const std::vector<Arc>& arcs) {
  using Ends = std::tuple<std::uint64_t, std::uint64_t, std::size_t>;
  std::vector<Ends> ends;
  std::vector<std::size_t> keep(arcs.size(), 2);
  for (std::size_t i = 0; i < arcs.size(); ++i) {
    const auto from = detail::lattice_key(arcs[i].points.front());
    const auto to = detail::lattice_key(arcs[i].points.back());
    ends.emplace_back(std::min(from, to), std::max(from, to), i);
    if (from == to) keep[i] = 4;
  }
  std::ranges::sort(ends);
  const auto same = [](const Ends& x, const Ends& y) {
    return std::get<0>(x) == std::get<0>(y) && std::get<1>(x) == std::get<1>(y);
  };
  for (std::size_t i = 0; i < ends.size(); ++i) {
    const bool doubled =
        (i > 0 && same(ends[i - 1], ends[i])) || (i + 1 < ends.size() && same(ends[i], ends[i + 1]));
    auto& least = keep[std::get<2>(ends[i])];
    if (doubled) least = std::max<std::size_t>(least, 3);
  }
  return keep;
}

}  // namespace

ArcSet simplify_arcs(const ArcSet& traced, const SimplifyOptions& options, ExecContext& exec) {
  exec.check_cancelled();
  if (!(options.tolerance >= 0.0) || !std::isfinite(options.tolerance)) {
    throw InvalidArgument("the tolerance of simplification must be a number >= 0");
  }
  if (!(options.pixel_width > 0.0) || !(options.pixel_height > 0.0)) {
    throw InvalidArgument("simplification needs pixel sizes above 0");
  }
  ArcSet result = traced;
  if (options.tolerance == 0.0) return result;
  detail::LatticeBits corners(traced.width, traced.height);
  for (const Arc& arc : traced.arcs) {
    for (const LatticePoint& p : arc.points) corners.set(p);
  }
  const std::vector<std::size_t> keep = points_to_keep(traced.arcs);
  tbb::parallel_for(std::size_t{0}, traced.arcs.size(), [&](std::size_t i) {
    if (traced.arcs[i].points.size() <= keep[i]) return;
    result.arcs[i].points = ArcSimplifier(traced.arcs[i].points, keep[i], options, corners).run();
  });
  return result;
}

}  // namespace furrow::geo
