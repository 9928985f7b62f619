// Dawid and Skene's model on the data of 1979 and on the caries data (golden/c_label_fusion).
#include <furrow/labelling/dawid_skene.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <furrow/labelling/weighted_vote.h>

#include "anaesthetists.h"
#include "golden_tables.h"
#include "support.h"

namespace furrow::labelling {
namespace {

constexpr const char* kFolder = "c_label_fusion/";

test::GoldenTable golden(const std::string& name) {
  return test::GoldenTable(kFolder + name);
}

TEST(DawidSkeneGolden, Anaesthetists1979) {
  FURROW_NEEDS_SHARED_DATA();
  const VoteTable votes = anaesthetists();
  ASSERT_EQ(votes.rows(), 45U);
  const FusionFit fit = dawid_skene(votes);
  EXPECT_TRUE(fit.converged);
  EXPECT_NEAR(fit.objective, -190.73099659, 1e-6);
  const auto marginals = golden("anaesthetist_marginals.csv");
  for (std::size_t c = 0; c < 4; ++c)
    EXPECT_NEAR(fit.class_shares[c], marginals.number(c, "marginal"), 1e-6) << c;
  const auto rates = golden("anaesthetist_error_rates.csv");
  ASSERT_EQ(rates.rows(), 80U);
  for (std::size_t i = 0; i < rates.rows(); ++i) {
    const double rate = fit.confusion_at(static_cast<std::size_t>(rates.number(i, "rater")) - 1,
                                         static_cast<int>(rates.number(i, "true_class")) - 1,
                                         static_cast<int>(rates.number(i, "rated")) - 1);
    EXPECT_NEAR(rate, rates.number(i, "probability"), 1e-6) << i;
  }
  const auto posterior = golden("anaesthetist_posterior.csv");
  for (std::size_t i = 0; i < posterior.rows(); ++i) {
    for (std::size_t c = 0; c < 4; ++c)
      EXPECT_NEAR(fit.posterior_of(i)[c], posterior.number(i, std::to_string(c + 1)), 1e-6) << i;
  }
}

TEST(DawidSkeneGolden, RandomStartsFindTheHigherMaximum) {
  FURROW_NEEDS_SHARED_DATA();
  DawidSkeneOptions options;
  options.restarts = 300;
  const VoteTable votes = anaesthetists();
  const FusionFit fit = dawid_skene(votes, options);
  EXPECT_GE(fit.objective, -189.4054);
  EXPECT_LT(fit.objective, -189.0);
  // The classes keep their names: the labels of the two maxima agree on nearly all items.
  const FusionFit plain = dawid_skene(votes);
  int same = 0;
  for (std::size_t i = 0; i < votes.rows(); ++i)
    same += decide(fit.posterior_of(i)).label == decide(plain.posterior_of(i)).label;
  EXPECT_GE(same, 42);
}

// crowd-kit stops after 4 iterations on these data, up to 0.0217 away from the maximum.
TEST(DawidSkeneGolden, NearCrowdkitsEarlyStop) {
  FURROW_NEEDS_SHARED_DATA();
  const VoteTable votes = anaesthetists();
  const auto crowdkit = golden("anaesthetist_crowdkit_default_posterior.csv");
  const auto farthest = [&](const FusionFit& fit) {
    double most = 0.0;
    for (std::size_t i = 0; i < votes.rows(); ++i) {
      for (std::size_t c = 0; c < 4; ++c) {
        most = std::max(most, std::abs(fit.posterior_of(i)[c] - crowdkit.number(i, std::to_string(c + 1))));
      }
    }
    return most;
  };
  const double converged = farthest(dawid_skene(votes));
  EXPECT_LE(converged, 0.0217);
  EXPECT_GT(converged, 0.02);
  DawidSkeneOptions options;
  options.max_iterations = 4;
  EXPECT_LT(farthest(dawid_skene(votes, options)), 1e-6);
}

TEST(DawidSkeneGolden, Caries) {
  FURROW_NEEDS_SHARED_DATA();
  const auto patterns = golden("caries_patterns.csv");
  VoteTable grouped(2, 2, 5);
  VoteTable teeth(2, 2, 5);
  for (std::size_t i = 0; i < patterns.rows(); ++i) {
    std::vector<VoteEntry> votes;
    for (std::uint32_t j = 0; j < 5; ++j) {
      votes.push_back(
          {j, static_cast<std::uint16_t>(patterns.number(i, "rater_" + std::to_string(j + 1)) - 1.0)});
    }
    const double count = patterns.number(i, "n");
    grouped.add(votes, count);
    for (double k = 0.0; k < count; k += 1.0) teeth.add(votes);
  }
  ASSERT_EQ(teeth.rows(), 3859U);
  const FusionFit fit = dawid_skene(grouped);
  const auto summary = golden("caries_summary.csv");
  EXPECT_NEAR(fit.objective, summary.number(0, "loglik"), 1e-6);
  EXPECT_NEAR(fit.class_shares[1], summary.number(0, "prevalence"), 1e-6);
  const auto skills = golden("caries_skills.csv");
  for (std::size_t j = 0; j < 5; ++j) {
    EXPECT_NEAR(fit.confusion_at(j, 1, 1), skills.number(j, "sensitivity"), 1e-6);
    EXPECT_NEAR(fit.confusion_at(j, 0, 0), skills.number(j, "specificity"), 1e-6);
  }
  const auto posterior = golden("caries_posterior.csv");
  for (std::size_t i = 0; i < posterior.rows(); ++i)
    EXPECT_NEAR(fit.posterior_of(i)[1], posterior.number(i, "posterior_caries"), 1e-6);

  const FusionFit single = dawid_skene(teeth);
  EXPECT_NEAR(single.objective, fit.objective, 1e-7);
  const FusionFit again = dawid_skene(teeth.grouped());
  EXPECT_EQ(again.posterior, fit.posterior);
  for (std::size_t j = 0; j < 5; ++j)
    EXPECT_NEAR(single.confusion_at(j, 1, 1), fit.confusion_at(j, 1, 1), 1e-6);
}

}  // namespace
}  // namespace furrow::labelling
