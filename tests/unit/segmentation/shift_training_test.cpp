// Dataset shift from the training to the score map.
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/segmentation/network.h>

#include "folded_unet.h"
#include "shift/training_features.h"
#include "small_training.h"
#include "training_scene.h"

namespace furrow::segmentation {
namespace {

using test::bytes_of;
using test::TemporaryFolder;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing_scene::image;
using testing_scene::write;

constexpr std::int64_t kWidth = 256;
constexpr std::int64_t kHeight = 192;

/// A model of one scene, with statistics stored or of each scene; trained once for all tests.
class ShiftOfModel : public ::testing::TestWithParam<geo::NormaliseScope> {
 protected:
  static std::filesystem::path model(geo::NormaliseScope scope) {
    static const TemporaryFolder folder;
    const auto path = folder / (scope == geo::NormaliseScope::kStored ? "stored" : "scene");
    if (std::filesystem::exists(path)) return path;
    geo::ExecContext exec({1, 0});
    TrainingDataOptions options;
    options.chip_px = 32;
    options.val_share = 0.4;
    options.normalisation.scope = scope;
    const TrainingData data({testing_scene::write_scene(folder, kWidth, kHeight)}, options, exec);
    train_model(data, tiny_training(4), path, exec);
    return path;
  }

  [[nodiscard]] PredictReport predict(const geo::Raster<std::uint16_t>& pixels, int threads = 2,
                                      geo::RasterSpec spec = {}) const {
    const TrainedNetwork network(model(GetParam()));
    const auto check = network.shift_check();
    EXPECT_TRUE(check);
    PredictOptions options;
    options.shift = &*check;
    options.overwrite = true;
    geo::ExecContext exec({threads, 0});
    const std::string scene = write(m_folder, "scene.tif", pixels,
                                    test::utm_grid(pixels.width(), pixels.height()), std::move(spec));
    return predict_scene(scene, (m_folder / "scores.tif").string(), network.spec(), network.score_function(),
                         options, exec);
  }

  TemporaryFolder m_folder;
};

/// The scene with something done to each value.
geo::Raster<std::uint16_t> changed(
    const std::function<double(double value, std::int64_t col, std::int64_t row, int band)>& change) {
  geo::Raster<std::uint16_t> pixels = image(kWidth, kHeight);
  for (int b = 0; b < pixels.bands(); ++b) {
    for (std::int64_t row = 0; row < kHeight; ++row) {
      for (std::int64_t col = 0; col < kWidth; ++col) {
        auto& value = pixels.at(col, row, b);
        value = static_cast<std::uint16_t>(change(static_cast<double>(value), col, row, b));
      }
    }
  }
  return pixels;
}

TEST_P(ShiftOfModel, IsSmallOnTheTrainingSceneAndOneLikeIt) {
  EXPECT_LT(predict(image(kWidth, kHeight)).shift->quantile, 0.99);
  EXPECT_LT(predict(image(kWidth, kHeight, 77)).shift->quantile, 0.99);
}

TEST_P(ShiftOfModel, IsLargeOnScenesOfAnotherKind) {
  geo::Random random(3);
  const auto noise = changed([&](double, auto, auto, int) { return random.uniform(400.0, 1900.0); });
  EXPECT_EQ(predict(noise).shift->quantile, 1.0);
  const auto noisier = changed([&](double v, auto, auto, int) { return v + random.uniform(0.0, 900.0); });
  EXPECT_EQ(predict(noisier).shift->quantile, 1.0);
  const auto fields = image(kWidth, kHeight);
  const auto bands_exchanged = changed(
      [&](double, auto col, auto row, int b) { return static_cast<double>(fields.at(col, row, 1 - b)); });
  EXPECT_EQ(predict(bands_exchanged).shift->quantile, 1.0);
  const auto larger_fields = changed(
      [&](double, auto col, auto row, int b) { return static_cast<double>(fields.at(col / 4, row / 4, b)); });
  EXPECT_EQ(predict(larger_fields).shift->quantile, 1.0);
}

TEST_P(ShiftOfModel, OfBrightnessCountsUnlessTheSceneIsNormalisedByItself) {
  const double quantile = predict(changed([](double v, auto, auto, int) { return 3.0 * v; })).shift->quantile;
  if (GetParam() == geo::NormaliseScope::kStored) {
    EXPECT_EQ(quantile, 1.0);
  } else {
    EXPECT_LT(quantile, 0.99);
  }
}

TEST_P(ShiftOfModel, IsThatOfOneThreadWithFour) {
  const auto scene = image(kWidth, kHeight, 5);
  const PredictReport one = predict(scene, 1);
  const std::string bytes = bytes_of(m_folder / "scores.tif");
  const PredictReport four = predict(scene, 4);
  EXPECT_EQ(one.shift->distance, four.shift->distance);
  EXPECT_EQ(one.shift->quantile, four.shift->quantile);
  EXPECT_EQ(bytes_of(m_folder / "scores.tif"), bytes);
}

TEST_P(ShiftOfModel, IsKnownForTinyScenesAndNotForEmptyOnes) {
  EXPECT_EQ(predict(image(32, 32)).shift->windows, 1);
  EXPECT_EQ(predict(image(70, 32)).shift->windows, 2);
  EXPECT_FALSE(predict(image(32, 31)).shift);
  geo::RasterSpec spec;
  spec.nodata = 0.0;
  EXPECT_FALSE(predict(changed([](double, auto, auto, int) { return 0.0; }), 2, spec).shift);
  const auto half = changed([](double v, auto col, auto, int) { return col < kWidth / 2 ? v : 0.0; });
  EXPECT_LT(predict(half, 2, spec).shift->quantile, 0.99);
}

INSTANTIATE_TEST_SUITE_P(Statistics, ShiftOfModel,
                         ::testing::Values(geo::NormaliseScope::kScene, geo::NormaliseScope::kStored));

using ShiftCheckOfModel = ShiftOfModel;

TEST_P(ShiftCheckOfModel, NeedsTheFileAsItWasWrittenForTheseWeights) {
  const auto copy = m_folder / "copy";
  std::filesystem::copy(model(GetParam()), copy);
  ModelSpec spec = read_model_spec(copy);
  ASSERT_TRUE(spec.features);
  EXPECT_EQ(spec.features->window_px, 32);
  EXPECT_GE(spec.features->train_windows, 20);
  EXPECT_GE(spec.features->reference_windows, 30);
  EXPECT_EQ(TrainedNetwork(copy).shift_check()->window_px, 32);

  const std::string weights = spec.weights_sha256;
  spec.weights_sha256.clear();  // weights of somebody else's
  write_model_spec(spec, copy);
  EXPECT_FALSE(TrainedNetwork(copy).shift_check());

  spec.weights_sha256 = weights;
  spec.features->window_px = 33;
  write_model_spec(spec, copy);
  EXPECT_THROW((void)TrainedNetwork(copy).shift_check(), geo::ModelError);

  spec.features->window_px = 32;
  spec.features->sha256 = "abc";
  write_model_spec(spec, copy);
  try {
    (void)TrainedNetwork(copy).shift_check();
    ADD_FAILURE() << "another checksum was believed";
  } catch (const geo::ModelError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("features.safetensors"), HasSubstr("checksum")));
  }

  spec.features.reset();
  write_model_spec(spec, copy);
  EXPECT_FALSE(TrainedNetwork(copy).shift_check());
}

INSTANTIATE_TEST_SUITE_P(Statistics, ShiftCheckOfModel, ::testing::Values(geo::NormaliseScope::kScene));

TEST(TrainingFeatures, AreLeftOutWhereThereAreHardlyAnyWindows) {
  const TemporaryFolder folder;
  geo::ExecContext exec({1, 0});
  TrainingDataOptions options;
  options.chip_px = 32;
  options.val_share = 0.0;
  const TrainingData data({testing_scene::write_scene(folder, 64, 32)}, options, exec);
  EXPECT_FALSE(training_features(FoldedUNet(UNet(UNetOptions{2, 4, 3}, 1)), data, exec));
  train_model(data, tiny_training(1), folder / "model", exec);
  EXPECT_FALSE(std::filesystem::exists(folder / "model" / "features.safetensors"));
  EXPECT_FALSE(read_model_spec(folder / "model").features);
}

TEST(WindowFeatures, AreMeansOverCellsWeightedByTheirData) {
  const torch::NoGradGuard no_grad;
  UNet network(UNetOptions{2, 4, 3}, 1);
  network->eval();
  const FoldedUNet folded(network);
  torch::manual_seed(1);
  torch::Tensor window = torch::rand({1, 2, 16, 16}) + 0.1;
  const torch::Tensor cells = folded.deepest(window);
  ASSERT_EQ(cells.sizes().vec(), (std::vector<std::int64_t>{1, 16, 4, 4}));
  const std::vector<float> whole = window_features(folded, window);
  ASSERT_EQ(whole.size(), 16U);
  EXPECT_NEAR(whole[3], cells[0][3].mean().item<float>(), 1e-6);
  // The right half without data, but for one column of its cells' four.
  window.narrow(3, 9, 7).zero_();
  const torch::Tensor cut = folded.deepest(window)[0][3];
  const double sum =
      cut.narrow(1, 0, 2).sum().item<double>() + 0.25 * cut.narrow(1, 2, 1).sum().item<double>();
  EXPECT_NEAR(static_cast<double>(window_features(folded, window)[3]), sum / (8.0 + 1.0), 1e-6);
  window.narrow(3, 7, 2).zero_();
  EXPECT_TRUE(window_features(folded, window).empty());
}

}  // namespace
}  // namespace furrow::segmentation
