#include <furrow/geo/vector/matching.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/vector/geos.h>

#include "random_shapes.h"

namespace furrow::geo {
namespace {

using Shapes = std::vector<MultiPolygon>;

MultiPolygon box(double x, double y, double width, double height) {
  return {to_polygon(Box{x, y, x + width, y + height})};
}

bool same(const std::vector<OverlapPair>& x, const std::vector<OverlapPair>& y) {
  return std::ranges::equal(x, y, [](const OverlapPair& p, const OverlapPair& q) {
    return p.a == q.a && p.b == q.b && p.intersection == q.intersection && p.iou == q.iou;
  });
}

/// Independent reference: tries for every a every b and "none", in lexicographic order of (b, none last).
struct BruteForce {
  const std::map<std::pair<std::size_t, std::size_t>, double>& weight;
  std::size_t count_a;
  std::size_t count_b;
  double best = -1.0;
  std::vector<std::size_t> best_choice{};
  std::vector<std::size_t> choice{};
  std::vector<bool> used = std::vector<bool>(count_b, false);

  void search(std::size_t a, double total) {
    if (a == count_a) {
      if (total > best + 1e-9) {
        best = total;
        best_choice = choice;
      }
      return;
    }
    for (std::size_t b = 0; b < count_b; ++b) {
      const auto found = weight.find({a, b});
      if (used[b] || found == weight.end()) continue;
      used[b] = true;
      choice.push_back(b);
      search(a + 1, total + found->second);
      choice.pop_back();
      used[b] = false;
    }
    choice.push_back(count_b);
    search(a + 1, total);
    choice.pop_back();
  }
};

TEST(Overlaps, GivesAreaAndIouByHand) {
  const std::vector<MultiPolygon> a{box(0, 0, 10, 10), box(100, 100, 5, 5)};
  const std::vector<MultiPolygon> b{box(5, 0, 10, 10), box(0, 0, 10, 10), box(2, 2, 2, 2)};
  const auto pairs = overlaps(a, b);
  ASSERT_EQ(pairs.size(), 3U);
  EXPECT_EQ(pairs[0].b, 0U);
  EXPECT_DOUBLE_EQ(pairs[0].intersection, 50.0);
  EXPECT_DOUBLE_EQ(pairs[0].iou, 50.0 / 150.0);
  EXPECT_EQ(pairs[1].iou, 1.0);
  EXPECT_DOUBLE_EQ(pairs[2].intersection, 4.0);
  EXPECT_DOUBLE_EQ(pairs[2].iou, 0.04);
}

TEST(Overlaps, PolygonsThatOnlyTouchDoNotMeet) {
  const std::vector<MultiPolygon> a{box(0, 0, 10, 10)};
  const std::vector<MultiPolygon> b{box(10, 0, 10, 10), box(10, 10, 5, 5)};
  EXPECT_TRUE(overlaps(a, b).empty());
}

TEST(Overlaps, HolesAndPartsCount) {
  const auto ring = from_wkt("POLYGON ((0 0, 10 0, 10 10, 0 10, 0 0), (2 2, 8 2, 8 8, 2 8, 2 2))");
  const auto two = from_wkt("MULTIPOLYGON (((3 3, 4 3, 4 4, 3 4, 3 3)), ((0 0, 1 0, 1 1, 0 1, 0 0)))");
  const auto pairs = overlaps(Shapes{ring}, Shapes{two});
  ASSERT_EQ(pairs.size(), 1U);
  EXPECT_DOUBLE_EQ(pairs[0].intersection, 1.0);
  EXPECT_DOUBLE_EQ(pairs[0].iou, 1.0 / (64.0 + 2.0 - 1.0));
}

TEST(Overlaps, EmptyListsAndEmptyShapesAreFine) {
  const std::vector<MultiPolygon> some{box(0, 0, 1, 1), {}};
  EXPECT_TRUE(overlaps({}, some).empty());
  EXPECT_TRUE(overlaps(some, {}).empty());
  const auto pairs = overlaps(some, some);
  ASSERT_EQ(pairs.size(), 1U);
  EXPECT_EQ(pairs[0].iou, 1.0);
}

TEST(Overlaps, AnUnclosedRingIsNamedAsAnError) {
  MultiPolygon open{Polygon{{{0, 0}, {1, 0}, {1, 1}}, {}}};
  EXPECT_THROW((void)overlaps(Shapes{box(0, 0, 1, 1)}, Shapes{open}), GeometryError);
}

/// Stars with holes, far from the origin, some with corners on a common lattice: outlines that cross, touch,
/// and run along each other.
TEST(Overlaps, EqualTheOverlayOfGeos) {
  Random random(23);
  for (const double step_m : {0.0, 40.0}) {
    Shapes shapes;
    for (int i = 0; i < 120; ++i) {
      MultiPolygon shape =
          test::star(random, {683000.0 + random.uniform(0, 900), 5321000.0 + random.uniform(0, 900)},
                     random.uniform(30, 160), 3 + static_cast<int>(random.below(30)));
      if (step_m > 0.0) {
        for (Polygon& polygon : shape) {
          for (Point& p : polygon.shell)
            p = {step_m * std::round(p.x / step_m), step_m * std::round(p.y / step_m)};
          polygon.holes.clear();
        }
        shape = make_valid(shape);
      }
      if (i % 3 == 0 && !shape.empty()) std::ranges::reverse(shape[0].shell);
      shapes.push_back(std::move(shape));
    }
    std::map<std::pair<std::size_t, std::size_t>, double> found;
    for (const OverlapPair& pair : overlaps(shapes, shapes)) found[{pair.a, pair.b}] = pair.intersection;
    std::size_t partial = 0;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      for (std::size_t k = 0; k < shapes.size(); ++k) {
        const double shared = intersection_area(shapes[i], shapes[k]);
        const auto pair = found.find({i, k});
        EXPECT_EQ(pair != found.end(), shared > 1e-6) << i << " and " << k;
        if (pair != found.end()) {
          EXPECT_NEAR(pair->second, shared, 1e-6) << i << " and " << k;
        }
        partial += shared > 1.0 && shared < std::min(area(shapes[i]), area(shapes[k])) - 1.0;
      }
    }
    EXPECT_GT(partial, 300U);
  }
}

TEST(Overlaps, SameForOneAndFourThreads) {
  Random random(7);
  std::vector<MultiPolygon> a;
  std::vector<MultiPolygon> b;
  for (int i = 0; i < 300; ++i) {
    a.push_back(
        box(random.uniform(0, 100), random.uniform(0, 100), random.uniform(1, 9), random.uniform(1, 9)));
    b.push_back(
        box(random.uniform(0, 100), random.uniform(0, 100), random.uniform(1, 9), random.uniform(1, 9)));
  }
  std::vector<OverlapPair> one;
  std::vector<OverlapPair> four;
  ExecContext({.threads = 1}).execute([&] { one = overlaps(a, b); });
  ExecContext({.threads = 4}).execute([&] { four = overlaps(a, b); });
  EXPECT_GT(one.size(), 300U);
  EXPECT_TRUE(same(one, four));
  // Against n x m intersections.
  std::size_t count = 0;
  for (const auto& pa : a) {
    for (const auto& pb : b) count += intersection_area(pa, pb) > 0.0 ? 1U : 0U;
  }
  EXPECT_EQ(one.size(), count);
}

TEST(MatchOneToOne, TakesTheLargestTotalNotTheLargestPair) {
  // Greedy takes (0, 0) and leaves a 1 alone: 0.8. The best total is 0.7 + 0.6.
  const std::vector<OverlapPair> pairs{{0, 0, 1, 0.8}, {0, 1, 1, 0.7}, {1, 0, 1, 0.6}};
  const auto matched = match_one_to_one(pairs, 0.5);
  ASSERT_EQ(matched.size(), 2U);
  EXPECT_EQ(matched[0].b, 1U);
  EXPECT_EQ(matched[1].b, 0U);
}

TEST(MatchOneToOne, ThresholdIsInclusiveAndPairsBelowItDoNotCount) {
  const std::vector<OverlapPair> pairs{{0, 0, 1, 0.5}, {1, 1, 1, 0.49999}};
  EXPECT_EQ(match_one_to_one(pairs, 0.5).size(), 1U);
  EXPECT_EQ(match_one_to_one(pairs, 0.0).size(), 2U);
  EXPECT_TRUE(match_one_to_one({}, 0.5).empty());
}

TEST(MatchOneToOne, TiesGoToTheLowerPositions) {
  const std::vector<OverlapPair> pairs{{1, 3, 1, 0.6}, {1, 2, 1, 0.6}, {0, 3, 1, 0.6}, {0, 2, 1, 0.6}};
  const auto matched = match_one_to_one(pairs, 0.5);
  ASSERT_EQ(matched.size(), 2U);
  EXPECT_EQ(matched[0].a, 0U);
  EXPECT_EQ(matched[0].b, 2U);
  EXPECT_EQ(matched[1].b, 3U);
  // Two a's want one b: the lower one gets it.
  const auto one = match_one_to_one(std::vector<OverlapPair>{{4, 0, 1, 0.7}, {2, 0, 1, 0.7}}, 0.5);
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0].a, 2U);
}

/// Weights in steps of a tenth make many ties; continuous ones make none.
class MatchRandom : public testing::TestWithParam<bool> {};

TEST_P(MatchRandom, EqualsTryingEveryAssignment) {
  const bool with_ties = GetParam();
  for (std::uint64_t round = 0; round < 400; ++round) {
    Random random(11, round);
    const std::size_t n = 1 + random.below(6);
    const std::size_t m = 1 + random.below(6);
    const double density = random.uniform(0.2, 1.0);
    std::map<std::pair<std::size_t, std::size_t>, double> weight;
    std::vector<OverlapPair> pairs;
    for (std::size_t a = 0; a < n; ++a) {
      for (std::size_t b = 0; b < m; ++b) {
        if (!random.chance(density)) continue;
        const double iou =
            with_ties ? 0.1 * static_cast<double>(1 + random.below(4)) : random.uniform(0.01, 1.0);
        weight[{a, b}] = iou;
        pairs.push_back({a, b, 1.0, iou});
      }
    }
    random.shuffle(pairs);
    BruteForce reference{weight, n, m};
    reference.search(0, 0.0);
    std::vector<std::size_t> choice(n, m);
    double total = 0.0;
    for (const auto& pair : match_one_to_one(pairs, 0.0)) {
      ASSERT_EQ(choice[pair.a], m);
      choice[pair.a] = pair.b;
      total += pair.iou;
    }
    EXPECT_NEAR(total, reference.best, 1e-9) << "round " << round;
    EXPECT_EQ(choice, reference.best_choice) << "round " << round;
  }
}

INSTANTIATE_TEST_SUITE_P(Weights, MatchRandom, testing::Bool(), [](const auto& weights) {
  return weights.param ? std::string("WithTies") : std::string("Continuous");
});

TEST(MatchOneToOne, LargeConnectedComponentIsFastAndOptimal) {
  // A chain: a_i overlaps b_i (0.6) and b_{i+1} (0.55): one component of 4000 polygons, best is the diagonal.
  std::vector<OverlapPair> pairs;
  for (std::size_t i = 0; i < 2000; ++i) {
    pairs.push_back({i, i, 1, 0.6});
    if (i + 1 < 2000) pairs.push_back({i, i + 1, 1, 0.55});
  }
  const auto matched = match_one_to_one(pairs, 0.5);
  ASSERT_EQ(matched.size(), 2000U);
  EXPECT_TRUE(std::ranges::all_of(matched, [](const OverlapPair& p) { return p.a == p.b; }));
}

}  // namespace
}  // namespace furrow::geo
