#include <furrow/labelling/variance_components.h>

#include <gtest/gtest.h>

#include <cmath>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>

namespace furrow::labelling {
namespace {

/// Simulated scores with known parts.
std::vector<CrossedScore> simulated(std::size_t labellers, std::size_t sites, std::size_t each,
                                    double sd_labeller, double sd_site, double sd_rest, std::uint64_t seed,
                                    std::vector<double>* levels = nullptr) {
  geo::Random random(seed);
  std::vector<double> a(labellers);
  std::vector<double> b(sites);
  for (double& v : a) v = random.normal(0.5, sd_labeller);
  for (double& v : b) v = random.normal(0.0, sd_site);
  std::vector<CrossedScore> scores;
  for (std::size_t j = 0; j < labellers; ++j) {
    for (std::size_t k = 0; k < each; ++k) {
      const std::size_t i = random.below(sites);
      scores.push_back({j, i, a[j] + b[i] + random.normal(0.0, sd_rest)});
    }
  }
  if (levels != nullptr) *levels = a;
  return scores;
}

TEST(VarianceComponents, BalancedOneWayEqualsAnalysisOfVariance) {
  // Three labellers with four scores each; REML equals the classical moments when they are not negative.
  const double values[3][4] = {{0.5, 0.6, 0.55, 0.65}, {0.7, 0.75, 0.8, 0.7}, {0.4, 0.5, 0.45, 0.35}};
  std::vector<CrossedScore> scores;
  double within = 0.0;
  double means[3] = {};
  for (std::size_t j = 0; j < 3; ++j) {
    for (std::size_t k = 0; k < 4; ++k) {
      scores.push_back({j, k, values[j][k]});
      means[j] += values[j][k] / 4.0;
    }
    for (const double v : values[j]) within += (v - means[j]) * (v - means[j]) / 9.0;
  }
  const double grand = (means[0] + means[1] + means[2]) / 3.0;
  double between = 0.0;
  for (const double m : means) between += (m - grand) * (m - grand) / 2.0;
  const double labeller = between - within / 4.0;
  VarianceOptions options;
  options.sites = false;
  const auto fit = fit_variance(scores, 3, 4, options);
  EXPECT_NEAR(fit.mean, grand, 1e-9);
  EXPECT_NEAR(fit.sd_rest * fit.sd_rest, within, 1e-7);
  EXPECT_NEAR(fit.sd_labeller * fit.sd_labeller, labeller, 1e-6);
  EXPECT_NEAR(fit.intraclass_correlation(), labeller / (labeller + within), 1e-5);
  EXPECT_NEAR(fit.sites_for_reliability(0.8), 4.0 * within / labeller, 1e-4);
  // Drawn towards the mean by the reliability of four scores.
  const double weight = 4.0 * labeller / (4.0 * labeller + within);
  EXPECT_NEAR(fit.levels[1].mean, grand + weight * (means[1] - grand), 1e-6);
  EXPECT_LT(fit.levels[1].low, fit.levels[1].mean);
}

TEST(VarianceComponents, BalancedCrossedEqualsAnalysisOfVariance) {
  // Two-way table without repeats: mean squares of rows, columns and interaction.
  geo::Random random(5);
  constexpr std::size_t kLabellers = 6;
  constexpr std::size_t kSites = 9;
  double y[kLabellers][kSites];
  std::vector<double> row(kLabellers, 0.0);
  std::vector<double> column(kSites, 0.0);
  double grand = 0.0;
  std::vector<double> easy(kSites);
  for (double& v : easy) v = random.normal(0.0, 0.1);
  std::vector<CrossedScore> scores;
  for (std::size_t j = 0; j < kLabellers; ++j) {
    for (std::size_t i = 0; i < kSites; ++i) {
      y[j][i] = 0.4 + 0.03 * static_cast<double>(j) + easy[i] + random.normal(0.0, 0.04);
      row[j] += y[j][i] / kSites;
      column[i] += y[j][i] / kLabellers;
      grand += y[j][i] / (kSites * kLabellers);
      scores.push_back({j, i, y[j][i]});
    }
  }
  double rows = 0.0;
  double columns = 0.0;
  double rest = 0.0;
  for (const double m : row) rows += kSites * (m - grand) * (m - grand) / (kLabellers - 1);
  for (const double m : column) columns += kLabellers * (m - grand) * (m - grand) / (kSites - 1);
  for (std::size_t j = 0; j < kLabellers; ++j) {
    for (std::size_t i = 0; i < kSites; ++i) {
      const double e = y[j][i] - row[j] - column[i] + grand;
      rest += e * e / ((kLabellers - 1) * (kSites - 1));
    }
  }
  const auto fit = fit_variance(scores, kLabellers, kSites);
  EXPECT_NEAR(fit.sd_rest * fit.sd_rest, rest, 1e-7);
  EXPECT_NEAR(fit.sd_labeller * fit.sd_labeller, (rows - rest) / kSites, 1e-6);
  EXPECT_NEAR(fit.sd_site * fit.sd_site, (columns - rest) / kLabellers, 1e-6);
  const double weight = (columns - rest) / columns;
  EXPECT_NEAR(fit.site_effects[2], weight * (column[2] - grand), 1e-5);
}

TEST(VarianceComponents, IntervalsCoverTheTrueLevels) {
  int covered = 0;
  int all = 0;
  double sd_labeller = 0.0;
  double sd_site = 0.0;
  constexpr int kRuns = 20;
  for (std::uint64_t run = 0; run < kRuns; ++run) {
    std::vector<double> levels;
    const auto scores = simulated(20, 60, 25, 0.04, 0.06, 0.1, 40 + run, &levels);
    const auto fit = fit_variance(scores, 20, 60);
    sd_labeller += fit.sd_labeller / kRuns;
    sd_site += fit.sd_site / kRuns;
    for (std::size_t j = 0; j < levels.size(); ++j) {
      covered += levels[j] >= fit.levels[j].low && levels[j] <= fit.levels[j].high ? 1 : 0;
      ++all;
    }
  }
  EXPECT_NEAR(static_cast<double>(covered) / all, 0.9, 0.06);
  EXPECT_NEAR(sd_labeller, 0.04, 0.005);
  EXPECT_NEAR(sd_site, 0.06, 0.006);
}

TEST(VarianceComponents, NewLabellersGetTheMeanAndTheWholeSpread) {
  const auto scores = simulated(10, 30, 20, 0.05, 0.05, 0.1, 3);
  const auto fit = fit_variance(scores, 11, 30);
  EXPECT_NEAR(fit.levels[10].mean, fit.mean, 1e-12);
  const double half = 0.5 * (fit.levels[10].high - fit.levels[10].low);
  EXPECT_GT(half, 1.645 * fit.sd_labeller);
  EXPECT_LT(half, 1.645 * fit.sd_labeller * 1.2);
  for (std::size_t j = 0; j < 10; ++j) EXPECT_LT(fit.levels[j].high - fit.levels[j].low, 2.0 * half);
}

TEST(VarianceComponents, WhatCannotBeKnownIsSaid) {
  const std::vector<CrossedScore> none;
  EXPECT_EQ(fit_variance(none, 2, 2).note, "there are no scores");
  const std::vector<CrossedScore> equal{{0, 0, 0.5}, {0, 1, 0.5}, {1, 0, 0.5}};
  EXPECT_EQ(fit_variance(equal, 2, 2).note, "all scores are equal");
  EXPECT_EQ(fit_variance(equal, 2, 2).levels[1].mean, 0.5);
  const std::vector<CrossedScore> one_labeller{{0, 0, 0.5}, {0, 1, 0.7}, {0, 2, 0.6}};
  const auto fit = fit_variance(one_labeller, 1, 3);
  EXPECT_NE(fit.note.find("one labeller only"), std::string::npos);
  EXPECT_TRUE(std::isnan(fit.sd_labeller));
  EXPECT_TRUE(std::isnan(fit.sites_for_reliability(0.8)));
  EXPECT_NEAR(fit.levels[0].mean, 0.6, 1e-12);
  EXPECT_LT(fit.levels[0].low, 0.6);
  const std::vector<CrossedScore> one_site{{0, 0, 0.5}, {0, 0, 0.7}, {1, 0, 0.6}, {1, 0, 0.9}};
  EXPECT_NE(fit_variance(one_site, 2, 1).note.find("one site only"), std::string::npos);
  const std::vector<CrossedScore> single{{0, 0, 0.5}, {1, 1, 0.7}};
  EXPECT_NE(fit_variance(single, 2, 2).note.find("no labeller has more than one score"), std::string::npos);
}

TEST(VarianceComponents, RejectsNonsense) {
  const std::vector<CrossedScore> nan{{0, 0, std::nan("")}};
  EXPECT_THROW((void)fit_variance(nan, 1, 1), geo::InvalidArgument);
  const std::vector<CrossedScore> outside{{1, 0, 0.5}};
  EXPECT_THROW((void)fit_variance(outside, 1, 1), geo::InvalidArgument);
}

TEST(VarianceComponents, ThreeHundredLabellersTakeSeconds) {
  const auto scores = simulated(300, 2000, 40, 0.04, 0.06, 0.1, 9);
  const auto fit = fit_variance(scores, 300, 2000);
  EXPECT_NEAR(fit.sd_labeller, 0.04, 0.006);
  EXPECT_NEAR(fit.sd_site, 0.06, 0.006);
}

}  // namespace
}  // namespace furrow::labelling
