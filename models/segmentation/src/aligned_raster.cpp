#include "aligned_raster.h"

#include <algorithm>
#include <cmath>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::segmentation {

using geo::concat;
using geo::quoted;
using geo::Window;

namespace {

constexpr double kTolerancePx = 0.01;

[[noreturn]] void misaligned(const std::string& what, const std::string& path, const SceneImage& image,
                             const std::string& why) {
  throw geo::IoError(concat(what, " ", quoted(path), " is not on the pixel grid of image ",
                            quoted(image.path()), ": ", why, "; make it with `furrow ",
                            what == "labels" ? "rasterize" : "consensus", " --grid` on that image"));
}

/// Where the overlay lies in the image.
/// @throws geo::CrsError, geo::IoError
Window place_in(const char* what, const geo::RasterReader& overlay, const SceneImage& image) {
  const geo::Grid& inner = overlay.grid();
  const geo::Grid& outer = image.grid();
  if (!inner.crs.empty() && !inner.crs.same_as(outer.crs)) {
    throw geo::CrsError(concat(what, " ", quoted(overlay.path()), " has CRS ", inner.crs.name(),
                               " but image ", quoted(image.path()), " has ", outer.crs.name(),
                               "; make both in one CRS"));
  }
  const auto corner = [&](double col, double row) {
    return outer.transform.to_pixel(inner.transform.to_world({col, row}));
  };
  const auto width = static_cast<double>(inner.width);
  const auto height = static_cast<double>(inner.height);
  const geo::Point first = corner(0.0, 0.0);
  const geo::Point start{std::round(first.x), std::round(first.y)};
  const geo::Point right = corner(width, 0.0);
  const geo::Point below = corner(0.0, height);
  const auto differ = [](double a, double b) { return !(std::abs(a - b) <= kTolerancePx); };
  if (differ(right.x - first.x, width) || differ(right.y, first.y) || differ(below.y - first.y, height) ||
      differ(below.x, first.x)) {
    misaligned(what, overlay.path(), image,
               concat("pixel sizes or axes differ (", inner.transform.dx, " x ", inner.transform.dy,
                      " against ", outer.transform.dx, " x ", outer.transform.dy, ")"));
  }
  if (differ(first.x, start.x) || differ(first.y, start.y)) {
    misaligned(what, overlay.path(), image,
               concat("it is shifted by ", geo::fixed(first.x - start.x, 2), ", ",
                      geo::fixed(first.y - start.y, 2), " of a pixel"));
  }
  const Window place{static_cast<std::int64_t>(start.x), static_cast<std::int64_t>(start.y), inner.width,
                     inner.height};
  if (geo::intersection(place, outer.window()).empty())
    misaligned(what, overlay.path(), image, "the two do not overlap");
  return place;
}

/// @throws geo::IoError, geo::CrsError unless a further image of a stack lies on the grid of the first
void check_stack(const geo::RasterReader& image, const std::string& first_path, const geo::Grid& first) {
  geo::Grid grid = image.grid();
  if (!grid.crs.empty() && !grid.crs.same_as(first.crs)) {
    throw geo::CrsError(concat("images ", quoted(first_path), " and ", quoted(image.path()),
                               " of one stack differ in CRS: ", first.crs.name(), " and ", grid.crs.name()));
  }
  grid.crs = first.crs;
  if (grid.same_as(first, kTolerancePx)) return;
  throw geo::IoError(concat("images ", quoted(first_path), " and ", quoted(image.path()),
                            " of one stack are not on one pixel grid (", first.width, " x ", first.height,
                            " and ", grid.width, " x ", grid.height, " px); cut both on the same grid"));
}

}  // namespace

std::shared_ptr<const geo::RasterReader> RasterPool::open(const std::string& path) {
  return m_pool.get(path, [](const std::string& file) {
    geo::RasterReadOptions lenient;
    lenient.require_crs = false;
    return std::make_shared<const geo::RasterReader>(file, lenient);
  });
}

SceneImage::SceneImage(std::vector<std::string> paths, const geo::RasterReadOptions& options,
                       RasterPool& pool)
    : m_paths(std::move(paths)), m_pool(&pool) {
  m_grid = geo::RasterReader(path(), options).grid();
  for (const std::string& file : m_paths) {
    const auto reader = pool.open(file);
    if (file != path()) check_stack(*reader, path(), m_grid);
    for (int band = 0; band < reader->bands(); ++band)
      m_descriptions.push_back(reader->band(band).description);
    m_bands_of_files.push_back(reader->bands());
  }
}

geo::Raster<float> SceneImage::read(const Window& window) const {
  if (m_paths.size() == 1) return m_pool->open(path())->read<float>(window);
  geo::Raster<float> stack(window.width, window.height, bands());
  auto to = stack.data().begin();
  for (const std::string& file : m_paths)
    to = std::ranges::copy(m_pool->open(file)->read<float>(window).data(), to).out;
  return stack;
}

geo::Raster<std::uint8_t> SceneImage::read_valid(const Window& window) const {
  geo::Raster<std::uint8_t> valid = m_pool->open(path())->read_valid(window);
  for (std::size_t i = 1; i < m_paths.size(); ++i) {
    const geo::Raster<std::uint8_t> further = m_pool->open(m_paths[i])->read_valid(window);
    std::ranges::transform(valid.data(), further.data(), valid.data().begin(),
                           [](std::uint8_t a, std::uint8_t b) { return std::min(a, b); });
  }
  return valid;
}

AlignedRaster::AlignedRaster(const char* what, std::string path, const SceneImage& image, RasterPool& pool)
    : m_path(std::move(path)), m_pool(&pool) {
  const auto reader = pool.open(m_path);
  m_place = place_in(what, *reader, image);
  for (int band = 0; band < reader->bands(); ++band) m_infos.push_back(reader->band(band));
}

template <class T>
geo::Raster<T> AlignedRaster::read(const Window& window, T fill, int band) const {
  geo::Raster<T> result(window.width, window.height, 1, fill);
  const Window common = geo::intersection(m_place, window);
  if (common.empty()) return result;
  const Window local{common.col - m_place.col, common.row - m_place.row, common.width, common.height};
  const auto reader = m_pool->open(m_path);
  const geo::Raster<T> values = reader->read<T>(local, {&band, 1});
  const geo::Raster<std::uint8_t> valid = m_all_valid
                                              ? geo::Raster<std::uint8_t>(common.width, common.height, 1, 1)
                                              : reader->read_valid(local, {&band, 1});
  for (std::int64_t row = 0; row < common.height; ++row) {
    for (std::int64_t col = 0; col < common.width; ++col) {
      if (valid.at(col, row) == 0) continue;
      result.at(common.col - window.col + col, common.row - window.row + row) = values.at(col, row);
    }
  }
  return result;
}

template geo::Raster<std::int32_t> AlignedRaster::read(const Window&, std::int32_t, int) const;
template geo::Raster<float> AlignedRaster::read(const Window&, float, int) const;

}  // namespace furrow::segmentation
