#include <furrow/segmentation/imperfect_labels.h>

#include <cmath>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/segmentation/network.h>

#include "small_training.h"
#include "training_scene.h"

namespace furrow::segmentation {
namespace {

using test::bytes_of;
using test::TemporaryFolder;
using ::testing::HasSubstr;
using testing_scene::label_at;
using testing_scene::write;
using testing_scene::write_scene;

constexpr std::int64_t kSidePx = 128;

TrainingDataOptions data_options() {
  TrainingDataOptions options;
  options.chip_px = 32;
  options.block_px = 32;
  options.val_share = 0.0;
  return options;
}

/// Says what is drawn where the truth is `label`.
using Labeller = std::function<std::uint8_t(std::int64_t col, std::int64_t row, std::uint8_t label)>;

TrainingScene scene_drawn_by(const TemporaryFolder& folder, const Labeller& labeller,
                             const std::string& name = "drawn") {
  TrainingScene scene = write_scene(folder, kSidePx, kSidePx);
  geo::Raster<std::uint8_t> drawn = testing_scene::labels(kSidePx, kSidePx);
  for (std::int64_t row = 0; row < kSidePx; ++row) {
    for (std::int64_t col = 0; col < kSidePx; ++col)
      drawn.at(col, row) = labeller(col, row, drawn.at(col, row));
  }
  scene.labels = write(folder, name + ".tif", drawn, test::utm_grid(kSidePx, kSidePx));
  return scene;
}

/// True with a probability, the same for the same place.
bool chance(double probability, std::int64_t col, std::int64_t row, std::uint64_t seed) {
  return geo::Random(seed, static_cast<std::uint64_t>(row * 100000 + col)).uniform() < probability;
}

TrainReport train(const std::vector<TrainingScene>& scenes, const TrainingDataOptions& data_opts,
                  const TrainOptions& options, const std::filesystem::path& folder) {
  geo::ExecContext exec({1, 0});
  const TrainingData data(scenes, data_opts, exec);
  return train_model(data, options, folder, exec);
}

/// Probability that a model gives each class of each pixel of the image, [3, kSidePx, kSidePx].
std::vector<float> answers(const std::filesystem::path& model, const std::string& image) {
  const TrainedNetwork network(model);
  geo::ExecContext exec({1, 0});
  const geo::RasterReader reader(image);
  const auto statistics = geo::scene_statistics(reader, {}, network.spec().normalisation, exec);
  geo::Raster<float> pixels = reader.read<float>(reader.grid().window());
  geo::normalise(pixels, network.spec().normalisation, statistics);
  std::vector<float> scores(3 * kSidePx * kSidePx);
  network.score_function()(pixels.data(), 1, 2, kSidePx, kSidePx, scores);
  return scores;
}

using Choice = std::function<bool(std::int64_t col, std::int64_t row, std::uint8_t label)>;

/// Mean of score(probability that a model gives the truth, field classes taken as one) over chosen pixels.
double mean_score(const std::filesystem::path& model, const std::string& image, const Choice& chosen,
                  double (*score)(double)) {
  const std::vector<float> p = answers(model, image);
  double sum = 0.0;
  double all = 0.0;
  for (std::int64_t row = 0; row < kSidePx; ++row) {
    for (std::int64_t col = 0; col < kSidePx; ++col) {
      const std::uint8_t truth = label_at(col, row);
      if (!chosen(col, row, truth)) continue;
      const auto background = static_cast<double>(p[static_cast<std::size_t>(row * kSidePx + col)]);
      sum += score(truth == 0 ? background : 1.0 - background);
      all += 1.0;
    }
  }
  return sum / all;
}

double right_share(const std::filesystem::path& model, const std::string& image, const Choice& chosen) {
  return mean_score(model, image, chosen, [](double p) { return p > 0.5 ? 1.0 : 0.0; });
}

double belief_in_truth(const std::filesystem::path& model, const std::string& image) {
  return mean_score(
      model, image, [](std::int64_t, std::int64_t, std::uint8_t) { return true; },
      [](double p) { return p; });
}

bool everywhere(std::int64_t, std::int64_t, std::uint8_t) {
  return true;
}

/// Interrupts a training in its third epoch, resumes it, and compares with one in one go.
void expect_resume_to_the_bit(const std::vector<TrainingScene>& scenes, const TrainingDataOptions& data_opts,
                              TrainOptions options, const TemporaryFolder& folder) {
  options.epochs = 4;
  train(scenes, data_opts, options, folder / "whole");
  {
    geo::ExecContext exec({1, 0});
    const TrainingData data(scenes, data_opts, exec);
    StopAt stop(exec, 2 * data.train_batches(options.batch_size) + 1);
    EXPECT_THROW(train_model(data, options, folder / "parts", exec), geo::Cancelled);
  }
  options.resume = true;
  train(scenes, data_opts, options, folder / "parts");
  for (const char* name : {"weights.safetensors", "metrics.json"})
    EXPECT_EQ(bytes_of((folder / "whole") / name), bytes_of((folder / "parts") / name)) << name;
}

TEST(StartFromModel, IsAheadOfRandomWeightsAndResumes) {
  const TemporaryFolder folder;
  const std::vector<TrainingScene> scenes{write_scene(folder, kSidePx, kSidePx)};
  train(scenes, data_options(), tiny_training(12), folder / "first");
  TrainOptions options = tiny_training(1);
  options.learning_rate = 1e-4;
  const TrainReport cold = train(scenes, data_options(), options, folder / "cold");
  options.start_from = folder / "first";
  const TrainReport warm = train(scenes, data_options(), options, folder / "warm");
  EXPECT_LT(warm.epochs.front().train_loss, 0.6 * cold.epochs.front().train_loss);
  expect_resume_to_the_bit(scenes, data_options(), options, folder);
  options.base_width = 8;
  try {
    train(scenes, data_options(), options, folder / "other");
    FAIL();
  } catch (const geo::ModelError& error) {
    EXPECT_THAT(error.what(), HasSubstr("base_width 4, here 8"));
  }
}

TEST(EarlyLearningTraining, RemembersLessOfWrongLabels) {
  const TemporaryFolder folder;
  // Four of ten pixels of a small area are wrong, and there are epochs enough to learn them by heart.
  const std::vector<TrainingScene> scenes{
      scene_drawn_by(folder, [](std::int64_t col, std::int64_t row, std::uint8_t label) -> std::uint8_t {
        if (col >= 64 || row >= 64) return 255;
        return chance(0.4, col, row, 1) ? static_cast<std::uint8_t>(label == 0 ? 1 : 0) : label;
      })};
  TrainingDataOptions data_opts = data_options();
  data_opts.chip_px = 64;
  data_opts.block_px = 64;
  data_opts.augment = false;
  TrainOptions options = tiny_training(250);
  options.base_width = 8;
  options.dropout = 0.0;
  options.checkpoint_every = 0;
  options.learning_rate = 1e-2;
  options.loss.shares = {1.0, 0.0, 0.0, 0.0, 0.0};
  const auto inside = [](std::int64_t col, std::int64_t row, std::uint8_t) { return col < 64 && row < 64; };
  train(scenes, data_opts, options, folder / "plain");
  const double plain = right_share(folder / "plain", scenes[0].image, inside);
  data_opts.number_pixels = true;
  options.imperfect.elr_lambda = 3.0;
  train(scenes, data_opts, options, folder / "elr");
  const double elr = right_share(folder / "elr", scenes[0].image, inside);
  EXPECT_GT(elr, plain + 0.05) << plain;
}

TEST(EarlyLearningTraining, ResumesToTheBit) {
  const TemporaryFolder folder;
  TrainingDataOptions data_opts = data_options();
  data_opts.number_pixels = true;
  TrainOptions options = tiny_training(4);
  options.imperfect.elr_lambda = 2.0;
  expect_resume_to_the_bit({write_scene(folder, kSidePx, kSidePx)}, data_opts, options, folder);
}

/// Fields and background change places in some blocks.
bool turned_over(std::int64_t col, std::int64_t row) {
  return (col / 32 + 2 * (row / 32)) % 3 == 0;
}

std::uint8_t draw_turned_over(std::int64_t col, std::int64_t row, std::uint8_t label) {
  if (!turned_over(col, row)) return label;
  return label == 0 ? 1 : 0;
}

TEST(LossGateTraining, LeavesTurnedOverBlocksOut) {
  const TemporaryFolder folder;
  const std::vector<TrainingScene> scenes{scene_drawn_by(folder, draw_turned_over)};
  TrainOptions options = tiny_training(25);
  options.base_width = 8;
  options.loss.shares = {1.0, 0.0, 0.0, 0.0, 0.0};
  train(scenes, data_options(), options, folder / "plain");
  options.imperfect.loss_gate_after = 8;
  train(scenes, data_options(), options, folder / "gate");
  const double plain = belief_in_truth(folder / "plain", scenes[0].image);
  EXPECT_GT(belief_in_truth(folder / "gate", scenes[0].image), plain + 0.15) << plain;
}

TEST(LossGateTraining, ResumesToTheBit) {
  const TemporaryFolder folder;
  TrainOptions options = tiny_training(4);
  options.imperfect.loss_gate_after = 1;
  expect_resume_to_the_bit({scene_drawn_by(folder, draw_turned_over)}, data_options(), options, folder);
}

/// Two of three fields are not mapped.
bool mapped(std::int64_t col, std::int64_t row) {
  return (col / 16 + row / 16) % 3 == 0;
}

std::uint8_t draw_in_part(std::int64_t col, std::int64_t row, std::uint8_t label) {
  return mapped(col, row) ? label : 0;
}

TEST(PositiveUnlabelledTraining, FindsFieldsThatNobodyDrew) {
  const TemporaryFolder folder;
  const std::vector<TrainingScene> scenes{scene_drawn_by(folder, draw_in_part)};
  const auto undrawn = [](std::int64_t col, std::int64_t row, std::uint8_t label) {
    return label != 0 && !mapped(col, row);
  };
  const auto background = [](std::int64_t, std::int64_t, std::uint8_t label) { return label == 0; };
  TrainOptions options = tiny_training(15);
  train(scenes, data_options(), options, folder / "plain");
  EXPECT_LT(right_share(folder / "plain", scenes[0].image, undrawn), 0.5);
  options.imperfect.pu_prior = 144.0 / 256.0;
  const TrainReport report = train(scenes, data_options(), options, folder / "pu");
  EXPECT_GT(right_share(folder / "pu", scenes[0].image, undrawn), 0.9);
  EXPECT_GT(right_share(folder / "pu", scenes[0].image, background), 0.9);
  EXPECT_EQ(report.temperature, 1.0);
}

TEST(PositiveUnlabelledTraining, ChoosesByItsRiskAndResumes) {
  const TemporaryFolder folder;
  TrainingDataOptions data_opts = data_options();
  data_opts.val_share = 0.2;
  TrainOptions options = tiny_training(4);
  options.imperfect.pu_prior = 0.5;
  const std::vector<TrainingScene> scenes{scene_drawn_by(folder, draw_in_part)};
  expect_resume_to_the_bit(scenes, data_opts, options, folder);
  options.overwrite = true;
  const TrainReport report = train(scenes, data_opts, options, folder / "whole");
  for (const EpochMetrics& epoch : report.epochs)
    EXPECT_GE(epoch.val_loss, report.epochs[static_cast<std::size_t>(report.best_epoch - 1)].val_loss);
}

/// A labeller who misses almost half of the pixels of the interior.
std::uint8_t draw_badly(std::int64_t col, std::int64_t row, std::uint8_t label) {
  if (label == 1 && chance(0.45, col, row, 3)) return 0;
  return label;
}

std::vector<TrainingScene> drawn_by_two(const TemporaryFolder& folder) {
  TrainingScene good = write_scene(folder, kSidePx, kSidePx);
  good.labeller = "good";
  TrainingScene bad = scene_drawn_by(folder, draw_badly, "bad");
  bad.labeller = "bad";
  return {good, bad};
}

TEST(LabellerConfusionTraining, LearnsWhoErrsHow) {
  const TemporaryFolder folder;
  const std::vector<TrainingScene> scenes = drawn_by_two(folder);
  TrainOptions options = tiny_training(25);
  options.loss.shares = {1.0, 0.0, 0.0, 0.0, 0.0};
  options.imperfect.labeller_confusion = true;
  const TrainReport report = train(scenes, data_options(), options, folder / "model");
  ASSERT_EQ(report.labellers.size(), 2u);
  EXPECT_EQ(report.labellers[0].labeller, "good");
  EXPECT_GT(report.labellers[0].matrix[1][1], 0.93);
  EXPECT_EQ(report.labellers[1].labeller, "bad");
  EXPECT_NEAR(report.labellers[1].matrix[1][0], 0.45, 0.08);
  EXPECT_NEAR(report.labellers[1].matrix[1][1], 0.55, 0.08);
  EXPECT_GT(report.labellers[1].matrix[0][0], 0.93);
  EXPECT_THAT(bytes_of((folder / "model") / "metrics.json"), HasSubstr("\"labeller\": \"bad\""));
  EXPECT_GT(right_share(folder / "model", scenes[0].image, everywhere), 0.97);
}

TEST(LabellerConfusionTraining, ResumesToTheBit) {
  const TemporaryFolder folder;
  TrainOptions options = tiny_training(4);
  options.imperfect.labeller_confusion = true;
  TrainingDataOptions data_opts = data_options();
  data_opts.val_share = 0.2;
  expect_resume_to_the_bit(drawn_by_two(folder), data_opts, options, folder);
}

TEST(LabellersOfOneImage, ShareTheSplit) {
  const TemporaryFolder folder;
  TrainingDataOptions data_opts = data_options();
  data_opts.val_share = 0.3;
  geo::ExecContext exec({1, 0});
  const std::vector<TrainingScene> scenes = drawn_by_two(folder);
  const TrainingData one({scenes[0]}, data_opts, exec);
  const TrainingData both(scenes, data_opts, exec);
  EXPECT_EQ(one.summary().train_blocks, 11);
  EXPECT_EQ(both.summary().train_blocks, 22);
  EXPECT_EQ(both.summary().val_blocks, 10);
  // Blocks come scene by scene, so the second half of the validation windows shows the places of the first.
  const Batch windows = both.val_batch(0, 10);
  const auto half = static_cast<std::ptrdiff_t>(windows.pixels.size() / 2);
  EXPECT_TRUE(
      std::equal(windows.pixels.begin(), windows.pixels.begin() + half, windows.pixels.begin() + half));
}

TEST(CoTeachingTraining, StandsMoreWrongLabels) {
  const TemporaryFolder folder;
  // A third of the pixels of fields is drawn as background.
  const std::vector<TrainingScene> scenes{
      scene_drawn_by(folder, [](std::int64_t col, std::int64_t row, std::uint8_t label) -> std::uint8_t {
        return label != 0 && chance(0.35, col, row, 5) ? 0 : label;
      })};
  TrainOptions options = tiny_training(25);
  options.learning_rate = 1e-2;
  options.loss.shares = {1.0, 0.0, 0.0, 0.0, 0.0};
  train(scenes, data_options(), options, folder / "plain");
  options.imperfect.co_teaching_forget = 0.35;
  options.imperfect.co_teaching_ramp_epochs = 5;
  train(scenes, data_options(), options, folder / "co");
  const double plain = belief_in_truth(folder / "plain", scenes[0].image);
  EXPECT_GT(belief_in_truth(folder / "co", scenes[0].image), plain + 0.06) << plain;
}

TEST(CoTeachingTraining, ResumesToTheBit) {
  const TemporaryFolder folder;
  TrainOptions options = tiny_training(4);
  options.imperfect.co_teaching_forget = 0.2;
  options.imperfect.co_teaching_ramp_epochs = 2;
  TrainingDataOptions data_opts = data_options();
  data_opts.val_share = 0.2;
  expect_resume_to_the_bit({write_scene(folder, kSidePx, kSidePx)}, data_opts, options, folder);
}

/// The image under another light: darker middle tones (a gamma beyond those of the augmentation).
std::string write_dim(const TemporaryFolder& folder, double power) {
  geo::Raster<std::uint16_t> image = testing_scene::image(kSidePx, kSidePx, 9);
  for (std::uint16_t& value : image.data()) {
    const double x = std::clamp((value - 400.0) / 1600.0, 0.0, 1.0);
    value = static_cast<std::uint16_t>(400.0 + 1600.0 * std::pow(x, power));
  }
  return write(folder, "dim.tif", image, test::utm_grid(kSidePx, kSidePx));
}

TEST(MeanTeacherTraining, AnswersUnderAnotherLight) {
  const TemporaryFolder folder;
  const std::vector<TrainingScene> scenes{write_scene(folder, kSidePx, kSidePx)};
  const std::string dim = write_dim(folder, 4.0);
  TrainingDataOptions data_opts = data_options();
  data_opts.augment = false;
  TrainOptions options = tiny_training(25);
  options.ema_decay = 0.95;
  train(scenes, data_opts, options, folder / "plain");
  options.imperfect.unlabelled = {dim};
  options.imperfect.consistency_ramp_epochs = 5;
  train(scenes, data_opts, options, folder / "teacher");
  const double plain = right_share(folder / "plain", dim, everywhere);
  EXPECT_GT(right_share(folder / "teacher", dim, everywhere), plain + 0.1) << plain;
}

TEST(MeanTeacherTraining, ResumesToTheBitAndKnowsItsImages) {
  const TemporaryFolder folder;
  const std::vector<TrainingScene> scenes{write_scene(folder, kSidePx, kSidePx)};
  TrainOptions options = tiny_training(4);
  options.ema_decay = 0.9;
  options.imperfect.unlabelled = {write_dim(folder, 2.0)};
  TrainingDataOptions data_opts = data_options();
  data_opts.val_share = 0.2;
  expect_resume_to_the_bit(scenes, data_opts, options, folder);
  options.imperfect.unlabelled = {
      write(folder, "one.tif", geo::Raster<std::uint16_t>(64, 64, 1, 5), test::utm_grid(64, 64))};
  try {
    train(scenes, data_opts, options, folder / "other");
    FAIL();
  } catch (const geo::ModelError& error) {
    EXPECT_THAT(error.what(), HasSubstr("one.tif' has 1 bands"));
  }
}

TEST(ImperfectLabels, RefuseWhatMakesNoSense) {
  const TemporaryFolder folder;
  const TrainingScene scene = write_scene(folder, kSidePx, kSidePx);
  const auto failure = [&](const auto& change) -> std::string {
    TrainOptions options = tiny_training(1);
    change(options.imperfect, options);
    try {
      train({scene}, data_options(), options, folder / "model");
    } catch (const geo::InvalidArgument& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(failure([](auto& on, auto&) { on.pu_prior = 1.0; }),
              HasSubstr("share of field from 0 to below"));
  EXPECT_THAT(failure([](auto& on, auto&) { on.unlabelled = {"a.tif"}; }), HasSubstr("--ema-decay 0.99"));
  EXPECT_THAT(failure([](auto& on, auto&) { on.elr_lambda = 1.0; }), HasSubstr("numbered pixels"));
  EXPECT_THAT(failure([](auto& on, auto&) { on.labeller_confusion = true; }), HasSubstr("named labellers"));
  EXPECT_THAT(failure([](auto& on, auto&) { on.pu_prior = 0.5, on.loss_gate_after = 2; }),
              HasSubstr("the positive-unlabelled risk and the loss gate do not go together"));
  EXPECT_THAT(failure([](auto& on, auto& all) { on.co_teaching_forget = 0.2, all.ema_decay = 0.9; }),
              HasSubstr("co-teaching trains two networks"));
}

}  // namespace
}  // namespace furrow::segmentation
