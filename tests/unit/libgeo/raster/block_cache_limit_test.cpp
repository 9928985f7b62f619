#include <furrow/geo/raster/block_cache_limit.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <thread>
#include <vector>

#include <gdal.h>
#include <gtest/gtest.h>

#include <furrow/geo/raster/reader.h>
#include <furrow/geo/raster/writer.h>

#include "support.h"

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

/// Readers push blocks out of the cache that hold a part of what will be in them.
TEST(BlockCacheLimit, NothingWrittenIsLostWhileOtherThreadsRead) {
  const test::TemporaryFolder folder;
  constexpr std::int64_t kSide = 150, kPart = 30;
  const Grid grid = test::utm_grid(kSide, kSide);
  RasterSpec other_spec;
  other_spec.bands = 4;
  other_spec.cog = false;
  RasterSpec spec;
  spec.bands = 3;
  spec.nodata = 255;
  spec.threads = 4;
  write_raster(folder / "other.tif", test::utm_grid(1024, 1024), Raster<std::uint8_t>(1024, 1024, 4, 1),
               other_spec, true);
  const RasterReader other((folder / "other.tif").string());
  const BlockCacheLimit limit(kMebibyte / 2);
  std::vector<std::jthread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) (void)other.read<std::uint8_t>({0, 0, 1024, 1024});
    });
  }
  for (int turn = 0; turn < 120; ++turn) {
    RasterWriter writer(folder / "out.tif", grid, spec, true);
    for (std::int64_t row = 0; row < kSide; row += kPart) {
      for (std::int64_t col = 0; col < kSide; col += kPart)
        writer.write({col, row, kPart, kPart}, Raster<std::uint8_t>(kPart, kPart, 3, 7));
    }
    writer.finish();
    const auto written = RasterReader((folder / "out.tif").string()).read<std::uint8_t>({0, 0, kSide, kSide});
    ASSERT_EQ(std::ranges::count(written.data(), std::uint8_t{7}), 3 * kSide * kSide) << "turn " << turn;
  }
}

}  // namespace
}  // namespace furrow::geo
