#include <furrow/labelling/risk_calibration.h>

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>

namespace furrow::labelling {
namespace {

CalibrationSample sample(double p_field, std::int32_t truth, double weight = 1.0, std::uint32_t group = 0) {
  return {{1.0 - p_field, p_field}, {0.5, 0.5}, truth, weight, group};
}

TEST(RiskCalibration, PowerAndLapseByHand) {
  std::vector<double> p{0.9, 0.1};
  RiskCalibration{0.5, 0.0}.apply(p, std::vector<double>{0.5, 0.5});
  EXPECT_NEAR(p[0], 3.0 / 4.0, 1e-12);  // sqrt(0.9) : sqrt(0.1) = 3 : 1
  RiskCalibration{1.0, 0.1}.apply(p, std::vector<double>{0.2, 0.8});
  EXPECT_NEAR(p[0], 0.9 * 0.75 + 0.1 * 0.2, 1e-12);
  EXPECT_NEAR(p[0] + p[1], 1.0, 1e-12);
  std::vector<double> certain{1.0, 0.0, 0.0};
  RiskCalibration{0.3, 0.0}.apply(certain, std::vector<double>{0.2, 0.4, 0.4});
  EXPECT_THAT(certain, testing::ElementsAre(1.0, 0.0, 0.0));
}

TEST(RiskCalibration, MeasuresByHand) {
  // 3 items at P(field) 0.8, of which 2 are field; 1 item at 0.4 which is background.
  const std::vector<CalibrationSample> samples{sample(0.8, 1, 2.0), sample(0.8, 0), sample(0.4, 0)};
  const CalibrationMeasures m = measure_calibration(samples);
  EXPECT_NEAR(m.error_rate, 0.25, 1e-12);
  EXPECT_NEAR(m.mean_risk, (3 * 0.2 + 0.4) / 4, 1e-12);
  EXPECT_NEAR(m.brier, (2 * 0.08 + 1.28 + 0.32) / 4, 1e-12);
  EXPECT_NEAR(m.log_loss, -(2 * std::log(0.8) + std::log(0.2) + std::log(0.6)) / 4, 1e-12);
  EXPECT_NEAR(m.ece, 0.75 * std::abs(0.2 - 1.0 / 3.0) + 0.25 * 0.4, 1e-12);
  const auto bins = reliability_curve(samples);
  ASSERT_EQ(bins.size(), 10U);
  // 1 - 0.8 is a little below 0.2.
  EXPECT_EQ(bins[1].weight + bins[2].weight, 3.0);
  EXPECT_EQ(bins[4].weight, 1.0);
  EXPECT_TRUE(std::isnan(bins[7].mean_risk));
  EXPECT_EQ(measure_calibration({}).brier, 0.0);
}

/// Posteriors that are right as often as they say, then sharpened and made to lapse.
std::vector<CalibrationSample> distorted(double power, double lapse, std::uint64_t seed) {
  geo::Random random(seed);
  std::vector<CalibrationSample> samples;
  for (std::uint32_t i = 0; i < 20000; ++i) {
    const double log_odds = random.normal(0.0, 2.0);
    const double p = 1.0 / (1.0 + std::exp(-log_odds));
    const bool lapses = random.chance(lapse);
    const bool field = random.chance(lapses ? 0.5 : p);
    samples.push_back(sample(1.0 / (1.0 + std::exp(-log_odds / power)), field ? 1 : 0, 1.0, i / 500));
  }
  return samples;
}

TEST(RiskCalibration, FindsWhatDistortedTheProbabilities) {
  const CalibrationReport report = calibrate_risk(distorted(0.5, 0.04, 1));
  EXPECT_EQ(report.groups, 40U);
  EXPECT_NEAR(report.calibration.power, 0.5, 0.06);
  EXPECT_NEAR(report.calibration.lapse, 0.04, 0.015);
  EXPECT_GT(report.before.ece, 0.05);
  EXPECT_LT(report.after.ece, 0.012);
  EXPECT_LT(report.after.brier, report.before.brier);
  double weight = 0.0;
  for (const auto& bin : report.bins) weight += bin.weight;
  EXPECT_NEAR(weight, 20000.0, 1e-9);
}

TEST(RiskCalibration, LeavesHonestProbabilitiesNearlyAlone) {
  const CalibrationReport report = calibrate_risk(distorted(1.0, 0.0, 2));
  EXPECT_NEAR(report.calibration.power, 1.0, 0.05);
  EXPECT_LT(report.calibration.lapse, 0.005);
  EXPECT_LT(report.after.ece, 0.012);
}

TEST(RiskCalibration, DoesNothingWithoutSitesToJudgeIt) {
  const std::vector<CalibrationSample> one_site{sample(0.99, 0), sample(0.99, 0)};
  EXPECT_EQ(calibrate_risk(one_site).calibration.power, 1.0);
  EXPECT_EQ(calibrate_risk({}).groups, 0U);
  EXPECT_THROW((void)calibrate_risk(one_site, 1), geo::InvalidArgument);
}

}  // namespace
}  // namespace furrow::labelling
