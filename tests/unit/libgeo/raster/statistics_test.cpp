#include <furrow/geo/raster/statistics.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/normalise.h>
#include <furrow/geo/raster/writer.h>

#include "slow_statistics.h"
#include "support.h"

namespace furrow::geo {
namespace {

using test::TemporaryFolder;
using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
const std::vector<double> kPercentiles{0.0, 0.1, 2.0, 50.0, 63.7, 99.0, 100.0};

template <class T>
std::string write(const std::filesystem::path& path, const Raster<T>& pixels,
                  std::optional<double> nodata = {}) {
  RasterSpec spec;
  spec.type = pixel_type_of<T>();
  spec.bands = pixels.bands();
  spec.nodata = nodata;
  spec.cog = false;
  write_raster(path, test::utm_grid(pixels.width(), pixels.height()), pixels, spec, true);
  return path.string();
}

/// @param bands  that the values come from, a value each a pixel
ValueStatistics slow_statistics(std::vector<double> values, std::int64_t bands = 1) {
  ValueStatistics s = test::slow_statistics(std::move(values), kPercentiles);
  s.pixels /= bands;
  return s;
}

void expect_near(const ValueStatistics& got, const ValueStatistics& wanted, double relative) {
  const double scale = std::max(std::abs(wanted.min), std::abs(wanted.max));
  EXPECT_EQ(got.pixels, wanted.pixels);
  EXPECT_EQ(got.min, wanted.min);
  EXPECT_EQ(got.max, wanted.max);
  EXPECT_NEAR(got.mean, wanted.mean, 1e-15 * scale);
  EXPECT_NEAR(got.sd, wanted.sd, 1e-14 * wanted.sd);
  ASSERT_EQ(got.percentiles.size(), wanted.percentiles.size());
  for (std::size_t i = 0; i < got.percentiles.size(); ++i) {
    const double tolerance = relative * std::abs(wanted.percentiles[i]);
    EXPECT_NEAR(got.percentiles[i], wanted.percentiles[i], tolerance) << "percentile " << kPercentiles[i];
  }
}

void expect_same_bits(const std::vector<ValueStatistics>& a, const std::vector<ValueStatistics>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].pixels, b[i].pixels);
    EXPECT_EQ(a[i].min, b[i].min);
    EXPECT_EQ(a[i].max, b[i].max);
    EXPECT_EQ(a[i].mean, b[i].mean);
    EXPECT_EQ(a[i].sd, b[i].sd);
    EXPECT_EQ(a[i].percentiles, b[i].percentiles);
  }
}

template <class T>
T noise(Random& random) {
  if constexpr (std::is_floating_point_v<T>) {
    // Both signs, zeros, and 60 orders of magnitude: no histogram of equal bins could do it.
    const double size = std::pow(10.0, random.uniform(-30.0, 30.0));
    return static_cast<T>(random.chance(0.05) ? 0.0 : random.chance(0.5) ? size : -size);
  } else {
    const double low = std::max(static_cast<double>(std::numeric_limits<T>::min()), -8e6);
    const double high = std::min(static_cast<double>(std::numeric_limits<T>::max()), 8e6);
    return static_cast<T>(std::floor(random.uniform(low, high + 1.0)));
  }
}

template <class T>
class RasterStatistics : public testing::Test {};
using StatisticsPixelTypes =
    testing::Types<std::uint8_t, std::uint16_t, std::int16_t, std::int32_t, std::uint32_t, float, double>;
TYPED_TEST_SUITE(RasterStatistics, StatisticsPixelTypes);

TYPED_TEST(RasterStatistics, EqualTheSlowReference) {
  using T = TypeParam;
  Random random(21);
  Raster<T> pixels(137, 91, 3);
  for (T& value : pixels.data()) value = noise<T>(random);
  const T nodata = static_cast<T>(77);
  for (int i = 0; i < 500; ++i)
    pixels.band(static_cast<int>(
        random.uniform(0.0, 3.0)))[static_cast<std::size_t>(random.uniform(0.0, 137 * 91.0))] = nodata;
  if constexpr (std::is_floating_point_v<T>) {
    pixels.band(1)[5] = std::numeric_limits<T>::quiet_NaN();
    pixels.band(2)[6] = -std::numeric_limits<T>::infinity();
  }
  std::vector<std::vector<double>> values(3);
  std::vector<double> all;
  for (std::size_t k = 0; k < pixels.band(0).size(); ++k) {
    const auto valid = [&](int b) {
      return pixels.band(b)[k] != nodata && std::isfinite(static_cast<double>(pixels.band(b)[k]));
    };
    if (!valid(0) || !valid(1) || !valid(2)) continue;
    for (int b = 0; b < 3; ++b) {
      values[static_cast<std::size_t>(b)].push_back(static_cast<double>(pixels.band(b)[k]));
      all.push_back(values[static_cast<std::size_t>(b)].back());
    }
  }
  const TemporaryFolder folder;
  const std::vector<std::string> path{write(folder / "scene.tif", pixels, static_cast<double>(nodata))};
  ExecContext exec;
  // Interpolation between neighbours adds rounding; float64 values are rounded to float32 (documented).
  const double relative = std::is_same_v<T, double> ? 1.2e-7 : 1e-14;
  const auto per_band = raster_statistics(path, {{}, true, kPercentiles}, exec);
  ASSERT_EQ(per_band.size(), 3U);
  for (std::size_t b = 0; b < 3; ++b) expect_near(per_band[b], slow_statistics(values[b]), relative);
  const auto together = raster_statistics(path, {{}, false, kPercentiles}, exec);
  ASSERT_EQ(together.size(), 1U);
  expect_near(together[0], slow_statistics(all, 3), relative);
}

TYPED_TEST(RasterStatistics, OfPiecesInAnyOrderAndThreadsAreThoseOfTheWholeToTheBit) {
  using T = TypeParam;
  Random random(5);
  Raster<T> whole(300, 200, 2);
  for (T& value : whole.data()) value = noise<T>(random);
  const TemporaryFolder folder;
  const std::vector<std::string> one{write(folder / "whole.tif", whole)};
  std::vector<std::string> pieces;
  for (const auto& [col, row, width, height] :
       {std::array{0, 0, 120, 200}, {120, 0, 180, 1}, {120, 1, 180, 150}, {120, 151, 180, 49}}) {
    Raster<T> piece(width, height, 2);
    for (int b = 0; b < 2; ++b) {
      for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) piece.at(x, y, b) = whole.at(col + x, row + y, b);
      }
    }
    pieces.push_back(write(folder / concat("piece", pieces.size(), ".tif"), piece));
  }
  const StatisticsOptions options{{1, 0}, true, kPercentiles};
  std::vector<ValueStatistics> wanted;
  {
    ExecContext exec({.threads = 1, .memory_bytes = 0});
    exec.execute([&] { wanted = raster_statistics(one, options, exec); });
  }
  do {
    for (const int threads : {1, 4}) {
      ExecContext several({.threads = threads, .memory_bytes = 0});
      several.execute([&] { expect_same_bits(raster_statistics(pieces, options, several), wanted); });
    }
  } while (std::ranges::next_permutation(pieces).found);
}

TEST(RasterStatisticsRules, TypesMayDifferBetweenRastersOfASet) {
  Random random(9);
  Raster<std::uint8_t> bytes(60, 50);
  for (auto& v : bytes.data()) v = noise<std::uint8_t>(random);
  Raster<float> floats(60, 50);
  for (float& v : floats.data()) v = static_cast<float>(random.normal(100.0, 50.0));
  Raster<float> both(60, 100);
  std::ranges::copy(bytes.data(), both.data().begin());
  std::ranges::copy(floats.data(), both.data().begin() + 3000);
  const TemporaryFolder folder;
  const std::vector<std::string> set{write(folder / "bytes.tif", bytes),
                                     write(folder / "floats.tif", floats)};
  const std::vector<std::string> one{write(folder / "both.tif", both)};
  ExecContext exec;
  expect_same_bits(raster_statistics(set, {{}, true, kPercentiles}, exec),
                   raster_statistics(one, {{}, true, kPercentiles}, exec));
}

TEST(RasterStatisticsRules, ConstantAndEmptyBandsAndLargeOffsets) {
  const TemporaryFolder folder;
  ExecContext exec;
  const auto of = [&](const auto& pixels, std::optional<double> nodata = {}) {
    const std::vector<std::string> path{write(folder / "a.tif", pixels, nodata)};
    return raster_statistics(path, {{}, true, kPercentiles}, exec);
  };
  for (const auto& constant : {of(Raster<float>(9, 7, 1, 0.1F)), of(Raster<double>(9, 7, 1, 0.1))}) {
    EXPECT_EQ(constant[0].pixels, 63);
    EXPECT_EQ(constant[0].sd, 0.0);
    EXPECT_EQ(constant[0].mean, constant[0].min);
    for (const double p : constant[0].percentiles) EXPECT_EQ(p, constant[0].min);
  }
  const auto empty = of(Raster<std::uint16_t>(9, 7, 2, 0), 0.0);
  EXPECT_EQ(empty[1].pixels, 0);
  EXPECT_TRUE(std::isnan(empty[1].mean) && std::isnan(empty[1].percentiles[3]) && std::isnan(empty[1].max));
  // Sums of squares would lose all digits of the spread.
  Raster<double> far(2, 1);
  far.data() = {1e9 - 0.25, 1e9 + 0.25};
  EXPECT_DOUBLE_EQ(of(far)[0].sd, 0.25);
  EXPECT_EQ(of(far)[0].mean, 1e9);
}

TEST(RasterStatisticsRules, WrongInputIsRefused) {
  const TemporaryFolder folder;
  ExecContext exec;
  const std::string one = write(folder / "one.tif", Raster<float>(3, 3, 1));
  const std::string two = write(folder / "two.tif", Raster<float>(3, 3, 2));
  const auto statistics = [&](const std::vector<std::string>& paths, const StatisticsOptions& options) {
    return [&exec, paths, options] { (void)raster_statistics(paths, options, exec); };
  };
  EXPECT_THAT(statistics({}, {}), ThrowsMessage<InvalidArgument>(HasSubstr("at least one raster")));
  EXPECT_THAT(statistics({one, two}, {}), ThrowsMessage<InvalidArgument>(HasSubstr("has 2 bands, but")));
  EXPECT_THAT(statistics({two, one}, {{1}, true, {}}),
              ThrowsMessage<InvalidArgument>(HasSubstr("has no band 2")));
  EXPECT_THAT(statistics({one}, {{}, true, {101.0}}),
              ThrowsMessage<InvalidArgument>(HasSubstr("0..100, got 101")));
  EXPECT_THAT(statistics({one, (folder / "no.tif").string()}, {}),
              ThrowsMessage<IoError>(HasSubstr("no such file")));
}

TEST(StatisticsFileRules, ReadsBackToTheBit) {
  StatisticsFile file;
  file.inputs = {"a b.tif", "chips"};
  file.rasters = 3;
  file.bands = {"red", "nir"};
  file.percentiles = {1.0, 99.9};
  file.statistics = {{7, 0.1, 1.0 / 3.0, 1e-300, 2.0, {0.1 + 0.2, 5e22}},
                     {0, kNan, kNan, kNan, kNan, {kNan, kNan}}};
  const TemporaryFolder folder;
  std::ofstream(folder / "s.json") << statistics_json(file);
  const StatisticsFile back = read_statistics((folder / "s.json").string());
  EXPECT_EQ(back.inputs, file.inputs);
  EXPECT_EQ(back.rasters, 3);
  EXPECT_EQ(back.bands, file.bands);
  EXPECT_EQ(back.percentiles, file.percentiles);
  expect_same_bits({back.statistics[0]}, {file.statistics[0]});
  EXPECT_EQ(back.statistics[1].pixels, 0);
  EXPECT_TRUE(std::isnan(back.statistics[1].sd));
}

TEST(StatisticsFileRules, DamagedFilesAreNamed) {
  const TemporaryFolder folder;
  const auto path = (folder / "s.json").string();
  StatisticsFile file;
  file.bands = {"red"};
  file.percentiles = {50.0};
  file.statistics = {{1, 0, 0, 0, 0, {0}}};
  const auto read = [&](const std::string& text) {
    std::ofstream(path) << text;
    return [&] { (void)read_statistics(path); };
  };
  EXPECT_THAT(read("{"), ThrowsMessage<IoError>(HasSubstr("s.json")));
  EXPECT_THAT(read("{}"), ThrowsMessage<IoError>(HasSubstr("schema")));
  EXPECT_THAT(read(R"({"schema": "x"})"), ThrowsMessage<IoError>(HasSubstr("furrow/statistics/1")));
  file.bands.emplace_back("nir");
  EXPECT_THAT(read(statistics_json(file)), ThrowsMessage<IoError>(HasSubstr("does not fit")));
  file.per_band = false;
  EXPECT_NO_THROW(read(statistics_json(file))());
  file.percentiles.push_back(1.0);
  EXPECT_THAT(read(statistics_json(file)),
              ThrowsMessage<IoError>(HasSubstr("another number of percentiles")));
}

// All of method x scope x per band x bands together, against the definition.
TEST(Normalisations, ScenesChipsAndStoredStatisticsAgree) {
  Random random(3);
  Raster<float> pixels(40, 30, 2);
  for (float& v : pixels.data()) v = static_cast<float>(random.normal(500.0, 80.0));
  pixels.band(0)[3] = static_cast<float>(kNan);
  const TemporaryFolder folder;
  const std::vector<std::string> path{write(folder / "scene.tif", pixels)};
  const RasterReader reader(path[0]);
  ExecContext exec;
  for (const bool per_band : {false, true}) {
    Normalisation how;
    how.per_band = per_band;
    how.low_percentile = 2.0;
    how.high_percentile = 98.5;
    const auto scene = scene_statistics(reader, {}, how, exec);
    const auto chip = chip_statistics(pixels, how);
    StatisticsFile file;
    file.per_band = per_band;
    file.bands = {"1", "2"};
    file.percentiles = {98.5, 2.0};
    file.statistics = raster_statistics(path, {{}, per_band, file.percentiles}, exec);
    std::ofstream(folder / "s.json") << statistics_json(file);
    Normalisation stored = stored_normalisation(read_statistics((folder / "s.json").string()), how);
    EXPECT_EQ(stored.scope, NormaliseScope::kStored);
    ASSERT_EQ(scene.size(), per_band ? 2U : 1U);
    ASSERT_EQ(chip.size(), scene.size());
    ASSERT_EQ(stored.stored.size(), scene.size());
    for (std::size_t s = 0; s < scene.size(); ++s) {
      EXPECT_EQ(scene[s].count, 1199);
      EXPECT_EQ(chip[s].count, 1199);
      EXPECT_EQ(chip[s].low, scene[s].low);
      EXPECT_EQ(chip[s].high, scene[s].high);
      EXPECT_NEAR(chip[s].mean, scene[s].mean, 1e-10);
      EXPECT_NEAR(chip[s].sd, scene[s].sd, 1e-10);
      EXPECT_EQ(stored.stored[s].low, scene[s].low);
      EXPECT_EQ(stored.stored[s].high, scene[s].high);
      EXPECT_EQ(stored.stored[s].sd, scene[s].sd);
    }
    for (const auto method : {NormaliseMethod::kMinMax, NormaliseMethod::kZScore}) {
      how.method = stored.method = method;
      Raster<float> a = pixels;
      Raster<float> b = pixels;
      normalise(a, how, scene);
      normalise(b, stored, stored.stored);
      EXPECT_EQ(a.data(), b.data());
    }
    how.low_percentile = 1.0;
    EXPECT_THAT([&] { (void)stored_normalisation(file, how); },
                ThrowsMessage<InvalidArgument>(HasSubstr("lack percentile 1 (they have: 98.5, 2)")));
  }
}

TEST(ChipStatistics, LeaveInvalidPixelsOutAndMayBeEmpty) {
  Raster<float> pixels(4, 1, 2);
  pixels.data() = {1, 2, 3, 4, 10, 20, static_cast<float>(kNan), 40};
  Normalisation how;
  how.per_band = true;
  how.low_percentile = 0.0;
  how.high_percentile = 50.0;
  const std::vector<std::uint8_t> valid{1, 1, 1, 0};
  const auto s = chip_statistics(pixels, how, valid);
  EXPECT_EQ(s[0].count, 2);
  EXPECT_EQ(s[0].low, 1.0);
  EXPECT_EQ(s[0].high, 1.5);
  EXPECT_EQ(s[1].mean, 15.0);
  EXPECT_EQ(s[1].sd, 5.0);
  EXPECT_EQ(chip_statistics(pixels, how, std::vector<std::uint8_t>(4, 0))[0].count, 0);
  EXPECT_THROW((void)chip_statistics(pixels, how, std::vector<std::uint8_t>(3)), InvalidArgument);
  how.low_percentile = 60.0;
  EXPECT_THROW((void)chip_statistics(pixels, how), InvalidArgument);
}

}  // namespace
}  // namespace furrow::geo
