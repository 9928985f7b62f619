// Windows that are enlarged or shrunk while training.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>

#include "augment.h"
#include "training_windows.h"

namespace furrow::segmentation {
namespace {

using test::TemporaryFolder;
using test::utm_grid;
using ::testing::HasSubstr;
using testing_scene::all_train;
using testing_scene::coordinates;
using testing_scene::failure;
using testing_scene::load;
using testing_scene::readable;
using testing_scene::write;

/// A square patch whose every part says which pixel it is; the image is a plane.
Patch numbered_square(std::int64_t side) {
  Patch patch(side, side, 2, 3);
  patch.numbers = geo::Raster<std::int64_t>(side, side);
  for (std::int64_t row = 0; row < side; ++row) {
    for (std::int64_t col = 0; col < side; ++col) {
      const std::int64_t n = row * side + col;
      patch.pixels.at(col, row, 0) = static_cast<float>(col);
      patch.pixels.at(col, row, 1) = static_cast<float>(2 * row - col);
      patch.valid.at(col, row) = 1;
      patch.labels.at(col, row) = static_cast<std::uint8_t>(n % 3);
      patch.weights.at(col, row) = static_cast<float>(n);
      patch.numbers.at(col, row) = n;
      for (int c = 0; c < 3; ++c) patch.targets.at(col, row, c) = static_cast<float>(3 * n + c);
    }
  }
  return patch;
}

/// Distance of two pixel centres along an axis, in source pixels.
double apart(std::int64_t source, std::int64_t target, std::int64_t from, std::int64_t to) {
  const double ratio = static_cast<double>(from) / static_cast<double>(to);
  return std::abs(static_cast<double>(source) + 0.5 - (static_cast<double>(target) + 0.5) * ratio);
}

double nearest(std::int64_t target, std::int64_t from, std::int64_t to) {
  double best = std::numeric_limits<double>::infinity();
  for (std::int64_t i = 0; i < from; ++i) best = std::min(best, apart(i, target, from, to));
  return best;
}

TEST(Resized, TakesEverythingButTheImageFromANearestPixel) {
  for (const auto& [from, to] : {std::pair<std::int64_t, std::int64_t>{7, 16}, {16, 7}, {8, 16}, {16, 8}}) {
    const Patch result = resized(numbered_square(from), to);
    ASSERT_EQ(result.labels.width(), to);
    ASSERT_EQ(result.labels.height(), to);
    for (std::int64_t row = 0; row < to; ++row) {
      for (std::int64_t col = 0; col < to; ++col) {
        const std::int64_t n = result.numbers.at(col, row);
        EXPECT_NEAR(apart(n % from, col, from, to), nearest(col, from, to), 1e-9);
        EXPECT_NEAR(apart(n / from, row, from, to), nearest(row, from, to), 1e-9);
        EXPECT_EQ(result.valid.at(col, row), 1);
        EXPECT_EQ(result.labels.at(col, row), n % 3);
        EXPECT_EQ(result.weights.at(col, row), static_cast<float>(n));
        for (int c = 0; c < 3; ++c) EXPECT_EQ(result.targets.at(col, row, c), static_cast<float>(3 * n + c));
      }
    }
  }
}

TEST(Resized, InterpolatesAPlaneExactly) {
  for (const auto& [from, to] : {std::pair<std::int64_t, std::int64_t>{7, 16}, {16, 7}, {9, 9}}) {
    const Patch result = resized(numbered_square(from), to);
    const auto place = [from = from, to = to](std::int64_t i) {
      const double ratio = static_cast<double>(from) / static_cast<double>(to);
      return std::clamp((static_cast<double>(i) + 0.5) * ratio - 0.5, 0.0, static_cast<double>(from - 1));
    };
    for (std::int64_t row = 0; row < to; ++row) {
      for (std::int64_t col = 0; col < to; ++col) {
        EXPECT_NEAR(result.pixels.at(col, row, 0), place(col), 1e-5);
        EXPECT_NEAR(result.pixels.at(col, row, 1), 2.0 * place(row) - place(col), 1e-5);
      }
    }
  }
}

TEST(Resized, MixesNothingWithMissingPixels) {
  Patch patch = numbered_square(8);
  std::ranges::fill(patch.pixels.data(), 5.0f);
  for (std::int64_t i = 0; i < 8; ++i) {
    patch.valid.at(i, 2) = 0;
    for (int band = 0; band < 2; ++band) patch.pixels.at(i, 2, band) = 0.0f;
  }
  for (const std::int64_t side : {5, 16, 31}) {
    const Patch result = resized(patch, side);
    std::int64_t missing = 0;
    for (std::size_t i = 0; i < result.valid.data().size(); ++i) {
      const bool valid = result.valid.data()[i] != 0;
      missing += valid ? 0 : 1;
      for (int band = 0; band < 2; ++band) EXPECT_FLOAT_EQ(result.pixels.band(band)[i], valid ? 5.0f : 0.0f);
    }
    EXPECT_GT(missing, 0);
  }
}

/// What training without scaling knows of a pixel of the scene.
struct Known {
  int col;
  int row;
  std::uint8_t label;
  float weight;
  std::array<float, 3> target;
};

/// A scene whose weights and soft targets differ from pixel to pixel, without labels in a few places.
struct ScaledScene {
  TemporaryFolder folder;
  TrainingScene scene = testing_scene::write_scene(folder, 160, 128);
  TrainingDataOptions options = readable();

  ScaledScene() {
    const geo::Grid grid = utm_grid(160, 128);
    scene.image = write(folder, "where.tif", coordinates(160, 128), grid);
    geo::Raster<float> posterior(160, 128, 3);
    geo::Raster<std::uint8_t> labels = testing_scene::labels(160, 128);
    for (std::int64_t row = 0; row < 128; ++row) {
      for (std::int64_t col = 0; col < 160; ++col) {
        posterior.at(col, row, 1) = 0.2f + static_cast<float>(col) / 400.0f;
        posterior.at(col, row, 2) = static_cast<float>(row) / 400.0f;
        posterior.at(col, row, 0) = 1.0f - posterior.at(col, row, 1) - posterior.at(col, row, 2);
        if (col % 40 > 33) labels.at(col, row) = 255;
      }
    }
    scene.posterior = write(folder, "posterior.tif", posterior, grid);
    scene.labels = write(folder, "labels.tif", labels, grid);
    options.risk.mode = RiskMode::kSoftWeight;
    options.number_pixels = true;
    options.val_share = 0.0;
  }

  /// By pixel number, from many windows as they are.
  [[nodiscard]] static std::map<std::int64_t, Known> plain(const TrainingData& data) {
    std::map<std::int64_t, Known> known;
    for (std::int64_t epoch = 1; epoch <= 12; ++epoch) {
      for (std::int64_t i = 0; i < data.train_batches(8); ++i)
        add(data.plain_train_batch(epoch, i, 8), known);
    }
    return known;
  }

 private:
  static void add(const Batch& batch, std::map<std::int64_t, Known>& known) {
    std::size_t i = 0;
    testing_scene::each_pixel(batch, 32, [&](int col, int row, std::uint8_t label, float weight) {
      const float* target = &batch.targets[3 * i];
      const std::int64_t number = batch.pixel_numbers[i++];
      if (number >= 0) known[number] = {col, row, label, weight, {target[0], target[1], target[2]}};
    });
  }
};

TEST(ScaledWindows, HoldWhatTheirPixelsHoldInTheScene) {
  ScaledScene s;
  s.options.scale = {0.4, 2.5};
  const TrainingData data = load(s.scene, s.options);
  const std::map<std::int64_t, Known> known = ScaledScene::plain(data);
  EXPECT_GT(std::ssize(known), 160 * 128 * 9 / 10);
  std::int64_t seen = 0;
  std::int64_t padding = 0;
  for (const Batch& batch : all_train(data, 1)) {
    for (std::size_t i = 0; i < batch.labels.size(); ++i) {
      const std::size_t area = 32 * 32;
      const float* pixel = &batch.pixels[2 * (i / area) * area + i % area];
      const auto it = known.find(batch.pixel_numbers[i]);
      if (batch.pixel_numbers[i] < 0) {
        ++padding;
        EXPECT_EQ(batch.labels[i], 255);
        EXPECT_EQ(batch.weights[i], 0.0f);
        EXPECT_EQ(pixel[0], 0.0f);
      }
      if (it == known.end()) continue;
      ++seen;
      ASSERT_EQ(batch.labels[i], it->second.label);
      ASSERT_EQ(batch.weights[i], it->second.weight);
      for (std::size_t c = 0; c < 3; ++c) ASSERT_EQ(batch.targets[3 * i + c], it->second.target[c]);
      // The sampled place lies in the pixel that its label comes from.
      ASSERT_NEAR(pixel[0] - 1.0f, static_cast<float>(it->second.col), 0.5001f);
      ASSERT_NEAR(pixel[area] - 1.0f, static_cast<float>(it->second.row), 0.5001f);
    }
  }
  EXPECT_GT(seen, 10000);
  EXPECT_GT(padding, 0) << "a window of 80 pixels is larger than a block of 64";
}

TEST(ScaledWindows, AreEnlargedByTheFactor) {
  ScaledScene s;
  s.options.scale = {2.0, 2.0};
  const TrainingData data = load(s.scene, s.options);
  std::map<std::int64_t, int> times;
  for (const std::int64_t number : data.train_batch(1, 0, 1).pixel_numbers) ++times[number];
  EXPECT_EQ(times.size(), 16u * 16u);  // each pixel of a window of 16 fills 2 x 2
  for (const auto& [number, count] : times) EXPECT_EQ(count, 4) << number;
}

TEST(ScaledWindows, ChangeNeitherValidationNorTheWindowsAsTheyAre) {
  ScaledScene s;
  s.options.val_share = 0.3;
  const TrainingData without = load(s.scene, s.options);
  s.options.scale = {0.5, 2.0};
  const TrainingData with = load(s.scene, s.options);
  EXPECT_EQ(with.summary().sha256, without.summary().sha256);
  EXPECT_EQ(with.val_batch(0, 4).pixels, without.val_batch(0, 4).pixels);
  EXPECT_EQ(with.plain_train_batch(3, 0, 4).pixels, without.plain_train_batch(3, 0, 4).pixels);
  EXPECT_EQ(with.train_batch(3, 0, 8).blocks, without.train_batch(3, 0, 8).blocks);
  EXPECT_NE(with.train_batch(3, 0, 8).pixels, without.train_batch(3, 0, 8).pixels);
  // Both limits 1: nothing is drawn, the bytes are those without.
  s.options.augment = true;
  s.options.scale = {1.0, 1.0};
  const Batch one = load(s.scene, s.options).train_batch(3, 0, 8);
  s.options.scale = {1.0, std::nextafter(1.0, 2.0)};
  const Batch nearly = load(s.scene, s.options).train_batch(3, 0, 8);
  EXPECT_EQ(one.pixels, nearly.pixels);
  EXPECT_EQ(one.labels, nearly.labels);
}

TEST(ScaledWindows, NeedARangeInsideItsLimits) {
  ScaledScene s;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const auto& range : {std::array{2.0, 1.0}, {0.2, 1.0}, {1.0, 4.5}, {nan, 1.0}, {1.0, nan}}) {
    s.options.scale = range;
    EXPECT_THAT(failure<geo::InvalidArgument>(s.scene, s.options), HasSubstr("range inside 0.25..4"));
  }
}

}  // namespace
}  // namespace furrow::segmentation
