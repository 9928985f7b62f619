#include "scene_window.h"

#include <cmath>
#include <iterator>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>

#include "../prediction/tile_source.h"

namespace furrow::segmentation {
namespace {

using geo::Raster;
using geo::Window;

/// Position along the Z-order curve: the bits of column and row in turn.
std::uint64_t z_order(std::int64_t col, std::int64_t row) {
  std::uint64_t code = 0;
  for (int bit = 0; bit < 31; ++bit) {
    code |= ((static_cast<std::uint64_t>(col) >> bit) & 1U) << (2 * bit);
    code |= ((static_cast<std::uint64_t>(row) >> bit) & 1U) << (2 * bit + 1);
  }
  return code;
}

bool holds_data(const geo::RasterReader& reader, std::span<const int> bands, const Window& window) {
  const Raster<std::uint8_t> valid = reader.read_valid(window, bands);
  return std::ranges::any_of(valid.data(), [](std::uint8_t v) { return v != 0; });
}

/// Every N/n-th square along the curve, from a random start; a square without data gives way to the next one.
std::vector<Window> sample(std::vector<Window> squares, const geo::RasterReader& reader,
                           std::int64_t window_px, const RobustnessOptions& options) {
  std::ranges::sort(squares, {},
                    [&](const Window& w) { return z_order(w.col / window_px, w.row / window_px); });
  const std::size_t total = squares.size();
  const auto wanted = std::min(static_cast<std::size_t>(options.windows), total);
  const double start = geo::Random(options.seed).uniform();
  const double step = static_cast<double>(total) / static_cast<double>(wanted);
  std::vector<char> seen(total);
  std::vector<Window> chosen;
  for (std::size_t i = 0; i < wanted; ++i) {
    const auto first = static_cast<std::size_t>((static_cast<double>(i) + start) * step);
    for (std::size_t k = 0; k < total; ++k) {
      const std::size_t at = (first + k) % total;
      if (seen[at] != 0) continue;
      seen[at] = 1;
      if (!holds_data(reader, options.bands, squares[at])) continue;
      chosen.push_back(squares[at]);
      break;
    }
  }
  std::ranges::sort(chosen, {}, [](const Window& w) { return std::pair(w.row, w.col); });
  return chosen;
}

}  // namespace

std::vector<Window> choose_windows(const geo::RasterReader& reader, std::int64_t window_px,
                                   const RobustnessOptions& options, const std::optional<geo::Box>& near) {
  const geo::Grid& grid = reader.grid();
  if (window_px > std::min(grid.width, grid.height)) {
    throw geo::InvalidArgument(geo::concat("a window of ", window_px, " px is larger than image ",
                                           geo::quoted(reader.path()), " (", grid.width, " x ", grid.height,
                                           " px); lower --window-px"));
  }
  std::vector<Window> squares;
  for (const geo::Tile& tile : geo::make_tiles(grid, window_px, 0)) {
    if (!near || grid.bounds(tile.core).intersects(*near)) squares.push_back(tile.core);
  }
  if (squares.empty()) {
    throw geo::InvalidArgument(geo::concat("the reference fields do not touch image ",
                                           geo::quoted(reader.path()), "; check the CRS of both"));
  }
  const auto is_part = [&](const Window& w) { return w.width < window_px || w.height < window_px; };
  const bool has_whole = !std::ranges::all_of(squares, is_part);
  if (std::ssize(squares) > options.windows && has_whole) std::erase_if(squares, is_part);
  std::vector<Window> chosen = sample(std::move(squares), reader, window_px, options);
  if (chosen.empty()) {
    throw geo::InvalidArgument(geo::concat("image ", geo::quoted(reader.path()), " has no valid pixel",
                                           near ? " near the reference fields" : ""));
  }
  return chosen;
}

SceneWindow load_window(const geo::RasterReader& reader, std::span<const int> bands, const Window& core,
                        const Window& area) {
  const std::vector<std::int64_t> cols = mirrored_range(area.col, area.width, reader.grid().width);
  const std::vector<std::int64_t> rows = mirrored_range(area.row, area.height, reader.grid().height);
  const auto [left, right] = std::ranges::minmax(cols);
  const auto [top, bottom] = std::ranges::minmax(rows);
  const Window inside{left, top, right - left + 1, bottom - top + 1};
  const Raster<float> pixels = reader.read<float>(inside, bands);
  const Raster<std::uint8_t> valid = reader.read_valid(inside, bands);

  SceneWindow window{core,
                     area,
                     Raster<float>(area.width, area.height, pixels.bands()),
                     Raster<std::uint8_t>(area.width, area.height),
                     {}};
  for (std::int64_t row = 0; row < area.height; ++row) {
    const std::int64_t y = rows[static_cast<std::size_t>(row)] - top;
    for (std::int64_t col = 0; col < area.width; ++col) {
      const std::int64_t x = cols[static_cast<std::size_t>(col)] - left;
      std::uint8_t known = valid.at(x, y);
      for (int b = 0; b < pixels.bands(); ++b) {
        window.pixels.at(col, row, b) = pixels.at(x, y, b);
        // A double may be too large for a float.
        if (!std::isfinite(pixels.at(x, y, b))) known = 0;
      }
      window.valid.at(col, row) = known;
    }
  }
  return window;
}

void draw_noise(SceneWindow& window, std::uint64_t seed) {
  window.noise = Raster<float>(window.area.width, window.area.height, window.pixels.bands());
  for (int b = 0; b < window.pixels.bands(); ++b) {
    geo::Random random(seed, geo::stable_hash(geo::concat(window.core.col, " ", window.core.row, " ", b)));
    for (float& v : window.noise.band(b)) v = static_cast<float>(random.normal());
  }
}

Raster<float> core_sample(std::span<const SceneWindow> windows) {
  const int bands = windows.front().pixels.bands();
  std::vector<std::vector<float>> values(static_cast<std::size_t>(bands));
  for (const SceneWindow& window : windows) {
    const Window core = window.core_in_area();
    for (std::int64_t row = core.row; row < core.end_row(); ++row) {
      for (std::int64_t col = core.col; col < core.end_col(); ++col) {
        if (window.valid.at(col, row) == 0) continue;
        for (int b = 0; b < bands; ++b)
          values[static_cast<std::size_t>(b)].push_back(window.pixels.at(col, row, b));
      }
    }
  }
  Raster<float> sample(std::ssize(values.front()), 1, bands);
  for (int b = 0; b < bands; ++b)
    std::ranges::copy(values[static_cast<std::size_t>(b)], sample.band(b).begin());
  return sample;
}

}  // namespace furrow::segmentation
