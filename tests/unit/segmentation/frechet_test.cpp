#include "shift/frechet.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace furrow::segmentation {
namespace {

/// [n, d] numbers in quarters that Python makes alike: ((i*i*a + j*13 + i*j*5) % 17) / 4.
torch::Tensor numbers(std::int64_t n, std::int64_t d, std::int64_t a) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < d; ++j)
      values.push_back(static_cast<double>((i * i * a + j * 13 + i * j * 5) % 17) / 4.0);
  }
  return torch::tensor(values, torch::kDouble).reshape({n, d});
}

torch::Tensor row(const std::vector<double>& values) {
  return torch::tensor(values, torch::kDouble);
}

/// Of all windows together.
double distance(const FeatureStatistics& statistics, const torch::Tensor& windows) {
  const torch::Tensor all = torch::arange(windows.size(0), torch::kLong).unsqueeze(0);
  return FrechetDistances(statistics, windows).of(all).item<double>();
}

/// Windows whose covariance (divisor n) is diagonal with these variances.
torch::Tensor cross(const std::vector<double>& mean, const std::vector<double>& variances) {
  const auto d = static_cast<std::int64_t>(mean.size());
  torch::Tensor arms = torch::diag((static_cast<double>(d) * row(variances)).sqrt());
  return torch::cat({row(mean) + arms, row(mean) - arms}, 0);
}

TEST(ShrunkStatistics, AreThoseOfLedoitAndWolf) {
  // sklearn.covariance.ledoit_wolf (scikit-learn 1.7) of the same numbers.
  const FeatureStatistics s = shrunk_statistics(numbers(12, 5, 7));
  EXPECT_NEAR(s.covariance.trace().item<double>(), 6.684461805555555, 1e-12);
  EXPECT_NEAR(s.covariance[0][0].item<double>(), 1.2968990731199548, 1e-12);
  EXPECT_NEAR(s.covariance[0][1].item<double>(), -0.0805815602150401, 1e-12);
  EXPECT_NEAR(s.covariance[2][3].item<double>(), -0.06829384236523466, 1e-12);
  const FeatureStatistics few = shrunk_statistics(numbers(3, 5, 7));
  EXPECT_NEAR(few.covariance[0][0].item<double>(), 1.177274957367528, 1e-12);
  EXPECT_NEAR(few.covariance[0][1].item<double>(), -0.8261686240486197, 1e-12);
  EXPECT_GT(torch::linalg_eigvalsh(few.covariance).min().item<double>(), 0.1);
}

TEST(ShrunkStatistics, OfOneWindowOrEqualOnesHaveNoSpread) {
  for (const std::int64_t n : {1, 4}) {
    const FeatureStatistics s = shrunk_statistics(numbers(1, 3, 7).repeat({n, 1}));
    EXPECT_TRUE(torch::equal(s.mean, numbers(1, 3, 7)[0]));
    EXPECT_EQ(s.covariance.abs().max().item<double>(), 0.0);
  }
}

TEST(FrechetDistance, EqualsThatOfScipyForAnyNumberOfWindows) {
  // numpy 2.3: eigh of the covariance for its root, eigvalsh of root * covariance of the group * root.
  const FeatureStatistics s = shrunk_statistics(numbers(12, 5, 7));
  EXPECT_NEAR(distance(s, numbers(1, 5, 3) + 1.0), 3.626436496985252, 1e-7);
  EXPECT_NEAR(distance(s, numbers(2, 5, 3) + 1.0), 2.6331359521158753, 1e-7);
  EXPECT_NEAR(distance(s, numbers(3, 5, 3) + 1.0), 2.3974820047221455, 1e-7);
  EXPECT_NEAR(distance(s, numbers(9, 5, 3) + 1.0), 2.3939125988231846, 1e-7);
}

TEST(FrechetDistance, OfEqualCovariancesIsThatOfTheMeans) {
  const FeatureStatistics s{row({1.0, 2.0, 3.0}), torch::diag(row({4.0, 1.0, 0.25}))};
  EXPECT_NEAR(distance(s, cross({1.0, 2.0, 3.0}, {4.0, 1.0, 0.25})), 0.0, 1e-6);
  EXPECT_NEAR(distance(s, cross({4.0, 2.0, -1.0}, {4.0, 1.0, 0.25})), 5.0, 1e-7);
}

TEST(FrechetDistance, OfCommutingCovariancesIsThatOfTheirRoots) {
  const FeatureStatistics s{row({0.0, 0.0}), torch::diag(row({9.0, 4.0}))};
  // (3 - 1)^2 + (2 - 5)^2
  EXPECT_NEAR(distance(s, cross({0.0, 0.0}, {1.0, 25.0})), std::sqrt(13.0), 1e-9);
}

TEST(FrechetDistance, InOneDimensionAddsMeansAndDeviations) {
  const FeatureStatistics s{row({2.0}), row({9.0}).reshape({1, 1})};
  // Mean 5, deviation 1: 3^2 + 2^2.
  EXPECT_NEAR(distance(s, row({4.0, 6.0}).reshape({2, 1})), std::sqrt(13.0), 1e-12);
  // A single window has no deviation: 3^2 + 3^2.
  EXPECT_NEAR(distance(s, row({5.0}).reshape({1, 1})), std::sqrt(18.0), 1e-12);
}

TEST(FrechetDistance, OfAGroupIsThatOfItsWindowsAlone) {
  const FeatureStatistics s = shrunk_statistics(numbers(12, 5, 7));
  const torch::Tensor windows = numbers(9, 5, 3);
  const torch::Tensor groups = torch::tensor({0, 4, 4, 8, 2, 1}, torch::kLong).reshape({2, 3});
  const torch::Tensor both = FrechetDistances(s, windows).of(groups);
  // Roots of eigenvalues that are 0 up to rounding.
  for (std::int64_t g = 0; g < 2; ++g)
    EXPECT_NEAR(both[g].item<double>(), distance(s, windows.index_select(0, groups[g])), 1e-7);
}

}  // namespace
}  // namespace furrow::segmentation
