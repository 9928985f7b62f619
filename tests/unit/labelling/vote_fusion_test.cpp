#include <furrow/labelling/vote_fusion.h>

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
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
  const FusionFit fit = fuse_table(votes.table, options).fusion;
  ASSERT_EQ(fit.posterior.size(), 8U);
  EXPECT_EQ(fit.posterior, weighted_vote(votes.table).posterior);
}

TEST(FuseTable, MethodsAreTheirs) {
  const NamedVotes votes = four_items();
  VoteFusionOptions options;
  options.method = FusionMethod::kDawidSkene;
  const FusionFit plain = fuse_table(votes.table, options).fusion;
  EXPECT_NEAR(plain.objective, dawid_skene(votes.table).objective, 1e-9);
  options.method = FusionMethod::kOneCoin;
  const FusionFit coin = fuse_table(votes.table, options).fusion;
  EXPECT_EQ(coin.confusion_at(0, 0, 0), coin.confusion_at(0, 1, 1));
  options.method = FusionMethod::kStaple;
  EXPECT_NEAR(fuse_table(votes.table, options).fusion.class_shares[1], 4.0 / 7.0, 1e-15);
  options.method = FusionMethod::kBayes;
  BayesOptions items;
  items.unit = InformationUnit::kItem;
  const FusionFit bayes = fuse_table(votes.table, options).fusion;
  const BayesFit expected = fuse_bayes(votes.table, items);
  for (std::size_t i = 0; i < bayes.posterior.size(); ++i)
    EXPECT_NEAR(bayes.posterior[i], expected.fusion.posterior[i], 1e-6) << i;
}

TEST(FusionTables, LabelsAndWorkers) {
  const NamedVotes votes = four_items();
  VoteFusionOptions options;
  options.method = FusionMethod::kMajority;
  const TableFit table_fit = fuse_table(votes.table, options);
  const FusionFit& fit = table_fit.fusion;
  const geo::CsvTable labels = label_table(votes, fit);
  EXPECT_THAT(labels.columns, ElementsAre("item", "label", "p_no", "p_yes", "risk", "n_votes"));
  ASSERT_EQ(labels.rows.size(), 4U);
  EXPECT_THAT(labels.rows[0], ElementsAre("a", "yes", "0", "1", "0", "2"));
  EXPECT_THAT(labels.rows[1], ElementsAre("b", "no", "1", "0", "0", "3"));
  const std::string third = geo::shortest(fit.class_shares[0]);
  EXPECT_THAT(labels.rows[2],
              ElementsAre("c", "yes", third, geo::shortest(fit.class_shares[1]), testing::_, "0"));

  const auto skills = worker_skills(votes, table_fit);
  ASSERT_EQ(skills.size(), 3U);
  EXPECT_EQ(skills[1].n_items, 3);
  EXPECT_EQ(skills[1].n_votes, 4);
  EXPECT_THAT(skills[1].accuracy, Optional(testing::DoubleEq(1.0)));
  EXPECT_THAT(skills[1].kappa, Optional(1.0));
  EXPECT_EQ(skills[2].accuracy, std::nullopt);
  const geo::CsvTable workers = worker_table(votes, skills);
  EXPECT_THAT(workers.columns,
              ElementsAre("worker", "n_items", "n_votes", "accuracy", "accuracy_low", "accuracy_high",
                          "agreement", "kappa", "weight", "no_as_no", "no_as_yes", "no_as_unsure",
                          "yes_as_no", "yes_as_yes", "yes_as_unsure"));
  EXPECT_THAT(workers.rows[2], ElementsAre("cy", "0", "0", "NA", "NA", "NA", "NA", "NA", "NA", "NA", "NA",
                                           "NA", "NA", "NA", "NA"));
  EXPECT_EQ(workers.rows[0][9], "1");
}

TEST(FuseTable, CrowdlabLetsTheModelDecideWhereNobodyAnswered) {
  const NamedVotes votes = four_items();
  VoteFusionOptions options;
  options.method = FusionMethod::kCrowdlab;
  options.model = {0.2, 0.8, 0.9, 0.1, 0.7, 0.3, 0.4, 0.6};
  const TableFit fit = fuse_table(votes.table, options);
  const Crowdlab expected = crowdlab(votes.table, options.model);
  EXPECT_EQ(fit.fusion.posterior, expected.posterior);
  EXPECT_EQ(decide(fit.fusion.posterior_of(2)).label, 0);
  const auto skills = worker_skills(votes, fit);
  EXPECT_THAT(skills[0].weight, Optional(expected.voter_weight[0]));
  EXPECT_EQ(skills[0].accuracy_interval, std::nullopt);
  options.model.pop_back();
  EXPECT_THROW((void)fuse_table(votes.table, options), geo::InvalidArgument);
}

TEST(FuseTable, IntervalsOfTheAccuracyHoldTheTruth) {
  // 30 tables of 100 items with three classes, twelve workers of accuracies 0.5 to 0.9.
  constexpr std::uint32_t kWorkers = 12;
  const auto accuracy = [](std::uint32_t w) { return 0.5 + 0.4 * w / (kWorkers - 1.0); };
  int held = 0;
  int all = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    geo::Random random(seed, 0);
    NamedVotes votes{VoteTable(3, 3, kWorkers), {}, std::vector<std::string>(kWorkers), {"x", "y", "z"}};
    for (int i = 0; i < 100; ++i) {
      const auto truth = static_cast<std::uint16_t>(random.below(3));
      Votes row;
      for (std::uint32_t w = 0; w < kWorkers; ++w) {
        const auto other = static_cast<std::uint16_t>((truth + 1U + random.below(2)) % 3U);
        row.push_back({w, random.chance(accuracy(w)) ? truth : other});
      }
      votes.items.push_back(std::to_string(i));
      votes.table.add(row);
    }
    const auto skills = worker_skills(votes, fuse_table(votes.table, {}));
    for (std::uint32_t w = 0; w < kWorkers; ++w) {
      ASSERT_TRUE(skills[w].accuracy_interval);
      EXPECT_EQ(skills[w].accuracy_interval->mean, *skills[w].accuracy);
      held +=
          skills[w].accuracy_interval->low <= accuracy(w) && accuracy(w) <= skills[w].accuracy_interval->high;
      ++all;
    }
  }
  // 90 % of 360, and three standard deviations of chance.
  EXPECT_GE(held, static_cast<int>(0.85 * all)) << held;
  EXPECT_LE(held, static_cast<int>(0.95 * all)) << held;
}

}  // namespace
}  // namespace furrow::labelling
