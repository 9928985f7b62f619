#include "calibration.h"

#include <cmath>

#include <gtest/gtest.h>

#include <furrow/geo/core/random.h>

namespace furrow::segmentation {
namespace {

/// Labels drawn from softmax(logits); then the logits are multiplied by `factor`.
LogitSample drawn(std::size_t n, double factor) {
  LogitSample sample;
  geo::Random random(7);
  for (std::size_t i = 0; i < n; ++i) {
    double logits[3];
    double sum = 0.0;
    for (double& logit : logits) {
      logit = random.normal(0.0, 1.5);
      sum += std::exp(logit);
    }
    double u = random.uniform() * sum;
    std::uint8_t label = 0;
    while (label < 2 && u >= std::exp(logits[label])) u -= std::exp(logits[label++]);
    sample.labels.push_back(label);
    for (const double logit : logits) sample.logits.push_back(static_cast<float>(factor * logit));
  }
  return sample;
}

TEST(Calibration, LogLossOfHandComputedPixels) {
  // p = (1/2, 1/4, 1/4) with label 0, and (1/3, 1/3, 1/3) with label 2.
  const LogitSample sample{3, {std::log(2.0f), 0.0f, 0.0f, 5.0f, 5.0f, 5.0f}, {0, 2}};
  EXPECT_NEAR(mean_log_loss(sample, 1.0), 0.5 * (std::log(2.0) + std::log(3.0)), 1e-7);
  // Temperature 1/2 doubles the logits: p = (4, 1, 1) / 6.
  EXPECT_NEAR(mean_log_loss(sample, 0.5), 0.5 * (std::log(1.5) + std::log(3.0)), 1e-7);
}

TEST(Calibration, ErrorOfHandComputedPixels) {
  // Two pixels with confidence 0.5, one right and one wrong: no error. One more, right, with 0.8: |1 - 0.8|
  // / 3.
  const float half = std::log(2.0f);
  const float eight = std::log(8.0f);
  const LogitSample sample{3, {half, 0.0f, 0.0f, half, 0.0f, 0.0f, eight, 0.0f, 0.0f}, {0, 1, 0}};
  EXPECT_NEAR(calibration_error(reliability(sample, 1.0)), 0.2 / 3.0, 1e-6);
  EXPECT_TRUE(std::isnan(calibration_error(reliability(LogitSample{}, 1.0))));
}

TEST(Calibration, FindsTheTemperatureThatWasPutIn) {
  for (const double factor : {0.5, 1.0, 3.0}) {
    const LogitSample sample = drawn(40000, factor);
    const double temperature = fit_temperature(sample);
    EXPECT_NEAR(temperature, factor, 0.05 * factor);
    EXPECT_LT(calibration_error(reliability(sample, temperature)), 0.015);
    if (factor != 1.0) {
      EXPECT_GT(calibration_error(reliability(sample, 1.0)), 0.1);
    }
  }
  EXPECT_EQ(fit_temperature(LogitSample{}), 1.0);
}

}  // namespace
}  // namespace furrow::segmentation
