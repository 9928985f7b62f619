#include <furrow/labelling/consensus.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>

namespace furrow::labelling {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr Vote kSays0 = make_vote(0);
constexpr Vote kSays1 = make_vote(1);
constexpr Vote kSays2 = make_vote(2);
constexpr Vote kUnsure = make_vote(0, 1);

FusionOptions binary(bool compatible = false) {
  FusionOptions options;
  options.classes = 2;
  options.compatible = compatible;
  return options;
}

TEST(FuseVotes, PublishedExample) {
  const std::vector<Vote> votes{kSays1, kSays0};
  const std::vector<VoterWeight> weights{{0.75, 0.80, 0.81}, {0.60, 0.62, 0.61}};
  for (const bool compatible : {true, false}) {
    const FusedVote fused = fuse_votes(votes, weights, binary(compatible));
    EXPECT_NEAR(fused.posterior[1], 0.6 / 0.966, 1e-15);
    EXPECT_NEAR(fused.posterior[1], 0.62112, 5e-6);
    EXPECT_EQ(fused.label, 1);
    EXPECT_NEAR(fused.risk, 0.37888, 5e-6);
  }
}

TEST(FuseVotes, CompatibleKeepsTheUnsureDefects) {
  // A lone unsure polygon: 0.5 * 0.95 / 0.6 of the no-field weight, and it becomes a field.
  const auto lone =
      fuse_votes(std::vector<Vote>{kUnsure}, std::vector<VoterWeight>{{0.8, 0.95, 0.6}}, binary(true));
  EXPECT_NEAR(lone.posterior[1], 0.5 * 0.95 / 0.6, 1e-15);
  EXPECT_EQ(lone.label, 1);
  // Sure and unsure on top of each other: heat 1.5, risk -0.5.
  const auto both = fuse_votes(std::vector<Vote>{make_vote(1, 1)}, std::vector<VoterWeight>{{0.8, 0.9, 0.85}},
                               binary(true));
  EXPECT_NEAR(both.posterior[1], 1.5, 1e-15);
  EXPECT_NEAR(both.risk, -0.5, 1e-15);
}

TEST(FuseVotes, CompatibleLeavesOutMissingScoresAndSpreadsMissingSkills) {
  const std::vector<VoterWeight> weights{{kNaN, 0.85, 0.85}, {0.75, kNaN, 0.85}, {0.65, 0.75, 0.95}};
  const auto fine = fuse_votes(std::vector<Vote>{kSays1, kSays0, kSays1}, weights, binary(true));
  EXPECT_NEAR(fine.posterior[1], 0.65 * 0.75 / (0.65 * 0.75 + 0.75 * 0.85), 1e-15);
  const auto missing = fuse_votes(std::vector<Vote>{kSays0, kSays1, kSays1}, weights, binary(true));
  EXPECT_TRUE(std::isnan(missing.posterior[1]));
  EXPECT_TRUE(std::isnan(missing.risk));
  EXPECT_EQ(missing.label, 255);
}

TEST(FuseVotes, CorrectedMissingSkillTakesOutThatVoteOnly) {
  const std::vector<VoterWeight> weights{{0.8, 0.85, 0.85}, {0.75, kNaN, 0.85}, {0.65, 0.75, 0.95}};
  const auto fused = fuse_votes(std::vector<Vote>{kSays0, kSays1, kSays1}, weights, binary());
  EXPECT_NEAR(fused.posterior[1], 0.65 * 0.75 / (0.65 * 0.75 + 0.8 * 0.85), 1e-15);
}

TEST(FuseVotes, CorrectedUnsureCountsHalfAndInTheDenominator) {
  const std::vector<VoterWeight> weights{{0.8, 0.9, 0.6}, {0.5, 0.8, 0.7}};
  // Unsure: weight 0.72, half of it field. The other says no: 0.35.
  const auto fused = fuse_votes(std::vector<Vote>{kUnsure, kSays0}, weights, binary());
  EXPECT_NEAR(fused.posterior[1], 0.36 / (0.72 + 0.35), 1e-15);
  EXPECT_EQ(fused.label, 0);
  // The sure polygon counts where both were drawn.
  const auto both = fuse_votes(std::vector<Vote>{make_vote(1, 1), kSays0}, weights, binary());
  EXPECT_NEAR(both.posterior[1], 0.72 / (0.72 + 0.35), 1e-15);
}

TEST(FuseVotes, LoneUnsureIsNoField) {
  const auto lone =
      fuse_votes(std::vector<Vote>{kUnsure}, std::vector<VoterWeight>{{0.8, 0.95, 0.6}}, binary());
  EXPECT_DOUBLE_EQ(lone.posterior[1], 0.5);
  EXPECT_EQ(lone.label, 0);
  EXPECT_DOUBLE_EQ(lone.risk, 0.5);
}

TEST(FuseVotes, SingleLabellerHasRiskFromSkill) {
  const std::vector<VoterWeight> weights{{0.7, 0.8, 0.9}};
  FusionOptions options;
  const auto field = fuse_votes(std::vector<Vote>{kSays2}, weights, options);
  EXPECT_EQ(field.label, 2);
  EXPECT_NEAR(field.risk, 1.0 - 0.8 / (0.8 + 0.1), 1e-15);
  EXPECT_NEAR(field.posterior[0], field.risk, 1e-15);
  const auto none = fuse_votes(std::vector<Vote>{kSays0}, weights, options);
  EXPECT_EQ(none.label, 0);
  EXPECT_NEAR(none.risk, 1.0 - 0.9 / (0.9 + 0.2), 1e-15);
  options.prior_field_share = 0.25;
  const auto rare = fuse_votes(std::vector<Vote>{kSays1}, weights, options);
  EXPECT_NEAR(rare.risk, 1.0 - 0.25 * 0.8 / (0.25 * 0.8 + 0.75 * 0.1), 1e-15);
  // The published formula does not know any risk here.
  EXPECT_EQ(fuse_votes(std::vector<Vote>{kSays1}, weights, binary(true)).risk, 0.0);
}

TEST(FuseVotes, SingleVoteIsNeverTurnedRound) {
  // Worse than chance: the vote is worth nothing, but does not count against itself.
  const auto fused = fuse_votes(std::vector<Vote>{kSays0}, std::vector<VoterWeight>{{0.5, 0.1, 0.2}}, {});
  EXPECT_EQ(fused.label, 0);
  EXPECT_DOUBLE_EQ(fused.risk, 0.5);
}

TEST(FuseVotes, SingleVoteOfUnweightedMajorityIsCertain) {
  const auto fused = fuse_votes(std::vector<Vote>{kSays1}, std::vector<VoterWeight>{{}}, {});
  EXPECT_EQ(fused.label, 1);
  EXPECT_EQ(fused.risk, 0.0);
}

TEST(FuseVotes, ThreeClassSharesAndTies) {
  const auto fuse = [](std::vector<Vote> votes) {
    return fuse_votes(votes, std::vector<VoterWeight>(votes.size()), {});
  };
  const auto plain = fuse({kSays0, kSays1, kSays1, kSays2, kSays1});
  EXPECT_THAT(plain.posterior, testing::ElementsAre(0.2, 0.6, 0.2));
  EXPECT_EQ(plain.label, 1);
  EXPECT_NEAR(plain.risk, 0.4, 1e-15);
  EXPECT_EQ(fuse({kSays1, kSays2}).label, 2);
  EXPECT_EQ(fuse({kSays0, kSays2}).label, 0);
  EXPECT_EQ(fuse({kSays0, kSays1}).label, 0);
  EXPECT_EQ(fuse({kSays2, kSays1, kSays0}).label, 0);
  EXPECT_NEAR(fuse({kSays2, kSays1, kSays0}).risk, 2.0 / 3.0, 1e-15);
  EXPECT_EQ(fuse({kSays0, kSays1, kSays2, kSays1, kSays2}).label, 2);
}

TEST(FuseVotes, TiesHoldWithWeightsThatDoNotSumExactly) {
  // 0.1 + 0.2 against 0.3 differs in the last bit.
  const std::vector<VoterWeight> weights{{0.1, 1.0, 1.0}, {0.2, 1.0, 1.0}, {0.3, 1.0, 1.0}};
  EXPECT_EQ(fuse_votes(std::vector<Vote>{kSays1, kSays1, kSays2}, weights, {}).label, 2);
  EXPECT_EQ(fuse_votes(std::vector<Vote>{kSays2, kSays2, kSays0}, weights, {}).label, 0);
}

TEST(FuseVotes, NobodyVotes) {
  for (const auto& options : {FusionOptions{}, binary(), binary(true)}) {
    const auto fused = fuse_votes(std::vector<Vote>{}, std::vector<VoterWeight>{}, options);
    EXPECT_EQ(fused.label, 255);
    EXPECT_TRUE(std::isnan(fused.risk));
    const auto missing = fuse_votes(std::vector<Vote>{kMissingVote}, std::vector<VoterWeight>{{}}, options);
    EXPECT_EQ(missing.label, 255);
  }
}

TEST(FuseVotes, NeverMissingWhileSomebodyVotes) {
  const std::vector<VoterWeight> unknown{{kNaN, kNaN, kNaN}, {0.7, kNaN, kNaN}};
  const auto a = fuse_votes(std::vector<Vote>{kSays1, kSays1}, unknown, {});
  EXPECT_EQ(a.label, 1);
  EXPECT_EQ(a.risk, 0.0);
  const std::vector<VoterWeight> zero{{0.0, 0.5, 0.5}, {0.7, 0.0, 0.0}};
  const auto b = fuse_votes(std::vector<Vote>{kSays1, kSays2}, zero, {});
  EXPECT_EQ(b.label, 2);
  EXPECT_NEAR(b.risk, 0.5, 1e-15);
}

TEST(FuseVotes, RefusesWrongInput) {
  EXPECT_THROW((void)fuse_votes(std::vector<Vote>{kSays1}, std::vector<VoterWeight>{}, {}),
               geo::InvalidArgument);
  FusionOptions four;
  four.classes = 4;
  EXPECT_THROW((void)fuse_votes(std::vector<Vote>{}, std::vector<VoterWeight>{}, four), geo::InvalidArgument);
  FusionOptions both;
  both.compatible = true;
  EXPECT_THROW((void)fuse_votes(std::vector<Vote>{}, std::vector<VoterWeight>{}, both), geo::InvalidArgument);
}

/// Votes and weights drawn at random; also missing ones.
struct RandomCase {
  std::vector<Vote> votes;
  std::vector<VoterWeight> weights;
};

RandomCase draw_case(geo::Random& random) {
  RandomCase c;
  const auto n = 1 + random.below(6);
  for (std::uint64_t i = 0; i < n; ++i) {
    c.votes.push_back(static_cast<Vote>(random.below(kMissingVote + 1)));
    const auto skill = [&] { return random.below(8) == 0 ? kNaN : random.uniform(); };
    c.weights.push_back({skill(), skill(), skill()});
  }
  return c;
}

TEST(FuseVotesProperty, BoundsHold) {
  geo::Random random(7, 1);
  for (int round = 0; round < 20000; ++round) {
    const RandomCase c = draw_case(random);
    const bool nobody = std::ranges::all_of(c.votes, [](Vote v) { return v == kMissingVote; });
    const auto three = fuse_votes(c.votes, c.weights, {});
    const auto two = fuse_votes(c.votes, c.weights, binary());
    ASSERT_EQ(three.label == 255, nobody);
    ASSERT_EQ(two.label == 255, nobody);
    if (nobody) continue;
    ASSERT_GE(three.risk, 0.0);
    ASSERT_LE(three.risk, 2.0 / 3.0 + 1e-12);
    ASSERT_NEAR(three.posterior[0] + three.posterior[1] + three.posterior[2], 1.0, 1e-12);
    ASSERT_GE(two.posterior[1], 0.0);
    ASSERT_LE(two.posterior[1], 1.0);
    ASSERT_GE(two.risk, 0.0);
    ASSERT_LE(two.risk, 0.5 + 1e-6);
    // Field in two classes is interior and boundary together.
    ASSERT_NEAR(two.posterior[1], three.posterior[1] + three.posterior[2], 1e-12);
  }
}

TEST(FuseVotesProperty, OrderOfLabellersDoesNotMatter) {
  geo::Random random(7, 2);
  for (int round = 0; round < 5000; ++round) {
    RandomCase c = draw_case(random);
    for (const auto& options : {FusionOptions{}, binary(), binary(true)}) {
      const auto before = fuse_votes(c.votes, c.weights, options);
      RandomCase r = c;
      std::ranges::reverse(r.votes);
      std::ranges::reverse(r.weights);
      const auto after = fuse_votes(r.votes, r.weights, options);
      ASSERT_EQ(before.label, after.label);
      if (before.label == 255) continue;
      ASSERT_NEAR(before.risk, after.risk, 1e-12);
    }
  }
}

TEST(FuseVotesProperty, DoublingAllLabellersChangesNothing) {
  geo::Random random(7, 3);
  for (int round = 0; round < 5000; ++round) {
    RandomCase c = draw_case(random);
    // With a single vote left, doubling makes agreement out of it, which is certain.
    const auto counts = [&](std::size_t i) {
      const auto& w = c.weights[i];
      const double skill = c.votes[i] == 0 ? w.nofield_skill : w.field_skill;
      return c.votes[i] != kMissingVote && !std::isnan(w.score * skill);
    };
    std::size_t n = 0;
    for (std::size_t i = 0; i < c.votes.size(); ++i) n += counts(i) ? 1 : 0;
    if (n < 2) continue;
    RandomCase twice = c;
    twice.votes.insert(twice.votes.end(), c.votes.begin(), c.votes.end());
    twice.weights.insert(twice.weights.end(), c.weights.begin(), c.weights.end());
    for (const auto& options : {FusionOptions{}, binary()}) {
      const auto once = fuse_votes(c.votes, c.weights, options);
      const auto doubled = fuse_votes(twice.votes, twice.weights, options);
      ASSERT_EQ(once.label, doubled.label);
      ASSERT_NEAR(once.risk, doubled.risk, 1e-12);
    }
  }
}

TEST(VotePatterns, StandInOrderOfTheirVotes) {
  PatternBuilder builder(6);
  builder.add(std::vector<Vote>{1, 0, 1, 1, 0, 2});
  builder.add(std::vector<Vote>{0, 0, 0, 1, 0, 1});
  const VotePatterns patterns = std::move(builder).finish();
  EXPECT_EQ(patterns.voters, 2U);
  EXPECT_THAT(patterns.of_pixel, testing::ElementsAre(1, 0, 1, 2, 0, 3));
  EXPECT_THAT(patterns.counts, testing::ElementsAre(2, 2, 1, 1));
  EXPECT_THAT(patterns.votes, testing::ElementsAre(0, 0, 1, 0, 1, 1, 2, 1));
  EXPECT_THAT(patterns.pattern(2), testing::ElementsAre(1, 1));
}

TEST(VotePatterns, WithoutVotersEveryPixelIsOnePattern) {
  const VotePatterns patterns = PatternBuilder(4).finish();
  EXPECT_EQ(patterns.size(), 1U);
  EXPECT_THAT(patterns.counts, testing::ElementsAre(4));
  const auto fused = fuse_patterns(patterns, {}, {});
  EXPECT_EQ(fused.at(0).label, 255);
  EXPECT_EQ(PatternBuilder(0).finish().size(), 0U);
}

TEST(VotePatterns, RefusesAnotherNumberOfPixels) {
  PatternBuilder builder(3);
  EXPECT_THROW(builder.add(std::vector<Vote>{1, 2}), geo::InvalidArgument);
}

// Any number of pixels and voters, with and without unsure votes: the same as looking combinations up in a
// map.
TEST(VotePatterns, EqualACombinationByCombinationLookUp) {
  geo::Random random(17);
  for (const std::size_t pixels : {1U, 3U, 63U, 64U, 65U, 1000U, 20000U}) {
    for (const std::size_t voters : {1U, 5U, 9U, 40U}) {
      std::vector<std::vector<Vote>> layers(voters, std::vector<Vote>(pixels));
      for (std::size_t j = 0; j < voters; ++j) {
        const bool unsure = j % 3 == 2;
        for (Vote& vote : layers[j]) {
          vote = static_cast<Vote>(random.below(unsure ? 10 : 3));
          if (random.chance(0.2)) vote = random.chance(0.5) ? kMissingVote : Vote{255};
          if (random.chance(0.7)) vote = 0;
        }
      }
      PatternBuilder builder(pixels);
      for (const auto& layer : layers) builder.add(layer);
      const VotePatterns patterns = std::move(builder).finish();
      // Ascending by votes, as a map has its keys.
      std::map<std::string, std::int64_t> seen;
      std::vector<std::string> of_pixel;
      for (std::size_t p = 0; p < pixels; ++p) {
        std::string& votes = of_pixel.emplace_back();
        for (const auto& layer : layers) votes.push_back(static_cast<char>(std::min(layer[p], kMissingVote)));
        ++seen[votes];
      }
      std::vector<std::string> expected;
      std::vector<std::int64_t> counts;
      for (const auto& [votes, count] : seen) {
        expected.push_back(votes);
        counts.push_back(count);
      }
      ASSERT_EQ(patterns.size(), expected.size());
      for (std::size_t i = 0; i < expected.size(); ++i) {
        const auto pattern = patterns.pattern(i);
        ASSERT_EQ(std::string(pattern.begin(), pattern.end()), expected[i]);
      }
      for (std::size_t p = 0; p < pixels; ++p)
        ASSERT_EQ(expected[patterns.of_pixel[p]], of_pixel[p])
            << pixels << " pixels, " << voters << " voters, " << p;
      EXPECT_EQ(patterns.counts, counts);
    }
  }
}

TEST(VotePatterns, PatternByPatternEqualsPixelByPixel) {
  geo::Random random(11, 4);
  constexpr std::size_t kPixels = 3000;
  std::vector<std::vector<Vote>> stack(5, std::vector<Vote>(kPixels));
  std::vector<VoterWeight> weights;
  PatternBuilder builder(kPixels);
  for (auto& layer : stack) {
    for (auto& vote : layer) vote = static_cast<Vote>(random.below(kMissingVote + 1));
    weights.push_back({random.uniform(), random.uniform(), random.uniform()});
    builder.add(layer);
  }
  const VotePatterns patterns = std::move(builder).finish();
  EXPECT_EQ(std::accumulate(patterns.counts.begin(), patterns.counts.end(), std::int64_t{0}),
            static_cast<std::int64_t>(kPixels));
  const auto fused = fuse_patterns(patterns, weights, {});
  for (std::size_t p = 0; p < kPixels; ++p) {
    std::vector<Vote> votes;
    for (const auto& layer : stack) votes.push_back(layer[p]);
    const auto direct = fuse_votes(votes, weights, {});
    const auto& grouped = fused[patterns.of_pixel[p]];
    ASSERT_EQ(direct.label, grouped.label);
    ASSERT_EQ(std::isnan(direct.risk), std::isnan(grouped.risk));
    if (direct.label == 255) continue;
    ASSERT_EQ(direct.risk, grouped.risk);
  }
}

}  // namespace
}  // namespace furrow::labelling
