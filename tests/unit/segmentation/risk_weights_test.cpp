#include <furrow/segmentation/risk_weights.h>

#include <limits>

#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>

namespace furrow::segmentation {
namespace {

std::vector<float> weights_of(std::vector<std::uint8_t> labels, std::vector<float> risk,
                              const RiskOptions& options) {
  return risk_weights(labels, risk, options);
}

RiskOptions weighted(double gamma, double floor = 0.1, double boundary_min = 0.3) {
  RiskOptions options;
  options.mode = RiskMode::kWeight;
  options.gamma = gamma;
  options.floor = floor;
  options.boundary_min = boundary_min;
  return options;
}

TEST(RiskWeights, FollowTheFormula) {
  // r_max = 2/3: r = 1/3 gives 1 - 1/2 = 0.5; squared 0.25.
  EXPECT_FLOAT_EQ(weights_of({1}, {1.0f / 3.0f}, weighted(1.0))[0], 0.5f);
  EXPECT_FLOAT_EQ(weights_of({1}, {1.0f / 3.0f}, weighted(2.0))[0], 0.25f);
  EXPECT_FLOAT_EQ(weights_of({0}, {0.0f}, weighted(1.0))[0], 1.0f);
  // Two classes: (1 - 2r)^gamma, as labels.md has it.
  RiskOptions binary = weighted(3.0, 0.0);
  binary.classes = 2;
  EXPECT_FLOAT_EQ(weights_of({1}, {0.1f}, binary)[0], 0.512f);
}

TEST(RiskWeights, NeverFallBelowTheFloor) {
  EXPECT_FLOAT_EQ(weights_of({1}, {0.65f}, weighted(1.0))[0], 0.1f);
  EXPECT_FLOAT_EQ(weights_of({1}, {0.9f}, weighted(1.0, 0.0))[0], 0.0f);  // above r_max
}

TEST(RiskWeights, KeepBoundariesFromVanishing) {
  EXPECT_FLOAT_EQ(weights_of({2}, {0.65f}, weighted(1.0))[0], 0.3f);
  EXPECT_FLOAT_EQ(weights_of({2}, {0.1f}, weighted(1.0))[0], 0.85f);
}

TEST(RiskWeights, GammaZeroIsExactlyOne) {
  const std::vector<float> risk{0.0f, 0.3f, 2.0f / 3.0f, 1.0f, std::numeric_limits<float>::quiet_NaN()};
  const std::vector<std::uint8_t> labels{0, 1, 2, 1, 0};
  EXPECT_EQ(weights_of(labels, risk, weighted(0.0)), weights_of(labels, {}, RiskOptions{}));
}

TEST(RiskWeights, TakeUnknownRiskForTheLargest) {
  EXPECT_FLOAT_EQ(weights_of({1}, {std::numeric_limits<float>::quiet_NaN()}, weighted(1.0))[0], 0.1f);
}

TEST(RiskWeights, IgnoredPixelsWeighNothing) {
  EXPECT_EQ(weights_of({255, 1}, {}, RiskOptions{}), (std::vector<float>{0.0f, 1.0f}));
}

TEST(RiskWeights, IgnoreModeDropsRiskyPixels) {
  RiskOptions options;
  options.mode = RiskMode::kIgnore;
  options.ignore_above = 0.34;
  std::vector<std::uint8_t> labels{0, 1, 2, 1};
  const std::vector<float> risk{0.33f, 0.35f, 0.6f, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_EQ(risk_weights(labels, risk, options), (std::vector<float>{1.0f, 0.0f, 0.0f, 0.0f}));
  EXPECT_EQ(labels, (std::vector<std::uint8_t>{0, 255, 255, 255}));
}

TEST(RiskWeights, SoftTargetsWeighOneUnlessWeightingIsAskedForToo) {
  const std::vector<float> risk{1.0f / 3.0f, 0.65f, 0.65f, 0.5f};
  const std::vector<std::uint8_t> labels{1, 1, 2, 255};
  RiskOptions options = weighted(1.0);
  options.mode = RiskMode::kSoft;
  EXPECT_EQ(weights_of(labels, {}, options), (std::vector<float>{1.0f, 1.0f, 1.0f, 0.0f}));
  options.mode = RiskMode::kSoftWeight;
  EXPECT_EQ(weights_of(labels, risk, options), weights_of(labels, risk, weighted(1.0)));
  EXPECT_FLOAT_EQ(weights_of(labels, risk, options)[0], 0.5f);
  EXPECT_THROW(static_cast<void>(weights_of(labels, {}, options)), geo::InvalidArgument);
}

TEST(RiskWeights, RefuseNumbersOutOfRange) {
  std::vector<std::uint8_t> labels{0};
  const std::vector<float> risk{0.0f};
  EXPECT_THROW(static_cast<void>(risk_weights(labels, risk, weighted(-1.0))), geo::InvalidArgument);
  EXPECT_THROW(static_cast<void>(risk_weights(labels, risk, weighted(1.0, 1.5))), geo::InvalidArgument);
  EXPECT_THROW(static_cast<void>(risk_weights(labels, {}, weighted(1.0))), geo::InvalidArgument);
}

}  // namespace
}  // namespace furrow::segmentation
