#pragma once

#include <string>
#include <vector>

#include <furrow/geo/raster/chip_grid.h>
#include <furrow/geo/vector/layer.h>

namespace furrow::geo {

/// Reads a table of places: columns name, x and y (longitude and latitude), and image_date or date where
/// there is one. Rows that repeat an earlier one (same name, place and date) are left out: label catalogues
/// have one row per labeller.
/// @throws IoError  a column is missing; a cell is no number; two places of one name and date; no row
[[nodiscard]] std::vector<NamedPoint> read_chip_points(const std::string& path);

/// Reads the polygons of an index layer.
/// @param name_column  attribute with the names of the chips; empty = name, id, tile, tile_id, grid_id or
/// site,
///                     the first that is there, else the feature's number
/// @param options      target_crs is that of the chips
/// @throws IoError  as read_layer; no such column; two features of one name; an empty name
[[nodiscard]] std::vector<NamedPolygon> read_index_polygons(const std::string& path,
                                                            const std::string& name_column,
                                                            const LayerReadOptions& options);

/// True when both dates are known as far as the month and fall into the same one (the day where both have it
/// is not looked at: monthly mosaics are dated to some day of it).
[[nodiscard]] bool same_month(const std::string& a, const std::string& b);

}  // namespace furrow::geo
