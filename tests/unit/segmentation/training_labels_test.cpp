// Labels and images that lack something: a class, pixels, all but one chip.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

#include "training_windows.h"

namespace furrow::segmentation {
namespace {

using test::TemporaryFolder;
using test::utm_grid;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing_scene::all_train;
using testing_scene::failure;
using testing_scene::load;
using testing_scene::small_options;
using testing_scene::write;
using testing_scene::write_scene;

using Counts = std::array<std::int64_t, 3>;

TEST(TrainingLabels, MayLackTheBoundary) {
  const TemporaryFolder folder;
  TrainingScene scene = write_scene(folder, 160, 128);
  geo::Raster<std::uint8_t> labels(160, 128);
  for (std::int64_t row = 10; row < 14; ++row) {
    for (std::int64_t col = 20; col < 25; ++col) labels.at(col, row) = 1;
  }
  scene.labels = write(folder, "two.tif", labels, utm_grid(160, 128));
  TrainingDataOptions options = small_options();
  options.val_share = 0.0;
  EXPECT_EQ(load(scene, options).summary().labelled_px, (Counts{160 * 128 - 20, 20, 0}));
  // Balanced, half of the windows show the one field; no class that is not there is drawn.
  options.balance = true;
  const TrainingData data = load(scene, options);
  int windows = 0;
  int with = 0;
  for (std::int64_t epoch = 1; epoch <= 10; ++epoch) {
    for (const Batch& batch : all_train(data, epoch, 1)) {
      ++windows;
      with += std::ranges::count(batch.labels, 1) > 0 ? 1 : 0;
      EXPECT_EQ(std::ranges::count(batch.labels, 2), 0);
    }
  }
  EXPECT_GE(with, windows / 2 - 2.0 * std::sqrt(windows));
  EXPECT_LE(with, windows * 0.7);  // and few of the others by chance: its block is one of six
}

TEST(TrainingLabels, MayBeOfOneClass) {
  const TemporaryFolder folder;
  TrainingScene scene = write_scene(folder, 160, 128);
  scene.labels = write(folder, "ones.tif", geo::Raster<std::uint8_t>(160, 128, 1, 1), utm_grid(160, 128));
  for (const bool balance : {false, true}) {
    TrainingDataOptions options = small_options();
    options.balance = balance;
    const TrainingData data = load(scene, options);
    EXPECT_EQ(data.summary().labelled_px, (Counts{0, 160 * 128, 0}));
    EXPECT_EQ(std::ranges::count(data.train_batch(1, 0, 4).labels, 1), 4 * 32 * 32);
  }
}

TEST(TrainingLabels, AreIgnoredWhereTheyAre3Or255AndRefusedWhereTheyAre17) {
  const TemporaryFolder folder;
  TrainingScene scene = write_scene(folder, 64, 64);
  geo::Raster<std::uint8_t> labels(64, 64, 1, 3);
  for (std::int64_t col = 0; col < 64; ++col) labels.at(col, 0) = 255;
  for (std::int64_t col = 0; col < 64; ++col) labels.at(col, 40) = static_cast<std::uint8_t>(col % 3);
  scene.labels = write(folder, "labels.tif", labels, utm_grid(64, 64));
  TrainingDataOptions options = small_options();
  options.val_share = 0.0;
  const TrainingData data = load(scene, options);
  EXPECT_EQ(data.summary().labelled_px, (Counts{22, 21, 21}));
  for (const Batch& batch : all_train(data, 1)) {
    for (std::size_t i = 0; i < batch.labels.size(); ++i) {
      ASSERT_TRUE(batch.labels[i] <= 2 || batch.labels[i] == 255);
      ASSERT_EQ(batch.weights[i], batch.labels[i] == 255 ? 0.0f : 1.0f);
    }
  }
  labels.at(7, 7) = 17;
  scene.labels = write(folder, "labels.tif", labels, utm_grid(64, 64));
  EXPECT_THAT(failure<geo::IoError>(scene, options),
              AllOf(HasSubstr("labels.tif"), HasSubstr("no classes: 17;"), HasSubstr("3 or 255 ignore")));
}

TEST(TrainingImages, HaveNoNumberInABatchWhereTheyHaveNone) {
  const TemporaryFolder folder;
  TrainingScene scene = write_scene(folder, 96, 96);
  const geo::Raster<std::uint16_t> whole = testing_scene::image(96, 96);
  geo::Raster<float> image(96, 96, 2);
  std::ranges::copy(whole.data(), image.data().begin());
  // A column in one band, a pixel in both, a pixel that is infinite.
  for (std::int64_t row = 0; row < 96; ++row) image.at(10, row, 1) = std::numeric_limits<float>::quiet_NaN();
  for (int band = 0; band < 2; ++band) image.at(50, 60, band) = std::numeric_limits<float>::quiet_NaN();
  image.at(70, 20, 0) = std::numeric_limits<float>::infinity();
  scene.image = write(folder, "nan.tif", image, utm_grid(96, 96));
  for (const auto method :
       {geo::NormaliseMethod::kMinMax, geo::NormaliseMethod::kZScore, geo::NormaliseMethod::kDivide}) {
    for (const auto scope : {geo::NormaliseScope::kScene, geo::NormaliseScope::kStored}) {
      TrainingDataOptions options = small_options();
      options.normalisation.method = method;
      options.normalisation.scope = scope;
      options.val_share = 0.3;
      options.augment = true;
      options.scale = {0.5, 2.0};
      const TrainingData data = load(scene, options);
      EXPECT_EQ(data.summary().labelled_without_image_px, 98);
      const Counts& counts = data.summary().labelled_px;
      EXPECT_EQ(counts[0] + counts[1] + counts[2], 96 * 96 - 98);
      std::vector<Batch> batches = all_train(data, 1);
      for (std::int64_t i = 0; i < data.val_batches(4); ++i) batches.push_back(data.val_batch(i, 4));
      for (const Batch& batch : batches) {
        for (const auto* values : {&batch.pixels, &batch.weights})
          EXPECT_TRUE(std::ranges::all_of(*values, [](float v) { return std::isfinite(v); }));
      }
    }
  }
}

TEST(TrainingImages, ThatAreTruncatedAreLeftOutOfMany) {
  const TemporaryFolder folder;
  std::vector<TrainingScene> all;
  for (std::uint64_t i = 0; i < 5; ++i) {
    const std::string name = geo::concat("chip", i, ".tif");
    all.push_back({write(folder, name, testing_scene::image(32, 32, i), utm_grid(32, 32)),
                   write(folder, "l" + name, testing_scene::labels(32, 32), utm_grid(32, 32)), ""});
    all.back().part = i == 0 ? ScenePart::kValidate : ScenePart::kTrain;
  }
  std::vector<TrainingScene> others = all;
  others.erase(others.begin() + 3);
  const auto size = std::filesystem::file_size(all[3].image);
  geo::ExecContext exec({2, 0});
  TrainingDataOptions options = small_options();
  // First the pixels are cut, then the tags behind the header.
  for (const std::uintmax_t bytes : {size * 3 / 4, std::uintmax_t{300}, std::uintmax_t{0}}) {
    std::filesystem::resize_file(all[3].image, bytes);
    for (const auto scope : {geo::NormaliseScope::kScene, geo::NormaliseScope::kStored}) {
      options.normalisation.scope = scope;
      options.bad_scene = BadScene::kLeaveOut;
      const TrainingData data(all, options, exec);
      ASSERT_EQ(data.left_out().size(), 1u);
      EXPECT_EQ(data.left_out()[0].image, all[3].image);
      EXPECT_THAT(data.left_out()[0].reason, AllOf(HasSubstr("chip3.tif"), Not(HasSubstr("CRS"))));
      EXPECT_EQ(data.summary().sha256, TrainingData(others, options, exec).summary().sha256);
      options.bad_scene = BadScene::kError;
      EXPECT_THROW(TrainingData(all, options, exec), geo::IoError);
    }
  }
}

TEST(TrainingImages, WithoutAnyNumberAreAnError) {
  const TemporaryFolder folder;
  TrainingScene scene = write_scene(folder, 96, 96);
  const geo::Raster<float> image(96, 96, 2, std::numeric_limits<float>::quiet_NaN());
  scene.image = write(folder, "nan.tif", image, utm_grid(96, 96));
  EXPECT_THAT(failure<geo::IoError>(scene), HasSubstr("no pixel is left to train on"));
}

TEST(TrainingImages, OfOneChipInAllTrainWithoutValidation) {
  const TemporaryFolder folder;
  TrainingScene scene = write_scene(folder, 32, 32);
  TrainingDataOptions options = small_options();
  for (const ScenePart part : {ScenePart::kBlocks, ScenePart::kTrain}) {
    scene.part = part;
    options.val_share = part == ScenePart::kBlocks ? 0.0 : 0.2;
    const TrainingData data = load(scene, options);
    EXPECT_EQ(data.summary().train_chips, 1);
    EXPECT_EQ(data.summary().val_chips, 0);
    EXPECT_EQ(data.train_batches(8), 1);
    EXPECT_EQ(data.train_batch(1, 0, 8).labels, testing_scene::labels(32, 32).data());
  }
  scene.part = ScenePart::kValidate;
  EXPECT_THAT(failure<geo::InvalidArgument>(scene, options), HasSubstr("nothing is left to train on"));
}

}  // namespace
}  // namespace furrow::segmentation
