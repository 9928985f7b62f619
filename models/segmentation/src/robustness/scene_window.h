#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/raster/raster.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/vector/geometry.h>
#include <furrow/segmentation/robustness.h>

namespace furrow::segmentation {

/// Stored values of a window and its surroundings, mirrored at the borders of the image.
struct SceneWindow {
  geo::Window core;                 ///< what is compared, inside the image
  geo::Window area;                 ///< what is known; may leave the image
  geo::Raster<float> pixels;        ///< [bands, area], as stored
  geo::Raster<std::uint8_t> valid;  ///< [1, area]
  geo::Raster<float> noise;         ///< [bands, area], standard normal; empty until it is wanted

  /// The core, counted from the area's corner.
  [[nodiscard]] geo::Window core_in_area() const {
    return {core.col - area.col, core.row - area.row, core.width, core.height};
  }
};

/// The squares to compare (see assess_robustness), in row-major order.
/// @param near  only squares that it touches; nullopt = everywhere
/// @throws geo::InvalidArgument  a window larger than the image; no square, or none with data
[[nodiscard]] std::vector<geo::Window> choose_windows(const geo::RasterReader& reader, std::int64_t window_px,
                                                      const RobustnessOptions& options,
                                                      const std::optional<geo::Box>& near);

/// @param bands  of the image, in the model's order; empty = all
[[nodiscard]] SceneWindow load_window(const geo::RasterReader& reader, std::span<const int> bands,
                                      const geo::Window& core, const geo::Window& area);

/// Fills `noise`: the same for one seed and place.
void draw_noise(SceneWindow& window, std::uint64_t seed);

/// The valid pixels of the cores as one row, for statistics of all windows together.
[[nodiscard]] geo::Raster<float> core_sample(std::span<const SceneWindow> windows);

/// A part of a raster; `part` is counted from its corner and lies inside.
template <class T>
[[nodiscard]] geo::Raster<T> cut(const geo::Raster<T>& from, const geo::Window& part) {
  geo::Raster<T> to(part.width, part.height, from.bands());
  for (int b = 0; b < from.bands(); ++b) {
    for (std::int64_t row = 0; row < part.height; ++row)
      std::copy_n(&from.at(part.col, part.row + row, b), part.width, &to.at(0, row, b));
  }
  return to;
}

}  // namespace furrow::segmentation
