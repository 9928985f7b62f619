#include <furrow/assessment/isotonic.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>

namespace furrow::assessment {
namespace {

void expect_block(const IsotonicBlock& block, double first_x, double last_x, double value, double weight) {
  EXPECT_EQ(block.first_x, first_x);
  EXPECT_EQ(block.last_x, last_x);
  EXPECT_NEAR(block.value, value, 1e-15);
  EXPECT_EQ(block.weight, weight);
}

TEST(Isotonic, PoolsViolatorsByHand) {
  // 1, 3, 2, 4, 3.5, 3: the pair 3, 2 gives 2.5; 4, 3.5, 3 give 3.5.
  const std::vector<WeightedPoint> points{{0, 1}, {1, 3}, {2, 2}, {3, 4}, {4, 3.5}, {5, 3}};
  const auto blocks = fit_isotonic(points);
  ASSERT_EQ(blocks.size(), 3U);
  expect_block(blocks[0], 0, 0, 1.0, 1.0);
  expect_block(blocks[1], 1, 2, 2.5, 2.0);
  expect_block(blocks[2], 3, 5, 3.5, 3.0);
}

TEST(Isotonic, PoolsBackwardsAcrossBlocks) {
  // The last point pulls everything down: 1, 2, 3, -2 -> mean of 2, 3, -2 is 1; not above 1, so all is 1.
  const auto blocks = fit_isotonic(std::vector<WeightedPoint>{{0, 1}, {1, 2}, {2, 3}, {3, -2}});
  ASSERT_EQ(blocks.size(), 1U);
  expect_block(blocks[0], 0, 3, 1.0, 4.0);
}

TEST(Isotonic, WeightsCountAndPointsOfOneXAreOne) {
  // At x = 1: (0 * 3 + 1 * 1) / 4 = 0.25; at x = 2: 0.2 with weight 1; pooled (1 + 0.2) / 5 = 0.24.
  const auto blocks = fit_isotonic(std::vector<WeightedPoint>{{2, 0.2, 1}, {1, 1, 1}, {1, 0, 3}, {3, 1, 2}});
  ASSERT_EQ(blocks.size(), 2U);
  expect_block(blocks[0], 1, 2, 0.24, 5.0);
  expect_block(blocks[1], 3, 3, 1.0, 2.0);
}

/// The slow reference: value at i = max over a <= i of min over b >= i of mean(a..b) (Robertson et al. 1988).
std::vector<double> by_minimax(const std::vector<WeightedPoint>& sorted) {
  std::vector<double> values;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    double best = -std::numeric_limits<double>::infinity();
    for (std::size_t a = 0; a <= i; ++a) {
      double least = std::numeric_limits<double>::infinity();
      for (std::size_t b = i; b < sorted.size(); ++b) {
        double sum = 0.0;
        double weight = 0.0;
        for (std::size_t k = a; k <= b; ++k) {
          sum += sorted[k].weight * sorted[k].y;
          weight += sorted[k].weight;
        }
        least = std::min(least, sum / weight);
      }
      best = std::max(best, least);
    }
    values.push_back(best);
  }
  return values;
}

TEST(Isotonic, EqualsTheMinimaxFormulaInAnyOrder) {
  geo::Random random(3, 1);
  for (int run = 0; run < 50; ++run) {
    std::vector<WeightedPoint> points;
    for (int i = 0; i < 25; ++i)
      points.push_back({static_cast<double>(i), random.uniform(0, 1) + 0.03 * i, random.uniform(0.1, 3)});
    const auto expected = by_minimax(points);
    const auto blocks = fit_isotonic(points);
    for (std::size_t i = 0; i < points.size(); ++i) {
      const auto block =
          std::ranges::find_if(blocks, [&](const IsotonicBlock& b) { return points[i].x <= b.last_x; });
      ASSERT_NEAR(block->value, expected[i], 1e-12);
    }
    for (std::size_t i = points.size() - 1; i > 0; --i) std::swap(points[i], points[random.below(i + 1)]);
    const auto again = fit_isotonic(points);
    ASSERT_EQ(again.size(), blocks.size());
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      EXPECT_EQ(again[i].value, blocks[i].value);
      EXPECT_EQ(again[i].last_x, blocks[i].last_x);
    }
  }
}

TEST(Isotonic, RefusesWhatIsNoPoint) {
  EXPECT_TRUE(fit_isotonic({}).empty());
  for (const WeightedPoint& bad :
       {WeightedPoint{std::nan(""), 0, 1}, WeightedPoint{0, INFINITY, 1}, WeightedPoint{0, 0, 0}}) {
    EXPECT_THROW((void)fit_isotonic(std::span(&bad, 1)), geo::InvalidArgument);
  }
}

TEST(MonotoneCurve, IsStraightBetweenKnotsAndConstantBeyond) {
  const MonotoneCurve curve({{1, 0.2}, {2, 0.2}, {4, 0.6}});
  EXPECT_EQ(curve.at(-5), 0.2);
  EXPECT_EQ(curve.at(1.5), 0.2);
  EXPECT_NEAR(curve.at(3), 0.4, 1e-15);
  EXPECT_EQ(curve.at(4), 0.6);
  EXPECT_EQ(curve.at(9), 0.6);
}

TEST(MonotoneCurve, RefusesWhatDescends) {
  EXPECT_THROW(MonotoneCurve({}), geo::InvalidArgument);
  EXPECT_THROW(MonotoneCurve({{1, 0.2}, {0, 0.3}}), geo::InvalidArgument);
  EXPECT_THROW(MonotoneCurve({{1, 0.2}, {2, 0.1}}), geo::InvalidArgument);
  EXPECT_THROW(MonotoneCurve({{1, std::nan("")}}), geo::InvalidArgument);
}

}  // namespace
}  // namespace furrow::assessment
