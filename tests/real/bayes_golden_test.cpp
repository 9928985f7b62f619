// Bayesian fusion against independent Gibbs samplers (golden/c_label_fusion, golden/d_staple).
#include <furrow/labelling/bayes_consensus.h>

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "anaesthetists.h"
#include "golden_tables.h"
#include "support.h"

namespace furrow::labelling {
namespace {

BayesOptions items_with_priors(BayesInference inference, BayesPriors priors) {
  BayesOptions options;
  options.unit = InformationUnit::kItem;
  options.inference = inference;
  options.priors = std::move(priors);
  options.draws = 20000;
  options.interval = 0.95;
  return options;
}

TEST(BayesGolden, AnaesthetistsHaveTheMeansOfAnotherSampler) {
  FURROW_NEEDS_SHARED_DATA();
  BayesPriors priors{std::vector<double>(4, 3.0), std::vector<double>(16, 16.0 / 15.0)};
  for (std::size_t c = 0; c < 4; ++c) priors.row_votes[5 * c] = 4.8;
  const BayesFit fit = fuse_bayes(anaesthetists(), items_with_priors(BayesInference::kGibbs, priors));
  const test::GoldenTable marginals("c_label_fusion/anaesthetist_bayes_marginals.csv");
  for (std::size_t c = 0; c < 4; ++c)
    EXPECT_NEAR(fit.fusion.class_shares[c], marginals.number(c, "mean"), 0.005) << c;
  const test::GoldenTable rates("c_label_fusion/anaesthetist_bayes_error_rates.csv");
  ASSERT_EQ(rates.rows(), 80U);
  for (std::size_t i = 0; i < rates.rows(); ++i) {
    const double rate = fit.fusion.confusion_at(static_cast<std::size_t>(rates.number(i, "rater")) - 1,
                                                static_cast<int>(rates.number(i, "true_class")) - 1,
                                                static_cast<int>(rates.number(i, "rated")) - 1);
    EXPECT_NEAR(rate, rates.number(i, "mean"), 0.005) << i;
  }
  const test::GoldenTable posterior("c_label_fusion/anaesthetist_bayes_posterior.csv");
  for (std::size_t i = 0; i < posterior.rows(); ++i) {
    for (std::size_t c = 0; c < 4; ++c)
      EXPECT_NEAR(fit.fusion.posterior_of(i)[c], posterior.number(i, std::to_string(c + 1)), 0.01) << i;
  }
}

/// The five labellers of golden/d_staple with their true field mask.
struct Random5 {
  VoteTable table{2, 2, 5};
  std::vector<double> truth;
  std::vector<std::size_t> row_of;
};

Random5 random5() {
  Random5 data;
  data.truth = test::golden_pixels("d_staple/truth.csv");
  std::vector<std::vector<double>> masks;
  for (int j = 1; j <= 5; ++j)
    masks.push_back(test::golden_pixels("d_staple/labeller" + std::to_string(j) + ".csv"));
  VoteTable pixels(2, 2, 5);
  for (std::size_t i = 0; i < data.truth.size(); ++i) {
    std::vector<VoteEntry> votes;
    for (std::uint32_t j = 0; j < 5; ++j) votes.push_back({j, static_cast<std::uint16_t>(masks[j][i])});
    pixels.add(votes);
  }
  data.table = pixels.grouped(&data.row_of);
  return data;
}

void expect_skills(const BayesFit& fit, double tolerance) {
  const test::GoldenTable skills("d_staple/random5_bayes_skills.csv");
  for (std::size_t j = 0; j < 5; ++j) {
    for (const auto& [name, e] :
         {std::pair{"sens", fit.skills[j].sensitivity}, std::pair{"spec", fit.skills[j].specificity}}) {
      EXPECT_NEAR(e.mean, skills.number(j, std::string(name) + "_mean"), tolerance) << j << name;
      EXPECT_NEAR(e.low, skills.number(j, std::string(name) + "_q025"), tolerance) << j << name;
      EXPECT_NEAR(e.high, skills.number(j, std::string(name) + "_q975"), tolerance) << j << name;
    }
  }
}

TEST(BayesGolden, Random5SkillsPosteriorsAndRisk) {
  FURROW_NEEDS_SHARED_DATA();
  const Random5 data = random5();
  const auto expected = test::golden_pixels("d_staple/random5_bayes_posterior.csv");
  const BayesPriors flat{{1.0, 1.0}, {1.0, 1.0, 1.0, 1.0}};
  for (const auto inference : {BayesInference::kMode, BayesInference::kGibbs}) {
    SCOPED_TRACE(inference == BayesInference::kMode ? "mode" : "gibbs");
    const BayesFit fit = fuse_bayes(data.table, items_with_priors(inference, flat));
    expect_skills(fit, 0.005);
    double risk = 0.0;
    double wrong = 0.0;
    double largest = 0.0;
    for (std::size_t i = 0; i < data.truth.size(); ++i) {
      const auto p = fit.fusion.posterior_of(data.row_of[i]);
      largest = std::max(largest, std::abs(p[1] - expected[i]));
      risk += std::min(p[0], p[1]);
      wrong += (p[1] > 0.5) == (data.truth[i] > 0.5) ? 0.0 : 1.0;
    }
    EXPECT_LT(largest, 0.02);
    const auto n = static_cast<double>(data.truth.size());
    EXPECT_NEAR(risk / n, wrong / n, 0.005);
  }
}

TEST(BayesGolden, WithoutPriorsItIsMaximumLikelihood) {
  FURROW_NEEDS_SHARED_DATA();
  const test::GoldenTable patterns("c_label_fusion/caries_patterns.csv");
  VoteTable table(2, 2, 5);
  for (std::size_t i = 0; i < patterns.rows(); ++i) {
    std::vector<VoteEntry> votes;
    for (std::uint32_t j = 0; j < 5; ++j) {
      const double says = patterns.number(i, "rater_" + std::to_string(j + 1));
      votes.push_back({j, static_cast<std::uint16_t>(says - 1.0)});
    }
    table.add(votes, patterns.number(i, "n"));
  }
  BayesOptions options = items_with_priors(BayesInference::kMode, {{1e-6, 1e-6}, {1e-6, 1e-6, 1e-6, 1e-6}});
  options.tolerance = 1e-14;
  options.max_iterations = 5000;
  const BayesFit fit = fuse_bayes(table, options);
  EXPECT_NEAR(fit.fusion.class_shares[1], 0.199659, 2e-5);
  EXPECT_NEAR(fit.fusion.objective, -7410.941976, 2e-3);
  const test::GoldenTable skills("c_label_fusion/caries_skills.csv");
  for (std::size_t j = 0; j < 5; ++j) {
    EXPECT_NEAR(fit.skills[j].sensitivity.mean, skills.number(j, "sensitivity"), 2e-4) << j;
    EXPECT_NEAR(fit.skills[j].specificity.mean, skills.number(j, "specificity"), 2e-4) << j;
  }
}

}  // namespace
}  // namespace furrow::labelling
