#include <furrow/labelling/weighted_vote.h>

#include <array>
#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>

namespace furrow::labelling {
namespace {

using testing::DoubleEq;
using testing::DoubleNear;
using testing::ElementsAre;
using Votes = std::vector<VoteEntry>;

std::vector<double> row_of(const FusionFit& fit, std::size_t row) {
  const auto posterior = fit.posterior_of(row);
  return {posterior.begin(), posterior.end()};
}

TEST(WeightedVote, GivesTheSharesOfTheVotes) {
  VoteTable table(2, 3, 4);
  table.add(Votes{{0, 1}, {1, 1}, {2, 0}}, 3.0);
  table.add(Votes{{0, 1, 3}, {1, 0}});    // a repeated vote counts as often as it was given
  table.add(Votes{{0, 2}, {3, 0}}, 1.0);  // "unsure" counts for no class
  const FusionFit fit = weighted_vote(table);
  EXPECT_THAT(row_of(fit, 0), ElementsAre(DoubleEq(1.0 / 3.0), DoubleEq(2.0 / 3.0)));
  EXPECT_THAT(row_of(fit, 1), ElementsAre(0.25, 0.75));
  EXPECT_THAT(row_of(fit, 2), ElementsAre(1.0, 0.0));
  // (3 x 1/3 + 1/4 + 1) / 5
  EXPECT_NEAR(fit.class_shares[0], 0.45, 1e-15);
  // Voter 0 says field on 3 items with P = 2/3 and 3 times on one with P = 3/4, unsure on one of background.
  EXPECT_NEAR(fit.confusion_at(0, 1, 1), 1.0, 1e-15);
  EXPECT_NEAR(fit.confusion_at(0, 0, 2), 1.0 / (1.0 + 0.75 + 1.0), 1e-15);
}

TEST(WeightedVote, WeighsVoters) {
  VoteTable table(3, 3, 3);
  table.add(Votes{{0, 0}, {1, 1}, {2, 2}});
  const std::vector<double> weights{0.5, 0.25, 1.25};
  EXPECT_THAT(row_of(weighted_vote(table, weights), 0), ElementsAre(0.25, 0.125, 0.625));
}

TEST(WeightedVote, KnownTruthDecides) {
  VoteTable table(2, 2, 2);
  table.add(Votes{{0, 1}, {1, 1}}, 1.0, 0);
  EXPECT_THAT(row_of(weighted_vote(table), 0), ElementsAre(1.0, 0.0));
}

TEST(WeightedVote, RowsWithoutVotesGetTheClassShares) {
  VoteTable table(2, 3, 2);
  table.add(Votes{{0, 0}, {1, 0}}, 3.0);
  table.add(Votes{{0, 1}, {1, 1}}, 1.0);
  table.add({}, 100.0);
  table.add(Votes{{0, 2}}, 7.0);
  const FusionFit fit = weighted_vote(table);
  EXPECT_THAT(fit.class_shares, ElementsAre(0.75, 0.25));
  EXPECT_THAT(row_of(fit, 2), ElementsAre(0.75, 0.25));
  EXPECT_THAT(row_of(fit, 3), ElementsAre(0.75, 0.25));
}

TEST(WeightedVote, NothingToGoByMeansEqualShares) {
  const FusionFit empty = weighted_vote(VoteTable(2, 2, 0));
  EXPECT_THAT(empty.class_shares, ElementsAre(0.5, 0.5));
  EXPECT_TRUE(empty.posterior.empty());
  VoteTable table(4, 4, 1);
  table.add(Votes{{0, 2}});
  const std::vector<double> weights{0.0};
  EXPECT_THAT(row_of(weighted_vote(table, weights), 0), ElementsAre(0.25, 0.25, 0.25, 0.25));
  // A voter without a vote: all its answers are equally probable.
  EXPECT_EQ(weighted_vote(VoteTable(2, 4, 1)).confusion_at(0, 1, 3), 0.25);
}

TEST(WeightedVote, RefusesWrongWeights) {
  const VoteTable table(2, 2, 2);
  EXPECT_THROW((void)weighted_vote(table, std::array{1.0}), geo::InvalidArgument);
  EXPECT_THROW((void)weighted_vote(table, std::array{1.0, -1.0}), geo::InvalidArgument);
  EXPECT_THROW((void)weighted_vote(table, std::array{1.0, std::numeric_limits<double>::quiet_NaN()}),
               geo::InvalidArgument);
}

TEST(Decide, TakesTheMostProbableClassAndTheTieRule) {
  EXPECT_EQ(decide(std::array{0.2, 0.5, 0.3}).label, 1);
  EXPECT_DOUBLE_EQ(decide(std::array{0.2, 0.5, 0.3}).risk, 0.5);
  const std::array tie{0.4, 0.2, 0.1 + 0.2 + 0.1};  // not exactly 0.4
  EXPECT_EQ(decide(tie).label, 0);
  EXPECT_EQ(decide(tie, TieRule::kHighest).label, 2);
  EXPECT_EQ(decide(std::array{0.0, 1.0}).risk, 0.0);
}

}  // namespace
}  // namespace furrow::labelling
