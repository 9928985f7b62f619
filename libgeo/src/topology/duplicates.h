#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/vector/geometry.h>

namespace furrow::geo::detail {

/// Which shapes repeat an earlier one: going from the first to the last, a shape is dropped when its
/// intersection over union with one that was kept is at least `min_iou`.
/// @param shapes  valid; empty ones are no duplicates
/// @return        by shape, 1 = dropped
/// @throws GeometryError
[[nodiscard]] std::vector<std::uint8_t> find_duplicates(std::span<const MultiPolygon> shapes, double min_iou,
                                                        ExecContext& exec);

}  // namespace furrow::geo::detail
