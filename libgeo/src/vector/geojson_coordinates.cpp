#include <furrow/geo/vector/geojson_coordinates.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/geos.h>

namespace furrow::geo {
namespace {

template <class Change>
void each_point(MultiPolygon& shape, Change change) {
  for (Polygon& polygon : shape) {
    std::ranges::for_each(polygon.shell, change);
    for (Ring& hole : polygon.holes) std::ranges::for_each(hole, change);
  }
}

constexpr double kTurn = 360.0;
constexpr double kHalf = 180.0;

/// A shape that spans more than half the globe crosses the antimeridian instead, as one does that reaches
/// beyond 180 degrees. It is seen as lying east of the antimeridian's western side, cut there, and the part
/// beyond is moved back.
MultiPolygon cut_at_antimeridian(MultiPolygon shape) {
  const Box box = bounds(shape);
  if (box.width() <= kHalf && box.min_x >= -kHalf && box.max_x <= kHalf) return shape;
  MultiPolygon east = shape;
  const bool whole = box.width() <= kHalf && box.min_x < -kHalf;
  each_point(east, [&](Point& p) { p.x += whole || p.x < 0.0 ? kTurn : 0.0; });
  if (bounds(east).width() > kHalf) return shape;  // it really is that wide
  if (!check_validity(east).valid) east = make_valid(east);
  MultiPolygon parts = intersection(east, {to_polygon({0.0, -90.0, kHalf, 90.0})});
  MultiPolygon beyond = intersection(east, {to_polygon({kHalf, -90.0, kHalf + kTurn, 90.0})});
  each_point(beyond, [](Point& p) { p.x -= kTurn; });
  std::ranges::move(beyond, std::back_inserter(parts));
  return parts;
}

/// Rounds points; false when the result is not valid.
bool round_simply(MultiPolygon& shape, double scale) {
  each_point(shape, [&](Point& p) {
    p.x = std::round(p.x * scale) / scale;
    p.y = std::round(p.y * scale) / scale;
  });
  return check_validity(shape).valid;
}

MultiPolygon rounded(const MultiPolygon& shape) {
  const double scale = std::pow(10.0, kGeoJsonDecimals);
  MultiPolygon result = shape;
  if (round_simply(result, scale)) return result;
  // Of a valid shape GEOS makes a valid one on the grid; one that came invalid is repaired first.
  result = snap_to_grid(check_validity(shape).valid ? shape : make_valid(shape), 1.0 / scale);
  if (!result.empty() && !round_simply(result, scale)) result = make_valid(result);
  return result;
}

}  // namespace

MultiPolygon to_geojson_coordinates(MultiPolygon shape, const CoordinateTransform& to_lonlat) {
  return rounded(cut_at_antimeridian(to_lonlat.apply(std::move(shape))));
}

void to_geojson_coordinates(Layer& layer) {
  const bool any = std::ranges::any_of(layer.features, [](const Feature& f) { return !f.geometry.empty(); });
  if (!any) return;
  if (layer.crs.empty())
    throw CrsError(concat("layer ", quoted(layer.name), " has polygons but no CRS; it cannot be written"));
  const CoordinateTransform transform(layer.crs, lonlat_crs());
  const std::size_t before = layer.features.size();
  std::erase_if(layer.features, [&](Feature& feature) {
    if (feature.geometry.empty()) return false;
    feature.geometry = to_geojson_coordinates(std::move(feature.geometry), transform);
    return feature.geometry.empty();
  });
  layer.crs = lonlat_crs();
  if (layer.features.size() < before) {
    log_warning(
        concat(before - layer.features.size(), " polygons of layer ", quoted(layer.name),
               " are narrower than a centimetre: they vanish by rounding in GeoJSON and are left out"));
  }
}

}  // namespace furrow::geo
