#include <furrow/geo/raster/stacked_image.h>

#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/writer.h>

#include "support.h"

namespace furrow::geo {
namespace {

using test::TemporaryFolder;

/// Two bands that grow eastwards (100 a pixel of 10 m) and southwards, of a date.
std::string write_date(const std::filesystem::path& path, const Grid& grid, double offset,
                       std::optional<double> nodata = std::nullopt) {
  Raster<std::uint16_t> pixels(grid.width, grid.height, 2);
  for (std::int64_t row = 0; row < grid.height; ++row) {
    for (std::int64_t col = 0; col < grid.width; ++col) {
      const Point at =
          grid.transform.to_world({static_cast<double>(col) + 0.5, static_cast<double>(row) + 0.5});
      pixels.at(col, row, 0) = static_cast<std::uint16_t>(std::lround(offset + (at.x - 500000.0) * 10.0));
      pixels.at(col, row, 1) = static_cast<std::uint16_t>(std::lround(offset + (6000000.0 - at.y) * 10.0));
    }
  }
  if (nodata) pixels.at(3, 4, 1) = static_cast<std::uint16_t>(*nodata);
  RasterSpec spec;
  spec.type = PixelType::kUint16;
  spec.bands = 2;
  spec.nodata = nodata;
  spec.cog = false;
  write_raster(path, grid, pixels, spec, true);
  return path.string();
}

Grid moved(Grid grid, double east_m, double south_m) {
  grid.transform.x0 += east_m;
  grid.transform.y0 -= south_m;
  return grid;
}

TEST(StackedImage, HasTheBandsOfAllDatesToTheBit) {
  const TemporaryFolder folder;
  const Grid grid = test::utm_grid(30, 20);
  const RasterReader first(write_date(folder / "may.tif", grid, 1000.0, 7.0));
  const std::string july = write_date(folder / "july & on.tif", grid, 3000.0);
  const std::string august = write_date(folder / "august.tif", grid, 5000.0);
  const StackedImage stack(first, std::vector{july, august});
  EXPECT_TRUE(stack.resampled().empty());
  const RasterReader got(stack.path());
  ASSERT_EQ(got.bands(), 6);
  EXPECT_TRUE(got.grid().same_as(grid));
  EXPECT_EQ(got.band(1).type, PixelType::kUint16);
  EXPECT_EQ(got.band(1).nodata, 7.0);
  EXPECT_EQ(got.band(2).nodata, std::nullopt);
  const auto pixels = got.read<float>(grid.window());
  int band = 0;
  for (const std::string& path : {first.path(), july, august}) {
    const auto expected = RasterReader(path).read<float>(grid.window());
    for (int b = 0; b < 2; ++b, ++band) {
      EXPECT_TRUE(std::ranges::equal(pixels.band(band), expected.band(b))) << path << " " << b;
    }
  }
  // 7 is nodata in the first date alone.
  const auto valid = got.read_valid(grid.window());
  EXPECT_EQ(valid.at(3, 4), 0);
  EXPECT_EQ(std::ranges::count(valid.data(), std::uint8_t{1}), 30 * 20 - 1);
}

TEST(StackedImage, ADateOnAnotherGridIsResampledToTheFirst) {
  const TemporaryFolder folder;
  const Grid grid = test::utm_grid(30, 20);
  const RasterReader first(write_date(folder / "may.tif", grid, 1000.0));
  // A third of a pixel off, one column short in the west.
  const std::string july = write_date(folder / "july.tif", moved(grid, 10.0 + 10.0 / 3.0, 0.0), 3000.0);
  const StackedImage stack(first, std::vector{july});
  EXPECT_EQ(stack.resampled(), std::vector{july});
  const RasterReader got(stack.path());
  ASSERT_EQ(got.bands(), 4);
  EXPECT_TRUE(got.grid().same_as(grid));
  const auto pixels = got.read<float>(grid.window());
  const auto valid = got.read_valid(grid.window());
  const auto plain = first.read<float>(grid.window());
  for (std::int64_t row = 1; row < 19; ++row) {
    EXPECT_EQ(valid.at(0, row), 0) << "west of the second date";
    for (std::int64_t col = 3; col < 29; ++col) {
      ASSERT_EQ(valid.at(col, row), 1);
      // The same ramps, 2000 higher; resampled to where they are, not to where their pixels were.
      ASSERT_NEAR(pixels.at(col, row, 2), plain.at(col, row, 0) + 2000.0F, 1.0);
      ASSERT_NEAR(pixels.at(col, row, 3), plain.at(col, row, 1) + 2000.0F, 1.0);
    }
  }
}

TEST(StackedImage, WhatAMaskHidesHasNoData) {
  const TemporaryFolder folder;
  const Grid grid = test::utm_grid(30, 20);
  const RasterReader first(write_date(folder / "may.tif", grid, 1000.0));
  const std::string july = write_date(folder / "july.tif", grid, 3000.0, 7.0);
  // The hole of one band becomes an alpha band for both.
  const std::string masked = (folder / "masked.tif").string();
  const auto made = test::run_command(concat("gdalwarp -q -dstalpha ", july, " ", masked));
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const RasterReader other(masked);
  ASSERT_TRUE(other.has_mask());
  const StackedImage stack(first, std::vector{masked});
  const RasterReader got(stack.path());
  EXPECT_EQ(got.bands(), 4);
  const auto expected = other.read_valid(grid.window());
  EXPECT_EQ(got.read_valid(grid.window()).data(), expected.data());
  EXPECT_TRUE(stack.resampled().empty());
}

TEST(StackedImage, SaysWhatDoesNotFit) {
  const TemporaryFolder folder;
  const Grid grid = test::utm_grid(30, 20);
  const RasterReader first(write_date(folder / "may.tif", grid, 1000.0));
  const std::string far = write_date(folder / "far.tif", moved(grid, 4000.0, 0.0), 3000.0);
  EXPECT_THAT([&] { StackedImage(first, std::vector{far}); },
              testing::ThrowsMessage<InvalidArgument>(testing::HasSubstr("lies elsewhere")));
  EXPECT_THROW(StackedImage(first, std::vector{(folder / "none.tif").string()}), IoError);
}

}  // namespace
}  // namespace furrow::geo
