#include <furrow/labelling/agreement.h>

#include <array>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>

namespace furrow::labelling {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::Optional;
using Votes = std::vector<VoteEntry>;

/// A table from texts, one per item, one character per voter; '.' = no vote.
VoteTable table_of(const std::vector<std::string>& items, int classes = 2) {
  VoteTable table(classes, classes, items.front().size());
  for (const auto& item : items) {
    Votes votes;
    for (std::uint32_t j = 0; j < item.size(); ++j) {
      if (item[j] != '.') votes.push_back({j, static_cast<std::uint16_t>(item[j] - '0')});
    }
    table.add(votes);
  }
  return table;
}

TEST(KrippendorffAlpha, PublishedValues) {
  EXPECT_THAT(krippendorff_alpha(table_of({"11", "00", "10"})), Optional(DoubleNear(0.444444444444, 1e-12)));
  EXPECT_EQ(krippendorff_alpha(table_of({"11", "00"})), 1.0);
  // Krippendorff's own example of three coders, nominal, with gaps: alpha = 0.691.
  const std::vector<std::string> items{".1.", "...", ".22", ".11", ".33", "334", "444", "13.",
                                       "2.2", "1.1", "1.1", "3.3", "3.3", "...", "3.4"};
  EXPECT_THAT(krippendorff_alpha(table_of(items, 5)), Optional(DoubleNear(0.691, 5e-4)));
}

TEST(KrippendorffAlpha, CountsRepeatedVotesAndItems) {
  // One voter who contradicts itself is as good as two voters who contradict each other.
  VoteTable repeated(2, 2, 1);
  repeated.add(Votes{{0, 1, 2}}, 5.0);
  repeated.add(Votes{{0, 0, 2}}, 5.0);
  repeated.add(Votes{{0, 0}, {0, 1}}, 5.0);
  VoteTable pairs(2, 2, 2);
  for (int i = 0; i < 5; ++i) {
    pairs.add(Votes{{0, 1}, {1, 1}});
    pairs.add(Votes{{0, 0}, {1, 0}});
    pairs.add(Votes{{0, 0}, {1, 1}});
  }
  ASSERT_TRUE(krippendorff_alpha(repeated));
  EXPECT_NEAR(*krippendorff_alpha(repeated), *krippendorff_alpha(pairs), 1e-14);
}

TEST(KrippendorffAlpha, NeedsPairsAndTwoOutcomes) {
  EXPECT_EQ(krippendorff_alpha(VoteTable(2, 2, 0)), std::nullopt);
  EXPECT_EQ(krippendorff_alpha(table_of({"0.", ".1"})), std::nullopt);
  EXPECT_EQ(krippendorff_alpha(table_of({"00", "00"})), std::nullopt);
}

TEST(FleissKappa, PublishedValue) {
  // Ten items, fourteen raters, five categories: kappa = 0.210 (the example of the encyclopaedias).
  const std::vector<std::array<int, 5>> counts{
      {0, 0, 0, 0, 14}, {0, 2, 6, 4, 2}, {0, 0, 3, 5, 6}, {0, 3, 9, 2, 0}, {2, 2, 8, 1, 1},
      {7, 7, 0, 0, 0},  {3, 2, 6, 3, 0}, {2, 5, 3, 2, 2}, {6, 5, 2, 1, 0}, {0, 2, 2, 3, 7}};
  VoteTable table(5, 5, 14);
  for (const auto& row : counts) {
    Votes votes;
    std::uint32_t voter = 0;
    for (std::uint16_t k = 0; k < 5; ++k) {
      for (int n = 0; n < row[k]; ++n) votes.push_back({voter++, k});
    }
    table.add(votes);
  }
  EXPECT_THAT(fleiss_kappa(table), Optional(DoubleNear(0.2099, 1e-4)));
  EXPECT_EQ(fleiss_kappa(table_of({"1.", "..", ".0"})), std::nullopt);
  EXPECT_EQ(fleiss_kappa(table_of({"111"})), std::nullopt);
}

TEST(CohenKappa, PublishedValue) {
  // 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: kappa = 0.4.
  VoteTable table(2, 2, 3);
  table.add(Votes{{0, 1}, {1, 1}}, 20.0);
  table.add(Votes{{0, 1}, {1, 0}}, 5.0);
  table.add(Votes{{0, 0}, {1, 1}}, 10.0);
  table.add(Votes{{0, 0}, {1, 0}}, 15.0);
  table.add(Votes{{0, 0}, {2, 1}}, 99.0);
  EXPECT_THAT(cohen_kappa(table, 0, 1), Optional(DoubleNear(0.4, 1e-14)));
  EXPECT_THAT(cohen_kappa(table, 1, 0), Optional(DoubleNear(0.4, 1e-14)));
  EXPECT_EQ(cohen_kappa(table, 1, 2), std::nullopt);  // no item in common
  EXPECT_THROW((void)cohen_kappa(table, 0, 3), geo::InvalidArgument);
}

TEST(CohenKappa, RepeatedVotesShareTheItem) {
  VoteTable table(2, 2, 2);
  table.add(Votes{{0, 1, 3}, {0, 0, 1}, {1, 1}});
  table.add(Votes{{0, 0}, {1, 0, 7}});
  // Joint answers: (1,1) 3/4, (0,1) 1/4, (0,0) 1.
  const double observed = 1.75 / 2.0;
  const double expected = 0.375 * 0.5 + 0.625 * 0.5;
  EXPECT_THAT(cohen_kappa(table, 0, 1),
              Optional(DoubleNear((observed - expected) / (1.0 - expected), 1e-14)));
}

TEST(CohenKappa, WithLabels) {
  const VoteTable table = table_of({"1", "1", "0", "0", "."});
  const std::vector<std::int32_t> labels{1, 0, 0, -1, 1};
  // On three items: votes 1 1 0, labels 1 0 0.
  EXPECT_THAT(kappa_with_labels(table, 0, labels),
              Optional(DoubleNear((2.0 / 3.0 - 4.0 / 9.0) / (5.0 / 9.0), 1e-14)));
  EXPECT_THAT(agreement_with_labels(table, 0, labels), Optional(DoubleNear(2.0 / 3.0, 1e-14)));
  EXPECT_EQ(kappa_with_labels(table, 0, std::vector<std::int32_t>(5, -1)), std::nullopt);
  EXPECT_EQ(agreement_with_labels(table, 0, std::vector<std::int32_t>(5, -1)), std::nullopt);
  EXPECT_THROW((void)kappa_with_labels(table, 0, std::vector<std::int32_t>{1}), geo::InvalidArgument);
}

TEST(PosteriorFromAccuracy, IsBayesRule) {
  VoteTable table(3, 4, 2);
  table.add(Votes{{0, 0}, {1, 2}});
  table.add(Votes{{0, 3}});  // unsure
  const auto posterior = posterior_from_accuracy(table, std::array{0.8, 0.6});
  const double sum = 0.8 * 0.2 + 0.1 * 0.2 + 0.1 * 0.6;
  EXPECT_THAT(posterior, ElementsAre(DoubleNear(0.16 / sum, 1e-14), DoubleNear(0.02 / sum, 1e-14),
                                     DoubleNear(0.06 / sum, 1e-14), DoubleNear(1.0 / 3.0, 1e-14),
                                     DoubleNear(1.0 / 3.0, 1e-14), DoubleNear(1.0 / 3.0, 1e-14)));
  const auto votes = mean_vote(table, std::array{0.8, 0.6});
  EXPECT_THAT(std::vector<double>(votes.begin(), votes.begin() + 3),
              ElementsAre(DoubleNear(0.5, 1e-14), DoubleNear(0.15, 1e-14), DoubleNear(0.35, 1e-14)));
  EXPECT_NEAR(votes[3], 1.0 / 3.0, 1e-15);
}

TEST(PosteriorFromAccuracy, CertainVotersWhoContradictEachOther) {
  const auto posterior = posterior_from_accuracy(table_of({"10", "11"}), std::array{1.0, 1.0});
  EXPECT_THAT(posterior, ElementsAre(0.5, 0.5, 0.0, 1.0));
  EXPECT_THROW((void)posterior_from_accuracy(table_of({"1"}), std::array{1.5}), geo::InvalidArgument);
  EXPECT_THROW((void)posterior_from_accuracy(table_of({"1"}), std::array{std::nan("")}),
               geo::InvalidArgument);
  EXPECT_THROW((void)mean_vote(table_of({"1"}), std::array{0.5, 0.5}), geo::InvalidArgument);
}

TEST(PosteriorFromAccuracy, ManyVotersDoNotUnderflow) {
  const auto posterior =
      posterior_from_accuracy(table_of({std::string(3000, '1')}), std::vector<double>(3000, 0.6));
  EXPECT_EQ(posterior[1], 1.0);
}

TEST(MeanPosterior, AveragesItemsThatSomebodyVotedOn) {
  VoteTable table(2, 2, 1);
  table.add(Votes{{0, 1}}, 3.0);
  table.add(Votes{{0, 0}}, 1.0);
  table.add({}, 100.0);
  const std::vector<double> posterior{0.2, 0.8, 1.0, 0.0, 0.5, 0.5};
  EXPECT_THAT(mean_top_posterior(table, posterior), Optional(DoubleNear((3.0 * 0.8 + 1.0) / 4.0, 1e-15)));
  EXPECT_THAT(mean_entropy(table, posterior),
              Optional(DoubleNear(0.75 * entropy(std::array{0.2, 0.8}), 1e-15)));
  EXPECT_EQ(mean_entropy(VoteTable(2, 2, 1), {}), std::nullopt);
  EXPECT_THROW((void)mean_entropy(table, std::array{1.0}), geo::InvalidArgument);
}

TEST(Entropy, InNats) {
  EXPECT_EQ(entropy(std::array{0.0, 1.0}), 0.0);
  EXPECT_NEAR(entropy(std::array{0.5, 0.5}), std::numbers::ln2, 1e-15);
}

}  // namespace
}  // namespace furrow::labelling
