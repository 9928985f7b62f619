#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <furrow/geo/vector/layer.h>

namespace furrow::geo {

/// How one layer of a GeoPackage looks in QGIS.
struct LayerStyle {
  std::string name;           ///< at most 30 characters
  std::string qml;            ///< QGIS style document
  bool is_default = false;    ///< one per layer
  std::string description{};  ///< one sentence; empty = the name
};

struct PackagedLayer {
  Layer layer;
  std::string description;     ///< one sentence with units, date, model
  bool multi_polygon = false;  ///< false: Polygon; a feature of several parts becomes several features
  std::vector<LayerStyle> styles;
  /// Features behind those of `layer`, which need not be in memory at once; may be empty.
  FeatureSource more{};
};

/// Writes layers (tables where no feature has a geometry and the CRS is empty) into one GeoPackage.
///
/// Attributes keep their names: where one is called "fid" or "geom", the feature ids or the geometries get
/// another column ("fid_1", "geom_1"). Of fields whose names differ only in case the later ones get a number
/// behind their name, with a warning. The file appears whole or not at all. Identical input gives identical
/// bytes when SOURCE_DATE_EPOCH is set. Date-times are UTC. Styles land in `layer_styles` as QGIS reads it
/// (ecosystem.md 2.3); titles, descriptions and codes of fields in `gpkg_data_columns` and
/// `gpkg_data_column_constraints` (extension gpkg_schema). The spatial index is the one that GDAL makes
/// (R-tree with its triggers), packed in one go.
/// @param metadata  of the whole file: lands in `gpkg_metadata`, shown by gdalinfo and ogrinfo
/// @throws IoError   the file exists without `overwrite`, or writing fails
/// @throws CrsError  a layer with polygons has no CRS
void write_geopackage(std::vector<PackagedLayer> layers, const std::filesystem::path& path, bool overwrite,
                      const std::map<std::string, std::string>& metadata = {});

/// What a GeoJSON file says besides its features.
struct GeoJsonOptions {
  std::string id_field;  ///< text field that becomes the features' `id`; empty = none
  std::string members;   ///< JSON object whose members the FeatureCollection gets; empty = none
};

/// Writes one layer as GeoJSON by RFC 7946: WGS 84 longitude and latitude with 7 decimals, outer rings
/// counter-clockwise, valid polygons after rounding, cut at the antimeridian; unset cells are left out.
/// @throws IoError; CrsError  polygons without CRS
void write_geojson(Layer layer, const std::filesystem::path& path, bool overwrite,
                   const GeoJsonOptions& options = {});

/// Writes one layer in the format of the extension: .gpkg, .geojson/.json (as write_geojson), .fgb, .shp,
/// .csv (attributes only).
/// @throws IoError   also for an unknown extension
void write_layer(Layer layer, const std::filesystem::path& path, bool overwrite);

}  // namespace furrow::geo
