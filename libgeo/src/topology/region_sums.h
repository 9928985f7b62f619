#pragma once

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include <furrow/geo/topology/regions.h>

namespace furrow::geo::detail {

inline void add_stats(RegionStats& total, const RegionStats& part) {
  total.first_pixel = total.pixels == 0 ? part.first_pixel : std::min(total.first_pixel, part.first_pixel);
  total.pixels += part.pixels;
  total.area += part.area;
  total.touches_edge |= part.touches_edge;
  total.touches_unknown |= part.touches_unknown;
  total.along_rows += part.along_rows;
  total.along_columns += part.along_columns;
}

/// What two regions have in common is no outline once they are one.
inline void drop_edge(RegionStats& joined, const SharedEdge& edge) {
  joined.along_rows -= 2 * edge.along_rows;
  joined.along_columns -= 2 * edge.along_columns;
}

inline void add_edge(SharedEdge& total, const SharedEdge& part) {
  total.sides += part.sides;
  total.strength += part.strength;
  total.along_rows += part.along_rows;
  total.along_columns += part.along_columns;
}

/// Orders edges by (a, b) and adds up those between the same two.
inline void merge_edges(std::vector<SharedEdge>& edges) {
  std::ranges::sort(edges, {}, [](const SharedEdge& e) { return std::pair(e.a, e.b); });
  std::size_t kept = 0;
  for (const SharedEdge& edge : edges) {
    if (kept > 0 && edges[kept - 1].a == edge.a && edges[kept - 1].b == edge.b) {
      add_edge(edges[kept - 1], edge);
    } else {
      edges[kept++] = edge;
    }
  }
  edges.resize(kept);
}

/// The edges between larger regions; those inside one, and those beside label 0, go.
/// @param label  by region
inline void merge_edges(std::vector<SharedEdge>& edges, std::span<const std::uint32_t> label) {
  for (SharedEdge& edge : edges) {
    const std::uint32_t a = label[edge.a];
    const std::uint32_t b = label[edge.b];
    edge.a = std::min(a, b);
    edge.b = std::max(a, b);
  }
  std::erase_if(edges, [](const SharedEdge& e) { return e.a == e.b || e.a == 0; });
  merge_edges(edges);
}

}  // namespace furrow::geo::detail
