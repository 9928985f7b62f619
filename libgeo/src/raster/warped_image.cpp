#include <furrow/geo/raster/warped_image.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <cpl_vsi.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

#include "gdal_warp.h"

namespace furrow::geo {
namespace {

Crs target_crs(const Grid& grid) {
  if (grid.crs.is_projected()) return grid.crs;
  const Point centre = CoordinateTransform(grid.crs, lonlat_crs()).apply(grid.bounds().centre());
  return utm_crs(centre.x, centre.y);
}

bool has_nodata_in_all_bands(const RasterReader& image) {
  for (int b = 0; b < image.bands(); ++b) {
    if (!image.band(b).nodata) return false;
  }
  return !image.has_mask();
}

std::vector<std::string> warp_arguments(const RasterReader& image, double pixel_size_m) {
  const Crs crs = target_crs(image.grid());
  const std::string pixel = shortest(pixel_size_m / crs.metres_per_unit());
  const std::string method = resampling_between(image.grid().pixel_size_m(), {pixel_size_m, pixel_size_m});
  std::vector<std::string> words{"-t_srs", crs.wkt(), "-tr", pixel, pixel, "-r", method};
  if (!has_nodata_in_all_bands(image)) words.push_back("-dstalpha");
  return words;
}

}  // namespace

WarpedImage::WarpedImage(const RasterReader& image, double pixel_size_m)
    : m_path(path_in_memory("warped.vrt")) {
  if (!(pixel_size_m > 0.0) || !std::isfinite(pixel_size_m))
    throw InvalidArgument(concat("the pixel size must be above 0, got ", pixel_size_m));
  warp_to_vrt(image, m_path, warp_arguments(image, pixel_size_m));
}

WarpedImage::~WarpedImage() {
  VSIUnlink(m_path.c_str());
}

Crs utm_crs(double longitude_deg, double latitude_deg) {
  const int zone = std::clamp(static_cast<int>(std::floor((longitude_deg + 180.0) / 6.0)) + 1, 1, 60);
  return Crs::from_user_input(concat("EPSG:", (latitude_deg < 0.0 ? 32700 : 32600) + zone));
}

}  // namespace furrow::geo
