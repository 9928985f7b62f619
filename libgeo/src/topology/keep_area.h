#pragma once

#include <vector>

#include <furrow/geo/topology/simplify.h>

#include "lattice.h"

namespace furrow::geo::detail {

/// Every pixel corner along a traced line, turns and those between: where lines may begin and end with
/// SimplifyMethod::kArea.
[[nodiscard]] std::vector<LatticePoint> pixel_corners(const std::vector<LatticePoint>& turns);

/// The line of one arc with SimplifyMethod::kArea.
/// @param traced   end points and turns
/// @param corners  pixel_corners of all traced arcs
/// Memory: some MB while it runs. Safe to call concurrently.
[[nodiscard]] std::vector<LatticePoint> simplify_keeping_area(const std::vector<LatticePoint>& traced,
                                                              const SimplifyOptions& options,
                                                              const LatticeBits& corners);

}  // namespace furrow::geo::detail
