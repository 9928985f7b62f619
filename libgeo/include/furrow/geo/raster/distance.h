#pragma once

#include <cstdint>
#include <functional>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/raster/raster.h>

namespace furrow::geo {

/// Makes the instances (0 = none) of a window of a grid; windows may reach over the grid's border. Called by
/// one thread at a time.
using InstanceSource = std::function<Raster<std::uint32_t>(const Window&)>;

struct DistanceOptions {
  Point pixel_size{1.0, 1.0};     ///< of columns and rows: {1, 1} measures in pixels
  bool per_field = false;         ///< divided by the largest distance of the field: 0..1
  std::int64_t strip_rows = 512;  ///< rows in memory at a time; the result does not depend on it
};

/// Distance of each pixel's centre to the nearest centre of a pixel that is not of the same instance; 0
/// outside all instances. The target of multi-task networks (DECODE and FracTAL ResUNet learn it per field, 0
/// to 1).
///
/// Exact Euclidean distances, streamed in strips of whole rows: a sweep upwards and one downwards find the
/// nearest other instance in each column, then the lower envelope of parabolas along each row, per run of one
/// instance (Felzenszwalb and Huttenlocher, "Distance transforms of sampled functions", 2012). Parallel over
/// columns and rows; independent of threads and strips. Instances are made twice, per field three times.
///
/// @param area     all of every instance that meets `wanted`, and one pixel more on each side
/// @param wanted   the part that `write` gets, in strips from top to bottom; inside `area`
/// @param highest  the largest instance value
/// Memory: about 12 bytes per pixel of a strip, and 4 bytes per column and strip of `area`.
/// @throws InvalidArgument  strip_rows < 1, `wanted` not in `area`, or a pixel size that is not positive
/// @throws Cancelled, and what `instances` and `write` throw
void field_distances(const InstanceSource& instances, const Window& area, const Window& wanted,
                     std::uint32_t highest, const DistanceOptions& options, ExecContext& exec,
                     const std::function<void(const Window&, const Raster<float>&)>& write);

}  // namespace furrow::geo
