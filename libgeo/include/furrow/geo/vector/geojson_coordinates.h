#pragma once

#include <furrow/geo/crs/crs.h>
#include <furrow/geo/vector/layer.h>

namespace furrow::geo {

/// Decimals of degrees in GeoJSON (RFC 7946 11.2): about 1 cm.
inline constexpr int kGeoJsonDecimals = 7;

/// A shape in the coordinates of GeoJSON (RFC 7946): WGS 84 longitude and latitude, rounded to
/// kGeoJsonDecimals and valid afterwards, cut in two where it crosses the antimeridian (3.1.9). Vertices that
/// neighbours share stay shared. Empty when it vanishes by rounding.
/// @param to_lonlat  from the shape's CRS to lonlat_crs()
/// @throws CrsError  coordinates without an image
[[nodiscard]] MultiPolygon to_geojson_coordinates(MultiPolygon shape, const CoordinateTransform& to_lonlat);

/// The same for all polygons of a layer. A polygon that vanishes by rounding leaves its feature without
/// geometry, with a warning. Layers without polygons stay as they are.
/// @throws CrsError  polygons without CRS, or coordinates without an image
void to_geojson_coordinates(Layer& layer);

}  // namespace furrow::geo
