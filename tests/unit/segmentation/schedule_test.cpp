#include <furrow/segmentation/schedule.h>

#include <algorithm>
#include <functional>
#include <vector>

#include <gtest/gtest.h>

namespace furrow::segmentation {
namespace {

std::vector<double> rates(std::int64_t steps, double peak, const LearningRateSchedule& schedule) {
  std::vector<double> result;
  for (std::int64_t step = 0; step < steps; ++step)
    result.push_back(learning_rate_at(step, steps, peak, schedule));
  return result;
}

TEST(Schedule, CosineWarmsUpThenFallsToAThousandth) {
  const auto r = rates(100, 1.0, {ScheduleKind::kCosine, 0.9});
  EXPECT_DOUBLE_EQ(r[0], 0.2);
  EXPECT_DOUBLE_EQ(r[4], 1.0);
  EXPECT_DOUBLE_EQ(r[5], 1.0);
  EXPECT_NEAR(learning_rate_at(43, 81, 1.0, {ScheduleKind::kCosine, 0.9}), 0.490310930573,
              1e-9);  // 39 of 77 done
  EXPECT_TRUE(std::is_sorted(r.begin() + 5, r.end(), std::greater<>()));
  EXPECT_LT(r[99], 0.0015);
}

TEST(Schedule, PolynomialFollowsItsPower) {
  const auto line = rates(120, 2.0, {ScheduleKind::kPolynomial, 1.0});  // 6 steps of warm-up, 114 down
  EXPECT_DOUBLE_EQ(line[5], 2.0);
  EXPECT_DOUBLE_EQ(line[6], 2.0);
  EXPECT_NEAR(line[63], 2.0 * (1e-3 + 0.999 * 0.5), 1e-12);
  const auto square = rates(120, 2.0, {ScheduleKind::kPolynomial, 2.0});
  EXPECT_NEAR(square[63], 2.0 * (1e-3 + 0.999 * 0.25), 1e-12);
  const auto constant = rates(120, 2.0, {ScheduleKind::kPolynomial, 0.0});
  EXPECT_EQ(std::count(constant.begin() + 5, constant.end(), 2.0), 115);
}

// max_lr 0.1, total_steps 10 in PyTorch's OneCycleLR with its defaults (pct_start 0.3, div_factor 25,
// final_div_factor 1e4, cosine), by its formulas: start 0.004, top at step 2, end 4e-7 at step 9.
TEST(Schedule, OneCycleIsThatOfPyTorch) {
  const auto r = rates(10, 0.1, {ScheduleKind::kOneCycle, 0.9});
  const std::vector<double> expected{0.004,        0.052,        0.1,          0.0950484631, 0.0811745653,
                                     0.0611262022, 0.0388741978, 0.0188258346, 0.0049519369, 4e-7};
  for (std::size_t i = 0; i < r.size(); ++i) EXPECT_NEAR(r[i], expected[i], 1e-9) << i;
}

TEST(Schedule, IsPositiveAndNeverAboveThePeakForAnyNumberOfSteps) {
  for (const ScheduleKind kind :
       {ScheduleKind::kCosine, ScheduleKind::kPolynomial, ScheduleKind::kOneCycle}) {
    for (std::int64_t steps = 1; steps <= 50; ++steps) {
      const auto r = rates(steps, 0.1, {kind, 0.9});
      EXPECT_GT(*std::ranges::min_element(r), 0.0);
      EXPECT_LE(*std::ranges::max_element(r), 0.1 + 1e-15);
    }
  }
}

}  // namespace
}  // namespace furrow::segmentation
