#include "polygon_layer.h"

#include <algorithm>

namespace furrow::segmentation {

const PolygonLayer::InCrs& PolygonLayer::in_crs(const geo::Crs& crs) {
  const std::scoped_lock lock(m_mutex);
  const auto known = std::ranges::find_if(m_read, [&](const InCrs& one) { return one.crs.same_as(crs); });
  if (known != m_read.end()) return *known;
  geo::LayerReadOptions options = m_source.read;
  options.target_crs = crs;
  if (m_source.crs_of_image) options.override_crs = crs;
  std::vector<geo::MultiPolygon> polygons;
  std::vector<geo::Box> boxes;
  for (geo::Feature& feature : geo::read_layer(m_source.path, options).features) {
    if (feature.geometry.empty()) continue;
    boxes.push_back(geo::bounds(feature.geometry));
    polygons.push_back(std::move(feature.geometry));
  }
  return m_read.emplace_back(InCrs{crs, std::move(polygons), geo::BoxIndex(boxes)});
}

std::vector<geo::MultiPolygon> PolygonLayer::near(const geo::Grid& grid, const geo::Window& window) {
  const InCrs& layer = in_crs(grid.crs);
  std::vector<geo::MultiPolygon> result;
  for (const std::size_t i : layer.index.query(grid.bounds(window))) result.push_back(layer.polygons[i]);
  return result;
}

}  // namespace furrow::segmentation
