#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <queue>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include <furrow/geo/topology/simplify.h>

#include "lattice.h"
#include "lattice_triangle.h"

/// The rules of simplify_arcs for one arc, whatever holds the corners of the others.
namespace furrow::geo::detail {

/// @tparam Corners  has any_in_triangle(a, b, c, test): test(p) for corners of any arc in the closed
/// triangle until one answers true
template <class Corners>
class ArcSimplifier {
 public:
  /// @param keep    the fewest points that must stay
  /// @param pinned  true for corners that stay in any case; empty = none
  ArcSimplifier(const std::vector<LatticePoint>& points, std::size_t keep, const SimplifyOptions& options,
                const Corners& corners, std::vector<bool> pinned = {})
      : m_points(points), m_keep(keep), m_options(options), m_corners(corners), m_pinned(std::move(pinned)) {
    m_pinned.resize(points.size(), false);
    for (std::size_t i = 0; i < points.size(); ++i) m_own.emplace_back(lattice_key(points[i]), i);
    std::ranges::sort(m_own);
  }

  std::vector<LatticePoint> run() {
    // First aim at the corners that Douglas and Peucker's method would keep; what stands in the way stays.
    // Where that bends the line out of the tolerance, take corners off one by one within it.
    drop_corners(best_corners(), false);
    if (!within_tolerance()) drop_corners(m_pinned, true);
    std::vector<LatticePoint> kept;
    for (std::size_t i = 0; i < m_points.size(); ++i) {
      if (m_alive[i]) kept.push_back(m_points[i]);
    }
    return kept;
  }

 private:
  using Entry = std::tuple<std::int64_t, std::size_t, std::uint32_t>;  // area, corner, version

  /// The corner between two others that lies furthest from the line between them; `from` when none lies
  /// between.
  [[nodiscard]] std::pair<std::size_t, double> furthest(std::size_t from, std::size_t to) const {
    std::pair<std::size_t, double> best{from, -1.0};
    for (std::size_t i = from + 1; i < to; ++i) {
      const double d = distance(m_points[i], m_points[from], m_points[to], m_options);
      if (d > best.second) best = {i, d};
    }
    return best;
  }

  /// True for the corners that the method of Douglas and Peucker keeps.
  [[nodiscard]] std::vector<bool> best_corners() const {
    std::vector<bool> wanted = m_pinned;
    std::vector<std::pair<std::size_t, std::size_t>> open{{0, m_points.size() - 1}};
    wanted.front() = wanted.back() = true;
    while (!open.empty()) {
      const auto [from, to] = open.back();
      open.pop_back();
      const auto [corner, away] = furthest(from, to);
      if (away <= m_options.tolerance) continue;
      wanted[corner] = true;
      open.emplace_back(from, corner);
      open.emplace_back(corner, to);
    }
    return wanted;
  }

  /// Drops corners, smallest triangle first, as far as the rules allow.
  /// @param bounded  check the tolerance for each
  void drop_corners(const std::vector<bool>& wanted, bool bounded) {
    start();
    for (std::size_t i = 1; i + 1 < m_points.size(); ++i) push(i, wanted);
    while (!m_queue.empty() && m_left > m_keep) {
      const auto [area, i, version] = m_queue.top();
      m_queue.pop();
      if (!m_alive[i] || version != m_version[i] || !can_go(i, bounded)) continue;
      m_alive[i] = false;
      --m_left;
      const std::size_t before = m_previous[i];
      const std::size_t after = m_next[i];
      m_next[before] = after;
      m_previous[after] = before;
      if (before != 0) push(before, wanted);
      if (after + 1 != m_points.size()) push(after, wanted);
    }
  }

  void start() {
    const std::size_t n = m_points.size();
    m_left = n;
    m_alive.assign(n, true);
    m_version.assign(n, 0);
    m_queue = {};
    m_previous.resize(n);
    m_next.resize(n);
    for (std::size_t i = 0; i < n; ++i) {
      m_previous[i] = i == 0 ? 0 : i - 1;
      m_next[i] = i + 1;
    }
  }

  void push(std::size_t i, const std::vector<bool>& wanted) {
    if (wanted[i]) return;
    const std::int64_t area = std::abs(cross(m_points[m_previous[i]], m_points[i], m_points[m_next[i]]));
    m_queue.emplace(area, i, ++m_version[i]);
  }

  [[nodiscard]] bool can_go(std::size_t i, bool bounded) const {
    const LatticePoint a = m_points[m_previous[i]];
    const LatticePoint b = m_points[i];
    const LatticePoint c = m_points[m_next[i]];
    if (bounded && furthest(m_previous[i], m_next[i]).second > m_options.tolerance) return false;
    return !m_corners.any_in_triangle(
        a, b, c, [&](LatticePoint p) { return p != a && p != b && p != c && !is_gone(p); });
  }

  /// No traced corner lies further from the line than it may.
  [[nodiscard]] bool within_tolerance() const {
    for (std::size_t i = 0; i + 1 < m_points.size(); i = m_next[i]) {
      if (furthest(i, m_next[i]).second > m_options.tolerance) return false;
    }
    return true;
  }

  /// A corner of this arc that was dropped.
  [[nodiscard]] bool is_gone(LatticePoint p) const {
    const std::uint64_t key = lattice_key(p);
    const auto it = std::ranges::lower_bound(m_own, key, {}, [](const auto& own) { return own.first; });
    return it != m_own.end() && it->first == key && !m_alive[it->second];
  }

  const std::vector<LatticePoint>& m_points;
  std::size_t m_keep;
  const SimplifyOptions& m_options;
  const Corners& m_corners;
  std::vector<bool> m_pinned;
  std::size_t m_left = 0;
  std::vector<std::size_t> m_previous;
  std::vector<std::size_t> m_next;
  std::vector<bool> m_alive;
  std::vector<std::uint32_t> m_version;
  std::vector<std::pair<std::uint64_t, std::size_t>> m_own;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> m_queue;
};

/// What must be known of an arc to say how many points it must keep.
struct ArcEnds {
  std::uint64_t from = 0;  ///< a number of the node
  std::uint64_t to = 0;
  std::uint32_t left = 0;
  std::uint32_t right = 0;
  bool is_straight = false;  ///< as traced
};

/// Decides which of the arcs that join the same two nodes may become straight: no field may lie between two
/// that are.
class StraightArcs {
 public:
  explicit StraightArcs(const std::vector<ArcEnds>& arcs) : m_arcs(arcs) {}

  /// @param group  positions of the arcs, ascending
  void decide(std::span<const std::size_t> group, std::vector<std::uint8_t>& keep) {
    m_fields.clear();
    for (const std::size_t i : group) {
      if (m_arcs[i].is_straight) take(m_arcs[i]);
    }
    for (const std::size_t i : group) {
      if (m_arcs[i].is_straight) continue;
      if (is_taken(m_arcs[i].left) || is_taken(m_arcs[i].right)) {
        keep[i] = 3;
      } else {
        take(m_arcs[i]);
      }
    }
  }

 private:
  void take(const ArcEnds& arc) {
    for (const std::uint32_t label : {arc.left, arc.right}) {
      if (is_field(label)) m_fields.push_back(label);
    }
  }
  [[nodiscard]] bool is_taken(std::uint32_t label) const {
    return std::ranges::find(m_fields, label) != m_fields.end();
  }

  const std::vector<ArcEnds>& m_arcs;
  std::vector<std::uint32_t> m_fields;  ///< beside a straight arc of the group
};

/// The fewest points each arc must keep. Arcs are in the order of their first point, then direction.
inline std::vector<std::uint8_t> points_to_keep(const std::vector<ArcEnds>& arcs) {
  using Ends = std::tuple<std::uint64_t, std::uint64_t, std::size_t>;
  std::vector<Ends> ends;
  std::vector<std::uint8_t> keep(arcs.size(), 2);
  for (std::size_t i = 0; i < arcs.size(); ++i) {
    const auto [from, to] = std::pair(arcs[i].from, arcs[i].to);
    if (from == to) {
      keep[i] = 4;
    } else {
      ends.emplace_back(std::min(from, to), std::max(from, to), i);
    }
  }
  std::ranges::sort(ends);
  StraightArcs straight(arcs);
  std::vector<std::size_t> group;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    group.push_back(std::get<2>(ends[i]));
    const bool last = i + 1 == ends.size() || std::get<0>(ends[i + 1]) != std::get<0>(ends[i]) ||
                      std::get<1>(ends[i + 1]) != std::get<1>(ends[i]);
    if (!last) continue;
    if (group.size() > 1) straight.decide(group, keep);
    group.clear();
  }
  return keep;
}

}  // namespace furrow::geo::detail
