#pragma once

#include <furrow/geo/vector/layer.h>

namespace furrow::geo {

/// Decimals of degrees in GeoJSON (RFC 7946 11.2): about 1 cm.
inline constexpr int kGeoJsonDecimals = 7;

/// Gives a layer's polygons the coordinates of GeoJSON (RFC 7946): WGS 84 longitude and latitude, rounded to
/// kGeoJsonDecimals and valid afterwards, cut in two where they cross the antimeridian (3.1.9). Vertices that
/// neighbours share stay shared. A polygon that vanishes by rounding leaves its feature without geometry,
/// with a warning. Layers without polygons stay as they are.
/// @throws CrsError  polygons without CRS, or coordinates without an image
void to_geojson_coordinates(Layer& layer);

}  // namespace furrow::geo
