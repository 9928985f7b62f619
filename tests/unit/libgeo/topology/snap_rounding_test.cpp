#include "topology/snap_rounding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <tuple>

#include <furrow/geo/core/random.h>

namespace furrow::geo::detail {
namespace {

using Line = std::tuple<GridPoint, GridPoint>;

std::vector<Line> lines_of(const NodedLines& noded) {
  std::vector<Line> lines;
  for (const NodedEdge& edge : noded.edges) lines.emplace_back(edge.a, edge.b);
  return lines;
}

NodedLines noded(const std::vector<OutlineSegment>& segments) {
  ExecContext exec;
  return snap_round(segments, exec);
}

TEST(SnapRounding, CutsWhereSegmentsCross) {
  const auto lines = lines_of(noded({{{0, 0}, {10, 10}, 0}, {{0, 10}, {10, 0}, 1}}));
  const std::vector<Line> expected{
      {{0, 0}, {5, 5}}, {{0, 10}, {5, 5}}, {{5, 5}, {10, 0}}, {{5, 5}, {10, 10}}};
  EXPECT_EQ(lines, expected);
}

TEST(SnapRounding, RoundsTheCrossingToTheGrid) {
  // They cross at (2.5, 0.5), the lower left corner of the pixel of (3, 1). Led there, the first one passes
  // through the pixel of (2, 1), which it did not touch before.
  const auto lines = lines_of(noded({{{0, 0}, {5, 1}, 0}, {{2, 1}, {3, 0}, 1}}));
  const std::vector<Line> expected{{{0, 0}, {2, 1}}, {{2, 1}, {3, 1}}, {{3, 0}, {3, 1}}, {{3, 1}, {5, 1}}};
  EXPECT_EQ(lines, expected);
}

TEST(SnapRounding, CutsAtEndsThatTouch) {
  const auto lines = lines_of(noded({{{0, 0}, {10, 0}, 0}, {{4, 0}, {4, 7}, 1}}));
  const std::vector<Line> expected{{{0, 0}, {4, 0}}, {{4, 0}, {4, 7}}, {{4, 0}, {10, 0}}};
  EXPECT_EQ(lines, expected);
}

TEST(SnapRounding, AddsUpWhoIsEnteredAcrossACommonEdge) {
  // 0 lies left of the edge, 1 right of it; 2 has it twice, there and back.
  const NodedLines result =
      noded({{{0, 0}, {9, 0}, 0}, {{9, 0}, {0, 0}, 1}, {{0, 0}, {9, 0}, 2}, {{9, 0}, {0, 0}, 2}});
  ASSERT_EQ(result.edges.size(), 1U);
  const auto crossings = result.crossings_of(result.edges.front());
  ASSERT_EQ(crossings.size(), 2U);
  EXPECT_EQ(crossings[0].feature, 0U);
  EXPECT_EQ(crossings[0].winding, 1);
  EXPECT_EQ(crossings[1].feature, 1U);
  EXPECT_EQ(crossings[1].winding, -1);
}

TEST(SnapRounding, DropsWhatCollapsesAndKeepsBridges) {
  EXPECT_TRUE(noded({{{0, 0}, {9, 0}, 0}, {{9, 0}, {0, 0}, 0}}).edges.empty());
  const NodedLines bridge = noded({{{0, 0}, {9, 0}, kNoFeature}});
  ASSERT_EQ(bridge.edges.size(), 1U);
  EXPECT_EQ(bridge.edges.front().count, 0U);
}

TEST(SnapRounding, PixelsOwnTheirLeftAndLowerSide) {
  EXPECT_TRUE(passes_through({0, 0}, {10, 0}, {5, 0}));
  EXPECT_FALSE(passes_through({0, 0}, {10, 0}, {5, 1}));
  EXPECT_FALSE(passes_through({0, 0}, {10, 0}, {11, 0}));
  EXPECT_TRUE(passes_through({0, 0}, {1, 1}, {1, 1}));
  EXPECT_FALSE(passes_through({0, 0}, {1, 1}, {0, 1}));  // through its lower right corner
  EXPECT_FALSE(passes_through({0, 0}, {1, 1}, {1, 0}));  // through its upper left corner
  EXPECT_TRUE(passes_through({0, 1}, {1, 0}, {1, 1}));   // through its lower left corner
  EXPECT_FALSE(passes_through({0, 1}, {1, 0}, {0, 0}));  // through its upper right corner
}

/// No two edges meet but at their ends, and no end lies in the pixels of another edge.
void expect_noded(const NodedLines& lines) {
  std::set<GridPoint> ends;
  for (const NodedEdge& edge : lines.edges) {
    ends.insert(edge.a);
    ends.insert(edge.b);
  }
  for (const NodedEdge& s : lines.edges) {
    for (const GridPoint& p : ends) {
      ASSERT_FALSE(p != s.a && p != s.b && passes_through(s.a, s.b, p));
    }
    for (const NodedEdge& t : lines.edges) {
      const int first = sign(turn(s.a, s.b, t.a)) * sign(turn(s.a, s.b, t.b));
      const int second = sign(turn(t.a, t.b, s.a)) * sign(turn(t.a, t.b, s.b));
      ASSERT_FALSE(first < 0 && second < 0);
    }
  }
}

TEST(SnapRounding, RandomSegmentsOnACoarseGridAreNodedOnceAndForAll) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    std::vector<OutlineSegment> segments;
    const auto place = [&] { return static_cast<std::int64_t>(random.below(40)) - 20; };
    for (std::uint32_t i = 0; i < 40; ++i) segments.push_back({{place(), place()}, {place(), place()}, i});
    const NodedLines once = noded(segments);
    expect_noded(once);
    std::vector<OutlineSegment> again;
    for (const NodedEdge& edge : once.edges) again.push_back({edge.a, edge.b, 0});
    EXPECT_EQ(lines_of(noded(again)), lines_of(once));
    std::ranges::reverse(segments);
    EXPECT_EQ(lines_of(noded(segments)), lines_of(once));
  }
}

TEST(SnapRounding, FarPlacesAreExact) {
  const std::int64_t far = 600'000'000'000;  // 6,000 km in hundredths of a millimetre
  const auto lines =
      lines_of(noded({{{far, far}, {far + 10, far + 10}, 0}, {{far, far + 10}, {far + 10, far}, 1}}));
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(std::get<1>(lines.front()), (GridPoint{far + 5, far + 5}));
}

}  // namespace
}  // namespace furrow::geo::detail
