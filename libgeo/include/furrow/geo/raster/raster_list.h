#pragma once

#include <iosfwd>
#include <span>
#include <string>
#include <vector>

namespace furrow::geo {

/// One raster of a list.
struct RasterInput {
  std::string path;  ///< as RasterReader takes it; not opened, but a local file is there
  std::string name;  ///< stem of the file, or the name that the listing gives; no slash
  std::string date;  ///< as the listing gives it (ISO 8601: YYYY-MM or more); empty = unknown
};

struct RasterListOptions {
  std::string path_column;  ///< CSV: the column with the paths; empty = path, location, image, raster, file,
                            ///< filename, href or url, the first that is there
  std::string location_field;              ///< tile index: the attribute with the paths; empty = location
  std::string asset;                       ///< STAC: key of the asset to read; empty = the only raster asset
  bool unique_names = true;                ///< two rasters of one name are an error
  std::istream* standard_input = nullptr;  ///< what "-" reads; nullptr = std::cin
};

/// Turns what a user gives as rasters into a list of rasters, in the order given. Each input is one of
///   - a raster file in any format (a VRT stays one raster), a URL (see remote_path), a /vsi path or a
///     GDAL connection text ("GPKG:file:table"),
///   - a folder: the raster files in it (not in its subfolders), sorted; a folder that GDAL itself opens
///     as a raster stays one raster,
///   - a pattern with *, ? or [...]: the files that match, sorted,
///   - .txt, .lst or .list: one path a line, or separated by NUL; empty lines and lines that begin with #
///     do not count,
///   - .csv: a table with a column of paths (and of names: `name`; of dates: `date`, `image_date`,
///     `datetime`),
///   - .gpkg, .shp, .fgb, .geojson, .parquet: a tile index as gdaltindex writes it (attribute `location`);
///     a .gpkg without that attribute is a raster,
///   - .json or .geojson with a STAC Item, ItemCollection, Collection or Catalog (static: items are found by
///     links),
///   - "-": paths from standard input, one a line or separated by NUL.
/// Relative paths inside a listing are relative to the listing's own folder (those of standard input to the
/// working folder; those of a tile index to the working folder where they are not beside the index, because
/// gdaltindex writes paths as typed).
///
/// Opens no raster. Safe to call concurrently (except for standard input).
/// @throws IoError  a listing cannot be read or has no such column, attribute or asset (with those that are
///                  there); local files that are missing, all of them in one message; a folder or pattern
///                  without rasters; two rasters of one name; nothing listed at all
[[nodiscard]] std::vector<RasterInput> list_rasters(std::span<const std::string> inputs,
                                                    const RasterListOptions& options = {});

/// True for a file name that ends as raster files do (.tif, .vrt, .jp2, ...), whatever its case.
[[nodiscard]] bool has_raster_extension(const std::string& path);

/// The file name without folder and last extension, also of URLs (the query is left out).
[[nodiscard]] std::string raster_stem(const std::string& path);

}  // namespace furrow::geo
