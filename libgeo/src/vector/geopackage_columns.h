#pragma once

#include <string>
#include <vector>

#include <furrow/geo/vector/layer_writer.h>

namespace furrow::geo {

/// SQL that tells a GeoPackage what its columns mean (extension gpkg_schema): titles and descriptions in
/// `gpkg_data_columns`, the meanings of codes in `gpkg_data_column_constraints`. GDAL reads codes as field
/// domains from 3.3 on, and titles from 3.7 on; 3.6 does not write them itself.
/// Empty when no field has any of them.
[[nodiscard]] std::vector<std::string> column_guide_sql(const std::vector<PackagedLayer>& layers);

}  // namespace furrow::geo
