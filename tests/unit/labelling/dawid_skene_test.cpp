#include <furrow/labelling/dawid_skene.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tbb/task_arena.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/labelling/weighted_vote.h>

namespace furrow::labelling {
namespace {

using testing::Each;
using Votes = std::vector<VoteEntry>;

/// Items with a truth, voted on by voters of given accuracy; each votes with the given probability.
struct Simulated {
  VoteTable votes;
  std::vector<int> truth;
};

Simulated simulate(int classes, const std::vector<double>& accuracy, int items, double present,
                   std::uint64_t seed) {
  Simulated result{VoteTable(classes, classes, accuracy.size()), {}};
  geo::Random random(seed);
  for (int i = 0; i < items; ++i) {
    const auto truth = random.below(static_cast<std::uint64_t>(classes));
    Votes votes;
    for (std::uint32_t j = 0; j < accuracy.size(); ++j) {
      if (!random.chance(present)) continue;
      std::uint64_t says = truth;
      if (!random.chance(accuracy[j]))
        says = (truth + 1 + random.below(static_cast<std::uint64_t>(classes) - 1)) %
               static_cast<std::uint64_t>(classes);
      votes.push_back({j, static_cast<std::uint16_t>(says)});
    }
    result.votes.add(votes);
    result.truth.push_back(static_cast<int>(truth));
  }
  return result;
}

double share_right(const FusionFit& fit, const std::vector<int>& truth) {
  double right = 0.0;
  for (std::size_t i = 0; i < truth.size(); ++i) right += decide(fit.posterior_of(i)).label == truth[i];
  return right / static_cast<double>(truth.size());
}

void expect_finite(const FusionFit& fit) {
  const auto finite = testing::ResultOf([](double v) { return std::isfinite(v); }, true);
  EXPECT_THAT(fit.class_shares, Each(finite));
  EXPECT_THAT(fit.confusion, Each(finite));
  EXPECT_THAT(fit.posterior, Each(finite));
  EXPECT_TRUE(std::isfinite(fit.objective));
  const auto classes = static_cast<std::size_t>(fit.classes);
  for (std::size_t i = 0; i * classes < fit.posterior.size(); ++i) {
    const auto row = fit.posterior_of(i);
    EXPECT_NEAR(std::accumulate(row.begin(), row.end(), 0.0), 1.0, 1e-12);
  }
}

/// The log-likelihood, written down from its definition with products.
double slow_log_likelihood(const VoteTable& votes, const FusionFit& fit) {
  double sum = 0.0;
  for (std::size_t i = 0; i < votes.rows(); ++i) {
    const VoteRow row = votes.row(i);
    double probability = 0.0;
    for (int c = 0; c < fit.classes; ++c) {
      if (row.truth >= 0 && row.truth != c) continue;
      double term = fit.class_shares[static_cast<std::size_t>(c)];
      for (const VoteEntry& vote : row.votes)
        term *= std::pow(fit.confusion_at(vote.voter, c, vote.outcome), vote.times);
      probability += term;
    }
    sum += row.count * std::log(probability);
  }
  return sum;
}

TEST(DawidSkene, FindsSkillsAndTruth) {
  const Simulated data = simulate(3, {0.95, 0.9, 0.6, 0.55, 0.5}, 4000, 0.8, 11);
  const FusionFit fit = dawid_skene(data.votes.grouped());
  EXPECT_TRUE(fit.converged);
  expect_finite(fit);
  EXPECT_NEAR(fit.confusion_at(0, 1, 1), 0.95, 0.03);
  EXPECT_NEAR(fit.confusion_at(4, 2, 2), 0.5, 0.05);
  EXPECT_NEAR(fit.confusion_at(4, 2, 0), 0.25, 0.05);
  const FusionFit by_item = dawid_skene(data.votes);
  EXPECT_GT(share_right(by_item, data.truth), share_right(weighted_vote(data.votes), data.truth) + 0.02);
  EXPECT_NEAR(slow_log_likelihood(data.votes, by_item), by_item.objective,
              1e-9 * std::abs(by_item.objective));
}

TEST(DawidSkene, GroupedRowsGiveTheSameFit) {
  const Simulated data = simulate(2, {0.9, 0.8, 0.7, 0.65}, 1500, 0.7, 5);
  std::vector<std::size_t> row_of;
  const VoteTable grouped = data.votes.grouped(&row_of);
  ASSERT_LT(grouped.rows(), 100U);
  for (const bool one_coin : {false, true}) {
    DawidSkeneOptions options;
    options.one_coin = one_coin;
    const FusionFit one = dawid_skene(data.votes, options);
    const FusionFit two = dawid_skene(grouped, options);
    EXPECT_NEAR(one.objective, two.objective, 1e-8);
    for (std::size_t i = 0; i < row_of.size(); ++i)
      ASSERT_NEAR(one.posterior_of(i)[1], two.posterior_of(row_of[i])[1], 1e-6);
  }
}

TEST(DawidSkene, OneCoinFindsAccuracies) {
  const std::vector<double> accuracy{0.95, 0.8, 0.6, 0.4};
  const Simulated data = simulate(4, accuracy, 5000, 1.0, 3);
  DawidSkeneOptions options;
  options.one_coin = true;
  const FusionFit fit = dawid_skene(data.votes.grouped(), options);
  for (std::size_t j = 0; j < accuracy.size(); ++j) {
    EXPECT_NEAR(fit.confusion_at(j, 0, 0), accuracy[j], 0.03);
    EXPECT_EQ(fit.confusion_at(j, 0, 0), fit.confusion_at(j, 3, 3));
    EXPECT_NEAR(fit.confusion_at(j, 1, 2), (1.0 - fit.confusion_at(j, 0, 0)) / 3.0, 1e-15);
  }
  const FusionFit by_item = dawid_skene(data.votes, options);
  EXPECT_NEAR(slow_log_likelihood(data.votes, by_item), by_item.objective, 1e-6);
}

TEST(DawidSkene, UnsureIsAnAnswerOfItsOwn) {
  // Voter 2 says "unsure" (outcome 2) nearly always on fields and never on background: it means field.
  VoteTable table(2, 3, 3);
  table.add(Votes{{0, 1}, {1, 1}, {2, 2}}, 90.0);
  table.add(Votes{{0, 1}, {1, 1}, {2, 1}}, 10.0);
  table.add(Votes{{0, 0}, {1, 0}, {2, 0}}, 100.0);
  table.add(Votes{{0, 1}, {1, 0}, {2, 2}}, 2.0);
  table.add(Votes{{2, 2}}, 1.0);
  const FusionFit fit = dawid_skene(table);
  EXPECT_NEAR(fit.confusion_at(2, 1, 2), 0.9, 0.02);
  EXPECT_LT(fit.confusion_at(2, 0, 2), 1e-6);
  EXPECT_GT(fit.posterior_of(4)[1], 0.999);
  // With one coin it says nothing: the class shares remain.
  DawidSkeneOptions options;
  options.one_coin = true;
  const FusionFit coin = dawid_skene(table, options);
  EXPECT_NEAR(coin.posterior_of(4)[1], coin.class_shares[1], 1e-12);
  EXPECT_EQ(coin.confusion_at(2, 1, 2), 0.0);
}

TEST(DawidSkene, KnownTruthTeachesTheTables) {
  // Voter 0 answers the wrong way round; only the known rows can tell.
  VoteTable table(2, 2, 1);
  table.add(Votes{{0, 0}}, 30.0, 1);
  table.add(Votes{{0, 1}}, 20.0, 0);
  table.add(Votes{{0, 1}}, 5.0);
  const FusionFit fit = dawid_skene(table);
  EXPECT_EQ(fit.posterior_of(0)[1], 1.0);
  EXPECT_NEAR(fit.confusion_at(0, 1, 0), 1.0, 1e-12);
  EXPECT_NEAR(fit.posterior_of(2)[0], 1.0, 1e-12);
  EXPECT_NEAR(fit.class_shares[0], 25.0 / 55.0, 1e-12);
  EXPECT_NEAR(slow_log_likelihood(table, fit), fit.objective, 1e-9);
}

TEST(DawidSkene, PseudoCountsShrinkTheTables) {
  VoteTable table(2, 2, 1);
  table.add(Votes{{0, 1}}, 3.0, 1);
  table.add(Votes{{0, 0}}, 1.0, 0);
  DawidSkeneOptions options;
  options.pseudo_items = 1.0;
  options.pseudo_right = 2.0;
  options.pseudo_wrong = 1.0;
  const FusionFit fit = dawid_skene(table, options);
  EXPECT_NEAR(fit.class_shares[1], 4.0 / 6.0, 1e-15);
  EXPECT_NEAR(fit.confusion_at(0, 1, 1), 5.0 / 6.0, 1e-15);
  EXPECT_NEAR(fit.confusion_at(0, 0, 1), 1.0 / 4.0, 1e-15);
  const double expected = 3.0 * std::log(4.0 / 6.0 * 5.0 / 6.0) + std::log(2.0 / 6.0 * 3.0 / 4.0) +
                          std::log(2.0 / 6.0) + std::log(4.0 / 6.0) + 2.0 * std::log(5.0 / 6.0) +
                          std::log(1.0 / 6.0) + 2.0 * std::log(3.0 / 4.0) + std::log(1.0 / 4.0);
  EXPECT_NEAR(fit.objective, expected, 1e-12);
  options.one_coin = true;
  const FusionFit coin = dawid_skene(table, options);
  EXPECT_NEAR(coin.confusion_at(0, 0, 0), (4.0 + 2.0) / (4.0 + 3.0), 1e-15);
}

TEST(DawidSkene, ThreeHundredVotersDoNotUnderflow) {
  const Simulated data = simulate(2, std::vector<double>(300, 0.6), 200, 1.0, 8);
  const FusionFit fit = dawid_skene(data.votes);
  expect_finite(fit);
  EXPECT_GT(share_right(fit, data.truth), 0.98);
}

TEST(DawidSkene, RowsWithoutVotesGetTheSharesAndChangeNothing) {
  const Simulated data = simulate(3, {0.9, 0.8, 0.7}, 300, 1.0, 2);
  VoteTable more = data.votes;
  more.add({}, 5000.0);
  const FusionFit fit = dawid_skene(data.votes);
  const FusionFit with = dawid_skene(more);
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_NEAR(with.posterior_of(300)[c], fit.class_shares[c], 1e-12);
    EXPECT_EQ(with.class_shares[c], fit.class_shares[c]);
  }
  EXPECT_NEAR(with.objective, fit.objective, 1e-6);
}

TEST(DawidSkene, VoterWithoutVotesHasEqualAnswers) {
  VoteTable table(2, 2, 3);
  table.add(Votes{{0, 1}, {1, 1}}, 4.0);
  table.add(Votes{{0, 0}, {1, 0}}, 4.0);
  const FusionFit fit = dawid_skene(table);
  expect_finite(fit);
  EXPECT_EQ(fit.confusion_at(2, 0, 0), 0.5);
  DawidSkeneOptions options;
  options.pseudo_right = 3.0;
  options.pseudo_wrong = 1.0;
  EXPECT_EQ(dawid_skene(table, options).confusion_at(2, 0, 0), 0.75);
}

TEST(DawidSkene, DegenerateTablesStayFinite) {
  expect_finite(dawid_skene(VoteTable(2, 2, 0)));
  expect_finite(dawid_skene(VoteTable(3, 4, 5)));
  VoteTable background(2, 2, 3);
  background.add(Votes{{0, 0}, {1, 0}, {2, 0}}, 50.0);
  for (const int restarts : {0, 5}) {
    for (const bool one_coin : {false, true}) {
      DawidSkeneOptions options;
      options.restarts = restarts;
      options.one_coin = one_coin;
      const FusionFit fit = dawid_skene(background, options);
      expect_finite(fit);
      EXPECT_EQ(fit.posterior_of(0)[0], 1.0);
    }
  }
  VoteTable alone(2, 2, 1);
  alone.add(Votes{{0, 1}}, 3.0);
  alone.add(Votes{{0, 0}}, 9.0);
  const FusionFit one = dawid_skene(alone);
  expect_finite(one);
  EXPECT_EQ(decide(one.posterior_of(0)).label, 1);
  // Voters who share no item: each of them is believed.
  VoteTable apart(2, 2, 2);
  apart.add(Votes{{0, 1}}, 3.0);
  apart.add(Votes{{1, 0}}, 3.0);
  expect_finite(dawid_skene(apart));
  EXPECT_EQ(decide(dawid_skene(apart).posterior_of(1)).label, 0);
  // A row of no items with votes that never occur elsewhere.
  alone.add(Votes{{0, 1}, {0, 0}}, 0.0);
  expect_finite(dawid_skene(alone));
}

TEST(DawidSkene, RestartsNeverLoseAndKeepTheNamesOfTheClasses) {
  const Simulated data = simulate(3, {0.9, 0.85, 0.7, 0.6}, 400, 0.9, 21);
  const FusionFit plain = dawid_skene(data.votes);
  DawidSkeneOptions options;
  options.restarts = 20;
  const FusionFit best = dawid_skene(data.votes, options);
  EXPECT_GE(best.objective, plain.objective - 1e-7);
  EXPECT_GT(share_right(best, data.truth), 0.9);
  EXPECT_NEAR(slow_log_likelihood(data.votes, best), best.objective, 1e-6);
}

TEST(DawidSkene, SameResultForAnyNumberOfThreads) {
  const Simulated data = simulate(2, {0.9, 0.8, 0.7}, 300, 0.9, 4);
  DawidSkeneOptions options;
  options.restarts = 12;
  tbb::task_arena one(1);
  tbb::task_arena four(4);
  const FusionFit a = one.execute([&] { return dawid_skene(data.votes, options); });
  const FusionFit b = four.execute([&] { return dawid_skene(data.votes, options); });
  EXPECT_EQ(a.posterior, b.posterior);
  EXPECT_EQ(a.confusion, b.confusion);
  EXPECT_EQ(a.iterations, b.iterations);
}

TEST(DawidSkene, StopsAtTheIterationLimit) {
  DawidSkeneOptions options;
  options.max_iterations = 1;
  const FusionFit fit = dawid_skene(simulate(2, {0.9, 0.6, 0.6}, 100, 1.0, 9).votes, options);
  EXPECT_FALSE(fit.converged);
  EXPECT_EQ(fit.iterations, 1);
}

TEST(DawidSkene, RefusesOptionsOutOfRange) {
  const VoteTable table(2, 2, 1);
  const auto with = [&](auto change) {
    DawidSkeneOptions options;
    change(options);
    return [=] { (void)dawid_skene(table, options); };
  };
  EXPECT_THROW(with([](auto& o) { o.pseudo_items = -1.0; })(), geo::InvalidArgument);
  EXPECT_THROW(with([](auto& o) { o.pseudo_wrong = std::numeric_limits<double>::quiet_NaN(); })(),
               geo::InvalidArgument);
  EXPECT_THROW(with([](auto& o) { o.max_iterations = 0; })(), geo::InvalidArgument);
  EXPECT_THROW(with([](auto& o) { o.restarts = -1; })(), geo::InvalidArgument);
}

}  // namespace
}  // namespace furrow::labelling
