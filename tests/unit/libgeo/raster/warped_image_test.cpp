#include <furrow/geo/raster/warped_image.h>

#include <cmath>

#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/writer.h>

#include "support.h"

namespace furrow::geo {
namespace {

using test::TemporaryFolder;

/// Two bands of noise; 3 x 3 pixels of the second have no data.
std::string write_image(const std::filesystem::path& path, const Grid& grid, std::optional<double> nodata) {
  Raster<std::uint16_t> pixels(grid.width, grid.height, 2);
  Random random(3);
  for (auto& v : pixels.data()) v = static_cast<std::uint16_t>(100 + random.below(1000));
  for (std::int64_t row = 10; row < 13; ++row) {
    for (std::int64_t col = 20; col < 23; ++col) pixels.at(col, row, 1) = 0;
  }
  RasterSpec spec;
  spec.type = PixelType::kUint16;
  spec.bands = 2;
  spec.nodata = nodata;
  spec.cog = false;
  write_raster(path, grid, pixels, spec, true);
  return path.string();
}

TEST(WarpedImage, HasThePixelsOfGdalwarp) {
  const TemporaryFolder folder;
  const RasterReader image(write_image(folder / "a.tif", test::utm_grid(60, 40), 0.0));
  for (const auto& [pixel_m, method] : {std::pair{5.0, "bilinear"}, {12.0, "bilinear"}, {30.0, "average"}}) {
    const WarpedImage warped(image, pixel_m);
    const RasterReader got(warped.path());
    EXPECT_EQ(got.bands(), 2);
    EXPECT_TRUE(got.grid().crs.same_as(image.grid().crs));
    EXPECT_NEAR(got.grid().transform.pixel_width(), pixel_m, 1e-9);
    const std::string out = (folder / "b.tif").string();
    const auto result =
        test::run_command(concat("gdalwarp -q -overwrite -et 0 -wo UNIFIED_SRC_NODATA=NO -r ", method,
                                 " -tr ", pixel_m, " ", pixel_m, " ", image.path(), " ", out));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const RasterReader expected(out);
    ASSERT_TRUE(got.grid().same_as(expected.grid()));
    EXPECT_EQ(got.read<std::uint16_t>(got.grid().window()).data(),
              expected.read<std::uint16_t>(expected.grid().window()).data());
  }
}

TEST(WarpedImage, WhatHasNoDataInOneBandHasNone) {
  const TemporaryFolder folder;
  const RasterReader image(write_image(folder / "a.tif", test::utm_grid(60, 40), 0.0));
  const WarpedImage warped(image, 5.0);
  const RasterReader got(warped.path());
  const auto valid = got.read_valid(got.grid().window());
  for (const std::int64_t row : {22, 23}) {
    for (const std::int64_t col : {42, 43}) EXPECT_EQ(valid.at(col, row), 0) << "inside the hole";
  }
  EXPECT_EQ(valid.at(38, 22), 1);
  EXPECT_EQ(valid.at(60, 30), 1);
  EXPECT_GT(got.read<std::uint16_t>({42, 22, 1, 1}).at(0, 0, 0), 0) << "the other band has a value";
}

TEST(WarpedImage, DegreesBecomeMetresOfTheUtmZone) {
  const TemporaryFolder folder;
  const Grid degrees{90, 60, {15.2, 0.0001, 0.0, 48.3, 0.0, -0.0001}, lonlat_crs()};
  const RasterReader image(write_image(folder / "a.tif", degrees, std::nullopt));
  const WarpedImage warped(image, 10.0);
  const RasterReader got(warped.path());
  EXPECT_EQ(got.grid().crs.epsg(), 32633);
  EXPECT_EQ(got.bands(), 3) << "alpha: the image is turned a little, and its corners lie in nothing";
  EXPECT_NEAR(got.grid().transform.pixel_width(), 10.0, 1e-9);
  EXPECT_NEAR(static_cast<double>(got.grid().width), 90.0 * 7.42 / 10.0, 2.0);
  const auto valid = got.read_valid(got.grid().window());
  EXPECT_EQ(valid.at(got.grid().width / 2, got.grid().height / 2), 1);
}

TEST(WarpedImage, RefusesPixelsOfNoSize) {
  const TemporaryFolder folder;
  const RasterReader image(write_image(folder / "a.tif", test::utm_grid(60, 40), 0.0));
  EXPECT_THROW(WarpedImage(image, 0.0), InvalidArgument);
  EXPECT_THROW(WarpedImage(image, -3.0), InvalidArgument);
}

TEST(UtmCrs, FollowsZoneAndHemisphere) {
  EXPECT_EQ(utm_crs(9.0, 50.0).epsg(), 32632);
  EXPECT_EQ(utm_crs(-180.0, -10.0).epsg(), 32701);
  EXPECT_EQ(utm_crs(180.0, 10.0).epsg(), 32660);
}

}  // namespace
}  // namespace furrow::geo
