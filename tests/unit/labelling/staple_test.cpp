#include <furrow/labelling/staple.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tbb/task_arena.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>

namespace furrow::labelling {
namespace {

using testing::Each;
using Votes = std::vector<VoteEntry>;

void expect_finite(const FusionFit& fit) {
  const auto finite = testing::ResultOf([](double v) { return std::isfinite(v); }, true);
  EXPECT_THAT(fit.class_shares, Each(finite));
  EXPECT_THAT(fit.confusion, Each(finite));
  EXPECT_THAT(fit.posterior, Each(finite));
  EXPECT_TRUE(std::isfinite(fit.objective));
}

/// STAPLE as its paper writes it: pixel by pixel, with products.
struct SlowStaple {
  std::vector<double> sensitivity, specificity, foreground;
};

SlowStaple slow_staple(const std::vector<std::vector<int>>& masks, int passes) {
  const std::size_t pixels = masks.front().size();
  SlowStaple result{std::vector<double>(masks.size()), std::vector<double>(masks.size()),
                    std::vector<double>(pixels, 0.0)};
  double share = 0.0;
  for (const auto& mask : masks) {
    for (std::size_t i = 0; i < pixels; ++i) {
      result.foreground[i] += mask[i] / static_cast<double>(masks.size());
      share += mask[i] / static_cast<double>(masks.size() * pixels);
    }
  }
  for (int pass = 0; pass < passes; ++pass) {
    for (std::size_t j = 0; j < masks.size(); ++j) {
      double right_field = 0.0, field = 0.0, right_rest = 0.0, rest = 0.0;
      for (std::size_t i = 0; i < pixels; ++i) {
        const double w = result.foreground[i];
        field += w;
        rest += 1.0 - w;
        (masks[j][i] == 1 ? right_field : right_rest) += masks[j][i] == 1 ? w : 1.0 - w;
      }
      result.sensitivity[j] = right_field / field;
      result.specificity[j] = right_rest / rest;
    }
    for (std::size_t i = 0; i < pixels; ++i) {
      double a = share;
      double b = 1.0 - share;
      for (std::size_t j = 0; j < masks.size(); ++j) {
        a *= masks[j][i] == 1 ? result.sensitivity[j] : 1.0 - result.sensitivity[j];
        b *= masks[j][i] == 1 ? 1.0 - result.specificity[j] : result.specificity[j];
      }
      result.foreground[i] = a / (a + b);
    }
  }
  return result;
}

std::vector<std::vector<int>> random_masks(std::size_t voters, std::size_t pixels) {
  std::vector<std::vector<int>> masks(voters, std::vector<int>(pixels));
  geo::Random random(7);
  for (std::size_t i = 0; i < pixels; ++i) {
    const bool field = random.chance(0.4);
    for (std::size_t j = 0; j < voters; ++j)
      masks[j][i] = random.chance(0.9 - 0.07 * static_cast<double>(j)) == field ? 1 : 0;
  }
  return masks;
}

VoteTable table_of(const std::vector<std::vector<int>>& masks) {
  VoteTable table(2, 2, masks.size());
  for (std::size_t i = 0; i < masks.front().size(); ++i) {
    Votes votes;
    for (std::uint32_t j = 0; j < masks.size(); ++j)
      votes.push_back({j, static_cast<std::uint16_t>(masks[j][i])});
    table.add(votes);
  }
  return table;
}

TEST(Staple, IsThePapersRecursion) {
  const auto masks = random_masks(4, 600);
  const VoteTable table = table_of(masks);
  std::vector<std::size_t> row_of;
  const FusionFit fit = staple(table.grouped(&row_of));
  EXPECT_TRUE(fit.converged);
  const SlowStaple slow = slow_staple(masks, fit.iterations);
  for (std::size_t j = 0; j < 4; ++j) {
    EXPECT_NEAR(fit.confusion_at(j, 1, 1), slow.sensitivity[j], 1e-12);
    EXPECT_NEAR(fit.confusion_at(j, 0, 0), slow.specificity[j], 1e-12);
  }
  for (std::size_t i = 0; i < 600; ++i)
    ASSERT_NEAR(fit.posterior_of(row_of[i])[1], slow.foreground[i], 1e-10);
}

TEST(Staple, AllBackgroundAndAllForegroundAreFinite) {
  for (const std::uint16_t says : {std::uint16_t{0}, std::uint16_t{1}}) {
    VoteTable table(2, 2, 3);
    table.add(Votes{{0, says}, {1, says}, {2, says}}, 100.0);
    const FusionFit fit = staple(table);
    expect_finite(fit);
    EXPECT_EQ(fit.posterior_of(0)[says], 1.0);
    EXPECT_EQ(fit.confusion_at(0, says, says), 1.0);
    EXPECT_EQ(fit.confusion_at(0, 1 - says, 0), 0.5);
    expect_finite(multi_label_staple(table));
    const StapleField field = staple_field(table, std::vector<std::uint32_t>(12, 0), 4, 1.0);
    expect_finite(field.fit);
    EXPECT_THAT(field.foreground, Each(static_cast<double>(says)));
  }
}

TEST(Staple, DegenerateTablesStayFinite) {
  expect_finite(staple(VoteTable(2, 2, 0)));
  expect_finite(staple(VoteTable(2, 3, 4)));
  expect_finite(multi_label_staple(VoteTable(3, 4, 2)));
  VoteTable apart(2, 2, 2);
  apart.add(Votes{{0, 1}}, 3.0);
  apart.add(Votes{{1, 0}}, 3.0);
  apart.add({}, 2.0);
  const FusionFit fit = staple(apart);
  expect_finite(fit);
  EXPECT_EQ(fit.posterior_of(2)[1], 0.5);  // the prior
  VoteTable alone(2, 2, 1);
  alone.add(Votes{{0, 1}}, 2.0);
  alone.add(Votes{{0, 0}}, 6.0);
  expect_finite(staple(alone));
  EXPECT_EQ(staple(alone).posterior_of(0)[1], 1.0);
}

TEST(Staple, ThreeHundredVotersDoNotUnderflow) {
  VoteTable table(2, 2, 300);
  geo::Random random(3);
  for (int i = 0; i < 100; ++i) {
    Votes votes;
    for (std::uint32_t j = 0; j < 300; ++j)
      votes.push_back({j, static_cast<std::uint16_t>(random.chance(i < 50 ? 0.6 : 0.4) ? 1 : 0)});
    table.add(votes);
  }
  const FusionFit fit = staple(table);
  expect_finite(fit);
  for (std::size_t i = 0; i < 100; ++i) EXPECT_EQ(fit.posterior_of(i)[1] > 0.5, i < 50);
}

TEST(Staple, UsesTheGivenPriorAndConfidenceWeight) {
  VoteTable table(2, 2, 2);
  table.add(Votes{{0, 1}, {1, 1}}, 30.0);
  table.add(Votes{{0, 1}, {1, 0}}, 10.0);
  table.add(Votes{{0, 0}, {1, 0}}, 60.0);
  EXPECT_NEAR(staple(table).class_shares[1], 0.35, 1e-15);
  StapleOptions options;
  options.confidence_weight = 0.5;
  EXPECT_NEAR(staple(table, options).class_shares[1], 0.175, 1e-15);
  options.confidence_weight = 10.0;
  EXPECT_EQ(staple(table, options).class_shares[1], 1.0);
  options.foreground_share = 0.2;
  EXPECT_EQ(staple(table, options).class_shares[1], 0.2);
}

TEST(Staple, MissingVotesAndKnownTruth) {
  VoteTable table(2, 3, 2);
  table.add(Votes{{0, 1}}, 10.0, 1);
  table.add(Votes{{0, 0}}, 30.0, 0);
  table.add(Votes{{0, 0}}, 2.0, 1);
  table.add(Votes{{1, 2}}, 5.0);  // unsure
  const FusionFit fit = staple(table);
  EXPECT_NEAR(fit.confusion_at(0, 1, 1), 10.0 / 12.0, 1e-15);
  EXPECT_EQ(fit.posterior_of(2)[1], 1.0);
  EXPECT_EQ(fit.confusion_at(1, 1, 2), 0.0);
  EXPECT_EQ(fit.posterior_of(3)[1], fit.class_shares[1]);
}

TEST(MultiLabelStaple, FindsTablesOfThreeClasses) {
  VoteTable table(3, 3, 4);
  geo::Random random(5);
  std::vector<std::uint64_t> truth;
  for (int i = 0; i < 3000; ++i) {
    truth.push_back(random.below(3));
    Votes votes;
    for (std::uint32_t j = 0; j < 4; ++j) {
      const bool right = random.chance(0.9 - 0.1 * j);
      votes.push_back({j, static_cast<std::uint16_t>(right ? truth.back() : (truth.back() + 1) % 3)});
    }
    table.add(votes);
  }
  const FusionFit fit = multi_label_staple(table);
  EXPECT_TRUE(fit.converged);
  for (std::size_t j = 0; j < 4; ++j) {
    EXPECT_NEAR(fit.confusion_at(j, 2, 2), 0.9 - 0.1 * static_cast<double>(j), 0.05);
    EXPECT_NEAR(fit.confusion_at(j, 0, 2), 0.0, 0.05);
  }
  const FusionFit grouped = multi_label_staple(table.grouped());
  EXPECT_EQ(grouped.iterations, fit.iterations);
  EXPECT_NEAR(grouped.confusion_at(1, 2, 0), fit.confusion_at(1, 2, 0), 1e-12);
}

TEST(StapleField, WithoutSmoothingIsStaple) {
  const auto masks = random_masks(3, 400);
  std::vector<std::size_t> row_of;
  const VoteTable grouped = table_of(masks).grouped(&row_of);
  const std::vector<std::uint32_t> of_pixel(row_of.begin(), row_of.end());
  const FusionFit fit = staple(grouped);
  const StapleField field = staple_field(grouped, of_pixel, 20, 0.0);
  EXPECT_EQ(field.fit.iterations, fit.iterations);
  for (std::size_t i = 0; i < 400; ++i)
    ASSERT_NEAR(field.foreground[i], fit.posterior_of(of_pixel[i])[1], 1e-10);
}

TEST(StapleField, FillsALonelyGapAndDoesNotWrapRound) {
  // Voter 0 is unreliable on its own; a gap amid a field closes, the far ends of lines do not touch.
  VoteTable table(2, 2, 2);
  table.add(Votes{{0, 1}, {1, 1}});
  table.add(Votes{{0, 0}, {1, 0}});
  table.add(Votes{{0, 0}, {1, 1}});
  std::vector<std::uint32_t> of_pixel;
  for (int row = 0; row < 9; ++row) {
    for (int column = 0; column < 9; ++column) of_pixel.push_back(column < 4 ? 0 : 1);
  }
  of_pixel[4 * 9 + 1] = 2;
  of_pixel[4 * 9 + 7] = 2;
  const StapleField field = staple_field(table, of_pixel, 9, 2.0);
  EXPECT_GT(field.foreground[4 * 9 + 1], 0.9);
  EXPECT_LT(field.foreground[4 * 9 + 7], 0.1);
  EXPECT_LT(field.foreground[3 * 9 + 8], 0.05);
}

TEST(StapleField, SameResultForAnyNumberOfThreads) {
  std::vector<std::size_t> row_of;
  const VoteTable grouped = table_of(random_masks(5, 900)).grouped(&row_of);
  const std::vector<std::uint32_t> of_pixel(row_of.begin(), row_of.end());
  tbb::task_arena one(1);
  tbb::task_arena four(4);
  const auto a = one.execute([&] { return staple_field(grouped, of_pixel, 30, 0.7); });
  const auto b = four.execute([&] { return staple_field(grouped, of_pixel, 30, 0.7); });
  EXPECT_EQ(a.foreground, b.foreground);
  EXPECT_EQ(a.fit.confusion, b.fit.confusion);
}

TEST(Staple, RefusesWhatIsOutOfRange) {
  const VoteTable three(3, 3, 1);
  const VoteTable two(2, 2, 1);
  EXPECT_THROW((void)staple(three), geo::InvalidArgument);
  StapleOptions options;
  options.foreground_share = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW((void)staple(two, options), geo::InvalidArgument);
  options = {};
  options.max_iterations = 0;
  EXPECT_THROW((void)staple(two, options), geo::InvalidArgument);
  const std::vector<std::uint32_t> pixels(6, 0);
  EXPECT_THROW((void)staple_field(two, pixels, 3, 0.0), geo::InvalidArgument);  // no such row
  VoteTable row(2, 2, 1);
  row.add({});
  EXPECT_THROW((void)staple_field(row, pixels, 4, 0.0), geo::InvalidArgument);
  EXPECT_THROW((void)staple_field(row, pixels, 0, 0.0), geo::InvalidArgument);
  EXPECT_THROW((void)staple_field(row, pixels, 3, -1.0), geo::InvalidArgument);
}

}  // namespace
}  // namespace furrow::labelling
