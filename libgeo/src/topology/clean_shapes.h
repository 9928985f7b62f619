#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/topology/clean.h>

#include "precision_grid.h"

namespace furrow::geo::detail {

/// What became of one shape.
enum class Outcome { kKept, kOverlapped, kMerged, kAbsorbed, kSmall, kSliver };

/// A piece without a neighbour that was too small or narrow.
struct RejectedPiece {
  std::uint32_t owner = 0;
  GridShape shape;
  bool is_sliver = false;
};

struct CleanedShapes {
  std::vector<GridShape> shapes;  ///< empty where the outcome is not kKept
  std::vector<Outcome> outcomes;
  std::vector<RejectedPiece> rejected;
};

/// Steps 3 to 8 of clean_layer. Where a gap was closed or a piece absorbed, steps 5 and 7 are repeated for
/// the shapes round it until nothing changes. Groups of shapes that lie apart are cleaned side by side, each
/// with no more memory than it needs itself; with seams to merge, all shapes are one group.
/// @param shapes      the largest first
/// @param precedence  by shape: who goes first where several want the same ground
/// @param report      counts of overlaps, gaps, absorbed pieces and seams are added
[[nodiscard]] CleanedShapes clean_shapes(std::vector<GridShape> shapes,
                                         std::span<const std::uint32_t> precedence, const PrecisionGrid& grid,
                                         const GroundScale& scale, const CleanOptions& options,
                                         CleanReport& report, ExecContext& exec);

}  // namespace furrow::geo::detail
