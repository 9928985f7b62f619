#pragma once

#include <cstdint>
#include <string>

#include <furrow/geo/core/random.h>
#include <furrow/geo/raster/rasterize.h>
#include <furrow/geo/raster/writer.h>
#include <furrow/segmentation/training_data.h>

#include "support.h"

namespace furrow::segmentation::testing_scene {

/// Square fields of 12 pixels, 4 apart, with an outline of one pixel.
inline std::uint8_t label_at(std::int64_t col, std::int64_t row) {
  const std::int64_t x = col % 16;
  const std::int64_t y = row % 16;
  if (x >= 12 || y >= 12) return geo::kBackground;
  return x == 0 || y == 0 || x == 11 || y == 11 ? geo::kBoundary : geo::kInterior;
}

inline geo::Raster<std::uint8_t> labels(std::int64_t width, std::int64_t height) {
  geo::Raster<std::uint8_t> result(width, height);
  for (std::int64_t row = 0; row < height; ++row) {
    for (std::int64_t col = 0; col < width; ++col) result.at(col, row) = label_at(col, row);
  }
  return result;
}

/// Two bands: bright fields in the first, bright outlines in the second, both with noise.
inline geo::Raster<std::uint16_t> image(std::int64_t width, std::int64_t height, std::uint64_t seed = 1) {
  geo::Raster<std::uint16_t> result(width, height, 2);
  geo::Random random(seed);
  for (std::int64_t row = 0; row < height; ++row) {
    for (std::int64_t col = 0; col < width; ++col) {
      const std::uint8_t label = label_at(col, row);
      const double first = label == geo::kBackground ? 500.0 : 1500.0;
      const double second = label == geo::kBoundary ? 1800.0 : 600.0;
      result.at(col, row, 0) = static_cast<std::uint16_t>(random.normal(first, 60.0));
      result.at(col, row, 1) = static_cast<std::uint16_t>(random.normal(second, 60.0));
    }
  }
  return result;
}

template <class T>
std::string write(const test::TemporaryFolder& folder, const std::string& name, const geo::Raster<T>& pixels,
                  const geo::Grid& grid, geo::RasterSpec spec = {}) {
  spec.type = geo::pixel_type_of<T>();
  spec.bands = pixels.bands();
  spec.cog = false;
  geo::write_raster(folder / name, grid, pixels, spec, true);
  return (folder / name).string();
}

/// A scene with labels everywhere, written to `folder`.
inline TrainingScene write_scene(const test::TemporaryFolder& folder, std::int64_t width,
                                 std::int64_t height) {
  const geo::Grid grid = test::utm_grid(width, height);
  return {write(folder, "image.tif", image(width, height), grid),
          write(folder, "labels.tif", labels(width, height), grid), ""};
}

}  // namespace furrow::segmentation::testing_scene
