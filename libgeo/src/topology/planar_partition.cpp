#include "planar_partition.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <tuple>

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_sort.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/vector/box_index.h>

namespace furrow::geo::detail {
namespace {

/// Directions from east counter-clockwise.
bool before_round(GridPoint a, GridPoint b) {
  const auto lower_half = [](GridPoint d) { return d.y < 0 || (d.y == 0 && d.x < 0); };
  if (lower_half(a) != lower_half(b)) return lower_half(b);
  return Wide{a.x} * b.y - Wide{a.y} * b.x > 0;
}

struct Winding {
  std::uint32_t feature;
  std::int32_t count;
};

/// What covers the face on the other side of an edge.
std::vector<Winding> across(const std::vector<Winding>& from, std::span<const Crossing> crossings,
                            std::int32_t direction) {
  std::vector<Winding> to;
  to.reserve(from.size() + crossings.size());
  std::size_t i = 0;
  for (const Crossing& c : crossings) {
    while (i < from.size() && from[i].feature < c.feature) to.push_back(from[i++]);
    std::int32_t count = direction * c.winding;
    if (i < from.size() && from[i].feature == c.feature) count += from[i++].count;
    if (count != 0) to.push_back({c.feature, count});
  }
  to.insert(to.end(), from.begin() + static_cast<std::ptrdiff_t>(i), from.end());
  return to;
}

}  // namespace

/// Finds the edge next to a point on its left.
class EdgeFinder {
 public:
  EdgeFinder(const std::vector<GridPoint>& nodes, const std::vector<std::array<std::uint32_t, 2>>& ends) {
    std::vector<Box> boxes(ends.size());
    double lengths = 0.0;
    for (std::size_t e = 0; e < ends.size(); ++e) {
      for (const std::uint32_t node : ends[e]) {
        boxes[e].expand(Point{static_cast<double>(nodes[node].x), static_cast<double>(nodes[node].y)});
      }
      lengths += boxes[e].width() + boxes[e].height();
      m_min_x = std::min(m_min_x, boxes[e].min_x);
    }
    m_step = std::max(1.0, 8.0 * lengths / static_cast<double>(std::max<std::size_t>(1, ends.size())));
    m_index.emplace(boxes);
  }

  /// Looks at a strip that grows to the left until `nearest` (a list of edges -> found or not) has found one.
  template <class Nearest>
  void look(GridPoint p, const Nearest& nearest) const {
    const auto x = static_cast<double>(p.x);
    const auto y = static_cast<double>(p.y);
    for (double reach = m_step;; reach *= 4.0) {
      if (nearest(m_index->query({x - reach, y, x, y}), x - reach) || x - reach < m_min_x) return;
    }
  }

 private:
  std::optional<BoxIndex> m_index;
  double m_step = 1.0;
  double m_min_x = std::numeric_limits<double>::infinity();
};

PlanarPartition::PlanarPartition(const NodedLines& lines, ExecContext& exec) {
  if (lines.edges.size() >= std::numeric_limits<std::uint32_t>::max() / 2) {
    throw InvalidArgument("the layer has more than 2^31 edges; clean it in parts");
  }
  connect(lines);
  exec.check_cancelled();
  order_round_nodes();
  find_outlines();
  exec.check_cancelled();
  place_holes();
  find_cover(lines);
}

void PlanarPartition::connect(const NodedLines& lines) {
  m_nodes.reserve(lines.edges.size());
  for (const NodedEdge& edge : lines.edges) {
    m_nodes.push_back(edge.a);
    m_nodes.push_back(edge.b);
  }
  tbb::parallel_sort(m_nodes.begin(), m_nodes.end());
  m_nodes.erase(std::unique(m_nodes.begin(), m_nodes.end()), m_nodes.end());
  m_ends.resize(lines.edges.size());
  const auto number = [&](GridPoint p) {
    return static_cast<std::uint32_t>(std::ranges::lower_bound(m_nodes, p) - m_nodes.begin());
  };
  tbb::parallel_for(std::size_t{0}, m_ends.size(), [&](std::size_t e) {
    m_ends[e] = {number(lines.edges[e].a), number(lines.edges[e].b)};
  });
}

void PlanarPartition::order_round_nodes() {
  m_first_leaving.assign(m_nodes.size() + 1, 0);
  for (std::uint32_t h = 0; h < half_edges(); ++h) ++m_first_leaving[origin(h) + 1];
  for (std::size_t n = 0; n < m_nodes.size(); ++n) m_first_leaving[n + 1] += m_first_leaving[n];
  m_leaving.resize(half_edges());
  std::vector<std::size_t> at(m_first_leaving.begin(), m_first_leaving.end() - 1);
  for (std::uint32_t h = 0; h < half_edges(); ++h) m_leaving[at[origin(h)]++] = h;
  m_next.resize(half_edges());
  tbb::parallel_for(std::size_t{0}, m_nodes.size(), [&](std::size_t n) {
    const auto begin = m_leaving.begin() + static_cast<std::ptrdiff_t>(m_first_leaving[n]);
    const auto end = m_leaving.begin() + static_cast<std::ptrdiff_t>(m_first_leaving[n + 1]);
    const auto direction = [&](std::uint32_t h) {
      const GridPoint to = this->end(h);
      return GridPoint{to.x - m_nodes[n].x, to.y - m_nodes[n].y};
    };
    std::sort(begin, end,
              [&](std::uint32_t g, std::uint32_t h) { return before_round(direction(g), direction(h)); });
    // Arriving against a half-edge, the face on the left goes on with the one clockwise of it.
    for (auto it = begin; it != end; ++it) m_next[twin(*it)] = it == begin ? *(end - 1) : *(it - 1);
  });
}

void PlanarPartition::find_outlines() {
  m_face.assign(half_edges(), kNone);
  m_outlines.resize(1);
  for (std::uint32_t first = 0; first < half_edges(); ++first) {
    if (m_face[first] != kNone) continue;
    Wide area = 0;
    const GridPoint pivot = start(first);
    const auto face = static_cast<std::uint32_t>(m_outlines.size());
    std::uint32_t h = first;
    do {
      area += turn(pivot, start(h), end(h));
      m_face[h] = face;
      h = m_next[h];
    } while (h != first);
    if (area > 0) {
      m_outlines.push_back({first});
      continue;
    }
    std::uint32_t lowest = first;
    do {
      m_face[h] = 0;
      if (origin(h) < origin(lowest)) lowest = h;
      h = m_next[h];
    } while (h != first);
    m_hole_outlines.push_back(lowest);
  }
}

std::uint32_t PlanarPartition::seen_from_left(GridPoint p, const EdgeFinder& finder) const {
  std::uint32_t found = kNone;
  finder.look(p, [&](const std::vector<std::size_t>& edges, double from_x) {
    for (const std::size_t e : edges) {
      // Downwards: the face on the left lies to the east.
      std::uint32_t down = static_cast<std::uint32_t>(2 * e);
      if (start(down).y < end(down).y) down = twin(down);
      const GridPoint top = start(down);
      const GridPoint bottom = end(down);
      if (bottom.y > p.y || top.y <= p.y || turn(bottom, top, p) >= 0) continue;  // right of it: < 0
      if (found == kNone) {
        found = down;
        continue;
      }
      // The nearer one; of two that meet on the line of p, the one that is nearer just above it.
      const GridPoint best_top = start(found);
      const GridPoint best_bottom = end(found);
      const Wide den = top.y - bottom.y;
      const Wide best_den = best_top.y - best_bottom.y;
      // Distances from p along its line, over a common denominator.
      const Wide right = (Wide{bottom.x - p.x} * den + Wide{top.x - bottom.x} * (p.y - bottom.y)) * best_den;
      const Wide left =
          (Wide{best_bottom.x - p.x} * best_den + Wide{best_top.x - best_bottom.x} * (p.y - best_bottom.y)) *
          den;
      if (right > left) {
        found = down;
      } else if (right == left) {
        const Wide slopes = Wide{top.x - bottom.x} * best_den - Wide{best_top.x - best_bottom.x} * den;
        if (slopes > 0) found = down;
      }
    }
    if (found == kNone) return false;
    const GridPoint top = start(found);
    const GridPoint bottom = end(found);
    const double x = static_cast<double>(bottom.x) + static_cast<double>(top.x - bottom.x) *
                                                         static_cast<double>(p.y - bottom.y) /
                                                         static_cast<double>(top.y - bottom.y);
    return x >= from_x;  // else one that begins left of the strip could still be nearer
  });
  return found;
}

void PlanarPartition::place_holes() {
  if (m_hole_outlines.size() == 1) {
    m_outlines[0] = m_hole_outlines;  // all lines hang together: nothing to look for
    return;
  }
  const EdgeFinder finder(m_nodes, m_ends);
  std::vector<std::uint32_t> seen(m_hole_outlines.size());
  tbb::parallel_for(std::size_t{0}, m_hole_outlines.size(),
                    [&](std::size_t i) { seen[i] = seen_from_left(start(m_hole_outlines[i]), finder); });
  // What is seen lies further left: its face is known by then.
  std::vector<std::size_t> order(m_hole_outlines.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, {}, [&](std::size_t i) { return origin(m_hole_outlines[i]); });
  for (const std::size_t i : order) {
    const std::uint32_t face = seen[i] == kNone ? 0 : m_face[seen[i]];
    const std::uint32_t first = m_hole_outlines[i];
    m_outlines[face].push_back(first);
    if (face == 0) continue;
    std::uint32_t h = first;
    do {
      m_face[h] = face;
      h = m_next[h];
    } while (h != first);
  }
}

void PlanarPartition::find_cover(const NodedLines& lines) {
  std::vector<std::vector<Winding>> windings(m_outlines.size());
  std::vector<bool> known(m_outlines.size(), false);
  std::vector<std::uint32_t> open{0};
  known[0] = true;
  while (!open.empty()) {
    const std::uint32_t face = open.back();
    open.pop_back();
    for (const std::uint32_t first : m_outlines[face]) {
      std::uint32_t h = first;
      do {
        const std::uint32_t other = m_face[twin(h)];
        if (!known[other]) {
          known[other] = true;
          // The left side of half-edge 2e has the winding more.
          const std::int32_t direction = twin(h) % 2 == 0 ? 1 : -1;
          windings[other] = across(windings[face], lines.crossings_of(lines.edges[h / 2]), direction);
          open.push_back(other);
        }
        h = m_next[h];
      } while (h != first);
    }
  }
  m_cover.resize(m_outlines.size());
  for (std::size_t f = 0; f < windings.size(); ++f) {
    for (const Winding& w : windings[f]) m_cover[f].push_back(w.feature);
  }
}

}  // namespace furrow::geo::detail
