// Stacks of images of several dates.
#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>

#include "training_windows.h"

namespace furrow::segmentation {
namespace {

using test::TemporaryFolder;
using test::utm_grid;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing_scene::all_train;
using testing_scene::failure;
using testing_scene::load;
using testing_scene::readable;
using testing_scene::write;

constexpr std::int64_t kWidth = 128;
constexpr std::int64_t kHeight = 96;

/// Two bands of one date: 1000 x the date and the band, and the pixel's place.
geo::Raster<std::uint16_t> date(int number, int bands = 2, std::int64_t height = kHeight) {
  geo::Raster<std::uint16_t> image(kWidth, height, bands);
  for (int band = 0; band < bands; ++band) {
    for (std::int64_t row = 0; row < height; ++row) {
      for (std::int64_t col = 0; col < kWidth; ++col) {
        image.at(col, row, band) = static_cast<std::uint16_t>(10000 * number + 1000 * band +
                                                              (3 * col + 7 * row + 50 * number) % 900);
      }
    }
  }
  return image;
}

struct StackScene {
  TemporaryFolder folder;
  geo::Grid grid = utm_grid(kWidth, kHeight);
  TrainingDataOptions options = readable();
  TrainingScene scene{write(folder, "late.tif", date(1), grid),
                      write(folder, "labels.tif", testing_scene::labels(kWidth, kHeight), grid), ""};

  StackScene() { scene.later_images = {write(folder, "early.tif", date(2), grid)}; }
};

/// Value of a pixel of a window of four bands of 32 x 32.
float value(const Batch& batch, std::size_t window, std::size_t band, std::size_t pixel) {
  constexpr std::size_t kArea = 32 * 32;
  return batch.pixels[(4 * window + band) * kArea + pixel];
}

TEST(Stack, HoldsTheBandsOfTheFirstImageFirst) {
  StackScene s;
  const TrainingData data = load(s.scene, s.options);
  EXPECT_EQ(data.bands(), 4);
  for (const Batch& batch : all_train(data, 1)) {
    for (std::size_t w = 0; w < static_cast<std::size_t>(batch.count); ++w) {
      for (std::size_t p = 0; p < 32 * 32; ++p) {
        ASSERT_EQ(std::floor(value(batch, w, 0, p) / 1000.0f), 10.0f);
        ASSERT_EQ(std::floor(value(batch, w, 1, p) / 1000.0f), 11.0f);
        ASSERT_EQ(std::floor(value(batch, w, 2, p) / 1000.0f), 20.0f);
        ASSERT_EQ(std::floor(value(batch, w, 3, p) / 1000.0f), 21.0f);
      }
    }
  }
}

/// Mean and standard deviation of values, in the textbook's two passes.
std::array<double, 2> moments(const std::vector<std::uint16_t>& values) {
  const auto n = static_cast<double>(values.size());
  double mean = 0.0;
  for (const std::uint16_t v : values) mean += static_cast<double>(v) / n;
  double squares = 0.0;
  for (const std::uint16_t v : values) squares += std::pow(static_cast<double>(v) - mean, 2) / n;
  return {mean, std::sqrt(squares)};
}

TEST(Stack, IsNormalisedByTheStatisticsOfEachSceneAndBand) {
  StackScene s;
  // A second scene, twice as bright, must not change the first.
  TrainingScene bright = s.scene;
  const auto doubled = [](geo::Raster<std::uint16_t> image) {
    for (std::uint16_t& v : image.data()) v = static_cast<std::uint16_t>(2 * v);
    return image;
  };
  bright.image = write(s.folder, "bright_late.tif", doubled(date(1)), s.grid);
  bright.later_images = {write(s.folder, "bright_early.tif", doubled(date(2)), s.grid)};
  const auto moments_of = [](int number, int band) {
    const geo::Raster<std::uint16_t> image = date(number);
    const auto values = image.band(band);
    return moments({values.begin(), values.end()});
  };
  TrainingDataOptions plain = s.options;
  s.options.normalisation.method = geo::NormaliseMethod::kZScore;
  s.options.normalisation.per_band = true;
  geo::ExecContext exec({2, 0});
  const TrainingData raw({s.scene, bright}, plain, exec);
  const TrainingData data({s.scene, bright}, s.options, exec);
  const std::vector<Batch> raws = all_train(raw, 1);
  const std::vector<Batch> found = all_train(data, 1);
  for (std::size_t b = 0; b < found.size(); ++b) {
    for (std::size_t w = 0; w < static_cast<std::size_t>(found[b].count); ++w) {
      const bool is_bright = value(raws[b], w, 0, 0) >= 20000.0f;
      for (std::size_t band = 0; band < 4; ++band) {
        const auto [mean, sd] = moments_of(band < 2 ? 1 : 2, static_cast<int>(band % 2));
        for (std::size_t p = 0; p < 32 * 32; p += 11) {
          const double stored = static_cast<double>(value(raws[b], w, band, p)) / (is_bright ? 2.0 : 1.0);
          ASSERT_NEAR(value(found[b], w, band, p), (stored - mean) / sd, 1e-3);
        }
      }
    }
  }
}

TEST(Stack, OfOneStatisticTakesAllBandsOfAllDates) {
  StackScene s;
  std::vector<std::uint16_t> all = date(1).data();
  const geo::Raster<std::uint16_t> early = date(2);
  all.insert(all.end(), early.data().begin(), early.data().end());
  const auto [mean, sd] = moments(all);
  const Batch raw = load(s.scene, s.options).val_batch(0, 2);
  s.options.normalisation.method = geo::NormaliseMethod::kZScore;
  const Batch found = load(s.scene, s.options).val_batch(0, 2);
  ASSERT_EQ(found.pixels.size(), raw.pixels.size());
  for (std::size_t i = 0; i < raw.pixels.size(); ++i)
    ASSERT_NEAR(found.pixels[i], (static_cast<double>(raw.pixels[i]) - mean) / sd, 1e-4);
}

TEST(Stack, IgnoresPixelsThatOneDateLacks) {
  StackScene s;
  geo::Raster<std::uint16_t> early = date(2);
  for (int band = 0; band < 2; ++band) early.at(5, 6, band) = 0;
  geo::RasterSpec spec;
  spec.nodata = 0.0;
  s.scene.later_images = {write(s.folder, "gap.tif", early, s.grid, spec)};
  const TrainingDataSummary summary = load(s.scene, s.options).summary();
  EXPECT_EQ(summary.labelled_without_image_px, 1);
  EXPECT_EQ(summary.labelled_px[0] + summary.labelled_px[1] + summary.labelled_px[2], kWidth * kHeight - 1);
}

TEST(Stack, NeedsFilesOnOneGrid) {
  StackScene s;
  s.scene.later_images = {write(s.folder, "short.tif", date(2, 2, 90), utm_grid(kWidth, 90))};
  EXPECT_THAT(failure<geo::IoError>(s.scene, s.options),
              AllOf(HasSubstr("late.tif"), HasSubstr("short.tif"), HasSubstr("128 x 96 and 128 x 90")));
  geo::Grid shifted = s.grid;
  shifted.transform.x0 += 10.0;
  s.scene.later_images = {write(s.folder, "shifted.tif", date(2), shifted)};
  EXPECT_THAT(failure<geo::IoError>(s.scene, s.options),
              AllOf(HasSubstr("late.tif"), HasSubstr("shifted.tif"), HasSubstr("not on one pixel grid")));
  geo::Grid zone = s.grid;
  zone.crs = geo::Crs::from_user_input("EPSG:32633");
  s.scene.later_images = {write(s.folder, "zone.tif", date(2), zone)};
  EXPECT_THAT(failure<geo::CrsError>(s.scene, s.options),
              AllOf(HasSubstr("late.tif"), HasSubstr("zone.tif"), HasSubstr("EPSG:32633")));
}

TEST(Stack, DoesNotMixWithImagesOfOtherDates) {
  StackScene s;
  TrainingScene single = s.scene;
  single.image = write(s.folder, "four.tif", date(1, 4), s.grid);
  single.later_images.clear();
  geo::ExecContext exec({2, 0});
  for (const bool per_band : {false, true}) {
    s.options.normalisation.method = geo::NormaliseMethod::kZScore;
    s.options.normalisation.scope = geo::NormaliseScope::kStored;
    s.options.normalisation.per_band = per_band;
    try {
      TrainingData({single, s.scene}, s.options, exec);
      ADD_FAILURE() << "no error";
    } catch (const geo::ModelError& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr("late.tif' has 2 + 2 bands"), HasSubstr("four.tif"),
                                      HasSubstr("has 4 bands")));
    }
  }
}

TEST(DateSwap, ExchangesTheDatesOfHalfOfTheWindows) {
  StackScene s;
  const TrainingData without = load(s.scene, s.options);
  s.options.swap_dates = true;
  const TrainingData with = load(s.scene, s.options);
  EXPECT_EQ(with.summary().sha256, without.summary().sha256);
  int windows = 0;
  int swapped = 0;
  for (std::int64_t epoch = 1; epoch <= 40; ++epoch) {
    const std::vector<Batch> before = all_train(without, epoch);
    const std::vector<Batch> after = all_train(with, epoch);
    for (std::size_t b = 0; b < before.size(); ++b) {
      EXPECT_EQ(after[b].labels, before[b].labels);
      EXPECT_EQ(after[b].weights, before[b].weights);
      for (std::size_t w = 0; w < static_cast<std::size_t>(before[b].count); ++w) {
        const bool swap = value(after[b], w, 0, 0) >= 20000.0f;
        ++windows;
        swapped += swap ? 1 : 0;
        for (std::size_t band = 0; band < 4; ++band) {
          for (std::size_t p = 0; p < 32 * 32; ++p)
            ASSERT_EQ(value(after[b], w, swap ? (band + 2) % 4 : band, p), value(before[b], w, band, p));
        }
      }
    }
  }
  EXPECT_GT(windows, 300);
  EXPECT_NEAR(swapped, 0.5 * windows, 2.0 * std::sqrt(windows));  // 4 standard deviations
}

TEST(DateSwap, LeavesValidationAndPlainWindowsAlone) {
  StackScene s;
  const TrainingData without = load(s.scene, s.options);
  s.options.swap_dates = true;
  const TrainingData with = load(s.scene, s.options);
  EXPECT_EQ(with.val_batch(0, 8).pixels, without.val_batch(0, 8).pixels);
  EXPECT_EQ(with.plain_train_batch(1, 0, 8).pixels, without.plain_train_batch(1, 0, 8).pixels);
}

TEST(DateSwap, NeedsStacksOfTwoEqualImages) {
  StackScene s;
  s.options.swap_dates = true;
  TrainingScene other = s.scene;
  other.later_images = {write(s.folder, "three.tif", date(2, 3), s.grid)};
  EXPECT_THAT(failure<geo::InvalidArgument>(other, s.options),
              AllOf(HasSubstr("late.tif"), HasSubstr("no stack of two images with equal bands")));
  other.later_images.clear();
  EXPECT_THAT(failure<geo::InvalidArgument>(other, s.options), HasSubstr("no stack of two images"));
  other.later_images = {s.scene.later_images[0], write(s.folder, "third.tif", date(3), s.grid)};
  EXPECT_THAT(failure<geo::InvalidArgument>(other, s.options), HasSubstr("no stack of two images"));
}

}  // namespace
}  // namespace furrow::segmentation
