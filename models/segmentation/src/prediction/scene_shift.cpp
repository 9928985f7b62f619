#include "scene_shift.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/core/log.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>

namespace furrow::segmentation {
namespace {

using geo::concat;
using geo::Window;

constexpr double kShareOfScene = 0.125;
constexpr double kLeastWindows = 16.0;

/// A random place for `size` pixels between two positions.
std::int64_t place_within(std::int64_t begin, std::int64_t end, std::int64_t size, geo::Random& random) {
  return begin + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(end - begin - size) + 1));
}

/// A window [bands, side, side] as a training window is: normalised, 0 without data.
geo::Raster<float> normalised_window(const geo::RasterReader& reader, std::span<const int> bands,
                                     const geo::Normalisation& how,
                                     std::span<const geo::BandStatistics> statistics, const Window& window) {
  geo::Raster<float> pixels = reader.read<float>(window, bands);
  const geo::Raster<std::uint8_t> valid = reader.read_valid(window, bands);
  geo::normalise(pixels, how, statistics, valid.data());
  return pixels;
}

}  // namespace

std::vector<Window> sample_windows(std::int64_t width, std::int64_t height, std::int64_t window_px,
                                   std::int64_t most) {
  const std::int64_t room_x = width / window_px;
  const std::int64_t room_y = height / window_px;
  if (room_x == 0 || room_y == 0) return {};
  const auto room = static_cast<double>(room_x) * static_cast<double>(room_y);
  const double wanted =
      std::min(std::max(std::ceil(kShareOfScene * room), kLeastWindows), static_cast<double>(most));
  const double aspect = static_cast<double>(width) / static_cast<double>(height);
  const std::int64_t most_cols = std::min(room_x, static_cast<std::int64_t>(wanted));
  const std::int64_t cols = std::clamp(static_cast<std::int64_t>(std::llround(std::sqrt(wanted * aspect))),
                                       std::int64_t{1}, most_cols);
  const std::int64_t rows = std::clamp(
      static_cast<std::int64_t>(std::llround(wanted / static_cast<double>(cols))), std::int64_t{1}, room_y);
  std::vector<Window> windows;
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t col = 0; col < cols; ++col) {
      geo::Random random(geo::stable_hash("shift"), windows.size());
      const std::int64_t x = place_within(width * col / cols, width * (col + 1) / cols, window_px, random);
      const std::int64_t y = place_within(height * row / rows, height * (row + 1) / rows, window_px, random);
      windows.push_back({x, y, window_px, window_px});
    }
  }
  return windows;
}

std::optional<SceneShift> measure_shift(const geo::RasterReader& reader, std::span<const int> bands,
                                        const geo::Normalisation& how,
                                        std::span<const geo::BandStatistics> statistics,
                                        const ShiftCheck& check, geo::ExecContext& exec) {
  const std::vector<Window> windows =
      sample_windows(reader.grid().width, reader.grid().height, check.window_px, check.most_windows);
  std::vector<std::vector<float>> features(windows.size());
  tbb::parallel_for(std::size_t{0}, windows.size(), [&](std::size_t i) {
    exec.check_cancelled();
    const geo::Raster<float> pixels = normalised_window(reader, bands, how, statistics, windows[i]);
    features[i] = check.features(pixels.data());
  });
  std::erase_if(features, [](const std::vector<float>& f) { return f.empty(); });
  if (features.empty()) return std::nullopt;
  return check.judge(features);
}

void report_shift(const std::string& image, const std::optional<SceneShift>& shift, double limit) {
  if (!shift) {
    geo::log_info(
        concat("image ", geo::quoted(image),
               " has no window as large as those of the training with data in half of its pixels: its shift "
               "is not measured"));
    return;
  }
  const std::string figures = concat("distance ", geo::fixed(shift->distance, 3), " over ", shift->windows,
                                     " windows, ", geo::fixed(shift->usual, 3), " is usual");
  if (shift->quantile <= limit) {
    geo::log_info(concat("image ", geo::quoted(image), " looks to the network like the training images: ",
                         figures, ", quantile ", geo::fixed(shift->quantile, 3)));
    return;
  }
  geo::log_warning(
      concat("image ", geo::quoted(image), " looks to the network unlike what it was trained on (", figures,
             "; beyond quantile ", geo::shortest(limit),
             " of the training's own windows): the scores may be wrong even where they are sure; "
             "check the band order and units, and look at the map or train with labels from here"));
}

std::map<std::string, std::string> shift_metadata(const std::optional<SceneShift>& shift) {
  if (!shift) return {};
  return {{"FURROW_SHIFT_DISTANCE", geo::fixed(shift->distance, 6)},
          {"FURROW_SHIFT_QUANTILE", geo::fixed(shift->quantile, 3)},
          {"FURROW_SHIFT_WINDOWS", std::to_string(shift->windows)}};
}

}  // namespace furrow::segmentation
