#pragma once

#include <string>
#include <vector>

#include <furrow/geo/raster/reader.h>

namespace furrow::geo {

/// A path of GDAL's files in memory that no other has, ending in `name`.
[[nodiscard]] std::string path_in_memory(const std::string& name);

/// gdalwarp's method: "average" of what lies under a pixel where pixels become larger by a half or more, else
/// "bilinear".
/// @param from, to  sizes of a pixel, in metres
[[nodiscard]] std::string resampling_between(const Point& from, const Point& to);

/// A virtual raster at `path` that shows an image resampled, with exact positions, from its full resolution,
/// and with each band's own nodata.
/// @param arguments  of gdalwarp: the target grid, the method, what becomes of nodata
/// @throws IoError  GDAL cannot make it
void warp_to_vrt(const RasterReader& image, const std::string& path, std::vector<std::string> arguments);

}  // namespace furrow::geo
