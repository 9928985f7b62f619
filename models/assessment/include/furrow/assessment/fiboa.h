#pragma once

#include <filesystem>
#include <string>

#include <furrow/geo/vector/layer.h>

namespace furrow::assessment {

struct FiboaOptions {
  std::string collection;               ///< name of the data set; not empty
  std::string method = "auto-imagery";  ///< how the fields were found: auto-imagery, manual, surveyed,
                                        ///< driven, auto-operation, unknown
  std::string image_date;  ///< YYYY-MM-DD of the last image; empty = attribute `image_date`, if any
  std::string details;     ///< how in words, for example the model; may be empty
  std::string license;     ///< SPDX name or address; may be empty
  std::string provider;    ///< who made it; may be empty
};

/// A field layer in the terms of fiboa.
struct FiboaCollection {
  geo::Layer layer;     ///< text field `id` first
  std::string members;  ///< JSON object: what holds for all features
};

/// Turns a layer of fields into a fiboa collection (fiboa 0.3.0 on Vecorel 0.1.0, with the geometry-metrics
/// extension 0.1.0; https://github.com/fiboa/specification).
///
/// | fiboa | from |
/// |---|---|
/// | id | attribute `id` (any case), else the feature id; repeated ones get "-2", ... with a warning |
/// | metrics:area (m2) | the polygon, geodesic, two decimals; unset where the schema allows no such value |
/// | metrics:perimeter (m) | the same |
/// | determination:datetime | the image's day, 00:00 UTC |
/// | collection | the option |
/// | determination:method, determination:details | the options, once for all features |
///
/// `area_ha`, `perimeter_m` and `image_date` go, since they say the same. Attributes that `quality` and
/// `delineate` compute get the prefix "quality:"; others keep their names; all are declared in
/// `schemas:custom`. Features without polygon are left out, with a warning.
/// @throws geo::InvalidArgument  the date is no date; geo::CrsError  no CRS
[[nodiscard]] FiboaCollection to_fiboa(geo::Layer fields, const FiboaOptions& options);

/// Writes fiboa-valid GeoJSON (see to_fiboa and geo::write_geojson).
/// @throws geo::IoError, geo::InvalidArgument, geo::CrsError
void write_fiboa(geo::Layer fields, const std::filesystem::path& path, const FiboaOptions& options,
                 bool overwrite);

}  // namespace furrow::assessment
