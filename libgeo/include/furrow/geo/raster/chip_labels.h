#pragma once

#include <functional>
#include <string>
#include <vector>

#include <furrow/geo/raster/rasterize.h>
#include <furrow/geo/raster/reader.h>

namespace furrow::geo {

/// Where label chips come from: a function that gives the labels of a window of one grid, or nothing.
/// Called from several threads. Values as in rasterize.h; the window may reach over the grid's border.
using LabelsOfWindow = std::function<Raster<std::uint8_t>(const Window&)>;
/// Makes that function for one grid; called from several threads when every chip has its own.
/// @param what  the image in messages, quoted; empty = one of many grids, nothing to warn about
/// @throws anything: the image then counts as failed
using LabelsOfGrid = std::function<LabelsOfWindow(const Grid& grid, const std::string& what)>;

/// Labels from polygons, in any CRS that reaches the grid's; an empty `crs` means the grid's own.
[[nodiscard]] LabelsOfGrid labels_from_polygons(std::vector<MultiPolygon> polygons, Crs crs,
                                                const BoundaryOptions& boundary);

/// What to do with a label raster whose pixels are not the chips'.
enum class LabelsOffGrid { kError, kNearest };

/// Labels from a class raster; it may be larger or smaller. With kError it lies on the grid's pixel lattice
/// (same CRS and pixel size, whole pixels apart), with kNearest a chip's pixel gets the label of the pixel at
/// its centre. 3 becomes kIgnore, and so does everything outside it. Its nodata value is not looked at: label
/// rasters often declare a class as nodata.
/// @throws IoError when it cannot be opened; later, per grid, when it does not fit or holds other values
[[nodiscard]] LabelsOfGrid labels_from_raster(const std::string& path, const RasterReadOptions& read = {},
                                              LabelsOffGrid off_grid = LabelsOffGrid::kError);

}  // namespace furrow::geo
