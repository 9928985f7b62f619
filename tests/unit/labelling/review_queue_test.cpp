#include <furrow/labelling/review_queue.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/core/random.h>

namespace furrow::labelling {
namespace {

using testing::ElementsAre;
using Votes = std::vector<VoteEntry>;

/// A fit whose numbers are given: what the votes are worth is not learned.
struct Given {
  VoteTable table;
  FusionFit fusion;
  BayesFit fit;

  Given(int classes, int outcomes, std::vector<double> confusion, std::vector<double> shares)
      : table(classes, outcomes, confusion.size() / static_cast<std::size_t>(classes * outcomes)) {
    const auto cells = static_cast<std::size_t>(classes * outcomes);
    fusion.classes = classes;
    fusion.outcomes = outcomes;
    fusion.class_shares = std::move(shares);
    fusion.confusion = std::move(confusion);
    fit.skills.resize(table.voters());
    fit.population.assign(cells, 0.0);
    for (std::size_t i = 0; i < fusion.confusion.size(); ++i)
      fit.population[i % cells] += fusion.confusion[i] / static_cast<double>(table.voters());
  }

  /// The posteriors as BayesFit::predict states them.
  void finish() {
    fusion.posterior.clear();
    for (std::size_t i = 0; i < table.rows(); ++i) {
      const auto p = predict(table.row(i).votes, table.row(i).group);
      fusion.posterior.insert(fusion.posterior.end(), p.begin(), p.end());
    }
  }

  [[nodiscard]] std::vector<double> predict(std::span<const VoteEntry> votes, std::size_t group) const {
    BayesFit whole = fit;
    whole.fusion = fusion;
    return whole.predict(votes, group);
  }

  [[nodiscard]] std::vector<SiteReview> review(std::span<const ReviewSite> sites = {},
                                               const ReviewOptions& options = {}) const {
    return value_of_maps(table, fusion, fit, sites, options);
  }
};

/// Confusion table of a labeller of two classes who never says "unsure".
std::vector<double> skill(double sensitivity, double specificity) {
  return {specificity, 1.0 - specificity, 1.0 - sensitivity, sensitivity};
}

std::vector<double> joined(std::initializer_list<std::vector<double>> tables) {
  std::vector<double> all;
  for (const auto& t : tables) all.insert(all.end(), t.begin(), t.end());
  return all;
}

double removed_by(const SiteReview& review, std::uint32_t voter) {
  for (const auto& choice : review.labellers) {
    if (choice.voter == voter) return choice.removed;
  }
  return -1.0;
}

TEST(ReviewValue, IsTheRiskBeforeLessTheMeanRiskAfter) {
  // The first labeller's vote for field leaves P(field) = 0.3 x 0.7 / (0.3 x 0.7 + 0.7 x 0.2) = 0.6.
  Given g(2, 2, joined({skill(0.7, 0.8), skill(0.9, 0.8)}), {0.7, 0.3});
  g.table.add(Votes{{0, 1, 1}}, 50.0);
  g.finish();
  const auto reviews = g.review();
  ASSERT_EQ(reviews.size(), 1U);
  EXPECT_NEAR(reviews[0].risk, 0.4, 1e-12);
  EXPECT_EQ(reviews[0].items, 50.0);
  // The second says field with 0.6 x 0.9 + 0.4 x 0.2 = 0.62, of which 0.08 are wrong; else 0.06 are wrong.
  EXPECT_NEAR(removed_by(reviews[0], 1), 0.4 - 0.08 - 0.06, 1e-12);
  EXPECT_NEAR(reviews[0].expert_removed, 0.4, 1e-12);
  ReviewOptions careless;
  careless.expert_error = 0.1;
  EXPECT_NEAR(g.review({}, careless)[0].expert_removed, 0.3, 1e-12);
  careless.expert_error = 0.5;
  EXPECT_EQ(g.review({}, careless)[0].expert_removed, 0.0);
}

TEST(ReviewValue, IsNothingWhereNoAnswerChangesALabel) {
  // Three good labellers agree; a poor one cannot turn them, and a coin never can.
  Given g(2, 2, joined({skill(0.9, 0.9), skill(0.9, 0.9), skill(0.9, 0.9), skill(0.6, 0.6), skill(0.5, 0.5)}),
          {0.5, 0.5});
  g.table.add(Votes{{0, 1, 1}, {1, 1, 1}, {2, 1, 1}}, 10.0);
  g.fit.dependence = 0.4;
  g.finish();
  const auto review = g.review()[0];
  EXPECT_EQ(removed_by(review, 3), 0.0);
  EXPECT_EQ(removed_by(review, 4), 0.0);
  EXPECT_GT(review.expert_removed, 0.0);
}

/// A table of random votes of three classes and "unsure" by seven labellers at three sites, of whom the last
/// two are left over as candidates.
Given random_case(std::uint64_t seed) {
  geo::Random random(seed);
  std::vector<double> confusion;
  for (int row = 0; row < 7 * 3; ++row) {
    std::vector<double> p(4);
    for (std::size_t o = 0; o < 4; ++o)
      p[o] = random.gamma(o == static_cast<std::size_t>(row % 3) ? 3.0 : 0.6) + 1e-3;
    const double total = std::accumulate(p.begin(), p.end(), 0.0);
    for (const double v : p) confusion.push_back(v / total);
  }
  Given g(3, 4, confusion, {0.5, 0.3, 0.2});
  g.fit.group_shares = {0.5, 0.3, 0.2, 0.2, 0.2, 0.6, 0.8, 0.15, 0.05};
  for (int row = 0; row < 90; ++row) {
    Votes votes;
    for (std::uint32_t v = 0; v < 5; ++v) {
      if (!random.chance(0.3)) votes.push_back({v, static_cast<std::uint16_t>(random.below(4)), 1});
    }
    g.table.add(votes, 1.0 + static_cast<double>(random.below(9)), -1, static_cast<std::uint32_t>(row % 3));
  }
  return g;
}

/// The value summed over all answers with BayesFit::predict, row by row.
/// @param difference  true: risk before less mean risk after; false: what changed labels gain
double enumerate(const Given& g, std::uint32_t group, std::uint32_t voter, bool difference) {
  double sum = 0.0;
  double items = 0.0;
  for (std::size_t i = 0; i < g.table.rows(); ++i) {
    const VoteRow row = g.table.row(i);
    if (row.group != group) continue;
    const auto before = g.predict(row.votes, group);
    const auto best = std::ranges::max_element(before) - before.begin();
    const double risk = 1.0 - before[static_cast<std::size_t>(best)];
    double value = difference ? risk : 0.0;
    for (std::uint16_t o = 0; o < 4; ++o) {
      Votes votes(row.votes.begin(), row.votes.end());
      votes.push_back({voter, o, 1});
      const auto after = g.predict(votes, group);
      double chance = 0.0;
      for (int c = 0; c < 3; ++c)
        chance += before[static_cast<std::size_t>(c)] * g.fusion.confusion_at(voter, c, o);
      const double top = std::ranges::max(after);
      value += difference ? -chance * (1.0 - top) : chance * (top - after[static_cast<std::size_t>(best)]);
    }
    sum += row.count * (difference ? value : std::min(value, risk));
    items += row.count;
  }
  return sum / items;
}

TEST(ReviewValue, EqualsEnumerationOfEveryAnswer) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Given g = random_case(seed);
    g.finish();
    for (const auto& review : g.review()) {
      for (const std::uint32_t voter : {5U, 6U}) {
        EXPECT_NEAR(removed_by(review, voter), enumerate(g, review.group, voter, true), 1e-12);
        EXPECT_NEAR(removed_by(review, voter), enumerate(g, review.group, voter, false), 1e-12);
        EXPECT_LE(removed_by(review, voter), review.risk);
      }
    }
  }
}

TEST(ReviewValue, UsesDependenceAndCalibrationAsPredictDoes) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Given g = random_case(seed);
    g.fit.dependence = 0.3;
    g.fit.calibration.calibration = {0.7, seed % 2 == 0 ? 0.0 : 0.05};
    g.finish();
    double largest_difference = 0.0;
    for (const auto& review : g.review()) {
      for (const std::uint32_t voter : {5U, 6U}) {
        const double removed = removed_by(review, voter);
        EXPECT_NEAR(removed, enumerate(g, review.group, voter, false), 1e-12);
        EXPECT_GE(removed, 0.0);
        largest_difference =
            std::max(largest_difference, std::abs(removed - enumerate(g, review.group, voter, true)));
      }
    }
    EXPECT_GT(largest_difference, 1e-3);  // the plain difference of risks is another number then
  }
}

TEST(ReviewValue, IsWhatASimulatedMapRemoves) {
  // Labellers 0..2 mapped the site, 3 maps it now: errors with three labels and with four.
  const std::vector<std::vector<double>> tables = {
      {0.85, 0.08, 0.04, 0.03, 0.15, 0.75, 0.07, 0.03, 0.25, 0.25, 0.45, 0.05},
      {0.70, 0.15, 0.10, 0.05, 0.10, 0.80, 0.05, 0.05, 0.30, 0.20, 0.40, 0.10},
      {0.90, 0.04, 0.04, 0.02, 0.30, 0.55, 0.10, 0.05, 0.35, 0.15, 0.45, 0.05},
      {0.92, 0.03, 0.03, 0.02, 0.08, 0.86, 0.03, 0.03, 0.12, 0.13, 0.70, 0.05}};
  const std::vector<double> shares = {0.6, 0.3, 0.1};
  Given g(3, 4, joined({tables[0], tables[1], tables[2], tables[3]}), shares);
  constexpr int kItems = 400000;
  geo::Random random(7);
  const auto draw = [&](const double* p, std::size_t n) {
    double u = random.uniform();
    std::size_t i = 0;
    while (i + 1 < n && u >= p[i]) u -= p[i++];
    return i;
  };
  std::map<std::array<std::uint16_t, 4>, std::array<double, 3>> counts;
  for (int item = 0; item < kItems; ++item) {
    const std::size_t truth = draw(shares.data(), 3);
    std::array<std::uint16_t, 4> answers{};
    for (std::size_t v = 0; v < 4; ++v)
      answers[v] = static_cast<std::uint16_t>(draw(tables[v].data() + truth * 4, 4));
    counts[answers][truth] += 1.0;
  }
  double wrong_before = 0.0;
  double wrong_after = 0.0;
  for (const auto& [answers, truths] : counts) {
    Votes votes;
    for (std::uint32_t v = 0; v < 4; ++v) votes.push_back({v, answers[v], 1});
    const double total = truths[0] + truths[1] + truths[2];
    const auto best = [&](std::size_t n) {
      const auto p = g.predict({votes.data(), n}, 99);
      return static_cast<std::size_t>(std::ranges::max_element(p) - p.begin());
    };
    wrong_before += total - truths[best(3)];
    wrong_after += total - truths[best(4)];
    g.table.add({votes.data(), 3}, total);
  }
  g.finish();
  const auto review = g.review()[0];
  const double error = 3.0 * std::sqrt(0.25 / kItems);
  EXPECT_NEAR(review.risk, wrong_before / kItems, error);
  EXPECT_NEAR(removed_by(review, 3), (wrong_before - wrong_after) / kItems, error);
  EXPECT_GT(removed_by(review, 3), 0.05);
}

TEST(ReviewValue, AsksWhoMayBeAsked) {
  Given g(2, 2, joined({skill(0.7, 0.7), skill(0.8, 0.8), skill(0.95, 0.95), skill(0.9, 0.9)}), {0.5, 0.5});
  g.fit.skills[3].is_silenced = true;
  g.table.add(Votes{{0, 1, 1}}, 10.0, -1, 0);
  g.table.add(Votes{{0, 1, 1}, {1, 0, 1}, {2, 1, 1}}, 10.0, -1, 1);
  g.table.add(Votes{{0, 1, 1}}, 10.0, 1, 2);   // an expert knows
  g.table.add(Votes{{0, 1, 1}}, 5.0, -1, 2);   // the experts disagree
  g.table.add(Votes{{0, 1, 1}}, 10.0, -1, 3);  // not wanted
  g.table.add(Votes{{0, 1, 1}}, 0.0, -1, 4);   // no items
  g.table.add(Votes{}, 10.0, -1, 5);           // nobody has voted
  g.finish();
  std::vector<ReviewSite> sites(6);
  sites[0].not_asked = {2};
  sites[3].is_wanted = false;
  const auto reviews = g.review(sites);
  ASSERT_EQ(reviews.size(), 3U);
  ASSERT_EQ(reviews[0].labellers.size(), 1U);
  EXPECT_EQ(reviews[0].labellers[0].voter, 1U);
  EXPECT_EQ(reviews[1].group, 1U);
  ASSERT_EQ(reviews[1].labellers.size(), 1U);
  EXPECT_EQ(reviews[1].labellers[0].voter, kAnyoneElse);
  EXPECT_EQ(reviews[2].group, 5U);
  EXPECT_NEAR(reviews[2].risk, 0.5, 1e-12);
  ASSERT_EQ(reviews[2].labellers.size(), 3U);
  EXPECT_EQ(reviews[2].labellers[0].voter, 2U);
  EXPECT_NEAR(reviews[2].labellers[0].removed, 0.45, 1e-12);
}

TEST(ReviewValue, WithOneLabellerAsksAnother) {
  Given g(2, 2, skill(0.8, 0.9), {0.6, 0.4});
  g.table.add(Votes{{0, 1, 1}}, 30.0);
  g.table.add(Votes{{0, 0, 1}}, 70.0);
  g.finish();
  const auto review = g.review()[0];
  ASSERT_EQ(review.labellers.size(), 1U);
  EXPECT_EQ(review.labellers[0].voter, kAnyoneElse);
  // Field said: P = 0.32 / 0.38; another of the same skill changes the label by saying "no field".
  const double field = 0.32 / 0.38;
  const double value = std::max(0.0, (1.0 - field) * 0.9 - field * 0.2) * 0.3;
  const double none = 0.54 / 0.62;
  EXPECT_NEAR(review.labellers[0].removed, value + std::max(0.0, (1.0 - none) * 0.8 - none * 0.1) * 0.7,
              1e-12);
}

TEST(ReviewValue, EmptyTablesAndThreads) {
  Given empty(2, 2, skill(0.8, 0.9), {0.6, 0.4});
  EXPECT_TRUE(empty.review().empty());
  EXPECT_TRUE(queue_reviews({}, {}).empty());
  Given g = random_case(3);
  g.fit.dependence = 0.2;
  g.finish();
  std::vector<std::vector<SiteReview>> results;
  for (const int threads : {1, 4}) {
    geo::ExecOptions options;
    options.threads = threads;
    geo::ExecContext exec(options);
    exec.execute([&] { results.push_back(g.review()); });
  }
  ASSERT_EQ(results[0].size(), results[1].size());
  for (std::size_t i = 0; i < results[0].size(); ++i) {
    EXPECT_EQ(results[0][i].risk, results[1][i].risk);
    EXPECT_EQ(results[0][i].labellers[0].removed, results[1][i].labellers[0].removed);
  }
}

TEST(ReviewValue, WorksOnALearnedFit) {
  geo::Random random(11);
  VoteTable table(2, 3, 6);
  for (std::uint32_t site = 0; site < 20; ++site) {
    for (int item = 0; item < 60; ++item) {
      const bool field = random.chance(0.4);
      Votes votes;
      for (std::uint32_t v = 0; v < 4; ++v) {
        const bool right = random.chance(0.7 + 0.05 * v);
        votes.push_back({(v + site) % 6, static_cast<std::uint16_t>(right == field ? 1 : 0), 1});
      }
      table.add(votes, 1.0, -1, site);
    }
  }
  BayesFit fit = fuse_bayes(table);
  const FusionFit fusion = fit.fusion;
  fit.fusion = {};
  const auto reviews = value_of_maps(table, fusion, fit, {}, {});
  ASSERT_EQ(reviews.size(), 20U);
  for (const auto& review : reviews) {
    EXPECT_EQ(review.labellers.size(), 2U);
    EXPECT_GT(review.risk, 0.0);
    EXPECT_EQ(review.items, 60.0);
    EXPECT_LE(review.labellers[0].removed, review.risk);
  }
}

SiteReview site_with(std::vector<ReviewChoice> labellers, double risk, double items = 100.0) {
  SiteReview review;
  review.items = items;
  review.risk = risk;
  review.expert_removed = risk;
  review.labellers = std::move(labellers);
  return review;
}

TEST(ReviewQueue, OrdersByRiskRemovedPerCost) {
  const std::vector<SiteReview> sites = {site_with({{0, 0.05}, {1, 0.04}}, 0.20),
                                         site_with({{1, 0.10}, {0, 0.02}}, 0.15),
                                         site_with({{0, 0.01}}, 0.30), site_with({{0, 0.0}}, 0.0)};
  ReviewOptions options;
  options.map_cost = 2.0;
  options.expert_cost = 10.0;
  const auto queue = queue_reviews(sites, options);
  ASSERT_EQ(queue.size(), 3U);  // nothing to remove at the last one
  EXPECT_EQ(queue[0].site, 1U);
  EXPECT_EQ(queue[0].ask.voter, 1U);
  EXPECT_NEAR(queue[0].removed_area, 10.0, 1e-12);
  EXPECT_NEAR(queue[0].per_cost, 5.0, 1e-12);
  EXPECT_EQ(queue[0].second.voter, kExpert);  // 15 for 10 beats 2 for 2
  EXPECT_EQ(queue[1].site, 2U);               // 30 for 10 by an expert beats 1 for 2
  EXPECT_EQ(queue[1].ask.voter, kExpert);
  EXPECT_EQ(queue[1].cost, 10.0);
  EXPECT_EQ(queue[1].second.voter, 0U);
  EXPECT_EQ(queue[2].site, 0U);
  EXPECT_EQ(queue[2].second.voter, 1U);
  options.length = 2;
  EXPECT_EQ(queue_reviews(sites, options).size(), 2U);
}

TEST(ReviewQueue, AFullLabellerLeavesTheNextSitesToOthers) {
  const std::vector<SiteReview> sites = {
      site_with({{0, 0.05}, {1, 0.01}}, 0.05), site_with({{0, 0.06}, {1, 0.055}}, 0.06),
      site_with({{0, 0.04}, {1, 0.035}}, 0.04), site_with({{0, 0.03}}, 0.03)};
  ReviewOptions options;
  options.expert_cost = 4.0;
  options.capacity = 1;
  const auto queue = queue_reviews(sites, options);
  std::vector<std::pair<std::size_t, std::uint32_t>> asked;
  for (const auto& item : queue) asked.emplace_back(item.site, item.ask.voter);
  // Site 1 takes labeller 0; site 2 the other one (3.5); site 0 would be 1 with labeller 1, an expert brings
  // 5/4; then site 3 has nobody but the expert.
  using Pair = std::pair<std::size_t, std::uint32_t>;
  EXPECT_THAT(asked, ElementsAre(Pair(1, 0), Pair(2, 1), Pair(0, kExpert), Pair(3, kExpert)));
  EXPECT_FALSE(queue[3].has_second);
  for (std::size_t i = 1; i < queue.size(); ++i) EXPECT_LE(queue[i].per_cost, queue[i - 1].per_cost);
  options.capacity = 0;
  for (const auto& item : queue_reviews(sites, options)) EXPECT_EQ(item.ask.voter, 0U);
}

TEST(ReviewQueue, TiesGoToTheLabellerAndTheFirstSite) {
  const std::vector<SiteReview> sites = {site_with({{3, 0.1}}, 0.1), site_with({{3, 0.1}}, 0.1)};
  ReviewOptions options;
  options.expert_cost = 1.0;
  const auto queue = queue_reviews(sites, options);
  ASSERT_EQ(queue.size(), 2U);
  EXPECT_EQ(queue[0].site, 0U);
  EXPECT_EQ(queue[0].ask.voter, 3U);
  EXPECT_EQ(queue[0].second.voter, kExpert);
}

TEST(ReviewQueue, AreasCount) {
  std::vector<SiteReview> sites = {site_with({{0, 0.1}}, 0.2), site_with({{0, 0.05}}, 0.2)};
  sites[1].item_area = 9.0;
  const auto queue = queue_reviews(sites, {});
  EXPECT_EQ(queue[0].site, 1U);
  EXPECT_NEAR(queue[0].removed_area, 45.0, 1e-12);
}

TEST(ReviewQueue, RefusesWhatMakesNoSense) {
  ReviewOptions options;
  options.map_cost = 0.0;
  EXPECT_THROW((void)queue_reviews({}, options), geo::InvalidArgument);
  options = {};
  options.expert_cost = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW((void)queue_reviews({}, options), geo::InvalidArgument);
  options = {};
  options.expert_error = 1.5;
  EXPECT_THROW((void)queue_reviews({}, options), geo::InvalidArgument);
  options = {};
  options.capacity = -1;
  EXPECT_THROW((void)queue_reviews({}, options), geo::InvalidArgument);
  Given g(2, 2, skill(0.8, 0.9), {0.6, 0.4});
  g.table.add(Votes{{0, 1, 1}}, 30.0);
  EXPECT_THROW((void)g.review(), geo::InvalidArgument);  // posteriors are missing
  g.finish();
  std::vector<ReviewSite> sites(1);
  sites[0].item_area = -1.0;
  EXPECT_THROW((void)g.review(sites), geo::InvalidArgument);
  sites[0] = {};
  sites[0].not_asked = {4};
  EXPECT_THROW((void)g.review(sites), geo::InvalidArgument);
}

}  // namespace
}  // namespace furrow::labelling
