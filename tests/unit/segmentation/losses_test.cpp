#include "losses.h"

#include <cmath>

#include <gtest/gtest.h>

#include <furrow/segmentation/trainer.h>

namespace furrow::segmentation {
namespace {

struct Example {
  torch::Tensor logits;
  torch::Tensor labels;
  torch::Tensor weights;
};

/// Two pixels: p = (1/3, 1/3, 1/3), label 1, weight 1; p = (1/2, 1/4, 1/4), label 0, weight 1/2.
Example two_pixels() {
  const double two = std::log(2.0);
  return {torch::tensor({0.0, two, 0.0, 0.0, 0.0, 0.0}, torch::kDouble).reshape({1, 3, 1, 2}),
          torch::tensor({1, 0}, torch::kLong).reshape({1, 1, 2}),
          torch::tensor({1.0, 0.5}, torch::kDouble).reshape({1, 1, 2})};
}

Example random_example(bool with_ignored) {
  torch::manual_seed(3);
  Example example{torch::randn({2, 3, 5, 4}, torch::kDouble), torch::randint(0, 3, {2, 5, 4}, torch::kLong),
                  torch::rand({2, 5, 4}, torch::kDouble)};
  if (with_ignored) example.labels.index_put_({torch::rand({2, 5, 4}) < 0.3}, 255);
  return example;
}

torch::Tensor ones() {
  return torch::ones({3}, torch::kDouble);
}

TEST(CrossEntropy, EqualsTheHandComputedValue) {
  const Example e = two_pixels();
  EXPECT_NEAR(weighted_cross_entropy(e.logits, e.labels, e.weights, ones()).item<double>(),
              (std::log(3.0) + 0.5 * std::log(2.0)) / 1.5, 1e-12);
  const torch::Tensor classes = torch::tensor({4.0, 1.0, 7.0}, torch::kDouble);
  EXPECT_NEAR(weighted_cross_entropy(e.logits, e.labels, e.weights, classes).item<double>(),
              (std::log(3.0) + 2.0 * std::log(2.0)) / 3.0, 1e-12);
}

TEST(TverskyFocal, EqualsTheHandComputedValue) {
  const Example e = two_pixels();
  // class 0: TP .25 FN .25 FP 1/3; class 1: TP 1/3 FN 2/3 FP .125; class 2: TP 0 FN 0 FP 1/3 + .125
  const double t0 = 1.25 / (0.25 + 0.7 * 0.25 + 0.3 / 3.0 + 1.0);
  const double t1 = (4.0 / 3.0) / (1.0 / 3.0 + 0.7 * 2.0 / 3.0 + 0.3 * 0.125 + 1.0);
  const double t2 = 1.0 / (0.3 * (1.0 / 3.0 + 0.125) + 1.0);
  const auto loss = [](double t) { return std::pow(1.0 - t, 1.0 / 1.33); };
  // Inverse frequencies 1.5/.5 = 3 and 1.5/1 = 1.5, normalised 2/3 and 1/3.
  const double expected = 2.0 / 3.0 * loss(t0) + 1.0 / 3.0 * loss(t1) + 1e-5 * loss(t2);
  EXPECT_NEAR(tversky_focal(e.logits, e.labels, e.weights, LossOptions{}).item<double>(), expected, 1e-12);
}

TEST(TotalLoss, MixesTheTwo) {
  const Example e = random_example(true);
  LossOptions options;
  options.tversky_share = 0.25;
  const double ce = weighted_cross_entropy(e.logits, e.labels, e.weights, ones()).item<double>();
  const double tf = tversky_focal(e.logits, e.labels, e.weights, options).item<double>();
  EXPECT_NEAR(total_loss(e.logits, e.labels, e.weights, options).item<double>(), 0.75 * ce + 0.25 * tf,
              1e-12);
  options.tversky_share = 0.0;
  EXPECT_NEAR(total_loss(e.logits, e.labels, e.weights, options).item<double>(), ce, 1e-12);
}

TEST(TotalLoss, GradientEqualsFiniteDifferences) {
  const Example e = random_example(true);
  const LossOptions options;
  torch::Tensor logits = e.logits.clone().requires_grad_(true);
  total_loss(logits, e.labels, e.weights, options).backward();
  const torch::Tensor gradient = logits.grad().flatten();
  const double step = 1e-6;
  for (std::int64_t i = 0; i < gradient.numel(); ++i) {
    const auto at = [&](double delta) {
      torch::Tensor moved = e.logits.clone().flatten();
      moved[i] += delta;
      return total_loss(moved.reshape(e.logits.sizes()), e.labels, e.weights, options).item<double>();
    };
    EXPECT_NEAR(gradient[i].item<double>(), (at(step) - at(-step)) / (2.0 * step), 1e-7) << i;
  }
}

TEST(TotalLoss, DoesNotSeeIgnoredPixels) {
  const Example e = random_example(true);
  const torch::Tensor ignored = e.labels.eq(255).unsqueeze(1).expand_as(e.logits);
  ASSERT_GT(ignored.sum().item<std::int64_t>(), 0);
  torch::Tensor other = e.logits.clone();
  other.masked_fill_(ignored, 9.0);
  torch::Tensor weights = e.weights.masked_fill(e.labels.eq(255), 5.0);
  EXPECT_EQ(total_loss(e.logits, e.labels, e.weights, {}).item<double>(),
            total_loss(other, e.labels, weights, {}).item<double>());
}

TEST(TotalLoss, OfNothingLabelledIsFiniteWithoutGradient) {
  torch::Tensor logits = torch::randn({1, 3, 4, 4}).requires_grad_(true);
  const torch::Tensor labels = torch::full({1, 4, 4}, 255, torch::kLong);
  const torch::Tensor loss = total_loss(logits, labels, torch::zeros({1, 4, 4}), {});
  loss.backward();
  EXPECT_TRUE(std::isfinite(loss.item<double>()));
  EXPECT_EQ(logits.grad().abs().max().item<double>(), 0.0);
}

TEST(TotalLoss, IsSmallForAPerfectAnswerWithFiniteGradient) {
  const torch::Tensor labels = torch::tensor({0, 1, 2, 1}, torch::kLong).reshape({1, 2, 2});
  torch::Tensor logits =
      (torch::one_hot(labels, 3).permute({0, 3, 1, 2}).to(torch::kFloat) * 200.0f).requires_grad_(true);
  const torch::Tensor loss = total_loss(logits, labels, torch::ones({1, 2, 2}), {});
  loss.backward();
  EXPECT_LT(loss.item<double>(), 1e-4);
  EXPECT_TRUE(torch::isfinite(logits.grad()).all().item<bool>());
}

TEST(TotalLoss, FallsWhenARiskyWrongPixelWeighsLess) {
  const Example e = two_pixels();
  const torch::Tensor wrong = torch::tensor({2, 0}, torch::kLong).reshape({1, 1, 2});
  const torch::Tensor light = torch::tensor({0.1, 0.5}, torch::kDouble).reshape({1, 1, 2});
  EXPECT_LT(weighted_cross_entropy(e.logits, wrong, light, ones()).item<double>(),
            weighted_cross_entropy(e.logits, wrong, e.weights, ones()).item<double>());
}

}  // namespace
}  // namespace furrow::segmentation
