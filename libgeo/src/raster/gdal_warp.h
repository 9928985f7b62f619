#pragma once

#include <string>
#include <vector>

#include <furrow/geo/raster/reader.h>

namespace furrow::geo {

/// A virtual raster at `path` that shows an image resampled, with exact positions, from its full resolution,
/// and with each band's own nodata.
/// @param arguments  of gdalwarp: the target grid, the method, what becomes of nodata
/// @throws IoError  GDAL cannot make it
void warp_to_vrt(const RasterReader& image, const std::string& path, std::vector<std::string> arguments);

}  // namespace furrow::geo
