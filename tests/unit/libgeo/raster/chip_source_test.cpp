#include <furrow/geo/raster/chip_source.h>

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/tiling.h>

#include "support.h"

namespace furrow::geo {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ChipSources : public testing::Test {
 protected:
  template <class T>
  std::string write(const std::string& name, const Grid& grid, const Raster<T>& pixels,
                    std::optional<double> nodata = std::nullopt, const Raster<std::uint8_t>* valid = nullptr,
                    double scale = 1.0) {
    RasterSpec spec;
    spec.type = pixel_type_of<T>();
    spec.bands = pixels.bands();
    spec.nodata = nodata;
    spec.scale = scale;
    spec.mask = valid != nullptr;
    spec.cog = false;
    for (int b = 0; b < spec.bands; ++b) spec.descriptions.push_back("B0" + std::to_string(b + 2));
    const auto path = m_folder / (name + ".tif");
    write_raster(path, grid, pixels, spec, true, valid);
    return path.string();
  }

  ChipScene scene(const std::string& path, const std::string& date = {}) const {
    return look_at_scene(path, m_options, {}, date);
  }

  ChipSource mosaic(const std::vector<std::string>& paths, int threads = 2) const {
    ChipSource::Layer layer;
    for (const auto& path : paths) layer.push_back(scene(path));
    return {{layer}, layer.front().grid.crs, m_options, threads};
  }

  template <class T>
  static Raster<T> random_pixels(std::int64_t width, std::int64_t height, int bands, std::uint64_t seed) {
    Random random(seed);
    Raster<T> out(width, height, bands);
    for (T& v : out.data()) v = static_cast<T>(random.below(200) + 1);
    return out;
  }

  test::TemporaryFolder m_folder;
  ChipSourceOptions m_options;
};

template <class T>
Raster<T> part(const Raster<T>& whole, const Window& window) {
  Raster<T> out(window.width, window.height, whole.bands());
  for (int b = 0; b < out.bands(); ++b) {
    for (std::int64_t r = 0; r < window.height; ++r) {
      for (std::int64_t c = 0; c < window.width; ++c)
        out.at(c, r, b) = whole.at(window.col + c, window.row + r, b);
    }
  }
  return out;
}

template <class T>
const Raster<T>& values_of(const ChipPixels& pixels) {
  return std::get<Raster<T>>(pixels.values);
}

TEST_F(ChipSources, OverlappingPartsOfASceneMakeUpTheScene) {
  const Grid grid = test::utm_grid(50, 40);
  auto pixels = random_pixels<std::uint16_t>(50, 40, 2, 1);
  pixels.at(7, 7, 0) = 0;  // nodata in one band only
  const Window left{0, 0, 30, 40};
  const Window right{22, 0, 28, 40};
  const auto whole = write("whole", grid, pixels, 0.0);
  const std::vector<std::string> parts{write("left", grid.subgrid(left), part(pixels, left), 0.0),
                                       write("right", grid.subgrid(right), part(pixels, right), 0.0)};
  const Window window{-3, 5, 60, 20};
  const auto expected = mosaic({whole}).read(grid, window);
  for (const auto& order : {parts, std::vector{parts[1], parts[0]}}) {
    std::vector<std::size_t> used;
    const auto got = mosaic(order).read(grid, window, &used);
    EXPECT_EQ(got.valid.data(), expected.valid.data());
    EXPECT_THAT(used, ElementsAre(0, 1));
    for (std::size_t i = 0; i < got.valid.data().size(); ++i) {
      if (got.valid.data()[i] == 0) continue;
      for (int b = 0; b < 2; ++b)
        ASSERT_EQ(values_of<std::uint16_t>(got).band(b)[i], values_of<std::uint16_t>(expected).band(b)[i]);
    }
  }
}

TEST_F(ChipSources, TheFirstValidSceneCountsWithAllItsBands) {
  const Grid grid = test::utm_grid(3, 1);
  Raster<std::uint8_t> first(3, 1, 2, 10);
  first.at(1, 0, 0) = 0;  // one band is missing: the pixel is not valid
  const auto a = write("a", grid, first, 0.0);
  const auto b = write("b", grid, Raster<std::uint8_t>(3, 1, 2, 20), 0.0);
  const auto got = mosaic({a, b}).read(grid, grid.window());
  EXPECT_THAT(values_of<std::uint8_t>(got).data(), ElementsAre(10, 20, 10, 10, 20, 10));
  std::vector<std::size_t> used;
  (void)mosaic({b, a}).read(grid, grid.window(), &used);
  EXPECT_THAT(used, ElementsAre(0));
}

TEST_F(ChipSources, ScenesOfAnotherCrsFillWhatIsMissing) {
  const Grid west{40, 40, {700000.0, 10.0, 0.0, 5500000.0, 0.0, -10.0}, Crs::from_user_input("EPSG:32632")};
  const Crs other_zone = Crs::from_user_input("EPSG:32633");
  const Point corner = CoordinateTransform(west.crs, other_zone).apply(Point{700100.0, 5500200.0});
  const Grid east{80, 80, {corner.x, 10.0, 0.0, corner.y, 0.0, -10.0}, other_zone};
  const auto a = write("a", west, Raster<std::uint16_t>(40, 40, 1, 100));
  const auto b = write("b", east, random_pixels<std::uint16_t>(80, 80, 1, 2));
  m_options.may_miss = true;
  m_options.resampling = Resampling::kBilinear;
  const ChipSource source = mosaic({a, b});
  EXPECT_TRUE(source.spec().mask);
  const Window window{20, 0, 40, 40};
  const auto got = source.read(west, window);
  WarpOptions bilinear;
  bilinear.resampling = Resampling::kBilinear;
  const WarpedReader alone(std::make_shared<const RasterReader>(b), {0}, bilinear);
  const auto expected = alone.read<std::uint16_t>(west, window);
  for (std::int64_t r = 0; r < 40; ++r) {
    for (std::int64_t c = 0; c < 40; ++c) {
      if (c < 20) {
        ASSERT_EQ(values_of<std::uint16_t>(got).at(c, r), 100);
      } else {
        ASSERT_EQ(got.valid.at(c, r), expected.valid.at(c, r));
        ASSERT_EQ(values_of<std::uint16_t>(got).at(c, r), expected.values.at(c, r));
      }
    }
  }
}

TEST_F(ChipSources, AStackHoldsTheBandsOfItsLayersAndTheirDates) {
  const Grid grid = test::utm_grid(4, 2);
  const auto a = write("a", grid, Raster<std::uint8_t>(4, 2, 2, 1), 0.0);
  const auto b = write("b", grid.subgrid({1, 0, 3, 2}), Raster<std::int16_t>(3, 2, 1, -5), 0.0);
  const ChipSource source({{scene(a, "2021-05-01")}, {scene(b, "2021-07")}}, grid.crs, m_options, 2);
  EXPECT_STREQ(pixel_type_name(source.spec().type), "int16");
  EXPECT_THAT(source.spec().descriptions, ElementsAre("2021-05-01 B02", "2021-05-01 B03", "2021-07 B02"));
  EXPECT_EQ(source.date(), "2021-05-01 2021-07");
  EXPECT_TRUE(source.spec().metadata.empty());
  const auto got = source.read(grid, {0, 0, 2, 1});
  EXPECT_THAT(values_of<std::int16_t>(got).data(), ElementsAre(1, 1, 1, 1, 0, -5));
  EXPECT_THAT(got.valid.data(), ElementsAre(0, 1));
  const ChipSource twins({{scene(a, "2021-05-01")}, {scene(b, "2021-05-01")}}, grid.crs, m_options, 2);
  EXPECT_EQ(twins.spec().descriptions.back(), "b B02");
}

TEST_F(ChipSources, MasksAreCarriedAndDisagreeingNodataBecomesAMask) {
  const Grid grid = test::utm_grid(2, 1);
  Raster<std::uint8_t> valid(2, 1, 1, 1);
  valid.at(0, 0) = 0;
  const auto masked = write("masked", grid, Raster<std::uint8_t>(2, 1, 1, 7), std::nullopt, &valid);
  EXPECT_TRUE(mosaic({masked}).spec().mask);
  EXPECT_THAT(mosaic({masked}).read(grid, grid.window()).valid.data(), ElementsAre(0, 1));
  Raster<std::uint8_t> pixels(2, 1);
  pixels.data() = {3, 9};
  const auto three = write("three", grid, pixels, 3.0);
  const auto nine = write("nine", grid, pixels, 9.0);
  const ChipSource source = mosaic({three, nine});
  EXPECT_TRUE(source.spec().mask);
  EXPECT_FALSE(source.spec().nodata);
  const auto got = source.read(grid, grid.window());
  EXPECT_THAT(got.valid.data(), ElementsAre(1, 1));
  EXPECT_THAT(values_of<std::uint8_t>(got).data(), ElementsAre(3, 9));
}

TEST_F(ChipSources, NodataOnRequestFillsWhatAMaskHidesAndKeepsValidValuesClear) {
  const Grid grid = test::utm_grid(3, 1);
  Raster<std::uint8_t> valid(3, 1, 1, 1);
  valid.at(0, 0) = 0;
  const auto masked = write("masked", grid, Raster<std::uint8_t>(3, 1, 2, 7), std::nullopt, &valid);
  m_options.invalid_as = InvalidAs::kNodata;
  try {
    (void)mosaic({masked});
    FAIL() << "no error";
  } catch (const IoError& e) {
    EXPECT_THAT(e.what(), testing::AllOf(HasSubstr("masked.tif"), HasSubstr("--nodata")));
  }
  m_options.nodata = 255.0;
  const ChipSource source = mosaic({masked});
  EXPECT_FALSE(source.spec().mask);
  EXPECT_EQ(source.spec().nodata, 255.0);
  EXPECT_THAT(values_of<std::uint8_t>(source.read(grid, grid.window())).data(),
              ElementsAre(255, 7, 7, 255, 7, 7));
  // Images of two nodata values: that of the first is taken, and a valid 3 of the other moves out of its way.
  m_options.nodata.reset();
  Raster<std::uint8_t> pixels(3, 1);
  pixels.data() = {3, 9, 5};
  const auto three = write("three", grid, pixels, 3.0);
  const auto nine = write("nine", grid, pixels, 9.0);
  const auto got = mosaic({three, nine}).read(grid, grid.window());
  EXPECT_THAT(values_of<std::uint8_t>(got).data(), ElementsAre(4, 9, 5));
  EXPECT_THAT(got.valid.data(), ElementsAre(1, 1, 1));
}

TEST_F(ChipSources, FloatsSayNothingByNan) {
  const Grid grid = test::utm_grid(2, 2);
  Raster<float> pixels(2, 2, 1, 1.5F);
  pixels.at(1, 1) = std::numeric_limits<float>::quiet_NaN();
  const auto path = write("float", grid, pixels);
  EXPECT_FALSE(mosaic({path}).spec().nodata);
  m_options.may_miss = true;
  const ChipSource source = mosaic({path});
  ASSERT_TRUE(source.spec().nodata);
  EXPECT_TRUE(std::isnan(*source.spec().nodata));
  EXPECT_FALSE(source.spec().mask);
  const auto got = source.read(grid, {1, 0, 2, 2});
  EXPECT_THAT(got.valid.data(), ElementsAre(1, 0, 0, 0));
  EXPECT_EQ(values_of<float>(got).at(0, 0), 1.5F);
  EXPECT_TRUE(std::isnan(values_of<float>(got).at(1, 0)));
}

TEST_F(ChipSources, ResampledValuesAreNeverNodata) {
  // Between -1 and 1 lies 0, which is nodata.
  const Grid grid = test::utm_grid(2, 1);
  Raster<std::int16_t> pixels(2, 1);
  pixels.data() = {-1, 1};
  const auto path = write("signs", grid, pixels, 0.0);
  m_options.resampling = Resampling::kAverage;
  const auto got = mosaic({path}).read(test::utm_grid(1, 1, 20.0), {0, 0, 1, 1});
  EXPECT_THAT(values_of<std::int16_t>(got).data(), ElementsAre(1));
  EXPECT_THAT(got.valid.data(), ElementsAre(1));
}

TEST_F(ChipSources, WhatDoesNotFitTogetherIsNamed) {
  const Grid grid = test::utm_grid(2, 1);
  const auto one = write("one", grid, Raster<std::uint8_t>(2, 1, 1, 1));
  const auto two = write("two", grid, Raster<std::uint8_t>(2, 1, 2, 1));
  const auto scaled = write("scaled", grid, Raster<std::uint8_t>(2, 1, 1, 1), std::nullopt, nullptr, 0.1);
  const auto message = [&](const std::vector<std::string>& paths) {
    try {
      (void)mosaic(paths);
    } catch (const IoError& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  EXPECT_THAT(message({one, two}),
              testing::AllOf(HasSubstr("two.tif"), HasSubstr("2 bands"), HasSubstr("--bands")));
  EXPECT_THAT(message({one, scaled}), testing::AllOf(HasSubstr("scaled.tif"), HasSubstr("scale")));
}

TEST_F(ChipSources, MoreScenesThanStayOpen) {
  const Grid grid = test::utm_grid(40, 1);
  std::vector<std::string> paths;
  for (std::int64_t i = 0; i < 40; ++i) {
    paths.push_back(write(concat("s", i), grid.subgrid({i, 0, 1, 1}),
                          Raster<std::uint8_t>(1, 1, 1, static_cast<std::uint8_t>(i + 1))));
  }
  const ChipSource source = mosaic(paths, 64);  // 8 stay open
  for (int round = 0; round < 2; ++round) {
    const auto got = source.read(grid, grid.window());
    for (std::int64_t i = 0; i < 40; ++i) EXPECT_EQ(values_of<std::uint8_t>(got).at(i, 0), i + 1);
  }
}

TEST_F(ChipSources, ListedDatesGoFirstAndReachTheFile) {
  const Grid grid = test::utm_grid(1, 1);
  const auto path = write("a", grid, Raster<std::uint8_t>(1, 1));
  EXPECT_EQ(scene(path).date, "");
  const ChipSource dated({{scene(path, "2021-05-07T10:11:12Z")}}, grid.crs, m_options, 1);
  EXPECT_EQ(dated.spec().metadata.at("TIFFTAG_DATETIME"), "2021:05:07 10:11:12");
  const ChipSource month({{scene(path, "2021-05")}}, grid.crs, m_options, 1);
  EXPECT_TRUE(month.spec().metadata.empty());
  EXPECT_EQ(month.date(), "2021-05");
}

}  // namespace
}  // namespace furrow::geo
