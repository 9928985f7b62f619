#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/raster/rasterize.h>
#include <furrow/geo/raster/reader.h>

namespace furrow::assessment {

/// Agreement about one class. Ratios are NaN where their denominator is 0 (the class is in neither map, for
/// instance).
struct BinaryAccuracy {
  std::int64_t true_positive = 0;   ///< pixels
  std::int64_t false_positive = 0;  ///< predicted, not in the reference
  std::int64_t false_negative = 0;  ///< in the reference, not predicted
  std::int64_t true_negative = 0;

  void count(bool predicted, bool reference);  ///< one pixel
  BinaryAccuracy& operator+=(const BinaryAccuracy& other);
  [[nodiscard]] double precision() const;
  [[nodiscard]] double recall() const;
  [[nodiscard]] double iou() const;
  [[nodiscard]] double f1() const;
};

/// Pixel accuracy: per class of the three-class labels, and of the field extent (inside a field or not).
struct PixelAccuracy {
  std::int64_t pixels = 0;                ///< compared: inside the region, valid, not 255 in either map
  std::array<BinaryAccuracy, 3> classes;  ///< background, interior, boundary
  BinaryAccuracy extent;      ///< the field's area; polygons by pixel centre, rasters by class 1 or 2
  std::int64_t agreeing = 0;  ///< pixels with the same class
  [[nodiscard]] double overall_accuracy() const;
};

/// What both maps look like in one window: three-class labels and extent (0/1), each [1, rows, cols].
struct LabelWindow {
  geo::Raster<std::uint8_t> labels;
  geo::Raster<std::uint8_t> extent;
};
/// Gives one map's window; called from several threads at once.
using LabelSource = std::function<LabelWindow(const geo::Window&)>;

/// A map given as polygons in the grid's CRS. Keeps references: both must outlive the source.
[[nodiscard]] LabelSource polygon_source(std::span<const geo::MultiPolygon> polygons, const geo::Grid& grid,
                                         const geo::BoundaryOptions& boundary = {});

/// A map given as a label raster on the grid (0, 1, 2; 3 and 255 = ignore).
/// @throws geo::IoError from the source's call when another value is met
[[nodiscard]] LabelSource raster_source(const geo::RasterReader& reader);

/// Compares two maps pixel by pixel, tile by tile in parallel; the same for any number of threads.
///
/// @param region  in the grid's CRS; only pixels whose centre lies inside count; nullopt = all
/// @param valid   a raster on the same grid whose invalid pixels do not count; nullptr = all count
[[nodiscard]] PixelAccuracy assess_pixels(const LabelSource& predicted, const LabelSource& reference,
                                          const geo::Grid& grid,
                                          const std::optional<geo::MultiPolygon>& region,
                                          const geo::RasterReader* valid, geo::ExecContext& exec);

}  // namespace furrow::assessment
