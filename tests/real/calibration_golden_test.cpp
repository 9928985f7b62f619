// How far the risk of the weighted vote and of the posterior can be trusted, on five labellers whose skills
// are known: golden/d_staple/calibration_comparison.csv.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <furrow/labelling/bayes_consensus.h>
#include <furrow/labelling/consensus.h>

#include "golden_tables.h"
#include "support.h"

namespace furrow::labelling {
namespace {

constexpr std::size_t kLabellers = 5;

struct KnownLabellers {
  std::vector<double> truth;
  std::array<std::vector<double>, kLabellers> masks;
  double field_share = 0.0;
  std::array<VoterWeight, kLabellers> weights;  ///< score: share of right answers
};

KnownLabellers read_labellers() {
  KnownLabellers data;
  data.truth = test::golden_pixels("d_staple/truth.csv");
  const auto n = static_cast<double>(data.truth.size());
  double field = 0.0;
  for (const double t : data.truth) field += t;
  data.field_share = field / n;
  for (std::size_t j = 0; j < kLabellers; ++j) {
    data.masks[j] = test::golden_pixels("d_staple/labeller" + std::to_string(j + 1) + ".csv");
    double tp = 0.0;
    double tn = 0.0;
    for (std::size_t i = 0; i < data.truth.size(); ++i) {
      tp += data.masks[j][i] * data.truth[i];
      tn += (1.0 - data.masks[j][i]) * (1.0 - data.truth[i]);
    }
    data.weights[j] = {(tp + tn) / n, tp / field, tn / (n - field)};
  }
  return data;
}

struct Figures {
  double brier = 0.0;
  double log_loss = 0.0;
  double ece = 0.0;  ///< ten bins of the probability of field
  double accuracy = 0.0;
  double mean_risk = 0.0;
};

Figures judge(const std::vector<double>& p_field, const std::vector<double>& truth) {
  Figures f;
  std::array<double, 10> gap{};
  const auto n = static_cast<double>(truth.size());
  for (std::size_t i = 0; i < truth.size(); ++i) {
    const double p = p_field[i];
    f.brier += (p - truth[i]) * (p - truth[i]) / n;
    f.log_loss -= std::log(truth[i] > 0.5 ? p : 1.0 - p) / n;
    f.accuracy += (p > 0.5) == (truth[i] > 0.5) ? 1.0 / n : 0.0;
    f.mean_risk += std::min(p, 1.0 - p) / n;
    gap[std::min<std::size_t>(9, static_cast<std::size_t>(10.0 * p))] += (p - truth[i]) / n;
  }
  for (const double g : gap) f.ece += std::abs(g);
  return f;
}

void expect_figures(const std::vector<double>& p_field, const std::vector<double>& truth, std::size_t row) {
  const test::GoldenTable expected("d_staple/calibration_comparison.csv");
  const Figures f = judge(p_field, truth);
  constexpr double kPrinted = 6e-6;  // the table has five decimals
  EXPECT_NEAR(f.brier, expected.number(row, "brier"), kPrinted);
  EXPECT_NEAR(f.log_loss, expected.number(row, "log_loss"), kPrinted);
  EXPECT_NEAR(f.ece, expected.number(row, "ece10"), kPrinted);
  EXPECT_NEAR(f.accuracy, expected.number(row, "accuracy"), kPrinted);
  EXPECT_NEAR(f.mean_risk, expected.number(row, "mean_risk"), kPrinted);
  EXPECT_NEAR(1.0 - f.accuracy, expected.number(row, "true_error_rate"), kPrinted);
}

TEST(CalibrationGolden, WeightedVoteIsNoProbability) {
  FURROW_NEEDS_SHARED_DATA();
  const KnownLabellers data = read_labellers();
  FusionOptions options;
  options.classes = 2;
  std::vector<double> heat;
  for (std::size_t i = 0; i < data.truth.size(); ++i) {
    std::array<Vote, kLabellers> votes{};
    for (std::size_t j = 0; j < kLabellers; ++j) votes[j] = make_vote(data.masks[j][i] > 0.5 ? 1 : 0);
    heat.push_back(fuse_votes(votes, data.weights, options).posterior[1]);
  }
  expect_figures(heat, data.truth, 0);
}

TEST(CalibrationGolden, PosteriorOfTheSameSkillsIs) {
  FURROW_NEEDS_SHARED_DATA();
  const KnownLabellers data = read_labellers();
  BayesFit fit;  // the skills as they are; nothing learned
  fit.fusion.classes = 2;
  fit.fusion.outcomes = 2;
  fit.fusion.class_shares = {1.0 - data.field_share, data.field_share};
  fit.skills.resize(kLabellers);
  for (const auto& w : data.weights) {
    fit.fusion.confusion.insert(fit.fusion.confusion.end(),
                                {w.nofield_skill, 1.0 - w.nofield_skill, 1.0 - w.field_skill, w.field_skill});
  }
  std::vector<double> posterior;
  for (std::size_t i = 0; i < data.truth.size(); ++i) {
    std::vector<VoteEntry> votes;
    for (std::uint32_t j = 0; j < kLabellers; ++j)
      votes.push_back({j, static_cast<std::uint16_t>(data.masks[j][i] > 0.5 ? 1 : 0)});
    posterior.push_back(fit.predict(votes, 0)[1]);
  }
  expect_figures(posterior, data.truth, 1);
}

/// The worked example of the published supplement.
TEST(CalibrationGolden, PublishedExampleOfTwoLabellers) {
  FURROW_NEEDS_SHARED_DATA();
  const test::GoldenTable input("e_published/worked_example_input.csv");
  const test::GoldenTable expected("e_published/worked_example_expected.csv");
  std::vector<VoterWeight> weights;
  std::vector<Vote> votes;
  for (std::size_t i = 0; i < input.rows(); ++i) {
    weights.push_back({input.number(i, "mean_score"), input.number(i, "prod_acc_field"),
                       input.number(i, "prod_acc_nofield")});
    votes.push_back(make_vote(input.text(i, "label") == "field" ? 1 : 0));
  }
  EXPECT_NEAR(weights[0].score * weights[0].field_skill, expected.number(0, "weight_A"), 1e-12);
  EXPECT_NEAR(weights[1].score * weights[1].nofield_skill, expected.number(0, "weight_B"), 1e-12);
  for (const bool compatible : {false, true}) {
    FusionOptions options;
    options.classes = 2;
    options.compatible = compatible;
    const FusedVote fused = fuse_votes(votes, weights, options);
    EXPECT_NEAR(fused.posterior[1], expected.number(0, "consensus"), 1e-12);
    EXPECT_EQ(fused.label, expected.number(0, "label"));
    EXPECT_NEAR(fused.risk, expected.number(0, "risk"), 1e-12);
  }
}

}  // namespace
}  // namespace furrow::labelling
