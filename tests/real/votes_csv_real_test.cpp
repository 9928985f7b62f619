// Tables of votes of several people on points (data/point_labels): blanks, duplicates, four labels.
#include <furrow/labelling/votes_csv.h>

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/labelling/agreement.h>
#include <furrow/labelling/vote_fusion.h>
#include <furrow/labelling/weighted_vote.h>

#include "support.h"

namespace furrow::labelling {
namespace {

VotesCsvOptions table(const std::string& name) {
  VotesCsvOptions options;
  options.path = test::shared("data/point_labels/" + name);
  options.item_column = "task";
  return options;
}

TEST(VotesCsvReal, FourAnnotatorsOfPointsInAfrica) {
  FURROW_NEEDS_SHARED_DATA();
  VotesCsvOptions options = table("deafrica_ceo_4annotators_pseudonymised.csv");
  options.worker_column = "annotator";
  options.unsure = {"unsure"};
  const NamedVotes votes = read_votes_csv(options);
  EXPECT_THAT(votes.labels, testing::ElementsAre("crop", "mixed", "non-crop", "unsure"));
  EXPECT_EQ(votes.items.size(), 279U);
  EXPECT_EQ(votes.workers.size(), 4U);
  EXPECT_EQ(votes.votes, 1157);
  EXPECT_EQ(votes.missing, 7);
  EXPECT_EQ(votes.repeated, 48);
  const auto alpha = krippendorff_alpha(votes.table);
  ASSERT_TRUE(alpha);
  EXPECT_GT(*alpha, 0.3);
  EXPECT_LT(*alpha, 1.0);

  for (const auto method :
       {FusionMethod::kBayes, FusionMethod::kMajority, FusionMethod::kDawidSkene, FusionMethod::kOneCoin}) {
    VoteFusionOptions fusion;
    fusion.method = method;
    const TableFit table_fit = fuse_table(votes.table, fusion);
    const FusionFit& fit = table_fit.fusion;
    const FusionFit majority = weighted_vote(votes.table);
    int same = 0;
    for (std::size_t i = 0; i < votes.items.size(); ++i) {
      const Decision decision = decide(fit.posterior_of(i));
      ASSERT_TRUE(std::isfinite(decision.risk));
      same += decision.label == decide(majority.posterior_of(i)).label;
    }
    EXPECT_GT(same, 240);
    for (const auto& skill : worker_skills(votes, table_fit)) EXPECT_GT(skill.accuracy.value_or(0.0), 0.5);
  }
}

TEST(VotesCsvReal, ThreeLabelSetsOfRwanda) {
  FURROW_NEEDS_SHARED_DATA();
  const NamedVotes votes = read_votes_csv(table("rwanda_ceo_multi_annotator_pseudonymised.csv"));
  EXPECT_THAT(votes.labels, testing::ElementsAre("Cropland", "Non-crop"));
  EXPECT_EQ(votes.items.size(), 1202U);
  EXPECT_EQ(votes.votes, 3589);
  EXPECT_EQ(votes.missing, 20);
  VoteFusionOptions fusion;
  fusion.method = FusionMethod::kDawidSkene;
  const FusionFit fit = fuse_table(votes.table, fusion).fusion;
  EXPECT_TRUE(fit.converged);
  const FusionFit by_item = dawid_skene(votes.table);
  EXPECT_NEAR(fit.objective, by_item.objective, 1e-6);
}

}  // namespace
}  // namespace furrow::labelling
