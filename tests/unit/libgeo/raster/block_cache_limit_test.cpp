#include <furrow/geo/raster/block_cache_limit.h>

#include <cstddef>
#include <memory>

#include <gdal.h>
#include <gtest/gtest.h>

namespace furrow::geo {
namespace {

constexpr std::size_t kMebibyte = std::size_t{1} << 20;

TEST(BlockCacheLimit, HoldsWhileItLivesAndAddsUp) {
  const GIntBig before = GDALGetCacheMax64();
  GDALSetCacheMax64(static_cast<GIntBig>(100 * kMebibyte));
  {
    auto first = std::make_unique<BlockCacheLimit>(20 * kMebibyte);
    EXPECT_EQ(GDALGetCacheMax64(), static_cast<GIntBig>(20 * kMebibyte));
    const BlockCacheLimit second(30 * kMebibyte);
    EXPECT_EQ(GDALGetCacheMax64(), static_cast<GIntBig>(50 * kMebibyte)) << "each may use its share";
    const BlockCacheLimit third(200 * kMebibyte);
    EXPECT_EQ(GDALGetCacheMax64(), static_cast<GIntBig>(100 * kMebibyte)) << "never more than before";
    first.reset();
    EXPECT_EQ(GDALGetCacheMax64(), static_cast<GIntBig>(100 * kMebibyte));
  }
  EXPECT_EQ(GDALGetCacheMax64(), static_cast<GIntBig>(100 * kMebibyte));
  GDALSetCacheMax64(before);
}

}  // namespace
}  // namespace furrow::geo
