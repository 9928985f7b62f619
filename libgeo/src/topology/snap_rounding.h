#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <furrow/geo/core/exec_context.h>

#include "planar_grid.h"

namespace furrow::geo::detail {

/// Lines of no polygon; they only divide faces.
inline constexpr std::uint32_t kNoFeature = 0xFFFFFFFFU;

/// A piece of an outline. The inside of `feature` lies on its left.
struct OutlineSegment {
  GridPoint from;
  GridPoint to;
  std::uint32_t feature = kNoFeature;
};

/// Who steps over the edge from its right to its left side enters `feature` so many times.
struct Crossing {
  std::uint32_t feature = kNoFeature;
  std::int32_t winding = 0;
};

struct NodedEdge {
  GridPoint a;
  GridPoint b;  ///< after a, by x, then y
  std::size_t first = 0;
  std::size_t count = 0;  ///< of `crossings`; 0: the edge only divides a face
};

/// Edges that meet at their ends only; each is there once, ordered by a, then b.
struct NodedLines {
  std::vector<NodedEdge> edges;
  std::vector<Crossing> crossings;  ///< by edge, then feature

  [[nodiscard]] std::span<const Crossing> crossings_of(const NodedEdge& edge) const {
    return std::span(crossings).subspan(edge.first, edge.count);
  }
};

/// The segment a-b passes through the unit square round a grid point; of its outline the left and the lower
/// side belong to the square.
[[nodiscard]] bool passes_through(GridPoint a, GridPoint b, GridPoint pixel);

/// Cuts segments where they meet; every cut lies on the grid.
///
/// Snap rounding (Hobby 1999): the pixels of the grid that hold an end or a crossing are hot, and each
/// segment is led through the middle of the hot pixels that it passes through (half-open squares). Repeated
/// for what moved until nothing does (Halperin and Packer 2002), so that the result stays as it is when it is
/// noded again. No point of a segment moves further than about one step of the grid. Exact: integers only.
///
/// Same result for any order of the segments and any number of threads.
[[nodiscard]] NodedLines snap_round(const std::vector<OutlineSegment>& segments, ExecContext& exec);

}  // namespace furrow::geo::detail
