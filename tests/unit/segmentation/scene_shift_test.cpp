#include "prediction/scene_shift.h"

#include <cmath>
#include <mutex>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/raster/writer.h>
#include <furrow/segmentation/predictor.h>

#include "support.h"

namespace furrow::segmentation {
namespace {

using geo::Window;

constexpr std::int64_t kSide = 16;

bool overlap(const Window& a, const Window& b) {
  return a.col < b.end_col() && b.col < a.end_col() && a.row < b.end_row() && b.row < a.end_row();
}

TEST(SampleWindows, LieInTheSceneApartAndSpread) {
  for (const auto& [width, height] : {std::pair{1000, 1000},
                                      {4000, 300},
                                      {129, 5000},
                                      {40, 40},
                                      {16, 16},
                                      {31, 17},
                                      {4000, 17},
                                      {17, 4000},
                                      {20000, 20000}}) {
    const auto windows = sample_windows(width, height, kSide, 64);
    ASSERT_FALSE(windows.empty());
    EXPECT_LE(windows.size(), 96U);  // rows x columns may be a few more than asked for
    for (std::size_t i = 0; i < windows.size(); ++i) {
      const Window& w = windows[i];
      EXPECT_EQ(w.width, kSide);
      EXPECT_EQ(w.height, kSide);
      EXPECT_TRUE(w.col >= 0 && w.row >= 0 && w.end_col() <= width && w.end_row() <= height);
      for (std::size_t j = 0; j < i; ++j) EXPECT_FALSE(overlap(w, windows[j]));
    }
    EXPECT_EQ(windows, sample_windows(width, height, kSide, 64));
  }
}

TEST(SampleWindows, AreAnEighthOfTheSceneButAtLeastSixteen) {
  EXPECT_EQ(sample_windows(16 * 16, 16 * 16, kSide, 64).size(), 30U);  // 32 wanted, 6 x 5
  EXPECT_EQ(sample_windows(16 * 8, 16 * 8, kSide, 64).size(), 16U);
  EXPECT_EQ(sample_windows(16 * 12, 16 * 5, kSide, 64).size(), 18U);  // 16 wanted, 6 x 3
  EXPECT_EQ(sample_windows(16 * 2, 16 * 2, kSide, 64).size(), 4U);    // room for 4
  EXPECT_EQ(sample_windows(16000, 16000, kSide, 64).size(), 64U);
  EXPECT_EQ(sample_windows(16000, 16000, kSide, 1).size(), 1U);
}

TEST(SampleWindows, AreNotThereInASceneSmallerThanOne) {
  EXPECT_TRUE(sample_windows(15, 400, kSide, 64).empty());
  EXPECT_TRUE(sample_windows(400, 15, kSide, 64).empty());
  EXPECT_EQ(sample_windows(16, 400, kSide, 64).size(), 16U);
}

/// Feature: mean of a window with data in half of its pixels; distance: mean over the windows.
ShiftCheck mean_check() {
  ShiftCheck check;
  check.window_px = kSide;
  check.most_windows = 64;
  check.features = [](std::span<const float> window) -> std::vector<float> {
    EXPECT_EQ(window.size(), static_cast<std::size_t>(2 * kSide * kSide));
    const auto data = std::ranges::count_if(window, [](float v) { return v != 0.0F; });
    if (2 * data < std::ssize(window)) return {};
    return {std::accumulate(window.begin(), window.end(), 0.0F) / static_cast<float>(window.size())};
  };
  check.judge = [](const std::vector<std::vector<float>>& windows) {
    SceneShift shift;
    shift.windows = std::ssize(windows);
    for (const auto& w : windows) shift.distance += static_cast<double>(w.front());
    shift.distance /= static_cast<double>(shift.windows);
    shift.quantile = shift.distance > 1.0 ? 1.0 : 0.25;
    shift.usual = 0.5;
    return shift;
  };
  return check;
}

/// A scene of two bands; values fall from `top` at the left border to 0 (= nodata) at column `until`.
std::string write_ramp(const test::TemporaryFolder& folder, std::int64_t width, std::int64_t height,
                       std::int64_t until, double top) {
  geo::Raster<float> pixels(width, height, 2);
  for (int b = 0; b < 2; ++b) {
    for (std::int64_t row = 0; row < height; ++row) {
      for (std::int64_t col = 0; col < std::min(width, until); ++col) {
        pixels.at(col, row, b) =
            static_cast<float>(top * (1.0 - static_cast<double>(col) / static_cast<double>(until)));
      }
    }
  }
  geo::RasterSpec spec;
  spec.type = geo::PixelType::kFloat32;
  spec.bands = 2;
  spec.nodata = 0.0;
  spec.cog = false;
  const auto path = folder / "ramp.tif";
  geo::write_raster(path, test::utm_grid(width, height), pixels, spec, true);
  return path.string();
}

ModelSpec two_band_spec() {
  ModelSpec spec;
  spec.id = "ramp";
  spec.bands = {{"a"}, {"b"}};
  spec.normalisation.method = geo::NormaliseMethod::kDivide;
  spec.normalisation.divisor = 1.0;
  spec.classes = {{0, "background"}, {1, "interior"}, {2, "boundary"}};
  spec.stride_px = 1;
  return spec;
}

void even_scores(std::span<const float>, std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                 std::span<float> output) {
  std::ranges::fill(output, 1.0F / 3.0F);
}

PredictReport predict(const std::string& image, const std::string& output, int threads) {
  geo::ExecContext exec({threads, 0});
  const ShiftCheck check = mean_check();
  PredictOptions options;
  options.shift = &check;
  options.overwrite = true;
  return predict_scene(image, output, two_band_spec(), even_scores, options, exec);
}

TEST(SceneShift, IsMeasuredWhereThereAreDataAndWrittenToTheScores) {
  const test::TemporaryFolder folder;
  const std::string image = write_ramp(folder, 160, 64, 80, 1.0);
  const std::string output = (folder / "scores.tif").string();
  const PredictReport report = predict(image, output, 1);
  ASSERT_TRUE(report.shift);
  EXPECT_LT(report.shift->windows, std::ssize(sample_windows(160, 64, kSide, 64)));  // half has no data
  EXPECT_NEAR(report.shift->distance, 0.5, 0.2);
  const geo::RasterReader scores(output);
  EXPECT_NEAR(std::stod(scores.metadata("FURROW_SHIFT_DISTANCE")), report.shift->distance, 1e-6);
  EXPECT_EQ(scores.metadata("FURROW_SHIFT_QUANTILE"), "0.250");
  EXPECT_EQ(scores.metadata("FURROW_SHIFT_WINDOWS"), std::to_string(report.shift->windows));
}

TEST(SceneShift, IsThatOfOneThreadWithFour) {
  const test::TemporaryFolder folder;
  const std::string image = write_ramp(folder, 500, 300, 500, 3.0);
  const PredictReport one = predict(image, (folder / "one.tif").string(), 1);
  const PredictReport four = predict(image, (folder / "four.tif").string(), 4);
  EXPECT_EQ(one.shift->distance, four.shift->distance);
  EXPECT_EQ(test::bytes_of(folder / "one.tif"), test::bytes_of(folder / "four.tif"));
}

TEST(SceneShift, OfASceneWithoutDataIsNotMeasured) {
  const test::TemporaryFolder folder;
  const std::string output = (folder / "scores.tif").string();
  EXPECT_FALSE(predict(write_ramp(folder, 64, 64, 0, 1.0), output, 2).shift);
  EXPECT_EQ(geo::RasterReader(output).metadata("FURROW_SHIFT_DISTANCE"), "");
  EXPECT_FALSE(predict(write_ramp(folder, 15, 64, 15, 1.0), output, 2).shift);
  EXPECT_TRUE(predict(write_ramp(folder, 16, 16, 16, 1.0), output, 2).shift);
}

TEST(SceneShift, IsNotMeasuredWithoutACheck) {
  const test::TemporaryFolder folder;
  geo::ExecContext exec({1, 0});
  const std::string output = (folder / "scores.tif").string();
  const auto report =
      predict_scene(write_ramp(folder, 64, 64, 64, 1.0), output, two_band_spec(), even_scores, {}, exec);
  EXPECT_FALSE(report.shift);
  EXPECT_EQ(geo::RasterReader(output).metadata("FURROW_SHIFT_DISTANCE"), "");
}

}  // namespace
}  // namespace furrow::segmentation
