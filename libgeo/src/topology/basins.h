#pragma once

#include <cstdint>
#include <tuple>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/raster/raster.h>

#include "union_find.h"

namespace furrow::geo::detail {

/// Boundary score in the upper 16 bits, smoothed score in the lower: pixels compare by (height, position).
using Height = std::uint32_t;
inline Height level_of(Height height) {
  return height >> 16;
}

using Index = std::uint32_t;
inline constexpr Index kNone = 0xFFFFFFFFU;

/// The way over two neighbouring pixels. Positions are those in row-major order of the whole raster.
struct Pass {
  Height high_height = 0xFFFFFFFFU;  ///< of the higher pixel
  Height low_height = 0xFFFFFFFFU;
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  [[nodiscard]] auto rank() const { return std::tie(high_height, high, low_height, low); }
};

/// Of two pixels in row-major order. At equal height the later one is the higher one.
inline Pass pass_over(Height first_height, std::uint64_t first, Height second_height, std::uint64_t second) {
  if (second_height >= first_height) return {second_height, first_height, second, first};
  return {first_height, second_height, first, second};
}

struct BasinPass {
  Pass pass;
  Index a = 0;
  Index b = 0;
};

/// What is known of some basins.
struct BasinGraph {
  std::vector<std::uint8_t> floor;  ///< boundary score of each basin's lowest pixel
  std::vector<std::uint8_t> open;   ///< 1 = has neighbours that are not in the graph yet
  std::vector<BasinPass> passes;    ///< in any order, any number between two basins
};

/// Joins each basin that is not open and shallower than the cut to the neighbour behind its lowest pass,
/// until there is none (rounds of Boruvka's algorithm), and forgets the passes that no later join can need:
/// those inside a group, those between two groups that are not open, and of those from an open group to
/// groups that are not, all but the lowest.
///
/// Kruskal's algorithm over the whole raster would do the same joins in some other order, see
/// docs/decisions/007-delineation-by-strips.md.
/// @return group of each basin: the smallest member, which holds floor and `open` of the group
[[nodiscard]] std::vector<Index> contract(BasinGraph& graph, int cut_level);

/// The same joins, keeping all passes between the groups, so that the graph can be joined again with a higher
/// cut: what joins below a cut joins below any higher one.
[[nodiscard]] std::vector<Index> join_below(BasinGraph& graph, int cut_level);

/// Rows of a raster in memory: `begin`..`end` are to be worked on, the others are there to look at.
struct BlockRows {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t first = 0;  ///< row of the whole raster that row 0 in memory is
  bool is_first = true;    ///< `begin` is the whole raster's first row
  bool is_last = true;
};

/// Basins of the watershed in some rows, joined as far as these rows allow.
struct BlockBasins {
  std::vector<Index> of_pixel;    ///< of the rows in memory; kNone outside the mask and outside `rows`
  BasinGraph graph;               ///< open: those with a pixel at a border to other rows
  std::vector<Height> first_row;  ///< heights along the first and the last of the rows
  std::vector<Height> last_row;
};

/// @param boundary, mask  with WatershedByStrips::kMargin rows beside `rows` where the whole raster has them
[[nodiscard]] BlockBasins block_basins(const Raster<std::uint8_t>& boundary, const Raster<std::uint8_t>& mask,
                                       const BlockRows& rows, int cut_level, ExecContext& exec);

/// Basins of a whole raster, joined up to a cut, with all passes between them.
struct WholeBasins {
  std::vector<Index> of_pixel;  ///< kNone outside the mask
  BasinGraph graph;             ///< none is open
};
[[nodiscard]] WholeBasins whole_basins(const Raster<std::uint8_t>& boundary, const Raster<std::uint8_t>& mask,
                                       int cut_level, ExecContext& exec);

}  // namespace furrow::geo::detail
