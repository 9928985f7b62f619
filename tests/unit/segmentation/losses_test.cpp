#include "losses.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include <furrow/segmentation/trainer.h>

#include "unet.h"

namespace furrow::segmentation {
namespace {

struct Example {
  torch::Tensor logits;
  Target target;
};

/// Two pixels: p = (1/3, 1/3, 1/3), label 1, weight 1; p = (1/2, 1/4, 1/4), label 0, weight 1/2.
Example two_pixels() {
  const double two = std::log(2.0);
  return {torch::tensor({0.0, two, 0.0, 0.0, 0.0, 0.0}, torch::kDouble).reshape({1, 3, 1, 2}),
          {torch::tensor({1, 0}, torch::kLong).reshape({1, 1, 2}),
           torch::tensor({1.0, 0.5}, torch::kDouble).reshape({1, 1, 2}),
           {}}};
}

/// The same pixels with targets (0.2, 0.8, 0) and (0.6, 0, 0.4).
Example two_soft_pixels() {
  Example e = two_pixels();
  e.target.soft = torch::tensor({0.2, 0.6, 0.8, 0.0, 0.0, 0.4}, torch::kDouble).reshape({1, 3, 1, 2});
  return e;
}

torch::Tensor one_hot(const torch::Tensor& labels, const torch::Tensor& logits) {
  return torch::one_hot(labels.masked_fill(labels.eq(255), 0), logits.size(1))
      .permute({0, 3, 1, 2})
      .to(logits.scalar_type());
}

/// 40 pixels, about a third of them ignored.
Example random_example(bool soft, torch::ScalarType type = torch::kDouble) {
  torch::manual_seed(3);
  Example e{torch::randn({2, 3, 5, 4}, type),
            {torch::randint(0, 3, {2, 5, 4}, torch::kLong), torch::rand({2, 5, 4}, type), {}}};
  e.target.labels.index_put_({torch::rand({2, 5, 4}) < 0.3}, 255);
  if (soft) e.target.soft = torch::softmax(torch::randn({2, 3, 5, 4}, type), 1);
  return e;
}

torch::Tensor ones(std::int64_t classes = 3) {
  return torch::ones({classes}, torch::kDouble);
}

/// Each loss on its own with class weights 1, 2, 0.5, then all five together.
std::vector<LossOptions> every_loss() {
  std::vector<LossOptions> all(kLossNames.size() + 1);
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].shares.fill(i < kLossNames.size() ? 0.0 : 0.2);
    if (i < kLossNames.size()) all[i].shares[i] = 1.0;
    all[i].class_weights = {1.0, 2.0, 0.5};
  }
  return all;
}

std::string name_of(const LossOptions& options) {
  const auto found = std::ranges::find(options.shares, 1.0);
  return found == options.shares.end() ? "all together"
                                       : kLossNames[static_cast<std::size_t>(found - options.shares.begin())];
}

double focal(double t) {
  return std::pow(1.0 - t, 1.0 / 1.33);
}

TEST(CrossEntropy, EqualsTheHandComputedValue) {
  const Example e = two_pixels();
  EXPECT_NEAR(cross_entropy(e.logits, e.target, ones()).item<double>(),
              (std::log(3.0) + 0.5 * std::log(2.0)) / 1.5, 1e-12);
  const torch::Tensor classes = torch::tensor({4.0, 1.0, 7.0}, torch::kDouble);
  EXPECT_NEAR(cross_entropy(e.logits, e.target, classes).item<double>(),
              (std::log(3.0) + 2.0 * std::log(2.0)) / 3.0, 1e-12);
}

TEST(CrossEntropy, OfSoftTargetsEqualsTheHandComputedValue) {
  const Example e = two_soft_pixels();
  const double two = std::log(2.0);
  EXPECT_NEAR(cross_entropy(e.logits, e.target, ones()).item<double>(),
              (std::log(3.0) + 0.5 * (0.6 * two + 0.4 * 2.0 * two)) / 1.5, 1e-12);
  // Class weights 4, 1, 7: the first pixel weighs .2 * 4 + .8 = 1.6, the second half of .6 * 4 + .4 * 7
  // = 5.2.
  const torch::Tensor classes = torch::tensor({4.0, 1.0, 7.0}, torch::kDouble);
  EXPECT_NEAR(cross_entropy(e.logits, e.target, classes).item<double>(),
              (1.6 * std::log(3.0) + 0.5 * (2.4 * two + 2.8 * 2.0 * two)) / (1.6 + 0.5 * 5.2), 1e-12);
}

TEST(CrossEntropy, OfSoftTargetsIsTheExpectedLossOfTwoClasses) {
  torch::manual_seed(5);
  const torch::Tensor logits = torch::randn({1, 2, 1, 1}, torch::kDouble);
  const torch::Tensor weight = torch::ones({1, 1, 1}, torch::kDouble);
  for (const double risk : {0.0, 0.1, 0.34, 0.5}) {
    for (const std::int64_t label : {0, 1}) {
      const auto ce = [&](std::int64_t d) {
        return cross_entropy(logits, {torch::full({1, 1, 1}, d, torch::kLong), weight, {}}, ones(2))
            .item<double>();
      };
      torch::Tensor soft = torch::full({1, 2, 1, 1}, risk, torch::kDouble);
      soft[0][label] = 1.0 - risk;
      const Target target{torch::full({1, 1, 1}, label, torch::kLong), weight, soft};
      EXPECT_NEAR(cross_entropy(logits, target, ones(2)).item<double>(),
                  (1.0 - risk) * ce(label) + risk * ce(1 - label), 1e-12);
    }
  }
}

TEST(CrossEntropy, OfASoftTargetIsLeastAtTheTarget) {
  const torch::Tensor soft = torch::tensor({0.7, 0.2, 0.1}, torch::kDouble).reshape({1, 3, 1, 1});
  const Target target{torch::zeros({1, 1, 1}, torch::kLong), torch::ones({1, 1, 1}, torch::kDouble), soft};
  torch::Tensor logits = soft.log().requires_grad_(true);
  const torch::Tensor loss = cross_entropy(logits, target, ones());
  loss.backward();
  EXPECT_NEAR(loss.item<double>(), -(soft * soft.log()).sum().item<double>(), 1e-12);
  EXPECT_LT(logits.grad().abs().max().item<double>(), 1e-12);
}

// Hard: class 0: TP .25 FN .25 FP 1/3; class 1: TP 1/3 FN 2/3 FP .125; class 2: TP 0 FN 0 FP 1/3 + .125.
// Soft: class 0: TP .2/3 + .5 * .6 * .5, mass .2 + .3; class 1: TP .8/3, mass .8; class 2: TP .5 * .4 * .25,
// mass .2; sums of p are 1/3 + .25, 1/3 + .125 and the same.
TEST(TverskyFocal, LocallyWeightedEqualsTheHandComputedValue) {
  const Example e = two_pixels();
  const double t0 = 1.25 / (0.25 + 0.7 * 0.25 + 0.3 / 3.0 + 1.0);
  const double t1 = (4.0 / 3.0) / (1.0 / 3.0 + 0.7 * 2.0 / 3.0 + 0.3 * 0.125 + 1.0);
  const double t2 = 1.0 / (0.3 * (1.0 / 3.0 + 0.125) + 1.0);
  // Inverse frequencies 1.5/.5 = 3 and 1.5/1 = 1.5, normalised 2/3 and 1/3.
  const double expected = 2.0 / 3.0 * focal(t0) + 1.0 / 3.0 * focal(t1) + 1e-5 * focal(t2);
  EXPECT_NEAR(local_tversky_focal(e.logits, e.target, LossOptions{}).item<double>(), expected, 1e-12);
  const torch::Tensor classes = torch::tensor({1.0, 2.0, 0.5}, torch::kDouble);
  EXPECT_NEAR(tversky_focal(e.logits, e.target, classes, LossOptions{}).item<double>(),
              (focal(t0) + 2.0 * focal(t1) + 0.5 * focal(t2)) / 3.5, 1e-12);
}

TEST(TverskyFocal, OfSoftTargetsEqualsTheHandComputedValue) {
  const Example e = two_soft_pixels();
  const auto t = [](double tp, double mass, double p) {
    return (tp + 1.0) / (tp + 0.7 * (mass - tp) + 0.3 * (p - tp) + 1.0);
  };
  const double t0 = t(0.2 / 3.0 + 0.15, 0.5, 1.0 / 3.0 + 0.25);
  const double t1 = t(0.8 / 3.0, 0.8, 1.0 / 3.0 + 0.125);
  const double t2 = t(0.05, 0.2, 1.0 / 3.0 + 0.125);
  EXPECT_NEAR(tversky_focal(e.logits, e.target, ones(), LossOptions{}).item<double>(),
              (focal(t0) + focal(t1) + focal(t2)) / 3.0, 1e-12);
  // Inverse frequencies 1.5 / (.5, .8, .2) = 3, 1.875, 7.5; their sum is 12.375.
  EXPECT_NEAR(local_tversky_focal(e.logits, e.target, LossOptions{}).item<double>(),
              (3.0 * focal(t0) + 1.875 * focal(t1) + 7.5 * focal(t2)) / 12.375, 1e-12);
}

TEST(Dice, EqualsTheHandComputedValue) {
  const auto d = [](double tp, double mass, double p) { return (2.0 * tp + 1.0) / (mass + p + 1.0); };
  const double p0 = 1.0 / 3.0 + 0.25;
  const double p1 = 1.0 / 3.0 + 0.125;
  const Example e = two_pixels();
  const double hard = 1.0 - (d(0.25, 0.5, p0) + d(1.0 / 3.0, 1.0, p1) + d(0.0, 0.0, p1)) / 3.0;
  EXPECT_NEAR(dice(e.logits, e.target, ones(), LossOptions{}).item<double>(), hard, 1e-12);
  EXPECT_NEAR(log_cosh_dice(e.logits, e.target, ones(), LossOptions{}).item<double>(),
              std::log(std::cosh(hard)), 1e-12);
  const Example s = two_soft_pixels();
  const torch::Tensor classes = torch::tensor({1.0, 2.0, 0.5}, torch::kDouble);
  // The weights of the classes are those of a mean, not divided by the number of classes once more.
  const double soft =
      1.0 - (d(0.2 / 3.0 + 0.15, 0.5, p0) + 2.0 * d(0.8 / 3.0, 0.8, p1) + 0.5 * d(0.05, 0.2, p1)) / 3.5;
  EXPECT_NEAR(dice(s.logits, s.target, classes, LossOptions{}).item<double>(), soft, 1e-12);
  EXPECT_NEAR(log_cosh_dice(s.logits, s.target, classes, LossOptions{}).item<double>(),
              std::log(std::cosh(soft)), 1e-12);
}

TEST(Dice, IsTheTverskyRatioOfEqualCostsWithHalfTheSmoothing) {
  const Example e = random_example(true);
  LossOptions half;
  half.tversky_alpha = 0.5;
  half.focal_gamma = 1.0;
  half.smooth = 0.5;
  EXPECT_NEAR(dice(e.logits, e.target, ones(), LossOptions{}).item<double>(),
              tversky_focal(e.logits, e.target, ones(), half).item<double>(), 1e-12);
}

TEST(TotalLoss, AddsTheLossesUpByTheirShares) {
  const Example e = random_example(false);
  LossOptions options;
  options.shares = {0.75, 0.25, 0.0, 0.0, 0.0};
  const double ce = cross_entropy(e.logits, e.target, ones()).item<double>();
  const double tf = local_tversky_focal(e.logits, e.target, options).item<double>();
  EXPECT_NEAR(total_loss(e.logits, e.target, options).item<double>(), 0.75 * ce + 0.25 * tf, 1e-12);
  options.shares = {3.0, 1.0, 0.0, 0.0, 0.0};
  EXPECT_NEAR(total_loss(e.logits, e.target, options).item<double>(), 0.75 * ce + 0.25 * tf, 1e-12);
  options.shares = {0.0, 0.0, 0.0, 2.0, 0.0};
  EXPECT_NEAR(total_loss(e.logits, e.target, options).item<double>(),
              dice(e.logits, e.target, ones(), options).item<double>(), 1e-12);
}

TEST(EveryLoss, HasTheGradientOfFiniteDifferences) {
  for (const bool soft : {false, true}) {
    const Example e = random_example(soft);
    for (const LossOptions& options : every_loss()) {
      torch::Tensor logits = e.logits.clone().requires_grad_(true);
      total_loss(logits, e.target, options).backward();
      const torch::Tensor gradient = logits.grad().flatten();
      ASSERT_GT(gradient.abs().max().item<double>(), 1e-4) << name_of(options);
      const double step = 1e-6;
      for (std::int64_t i = 0; i < gradient.numel(); ++i) {
        const auto at = [&](double delta) {
          torch::Tensor moved = e.logits.clone().flatten();
          moved[i] += delta;
          return total_loss(moved.reshape(e.logits.sizes()), e.target, options).item<double>();
        };
        ASSERT_NEAR(gradient[i].item<double>(), (at(step) - at(-step)) / (2.0 * step), 1e-8)
            << name_of(options) << (soft ? " soft " : " hard ") << i;
      }
    }
  }
}

TEST(EveryLoss, OfAOneHotTargetHasTheBitsOfTheHardLabel) {
  for (const torch::ScalarType type : {torch::kFloat, torch::kDouble}) {
    Example e = random_example(false, type);
    e.logits = e.logits.contiguous(torch::MemoryFormat::ChannelsLast);  // as a network gives them
    for (const LossOptions& options : every_loss()) {
      const auto value_and_gradient = [&](const torch::Tensor& soft) {
        torch::Tensor logits = e.logits.clone().requires_grad_(true);
        const torch::Tensor loss = total_loss(logits, {e.target.labels, e.target.weights, soft}, options);
        loss.backward();
        return std::pair(loss.item<double>(), logits.grad());
      };
      const auto hard = value_and_gradient({});
      const auto soft = value_and_gradient(one_hot(e.target.labels, e.logits));
      EXPECT_EQ(hard.first, soft.first) << name_of(options);
      EXPECT_TRUE(torch::equal(hard.second, soft.second)) << name_of(options);
    }
  }
}

TEST(EveryLoss, DoesNotSeeIgnoredPixels) {
  for (const bool soft : {false, true}) {
    const Example e = random_example(soft);
    const torch::Tensor ignored = e.target.labels.eq(255);
    ASSERT_GT(ignored.sum().item<std::int64_t>(), 0);
    const torch::Tensor everywhere = ignored.unsqueeze(1).expand_as(e.logits);
    for (const LossOptions& options : every_loss()) {
      const auto value_and_gradient = [&](const Example& example) {
        torch::Tensor logits = example.logits.clone().requires_grad_(true);
        const torch::Tensor loss = total_loss(logits, example.target, options);
        loss.backward();
        return std::pair(loss.item<double>(), logits.grad());
      };
      Example other = e;
      other.logits = e.logits.masked_fill(everywhere, 9.0);
      other.target.weights = e.target.weights.masked_fill(ignored, 5.0);
      if (soft) other.target.soft = e.target.soft.masked_fill(everywhere, std::nan(""));
      const auto expected = value_and_gradient(e);
      const auto found = value_and_gradient(other);
      EXPECT_EQ(expected.first, found.first) << name_of(options);
      EXPECT_TRUE(torch::equal(expected.second, found.second)) << name_of(options);
      EXPECT_EQ(found.second.masked_select(everywhere).abs().max().item<double>(), 0.0);
      // The labelled pixels alone, as a picture of one row: frequencies of classes come from them only.
      const torch::Tensor kept = ignored.logical_not();
      const auto pick = [&](const torch::Tensor& all) {
        return all.permute({0, 2, 3, 1}).index({kept}).t().reshape({1, 3, 1, -1});
      };
      const Target alone{e.target.labels.index({kept}).reshape({1, 1, -1}),
                         e.target.weights.index({kept}).reshape({1, 1, -1}),
                         soft ? pick(e.target.soft) : torch::Tensor()};
      EXPECT_NEAR(total_loss(pick(e.logits), alone, options).item<double>(), expected.first, 1e-12);
    }
  }
}

TEST(EveryLoss, TakesWeightsAsRepetitions) {
  for (const bool soft : {false, true}) {
    Example e = random_example(soft);
    e.target.weights.fill_(1.0);
    Example twice = e;  // the first image counts double
    twice.target.weights = e.target.weights.clone();
    twice.target.weights[0] = 2.0;
    const auto again = [](const torch::Tensor& t) {
      return t.defined() ? torch::cat({t, t.slice(0, 0, 1)}) : t;
    };
    const Target repeated{again(e.target.labels), again(e.target.weights), again(e.target.soft)};
    for (const LossOptions& options : every_loss()) {
      EXPECT_NEAR(total_loss(e.logits, twice.target, options).item<double>(),
                  total_loss(again(e.logits), repeated, options).item<double>(), 1e-12)
          << name_of(options);
    }
  }
}

TEST(EveryLoss, DependsOnPixelsWithTheirWeightsInAnyOrder) {
  for (const bool soft : {false, true}) {
    Example e = random_example(soft);
    const torch::Tensor order = torch::randperm(20);
    const auto shuffled = [&](const torch::Tensor& t) {
      return t.defined() ? t.flatten(-2).index_select(-1, order).reshape(t.sizes()) : t;
    };
    const Target all{shuffled(e.target.labels), shuffled(e.target.weights), shuffled(e.target.soft)};
    const Target weights{e.target.labels, shuffled(e.target.weights), e.target.soft};
    const Target certain{e.target.labels, torch::ones_like(e.target.weights), e.target.soft};
    const Target again{e.target.labels, shuffled(certain.weights), e.target.soft};
    for (const LossOptions& options : every_loss()) {
      const double value = total_loss(e.logits, e.target, options).item<double>();
      EXPECT_NEAR(total_loss(shuffled(e.logits), all, options).item<double>(), value, 1e-12);
      EXPECT_GT(std::abs(total_loss(e.logits, weights, options).item<double>() - value), 1e-4);
      EXPECT_EQ(total_loss(e.logits, certain, options).item<double>(),
                total_loss(e.logits, again, options).item<double>());
    }
  }
}

TEST(EveryLoss, OfNothingLabelledIsFiniteWithoutGradient) {
  for (const LossOptions& options : every_loss()) {
    torch::Tensor logits = torch::randn({1, 3, 4, 4}).requires_grad_(true);
    const torch::Tensor labels = torch::full({1, 4, 4}, 255, torch::kLong);
    const torch::Tensor loss = total_loss(logits, {labels, torch::zeros({1, 4, 4}), {}}, options);
    loss.backward();
    EXPECT_LT(loss.item<double>(), 1e-5) << name_of(options);
    EXPECT_EQ(logits.grad().abs().max().item<double>(), 0.0) << name_of(options);
  }
}

TEST(EveryLoss, IsSmallForAPerfectAnswerWithFiniteGradient) {
  const torch::Tensor labels = torch::tensor({0, 1, 2, 1}, torch::kLong).reshape({1, 2, 2});
  for (const LossOptions& options : every_loss()) {
    torch::Tensor logits =
        (torch::one_hot(labels, 3).permute({0, 3, 1, 2}).to(torch::kFloat) * 200.0f).requires_grad_(true);
    const torch::Tensor loss = total_loss(logits, {labels, torch::ones({1, 2, 2}), {}}, options);
    loss.backward();
    EXPECT_LT(loss.item<double>(), 1e-4) << name_of(options);
    EXPECT_TRUE(torch::isfinite(logits.grad()).all().item<bool>()) << name_of(options);
  }
}

TEST(EveryLoss, FallsWhenARiskyWrongPixelWeighsLess) {
  const Example e = two_pixels();
  for (const LossOptions& options : every_loss()) {
    Target wrong = e.target;
    wrong.labels = torch::tensor({2, 0}, torch::kLong).reshape({1, 1, 2});
    Target light = wrong;
    light.weights = torch::tensor({0.1, 0.5}, torch::kDouble).reshape({1, 1, 2});
    EXPECT_LT(total_loss(e.logits, light, options).item<double>(),
              total_loss(e.logits, wrong, options).item<double>())
        << name_of(options);
  }
}

/// A tiny network learns one batch by heart; hard labels, and soft ones whose likeliest class is the label.
TEST(EveryLoss, OverfitsOneBatch) {
  constexpr std::int64_t side = 32;
  torch::Tensor labels = torch::zeros({2, side, side}, torch::kLong);
  labels.slice(1, 4, 20).slice(2, 6, 28).fill_(2);
  labels.slice(1, 6, 18).slice(2, 8, 26).fill_(1);
  labels[1] = labels[1].t().clone();
  torch::manual_seed(11);
  const torch::Tensor pixels = torch::randn({2, 2, side, side});
  for (const bool soft : {false, true}) {
    Target target{labels, torch::ones({2, side, side}), {}};
    if (soft) target.soft = one_hot(labels, torch::zeros({2, 3, side, side})) * 0.7 + 0.1;
    for (const LossOptions& options : every_loss()) {
      UNet network(UNetOptions{2, 8, 3, 0.0, 3}, 7);
      torch::optim::AdamW optimiser(network->parameters(), torch::optim::AdamWOptions(1e-2));
      double worst = 0.0;
      for (int step = 0; step < 400 && worst <= 0.99; ++step) {
        optimiser.zero_grad();
        const torch::Tensor logits = network->forward(pixels);
        total_loss(logits, target, options).backward();
        optimiser.step();
        const torch::Tensor found = logits.argmax(1);
        worst = 1.0;
        for (int c = 0; c < 3; ++c) {
          const torch::Tensor both = found.eq(c).logical_and(labels.eq(c)).sum();
          const torch::Tensor either = found.eq(c).logical_or(labels.eq(c)).sum();
          worst = std::min(worst, both.item<double>() / either.item<double>());
        }
      }
      EXPECT_GT(worst, 0.99) << name_of(options) << (soft ? " soft" : " hard");
    }
  }
}

}  // namespace
}  // namespace furrow::segmentation
