#include "tile_source.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <utility>

#include <furrow/geo/raster/blend.h>
#include <furrow/geo/raster/rasterize.h>

#include "rounding.h"

namespace furrow::segmentation {
namespace {

using geo::Raster;
using geo::Window;

/// Position of the pixel that mirroring at the first and last pixel (which are not repeated) puts at
/// `position`.
std::int64_t mirrored(std::int64_t position, std::int64_t extent) {
  if (extent == 1) return 0;
  const std::int64_t period = 2 * (extent - 1);
  const std::int64_t phase = position - round_down(position, period);
  return phase < extent ? phase : period - phase;
}

/// Keeps of `window` only what is also valid in `other`, which holds `at`.
void keep_common(Raster<std::uint8_t>& valid, const Window& window, const Raster<std::uint8_t>& other,
                 const Window& at) {
  for (std::int64_t row = 0; row < window.height; ++row) {
    std::uint8_t* kept = &valid.at(0, row);
    const std::uint8_t* line = &other.at(window.col - at.col, window.row - at.row + row);
    for (std::int64_t col = 0; col < window.width; ++col) kept[col] = kept[col] != 0 ? line[col] : 0;
  }
}

/// The smallest window that holds all valid pixels.
Window bounds_of_valid(const Raster<std::uint8_t>& valid) {
  std::int64_t left = valid.width(), right = 0, top = valid.height(), bottom = 0;
  for (std::int64_t row = 0; row < valid.height(); ++row) {
    const std::span line(&valid.at(0, row), static_cast<std::size_t>(valid.width()));
    const auto first = std::ranges::find_if(line, [](std::uint8_t v) { return v != 0; });
    if (first == line.end()) continue;
    const auto last = std::find_if(line.rbegin(), line.rend(), [](std::uint8_t v) { return v != 0; });
    left = std::min(left, first - line.begin());
    right = std::max(right, line.rend() - last);
    top = std::min(top, row);
    bottom = row + 1;
  }
  return bottom == 0 ? Window{} : Window{left, top, right - left, bottom - top};
}

void arrange(const Raster<float>& from, const Window& at, std::span<const std::int64_t> cols,
             std::span<const std::int64_t> rows, Raster<float>& to) {
  to.reshape(static_cast<std::int64_t>(cols.size()), static_cast<std::int64_t>(rows.size()), from.bands());
  for (int b = 0; b < from.bands(); ++b) {
    for (std::size_t y = 0; y < rows.size(); ++y) {
      const float* source = &from.at(0, rows[y] - at.row, b);
      float* target = &to.at(0, static_cast<std::int64_t>(y), b);
      for (std::size_t x = 0; x < cols.size(); ++x) target[x] = source[cols[x] - at.col];
    }
  }
}

}  // namespace

std::vector<std::int64_t> mirrored_range(std::int64_t begin, std::int64_t size, std::int64_t extent) {
  std::vector<std::int64_t> positions(static_cast<std::size_t>(size));
  for (std::int64_t i = 0; i < size; ++i)
    positions[static_cast<std::size_t>(i)] = mirrored(begin + i, extent);
  return positions;
}

TileSource::TileSource(const geo::RasterReader& reader, const PredictionPlan& plan,
                       const geo::Normalisation& how, std::vector<geo::BandStatistics> statistics)
    : m_reader(reader), m_plan(plan), m_how(how), m_statistics(std::move(statistics)) {}

Raster<std::uint8_t> TileSource::inside_cutline(const Window& window) const {
  if (m_plan.cutline.empty()) return {window.width, window.height, 1, 1};
  return geo::rasterize_extent(m_plan.cutline, m_plan.grid.subgrid(window));
}

TileSource::Axes TileSource::axes(const Window& window) const {
  const Window at = m_plan.on_image(window);
  return {mirrored_range(at.col, at.width, m_plan.image_width),
          mirrored_range(at.row, at.height, m_plan.image_height)};
}

Window TileSource::wanted_part(const TileJob& job) const {
  const Window valid = bounds_of_valid(job.valid);
  if (valid.empty()) return {};
  if (!m_plan.may_score_parts) return job.share;
  return {job.share.col + valid.col, job.share.row + valid.row, valid.width, valid.height};
}

void TileSource::load(TileJob& job) const {
  job.input = m_plan.input_window(job.core);
  job.share = geo::blend_window(job.core, m_plan.grid, m_plan.blend_px);
  job.final = m_plan.final_window(job.core);
  const Window share = m_plan.on_image(job.share);
  job.valid = inside_cutline(job.share);
  if (m_reader.is_left_out(share, m_plan.source_bands)) std::ranges::fill(job.valid.data(), std::uint8_t{0});
  job.empty = bounds_of_valid(job.valid).empty();
  if (job.empty) return;
  const Axes all = axes(job.input);
  const auto [left, right] = std::ranges::minmax(all.cols);
  const auto [top, bottom] = std::ranges::minmax(all.rows);
  const Window window{left, top, right - left + 1, bottom - top + 1};

  job.pixels = spare_raster();
  // One infinite input would spoil every score within the receptive field; it counts as missing.
  m_reader.read_with_valid(window, m_plan.source_bands, job.pixels, job.input_valid);
  keep_common(job.valid, share, job.input_valid, window);
  job.wanted = wanted_part(job);
  job.empty = job.wanted.empty();
  if (job.empty) return release_pixels(job);
  job.input = geo::intersection(job.input, m_plan.input_window(job.wanted));
  geo::normalise(job.pixels, m_how, m_statistics, job.input_valid.data());
  if (window == m_plan.on_image(job.input)) return;
  const auto [cols, rows] = axes(job.input);
  Raster<float> read = std::exchange(job.pixels, spare_raster());
  arrange(read, window, cols, rows, job.pixels);
  keep(std::move(read));
}

void TileSource::release_pixels(TileJob& job) const {
  keep(std::move(job.pixels));
}

Raster<float> TileSource::spare_raster() const {
  const std::lock_guard lock(m_mutex);
  if (m_spare.empty()) return {};
  Raster<float> raster = std::move(m_spare.back());
  m_spare.pop_back();
  return raster;
}

void TileSource::keep(Raster<float> raster) const {
  const std::lock_guard lock(m_mutex);
  m_spare.push_back(std::move(raster));
}

}  // namespace furrow::segmentation
