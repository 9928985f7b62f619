#include <furrow/geo/raster/block_cache_limit.h>

#include <algorithm>
#include <mutex>

#include <gdal.h>

namespace furrow::geo {
namespace {

struct CacheLimits {
  std::mutex mutex;
  std::size_t live = 0;  ///< bytes that the living limits ask for together
  GIntBig before = 0;    ///< what the cache might hold without any
};
CacheLimits& cache_limits() {
  static CacheLimits instance;
  return instance;
}

}  // namespace

BlockCacheLimit::BlockCacheLimit(std::size_t bytes) : m_bytes(bytes) {
  CacheLimits& limits = cache_limits();
  const std::scoped_lock lock(limits.mutex);
  if (limits.live == 0) limits.before = GDALGetCacheMax64();
  limits.live += m_bytes;
  GDALSetCacheMax64(std::min(limits.before, static_cast<GIntBig>(limits.live)));
}

BlockCacheLimit::~BlockCacheLimit() {
  CacheLimits& limits = cache_limits();
  const std::scoped_lock lock(limits.mutex);
  limits.live -= m_bytes;
  GDALSetCacheMax64(limits.live == 0 ? limits.before
                                     : std::min(limits.before, static_cast<GIntBig>(limits.live)));
}

}  // namespace furrow::geo
