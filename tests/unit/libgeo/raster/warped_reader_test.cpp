#include <furrow/geo/raster/warped_reader.h>

#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/chip_grid.h>
#include <furrow/geo/raster/writer.h>

#include "support.h"

namespace furrow::geo {
namespace {

using test::TemporaryFolder;

template <class T>
std::shared_ptr<const RasterReader> file_of(const std::filesystem::path& path, const Grid& grid,
                                            const Raster<T>& pixels,
                                            std::optional<double> nodata = std::nullopt) {
  RasterSpec spec;
  spec.type = pixel_type_of<T>();
  spec.bands = pixels.bands();
  spec.nodata = nodata;
  spec.cog = false;
  write_raster(path, grid, pixels, spec, true);
  return std::make_shared<const RasterReader>(path.string());
}

template <class T>
Raster<T> noise(std::int64_t width, std::int64_t height, int bands, std::uint64_t seed, double missing = 0.0,
                T nodata = T{0}) {
  Random random(seed);
  Raster<T> out(width, height, bands);
  for (T& v : out.data()) v = static_cast<T>(random.below(200) + 20);
  for (std::int64_t i = 0; i < out.pixels(); ++i) {
    if (!random.chance(missing)) continue;
    for (int b = 0; b < bands; ++b) out.band(b)[static_cast<std::size_t>(i)] = nodata;
  }
  return out;
}

WarpOptions by(Resampling resampling) {
  WarpOptions options;
  options.resampling = resampling;
  return options;
}

TEST(PixelsCoincide, WholePixelsApartInTheSameDirection) {
  const Grid grid = test::utm_grid(20, 10);
  EXPECT_TRUE(pixels_coincide(grid.subgrid({-7, 3, 5, 5}), grid));
  Grid other = grid;
  other.transform.x0 += 2.0;
  EXPECT_FALSE(pixels_coincide(grid, other));
  other = grid;
  other.transform.dx = 10.001;
  EXPECT_FALSE(pixels_coincide(grid, other));
  const Grid south_up{20, 10, {500000.0, 10.0, 0.0, 5999900.0, 0.0, 10.0}, test::utm()};
  EXPECT_FALSE(pixels_coincide(south_up, grid));
  other = grid;
  other.crs = Crs::from_user_input("EPSG:32633");
  EXPECT_FALSE(pixels_coincide(grid, other));
}

TEST(WarpedReader, CoincidingPixelsAreCopiedBitForBit) {
  const TemporaryFolder folder;
  const std::array<Grid, 3> grids{test::utm_grid(31, 17),
                                  Grid{31, 17, {500000.0, 10.0, 0.0, 6000000.0, 0.0, 10.0}, test::utm()},
                                  Grid{31, 17, {500000.0, 8.0, 6.0, 6000000.0, 6.0, -8.0}, test::utm()}};
  for (const Grid& grid : grids) {
    auto pixels = noise<float>(31, 17, 2, 5);
    pixels.at(3, 4, 0) = std::numeric_limits<float>::quiet_NaN();
    const WarpedReader reader(file_of(folder / "a.tif", grid, pixels), {1, 0}, by(Resampling::kCubic));
    const Grid target = grid.subgrid({-4, -2, 50, 50});
    const auto got = reader.read<float>(target, {0, 0, 50, 50});
    for (std::int64_t r = 0; r < 50; ++r) {
      for (std::int64_t c = 0; c < 50; ++c) {
        const bool inside = c >= 4 && c < 35 && r >= 2 && r < 19;
        const bool valid = inside && !(c == 7 && r == 6);
        ASSERT_EQ(got.valid.at(c, r), valid ? 1 : 0) << c << " " << r;
        if (!valid) continue;
        ASSERT_EQ(got.values.at(c, r, 0), pixels.at(c - 4, r - 2, 1));
        ASSERT_EQ(got.values.at(c, r, 1), pixels.at(c - 4, r - 2, 0));
      }
    }
  }
}

TEST(WarpedReader, NearestTakesThePixelAtTheCentre) {
  const TemporaryFolder folder;
  const std::array<Grid, 3> sources{test::utm_grid(60, 50),
                                    Grid{60, 50, {500000.0, 10.0, 0.0, 5999500.0, 0.0, 10.0}, test::utm()},
                                    Grid{60, 50, {500000.0, 8.0, 6.0, 6000000.0, 6.0, -8.0}, test::utm()}};
  const Point corner = CoordinateTransform(test::utm(), lonlat_crs()).apply(Point{499950.0, 6000100.0});
  const Grid target{90, 80, {corner.x, 0.00013, 0.0, corner.y, 0.0, -0.00009}, lonlat_crs()};
  for (const Grid& grid : sources) {
    const auto pixels = noise<std::int16_t>(60, 50, 1, 6, 0.2, std::int16_t{-9});
    const WarpedReader reader(file_of(folder / "a.tif", grid, pixels, -9.0), {0}, by(Resampling::kNearest));
    const auto got = reader.read<std::int16_t>(target, target.window());
    const CoordinateTransform to_utm(lonlat_crs(), test::utm());
    std::int64_t valid = 0;
    for (std::int64_t r = 0; r < target.height; ++r) {
      for (std::int64_t c = 0; c < target.width; ++c) {
        const Point p = grid.transform.to_pixel(to_utm.apply(
            target.transform.to_world({static_cast<double>(c) + 0.5, static_cast<double>(r) + 0.5})));
        const bool inside = p.x >= 0.0 && p.y >= 0.0 && p.x < 60.0 && p.y < 50.0;
        const std::int16_t expected =
            inside ? pixels.at(static_cast<std::int64_t>(p.x), static_cast<std::int64_t>(p.y))
                   : std::int16_t{-9};
        ASSERT_EQ(got.valid.at(c, r), expected != -9 ? 1 : 0) << c << " " << r;
        if (expected == -9) continue;
        ASSERT_EQ(got.values.at(c, r), expected) << c << " " << r;
        ++valid;
      }
    }
    EXPECT_GT(valid, 1000);
  }
}

TEST(WarpedReader, AverageOfWholePixelsLeavesNodataOut) {
  const TemporaryFolder folder;
  Raster<float> pixels(4, 4, 1);
  std::iota(pixels.data().begin(), pixels.data().end(), 1.0F);
  pixels.at(0, 0) = -1.0F;
  pixels.at(2, 2) = pixels.at(3, 2) = pixels.at(2, 3) = pixels.at(3, 3) = -1.0F;
  const WarpedReader reader(file_of(folder / "a.tif", test::utm_grid(4, 4), pixels, -1.0), {0},
                            by(Resampling::kAverage));
  const auto got = reader.read<float>(test::utm_grid(2, 2, 20.0), {0, 0, 2, 2});
  EXPECT_THAT(got.valid.data(), testing::ElementsAre(1, 1, 1, 0));
  EXPECT_FLOAT_EQ(got.values.at(0, 0), (2.0F + 5.0F + 6.0F) / 3.0F);
  EXPECT_FLOAT_EQ(got.values.at(1, 0), (3.0F + 4.0F + 7.0F + 8.0F) / 4.0F);
  EXPECT_FLOAT_EQ(got.values.at(0, 1), (9.0F + 10.0F + 13.0F + 14.0F) / 4.0F);
}

/// gdalwarp's result on the same grid.
Raster<std::uint16_t> gdalwarp(const TemporaryFolder& folder, const std::string& source, const Grid& target,
                               const std::string& method) {
  const Box box = target.bounds();
  const std::string out = (folder / "warped.tif").string();
  const auto result = test::run_command(
      concat("gdalwarp -q -overwrite -et 0 -r ", method == "nearest" ? "near" : method, " -t_srs ",
             target.crs.name(), " -te ", box.min_x, " ", box.min_y, " ", box.max_x, " ", box.max_y, " -ts ",
             target.width, " ", target.height, " ", source, " ", out));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return RasterReader(out).read<std::uint16_t>(target.window());
}

TEST(WarpedReader, EveryMethodEqualsGdalwarpPixelForPixel) {
  const TemporaryFolder folder;
  const auto pixels = noise<std::uint16_t>(80, 70, 2, 7);
  const auto source = file_of(folder / "a.tif", test::utm_grid(80, 70), pixels);
  const Point corner = CoordinateTransform(test::utm(), lonlat_crs()).apply(Point{500110.0, 5999900.0});
  const Grid finer{64, 64, {corner.x, 0.00004, 0.0, corner.y, 0.0, -0.00004}, lonlat_crs()};
  const Grid coarser{9, 9, {corner.x, 0.0005, 0.0, corner.y, 0.0, -0.0004}, lonlat_crs()};
  for (const std::string& method : resampling_names()) {
    const WarpedReader reader(source, {0, 1}, by(resampling_of(method)));
    EXPECT_EQ(reader.read<std::uint16_t>(finer, finer.window()).values.data(),
              gdalwarp(folder, source->path(), finer, method).data())
        << method;
    // Kernels that grow with the pixel are as large as the place asks; gdalwarp goes by the whole image.
    const bool looks_below = resampling_of(method) >= Resampling::kAverage;
    if (!looks_below) continue;
    EXPECT_EQ(reader.read<std::uint16_t>(coarser, coarser.window()).values.data(),
              gdalwarp(folder, source->path(), coarser, method).data())
        << method;
  }
}

TEST(WarpedReader, PixelsDoNotDependOnTheWindowThatIsRead) {
  const TemporaryFolder folder;
  const auto pixels = noise<std::int16_t>(300, 280, 1, 8, 0.02, std::int16_t{0});
  const auto source = file_of(folder / "a.tif", test::utm_grid(300, 280), pixels, 0.0);
  const Point corner = CoordinateTransform(test::utm(), lonlat_crs()).apply(Point{499800.0, 6000100.0});
  for (const double pixel_deg : {0.00007, 0.0004}) {
    const Grid target{120, 110, {corner.x, pixel_deg, 0.0, corner.y, 0.0, -0.7 * pixel_deg}, lonlat_crs()};
    for (const std::string& method : resampling_names()) {
      const WarpedReader reader(source, {0}, by(resampling_of(method)));
      const auto whole = reader.read<std::int16_t>(target, target.window());
      for (const Window window :
           {Window{0, 0, 50, 110}, {50, 0, 70, 31}, {50, 31, 1, 79}, {51, 31, 69, 79}}) {
        const auto part = reader.read<std::int16_t>(target, window);
        for (std::int64_t r = 0; r < window.height; ++r) {
          for (std::int64_t c = 0; c < window.width; ++c) {
            ASSERT_EQ(part.valid.at(c, r), whole.valid.at(window.col + c, window.row + r)) << method;
            ASSERT_EQ(part.values.at(c, r), whole.values.at(window.col + c, window.row + r))
                << method << " " << c << " " << r;
          }
        }
      }
    }
  }
}

TEST(WarpedReader, ManySourcePixelsToOneAreReadInPieces) {
  const TemporaryFolder folder;
  RasterSpec spec;
  spec.cog = false;
  const Grid grid = test::utm_grid(9000, 9000, 1.0);
  {
    RasterWriter writer(folder / "large.tif", grid, spec, false);
    writer.write({0, 0, 4500, 1000}, Raster<std::uint8_t>(4500, 1000, 1, 90));
    writer.finish();
  }
  const WarpedReader reader(std::make_shared<const RasterReader>((folder / "large.tif").string()), {0},
                            by(Resampling::kAverage));
  const auto got = reader.read<std::uint8_t>(test::utm_grid(2, 3, 4500.0), {0, 0, 2, 3});
  EXPECT_THAT(got.values.data(), testing::ElementsAre(20, 0, 0, 0, 0, 0));
  EXPECT_THAT(got.valid.data(), testing::ElementsAre(1, 1, 1, 1, 0, 0));
}

TEST(WarpedReader, BothSidesOfTheAntimeridian) {
  const TemporaryFolder folder;
  // 179 to 181 degrees east; the value is the column.
  Raster<std::uint8_t> pixels(200, 20);
  for (std::int64_t r = 0; r < 20; ++r) {
    for (std::int64_t c = 0; c < 200; ++c) pixels.at(c, r) = static_cast<std::uint8_t>(c);
  }
  const Grid grid{200, 20, {179.0, 0.01, 0.0, -16.0, 0.0, -0.01}, lonlat_crs()};
  const WarpedReader reader(file_of(folder / "fiji.tif", grid, pixels), {0}, by(Resampling::kNearest));
  const Crs zone = Crs::from_user_input("EPSG:32701");
  const CoordinateTransform to_zone(lonlat_crs(), zone);
  for (const double lon_deg : {179.6, -179.6}) {
    const Point p = to_zone.apply(Point{lon_deg, -16.1});
    const Grid target{4, 4, {p.x - 200.0, 100.0, 0.0, p.y + 200.0, 0.0, -100.0}, zone};
    const auto got = reader.read<std::uint8_t>(target, target.window());
    EXPECT_THAT(got.valid.data(), testing::Each(1)) << lon_deg;
    EXPECT_NEAR(got.values.at(2, 2), lon_deg > 0.0 ? 60 : 140, 1) << lon_deg;
  }
  const Box box = bounds_in(grid, zone);
  EXPECT_NEAR(box.width(), 2.0 * 107000.0, 2000.0);
}

TEST(WarpedReader, AMoveTakesOutAShift) {
  const TemporaryFolder folder;
  const auto pixels = noise<std::uint8_t>(30, 30, 1, 9);
  WarpOptions options = by(Resampling::kCubic);
  options.move = {20.0, -30.0};
  const Grid grid = test::utm_grid(30, 30);
  const WarpedReader reader(file_of(folder / "a.tif", grid, pixels), {0}, options);
  const auto got = reader.read<std::uint8_t>(grid, {5, 5, 10, 10});
  for (std::int64_t r = 0; r < 10; ++r) {
    for (std::int64_t c = 0; c < 10; ++c) ASSERT_EQ(got.values.at(c, r), pixels.at(c + 7, r + 8));
  }
}

TEST(WarpedReader, FarAwayIsInvalidAndNoWayIsAnError) {
  const TemporaryFolder folder;
  const WarpedReader reader(file_of(folder / "a.tif", test::utm_grid(9, 9), noise<std::uint8_t>(9, 9, 1, 10)),
                            {0}, by(Resampling::kBilinear));
  const Grid pole{8, 8, {0.0, 0.1, 0.0, 90.0, 0.0, -0.1}, lonlat_crs()};
  EXPECT_THAT(reader.read<std::uint8_t>(pole, {-5, -5, 20, 20}).valid.data(), testing::Each(0));
  Grid nowhere = pole;
  nowhere.crs = Crs{};
  EXPECT_THROW((void)reader.read<std::uint8_t>(nowhere, {0, 0, 2, 2}), CrsError);
  EXPECT_THROW((void)resampling_of("sharp"), InvalidArgument);
}

}  // namespace
}  // namespace furrow::geo
