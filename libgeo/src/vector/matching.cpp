#include <furrow/geo/vector/matching.h>

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <queue>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/box_index.h>
#include <furrow/geo/vector/geos.h>

#include "shared_area.h"

namespace furrow::geo {
namespace {

/// One polygon with what is asked of it again and again.
struct Shape {
  const MultiPolygon* geometry;
  Box box;
  double area;
  std::vector<detail::Side> sides;
};

Shape shape_of(const MultiPolygon& geometry, std::size_t position, const char* list) {
  try {
    return {&geometry, bounds(geometry), area(geometry), detail::sides_of(geometry)};
  } catch (const GeometryError& error) {
    throw GeometryError(concat("polygon ", position, " of the ", list, " list: ", error.what()));
  }
}

/// A polygon of the first list as GEOS sees it, made when it is first asked for.
class GeosShape {
 public:
  explicit GeosShape(const MultiPolygon& shape) : m_shape(shape) {}

  /// The shared area by predicates and an overlay: exactly 0 where polygons only touch, exactly the smaller
  /// area where one covers the other.
  double shared_area(const Shape& a, const Shape& b) {
    if (!m_geometry) {
      m_geometry = geos::to_geos(m_shape);
      m_prepared = geos::prepare(m_geometry.get());
    }
    const auto other = geos::to_geos(*b.geometry);
    const auto context = geos::context();
    if (!geos::check(GEOSPreparedIntersects_r(context, m_prepared.get(), other.get()), "intersects"))
      return 0.0;
    if (geos::check(GEOSPreparedCovers_r(context, m_prepared.get(), other.get()), "covers")) return b.area;
    const auto shared =
        geos::check(GEOSIntersection_r(context, m_geometry.get(), other.get()), "intersection");
    // An overlay can exceed its inputs by a rounding error.
    return std::min({geos::area(shared.get()), a.area, b.area});
  }

 private:
  const MultiPolygon& m_shape;
  geos::Geometry m_geometry;
  geos::Prepared m_prepared;
};

/// The shared area of two polygons whose boxes meet. Sums over their sides settle most pairs; where the
/// answer may be next to nothing, or all of one polygon, GEOS decides.
double shared_area(const Shape& a, const Shape& b, GeosShape& exact) {
  constexpr double kNothing = 1e-12;  // of the frame; above the rounding errors of the sums
  constexpr double kUnsure = 1e-9;
  const double base = std::min(a.box.min_y, b.box.min_y);
  const double right = std::max(a.box.max_x, b.box.max_x);
  const double left = std::min(a.box.min_x, b.box.min_x);
  const double frame = (right - left) * (std::max(a.box.max_y, b.box.max_y) - base);
  const double shared = detail::shared_area_by_columns(a.sides, b.sides, base);
  if (shared <= kNothing * frame) return 0.0;
  const double least = kUnsure * frame;
  const bool is_sure = shared > least && shared < std::min(a.area, b.area) - least;
  return is_sure ? shared : exact.shared_area(a, b);
}

void overlaps_of(std::size_t i, const MultiPolygon& geometry, std::span<const Shape> b,
                 const std::vector<std::size_t>& candidates, std::vector<OverlapPair>& found) {
  const Shape a = shape_of(geometry, i, "first");
  GeosShape exact(geometry);
  for (const std::size_t j : candidates) {
    try {
      const double shared = shared_area(a, b[j], exact);
      if (shared > 0.0) found.push_back({i, j, shared, shared / (a.area + b[j].area - shared)});
    } catch (const GeometryError& error) {
      throw GeometryError(
          concat("polygon ", i, " of the first list and ", j, " of the second: ", error.what()));
    }
  }
}

}  // namespace

std::vector<OverlapPair> overlaps(std::span<const MultiPolygon> a, std::span<const MultiPolygon> b) {
  if (a.empty() || b.empty()) return {};
  // Isolated, so that a caller's own task on this thread is not entered while this one waits.
  constexpr std::size_t kGrain = 32;
  const auto for_each = [](std::size_t count, const auto& work) {
    tbb::this_task_arena::isolate([&] {
      tbb::parallel_for(tbb::blocked_range<std::size_t>(0, count, kGrain), [&](const auto& range) {
        for (std::size_t i = range.begin(); i < range.end(); ++i) work(i);
      });
    });
  };
  std::vector<Shape> shapes(b.size());
  for_each(b.size(), [&](std::size_t i) { shapes[i] = shape_of(b[i], i, "second"); });
  std::vector<Box> boxes;
  boxes.reserve(b.size());
  for (const Shape& shape : shapes) boxes.push_back(shape.box);
  const BoxIndex index(boxes);

  std::vector<std::vector<OverlapPair>> rows(a.size());
  for_each(a.size(), [&](std::size_t i) {
    const auto candidates = index.query(bounds(a[i]));
    if (!candidates.empty()) overlaps_of(i, a[i], shapes, candidates, rows[i]);
  });
  std::vector<OverlapPair> pairs;
  for (const auto& row : rows) pairs.insert(pairs.end(), row.begin(), row.end());
  return pairs;
}

namespace {

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

struct Edge {
  std::size_t column;
  std::int64_t cost;  ///< minus the weight
  std::size_t pair;   ///< position in the caller's list
};

/// Matching of the largest total weight in one connected component: shortest augmenting paths with potentials
/// on the sparse graph (the Hungarian algorithm; Kuhn 1955, Jonker and Volgenant 1987). Every row has a
/// column of its own of weight 0, which stands for "unmatched". Costs are integers, so that ties are exact.
class Assignment {
 public:
  Assignment(std::vector<std::vector<Edge>> edges, std::size_t columns)
      : m_edges(std::move(edges)),
        m_real_columns(columns),
        m_row_of(columns + m_edges.size(), kNone),
        m_edge_of(m_edges.size()),
        m_u(m_edges.size(), 0),
        m_v(columns + m_edges.size(), 0) {
    for (std::size_t row = 0; row < m_edges.size(); ++row) {
      m_edges[row].push_back({m_real_columns + row, 0, kNone});
      m_u[row] = std::ranges::min_element(m_edges[row], {}, &Edge::cost)->cost;
    }
  }

  /// The position in the caller's list of the pair of every row; kNone = unmatched.
  std::vector<std::size_t> solve() {
    for (std::size_t row = 0; row < m_edges.size(); ++row) augment(row);
    prefer_lower_columns();
    std::vector<std::size_t> pairs;
    for (std::size_t row = 0; row < m_edges.size(); ++row) pairs.push_back(m_edges[row][m_edge_of[row]].pair);
    return pairs;
  }

 private:
  struct Arrival {
    std::size_t row = kNone;
    std::size_t edge = 0;
  };

  [[nodiscard]] std::int64_t slack(std::size_t row, const Edge& edge) const {
    return edge.cost - m_u[row] - m_v[edge.column];
  }

  void take(std::size_t row, std::size_t edge) {
    m_edge_of[row] = edge;
    m_row_of[m_edges[row][edge].column] = row;
  }

  /// Dijkstra from an unassigned row to the nearest free column; then the assignments along the path move by
  /// one.
  void augment(std::size_t start) {
    std::map<std::size_t, std::int64_t> distance;  // column -> length of the shortest path found so far
    std::map<std::size_t, Arrival> arrival;
    std::map<std::size_t, std::int64_t> settled;
    using Item = std::pair<std::int64_t, std::size_t>;
    std::priority_queue<Item, std::vector<Item>, std::greater<>> queue;
    const auto relax = [&](std::size_t row, std::int64_t base) {
      for (std::size_t e = 0; e < m_edges[row].size(); ++e) {
        const Edge& edge = m_edges[row][e];
        const std::int64_t length = base + slack(row, edge);
        const auto known = distance.find(edge.column);
        if (known != distance.end() && known->second <= length) continue;
        distance[edge.column] = length;
        arrival[edge.column] = {row, e};
        queue.emplace(length, edge.column);
      }
    };
    relax(start, 0);
    std::size_t end = kNone;
    std::int64_t total = 0;
    while (end == kNone) {
      const auto [length, column] = queue.top();
      queue.pop();
      if (!settled.emplace(column, length).second) continue;
      if (m_row_of[column] == kNone) {
        end = column;
        total = length;
      } else {
        relax(m_row_of[column], length);
      }
    }
    m_u[start] += total;
    for (const auto& [column, length] : settled) {
      if (m_row_of[column] == kNone) continue;
      m_u[m_row_of[column]] += total - length;
      m_v[column] -= total - length;
    }
    for (std::size_t column = end; column != kNone;) {
      const auto [row, edge] = arrival.at(column);
      const std::size_t next = row == start ? kNone : m_edges[row][m_edge_of[row]].column;
      take(row, edge);
      column = next;
    }
  }

  /// Among the assignments of the same total, the one in which row 0 has the lowest column, then row 1, and
  /// so on. All of them lie on edges without slack, so each step is a search for an alternating cycle over
  /// such edges.
  void prefer_lower_columns() {
    for (std::size_t row = 0; row < m_edges.size(); ++row) {
      for (std::size_t e = 0; e < m_edge_of[row]; ++e) {
        if (slack(row, m_edges[row][e]) == 0 && reroute(row, e)) break;
      }
    }
  }

  /// Gives `row` its edge `wanted` when the rows after it can make room without loss. Columns may change
  /// between used and free as long as their potential is 0 (otherwise the total would drop).
  bool reroute(std::size_t row, std::size_t wanted) {
    const std::size_t freed = m_edges[row][m_edge_of[row]].column;
    const std::size_t target = m_edges[row][wanted].column;
    std::map<std::size_t, Arrival> arrival{{target, {row, wanted}}};  // column -> how it was reached
    std::vector<std::size_t> queue{target};
    std::size_t now_used = kNone;  // the free column that some row takes
    const auto reach = [&](std::size_t column, const Arrival& how) {
      if (arrival.emplace(column, how).second) queue.push_back(column);
    };
    for (std::size_t head = 0; head < queue.size(); ++head) {
      const std::size_t column = queue[head];
      if (column == freed) {
        apply(row, freed, now_used, arrival);
        return true;
      }
      const std::size_t owner = m_row_of[column];
      if (owner == kNone && now_used == kNone) {
        now_used = column;
        for (std::size_t c = 0; c < m_v.size(); ++c) {
          if (m_v[c] == 0) reach(c, {});
        }
      } else if (owner != kNone && owner > row) {
        for (std::size_t e = 0; e < m_edges[owner].size(); ++e) {
          if (slack(owner, m_edges[owner][e]) == 0) reach(m_edges[owner][e].column, {owner, e});
        }
      }
    }
    return false;
  }

  /// Walks the cycle back from the column that `row` gives up. A column reached without a row becomes free.
  void apply(std::size_t row, std::size_t freed, std::size_t now_used,
             const std::map<std::size_t, Arrival>& arrival) {
    for (std::size_t column = freed;;) {
      const auto [taker, edge] = arrival.at(column);
      if (taker == kNone) {
        m_row_of[column] = kNone;
        column = now_used;
        continue;
      }
      const std::size_t next = m_edges[taker][m_edge_of[taker]].column;
      take(taker, edge);
      if (taker == row) return;
      column = next;
    }
  }

  std::vector<std::vector<Edge>> m_edges;
  std::size_t m_real_columns;
  std::vector<std::size_t> m_row_of;   ///< of each column; kNone = free
  std::vector<std::size_t> m_edge_of;  ///< of each row
  std::vector<std::int64_t> m_u;       ///< potentials of rows
  std::vector<std::int64_t> m_v;       ///< potentials of columns, never positive
};

/// Weight of a pair as an integer: IoU in steps of 1e-12.
std::int64_t cost_of(const OverlapPair& pair) {
  return -std::llround(pair.iou * 1e12);
}

/// Solves one component, given as positions in `pairs`, and appends the positions of its matched pairs.
void match_component(std::span<const OverlapPair> pairs, std::span<const std::size_t> members,
                     std::vector<std::size_t>& matched) {
  if (members.size() == 1) {
    matched.push_back(members.front());
    return;
  }
  std::map<std::size_t, std::size_t> rows;
  std::map<std::size_t, std::size_t> columns;
  for (const std::size_t m : members) {
    rows.emplace(pairs[m].a, 0);
    columns.emplace(pairs[m].b, 0);
  }
  std::size_t next = 0;
  for (auto& [a, row] : rows) row = next++;
  next = 0;
  for (auto& [b, column] : columns) column = next++;
  std::vector<std::vector<Edge>> edges(rows.size());
  for (const std::size_t m : members) {
    edges[rows.at(pairs[m].a)].push_back({columns.at(pairs[m].b), cost_of(pairs[m]), m});
  }
  for (auto& row : edges) std::ranges::sort(row, {}, &Edge::column);
  for (const std::size_t pair : Assignment(std::move(edges), columns.size()).solve()) {
    if (pair != kNone) matched.push_back(pair);
  }
}

/// Union-find over the a's (0..count_a-1) and b's (after them).
class Components {
 public:
  explicit Components(std::size_t size) : m_parent(size) { std::iota(m_parent.begin(), m_parent.end(), 0U); }
  std::size_t find(std::size_t node) {
    while (m_parent[node] != node) node = m_parent[node] = m_parent[m_parent[node]];
    return node;
  }
  void unite(std::size_t x, std::size_t y) { m_parent[find(x)] = find(y); }

 private:
  std::vector<std::size_t> m_parent;
};

}  // namespace

std::vector<OverlapPair> match_one_to_one(std::span<const OverlapPair> pairs, double min_iou) {
  std::size_t count_a = 0;
  std::size_t count_b = 0;
  for (const auto& pair : pairs) {
    count_a = std::max(count_a, pair.a + 1);
    count_b = std::max(count_b, pair.b + 1);
  }
  Components components(count_a + count_b);
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (!(pairs[i].iou >= min_iou)) continue;
    kept.push_back(i);
    components.unite(pairs[i].a, count_a + pairs[i].b);
  }
  std::map<std::size_t, std::vector<std::size_t>> members;
  for (const std::size_t i : kept) members[components.find(pairs[i].a)].push_back(i);

  std::vector<std::size_t> matched;
  for (const auto& [root, list] : members) match_component(pairs, list, matched);
  std::vector<OverlapPair> result;
  result.reserve(matched.size());
  for (const std::size_t i : matched) result.push_back(pairs[i]);
  std::ranges::sort(result, [](const OverlapPair& x, const OverlapPair& y) { return x.a < y.a; });
  return result;
}

}  // namespace furrow::geo
