#pragma once

#include <cstdint>
#include <vector>

#include <furrow/geo/raster/grid.h>

namespace furrow::geo {

/// How neighbouring tiles share the pixels on both sides of the border between their cores.
///
/// Method: along each axis a raised-cosine (Hann) ramp of 2 x margin pixels, centred on the border, leads
/// from one tile to the next; in two dimensions the weights of the axes multiply. All ramps are multiples of
/// 1/4096, so that the weights of the tiles that share a pixel sum to exactly 1 in float arithmetic, whatever
/// their number: nothing has to be divided, and tiles that agree give exactly their common value (summed in
/// double).

/// Rising ramp of 2 x margin_px weights: ramp[k] + ramp[2 * margin_px - 1 - k] is exactly 1. Empty for
/// margin_px = 0.
/// @throws InvalidArgument when margin_px < 0
[[nodiscard]] std::vector<float> hann_ramp(std::int64_t margin_px);

/// The pixels to which a tile contributes: its core grown by the margin, clipped to the grid.
[[nodiscard]] Window blend_window(const Window& core, const Grid& grid, std::int64_t margin_px);

/// Weights along one axis of a tile whose core is [core_begin, core_end) on an axis of `extent` pixels, one
/// for each position of its blend window. The ramp is left out at the ends of the axis, where there is no
/// neighbour. Exact as long as no core but the last is shorter than 2 x margin_px.
/// @throws InvalidArgument when the core is empty or lies outside [0, extent), or margin_px < 0
[[nodiscard]] std::vector<float> blend_weights(std::int64_t core_begin, std::int64_t core_end,
                                               std::int64_t extent, std::int64_t margin_px);

}  // namespace furrow::geo
