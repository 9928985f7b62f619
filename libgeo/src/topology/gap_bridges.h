#pragma once

#include <span>
#include <vector>

#include <furrow/geo/core/exec_context.h>

#include "precision_grid.h"
#include "snap_rounding.h"

namespace furrow::geo::detail {

/// Lines that divide narrow gaps between features from wide ones: from each corner of an outline to the
/// nearest point of another feature not further than `width_m` that can be seen from it over uncovered
/// ground, and from where two edges that run apart become so far apart (when that is more than half a width
/// away from the corner). Same result for any number of threads.
[[nodiscard]] std::vector<OutlineSegment> gap_bridges(std::span<const GridShape> shapes,
                                                      const std::vector<OutlineSegment>& outlines,
                                                      const GroundScale& scale, double width_m,
                                                      ExecContext& exec);

}  // namespace furrow::geo::detail
