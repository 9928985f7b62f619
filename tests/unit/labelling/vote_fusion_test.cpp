#include <furrow/labelling/vote_fusion.h>

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/text.h>
#include <furrow/labelling/weighted_vote.h>

namespace furrow::labelling {
namespace {

using testing::ElementsAre;
using testing::Optional;
using Votes = std::vector<VoteEntry>;

NamedVotes four_items() {
  NamedVotes votes{VoteTable(2, 3, 3), {"a", "b", "c", "d"}, {"ann", "bob", "cy"}, {"no", "yes", "unsure"}};
  votes.table.add(Votes{{0, 1}, {1, 1}});
  votes.table.add(Votes{{0, 0}, {1, 0, 2}});
  votes.table.add({});
  votes.table.add(Votes{{0, 1}, {1, 1}});
  return votes;
}

TEST(FuseTable, GivesOnePosteriorPerItem) {
  const NamedVotes votes = four_items();
  VoteFusionOptions options;
  options.method = FusionMethod::kMajority;
  const FusionFit fit = fuse_table(votes.table, options);
  ASSERT_EQ(fit.posterior.size(), 8U);
  EXPECT_EQ(fit.posterior, weighted_vote(votes.table).posterior);
}

TEST(FuseTable, MethodsAreTheirs) {
  const NamedVotes votes = four_items();
  VoteFusionOptions options;
  options.method = FusionMethod::kDawidSkene;
  const FusionFit plain = fuse_table(votes.table, options);
  EXPECT_NEAR(plain.objective, dawid_skene(votes.table).objective, 1e-9);
  options.method = FusionMethod::kOneCoin;
  const FusionFit coin = fuse_table(votes.table, options);
  EXPECT_EQ(coin.confusion_at(0, 0, 0), coin.confusion_at(0, 1, 1));
  options.method = FusionMethod::kStaple;
  EXPECT_NEAR(fuse_table(votes.table, options).class_shares[1], 4.0 / 7.0, 1e-15);
  options.method = FusionMethod::kBayes;
  BayesOptions items;
  items.unit = InformationUnit::kItem;
  const FusionFit bayes = fuse_table(votes.table, options);
  const BayesFit expected = fuse_bayes(votes.table, items);
  for (std::size_t i = 0; i < bayes.posterior.size(); ++i)
    EXPECT_NEAR(bayes.posterior[i], expected.fusion.posterior[i], 1e-6) << i;
}

TEST(FusionTables, LabelsAndWorkers) {
  const NamedVotes votes = four_items();
  VoteFusionOptions options;
  options.method = FusionMethod::kMajority;
  const FusionFit fit = fuse_table(votes.table, options);
  const geo::CsvTable labels = label_table(votes, fit);
  EXPECT_THAT(labels.columns, ElementsAre("item", "label", "p_no", "p_yes", "risk", "n_votes"));
  ASSERT_EQ(labels.rows.size(), 4U);
  EXPECT_THAT(labels.rows[0], ElementsAre("a", "yes", "0", "1", "0", "2"));
  EXPECT_THAT(labels.rows[1], ElementsAre("b", "no", "1", "0", "0", "3"));
  const std::string third = geo::shortest(fit.class_shares[0]);
  EXPECT_THAT(labels.rows[2],
              ElementsAre("c", "yes", third, geo::shortest(fit.class_shares[1]), testing::_, "0"));

  const auto skills = worker_skills(votes, fit);
  ASSERT_EQ(skills.size(), 3U);
  EXPECT_EQ(skills[1].n_items, 3);
  EXPECT_EQ(skills[1].n_votes, 4);
  EXPECT_THAT(skills[1].accuracy, Optional(testing::DoubleEq(1.0)));
  EXPECT_THAT(skills[1].kappa, Optional(1.0));
  EXPECT_EQ(skills[2].accuracy, std::nullopt);
  const geo::CsvTable workers = worker_table(votes, skills);
  EXPECT_THAT(workers.columns,
              ElementsAre("worker", "n_items", "n_votes", "accuracy", "agreement", "kappa", "no_as_no",
                          "no_as_yes", "no_as_unsure", "yes_as_no", "yes_as_yes", "yes_as_unsure"));
  EXPECT_THAT(workers.rows[2],
              ElementsAre("cy", "0", "0", "NA", "NA", "NA", "NA", "NA", "NA", "NA", "NA", "NA"));
  EXPECT_EQ(workers.rows[0][6], "1");
}

}  // namespace
}  // namespace furrow::labelling
