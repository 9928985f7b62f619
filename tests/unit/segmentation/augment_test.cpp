#include "augment.h"

#include <set>

#include <gtest/gtest.h>

#include "support.h"

namespace furrow::segmentation {
namespace {

/// A patch whose pixels, labels and weights all say where they came from.
Patch numbered_patch(std::int64_t width, std::int64_t height, int bands = 2) {
  Patch patch(width, height, bands, 3);
  for (std::int64_t row = 0; row < height; ++row) {
    for (std::int64_t col = 0; col < width; ++col) {
      const auto n = static_cast<int>(row * width + col);
      for (int band = 0; band < bands; ++band) {
        patch.pixels.at(col, row, band) = static_cast<float>(n) / static_cast<float>(width * height);
      }
      patch.valid.at(col, row) = 1;
      patch.labels.at(col, row) = static_cast<std::uint8_t>(n % 3);
      patch.weights.at(col, row) = static_cast<float>(n);
      for (int c = 0; c < 3; ++c) patch.targets.at(col, row, c) = static_cast<float>(3 * n + c);
    }
  }
  return patch;
}

TEST(Augment, TurnsOnThePixelGrid) {
  Patch patch(2, 2, 1);
  patch.labels = test::draw("01\n23");
  const auto turned_picture = [&](int turn) { return test::picture(turned(patch, turn).labels); };
  EXPECT_EQ(turned_picture(0), test::picture(test::draw("01\n23")));
  EXPECT_EQ(turned_picture(1), test::picture(test::draw("20\n31")));  // clockwise
  EXPECT_EQ(turned_picture(2), test::picture(test::draw("32\n10")));
  EXPECT_EQ(turned_picture(3), test::picture(test::draw("13\n02")));
  std::set<std::string> all;
  for (int turn = 0; turn < 8; ++turn) all.insert(turned_picture(turn));
  EXPECT_EQ(all.size(), 8u);
}

TEST(Augment, TurnsOblongPatchesToo) {
  const Patch patch = numbered_patch(3, 2);
  EXPECT_EQ(turned(patch, 1).labels.width(), 2);
  EXPECT_EQ(turned(patch, 1).labels.at(0, 0), patch.labels.at(0, 1));
  EXPECT_EQ(turned(patch, 4).labels.at(0, 0), patch.labels.at(2, 0));
}

TEST(Augment, MovesLabelsAndWeightsWithThePixelsAndChangesNone) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Patch before = numbered_patch(8, 8);
    Patch after = before;
    geo::Random random(seed);
    augment(after, true, random);
    std::multiset<float> weights(after.weights.data().begin(), after.weights.data().end());
    EXPECT_EQ(weights, std::multiset<float>(before.weights.data().begin(), before.weights.data().end()));
    for (std::size_t i = 0; i < after.labels.data().size(); ++i) {
      EXPECT_EQ(after.labels.data()[i], static_cast<int>(after.weights.data()[i]) % 3);
      for (int c = 0; c < 3; ++c) {
        EXPECT_EQ(after.targets.band(c)[i], 3.0f * after.weights.data()[i] + static_cast<float>(c));
      }
    }
    for (const float value : after.pixels.data()) {
      EXPECT_GE(value, 0.0f);
      EXPECT_LE(value, 1.0f);
    }
  }
}

TEST(Augment, KeepsBrightnessWithinItsLimits) {
  bool brighter = false;
  bool darker = false;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Patch patch = numbered_patch(8, 8);
    std::fill(patch.pixels.data().begin(), patch.pixels.data().end(), 0.5f);
    geo::Random random(seed);
    augment(patch, true, random);
    double mean = 0.0;
    for (const float value : patch.pixels.data()) mean += static_cast<double>(value) / 128.0;
    // Darkest: (0.5 * 0.67)^2 = 0.112; brightest: sqrt(0.5 * 1.5) = 0.866; noise averages out.
    EXPECT_GT(mean, 0.10);
    EXPECT_LT(mean, 0.88);
    brighter = brighter || mean > 0.6;
    darker = darker || mean < 0.4;
  }
  EXPECT_TRUE(brighter && darker);
}

TEST(Augment, LeavesInvalidPixelsAtZero) {
  Patch patch = numbered_patch(8, 8);
  std::fill(patch.valid.data().begin(), patch.valid.data().end(), std::uint8_t{0});
  std::fill(patch.pixels.data().begin(), patch.pixels.data().end(), 0.0f);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    geo::Random random(seed);
    augment(patch, true, random);
  }
  for (const float value : patch.pixels.data()) EXPECT_EQ(value, 0.0f);
}

TEST(RandomWindow, StaysInsideAndKeepsPartsTogether) {
  const Patch block = numbered_patch(20, 13);
  std::set<float> corners;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    geo::Random random(seed);
    const Patch window = random_window(block, 8, random);
    const auto corner = static_cast<std::int64_t>(window.weights.at(0, 0));
    corners.insert(window.weights.at(0, 0));
    EXPECT_EQ(static_cast<std::int64_t>(window.weights.at(7, 7)), corner + 7 * 20 + 7);
    EXPECT_LE(corner % 20, 12);
    EXPECT_LE(corner / 20, 5);
  }
  EXPECT_GT(corners.size(), 30u);
}

TEST(RandomWindow, PadsSmallBlocksWithIgnoredPixels) {
  geo::Random random(1);
  const Patch window = random_window(numbered_patch(5, 9), 8, random);
  for (std::int64_t row = 0; row < 8; ++row) {
    EXPECT_NE(window.labels.at(4, row), 255);
    EXPECT_EQ(window.labels.at(5, row), 255);
    EXPECT_EQ(window.pixels.at(5, row), 0.0f);
    EXPECT_EQ(window.weights.at(5, row), 0.0f);
  }
}

TEST(RandomWindow, PrefersPlacesWithLabels) {
  Patch block = numbered_patch(64, 64);
  std::fill(block.labels.data().begin(), block.labels.data().end(), std::uint8_t{255});
  for (std::int64_t row = 16; row < 48; ++row) {
    for (std::int64_t col = 16; col < 48; ++col) block.labels.at(col, row) = 1;
  }
  int labelled = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    geo::Random random(seed);
    const Patch window = random_window(block, 8, random);
    for (const std::uint8_t label : window.labels.data()) {
      if (label != 255) {
        ++labelled;
        break;
      }
    }
  }
  EXPECT_GE(labelled, 98);  // one draw alone hits in about (39/57)^2 = 47 %
}

}  // namespace
}  // namespace furrow::segmentation
