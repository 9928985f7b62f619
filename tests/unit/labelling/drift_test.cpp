#include <furrow/labelling/drift.h>

#include <gtest/gtest.h>

#include <cmath>

#include <furrow/geo/core/random.h>

namespace furrow::labelling {
namespace {

std::vector<double> noise(std::size_t n, double sd, std::uint64_t stream) {
  geo::Random random(11, stream);
  std::vector<double> values(n);
  for (double& v : values) v = random.normal(0.7, sd);
  return values;
}

TEST(Drift, FindsAChangeWithItsPlaceSizeAndDirection) {
  auto scores = noise(80, 0.05, 1);
  for (std::size_t i = 50; i < scores.size(); ++i) scores[i] -= 0.15;
  const Drift drift = find_drift(scores, 1);
  ASSERT_TRUE(drift.tested);
  EXPECT_NEAR(static_cast<double>(drift.first_after), 50.0, 2.0);
  EXPECT_NEAR(drift.after - drift.before, -0.15, 0.03);
  EXPECT_EQ(drift.change_p, 1.0 / 10000.0);
  EXPECT_LT(drift.slope_per_100, 0.0);
}

TEST(Drift, SlopeIsLeastSquares) {
  std::vector<double> scores;
  for (int i = 0; i < 20; ++i) scores.push_back(0.5 + 0.002 * i);
  const Drift drift = find_drift(scores, 1);
  EXPECT_NEAR(drift.slope_per_100, 0.2, 1e-12);
  EXPECT_LT(drift.slope_p, 0.001);
}

TEST(Drift, PValuesAreUniformWithoutDrift) {
  int change = 0;
  int slope = 0;
  constexpr int kRuns = 400;
  for (int run = 0; run < kRuns; ++run) {
    const Drift drift = find_drift(noise(40, 0.1, static_cast<std::uint64_t>(100 + run)),
                                   static_cast<std::uint64_t>(run), {199, 12, 5, 20});
    change += drift.change_p <= 0.1 ? 1 : 0;
    slope += drift.slope_p <= 0.1 ? 1 : 0;
  }
  // 10 % of 400, four standard deviations of 6 on each side.
  EXPECT_NEAR(change, 40, 24);
  EXPECT_NEAR(slope, 40, 24);
}

TEST(Drift, FewOrEqualScoresGiveNoAlarm) {
  EXPECT_FALSE(find_drift({}, 1).tested);
  const std::vector<double> few{0.1, 0.9, 0.2};
  EXPECT_FALSE(find_drift(few, 1).tested);
  EXPECT_NEAR(find_drift(few, 1).first, 0.4, 1e-12);
  const std::vector<double> equal(30, 0.8);
  const Drift drift = find_drift(equal, 1);
  EXPECT_EQ(drift.change_p, 1.0);
  EXPECT_EQ(drift.slope_p, 1.0);
  EXPECT_NEAR(drift.after - drift.before, 0.0, 1e-12);
}

TEST(Drift, TheLearningPhaseIsSetApart) {
  std::vector<double> scores(20, 0.4);
  scores.insert(scores.end(), 10, 0.7);
  const Drift drift = find_drift(scores, 1);
  EXPECT_NEAR(drift.first, 0.4, 1e-12);
  EXPECT_NEAR(drift.later, 0.7, 1e-12);
  EXPECT_EQ(drift.first_after, 20U);
}

TEST(Drift, HolmByHand) {
  const std::vector<double> p{0.01, std::nan(""), 0.04, 0.03, 0.005};
  const auto adjusted = adjust_p_values(p);
  EXPECT_NEAR(adjusted[4], 0.02, 1e-12);
  EXPECT_NEAR(adjusted[0], 0.03, 1e-12);
  EXPECT_NEAR(adjusted[3], 0.06, 1e-12);
  EXPECT_NEAR(adjusted[2], 0.06, 1e-12);
  EXPECT_TRUE(std::isnan(adjusted[1]));
}

}  // namespace
}  // namespace furrow::labelling
