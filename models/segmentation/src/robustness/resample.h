#pragma once

#include <cstdint>

#include <furrow/geo/raster/raster.h>

namespace furrow::segmentation {

/// New pixels along one axis: pixel i covers begin + i * step to begin + (i + 1) * step, in old pixels.
struct AxisMap {
  double begin = 0.0;
  double step = 1.0;
  std::int64_t size = 0;
};

/// Resamples with a triangle as wide as two pixels of the coarser side (bilinear; averages where pixels grow,
/// so that nothing aliases). Only valid pixels are averaged, or all where none is near. Beyond the borders
/// the outermost pixel goes on.
/// @param valid  [1, rows, cols] of `from`
[[nodiscard]] geo::Raster<float> resample(const geo::Raster<float>& from,
                                          const geo::Raster<std::uint8_t>& valid, const AxisMap& cols,
                                          const AxisMap& rows);

/// The value of the pixel that holds the centre of the new one.
[[nodiscard]] geo::Raster<std::uint8_t> resample_nearest(const geo::Raster<std::uint8_t>& from,
                                                         const AxisMap& cols, const AxisMap& rows);

}  // namespace furrow::segmentation
