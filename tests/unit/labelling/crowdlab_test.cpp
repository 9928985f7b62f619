#include <furrow/labelling/crowdlab.h>

#include <cmath>
#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>

namespace furrow::labelling {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using Votes = std::vector<VoteEntry>;

const CrowdlabOptions kUnscaled{false};

/// Four items, three voters; worked by hand below.
VoteTable four_items() {
  VoteTable table(2, 2, 3);
  table.add(Votes{{0, 1}, {1, 1}, {2, 0}});
  table.add(Votes{{0, 0}, {1, 0}});
  table.add(Votes{{0, 1}, {1, 1}, {2, 1}});
  table.add(Votes{{2, 0}});
  return table;
}
const std::vector<double> kModel{0.3, 0.7, 0.9, 0.1, 0.2, 0.8, 0.6, 0.4};

TEST(Crowdlab, IsTheFormula) {
  const Crowdlab result = crowdlab(four_items(), kModel, kUnscaled);
  EXPECT_THAT(result.labels, ElementsAre(1, 0, 1, 0));
  // Consensus on the three shared items: 1 0 1; agreement 2/3, 1, 1. E = 1/3. The model is right on all.
  const double p = (2.0 / 3.0 + 1.0 + 1.0) / 3.0;
  EXPECT_NEAR(result.agreement, p, 1e-15);
  EXPECT_NEAR(result.model_weight, std::sqrt(9.0 / 4.0), 1e-14);
  // Voter 0 agrees in 1 + 1 + 2 of 2 + 1 + 2 pairs; voter 2 in 0 + 2 of 4.
  const double w0 = 1.0 - (1.0 - 4.0 / 5.0) / (1.0 / 3.0);
  EXPECT_THAT(result.voter_weight, ElementsAre(DoubleNear(w0, 1e-14), DoubleNear(w0, 1e-14), 1e-6));
  const double top = 1.5 * 0.7 + 2.0 * w0 * p + 1e-6 * (1.0 - p);
  EXPECT_NEAR(result.posterior[1], top / (1.5 + 2.0 * w0 + 1e-6), 1e-14);
  EXPECT_EQ(result.temperature, 1.0);
}

TEST(Crowdlab, CountedRowsAreAsGoodAsManyRows) {
  VoteTable many(2, 2, 3);
  VoteTable counted(2, 2, 3);
  std::vector<double> model_of_many;
  const VoteTable base = four_items();
  for (std::size_t i = 0; i < base.rows(); ++i) {
    counted.add(base.row(i).votes, 5.0);
    for (int k = 0; k < 5; ++k) {
      many.add(base.row(i).votes);
      model_of_many.insert(model_of_many.end(), {kModel[2 * i], kModel[2 * i + 1]});
    }
  }
  const Crowdlab a = crowdlab(many, model_of_many);
  const Crowdlab b = crowdlab(counted, kModel);
  EXPECT_NEAR(a.model_weight, b.model_weight, 1e-12);
  EXPECT_EQ(a.temperature, b.temperature);
  for (std::size_t j = 0; j < 3; ++j) {
    EXPECT_NEAR(a.voter_weight[j], b.voter_weight[j], 1e-12);
    EXPECT_NEAR(a.voter_quality[j], b.voter_quality[j], 1e-12);
  }
  EXPECT_NEAR(a.posterior[0], b.posterior[0], 1e-12);
}

TEST(Crowdlab, TiesMissingVotesAndKnownTruth) {
  VoteTable table(2, 3, 4);
  table.add(Votes{{0, 1}, {1, 0}});          // tied: the model decides
  table.add({});                             // nobody: the model
  table.add(Votes{{0, 1}, {1, 1}}, 1.0, 0);  // known
  table.add(Votes{{0, 0}, {1, 0}});
  table.add(Votes{{2, 1}});          // a voter who shares nothing
  table.add(Votes{{0, 2, 9}}, 3.0);  // unsure
  const std::vector<double> model{0.4, 0.6, 0.25, 0.75, 0.1, 0.9, 0.8, 0.2, 0.5, 0.5, 0.7, 0.3};
  const Crowdlab result = crowdlab(table, model, kUnscaled);
  EXPECT_EQ(result.labels[0], 1);
  EXPECT_EQ(result.posterior[2], 0.25);
  EXPECT_EQ(result.posterior[4], 1.0);
  EXPECT_EQ(result.labels[2], 0);
  EXPECT_NEAR(result.posterior[10], 0.7, 1e-15);
  EXPECT_NEAR(result.voter_weight[2], 0.5 * (result.voter_weight[0] + result.voter_weight[1]), 1e-12);
  EXPECT_TRUE(std::isnan(result.voter_quality[3]));
  EXPECT_TRUE(std::isfinite(result.voter_quality[2]));
}

TEST(Crowdlab, RepeatedVotesAreNoAgreementWithOneself) {
  VoteTable table(2, 2, 2);
  table.add(Votes{{0, 1, 5}, {1, 0}});
  table.add(Votes{{0, 0}, {1, 0}});
  const Crowdlab result = crowdlab(table, std::vector<double>{0.5, 0.5, 0.5, 0.5}, kUnscaled);
  for (const double weight : result.voter_weight) EXPECT_TRUE(std::isfinite(weight));
  EXPECT_EQ(result.voter_weight[0], result.voter_weight[1]);  // both agree in 1 of 6 pairs
}

TEST(Crowdlab, AllBackgroundIsFinite) {
  VoteTable table(2, 2, 300);
  Votes votes;
  for (std::uint32_t j = 0; j < 300; ++j) votes.push_back({j, 0});
  table.add(votes, 10.0);
  const Crowdlab result = crowdlab(table, std::vector<double>{1.0, 0.0});
  EXPECT_EQ(result.labels[0], 0);
  EXPECT_NEAR(result.posterior[0], 1.0, 1e-12);
  for (const double weight : result.voter_weight) EXPECT_EQ(weight, 1.0);
}

TEST(Crowdlab, TemperatureUndoesSharpening) {
  // Votes follow the model's probabilities; the model is then made too sharp by a temperature of one half.
  VoteTable table(2, 2, 8);
  std::vector<double> sharp;
  geo::Random random(3);
  for (int i = 0; i < 3000; ++i) {
    const double p = random.uniform(0.05, 0.95);
    Votes votes;
    for (std::uint32_t j = 0; j < 8; ++j) votes.push_back({j, static_cast<std::uint16_t>(random.chance(p))});
    table.add(votes);
    sharp.insert(sharp.end(), {(1.0 - p) * (1.0 - p), p * p});
  }
  EXPECT_EQ(find_temperature(table, sharp), 2.0);
  EXPECT_EQ(crowdlab(table, sharp).temperature, 2.0);
  EXPECT_EQ(find_temperature(VoteTable(2, 2, 1), {}), 0.1);  // nothing to go by: the first
}

TEST(Crowdlab, RefusesWhatDoesNotFit) {
  const VoteTable table = four_items();
  EXPECT_THROW((void)crowdlab(table, std::vector<double>(3, 0.5)), geo::InvalidArgument);
  std::vector<double> model = kModel;
  model[2] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW((void)crowdlab(table, model), geo::InvalidArgument);
  model[2] = model[3] = 0.0;
  EXPECT_THROW((void)crowdlab(table, model), geo::InvalidArgument);
  VoteTable apart(2, 2, 2);
  apart.add(Votes{{0, 1}});
  apart.add(Votes{{1, 0}});
  EXPECT_THROW((void)crowdlab(apart, std::vector<double>(4, 0.5)), geo::InvalidArgument);
  EXPECT_THROW((void)crowdlab(VoteTable(2, 2, 0), {}), geo::InvalidArgument);
}

}  // namespace
}  // namespace furrow::labelling
