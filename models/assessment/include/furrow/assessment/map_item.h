#pragma once

#include <filesystem>
#include <span>
#include <string>

namespace furrow::assessment {

struct MapItemOptions {
  std::string id;          ///< of the item; not empty
  std::string title;       ///< may be empty
  std::string image_date;  ///< YYYY-MM-DD; empty = from the files
};

/// A STAC item (1.0.0; projection 1.2.0, raster 1.1.0, classification 1.1.0, file 2.1.0) that lists the
/// outputs of a run, for catalogues: one asset a file, under the file's name without extension.
///
/// Rasters tell their CRS, size, transform, bands and classes; vector files their CRS and layers; all files
/// their type, size and SHA-256. Geometry: the outline of the largest raster, else the box around the
/// polygons. Time: the option, else TIFFTAG_DATETIME of the rasters and `image_date` of the fields: a day, or
/// a range. Links of assets are relative to `item`'s folder.
/// @param files  rasters (what GDAL opens), polygon layers, and anything else (reports, tables)
/// @return       JSON text
/// @throws geo::InvalidArgument  no file says where or when, or two files would have one name
/// @throws geo::IoError, geo::CrsError  a file cannot be read; a raster has no CRS
[[nodiscard]] std::string map_item(std::span<const std::string> files, const std::filesystem::path& item,
                                   const MapItemOptions& options);

}  // namespace furrow::assessment
