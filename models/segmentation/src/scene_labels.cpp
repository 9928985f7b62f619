#include "scene_labels.h"

#include <set>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::segmentation {

using geo::concat;
using geo::quoted;
using geo::Window;

namespace {

/// @throws geo::IoError listing values that are no labels
geo::Raster<std::uint8_t> read_raster(const AlignedRaster& raster, const Window& window) {
  // Wide integers, so that an instance or value raster is not clamped into labels.
  const geo::Raster<std::int32_t> stored = raster.read<std::int32_t>(window, geo::kIgnore);
  geo::Raster<std::uint8_t> labels(window.width, window.height);
  std::set<std::int32_t> wrong;
  for (std::size_t i = 0; i < stored.data().size(); ++i) {
    const std::int32_t value = stored.data()[i];
    const bool ignored = value == 3 || value == geo::kIgnore;
    if (!ignored && (value < 0 || value > 2) && wrong.size() < 10) wrong.insert(value);
    labels.data()[i] = ignored ? geo::kIgnore : static_cast<std::uint8_t>(value);
  }
  if (!wrong.empty()) {
    std::vector<std::string> texts;
    for (const std::int32_t value : wrong) texts.push_back(std::to_string(value));
    throw geo::IoError(concat("labels ", quoted(raster.path()),
                              " hold values that are no classes: ", geo::join(texts, ", "),
                              "; allowed are 0 background, 1 interior, 2 boundary, 3 or 255 ignore"));
  }
  return labels;
}

}  // namespace

SceneLabels::SceneLabels(AlignedRaster raster, const geo::Grid& image)
    : m_path(raster.path()),
      m_extent(geo::intersection(raster.place(), image.window())),
      m_raster(std::move(raster)) {}

SceneLabels::SceneLabels(std::string path, std::vector<geo::MultiPolygon> polygons, const geo::Grid& image,
                         const geo::BoundaryOptions& boundary)
    : m_path(std::move(path)),
      m_extent(image.window()),
      m_polygons(std::in_place, std::move(polygons), image, boundary) {}

void SceneLabels::limit_to(std::vector<geo::MultiPolygon> area, const geo::Grid& image) {
  geo::Box box;
  for (const geo::MultiPolygon& polygon : area) box.expand(geo::bounds(polygon));
  m_extent = box.empty() ? Window{} : geo::intersection(m_extent, image.window_of(box));
  m_area.emplace(std::move(area), image);
}

geo::Raster<std::uint8_t> SceneLabels::read(const Window& window) const {
  geo::Raster<std::uint8_t> labels = m_polygons ? m_polygons->labels(window) : read_raster(*m_raster, window);
  if (!m_area) return labels;
  const geo::Raster<std::uint8_t> mapped = m_area->extent(window);
  for (std::size_t i = 0; i < labels.data().size(); ++i) {
    if (mapped.data()[i] == 0) labels.data()[i] = geo::kIgnore;
  }
  return labels;
}

}  // namespace furrow::segmentation
