#include "metric_frame.h"

#include <cmath>

#include <furrow/geo/core/error.h>

namespace furrow::labelling {
namespace {

/// The platform's CRS for all measures; its parameters where this PROJ does not know the code.
const geo::Crs& africa_albers() {
  static const geo::Crs kCrs = [] {
    try {
      return geo::Crs::from_user_input("ESRI:102022");
    } catch (const geo::CrsError&) {
      return geo::Crs::from_user_input(
          "+proj=aea +lat_0=0 +lon_0=25 +lat_1=20 +lat_2=-23 +x_0=0 +y_0=0 +datum=WGS84 +units=m +no_defs");
    }
  }();
  return kCrs;
}

/// Planar areas off by more than 1 %, as in Web Mercator: then distances are no metres either.
bool distorted(const geo::Crs& crs, const geo::MultiPolygon& cell) {
  const double unit = crs.metres_per_unit();
  const double planar_m2 = geo::area(cell) * unit * unit;
  return std::abs(planar_m2 / geo::GeodesicMeasure(crs).area_m2(cell) - 1.0) > 0.01;
}

}  // namespace

MetricFrame::MetricFrame(const geo::Crs& crs, const geo::MultiPolygon& cell, ScoreMode mode) {
  geo::Crs target;
  if (mode == ScoreMode::kCompatible) {
    if (crs.is_geographic()) target = africa_albers();
  } else if (crs.is_geographic() || distorted(crs, cell)) {
    const geo::CoordinateTransform to_degrees(crs, geo::lonlat_crs());
    const geo::Point centre = to_degrees.apply(geo::bounds(cell).centre());
    target = geo::Crs::local_equal_area(centre.x, centre.y);
  }
  if (target.empty()) {
    m_scale = crs.metres_per_unit();
  } else {
    m_transform.emplace(crs, target);
  }
}

geo::MultiPolygon MetricFrame::apply(geo::MultiPolygon shape) const {
  if (m_transform) return m_transform->apply(std::move(shape));
  if (m_scale == 1.0) return shape;
  for (auto& polygon : shape) {
    scale(polygon.shell);
    for (auto& hole : polygon.holes) scale(hole);
  }
  return shape;
}

std::vector<LabelledPolygon> MetricFrame::apply(const std::vector<LabelledPolygon>& polygons) const {
  std::vector<LabelledPolygon> moved;
  moved.reserve(polygons.size());
  for (const auto& p : polygons) moved.push_back({apply(p.shape), p.category, p.unsure});
  return moved;
}

void MetricFrame::scale(geo::Ring& ring) const {
  for (auto& p : ring) p = {p.x * m_scale, p.y * m_scale};
}

}  // namespace furrow::labelling
