#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/segmentation/trainer.h>

#include "methods/co_teaching.h"
#include "methods/early_learning.h"
#include "methods/labeller_confusion.h"
#include "methods/loss_gate.h"
#include "methods/mean_teacher.h"
#include "methods/positive_unlabelled.h"
#include "methods/start_from.h"

namespace furrow::segmentation {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Logits whose softmax are these probabilities, for a row of pixels: [1, 3, 1, pixels].
torch::Tensor row_of(const std::vector<std::array<double, 3>>& pixels) {
  torch::Tensor p = torch::empty({1, 3, 1, static_cast<std::int64_t>(pixels.size())});
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    for (std::size_t c = 0; c < 3; ++c)
      p[0][static_cast<std::int64_t>(c)][0][static_cast<std::int64_t>(i)] = pixels[i][c];
  }
  return p.log();
}

Target target_of(const std::vector<std::int64_t>& labels) {
  const auto n = static_cast<std::int64_t>(labels.size());
  return {torch::tensor(labels, torch::kLong).reshape({1, 1, n}), torch::ones({1, 1, n}), {}};
}

/// A batch of one row of pixels.
Batch batch_of(const std::vector<std::uint8_t>& labels, const std::vector<std::int64_t>& numbers) {
  Batch batch;
  batch.count = 1;
  batch.labels = labels;
  batch.pixel_numbers = numbers;
  batch.labellers = {-1};
  batch.blocks = {0};
  return batch;
}

TEST(EarlyLearning, FollowsTheFormulaOverTwoBatches) {
  EarlyLearning memory(5, 0.75, 1 << 20);
  // Pixel 4 is labelled in both batches, pixel 0 in the first only; the last is ignored.
  const double first = memory
                           .term(row_of({{0.5, 0.25, 0.25}, {0.2, 0.2, 0.6}, {0.1, 0.1, 0.8}}),
                                 batch_of({0, 1, 255}, {4, 0, 2}))
                           .item<double>();
  const auto dot = [](double a, double b, double c, double x, double y, double z) {
    return a * x + b * y + c * z;
  };
  const double t4 = 0.25 * dot(0.5, 0.25, 0.25, 0.5, 0.25, 0.25);
  const double t0 = 0.25 * dot(0.2, 0.2, 0.6, 0.2, 0.2, 0.6);
  EXPECT_NEAR(first, 0.5 * (std::log(1.0 - t4) + std::log(1.0 - t0)), 2e-4);  // means are halves
  const double second = memory.term(row_of({{0.1, 0.8, 0.1}}), batch_of({0}, {4})).item<double>();
  // t = 0.75 * 0.25 * (0.5, 0.25, 0.25) + 0.25 * (0.1, 0.8, 0.1)
  const double t = dot(0.11875, 0.246875, 0.071875, 0.1, 0.8, 0.1);
  EXPECT_NEAR(second, std::log(1.0 - t), 2e-4);
  EXPECT_EQ(memory.means()[2].sum().item<double>(), 0.0);
}

TEST(EarlyLearning, UpdatesAPixelInTwoWindowsTwice) {
  EarlyLearning twice(1, 0.5, 1 << 20);
  const torch::Tensor one = row_of({{0.5, 0.25, 0.25}});
  const torch::Tensor two = row_of({{0.25, 0.5, 0.25}});
  Batch batch = batch_of({0, 0}, {0, 0});
  batch.count = 2;
  static_cast<void>(twice.term(torch::cat({one, two}), batch));
  EXPECT_NEAR(twice.means()[0][0].item<double>(), 0.5 * 0.25 + 0.5 * 0.25, 1e-3);
  EXPECT_NEAR(twice.means()[0][1].item<double>(), 0.5 * 0.125 + 0.5 * 0.5, 1e-3);
}

TEST(EarlyLearning, PullsTowardsItsMemoryAndNotTowardsTheLabel) {
  EarlyLearning memory(1, 0.7, 1 << 20);
  for (int i = 0; i < 10; ++i)
    static_cast<void>(memory.term(row_of({{0.05, 0.9, 0.05}}), batch_of({0}, {0})));
  torch::Tensor logits = row_of({{0.5, 0.4, 0.1}}).requires_grad_();
  memory.term(logits, batch_of({0}, {0})).backward();
  EXPECT_LT(logits.grad()[0][1][0][0].item<double>(), 0.0);  // descent raises class 1
  EXPECT_GT(logits.grad()[0][0][0][0].item<double>(), 0.0);
}

TEST(EarlyLearning, SaysWhenTheMemoryIsTooSmall) {
  try {
    const EarlyLearning memory(1'000'000, 0.7, 8'000'000);
    FAIL();
  } catch (const geo::ModelError& error) {
    EXPECT_THAT(error.what(), HasSubstr("1000000 training pixels"));
    EXPECT_THAT(error.what(), HasSubstr("--memory"));
  }
}

TEST(LossGate, WeighsWindowsByTheirBlock) {
  std::vector<double> losses(40, 0.2);
  for (std::size_t i = 0; i < losses.size(); ++i) losses[i] += 0.001 * static_cast<double>(i);
  losses[7] = 2.0;
  losses[8] = 2.1;
  losses[9] = std::nan("");
  LossGate gate;
  Batch batch = batch_of({0}, {});
  batch.blocks = {7, 9, 12, 8};
  EXPECT_EQ(gate.window_weights(batch).sum().item<double>(), 4.0);
  gate.fit(losses);
  const torch::Tensor weights = gate.window_weights(batch);
  EXPECT_NEAR(weights[0].item<double>(), 0.0, 1e-6);
  EXPECT_EQ(weights[1].item<double>(), 1.0);
  EXPECT_NEAR(weights[2].item<double>(), 1.0, 1e-6);
  EXPECT_NEAR(weights[3].item<double>(), 0.0, 1e-6);
  EXPECT_NEAR(gate.clean_blocks(), 38.0, 1e-3);
}

/// Only cross entropy, so that sums can be done by hand.
LossOptions plain_loss() {
  LossOptions options;
  options.shares = {1.0, 0.0, 0.0, 0.0, 0.0};
  return options;
}

TEST(PositiveUnlabelled, FollowsTheFormula) {
  const torch::Tensor logits =
      row_of({{0.2, 0.6, 0.2}, {0.5, 0.3, 0.2}, {0.9, 0.05, 0.05}, {0.6, 0.2, 0.2}, {0.1, 0.1, 0.8}});
  Target target = target_of({1, 2, 0, 0, 255});
  target.weights[0][0][1] = 0.5;
  // Fields: q = 0.8 with weight 1 and 0.5 with 1/2; all: four pixels with weights 1, 1/2, 1, 1.
  const double positive = 0.3 * (-std::log(0.8) - 0.5 * std::log(0.5)) / 1.5;
  const double all = (-std::log(0.2) - 0.5 * std::log(0.5) - std::log(0.9) - std::log(0.6)) / 3.5;
  const double against = 0.3 * (-std::log(0.2) - 0.5 * std::log(0.5)) / 1.5;
  ASSERT_GT(all - against, 0.0);
  // Interior 0.6 of 0.8, boundary 0.2 of 0.5.
  const double inside = (-std::log(0.75) - 0.5 * std::log(0.4)) / 1.5;
  EXPECT_NEAR(positive_unlabelled_risk(logits, target, 0.3, plain_loss()).item<double>(),
              positive + all - against + inside, 1e-5);
}

TEST(PositiveUnlabelled, IsNeverNegativeAndThenUndoesTheStep) {
  // Everything is answered field or not with certainty: the second part is negative.
  const torch::Tensor start = row_of({{0.01, 0.49, 0.5}, {0.98, 0.01, 0.01}, {0.97, 0.02, 0.01}});
  const Target target = target_of({1, 0, 0});
  torch::Tensor logits = start.clone().requires_grad_();
  const torch::Tensor risk = positive_unlabelled_risk(logits, target, 0.6, plain_loss());
  const double positive = -0.6 * std::log(0.99);
  const double inside = -std::log(0.49 / 0.99);
  EXPECT_NEAR(risk.item<double>(), positive + inside, 1e-5);
  risk.backward();
  // The gradient of -r at the background logit of the labelled field: r = (1/3 - 0.6) * -log(1 - q) there,
  // and the derivative of -log p0 by z0 is -(1 - p0).
  EXPECT_NEAR(logits.grad()[0][0][0][0].item<double>(), -(1.0 / 3.0 - 0.6) * -(1.0 - 0.01), 1e-4);
}

TEST(PositiveUnlabelled, WithoutLabelsIsNothing) {
  EXPECT_NEAR(
      positive_unlabelled_risk(row_of({{0.2, 0.6, 0.2}}), target_of({255}), 0.3, plain_loss()).item<double>(),
      0.0, 1e-6);
}

TEST(LabellerConfusion, MultipliesByTheMatrixOfTheWindowsLabeller) {
  LabellerConfusionLayer layer(2);
  EXPECT_NEAR(layer->matrices()[1][2][2].item<double>(), 0.98, 1e-6);
  EXPECT_NEAR(layer->matrices()[1][2][0].item<double>(), 0.01, 1e-6);
  const torch::Tensor matrix = torch::tensor({{0.7, 0.2, 0.1}, {0.3, 0.6, 0.1}, {0.1, 0.4, 0.5}});
  {
    const torch::NoGradGuard no_grad;
    layer->scores[1].copy_(matrix.log());
  }
  const torch::Tensor row = row_of({{0.5, 0.3, 0.2}});
  Batch batch = batch_of({0, 0}, {});
  batch.count = 2;
  batch.labellers = {1, -1};
  const torch::Tensor drawn = torch::softmax(layer->drawn(torch::cat({row, row}), batch), 1);
  EXPECT_NEAR(drawn[0][0][0][0].item<double>(), 0.5 * 0.7 + 0.3 * 0.3 + 0.2 * 0.1, 1e-6);
  EXPECT_NEAR(drawn[0][1][0][0].item<double>(), 0.5 * 0.2 + 0.3 * 0.6 + 0.2 * 0.4, 1e-6);
  EXPECT_NEAR(drawn[1][1][0][0].item<double>(), 0.3, 1e-6);
  batch.count = 1;
  batch.labellers = {1};
  const double trace = 0.5 * (3 * 0.98 + 0.7 + 0.6 + 0.5);
  EXPECT_NEAR(layer->loss(row, target_of({1}), batch, plain_loss(), 0.1).item<double>(),
              -std::log(0.36) + 0.1 * trace, 1e-5);
  const auto report = layer->report({"ann", "bob"});
  EXPECT_EQ(report[1].labeller, "bob");
  EXPECT_NEAR(report[1].matrix[2][1], 0.4, 1e-6);
}

TEST(CoTeaching, ForgetsMoreAndMore) {
  EXPECT_EQ(forget_share(0.2, 10, 1), 0.0);
  EXPECT_NEAR(forget_share(0.2, 10, 6), 0.1, 1e-12);
  EXPECT_EQ(forget_share(0.2, 10, 11), 0.2);
  EXPECT_EQ(forget_share(0.2, 10, 100), 0.2);
}

TEST(CoTeaching, KeepsTheEasyLabelsOfEachClass) {
  // Boundary pixels (2) are all harder than background (0), and yet half of them stay.
  const torch::Tensor logits = row_of({{0.9, 0.05, 0.05},
                                       {0.8, 0.1, 0.1},
                                       {0.7, 0.2, 0.1},
                                       {0.6, 0.3, 0.1},
                                       {0.8, 0.1, 0.1},
                                       {0.7, 0.1, 0.2},
                                       {0.3, 0.3, 0.4}});
  Target target = target_of({0, 0, 0, 0, 2, 2, 255});
  target.weights[0][0][0] = 0.5;
  const Target chosen = small_loss_target(logits, target, 0.5);
  const torch::Tensor weights = chosen.weights.flatten().contiguous();
  EXPECT_THAT(std::vector<float>(weights.data_ptr<float>(), weights.data_ptr<float>() + 7),
              ElementsAre(0.5f, 1.0f, 0.0f, 0.0f, 0.0f, 1.0f, 1.0f));
  EXPECT_EQ(target.weights.sum().item<double>(), 6.5);  // the given one is left alone
  EXPECT_TRUE(small_loss_target(logits, target, 0.0).weights.equal(target.weights));
  // One of a class always stays.
  EXPECT_EQ(small_loss_target(logits, target_of({0, 255, 255, 255, 255, 255, 255}), 0.9)
                .weights[0][0][0]
                .item<double>(),
            1.0);
}

TEST(MeanTeacher, RampsUp) {
  EXPECT_NEAR(consistency_ramp(10, 1), std::exp(-5.0), 1e-12);
  EXPECT_NEAR(consistency_ramp(10, 6), std::exp(-1.25), 1e-12);
  EXPECT_EQ(consistency_ramp(10, 11), 1.0);
  EXPECT_EQ(consistency_ramp(10, 50), 1.0);
}

TEST(MeanTeacher, ComparesSoftmaxesOverImagePixels) {
  const UNetOptions shape{2, 2, 2, 0.0, 3};
  UNet student(shape, 1);
  UNet teacher(shape, 2);
  student->train();
  const torch::Tensor x = torch::rand({2, 2, 4, 4}, torch::make_generator<at::CPUGeneratorImpl>(7));
  torch::Tensor valid = torch::ones({2, 1, 4, 4});
  valid[0][0][1][2] = 0.0;
  const torch::Tensor loss = consistency_loss(student, teacher, {x, 0.5 * x, valid});
  const torch::Tensor p = torch::softmax(student->forward(0.5 * x), 1);
  const torch::Tensor q = torch::softmax(teacher->forward(x), 1);
  double expected = 0.0;
  for (int n = 0; n < 2; ++n) {
    for (int c = 0; c < 3; ++c) {
      for (int row = 0; row < 4; ++row) {
        for (int col = 0; col < 4; ++col) {
          if (n == 0 && row == 1 && col == 2) continue;
          expected += std::pow(p[n][c][row][col].item<double>() - q[n][c][row][col].item<double>(), 2);
        }
      }
    }
  }
  EXPECT_NEAR(loss.item<double>(), expected / (31 * 3), 1e-6);
  loss.backward();
  EXPECT_TRUE(student->head->weight.grad().defined());
  EXPECT_FALSE(teacher->head->weight.grad().defined());
}

TEST(StartFrom, NamesEveryDifference) {
  ModelSpec spec;
  spec.architecture = "unet";
  spec.architecture_parameters = {{"base_width", 8.0}, {"levels", 4.0}, {"dropout", 0.5}};
  spec.bands = {{"red"}, {"nir"}};
  spec.classes = {{0, "background"}, {1, "interior"}, {2, "boundary"}};
  EXPECT_THAT(model_differences(spec, {2, 8, 4, 0.1, 3}, spec.normalisation), ElementsAre());
  geo::Normalisation other;
  other.method = geo::NormaliseMethod::kZScore;
  other.per_band = true;
  EXPECT_THAT(
      model_differences(spec, {3, 8, 5, 0.1, 3}, other),
      ElementsAre("levels 4, here 5", "bands 2, here 3",
                  "normalisation minmax of percentiles 1 and 99 of all bands together, per scene, here "
                  "zscore per band, per scene"));
}

}  // namespace
}  // namespace furrow::segmentation
