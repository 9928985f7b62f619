#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "packed_rtree.h"

namespace furrow::geo {

/// The table of a GeoPackage's extensions, which is only there once one is used.
inline constexpr const char* kCreateGpkgExtensions =
    "CREATE TABLE IF NOT EXISTS gpkg_extensions (table_name TEXT, column_name TEXT, extension_name TEXT NOT "
    "NULL, "
    "definition TEXT NOT NULL, scope TEXT NOT NULL, "
    "CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name))";

/// Text between the quotes that SQL wants around it: ' for values, " for names.
[[nodiscard]] std::string sql_quoted(const std::string& text, char quote);

/// A layer of a GeoPackage that was written without a spatial index.
struct UnindexedLayer {
  std::string table;
  std::string fid_column;
  std::string geometry_column;
  std::vector<IndexedBox> boxes;  ///< of the features that have a geometry
};

/// Gives layers of a GeoPackage the R-tree that GDAL gives them (extension gpkg_rtree_index, with its
/// triggers), packed in one go into the tables behind SQLite's virtual table instead of feature by feature.
/// @param file    the GeoPackage, open nowhere
/// @param origin  its name for messages
/// @throws IoError  writing fails
void add_spatial_indexes(const std::filesystem::path& file, const std::string& origin,
                         std::vector<UnindexedLayer> layers);

}  // namespace furrow::geo
