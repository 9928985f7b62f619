#include <furrow/labelling/field_partition.h>

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/vector/geos.h>

namespace furrow::labelling {
namespace {

geo::MultiPolygon rectangle(double x0, double y0, double x1, double y1) {
  return {geo::to_polygon({x0, y0, x1, y1})};
}

/// Chosen fields as boxes, west to east.
std::vector<geo::Box> chosen(const std::vector<DrawnPolygon>& drawn, const std::vector<double>& weights) {
  std::vector<geo::Box> found;
  for (const auto& c : partition_fields(drawn, weights)) {
    if (c.is_chosen) found.push_back(geo::bounds(drawn[c.typical].shape));
  }
  return found;
}

const geo::MultiPolygon kWest = rectangle(0, 0, 100, 100);
const geo::MultiPolygon kEast = rectangle(100, 0, 130, 100);
const geo::MultiPolygon kBoth = rectangle(0, 0, 130, 100);

std::vector<DrawnPolygon> merged_and_split(std::uint32_t merging, std::uint32_t splitting) {
  std::vector<DrawnPolygon> drawn;
  for (std::uint32_t j = 0; j < merging; ++j) drawn.push_back({kBoth, j});
  for (std::uint32_t j = merging; j < merging + splitting; ++j) {
    drawn.push_back({kWest, j});
    drawn.push_back({kEast, j});
  }
  return drawn;
}

TEST(FieldPartition, MoreLabellersDecideHoweverUnequalTheParts) {
  for (std::uint32_t merging = 0; merging <= 5; ++merging) {
    for (std::uint32_t splitting = 0; splitting <= 5; ++splitting) {
      if (merging + splitting == 0) continue;
      const std::vector<double> weights(merging + splitting, 1.0);
      const std::size_t expected = merging > splitting ? 1 : 2;
      EXPECT_EQ(chosen(merged_and_split(merging, splitting), weights).size(), expected)
          << merging << " against " << splitting;
    }
  }
}

TEST(FieldPartition, WeightsCount) {
  EXPECT_EQ(chosen(merged_and_split(1, 2), {2.5, 1.0, 1.0}).size(), 1U);
  EXPECT_EQ(chosen(merged_and_split(1, 2), {1.5, 1.0, 1.0}).size(), 2U);
}

TEST(FieldPartition, GapsBetweenPartsDoNotJoinThem) {
  // Two keep the parts 4 m apart, one joins them.
  const std::vector<DrawnPolygon> drawn{{rectangle(0, 0, 50, 40), 0},
                                        {rectangle(54, 0, 104, 40), 0},
                                        {rectangle(0, 1, 51, 40), 1},
                                        {rectangle(55, 0, 104, 41), 1},
                                        {rectangle(0, 0, 104, 40), 2}};
  EXPECT_EQ(chosen(drawn, {1, 1, 1}).size(), 2U);
}

TEST(FieldPartition, LandThatMostLeaveOutIsNotJoined) {
  // Two draw the west alone, one draws west and east as one: the east never becomes part of the west.
  const std::vector<DrawnPolygon> drawn{{kWest, 0}, {kWest, 1}, {kBoth, 2}};
  const auto found = chosen(drawn, {1, 1, 1});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_DOUBLE_EQ(found[0].max_x, 100.0);
}

TEST(FieldPartition, GainFollowsTheFormula) {
  const auto candidates = partition_fields(merged_and_split(1, 1), std::vector<double>{1.0, 2.0});
  ASSERT_EQ(candidates.size(), 2U);  // west (IoU 100/130 with both) and east
  // The west drawn by labeller 1 and the whole of labeller 0 are alike; the one with the higher agreement is
  // typical: 2 + 0.769 against 1 + 1.538.
  EXPECT_EQ(candidates[0].members.size(), 2U);
  EXPECT_EQ(candidates[0].typical, 1U);
  const double west = 1e4;
  const double east = 3e3;
  EXPECT_DOUBLE_EQ(candidates[0].gain, 3.0 * west * west);
  EXPECT_DOUBLE_EQ(candidates[1].gain, 3.0 * east * east);
}

TEST(FieldPartition, CountsPairsInDifferentPolygonsAgainstAField) {
  const std::vector<DrawnPolygon> drawn{{rectangle(0, 0, 30, 10), 0},
                                        {rectangle(0, 0, 10, 10), 1},
                                        {rectangle(10, 0, 20, 10), 1},
                                        {rectangle(20, 0, 30, 10), 1}};
  const auto candidates = partition_fields(drawn, std::vector<double>{1.0, 1.0});
  ASSERT_EQ(candidates.size(), 4U);
  for (const auto& c : candidates) {
    // 300 x 300 for labeller 0; thirds: 3 x 100 x 100 together, 6 x 100 x 100 apart.
    const double expected = c.typical == 0 ? 90000.0 - 30000.0 : 2.0 * 10000.0;
    EXPECT_DOUBLE_EQ(c.gain, expected);
    EXPECT_EQ(c.is_chosen, c.typical != 0);  // a tie: the finer division
  }
}

/// Every set of candidates that do not exclude each other, tried out.
double best_sum(const std::vector<DrawnPolygon>& drawn, const std::vector<CandidateField>& candidates) {
  double best = 0.0;
  const std::size_t n = candidates.size();
  for (std::uint32_t set = 0; set < (1U << n); ++set) {
    double sum = 0.0;
    bool allowed = true;
    for (std::size_t i = 0; i < n && allowed; ++i) {
      if ((set >> i & 1U) == 0) continue;
      sum += candidates[i].gain;
      for (std::size_t j = 0; j < i; ++j) {
        if ((set >> j & 1U) == 0) continue;
        const auto& a = drawn[candidates[i].typical].shape;
        const auto& b = drawn[candidates[j].typical].shape;
        if (geo::intersection_area(a, b) > 0.5 * std::min(geo::area(a), geo::area(b))) allowed = false;
      }
    }
    if (allowed) best = std::max(best, sum);
  }
  return best;
}

TEST(FieldPartition, FindsTheBestOfAllDivisions) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    geo::Random random(seed, 1);
    std::vector<DrawnPolygon> drawn;
    // A strip of 12 units that every labeller cuts at places of their own; some pieces are left out.
    for (std::uint32_t j = 0; j < 4; ++j) {
      double from = 0.0;
      for (int cut = 1; cut <= 6; ++cut) {
        if (cut < 6 && random.uniform() < 0.5) continue;
        const double to = 20.0 * cut + (cut < 6 ? random.uniform() * 6.0 - 3.0 : 0.0);
        if (random.uniform() < 0.9) drawn.push_back({rectangle(from, 0, to, 30), j});
        from = to;
      }
    }
    const std::vector<double> weights{1.0, 0.9, 0.8, 0.7};
    const auto candidates = partition_fields(drawn, weights);
    ASSERT_LE(candidates.size(), 20U);
    double sum = 0.0;
    std::vector<int> seen(drawn.size(), 0);
    for (const auto& c : candidates) {
      sum += c.is_chosen ? std::max(0.0, c.gain) : 0.0;
      for (const std::size_t m : c.members) ++seen[m];
    }
    const double best = best_sum(drawn, candidates);
    EXPECT_NEAR(sum, best, 1e-6 * best) << "seed " << seed;
    EXPECT_TRUE(std::ranges::all_of(seen, [](int n) { return n == 1; }));
  }
}

TEST(FieldPartition, OrderOfPolygonsAndLabellersDoesNotMatter) {
  geo::Random random(5, 1);
  std::vector<DrawnPolygon> drawn;
  for (std::uint32_t j = 0; j < 5; ++j) {
    for (int f = 0; f < 4; ++f) {
      const double x = 60.0 * f + random.uniform() * 8.0;
      const double width = random.uniform() < 0.3 ? 115.0 : 55.0;
      drawn.push_back({rectangle(x, random.uniform() * 5.0, x + width, 80.0), j});
    }
  }
  const std::vector<double> weights(5, 1.0);
  const auto first = chosen(drawn, weights);
  std::vector<DrawnPolygon> turned(drawn.rbegin(), drawn.rend());
  for (auto& d : turned) d.labeller = (d.labeller * 2 + 1) % 5;
  EXPECT_EQ(chosen(turned, weights), first);
}

TEST(FieldPartition, NothingDrawnGivesNothing) {
  EXPECT_TRUE(partition_fields({}, std::vector<double>{1.0}).empty());
}

TEST(FieldPartition, RefusesBadInput) {
  const std::vector<DrawnPolygon> drawn{{kWest, 1}};
  EXPECT_THROW((void)partition_fields(drawn, std::vector<double>{1.0}), geo::InvalidArgument);
  EXPECT_THROW((void)partition_fields(drawn, std::vector<double>{1.0, -1.0}), geo::InvalidArgument);
  EXPECT_THROW((void)partition_fields(drawn, std::vector<double>{1.0, 1.0}, 0.0), geo::InvalidArgument);
}

TEST(MedianShape, ThreeBoxesGiveTheMiddleOfEverySide) {
  const std::vector<geo::MultiPolygon> shapes{rectangle(0, 0, 100, 50), rectangle(3, -2, 104, 49),
                                              rectangle(1, 5, 98, 53)};
  const auto median = median_shape(shapes, std::vector<double>{1, 1, 1}, 0);
  EXPECT_EQ(geo::bounds(median), (geo::Box{1, 0, 100, 50}));
  EXPECT_TRUE(geo::check_validity(median).valid);
  // Points that two of three include, on a grid of 0.25 m.
  double slow = 0.0;
  for (double x = -9.875; x < 120.0; x += 0.25) {
    for (double y = -9.875; y < 70.0; y += 0.25) {
      const auto n = std::ranges::count_if(shapes, [&](const auto& s) { return geo::contains(s, {x, y}); });
      if (n >= 2) slow += 0.0625;
    }
  }
  EXPECT_NEAR(geo::area(median), slow, 1e-6);
}

TEST(MedianShape, HalfIsDecidedByTheTypicalOne) {
  const std::vector<geo::MultiPolygon> shapes{rectangle(0, 0, 100, 50), rectangle(10, 0, 110, 50)};
  const std::vector<double> even{1, 1};
  EXPECT_EQ(geo::bounds(median_shape(shapes, even, 0)), geo::bounds(shapes[0]));
  EXPECT_EQ(geo::bounds(median_shape(shapes, even, 1)), geo::bounds(shapes[1]));
  EXPECT_EQ(geo::bounds(median_shape(shapes, std::vector<double>{1.0, 1.1}, 0)), geo::bounds(shapes[1]));
}

TEST(MedianShape, KeepsHolesThatMostDraw) {
  geo::MultiPolygon with_hole = rectangle(0, 0, 100, 100);
  with_hole[0].holes.push_back(rectangle(40, 40, 60, 60)[0].shell);
  const std::vector<geo::MultiPolygon> shapes{with_hole, rectangle(1, 0, 100, 100), with_hole};
  const auto median = median_shape(shapes, std::vector<double>{1, 1, 1}, 0);
  EXPECT_NEAR(geo::area(median), 9600.0, 1e-6);
}

TEST(MedianShape, EqualShapesComeBackAsTheyAre) {
  const auto shape = rectangle(0.123456789, 0, 100.987654321, 50);
  const std::vector<geo::MultiPolygon> shapes(4, shape);
  EXPECT_EQ(median_shape(shapes, std::vector<double>(4, 1.0), 2)[0].shell, shape[0].shell);
}

TEST(MedianShape, RefusesNoShape) {
  EXPECT_THROW((void)median_shape({}, {}, 0), geo::InvalidArgument);
}

}  // namespace
}  // namespace furrow::labelling
