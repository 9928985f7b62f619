#include <furrow/segmentation/trainer.h>

#include <sys/resource.h>

#include <cmath>
#include <csignal>
#include <fstream>
#include <limits>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/segmentation/network.h>

#include "small_training.h"
#include "training_scene.h"
#include "unet.h"
#include "validation.h"
#include "weight_average.h"

namespace furrow::segmentation {
namespace {

using test::bytes_of;
using test::TemporaryFolder;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing_scene::write;
using testing_scene::write_scene;

TrainingDataOptions chips_of_32px() {
  TrainingDataOptions options;
  options.chip_px = 32;
  return options;
}

/// From a step of the training on no file may grow beyond 8 KiB, as if the disk were full.
class FullDiskAt : public geo::ProgressSink {
 public:
  FullDiskAt(geo::ExecContext& exec, std::int64_t step)
      : m_step(step), m_signal(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &m_limit);
    exec.set_progress_sink(this);
  }
  ~FullDiskAt() override {
    setrlimit(RLIMIT_FSIZE, &m_limit);
    std::signal(SIGXFSZ, m_signal);
  }
  FullDiskAt(const FullDiskAt&) = delete;
  FullDiskAt& operator=(const FullDiskAt&) = delete;
  void begin(std::string_view, std::int64_t) override {}
  void update(std::string_view label, std::int64_t done, std::int64_t) override {
    if (label != "training" || done < m_step) return;
    rlimit small = m_limit;
    small.rlim_cur = 8192;
    setrlimit(RLIMIT_FSIZE, &small);
  }
  void end(std::string_view, std::int64_t, std::int64_t) override {}

 private:
  std::int64_t m_step;
  void (*m_signal)(int);
  rlimit m_limit{};
};

TrainReport train(const TrainingScene& scene, const TrainingDataOptions& data_opts,
                  const TrainOptions& options, const std::filesystem::path& folder) {
  geo::ExecContext exec({2, 0});
  const TrainingData data({scene}, data_opts, exec);
  return train_model(data, options, folder, exec);
}

TrainingScene scene_with_risk(const TemporaryFolder& folder) {
  TrainingScene scene = write_scene(folder, 128, 96);
  geo::Raster<float> risk(128, 96);
  for (std::int64_t row = 0; row < 96; ++row) {
    for (std::int64_t col = 0; col < 128; ++col)
      risk.at(col, row) = static_cast<float>((col * 7 + row * 3) % 60) / 100.0f;
  }
  scene.risk = write(folder, "risk.tif", risk, test::utm_grid(128, 96));
  return scene;
}

TEST(Training, LearnsASimpleSceneAndTheModelFolderScoresIt) {
  const TemporaryFolder folder;
  const TrainingScene scene = write_scene(folder, 128, 96);
  const TrainReport report = train(scene, chips_of_32px(), tiny_training(30), folder / "model");
  EXPECT_LT(report.epochs.back().train_loss, 0.5 * report.epochs.front().train_loss);
  const EpochMetrics& best = report.epochs[static_cast<std::size_t>(report.best_epoch - 1)];
  EXPECT_GT(best.val_iou_extent, 0.9);
  EXPECT_GT(best.val_iou[1], 0.85);
  EXPECT_GT(best.val_object_f1, 0.8);
  for (const EpochMetrics& epoch : report.epochs)
    EXPECT_LE(selection_score(epoch), selection_score(best)) << epoch.epoch;
  EXPECT_LE(report.ece_after, report.ece_before + 0.01);
  for (const char* name : {"weights.safetensors", "model.ts", "model.json", "metrics.json", "metrics.csv",
                           "README.md", "features.safetensors"}) {
    EXPECT_TRUE(std::filesystem::exists((folder / "model") / name)) << name;
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "model.checkpoint"));

  const TrainedNetwork network(folder / "model");
  const ModelSpec& spec = network.spec();
  EXPECT_EQ(spec.bands.size(), 2u);
  EXPECT_EQ(spec.stride_px, 4);
  EXPECT_EQ(spec.receptive_radius_px, report.receptive_radius_px);
  EXPECT_NEAR(spec.temperature, report.temperature, 1e-9);
  EXPECT_NEAR(spec.pixel_size_m, 10.0, 0.02);

  geo::ExecContext exec({2, 0});
  const geo::RasterReader reader(scene.image);
  const auto statistics = geo::scene_statistics(reader, {}, spec.normalisation, exec);
  geo::Raster<float> pixels = reader.read<float>(reader.grid().window());
  geo::normalise(pixels, spec.normalisation, statistics);
  std::vector<float> scores(3 * 128 * 96);
  network.score_function()(pixels.data(), 1, 2, 96, 128, scores);
  int right = 0;
  for (std::size_t i = 0; i < 128 * 96; ++i) {
    const float p[3] = {scores[i], scores[128 * 96 + i], scores[2 * 128 * 96 + i]};
    ASSERT_NEAR(p[0] + p[1] + p[2], 1.0, 1e-5);
    const auto predicted = std::max_element(p, p + 3) - p;
    if (predicted == testing_scene::label_at(static_cast<int>(i) % 128, static_cast<int>(i) / 128)) ++right;
  }
  EXPECT_GT(right, 0.93 * 128 * 96);
}

TEST(Training, OverfitsASingleWindow) {
  const TemporaryFolder folder;
  TrainingDataOptions data_opts = chips_of_32px();
  data_opts.augment = false;
  data_opts.val_share = 0.0;
  TrainOptions options = tiny_training(150);
  options.dropout = 0.0;
  options.learning_rate = 1e-2;
  options.checkpoint_every = 0;
  const TrainReport report = train(write_scene(folder, 32, 32), data_opts, options, folder / "model");
  EXPECT_LT(report.epochs.back().train_loss, 0.05);
  EXPECT_EQ(report.best_epoch, 150);  // without validation the last one
  EXPECT_EQ(report.temperature, 1.0);
  EXPECT_TRUE(std::isnan(report.epochs.back().val_loss));
}

TEST(Training, RepeatsToTheBit) {
  const TemporaryFolder folder;
  const TrainingScene scene = write_scene(folder, 128, 96);
  setenv("SOURCE_DATE_EPOCH", "1700000000", 1);
  train(scene, chips_of_32px(), tiny_training(3), folder / "one");
  train(scene, chips_of_32px(), tiny_training(3), folder / "two");
  TrainOptions other = tiny_training(3);
  other.seed = 2;
  train(scene, chips_of_32px(), other, folder / "three");
  unsetenv("SOURCE_DATE_EPOCH");
  for (const char* name : {"weights.safetensors", "model.ts", "model.json", "metrics.json", "metrics.csv",
                           "README.md", "features.safetensors"}) {
    EXPECT_EQ(bytes_of((folder / "one") / name), bytes_of((folder / "two") / name)) << name;
  }
  EXPECT_NE(bytes_of((folder / "one") / "weights.safetensors"),
            bytes_of((folder / "three") / "weights.safetensors"));
}

TEST(Training, RiskWithGammaZeroIsPlainTrainingToTheBit) {
  const TemporaryFolder folder;
  const TrainingScene scene = scene_with_risk(folder);
  TrainingDataOptions weighted = chips_of_32px();
  weighted.risk.mode = RiskMode::kWeight;
  weighted.risk.gamma = 0.0;
  const TrainReport off = train(scene, chips_of_32px(), tiny_training(3), folder / "off");
  const TrainReport zero = train(scene, weighted, tiny_training(3), folder / "zero");
  weighted.risk.gamma = 1.0;
  const TrainReport one = train(scene, weighted, tiny_training(3), folder / "one");
  EXPECT_EQ(bytes_of((folder / "off") / "weights.safetensors"),
            bytes_of((folder / "zero") / "weights.safetensors"));
  EXPECT_EQ(off.epochs.back().train_loss, zero.epochs.back().train_loss);
  EXPECT_NE(bytes_of((folder / "off") / "weights.safetensors"),
            bytes_of((folder / "one") / "weights.safetensors"));
}

/// Soft targets that are the labels, as zeros and ones.
std::string write_one_hot(const TemporaryFolder& folder) {
  geo::Raster<std::uint8_t> posterior(128, 96, 3);
  for (std::int64_t row = 0; row < 96; ++row) {
    for (std::int64_t col = 0; col < 128; ++col)
      posterior.at(col, row, testing_scene::label_at(col, row)) = 200;
  }
  geo::RasterSpec spec;
  spec.scale = 0.005;
  spec.nodata = 255.0;
  return write(folder, "posterior.tif", posterior, test::utm_grid(128, 96), spec);
}

TEST(Training, CertainSoftTargetsArePlainTrainingToTheBit) {
  const TemporaryFolder folder;
  TrainingScene scene = write_scene(folder, 128, 96);
  TrainOptions options = tiny_training(3);
  options.loss.shares.fill(0.2);
  const TrainReport off = train(scene, chips_of_32px(), options, folder / "off");
  scene.posterior = write_one_hot(folder);
  for (const RiskMode mode : {RiskMode::kSoft, RiskMode::kSoftWeight}) {
    TrainingDataOptions soft = chips_of_32px();
    soft.risk.mode = mode;
    options.overwrite = true;
    const TrainReport report = train(scene, soft, options, folder / "soft");
    EXPECT_EQ(bytes_of((folder / "off") / "weights.safetensors"),
              bytes_of((folder / "soft") / "weights.safetensors"));
    EXPECT_EQ(off.epochs.back().val_loss, report.epochs.back().val_loss);
  }
}

TEST(Training, SoftWeightWithGammaZeroIsSoftToTheBit) {
  const TemporaryFolder folder;
  TrainingScene scene = scene_with_risk(folder);
  geo::Raster<float> posterior(128, 96, 3, 0.2f);
  for (std::int64_t row = 0; row < 96; ++row) {
    for (std::int64_t col = 0; col < 128; ++col)
      posterior.at(col, row, testing_scene::label_at(col, row)) = 0.6f;
  }
  scene.posterior = write(folder, "posterior.tif", posterior, test::utm_grid(128, 96));
  const auto weights = [&](RiskMode mode, double gamma) {
    TrainingDataOptions data_opts = chips_of_32px();
    data_opts.risk.mode = mode;
    data_opts.risk.gamma = gamma;
    TrainOptions options = tiny_training(2);
    options.overwrite = true;
    train(scene, data_opts, options, folder / "model");
    return bytes_of((folder / "model") / "weights.safetensors");
  };
  const auto soft = weights(RiskMode::kSoft, 1.0);
  EXPECT_EQ(soft, weights(RiskMode::kSoftWeight, 0.0));
  EXPECT_NE(soft, weights(RiskMode::kSoftWeight, 1.0));
  EXPECT_NE(soft, weights(RiskMode::kOff, 1.0));
}

/// Both optimisers with each schedule, every other one with running means of the weights.
std::vector<TrainOptions> every_way(std::int64_t epochs) {
  std::vector<TrainOptions> all;
  for (const auto optimiser : {OptimiserKind::kAdamW, OptimiserKind::kSgd}) {
    for (const auto schedule : {ScheduleKind::kCosine, ScheduleKind::kPolynomial, ScheduleKind::kOneCycle}) {
      TrainOptions options = tiny_training(epochs);
      options.optimiser = optimiser;
      options.schedule.kind = schedule;
      options.ema_decay = all.size() % 2 == 1 ? 0.9 : 0.0;
      if (optimiser == OptimiserKind::kSgd) options.learning_rate = 0.05;
      options.overwrite = true;
      all.push_back(options);
    }
  }
  return all;
}

TEST(Training, InterruptedAndResumedEqualsOneGoWithEveryOptimiserAndSchedule) {
  const TemporaryFolder folder;
  const TrainingScene scene = write_scene(folder, 128, 96);
  std::set<std::string> different;
  for (TrainOptions options : every_way(2)) {
    train(scene, chips_of_32px(), options, folder / "whole");
    {
      geo::ExecContext exec({2, 0});
      const TrainingData data({scene}, chips_of_32px(), exec);
      StopAt stop(exec, data.train_batches(options.batch_size) + 1);
      EXPECT_THROW(train_model(data, options, folder / "parts", exec), geo::Cancelled);
    }
    ASSERT_TRUE(std::filesystem::exists((folder / "parts.checkpoint") / "epoch-1"));
    options.resume = true;
    train(scene, chips_of_32px(), options, folder / "parts");
    const auto bytes = bytes_of((folder / "whole") / "weights.safetensors");
    EXPECT_EQ(bytes, bytes_of((folder / "parts") / "weights.safetensors"));
    EXPECT_EQ(bytes_of((folder / "whole") / "metrics.csv"), bytes_of((folder / "parts") / "metrics.csv"));
    different.insert(std::string(bytes.begin(), bytes.end()));
  }
  EXPECT_EQ(different.size(), 6u);
}

TEST(Training, LearnsTheSceneWithSgdAndWithEverySchedule) {
  const TemporaryFolder folder;
  const TrainingScene scene = write_scene(folder, 128, 96);
  std::vector<TrainOptions> all = every_way(25);
  all.erase(all.begin(), all.begin() + 2);  // one-cycle of AdamW, all of SGD
  for (TrainOptions options : all) {
    options.checkpoint_every = 0;
    const TrainReport report = train(scene, chips_of_32px(), options, folder / "model");
    EXPECT_GT(report.epochs.back().val_iou_extent, 0.85);
  }
}

TEST(Training, KeepsAndValidatesTheRunningMeanOfTheWeights) {
  const TemporaryFolder folder;
  const TrainingScene scene = write_scene(folder, 128, 96);
  TrainingDataOptions data_opts = chips_of_32px();
  data_opts.val_share = 0.4;
  TrainOptions options = tiny_training(3);
  const TrainReport plain = train(scene, data_opts, options, folder / "plain");
  options.ema_decay = 0.9;
  const TrainReport mean = train(scene, data_opts, options, folder / "mean");
  // The mean takes no part in the training itself.
  EXPECT_EQ(plain.epochs.back().train_loss, mean.epochs.back().train_loss);
  EXPECT_NE(plain.epochs.back().val_loss, mean.epochs.back().val_loss);
}

TEST(Validation, RanksEpochsByFieldsAndPixels) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EpochMetrics epoch;
  epoch.val_iou_extent = 0.8;
  epoch.val_iou = {0.9, 0.6, 0.1};
  epoch.val_object_f1 = 0.5;
  EXPECT_DOUBLE_EQ(selection_score(epoch), 0.6);
  epoch.val_object_f1 = nan;
  EXPECT_DOUBLE_EQ(selection_score(epoch), 0.7);
  epoch.val_iou = {0.9, nan, nan};
  EXPECT_DOUBLE_EQ(selection_score(epoch), 0.4);
}

/// Two windows of 16 x 8 px; answers equal to the labels, but for the columns from `wrong_from` of the
/// second.
Validation validate_two_windows(std::uint8_t boundary, std::size_t wrong_from, int threads) {
  geo::ExecContext exec({threads, 0});
  Batch batch;
  batch.count = 2;
  torch::Tensor logits = torch::zeros({2, 3, 8, 16});
  for (std::size_t i = 0; i < 2 * 8 * 16; ++i) {
    const std::size_t col = i % 16, row = i / 16 % 8;
    std::uint8_t label = 1;
    if (row % 7 == 0 || col == 0 || col == 15) label = 0;
    if (col == 7) label = boundary;
    batch.labels.push_back(label);
    const bool wrong = i >= 128 && col >= wrong_from;
    logits.index_put_({static_cast<std::int64_t>(i / 128), wrong ? 0 : label, static_cast<std::int64_t>(row),
                       static_cast<std::int64_t>(col)},
                      9.0);
  }
  Validation validation;
  validation.add(logits, batch, 0);
  validation.add_objects(logits, batch, 10.0, exec);
  return validation;
}

TEST(Validation, CountsFieldsOfAllWindowsTogether) {
  for (const int threads : {1, 4}) {
    EXPECT_EQ(validate_two_windows(2, 99, threads).object_f1(), 1.0);
    // The right one of four fields is gone.
    EXPECT_DOUBLE_EQ(validate_two_windows(2, 8, threads).object_f1(), 6.0 / 7.0);
  }
}

TEST(Validation, LabelsWithoutBoundaryHaveNoObjectF1) {
  const Validation validation = validate_two_windows(0, 99, 2);
  EXPECT_GT(validation.objects.labelled, 0);
  EXPECT_TRUE(std::isnan(validation.object_f1()));
}

TEST(WeightAverage, FollowsTheFormula) {
  const UNetOptions shape{2, 2, 2, 0.0, 3};
  UNet network(shape, 1);
  UNet average(shape, 1);
  const torch::NoGradGuard no_grad;
  network->head->bias.fill_(1.0);
  average->head->bias.fill_(0.0);
  network->named_buffers()["encoder.0.norm1.running_mean"].fill_(2.0);
  update_average(average, network, 0.99, 0);  // d = 1/10
  EXPECT_FLOAT_EQ(average->head->bias[0].item<float>(), 0.9f);
  EXPECT_FLOAT_EQ(average->named_buffers()["encoder.0.norm1.running_mean"][0].item<float>(), 1.8f);
  update_average(average, network, 0.99, 8);  // d = 9/18
  EXPECT_FLOAT_EQ(average->head->bias[0].item<float>(), 0.95f);
  update_average(average, network, 0.5, 1000000);
  EXPECT_FLOAT_EQ(average->head->bias[0].item<float>(), 0.975f);
}

TEST(Training, RefusesNumbersOutOfRange) {
  const TemporaryFolder folder;
  const TrainingScene scene = write_scene(folder, 128, 96);
  const auto failure = [&](const TrainOptions& options) -> std::string {
    try {
      train(scene, chips_of_32px(), options, folder / "model");
    } catch (const geo::InvalidArgument& error) {
      return error.what();
    }
    return "no error";
  };
  TrainOptions options = tiny_training(1);
  options.ema_decay = 1.0;
  EXPECT_THAT(failure(options), HasSubstr("EMA decay from 0 to below 1, got 1"));
  options = tiny_training(1);
  options.momentum = 1.0;
  EXPECT_THAT(failure(options), HasSubstr("momentum"));
  options = tiny_training(1);
  options.loss.shares.fill(0.0);
  EXPECT_THAT(failure(options), HasSubstr("a loss with a share above 0"));
  options.loss.shares[0] = -1.0;
  EXPECT_THAT(failure(options), HasSubstr("shares of losses of at least 0, got -1"));
  options = tiny_training(1);
  options.loss.class_weights.fill(0.0);
  EXPECT_THAT(failure(options), HasSubstr("a class weight above 0"));
}

TEST(Training, InterruptedAndResumedEqualsOneGo) {
  const TemporaryFolder folder;
  const TrainingScene scene = write_scene(folder, 128, 96);
  const TrainReport whole = train(scene, chips_of_32px(), tiny_training(4), folder / "whole");
  TrainOptions options = tiny_training(4);
  {
    geo::ExecContext exec({2, 0});
    const TrainingData data({scene}, chips_of_32px(), exec);
    StopAt stop(exec, 2 * data.train_batches(options.batch_size) + 1);
    EXPECT_THROW(train_model(data, options, folder / "parts", exec), geo::Cancelled);
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "parts"));
  ASSERT_TRUE(std::filesystem::exists((folder / "parts.checkpoint") / "epoch-2"));
  options.resume = true;
  const TrainReport resumed = train(scene, chips_of_32px(), options, folder / "parts");
  EXPECT_EQ(bytes_of((folder / "whole") / "weights.safetensors"),
            bytes_of((folder / "parts") / "weights.safetensors"));
  EXPECT_EQ(bytes_of((folder / "whole") / "metrics.csv"), bytes_of((folder / "parts") / "metrics.csv"));
  EXPECT_EQ(bytes_of((folder / "whole") / "features.safetensors"),
            bytes_of((folder / "parts") / "features.safetensors"));
  EXPECT_EQ(whole.best_epoch, resumed.best_epoch);
  EXPECT_FALSE(std::filesystem::exists(folder / "parts.checkpoint"));
}

TEST(Training, RefusesACheckpointOfAnotherTraining) {
  const TemporaryFolder folder;
  const TrainingScene scene = write_scene(folder, 128, 96);
  TrainOptions options = tiny_training(4);
  {
    geo::ExecContext exec({2, 0});
    const TrainingData data({scene}, chips_of_32px(), exec);
    StopAt stop(exec, data.train_batches(options.batch_size) + 1);
    EXPECT_THROW(train_model(data, options, folder / "model", exec), geo::Cancelled);
  }
  options.resume = true;
  options.learning_rate = 0.25;
  try {
    train(scene, chips_of_32px(), options, folder / "model");
    FAIL();
  } catch (const geo::ModelError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("learning_rate was 0.005, now 0.25"), HasSubstr("epoch-1")));
  }
}

TEST(Training, NeverThrowsACheckpointAwayUnasked) {
  const TemporaryFolder folder;
  const TrainingScene scene = write_scene(folder, 128, 96);
  TrainOptions options = tiny_training(2);
  {
    geo::ExecContext exec({2, 0});
    const TrainingData data({scene}, chips_of_32px(), exec);
    StopAt stop(exec, data.train_batches(options.batch_size) + 1);
    EXPECT_THROW(train_model(data, options, folder / "model", exec), geo::Cancelled);
  }
  try {
    train(scene, chips_of_32px(), options, folder / "model");
    FAIL();
  } catch (const geo::IoError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("model.checkpoint"), HasSubstr("--resume")));
  }
  // Other labels under the same name are another training.
  write(folder, "labels.tif", geo::Raster<std::uint8_t>(128, 96, 1, 1), test::utm_grid(128, 96));
  options.resume = true;
  try {
    train(scene, chips_of_32px(), options, folder / "model");
    FAIL();
  } catch (const geo::ModelError& error) {
    EXPECT_THAT(error.what(), HasSubstr("data_sha256 was"));
  }
  options.resume = false;
  options.overwrite = true;
  EXPECT_EQ(train(scene, chips_of_32px(), options, folder / "model").epochs.size(), 2u);
}

TEST(Training, StopsEarlyWhenNothingGetsBetter) {
  const TemporaryFolder folder;
  TrainOptions options = tiny_training(50);
  options.learning_rate = 1e-9;
  options.patience = 2;
  const TrainReport report = train(write_scene(folder, 128, 96), chips_of_32px(), options, folder / "model");
  EXPECT_TRUE(report.stopped_early);
  EXPECT_LT(report.epochs.size(), 50u);
}

TEST(TrainingErrors, AdviseWhenTheLossIsNoNumber) {
  const TemporaryFolder folder;
  const TrainingScene scene = write_scene(folder, 96, 96);
  TrainOptions options = tiny_training(20);
  options.learning_rate = 1e30;
  options.clip_norm = 0.0;
  try {
    train(scene, chips_of_32px(), options, folder / "model");
    FAIL();
  } catch (const geo::ModelError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("no longer a number"), HasSubstr("learning rate")));
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "model"));
}

TEST(TrainingErrors, RefuseWindowsThatDoNotFitTheNetwork) {
  const TemporaryFolder folder;
  TrainOptions options = tiny_training(1);
  options.levels = 6;
  try {
    train(write_scene(folder, 128, 96), chips_of_32px(), options, folder / "model");
    FAIL();
  } catch (const geo::InvalidArgument& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("6 levels"), HasSubstr("multiples of 32"), HasSubstr("got 32")));
  }
}

TEST(TrainingErrors, KeepAnExistingModel) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "model");
  EXPECT_THROW(train(write_scene(folder, 128, 96), chips_of_32px(), tiny_training(1), folder / "model"),
               geo::IoError);
}

TEST(TrainedNetwork, RefusesDamagedWeightsAndWrongShapes) {
  const TemporaryFolder folder;
  TrainOptions options = tiny_training(1);
  train(write_scene(folder, 128, 96), chips_of_32px(), options, folder / "model");
  {
    const TrainedNetwork network(folder / "model");
    std::vector<float> input(2 * 30 * 32);
    std::vector<float> output(3 * 30 * 32);
    EXPECT_THROW(network.score_function()(input, 1, 2, 30, 32, output), geo::ModelError);
  }
  std::ofstream((folder / "model") / "weights.safetensors", std::ios::app) << "x";
  try {
    const TrainedNetwork network(folder / "model");
    FAIL();
  } catch (const geo::ModelError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("weights.safetensors"), HasSubstr("checksum")));
  }
}

TEST(TrainedNetwork, ScoresPartsAlone) {
  const TemporaryFolder folder;
  train(write_scene(folder, 128, 96), chips_of_32px(), tiny_training(2), folder / "model");
  std::vector<float> input(2 * 40 * 32);
  for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<float>(i % 97) / 97.0F;
  const geo::Window part{5, 7, 12, 20};
  const auto scores_of = [&](const PartScoreFunction& score) {
    std::vector<float> scores(3 * 12 * 20);
    score(input, 1, 2, 40, 32, part, scores);
    return scores;
  };
  const auto largest_difference = [](const std::vector<float>& a, const std::vector<float>& b) {
    float largest = 0.0F;
    for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
    return largest;
  };
  const TrainedNetwork network(folder / "model");
  const auto expected = scores_of(part_of_whole(network.score_function()));
  EXPECT_LT(largest_difference(scores_of(network.part_score_function()), expected), 1e-5F);
  ASSERT_TRUE(network.has_bf16());
  const auto rounded = scores_of(network.part_score_function(Precision::kBf16));
  EXPECT_LT(largest_difference(rounded, expected), 0.1F);
  EXPECT_GT(largest_difference(rounded, expected), 0.0F);
  std::vector<float> scores(3 * 12 * 20);
  EXPECT_THROW(network.part_score_function()(input, 1, 2, 40, 32, {25, 7, 12, 20}, scores), geo::ModelError);

  ModelSpec spec = network.spec();
  spec.architecture = "somebody's network";
  write_model_spec(spec, folder / "model");
  const TrainedNetwork script(folder / "model");
  EXPECT_LT(largest_difference(scores_of(script.part_score_function()), expected), 1e-5F);
  EXPECT_FALSE(script.has_bf16());
  EXPECT_THROW((void)script.part_score_function(Precision::kBf16), geo::ModelError);
}

TEST(TrainedNetwork, DropsChannelsOnlyWhereTrainingDid) {
  const TemporaryFolder folder;
  TrainOptions options = tiny_training(2);
  options.dropout = 0.3;
  train(write_scene(folder, 128, 96), chips_of_32px(), options, folder / "model");
  const std::vector<float> input(2 * 32 * 32, 0.25F);
  const auto scores_of = [&](const PartScoreFunction& score) {
    std::vector<float> scores(3 * 32 * 32);
    score(input, 1, 2, 32, 32, {0, 0, 32, 32}, scores);
    return scores;
  };
  const TrainedNetwork network(folder / "model");
  const auto passes = network.dropout_passes(3, 5);
  ASSERT_EQ(passes.size(), 3U);
  const auto first = scores_of(passes[0]);
  EXPECT_NE(first, scores_of(passes[1]));
  EXPECT_NE(first, scores_of(network.part_score_function()));
  EXPECT_EQ(first, scores_of(network.dropout_passes(1, 5)[0])) << "the seed and the pass decide";
  EXPECT_NE(first, scores_of(network.dropout_passes(1, 6)[0]));

  const auto refuses = [&](auto change, const char* why) {
    ModelSpec spec = network.spec();
    change(spec);
    write_model_spec(spec, folder / "model");
    const TrainedNetwork other(folder / "model");
    try {
      (void)other.dropout_passes(2, 1);
      ADD_FAILURE() << why;
    } catch (const geo::ModelError& error) {
      EXPECT_THAT(error.what(), HasSubstr(why));
    }
  };
  refuses([](ModelSpec& spec) { spec.architecture_parameters["dropout"] = 0.0; }, "trained without dropout");
  refuses([](ModelSpec& spec) { spec.architecture = "somebody's network"; }, "not built in");
}

TEST(TrainedNetwork, RunsTheTorchScriptOfAnUnknownArchitecture) {
  const TemporaryFolder folder;
  train(write_scene(folder, 128, 96), chips_of_32px(), tiny_training(1), folder / "model");
  ModelSpec spec = read_model_spec(folder / "model");
  std::vector<float> input(2 * 32 * 32, 0.25f);
  std::vector<float> expected(3 * 32 * 32);
  TrainedNetwork(folder / "model").score_function()(input, 1, 2, 32, 32, expected);
  spec.architecture = "somebody's network";
  write_model_spec(spec, folder / "model");
  std::filesystem::remove((folder / "model") / "weights.safetensors");
  std::vector<float> found(expected.size());
  const TrainedNetwork script(folder / "model");
  script.score_function()(input, 1, 2, 32, 32, found);
  for (std::size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], expected[i], 1e-5);
}

TEST(Training, AFullDiskLeavesTheLastCheckpointAndSaysWhichFile) {
  const TemporaryFolder folder;
  const TrainingScene scene = write_scene(folder, 128, 96);
  train(scene, chips_of_32px(), tiny_training(3), folder / "whole");
  const std::int64_t steps = [&] {
    geo::ExecContext exec({2, 0});
    return TrainingData({scene}, chips_of_32px(), exec).train_batches(4);
  }();
  // Full while the second checkpoint is written, and while the model folder is.
  for (const std::int64_t epoch : {2, 3}) {
    TrainOptions options = tiny_training(3);
    options.overwrite = true;
    try {
      geo::ExecContext exec({2, 0});
      const TrainingData data({scene}, chips_of_32px(), exec);
      const FullDiskAt full(exec, epoch * steps);
      train_model(data, options, folder / "model", exec);
      FAIL();
    } catch (const geo::IoError& error) {
      const std::string text = error.what();
      EXPECT_THAT(text,
                  AllOf(HasSubstr("cannot write"), HasSubstr(".safetensors"), HasSubstr("File too large")));
      EXPECT_EQ(text.find('\n'), std::string::npos);
    }
    EXPECT_FALSE(std::filesystem::exists(folder / "model"));
    ASSERT_TRUE(std::filesystem::exists(folder / geo::concat("model.checkpoint/epoch-", epoch - 1)));
    options.resume = true;
    train(scene, chips_of_32px(), options, folder / "model");
    EXPECT_EQ(bytes_of((folder / "whole") / "weights.safetensors"),
              bytes_of((folder / "model") / "weights.safetensors"));
    std::filesystem::remove_all(folder / "model");
  }
}

/// What scoring two bands with somebody's TorchScript network ends with.
std::string failure_of_script(const TemporaryFolder& folder, const std::string& forward) {
  ModelSpec spec;
  spec.id = "theirs";
  spec.architecture = "theirs";
  spec.bands = {{"red"}, {"nir"}};
  spec.normalisation.method = geo::NormaliseMethod::kDivide;
  spec.classes = {{0, "background"}, {1, "interior"}, {2, "boundary"}};
  spec.stride_px = 1;
  std::filesystem::create_directories(folder / "theirs");
  write_model_spec(spec, folder / "theirs");
  torch::jit::Module module("theirs");
  module.define("def forward(self, x):\n    " + forward + "\n");
  module.save(((folder / "theirs") / "model.ts").string());
  try {
    const std::vector<float> input(2 * 6 * 4, 0.5f);
    std::vector<float> output(3 * 6 * 4);
    TrainedNetwork(folder / "theirs").score_function()(input, 1, 2, 6, 4, output);
  } catch (const geo::ModelError& error) {
    return error.what();
  }
  return "no error";
}

TEST(TrainedNetwork, SaysHowTheTorchScriptOfOthersMisbehaves) {
  const TemporaryFolder folder;
  EXPECT_EQ(failure_of_script(folder, "return torch.cat([x, x[:, :1]], 1)"), "no error");
  EXPECT_EQ(failure_of_script(folder, "return x"),
            "model 'theirs' answers with shape [1, 2, 6, 4], expected [1, 3, 6, 4]");
  EXPECT_EQ(failure_of_script(folder, "return (x, x)"),
            "model 'theirs' answers with a Tuple, expected a tensor of shape [1, 3, 6, 4]; wrap the network "
            "so that "
            "forward returns the logits alone");
  const std::string failed = failure_of_script(folder, "return torch.mm(x, x)");
  EXPECT_THAT(failed, AllOf(HasSubstr("failed on input [1, 2, 6, 4]: RuntimeError: "),
                            HasSubstr("must be a matrix")));
  EXPECT_EQ(failed.find('\n'), std::string::npos);
  std::ofstream((folder / "theirs") / "model.ts") << "rubbish";
  try {
    const TrainedNetwork broken(folder / "theirs");
    FAIL();
  } catch (const geo::ModelError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("cannot load TorchScript"), HasSubstr("torch.jit.save")));
  }
}

TEST(TrainedNetwork, TakesWeightsSavedByPython) {
  const TemporaryFolder folder;
  train(write_scene(folder, 128, 96), chips_of_32px(), tiny_training(1), folder / "model");
  ModelSpec spec = read_model_spec(folder / "model");
  std::vector<float> input(2 * 32 * 32, 0.25f);
  std::vector<float> expected(3 * 32 * 32);
  TrainedNetwork(folder / "model").score_function()(input, 1, 2, 32, 32, expected);
  // The same tensors as a dict, pickled as torch.save does.
  UNet network(UNetOptions{2, 4, 3, 0.0, 3}, 7);
  from_tensors(*network, read_safetensors((folder / "model") / "weights.safetensors"), "weights");
  c10::Dict<std::string, torch::Tensor> dict;
  for (const auto& item : network->named_parameters()) dict.insert(item.key(), item.value().detach());
  for (const auto& item : network->named_buffers()) dict.insert(item.key(), item.value());
  const std::vector<char> bytes = torch::pickle_save(dict);
  std::ofstream((folder / "model") / "weights.pt", std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  spec.weights_file = "weights.pt";
  spec.weights_sha256.clear();
  write_model_spec(spec, folder / "model");
  std::vector<float> found(expected.size());
  TrainedNetwork(folder / "model").score_function()(input, 1, 2, 32, 32, found);
  EXPECT_EQ(found, expected);

  ASSERT_EQ(dict.erase("head.bias"), 1u);
  const std::vector<char> less = torch::pickle_save(dict);
  std::ofstream((folder / "model") / "weights.pt", std::ios::binary)
      .write(less.data(), static_cast<std::streamsize>(less.size()));
  try {
    const TrainedNetwork incomplete(folder / "model");
    FAIL();
  } catch (const geo::ModelError& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("weights.pt"), HasSubstr("lack tensor 'head.bias' of shape [3]")));
  }
}

}  // namespace
}  // namespace furrow::segmentation
