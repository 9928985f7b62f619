// Other programs' fusion methods as judges of ours (golden/c_label_fusion): their labels where they agree
// among themselves, their measures of agreement, and their segmentations.
#include <furrow/labelling/agreement.h>
#include <furrow/labelling/dawid_skene.h>
#include <furrow/labelling/staple.h>
#include <furrow/labelling/votes_csv.h>
#include <furrow/labelling/weighted_vote.h>

#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/text.h>

#include "golden_tables.h"
#include "support.h"

namespace furrow::labelling {
namespace {

NamedVotes toy() {
  VotesCsvOptions options;
  options.path = test::shared("golden/c_label_fusion/toy_labels.csv");
  options.item_column = "task";
  return read_votes_csv(options);
}

/// Values of one method: [key + sub] -> value.
std::map<std::string, double> toy_values(const std::string& method, const std::string& what) {
  const test::GoldenTable table("c_label_fusion/toy_expected.csv");
  std::map<std::string, double> values;
  for (std::size_t i = 0; i < table.rows(); ++i) {
    if (table.text(i, "method") == method && table.text(i, "what") == what)
      values[table.text(i, "key") + table.text(i, "sub")] = table.number(i, "value");
  }
  return values;
}

/// P(yes) of the five tasks by a method.
std::vector<double> toy_posterior(const std::string& method) {
  const auto values = toy_values(method, "posterior");
  std::vector<double> yes;
  for (int task = 1; task <= 5; ++task) yes.push_back(values.at(geo::concat("t", task, "yes")));
  return yes;
}

std::vector<double> yes_of(const FusionFit& fit) {
  std::vector<double> yes;
  for (std::size_t i = 0; i < 5; ++i) yes.push_back(fit.posterior_of(i)[1]);
  return yes;
}

auto near_all(const std::vector<double>& expected, double tolerance) {
  return testing::Pointwise(testing::DoubleNear(tolerance), expected);
}

TEST(CrowdkitGolden, MajorityAndWeightedVote) {
  FURROW_NEEDS_SHARED_DATA();
  const NamedVotes votes = toy();
  ASSERT_THAT(votes.labels, testing::ElementsAre("no", "yes"));
  EXPECT_THAT(yes_of(weighted_vote(votes.table)), near_all(toy_posterior("majority"), 1e-12));
  // Wawa: a vote weighted by each worker's agreement with the majority.
  for (const std::string method : {"wawa", "zero_based_skill"}) {
    std::vector<double> weights;
    for (const auto& [worker, skill] : toy_values(method, "skill")) weights.push_back(skill);
    EXPECT_THAT(yes_of(weighted_vote(votes.table, weights)), near_all(toy_posterior(method), 1e-11))
        << method;
  }
}

TEST(CrowdkitGolden, DawidSkene) {
  FURROW_NEEDS_SHARED_DATA();
  const NamedVotes votes = toy();
  EXPECT_THAT(yes_of(dawid_skene(votes.table)), near_all(toy_posterior("dawid_skene"), 1e-6));
  DawidSkeneOptions one_coin;
  one_coin.one_coin = true;
  const FusionFit fit = dawid_skene(votes.table, one_coin);
  EXPECT_THAT(yes_of(fit), near_all(toy_posterior("one_coin_dawid_skene"), 1e-4));
  std::size_t voter = 0;
  for (const auto& [worker, skill] : toy_values("one_coin_dawid_skene", "skill"))
    EXPECT_NEAR(fit.confusion_at(voter++, 0, 0), skill, 1e-4) << worker;
}

// GLAD, MACE and the rest differ in what they model; where all of them name one label, so must ours.
TEST(CrowdkitGolden, LabelsThatAllMethodsShare) {
  FURROW_NEEDS_SHARED_DATA();
  const NamedVotes votes = toy();
  DawidSkeneOptions one_coin;
  one_coin.one_coin = true;
  const std::vector<FusionFit> ours{weighted_vote(votes.table), dawid_skene(votes.table),
                                    dawid_skene(votes.table, one_coin), staple(votes.table)};
  int shared = 0;
  for (std::size_t task = 0; task < 5; ++task) {
    std::set<int> labels;
    for (const std::string method :
         {"majority", "wawa", "zero_based_skill", "dawid_skene", "one_coin_dawid_skene", "glad", "mace"}) {
      const double yes = toy_posterior(method)[task];
      labels.insert(yes == 0.5 ? -1 : yes > 0.5 ? 1 : 0);
    }
    if (labels.size() != 1) continue;
    ++shared;
    for (const FusionFit& fit : ours)
      EXPECT_EQ(decide(fit.posterior_of(task)).label, *labels.begin()) << task;
  }
  EXPECT_EQ(shared, 4);  // the first task is a tie for the majority
}

// The spectral method ranks workers by skill; worker 1 is the only one that it finds worse than chance.
TEST(CrowdkitGolden, SkillsOfTheSpectralMethod) {
  FURROW_NEEDS_SHARED_DATA();
  DawidSkeneOptions one_coin;
  one_coin.one_coin = true;
  const FusionFit fit = dawid_skene(toy().table, one_coin);
  std::size_t voter = 0;
  for (const auto& [worker, skill] : toy_values("mmsr", "skill"))
    EXPECT_EQ(fit.confusion_at(voter++, 0, 0) < 0.5, skill < 0.0) << worker;
}

TEST(CrowdkitGolden, MeasuresOfAgreement) {
  FURROW_NEEDS_SHARED_DATA();
  const NamedVotes votes = toy();
  ASSERT_TRUE(krippendorff_alpha(votes.table));
  EXPECT_NEAR(*krippendorff_alpha(votes.table), 0.142191142191, 1e-12);
  const std::vector<double> skills{0.6, 0.8, 1.0, 0.4, 0.8};
  EXPECT_NEAR(*mean_top_posterior(votes.table, posterior_from_accuracy(votes.table, skills)), 0.938461538462,
              1e-12);
  // Their entropies are of shares divided by their sum + 1e-6.
  EXPECT_NEAR(*mean_entropy(votes.table, mean_vote(votes.table, skills)), 0.6308666, 1e-5);
  EXPECT_NEAR(*mean_entropy(votes.table, mean_vote(votes.table, std::vector<double>(5, 1.0))), 0.507914587623,
              1e-5);
}

struct Stack {
  std::string name, files;
  int count;
};

class SegmentationGolden : public ::testing::TestWithParam<Stack> {};

double iou(const std::vector<int>& a, const std::vector<int>& b) {
  double both = 0.0;
  double either = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    both += a[i] == 1 && b[i] == 1;
    either += a[i] == 1 || b[i] == 1;
  }
  return both / either;
}

std::vector<int> golden_mask(const std::string& path) {
  const auto pixels = test::golden_pixels(path);
  return {pixels.begin(), pixels.end()};
}

std::vector<int> mask_of(const test::GoldenStack& stack, const FusionFit& fit, TieRule ties) {
  std::vector<int> mask;
  for (const std::uint32_t row : stack.of_pixel) mask.push_back(decide(fit.posterior_of(row), ties).label);
  return mask;
}

// Ties of crowd-kit's majority and RASA become field, those of its EM background.
TEST_P(SegmentationGolden, WeightedVotesAreTheirs) {
  FURROW_NEEDS_SHARED_DATA();
  const auto [name, files, count] = GetParam();
  const test::GoldenStack stack = test::golden_stack("d_staple/" + files, count);
  EXPECT_EQ(mask_of(stack, weighted_vote(stack.votes), TieRule::kHighest),
            golden_mask("c_label_fusion/seg_" + name + "_majority.csv"));
  const test::GoldenTable table("c_label_fusion/seg_" + name + "_rasa_weights.csv");
  std::vector<double> weights;
  for (std::size_t i = 0; i < table.rows(); ++i) weights.push_back(table.number(i, "rasa_weight_after_10"));
  EXPECT_EQ(mask_of(stack, weighted_vote(stack.votes, weights), TieRule::kHighest),
            golden_mask("c_label_fusion/seg_" + name + "_rasa.csv"));
}

INSTANTIATE_TEST_SUITE_P(Stacks, SegmentationGolden,
                         ::testing::Values(Stack{"random5", "labeller", 5}, Stack{"tiny3", "tiny", 3}),
                         [](const auto& stack) { return stack.param.name; });

TEST(StapleAgainstCrowdkit, IsNearerTheTruth) {
  FURROW_NEEDS_SHARED_DATA();
  const test::GoldenStack stack = test::golden_stack("d_staple/labeller", 5);
  const auto truth = golden_mask("d_staple/truth.csv");
  const double ours = iou(mask_of(stack, staple(stack.votes), TieRule::kLowest), truth);
  for (const std::string method : {"rasa", "majority", "em"})
    EXPECT_GE(ours, iou(golden_mask("c_label_fusion/seg_random5_" + method + ".csv"), truth)) << method;
  EXPECT_NEAR(ours, 0.9728, 1e-4);

  const test::GoldenStack shifted = test::golden_stack("d_staple/shifted", 5);
  EXPECT_NEAR(iou(mask_of(shifted, staple(shifted.votes), TieRule::kLowest), truth), 0.9814, 1e-4);
  EXPECT_NEAR(iou(mask_of(shifted, weighted_vote(shifted.votes), TieRule::kHighest), truth), 0.888, 1e-3);
}

// The risk of a fitted posterior is the share of wrong labels; that of a vote is far from it.
TEST(DawidSkeneCalibration, RiskIsTheErrorRate) {
  FURROW_NEEDS_SHARED_DATA();
  const test::GoldenStack stack = test::golden_stack("d_staple/labeller", 5);
  const auto truth = golden_mask("d_staple/truth.csv");
  const auto gap = [&](const FusionFit& fit) {
    double risk = 0.0;
    double wrong = 0.0;
    for (std::size_t i = 0; i < truth.size(); ++i) {
      const Decision decision = decide(fit.posterior_of(stack.of_pixel[i]));
      risk += decision.risk;
      wrong += decision.label != truth[i];
    }
    return std::abs(risk - wrong) / static_cast<double>(truth.size());
  };
  EXPECT_LT(gap(dawid_skene(stack.votes)), 0.005);
  EXPECT_LT(gap(staple(stack.votes)), 0.005);
  EXPECT_GT(gap(weighted_vote(stack.votes)), 0.1);
}

}  // namespace
}  // namespace furrow::labelling
