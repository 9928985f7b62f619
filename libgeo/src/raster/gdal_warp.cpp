#include "gdal_warp.h"

#include <atomic>
#include <cmath>
#include <memory>

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

}  // namespace

std::string path_in_memory(const std::string& name) {
  static std::atomic<int> count = 0;
  return concat("/vsimem/furrow/", ++count, "/", name);
}

std::string resampling_between(const Point& from, const Point& to) {
  return std::sqrt(to.x * to.y) >= 1.5 * std::sqrt(from.x * from.y) ? "average" : "bilinear";
}

void warp_to_vrt(const RasterReader& image, const std::string& path, std::vector<std::string> arguments) {
  const GdalErrorScope errors;
  const RemoteAccess remote(image.path());
  const Dataset source(GDALOpen(image.path().c_str(), GA_ReadOnly));
  for (const char* word :
       {"-of", "VRT", "-et", "0", "-ovr", "NONE", "-wo", "UNIFIED_SRC_NODATA=NO", "-s_srs"})
    arguments.emplace_back(word);
  arguments.push_back(image.grid().crs.wkt());
  std::vector<char*> list;
  for (std::string& word : arguments) list.push_back(word.data());
  list.push_back(nullptr);
  const std::unique_ptr<GDALWarpAppOptions, FreeOptions> options(GDALWarpAppOptionsNew(list.data(), nullptr));
  GDALDatasetH from = source.get();
  const Dataset warped(source && options ? GDALWarp(path.c_str(), nullptr, 1, &from, options.get(), nullptr)
                                         : nullptr);
  if (!warped) throw IoError(concat("cannot resample image ", quoted(image.path()), errors.suffix()));
}

}  // namespace furrow::geo
