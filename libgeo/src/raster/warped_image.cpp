#include <furrow/geo/raster/warped_image.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <vector>

#include <cpl_vsi.h>
#include <gdal_utils.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

#include "gdal_support.h"

namespace furrow::geo {
namespace {

struct CloseDataset {
  void operator()(void* dataset) const { GDALClose(dataset); }
};
using Dataset = std::unique_ptr<void, CloseDataset>;

struct FreeOptions {
  void operator()(GDALWarpAppOptions* options) const { GDALWarpAppOptionsFree(options); }
};

std::string path_in_memory() {
  static std::atomic<int> count = 0;
  return concat("/vsimem/furrow/warped-", ++count, ".vrt");
}

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
  const Point size = image.grid().pixel_size_m();
  const std::string pixel = shortest(pixel_size_m / crs.metres_per_unit());
  const bool shrinks = pixel_size_m >= 1.5 * std::sqrt(size.x * size.y);
  std::vector<std::string> words{"-of",
                                 "VRT",
                                 "-s_srs",
                                 image.grid().crs.wkt(),
                                 "-t_srs",
                                 crs.wkt(),
                                 "-tr",
                                 pixel,
                                 pixel,
                                 "-et",
                                 "0",
                                 "-ovr",
                                 "NONE",
                                 "-r",
                                 shrinks ? "average" : "bilinear",
                                 "-wo",
                                 "UNIFIED_SRC_NODATA=NO"};
  if (!has_nodata_in_all_bands(image)) words.push_back("-dstalpha");
  return words;
}

}  // namespace

WarpedImage::WarpedImage(const RasterReader& image, double pixel_size_m) : m_path(path_in_memory()) {
  if (!(pixel_size_m > 0.0) || !std::isfinite(pixel_size_m))
    throw InvalidArgument(concat("the pixel size must be above 0, got ", pixel_size_m));
  const GdalErrorScope errors;
  const RemoteAccess remote(image.path());
  const Dataset source(GDALOpen(image.path().c_str(), GA_ReadOnly));
  std::vector<std::string> words = warp_arguments(image, pixel_size_m);
  std::vector<char*> list;
  for (std::string& word : words) list.push_back(word.data());
  list.push_back(nullptr);
  const std::unique_ptr<GDALWarpAppOptions, FreeOptions> options(GDALWarpAppOptionsNew(list.data(), nullptr));
  GDALDatasetH from = source.get();
  const Dataset warped(source && options ? GDALWarp(m_path.c_str(), nullptr, 1, &from, options.get(), nullptr)
                                         : nullptr);
  if (warped) return;
  throw IoError(concat("cannot resample image ", quoted(image.path()), " to pixels of ",
                       fixed(pixel_size_m, 2), " m", errors.suffix()));
}

WarpedImage::~WarpedImage() {
  VSIUnlink(m_path.c_str());
}

Crs utm_crs(double longitude_deg, double latitude_deg) {
  const int zone = std::clamp(static_cast<int>(std::floor((longitude_deg + 180.0) / 6.0)) + 1, 1, 60);
  return Crs::from_user_input(concat("EPSG:", (latitude_deg < 0.0 ? 32700 : 32600) + zone));
}

}  // namespace furrow::geo
