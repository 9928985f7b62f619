#include <furrow/segmentation/training_data.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <set>

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
using testing_scene::coordinates;
using testing_scene::each_pixel;
using testing_scene::failure;
using testing_scene::load;
using testing_scene::readable;
using testing_scene::small_options;
using testing_scene::write;
using testing_scene::write_scene;

TEST(TrainingData, LabelsBelongToTheirPixels) {
  const TemporaryFolder folder;
  TrainingScene scene = write_scene(folder, 150, 130);
  scene.image = write(folder, "where.tif", coordinates(150, 130), utm_grid(150, 130));
  const TrainingData data = load(scene, readable());
  EXPECT_EQ(data.bands(), 2);
  EXPECT_NEAR(data.pixel_size_m(), 10.0, 0.02);
  for (const std::int64_t epoch : {1, 2}) {
    int seen = 0;
    const auto check = [&](int col, int row, std::uint8_t label, float weight) {
      if (label == 255) {
        EXPECT_EQ(weight, 0.0f);
        return;
      }
      ++seen;
      ASSERT_EQ(label, testing_scene::label_at(col, row));
      ASSERT_EQ(weight, 1.0f);
    };
    for (const Batch& batch : all_train(data, epoch)) each_pixel(batch, 32, check);
    for (std::int64_t i = 0; i < data.val_batches(4); ++i) each_pixel(data.val_batch(i, 4), 32, check);
    EXPECT_GT(seen, 10000);
  }
}

TEST(TrainingData, NeverTrainsOnAValidationPixel) {
  const TemporaryFolder folder;
  TrainingScene scene = write_scene(folder, 300, 200);
  scene.image = write(folder, "where.tif", coordinates(300, 200), utm_grid(300, 200));
  const TrainingData data = load(scene, readable());
  std::multiset<std::pair<int, int>> validated;
  for (std::int64_t i = 0; i < data.val_batches(4); ++i) {
    each_pixel(data.val_batch(i, 4), 32, [&](int col, int row, std::uint8_t label, float) {
      if (label != 255) validated.insert({col, row});
    });
  }
  const std::set<std::pair<int, int>> once(validated.begin(), validated.end());
  EXPECT_EQ(once.size(), validated.size()) << "validation windows overlap";
  // 15 blocks of about 64 px, 3 of them validate: a fifth of the scene.
  EXPECT_EQ(data.summary().val_blocks, 3);
  EXPECT_EQ(data.summary().train_blocks, 12);
  EXPECT_NEAR(static_cast<double>(validated.size()), 0.2 * 300 * 200, 0.02 * 300 * 200);
  for (std::int64_t epoch = 1; epoch <= 5; ++epoch) {
    for (const Batch& batch : all_train(data, epoch)) {
      each_pixel(batch, 32, [&](int col, int row, std::uint8_t, float) {
        if (col >= 0) {
          EXPECT_EQ(once.count({col, row}), 0u) << col << " " << row;
        }
      });
    }
  }
}

TEST(TrainingData, NumbersPixelsWhateverTheWindowAndItsTurn) {
  TemporaryFolder folder;
  TrainingScene scene = write_scene(folder, 128, 96);
  scene.labeller = "anna";
  TrainingDataOptions options = readable();
  options.number_pixels = true;
  options.augment = true;
  const TrainingData data = load(scene, options);
  EXPECT_EQ(data.labellers(), std::vector<std::string>{"anna"});
  // A number belongs to one pixel of the scene in all epochs: labels, which are never changed, must agree.
  std::map<std::int64_t, std::uint8_t> seen;
  for (std::int64_t epoch = 1; epoch <= 4; ++epoch) {
    for (const Batch& batch : all_train(data, epoch)) {
      ASSERT_EQ(batch.pixel_numbers.size(), batch.labels.size());
      EXPECT_EQ(batch.labellers, std::vector<std::int32_t>(static_cast<std::size_t>(batch.count), 0));
      for (std::size_t i = 0; i < batch.labels.size(); ++i) {
        const std::int64_t number = batch.pixel_numbers[i];
        ASSERT_GE(number, 0);
        ASSERT_LT(number, data.train_pixels());
        EXPECT_EQ(seen.emplace(number, batch.labels[i]).first->second, batch.labels[i]);
      }
    }
  }
  EXPECT_GT(seen.size(), static_cast<std::size_t>(data.train_pixels() / 2));
}

TEST(TrainingData, WindowsMoveFromEpochToEpochAndRepeatWithTheSeed) {
  const TemporaryFolder folder;
  const TrainingScene scene = write_scene(folder, 200, 200);
  TrainingDataOptions options = small_options();
  options.augment = true;
  const TrainingData data = load(scene, options);
  EXPECT_NE(data.train_batch(1, 0, 4).pixels, data.train_batch(2, 0, 4).pixels);
  const TrainingData again = load(scene, options);
  EXPECT_EQ(data.train_batch(2, 1, 4).pixels, again.train_batch(2, 1, 4).pixels);
  options.seed = 2;
  const TrainingData other = load(scene, options);
  EXPECT_NE(data.train_batch(1, 0, 4).pixels, other.train_batch(1, 0, 4).pixels);
}

TEST(TrainingData, DependsNeitherOnThreadsNorOnMemory) {
  const TemporaryFolder folder;
  const TrainingScene scene = write_scene(folder, 200, 150);
  TrainingDataOptions options = small_options();
  options.augment = true;
  const TrainingData one = load(scene, options, 1);
  const TrainingData four = load(scene, options, 4);
  const TrainingData streamed = load(scene, options, 4, 1000);
  EXPECT_TRUE(one.summary().cached);
  EXPECT_FALSE(streamed.summary().cached);
  EXPECT_EQ(one.summary().labelled_px, streamed.summary().labelled_px);
  EXPECT_EQ(one.summary().sha256, four.summary().sha256);
  EXPECT_EQ(one.summary().sha256, streamed.summary().sha256);
  for (std::int64_t i = 0; i < one.train_batches(4); ++i) {
    const Batch expected = one.train_batch(3, i, 4);
    for (const TrainingData* other : {&four, &streamed}) {
      const Batch found = other->train_batch(3, i, 4);
      EXPECT_EQ(found.pixels, expected.pixels);
      EXPECT_EQ(found.labels, expected.labels);
      EXPECT_EQ(found.weights, expected.weights);
    }
  }
  EXPECT_EQ(one.val_batch(0, 4).pixels, streamed.val_batch(0, 4).pixels);
}

TEST(TrainingData, CountsClassesAndIgnoresUnknownAndImagelessPixels) {
  const TemporaryFolder folder;
  const geo::Grid grid = utm_grid(64, 64);
  geo::Raster<std::uint8_t> labels(64, 64, 1, 255);
  labels.at(1, 1) = 0;
  labels.at(2, 1) = 1;
  labels.at(3, 1) = 1;
  labels.at(4, 1) = 2;
  labels.at(5, 1) = 3;  // unknown
  labels.at(6, 1) = 1;  // no image there
  geo::Raster<std::uint16_t> image = testing_scene::image(64, 64);
  image.at(6, 1, 0) = 0;
  image.at(6, 1, 1) = 0;
  geo::RasterSpec spec;
  spec.nodata = 0.0;
  TrainingDataOptions options = small_options();
  options.val_share = 0.0;
  const TrainingData data =
      load({write(folder, "i.tif", image, grid, spec), write(folder, "l.tif", labels, grid), ""}, options);
  EXPECT_EQ(data.summary().labelled_px, (std::array<std::int64_t, 3>{1, 2, 1}));
  EXPECT_EQ(data.summary().labelled_without_image_px, 1);
  EXPECT_EQ(data.summary().val_chips, 0);
}

TEST(TrainingData, LabelsMayCoverAPartOfTheImage) {
  const TemporaryFolder folder;
  const geo::Grid grid = utm_grid(200, 120);
  const std::string image = write(folder, "i.tif", coordinates(200, 120), grid);
  geo::Raster<std::uint8_t> part(64, 64);
  for (std::int64_t row = 0; row < 64; ++row) {
    for (std::int64_t col = 0; col < 64; ++col)
      part.at(col, row) = testing_scene::label_at(col + 100, row + 30);
  }
  const TrainingData data =
      load({image, write(folder, "l.tif", part, grid.subgrid({100, 30, 64, 64})), ""}, readable());
  std::int64_t labelled = 0;
  for (const std::int64_t n : data.summary().labelled_px) labelled += n;
  EXPECT_EQ(labelled, 64 * 64);
  for (const Batch& batch : all_train(data, 1)) {
    each_pixel(batch, 32, [](int col, int row, std::uint8_t label, float) {
      if (label != 255) {
        ASSERT_EQ(label, testing_scene::label_at(col, row));
      }
    });
  }
}

TEST(TrainingData, PadsScenesSmallerThanAWindow) {
  const TemporaryFolder folder;
  TrainingDataOptions options = small_options();
  options.val_share = 0.0;
  const TrainingData data = load(write_scene(folder, 20, 25), options);
  const Batch batch = data.train_batch(1, 0, 1);
  EXPECT_EQ(batch.count, 1);
  EXPECT_EQ(std::count_if(batch.labels.begin(), batch.labels.end(), [](std::uint8_t l) { return l != 255; }),
            20 * 25);
}

TEST(TrainingData, WeighsByRisk) {
  const TemporaryFolder folder;
  const geo::Grid grid = utm_grid(64, 64);
  TrainingScene scene = write_scene(folder, 64, 64);
  geo::Raster<std::uint8_t> risk(64, 64, 1, 100);  // 100 * 0.005 = 0.5
  risk.at(0, 0) = 255;
  geo::RasterSpec spec;
  spec.nodata = 255.0;
  spec.scale = 0.005;
  scene.risk = write(folder, "risk.tif", risk, grid, spec);
  TrainingDataOptions options = small_options();
  options.val_share = 0.0;
  options.risk.mode = RiskMode::kWeight;
  const TrainingData data = load(scene, options);
  EXPECT_EQ(data.summary().labelled_without_risk_px, 1);
  const Batch batch = data.train_batch(1, 0, 1);
  std::set<float> weights;
  for (std::size_t i = 0; i < batch.labels.size(); ++i) {
    if (batch.labels[i] == 0 || batch.labels[i] == 1) weights.insert(batch.weights[i]);
  }
  ASSERT_EQ(weights.size(), 1u);
  EXPECT_NEAR(*weights.begin(), 0.25, 1e-6);  // 1 - 0.5 / (2/3)
}

/// A posterior as consensus stores it: value / 200, 255 = none. P(interior) says the column, P(boundary) the
/// row.
std::string write_posterior(const TemporaryFolder& folder, std::int64_t width, std::int64_t height,
                            const geo::Grid& grid) {
  geo::Raster<std::uint8_t> posterior(width, height, 3);
  for (std::int64_t row = 0; row < height; ++row) {
    for (std::int64_t col = 0; col < width; ++col) {
      const auto a = static_cast<std::uint8_t>(col % 100);
      const auto b = static_cast<std::uint8_t>(row % 100);
      posterior.at(col, row, 0) = static_cast<std::uint8_t>(200 - a - b);
      posterior.at(col, row, 1) = a;
      posterior.at(col, row, 2) = b;
    }
  }
  posterior.at(3, 2, 1) = 255;
  geo::RasterSpec spec;
  spec.nodata = 255.0;
  spec.scale = 0.005;
  return write(folder, "posterior.tif", posterior, grid, spec);
}

TEST(TrainingData, SoftTargetsBelongToTheirPixels) {
  const TemporaryFolder folder;
  const geo::Grid grid = utm_grid(150, 130);
  TrainingScene scene = write_scene(folder, 150, 130);
  scene.image = write(folder, "where.tif", coordinates(150, 130), grid);
  scene.posterior = write_posterior(folder, 150, 130, grid);
  TrainingDataOptions options = readable();
  options.risk.mode = RiskMode::kSoft;
  const TrainingData data = load(scene, options);
  EXPECT_EQ(data.summary().labelled_without_posterior_px, 1);
  int seen = 0;
  for (const Batch& batch : all_train(data, 1)) {
    ASSERT_EQ(batch.targets.size(), 3 * batch.labels.size());
    std::size_t i = 0;
    each_pixel(batch, 32, [&](int col, int row, std::uint8_t label, float) {
      const float* p = &batch.targets[3 * i++];
      if (label == 255) {
        ASSERT_EQ(p[0] + p[1] + p[2], 0.0f);
        return;
      }
      ++seen;
      ASSERT_NEAR(p[0] + p[1] + p[2], 1.0f, 1e-6f);
      ASSERT_EQ(std::lround(200.0f * p[1]), col % 100);
      ASSERT_EQ(std::lround(200.0f * p[2]), row % 100);
    });
  }
  EXPECT_GT(seen, 5000);
}

TEST(TrainingData, TurnedSoftTargetsStayWithTheirLabels) {
  const TemporaryFolder folder;
  const geo::Grid grid = utm_grid(150, 130);
  TrainingScene scene = write_scene(folder, 150, 130);
  geo::Raster<float> posterior(150, 130, 3);
  for (std::int64_t row = 0; row < 130; ++row) {
    for (std::int64_t col = 0; col < 150; ++col) {
      for (int c = 0; c < 3; ++c)
        posterior.at(col, row, c) = testing_scene::label_at(col, row) == c ? 0.8f : 0.1f;
    }
  }
  scene.posterior = write(folder, "p.tif", posterior, grid);
  TrainingDataOptions options = small_options();
  options.augment = true;
  options.risk.mode = RiskMode::kSoft;
  const TrainingData data = load(scene, options);
  const TrainingData streamed = load(scene, options, 1, 1000);
  EXPECT_EQ(data.summary().sha256, streamed.summary().sha256);
  EXPECT_EQ(data.summary().labelled_against_posterior_px, 0);
  EXPECT_EQ(data.train_batch(1, 0, 4).targets, streamed.train_batch(1, 0, 4).targets);
  for (const Batch& batch : all_train(data, 1)) {
    for (std::size_t i = 0; i < batch.labels.size(); ++i) {
      if (batch.labels[i] == 255) continue;
      ASSERT_NEAR(batch.targets[3 * i + batch.labels[i]], 0.8f, 1e-6f);
    }
  }
}

TEST(TrainingData, TakesTheRiskFromThePosteriorWithoutARiskRaster) {
  const TemporaryFolder folder;
  const geo::Grid grid = utm_grid(64, 64);
  TrainingScene scene = write_scene(folder, 64, 64);
  TrainingDataOptions options = small_options();
  options.val_share = 0.0;
  options.risk.mode = RiskMode::kWeight;
  const auto weights = [&] {
    const TrainingData data = load(scene, options);
    const Batch batch = data.train_batch(1, 0, 1);
    EXPECT_EQ(batch.targets.empty(), options.risk.mode == RiskMode::kWeight);
    std::set<float> all;
    for (std::size_t i = 0; i < batch.labels.size(); ++i) {
      if (batch.labels[i] < 2) all.insert(batch.weights[i]);
    }
    return all;
  };
  geo::Raster<float> three(64, 64, 3, 0.25f);
  std::ranges::fill(three.band(0), 0.5f);
  scene.posterior = write(folder, "three.tif", three, grid);
  EXPECT_EQ(weights(), (std::set<float>{0.25f}));  // risk 1/2 of 2/3
  // P(field) of two classes: the largest risk is 1/2.
  scene.posterior = write(folder, "heat.tif", geo::Raster<float>(64, 64, 1, 0.75f), grid);
  EXPECT_EQ(weights(), (std::set<float>{0.5f}));
  options.risk.mode = RiskMode::kSoftWeight;
  EXPECT_EQ(weights(), (std::set<float>{0.5f}));
  const Batch batch = load(scene, options).train_batch(1, 0, 1);
  EXPECT_EQ((std::vector<float>(batch.targets.begin(), batch.targets.begin() + 3)),
            (std::vector<float>{0.25f, 0.75f, 0.0f}));
  // Interior is likeliest everywhere: all other labels are against it.
  const TrainingDataSummary summary = load(scene, options).summary();
  EXPECT_EQ(summary.labelled_against_posterior_px, summary.labelled_px[0] + summary.labelled_px[2]);
  // A risk raster goes before the posterior.
  scene.risk = write(folder, "risk.tif", geo::Raster<float>(64, 64, 1, 0.125f), grid);
  EXPECT_EQ(weights(), (std::set<float>{0.75f}));
}

TEST(TrainingData, StoredNormalisationKeepsStatistics) {
  const TemporaryFolder folder;
  const TrainingScene scene = write_scene(folder, 64, 64);
  TrainingDataOptions options = small_options();
  options.normalisation.scope = geo::NormaliseScope::kStored;
  options.normalisation.per_band = true;
  geo::ExecContext exec({2, 0});
  const TrainingData one({scene}, options, exec);
  ASSERT_EQ(one.normalisation().stored.size(), 2u);
  // The same image twice, labelled by two people, has the same statistics as once.
  const TrainingData twice({scene, scene}, options, exec);
  for (std::size_t band = 0; band < 2; ++band) {
    EXPECT_NEAR(twice.normalisation().stored[band].mean, one.normalisation().stored[band].mean, 1e-9);
    EXPECT_NEAR(twice.normalisation().stored[band].sd, one.normalisation().stored[band].sd, 1e-6);
    EXPECT_EQ(twice.normalisation().stored[band].count, one.normalisation().stored[band].count);
  }
}

TEST(TrainingData, StoredPercentilesAreThoseOfAllScenesTogether) {
  const TemporaryFolder small_folder;
  const TemporaryFolder large_folder;
  TrainingScene small = write_scene(small_folder, 64, 64);
  TrainingScene large = write_scene(large_folder, 96, 96);
  small.image = write(small_folder, "coordinates.tif", coordinates(64, 64), utm_grid(64, 64));
  large.image = write(large_folder, "coordinates.tif", coordinates(96, 96), utm_grid(96, 96));
  TrainingDataOptions options = small_options();
  options.normalisation.scope = geo::NormaliseScope::kStored;
  options.normalisation.low_percentile = 0.0;
  options.normalisation.high_percentile = 100.0;
  geo::ExecContext exec({2, 0});
  const TrainingData data({small, large}, options, exec);
  ASSERT_EQ(data.normalisation().stored.size(), 1u);
  EXPECT_EQ(data.normalisation().stored[0].low, 1.0);
  EXPECT_EQ(data.normalisation().stored[0].high, 96.0);  // not the mean of 64 and 96

  // Statistics that are given are taken as they are.
  options.normalisation.stored = {{0.0, 200.0, 50.0, 10.0, 1}};
  const TrainingData given({small}, options, exec);
  EXPECT_EQ(given.normalisation().stored[0].high, 200.0);
  const Batch batch = given.train_batch(0, 0, 1);
  EXPECT_LE(*std::ranges::max_element(batch.pixels), 64.0F / 200.0F);
  options.normalisation.per_band = true;
  EXPECT_THAT(failure<geo::InvalidArgument>(small, options),
              HasSubstr("are of 1 band(s), the images have 2"));
}

TEST(TrainingData, LeavesBadScenesOutAsIfTheyWereNeverListed) {
  const TemporaryFolder folder;
  const TemporaryFolder other;
  const TrainingScene good = write_scene(folder, 96, 96);
  const TrainingScene second = write_scene(other, 80, 96);
  TrainingScene bad = good;
  bad.labels = write(folder, "17.tif", geo::Raster<std::uint8_t>(96, 96, 1, 17), utm_grid(96, 96));
  TrainingScene missing = good;
  missing.image = (folder / "nowhere.tif").string();
  geo::ExecContext exec({2, 0});
  TrainingDataOptions options = small_options();
  EXPECT_THROW(TrainingData({good, bad}, options, exec), geo::IoError);
  options.bad_scene = BadScene::kLeaveOut;
  const TrainingData data({missing, good, bad, second}, options, exec);
  EXPECT_EQ(data.left_out().size(), 2u);
  const TrainingData alone({good, second}, options, exec);
  EXPECT_EQ(data.summary().sha256, alone.summary().sha256);
  EXPECT_THROW(TrainingData({bad}, options, exec), geo::IoError);
  EXPECT_THROW(TrainingData({bad, missing}, options, exec), geo::IoError);
}

TEST(TrainingData, BalancedWindowsHoldEachClassEquallyOften) {
  const TemporaryFolder folder;
  const geo::Grid grid = utm_grid(256, 256);
  TrainingScene scene = write_scene(folder, 256, 256);
  geo::Raster<std::uint8_t> labels(256, 256);
  labels.at(200, 40) = 2;  // one rare pixel
  scene.labels = write(folder, "rare.tif", labels, grid);
  TrainingDataOptions options = small_options();
  options.val_share = 0.0;
  options.balance = true;
  const TrainingData data = load(scene, options);
  int with = 0;
  int windows = 0;
  for (std::int64_t epoch = 1; epoch <= 3; ++epoch) {
    for (const Batch& batch : all_train(data, epoch, 1)) {
      ++windows;
      with += std::count(batch.labels.begin(), batch.labels.end(), 2) > 0 ? 1 : 0;
    }
  }
  EXPECT_EQ(windows, 3 * 64);
  EXPECT_NEAR(with, windows / 2, 25);  // 3.6 standard deviations
}

TEST(TrainingDataErrors, NameLabelsOffTheGrid) {
  const TemporaryFolder folder;
  TrainingScene scene = write_scene(folder, 64, 64);
  geo::Grid shifted = utm_grid(64, 64);
  shifted.transform.x0 += 4.0;
  scene.labels = write(folder, "shifted.tif", testing_scene::labels(64, 64), shifted);
  EXPECT_THAT(failure<geo::IoError>(scene), AllOf(HasSubstr("shifted.tif"), HasSubstr("image.tif"),
                                                  HasSubstr("shifted by 0.40, 0.00 of a pixel")));
  scene.labels = write(folder, "coarse.tif", testing_scene::labels(32, 32), utm_grid(32, 32, 20.0));
  EXPECT_THAT(failure<geo::IoError>(scene),
              AllOf(HasSubstr("coarse.tif"), HasSubstr("20 x -20 against 10 x -10")));
  geo::Grid far = utm_grid(64, 64);
  far.transform.x0 += 64000.0;
  scene.labels = write(folder, "far.tif", testing_scene::labels(64, 64), far);
  EXPECT_THAT(failure<geo::IoError>(scene), HasSubstr("do not overlap"));
  geo::Grid zone = utm_grid(64, 64);
  zone.crs = geo::Crs::from_user_input("EPSG:32633");
  scene.labels = write(folder, "zone.tif", testing_scene::labels(64, 64), zone);
  EXPECT_THAT(failure<geo::CrsError>(scene), AllOf(HasSubstr("EPSG:32633"), HasSubstr("EPSG:32632")));
}

TEST(TrainingDataErrors, ListValuesThatAreNoClasses) {
  const TemporaryFolder folder;
  TrainingScene scene = write_scene(folder, 64, 64);
  geo::Raster<std::uint16_t> instances(64, 64);
  instances.at(3, 3) = 7;
  instances.at(4, 4) = 900;
  scene.labels = write(folder, "instances.tif", instances, utm_grid(64, 64));
  EXPECT_THAT(failure<geo::IoError>(scene),
              AllOf(HasSubstr("instances.tif"), HasSubstr("7, 900"), HasSubstr("allowed")));
}

TEST(TrainingDataErrors, SayWhenNothingIsLabelled) {
  const TemporaryFolder folder;
  TrainingScene scene = write_scene(folder, 64, 64);
  scene.labels = write(folder, "empty.tif", geo::Raster<std::uint8_t>(64, 64, 1, 255), utm_grid(64, 64));
  EXPECT_THAT(failure<geo::IoError>(scene), AllOf(HasSubstr("no labelled pixel"), HasSubstr("empty.tif")));
}

TEST(TrainingDataErrors, RefuseRiskOutOfRange) {
  const TemporaryFolder folder;
  TrainingScene scene = write_scene(folder, 64, 64);
  scene.risk = write(folder, "percent.tif", geo::Raster<std::uint8_t>(64, 64, 1, 40), utm_grid(64, 64));
  TrainingDataOptions options = small_options();
  options.risk.mode = RiskMode::kWeight;
  EXPECT_THAT(failure<geo::IoError>(scene, options),
              AllOf(HasSubstr("percent.tif"), HasSubstr("holds 40"), HasSubstr("0..1")));
  scene.risk.clear();
  EXPECT_THAT(failure<geo::InvalidArgument>(scene, options), HasSubstr("has no risk raster"));
}

TEST(TrainingDataErrors, RefuseAPosteriorThatIsNone) {
  const TemporaryFolder folder;
  const geo::Grid grid = utm_grid(64, 64);
  TrainingScene scene = write_scene(folder, 64, 64);
  TrainingDataOptions options = small_options();
  options.risk.mode = RiskMode::kSoft;
  EXPECT_THAT(failure<geo::InvalidArgument>(scene, options), HasSubstr("has no posterior raster"));
  scene.posterior = write(folder, "two.tif", geo::Raster<float>(64, 64, 2, 0.5f), grid);
  EXPECT_THAT(failure<geo::IoError>(scene, options),
              AllOf(HasSubstr("two.tif"), HasSubstr("has 2 bands"), HasSubstr("3 (background")));
  scene.posterior = write(folder, "bytes.tif", geo::Raster<std::uint8_t>(64, 64, 3, 66), grid);
  EXPECT_THAT(failure<geo::IoError>(scene, options),
              AllOf(HasSubstr("bytes.tif"), HasSubstr("holds 66"), HasSubstr("scale")));
  scene.posterior = write(folder, "half.tif", geo::Raster<float>(64, 64, 3, 0.5f), grid);
  EXPECT_THAT(failure<geo::IoError>(scene, options),
              AllOf(HasSubstr("half.tif"), HasSubstr("do not add up to 1")));
  scene.posterior = write(folder, "coarse.tif", geo::Raster<float>(32, 32, 3, 1.0f), utm_grid(32, 32, 20.0));
  EXPECT_THAT(failure<geo::IoError>(scene, options),
              AllOf(HasSubstr("coarse.tif"), HasSubstr("20 x -20"), HasSubstr("furrow consensus --grid")));
  geo::Grid zone = grid;
  zone.crs = geo::Crs::from_user_input("EPSG:32633");
  scene.posterior = write(folder, "zone.tif", geo::Raster<float>(64, 64, 1, 0.5f), zone);
  EXPECT_THAT(failure<geo::CrsError>(scene, options), AllOf(HasSubstr("zone.tif"), HasSubstr("EPSG:32633")));
  scene.posterior =
      write(folder, "nan.tif", geo::Raster<float>(64, 64, 3, std::numeric_limits<float>::quiet_NaN()), grid);
  EXPECT_THAT(failure<geo::IoError>(scene, options),
              AllOf(HasSubstr("no pixel is left"), HasSubstr("posterior")));
}

TEST(TrainingDataErrors, RefuseImagesOfTwoKinds) {
  const TemporaryFolder folder;
  const TrainingScene scene = write_scene(folder, 64, 64);
  TrainingScene other = scene;
  other.image = write(folder, "three.tif", geo::Raster<std::uint8_t>(64, 64, 3), utm_grid(64, 64));
  geo::ExecContext exec({2, 0});
  try {
    TrainingData({scene, other}, small_options(), exec);
    FAIL();
  } catch (const geo::ModelError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("three.tif"), HasSubstr("3 bands"), HasSubstr("has 2")));
  }
}

TEST(TrainingDataErrors, SayWhenBlocksAreTooFew) {
  const TemporaryFolder folder;
  EXPECT_THAT(failure<geo::InvalidArgument>(write_scene(folder, 32, 32)),
              AllOf(HasSubstr("only 1 block"), HasSubstr("--val-share 0")));
}

TEST(TrainingData, TakesANodataThatIsAClassForTheClass) {
  const TemporaryFolder folder;
  TrainingScene scene = write_scene(folder, 64, 64);
  geo::RasterSpec spec;
  spec.nodata = 0.0;
  scene.labels = write(folder, "masked.tif", testing_scene::labels(64, 64), utm_grid(64, 64), spec);
  EXPECT_GT(load(scene, small_options()).summary().labelled_px[0], 0);
  TrainingDataOptions options = small_options();
  options.ignore_label_nodata = true;
  EXPECT_EQ(load(scene, options).summary().labelled_px[0], 0);
}

}  // namespace
}  // namespace furrow::segmentation
