#include <furrow/geo/raster/normalise.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/raster/writer.h>

#include "slow_statistics.h"
#include "support.h"

namespace furrow::geo {
namespace {

constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();

template <class T>
std::string write_bands(const test::TemporaryFolder& folder, const Raster<T>& pixels,
                        std::optional<double> nodata) {
  const auto path = folder / "scene.tif";
  RasterSpec spec;
  spec.type = pixel_type_of<T>();
  spec.bands = pixels.bands();
  spec.nodata = nodata;
  spec.cog = false;
  write_raster(path, test::utm_grid(pixels.width(), pixels.height()), pixels, spec, true);
  return path.string();
}

BandStatistics slow_statistics(std::vector<double> values, double low, double high) {
  BandStatistics s;
  if (values.empty()) return s;
  const auto all = test::slow_statistics(std::move(values), std::array{low, high});
  s.count = all.pixels;
  s.low = all.percentiles[0];
  s.high = all.percentiles[1];
  s.mean = all.mean;
  s.sd = all.sd;
  return s;
}

template <class T>
class SceneStatistics : public testing::Test {};
using ScenePixelTypes =
    testing::Types<std::uint8_t, std::uint16_t, std::int16_t, std::int32_t, float, double>;
TYPED_TEST_SUITE(SceneStatistics, ScenePixelTypes);

TYPED_TEST(SceneStatistics, EqualTheSlowReference) {
  using T = TypeParam;
  const T nodata = std::is_signed_v<T> ? static_cast<T>(-99) : static_cast<T>(0);
  Random random(21);
  Raster<T> pixels(137, 91, 3);
  for (int b = 0; b < 3; ++b) {
    for (T& value : pixels.band(b)) {
      value = static_cast<T>(std::clamp(random.normal(120.0 + 40.0 * b, 30.0), 1.0, 250.0));
      if (random.chance(0.05)) value = nodata;
    }
  }
  std::vector<std::vector<double>> values(3);
  for (std::size_t k = 0; k < pixels.band(0).size(); ++k) {
    if (pixels.band(0)[k] == nodata || pixels.band(1)[k] == nodata || pixels.band(2)[k] == nodata) continue;
    for (int b = 0; b < 3; ++b)
      values[static_cast<std::size_t>(b)].push_back(static_cast<double>(pixels.band(b)[k]));
  }
  const test::TemporaryFolder folder;
  const RasterReader reader(write_bands(folder, pixels, static_cast<double>(nodata)));
  ExecContext exec;
  Normalisation how;
  how.low_percentile = 2.5;
  how.high_percentile = 97.0;
  how.per_band = true;
  const auto per_band = scene_statistics(reader, {}, how, exec);
  how.per_band = false;
  const auto together = scene_statistics(reader, {}, how, exec);
  ASSERT_EQ(per_band.size(), 3U);
  ASSERT_EQ(together.size(), 1U);
  std::vector<double> all;
  for (const auto& band : values) all.insert(all.end(), band.begin(), band.end());
  const auto expect_equal = [&](const BandStatistics& got, const BandStatistics& wanted) {
    const double rounding = std::is_same_v<T, double> ? 250.0 * 6e-8 : 1e-12;
    EXPECT_NEAR(got.low, wanted.low, rounding);
    EXPECT_NEAR(got.high, wanted.high, rounding);
    EXPECT_NEAR(got.mean, wanted.mean, 1e-9);
    EXPECT_NEAR(got.sd, wanted.sd, 1e-9);
  };
  for (std::size_t b = 0; b < 3; ++b) {
    expect_equal(per_band[b], slow_statistics(values[b], 2.5, 97.0));
    EXPECT_EQ(per_band[b].count, std::ssize(values[b]));
  }
  expect_equal(together[0], slow_statistics(all, 2.5, 97.0));
  EXPECT_EQ(together[0].count, std::ssize(values[0]));
}

TEST(SceneStatisticsRules, HandComputedPercentilesMeanAndSpread) {
  Raster<std::int16_t> pixels(5, 1);
  pixels.data() = {-10, 40, 0, 10, 20};
  const test::TemporaryFolder folder;
  const RasterReader reader(write_bands(folder, pixels, std::nullopt));
  ExecContext exec;
  Normalisation how;
  how.low_percentile = 0.0;
  how.high_percentile = 87.5;  // half way between the fourth (20) and the fifth (40)
  const auto s = scene_statistics(reader, {}, how, exec);
  EXPECT_EQ(s[0].low, -10.0);
  EXPECT_EQ(s[0].high, 30.0);
  EXPECT_EQ(s[0].mean, 12.0);
  EXPECT_DOUBLE_EQ(s[0].sd, std::sqrt((22.0 * 22 + 28 * 28 + 12 * 12 + 2 * 2 + 8 * 8) / 5.0));
  EXPECT_EQ(s[0].count, 5);
}

TEST(SceneStatisticsRules, NanAndInfiniteValuesAreLeftOutInAllBands) {
  Raster<float> pixels(4, 1, 2);
  pixels.data() = {1.0F,  static_cast<float>(kNotANumber),        3.0F, 5.0F, 10.0F,
                   20.0F, std::numeric_limits<float>::infinity(), 30.0F};
  const test::TemporaryFolder folder;
  const RasterReader reader(write_bands(folder, pixels, std::nullopt));
  ExecContext exec;
  Normalisation how;
  how.per_band = true;
  how.low_percentile = 0.0;
  how.high_percentile = 100.0;
  const auto s = scene_statistics(reader, {}, how, exec);
  EXPECT_EQ(s[0].count, 2);
  EXPECT_EQ(s[0].low, 1.0);
  EXPECT_EQ(s[0].high, 5.0);
  EXPECT_EQ(s[0].mean, 3.0);
  EXPECT_EQ(s[1].low, 10.0);
  EXPECT_EQ(s[1].high, 30.0);
  // A band on its own keeps what the other one spoils.
  const std::array second{1};
  EXPECT_EQ(scene_statistics(reader, second, how, exec)[0].count, 3);
}

TEST(SceneStatisticsRules, RasterWithoutValidPixelsGivesCountZero) {
  const test::TemporaryFolder folder;
  ExecContext exec;
  for (const bool per_band : {false, true}) {
    Normalisation how;
    how.per_band = per_band;
    {
      const RasterReader reader(write_bands(folder, Raster<std::uint16_t>(9, 7, 2, 0), 0.0));
      const auto s = scene_statistics(reader, {}, how, exec);
      EXPECT_EQ(s.size(), per_band ? 2U : 1U);
      EXPECT_EQ(s[0].count, 0);
      EXPECT_EQ(s[0].sd, 1.0);
    }
    const RasterReader reader(
        write_bands(folder, Raster<float>(9, 7, 2, static_cast<float>(kNotANumber)), std::nullopt));
    const auto s = scene_statistics(reader, {}, how, exec);
    EXPECT_EQ(s[0].count, 0);
    EXPECT_EQ(s[0].high, 1.0);
  }
}

TEST(SceneStatisticsRules, ConstantBandHasNoSpread) {
  const test::TemporaryFolder folder;
  ExecContext exec;
  const RasterReader reader(write_bands(folder, Raster<float>(9, 7, 1, 2.5F), std::nullopt));
  const auto s = scene_statistics(reader, {}, {}, exec);
  EXPECT_EQ(s[0].low, 2.5);
  EXPECT_EQ(s[0].high, 2.5);
  EXPECT_EQ(s[0].mean, 2.5);
  EXPECT_EQ(s[0].sd, 0.0);
}

TEST(SceneStatisticsRules, SameBitsForAnyNumberOfThreads) {
  Random random(2);
  Raster<float> pixels(2500, 1300);
  for (float& v : pixels.data()) v = static_cast<float>(random.normal(1e6, 3.0));
  const test::TemporaryFolder folder;
  const RasterReader reader(write_bands(folder, pixels, std::nullopt));
  std::vector<BandStatistics> results;
  for (const int threads : {1, 4}) {
    ExecContext exec({.threads = threads, .memory_bytes = 0});
    exec.execute([&] { results.push_back(scene_statistics(reader, {}, {}, exec).front()); });
  }
  EXPECT_EQ(results[0].low, results[1].low);
  EXPECT_EQ(results[0].high, results[1].high);
  EXPECT_EQ(results[0].mean, results[1].mean);
  EXPECT_EQ(results[0].sd, results[1].sd);
  EXPECT_NEAR(results[0].mean, 1e6, 0.01);
  EXPECT_NEAR(results[0].sd, 3.0, 0.01);
}

TEST(SceneStatisticsRules, BadPercentilesAreRefused) {
  const test::TemporaryFolder folder;
  ExecContext exec;
  const RasterReader reader(write_bands(folder, Raster<float>(2, 2), std::nullopt));
  Normalisation how;
  how.low_percentile = 99.0;
  how.high_percentile = 1.0;
  EXPECT_THROW((void)scene_statistics(reader, {}, how, exec), InvalidArgument);
  how = {};
  how.high_percentile = kNotANumber;
  EXPECT_THROW((void)scene_statistics(reader, {}, how, exec), InvalidArgument);
  how = {};
  const std::array missing{4};
  EXPECT_THROW((void)scene_statistics(reader, missing, how, exec), InvalidArgument);
}

Raster<float> row_of(const std::vector<float>& first, const std::vector<float>& second) {
  Raster<float> pixels(std::ssize(first), 1, 2);
  std::ranges::copy(first, pixels.band(0).begin());
  std::ranges::copy(second, pixels.band(1).begin());
  return pixels;
}

TEST(Normalise, MinMaxClipsAndScalesPerBandOrTogether) {
  Normalisation how;
  how.per_band = true;
  const std::vector<BandStatistics> two{{10, 20, 0, 1, 4}, {0, 100, 0, 1, 4}};
  Raster<float> pixels = row_of({5, 10, 15, 25}, {0, 25, 50, 100});
  normalise(pixels, how, two);
  EXPECT_THAT(pixels.data(), testing::ElementsAre(0, 0, 0.5F, 1, 0, 0.25F, 0.5F, 1));
  how.per_band = false;
  const std::vector<BandStatistics> one{{0, 50, 0, 1, 4}};
  pixels = row_of({5, 10, 15, 25}, {0, 25, 50, 100});
  normalise(pixels, how, one);
  EXPECT_THAT(pixels.data(), testing::ElementsAre(0.1F, 0.2F, 0.3F, 0.5F, 0, 0.5F, 1, 1));
}

TEST(Normalise, ZScoreAndDivideAreNotClipped) {
  Normalisation how;
  how.method = NormaliseMethod::kZScore;
  const std::vector<BandStatistics> one{{0, 1, 10, 4, 4}};
  Raster<float> pixels = row_of({2, 10}, {18, 30});
  normalise(pixels, how, one);
  EXPECT_THAT(pixels.data(), testing::ElementsAre(-2, 0, 2, 5));
  how.method = NormaliseMethod::kDivide;
  how.divisor = 4.0;
  normalise(pixels, how, {});
  EXPECT_THAT(pixels.data(), testing::ElementsAre(-0.5F, 0, 0.5F, 1.25F));
}

TEST(Normalise, ConstantBandsInvalidPixelsAndNanBecomeZero) {
  Normalisation how;
  how.per_band = true;
  const std::vector<BandStatistics> two{{7, 7, 7, 0, 4}, {-10, 10, 0, 1, 4}};
  Raster<float> pixels = row_of({7, 8, 6}, {static_cast<float>(kNotANumber), 0, 10});
  const std::vector<std::uint8_t> valid{1, 0, 1};
  normalise(pixels, how, two, valid);
  EXPECT_THAT(pixels.data(), testing::ElementsAre(0, 0, 0, 0, 0, 1));
  how.method = NormaliseMethod::kZScore;
  pixels = row_of({7, 8, 6}, {static_cast<float>(kNotANumber), 0, 10});
  normalise(pixels, how, two, valid);
  EXPECT_THAT(pixels.data(), testing::ElementsAre(0, 0, 0, 0, 0, 10));
  // Infinite values count as invalid, not as the largest.
  how.method = NormaliseMethod::kMinMax;
  pixels = row_of({7, 8, 6}, {std::numeric_limits<float>::infinity(), 0, 10});
  normalise(pixels, how, two);
  EXPECT_THAT(pixels.data(), testing::ElementsAre(0, 0, 0, 0, 0.5F, 1));
}

TEST(Normalise, MismatchesAreRefused) {
  Raster<float> pixels(2, 2, 2);
  Normalisation how;
  EXPECT_THROW(normalise(pixels, how, {}), InvalidArgument);
  how.per_band = true;
  EXPECT_THROW(normalise(pixels, how, std::vector<BandStatistics>(1)), InvalidArgument);
  EXPECT_THROW(normalise(pixels, how, std::vector<BandStatistics>(2), std::vector<std::uint8_t>(3)),
               InvalidArgument);
  how.method = NormaliseMethod::kDivide;
  how.divisor = 0.0;
  EXPECT_THROW(normalise(pixels, how, {}), InvalidArgument);
}

}  // namespace
}  // namespace furrow::geo
