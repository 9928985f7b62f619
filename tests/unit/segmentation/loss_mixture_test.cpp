#include "methods/loss_mixture.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>

namespace furrow::segmentation {
namespace {

std::vector<double> normal_losses(std::size_t n, double mean, double sd, std::uint64_t seed) {
  geo::Random random(seed);
  std::vector<double> losses(n);
  for (double& loss : losses) loss = random.normal(mean, sd);
  return losses;
}

std::vector<double> two_groups() {
  std::vector<double> losses = normal_losses(300, 0.3, 0.05, 1);
  const std::vector<double> noisy = normal_losses(100, 0.9, 0.15, 2);
  losses.insert(losses.end(), noisy.begin(), noisy.end());
  return losses;
}

TEST(LossMixture, FindsPlantedComponents) {
  const LossMixture mixture = fit_loss_mixture(two_groups());
  ASSERT_TRUE(mixture.separates);
  EXPECT_NEAR(mixture.clean_share, 0.75, 0.02);
  EXPECT_NEAR(mixture.clean_mean, 0.3, 0.01);
  EXPECT_NEAR(mixture.clean_sd, 0.05, 0.01);
  EXPECT_NEAR(mixture.noisy_mean, 0.9, 0.05);
  EXPECT_NEAR(mixture.noisy_sd, 0.15, 0.03);
  // Bayes' rule by hand with the fitted numbers.
  const double clean = mixture.clean_share / mixture.clean_sd *
                       std::exp(-0.5 * std::pow((0.5 - mixture.clean_mean) / mixture.clean_sd, 2));
  const double noisy = (1.0 - mixture.clean_share) / mixture.noisy_sd *
                       std::exp(-0.5 * std::pow((0.5 - mixture.noisy_mean) / mixture.noisy_sd, 2));
  EXPECT_NEAR(mixture.clean_probability(0.5), clean / (clean + noisy), 1e-12);
}

TEST(LossMixture, LikelihoodNeverFalls) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    geo::Random random(seed);
    std::vector<double> losses(8 + random.below(100));
    for (double& loss : losses) loss = random.chance(0.3) ? random.gamma(3.0) : random.normal(0.5, 0.1);
    const LossMixture mixture = fit_loss_mixture(losses);
    ASSERT_GE(mixture.log_likelihood.size(), 2u);
    for (std::size_t i = 1; i < mixture.log_likelihood.size(); ++i)
      ASSERT_GE(mixture.log_likelihood[i], mixture.log_likelihood[i - 1] - 1e-9) << seed << " step " << i;
  }
}

TEST(LossMixture, ProbabilityNeverRisesWithTheLoss) {
  // The wide component reaches beyond the narrow one on both sides.
  std::vector<double> losses = normal_losses(200, 0.5, 0.02, 3);
  const std::vector<double> wide = normal_losses(200, 0.9, 0.5, 4);
  losses.insert(losses.end(), wide.begin(), wide.end());
  const LossMixture mixture = fit_loss_mixture(losses);
  ASSERT_TRUE(mixture.separates);
  double last = 1.0;
  for (double loss = -2.0; loss < 4.0; loss += 0.01) {
    const double p = mixture.clean_probability(loss);
    EXPECT_LE(p, last + 1e-12) << loss;
    last = p;
  }
  EXPECT_GT(mixture.clean_probability(-2.0), 0.5);
}

TEST(LossMixture, DoesNotDependOnTheOrder) {
  std::vector<double> losses = two_groups();
  const LossMixture one = fit_loss_mixture(losses);
  geo::Random(5).shuffle(losses);
  const LossMixture two = fit_loss_mixture(losses);
  EXPECT_EQ(one.clean_mean, two.clean_mean);
  EXPECT_EQ(one.clean_probability(0.6), two.clean_probability(0.6));
}

TEST(LossMixture, LeavesCleanDataWhole) {
  int split = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    if (fit_loss_mixture(normal_losses(100, 0.4, 0.1, seed)).separates) ++split;
  }
  EXPECT_LE(split, 3);
}

TEST(LossMixture, DegenerateLosses) {
  EXPECT_FALSE(fit_loss_mixture({}).separates);
  EXPECT_FALSE(fit_loss_mixture(std::vector<double>{1.0}).separates);
  EXPECT_FALSE(fit_loss_mixture(std::vector<double>(100, 0.5)).separates);
  EXPECT_EQ(fit_loss_mixture(std::vector<double>(100, 0.5)).clean_probability(9.0), 1.0);
  // Two values only: both widths are at their floor.
  std::vector<double> losses(50, 0.5);
  std::fill_n(losses.begin(), 10, 2.0);
  const LossMixture two = fit_loss_mixture(losses);
  ASSERT_TRUE(two.separates);
  EXPECT_NEAR(two.clean_share, 0.8, 1e-9);
  EXPECT_NEAR(two.clean_probability(0.5), 1.0, 1e-9);
  EXPECT_NEAR(two.clean_probability(2.0), 0.0, 1e-9);
  losses[3] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(static_cast<void>(fit_loss_mixture(losses)), geo::InvalidArgument);
}

}  // namespace
}  // namespace furrow::segmentation
