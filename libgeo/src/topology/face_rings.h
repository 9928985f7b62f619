#pragma once

#include <cstdint>
#include <vector>

#include "planar_grid.h"

namespace furrow::geo::detail {

/// A closed line without its repeated point.
using GridRing = std::vector<GridPoint>;

/// Twice the signed area: positive counter-clockwise.
[[nodiscard]] Wide doubled_area(const GridRing& ring);

/// Splits a closed walk that comes back to some of its points into rings that do not; what is walked there
/// and back again is left out.
[[nodiscard]] std::vector<GridRing> simple_rings(const GridRing& walk);

}  // namespace furrow::geo::detail
