// Outlines placed by scores: lines that stay apart wherever corners go, and shapes whose true border is known
// to a fraction of a pixel.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/topology/arcs.h>
#include <furrow/geo/topology/assemble.h>
#include <furrow/geo/topology/delineate.h>
#include <furrow/geo/topology/simplify.h>
#include <furrow/geo/topology/watershed.h>
#include <furrow/geo/vector/box_index.h>
#include <furrow/geo/vector/geos.h>

#include "support.h"
#include "topology/corner_moves.h"
#include "topology/moved_corners.h"
#include "topology/outer_boundary.h"

namespace furrow::geo {
namespace {

const GeoTransform kUnitPixels{0.0, 1.0, 0.0, 0.0, 0.0, 1.0};

enum class Moves { kAny, kExtreme };

/// Somewhere, or as far as can be.
std::int8_t random_move(Random& random, Moves kind) {
  constexpr auto kMost = static_cast<std::uint64_t>(detail::kLargestMove);
  const int most = detail::kLargestMove;
  if (kind == Moves::kExtreme) return static_cast<std::int8_t>(random.chance(0.5) ? most : -most);
  return static_cast<std::int8_t>(static_cast<int>(random.below(2 * kMost + 1)) - most);
}

/// All inner corners of a raster, somewhere else.
detail::CornerMoves random_moves(std::int64_t width, std::int64_t height, std::uint64_t seed, Moves kind) {
  Random random(seed);
  detail::CornerMoves moves(width);
  for (std::int64_t y = 0; y <= height; ++y) {
    std::vector<detail::MovedCorner> row;
    for (std::int64_t x = 0; x <= width; ++x) {
      detail::CornerMove move{random_move(random, kind), random_move(random, kind)};
      if (x == 0 || x == width) move.x = 0;
      if (y == 0 || y == height) move.y = 0;
      row.push_back({static_cast<std::int32_t>(x), move});
    }
    moves.add_row(row);
  }
  return moves;
}

/// In blocks of 1 to 3 px, so that lines run straight, turn and meet.
Raster<std::uint32_t> random_blocks(std::uint64_t seed, std::int64_t width, std::int64_t height,
                                    std::uint64_t labels) {
  Random random(seed);
  const auto block = static_cast<std::int64_t>(1 + seed % 3);
  Raster<std::uint32_t> out(width, height);
  for (std::int64_t row = 0; row < height; ++row) {
    for (std::int64_t col = 0; col < width; ++col) {
      const bool is_first = row % block == 0 && col % block == 0;
      out.at(col, row) = is_first ? static_cast<std::uint32_t>(1 + random.below(labels))
                                  : out.at(col - col % block, row - row % block);
    }
  }
  return out;
}

std::vector<MultiPolygon> moved_polygons(const Raster<std::uint32_t>& labels, std::uint32_t count,
                                         double tolerance, const detail::CornerMoves& moves) {
  ExecContext exec;
  PackedArcSimplifier lines({tolerance, 1.0, 1.0});
  lines.add(trace_arcs(labels, exec).arcs);
  return assemble_polygons(lines.finish(labels.width(), labels.height(), moves, exec), count, kUnitPixels,
                           exec);
}

/// All valid, side by side without gaps and overlaps.
void expect_partition(const std::vector<MultiPolygon>& shapes) {
  std::vector<Box> boxes;
  double sum = 0.0;
  for (const auto& shape : shapes) {
    boxes.push_back(bounds(shape));
    if (shape.empty()) continue;
    const Validity validity = check_validity(shape);
    ASSERT_TRUE(validity.valid) << validity.reason;
    ASSERT_GT(area(shape), 0.0);
    sum += area(shape);
  }
  const MultiPolygon united = union_all(shapes);
  ASSERT_EQ(united.size(), 1U);
  ASSERT_TRUE(united[0].holes.empty());
  ASSERT_NEAR(sum, area(united), 1e-6 * sum);
  const BoxIndex index(boxes);
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    if (shapes[i].empty()) continue;
    for (const std::size_t k : index.query(boxes[i])) {
      if (k <= i || shapes[k].empty()) continue;
      ASSERT_EQ(intersection_area(shapes[i], shapes[k]), 0.0);
    }
  }
}

TEST(MovedLines, StayAPartitionWhereverCornersGo) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const std::uint64_t count = 2 + seed % 5;
    const auto labels = random_blocks(seed, 15 + static_cast<std::int64_t>(seed % 13), 19, count);
    const Moves kind = seed % 2 == 0 ? Moves::kAny : Moves::kExtreme;
    const auto moves = random_moves(labels.width(), labels.height(), seed, kind);
    for (const double tolerance : {0.0, 0.3, 1.0, 4.0}) {
      SCOPED_TRACE(concat("seed ", seed, ", tolerance ", tolerance));
      const auto shapes = moved_polygons(labels, static_cast<std::uint32_t>(count), tolerance, moves);
      expect_partition(shapes);
      for (const std::uint32_t label : labels.data()) ASSERT_FALSE(shapes[label].empty());
    }
  }
}

TEST(MovedLines, CornersAreFoundByTheirPlace) {
  Random random(7);
  for (const std::int64_t width : {1, 63, 64, 700, 2000}) {
    detail::CornerMoves moves(width);
    std::map<std::pair<std::int32_t, std::int32_t>, detail::CornerMove> expected;
    for (std::int32_t y = 0; y < 9; ++y) {
      std::vector<detail::MovedCorner> row;
      for (std::int32_t x = 0; x <= width; ++x) {
        if (!random.chance(y == 4 ? 0.0 : 0.3)) continue;
        row.push_back({x, {random_move(random, Moves::kAny), random_move(random, Moves::kAny)}});
        expected[{x, y}] = row.back().move;
      }
      moves.add_row(row);
    }
    for (std::int32_t y = -1; y < 10; ++y) {
      for (std::int32_t x = -1; x <= width + 1; ++x) {
        const auto it = expected.find({x, y});
        ASSERT_EQ(moves.has({x, y}), it != expected.end()) << x << " " << y;
        if (it == expected.end()) continue;
        ASSERT_EQ(moves.place({x, y}), (LatticePoint{256 * x + it->second.x, 256 * y + it->second.y}));
      }
    }
  }
}

/// Segments with a point in common, neither along the other.
bool cross_each_other(LatticePoint a, LatticePoint b, LatticePoint c, LatticePoint d) {
  const auto sign = [](std::int64_t v) { return (v > 0) - (v < 0); };
  const bool in_line = detail::cross(a, b, c) == 0 && detail::cross(a, b, d) == 0;
  return !in_line && sign(detail::cross(a, b, c)) * sign(detail::cross(a, b, d)) <= 0 &&
         sign(detail::cross(c, d, a)) * sign(detail::cross(c, d, b)) <= 0;
}

TEST(MovedLines, NearATriangleAreTheSquaresThatItMeets) {
  Random random(11);
  const int reach = detail::kLargestMove;
  for (int round = 0; round < 500; ++round) {
    std::array<LatticePoint, 3> t;
    do {
      for (LatticePoint& p : t) {
        p = {static_cast<std::int32_t>(random.below(9 * 256)),
             static_cast<std::int32_t>(random.below(9 * 256))};
      }
      if (round % 5 == 0) t[2] = {t[1].x, t[0].y};
      if (round % 3 == 0) t[1] = {t[0].x + 200, t[0].y + 190};
    } while (detail::cross(t[0], t[1], t[2]) == 0);
    std::map<std::pair<int, int>, int> found;
    detail::any_near_triangle(t[0], t[1], t[2], [&](LatticePoint p) {
      ++found[{p.x, p.y}];
      return false;
    });
    for (int y = 0; y <= 11; ++y) {
      for (int x = 0; x <= 11; ++x) {
        const int left = 256 * x - reach;
        const int top = 256 * y - reach;
        const std::array<LatticePoint, 4> square{LatticePoint{left, top},
                                                 {left + 2 * reach, top},
                                                 {left + 2 * reach, top + 2 * reach},
                                                 {left, top + 2 * reach}};
        bool meets =
            left <= t[0].x && t[0].x <= left + 2 * reach && top <= t[0].y && t[0].y <= top + 2 * reach;
        for (std::size_t i = 0; i < 4; ++i) {
          meets = meets || detail::in_triangle(t[0], t[1], t[2], square[i]);
          for (std::size_t k = 0; k < 3; ++k)
            meets = meets || cross_each_other(square[i], square[(i + 1) % 4], t[k], t[(k + 1) % 3]);
        }
        ASSERT_EQ((found[{x, y}]), meets ? 1 : 0) << round << ": " << x << " " << y;
      }
    }
  }
}

/// How far outside of a shape a place lies, in px; below 0 inside.
using Distance = std::function<double(double x, double y)>;

Distance disc(double x0, double y0, double radius) {
  return [=](double x, double y) { return std::hypot(x - x0, y - y0) - radius; };
}

Distance square(double x0, double y0, double half, double degrees) {
  const double c = std::cos(degrees * M_PI / 180.0);
  const double s = std::sin(degrees * M_PI / 180.0);
  return [=](double x, double y) {
    const double u = std::abs(c * (x - x0) + s * (y - y0)) - half;
    const double v = std::abs(c * (y - y0) - s * (x - x0)) - half;
    return std::min(std::max(u, v), 0.0) + std::hypot(std::max(u, 0.0), std::max(v, 0.0));
  };
}

Distance half_plane(double x0, double y0, double degrees) {
  const double c = std::cos(degrees * M_PI / 180.0);
  const double s = std::sin(degrees * M_PI / 180.0);
  return [=](double x, double y) { return c * (x - x0) + s * (y - y0); };
}

constexpr std::int64_t kSide = 40;

/// Share of each pixel that lies in the shape, counted at 20 x 20 places, in levels.
Raster<std::uint8_t> coverage_levels(const Distance& outside, double grown_px = 0.0) {
  Raster<std::uint8_t> out(kSide, kSide);
  for (std::int64_t row = 0; row < kSide; ++row) {
    for (std::int64_t col = 0; col < kSide; ++col) {
      int count = 0;
      for (int i = 0; i < 400; ++i) {
        const double x = static_cast<double>(col) + (i % 20 + 0.5) / 20.0;
        const double y = static_cast<double>(row) + (std::floor(i / 20.0) + 0.5) / 20.0;
        count += outside(x, y) < grown_px ? 1 : 0;
      }
      out.at(col, row) = static_cast<std::uint8_t>((count + 1) / 2);
    }
  }
  return out;
}

Raster<std::uint8_t> all(std::uint8_t value) {
  Raster<std::uint8_t> out(kSide, kSide);
  std::ranges::fill(out.data(), value);
  return out;
}

Raster<std::uint8_t> minus(const Raster<std::uint8_t>& a, const Raster<std::uint8_t>& b) {
  Raster<std::uint8_t> out(a.width(), a.height());
  for (std::size_t i = 0; i < out.data().size(); ++i)
    out.data()[i] = static_cast<std::uint8_t>(a.data()[i] - b.data()[i]);
  return out;
}

/// Extent alone: the boundary is the rest.
ScoreMap extent_scores(const Distance& outside) {
  const auto extent = coverage_levels(outside);
  return {test::utm_grid(kSide, kSide), extent, minus(all(kScoreLevels), extent), all(1), {}, {}};
}

struct OutlineError {
  double mean_px = 0.0;
  double largest_px = 0.0;
  double area_share = 0.0;  ///< of all fields; 0 without a true area
};

/// Distance of outlines from the true line, at places 0.1 px apart, further than 3 px from the raster's
/// border.
OutlineError outline_error(const ScoreMap& scores, OutlinePlacement placement, const Distance& truth,
                           double area_px) {
  ExecContext exec;
  DelineateOptions options;
  options.placement = placement;
  options.simplify_px = placement == OutlinePlacement::kScore ? 0.2 : 1.0;
  const Delineation result = delineate(scores, options, exec);
  EXPECT_GE(result.fields.features.size(), 1U);
  OutlineError error;
  std::int64_t count = 0;
  double area_sum = 0.0;
  for (const Feature& feature : result.fields.features) {
    EXPECT_TRUE(check_validity(feature.geometry).valid);
    area_sum += area(feature.geometry) / 100.0;
    const Ring& ring = feature.geometry[0].shell;
    for (std::size_t i = 1; i < ring.size(); ++i) {
      const Point from = scores.grid.transform.to_pixel(ring[i - 1]);
      const Point to = scores.grid.transform.to_pixel(ring[i]);
      const int steps = 1 + static_cast<int>(10.0 * std::hypot(to.x - from.x, to.y - from.y));
      for (int k = 0; k < steps; ++k) {
        const double x = from.x + (to.x - from.x) * k / steps;
        const double y = from.y + (to.y - from.y) * k / steps;
        if (std::min({x, y, kSide - x, kSide - y}) < 3.0) continue;
        const double away = std::abs(truth(x, y));
        error.mean_px += away;
        error.largest_px = std::max(error.largest_px, away);
        ++count;
      }
    }
  }
  error.mean_px /= static_cast<double>(std::max<std::int64_t>(1, count));
  if (area_px > 0.0) error.area_share = std::abs(area_sum / area_px - 1.0);
  return error;
}

/// Adds up over some shapes.
class Comparison {
 public:
  void add(const ScoreMap& scores, const Distance& truth, double area_px) {
    const auto take = [&](OutlinePlacement placement, OutlineError& into) {
      const OutlineError error = outline_error(scores, placement, truth, area_px);
      into.mean_px += error.mean_px;
      into.largest_px = std::max(into.largest_px, error.largest_px);
      into.area_share += error.area_share;
    };
    take(OutlinePlacement::kPixel, m_pixel);
    take(OutlinePlacement::kScore, m_score);
    ++m_shapes;
  }
  /// By placement, means over shapes and the largest of all.
  [[nodiscard]] OutlineError pixel() const { return mean(m_pixel); }
  [[nodiscard]] OutlineError score() const { return mean(m_score); }

 private:
  [[nodiscard]] OutlineError mean(OutlineError sum) const {
    return {sum.mean_px / m_shapes, sum.largest_px, sum.area_share / m_shapes};
  }
  OutlineError m_pixel;
  OutlineError m_score;
  int m_shapes = 0;
};

/// Distances fall to less than 0.4 of those of pixel outlines, the largest and the error of areas clearly.
void expect_better(const Comparison& c, bool has_areas) {
  EXPECT_LT(c.score().mean_px, 0.4 * c.pixel().mean_px);
  EXPECT_LT(c.score().largest_px, 0.65 * c.pixel().largest_px);
  EXPECT_GT(c.pixel().mean_px, 0.2);
  if (has_areas) {
    EXPECT_LT(c.score().area_share, 0.75 * c.pixel().area_share);
  }
}

TEST(PlacedByScores, Discs) {
  Comparison c;
  for (const double radius : {3.2, 5.0, 8.7, 13.1}) {
    for (const double offset : {0.0, 0.3, 0.71}) {
      c.add(extent_scores(disc(20.0 + offset, 19.6 - offset, radius)),
            disc(20.0 + offset, 19.6 - offset, radius), M_PI * radius * radius);
    }
  }
  expect_better(c, true);
}

TEST(PlacedByScores, TurnedSquares) {
  Comparison c;
  for (const double degrees : {0.0, 7.0, 20.0, 33.0, 45.0}) {
    for (const double half : {4.3, 9.65}) {
      const auto truth = square(20.2, 19.7, half, degrees);
      c.add(extent_scores(truth), truth, 4.0 * half * half);
    }
  }
  expect_better(c, true);
}

TEST(PlacedByScores, HalfPlanes) {
  Comparison c;
  for (const double degrees : {0.0, 3.0, 11.3, 26.6, 45.0, 71.0, 90.0, 137.0, 250.0}) {
    for (const double offset : {0.0, 0.2, 0.45, 0.8}) {
      const auto truth = half_plane(20.0 + offset, 20.0 + offset, degrees);
      c.add(extent_scores(truth), truth, 0.0);
    }
  }
  expect_better(c, false);
}

TEST(PlacedByScores, EdgesOfTwoFields) {
  Comparison c;
  for (const double degrees : {0.0, 3.0, 11.3, 26.6, 45.0, 71.0, 90.0, 137.0}) {
    for (const double offset : {0.0, 0.2, 0.45, 0.8}) {
      for (const double half_width : {0.5, 1.0}) {
        const auto truth = half_plane(20.0 + offset, 20.0 + offset, degrees);
        const auto ridge = minus(coverage_levels(truth, half_width), coverage_levels(truth, -half_width));
        c.add({test::utm_grid(kSide, kSide), all(kScoreLevels), ridge, all(1), {}, {}}, truth, 0.0);
      }
    }
  }
  expect_better(c, false);
}

/// Probabilities of background, interior and boundary as smooth functions of the distance from the outline.
ScoreMap class_scores(const Distance& outside) {
  ScoreMap whole{test::utm_grid(kSide, kSide), all(0), all(0), all(1), {}, {}};
  for (std::int64_t row = 0; row < kSide; ++row) {
    for (std::int64_t col = 0; col < kSide; ++col) {
      const double away = outside(static_cast<double>(col) + 0.5, static_cast<double>(row) + 0.5);
      const auto above = [](double d) { return 1.0 / (1.0 + std::exp(-2.0 * d)); };
      const double background = above(away - 1.0);
      const double interior = above(-away - 1.0);
      whole.extent.at(col, row) = static_cast<std::uint8_t>(std::lround(kScoreLevels * (1.0 - background)));
      whole.boundary.at(col, row) =
          static_cast<std::uint8_t>(std::lround(kScoreLevels * (1.0 - background - interior)));
    }
  }
  return detail::halve_outer_boundary(whole, 0, kSide);
}

TEST(PlacedByScores, OuterBoundariesThatAreHalved) {
  Comparison c;
  for (const double offset : {0.0, 0.3, 0.71}) {
    for (const double radius : {6.4, 8.7, 13.1}) {
      const auto truth = disc(20.0 + offset, 19.6 - offset, radius);
      c.add(class_scores(truth), truth, M_PI * radius * radius);
    }
  }
  // The rule of halving is off by a pixel here and there, more than corners may move.
  EXPECT_LT(c.score().mean_px, 0.65 * c.pixel().mean_px);
  EXPECT_LT(c.score().largest_px, 0.85 * c.pixel().largest_px);
  EXPECT_LT(c.score().area_share, 0.75 * c.pixel().area_share);
}

TEST(PlacedByScores, AStraightBorderByHand) {
  // Between the centres of pixels of 0.55 and 0, 0.5 lies at 1/11 of a pixel from the first.
  ScoreMap scores{test::utm_grid(kSide, kSide), all(0), all(0), all(1), {}, {}};
  for (std::int64_t row = 0; row < kSide; ++row) {
    for (std::int64_t col = 0; col < 20; ++col) scores.extent.at(col, row) = kScoreLevels;
    scores.extent.at(20, row) = 110;
  }
  ExecContext exec;
  DelineateOptions options;
  options.placement = OutlinePlacement::kScore;
  options.simplify_px = 0.2;
  const Delineation result = delineate(scores, options, exec);
  ASSERT_EQ(result.fields.features.size(), 1U);
  std::map<double, int> columns;
  for (const Point& p : result.fields.features[0].geometry[0].shell)
    ++columns[scores.grid.transform.to_pixel(p).x];
  // Corners at the raster's border stay: 4 of the frame, and two at the ends of the line.
  const std::map<double, int> expected{{0.0, 3}, {21.0 - 105.0 / 256.0, 2}, {21.0, 2}};
  EXPECT_EQ(columns, expected);
  EXPECT_EQ(as_integer(result.fields.features[0].values[result.fields.field("n_pixels")]), 21 * kSide);
}

TEST(PlacedByScores, LinesBesideMissingDataStay) {
  ScoreMap scores = extent_scores(disc(20.3, 19.6, 9.0));
  for (std::int64_t row = 0; row < kSide; ++row) {
    for (std::int64_t col = 20; col < kSide; ++col) {
      scores.valid.at(col, row) = scores.extent.at(col, row) = scores.boundary.at(col, row) = 0;
    }
  }
  ExecContext exec;
  DelineateOptions options;
  options.placement = OutlinePlacement::kScore;
  const Delineation result = delineate(scores, options, exec);
  ASSERT_EQ(result.fields.features.size(), 1U);
  int at_border = 0;
  const Ring& ring = result.fields.features[0].geometry[0].shell;
  for (std::size_t i = 1; i < ring.size(); ++i) {
    const double x = scores.grid.transform.to_pixel(ring[i]).x;
    EXPECT_LE(x, 20.0);
    at_border += x == 20.0 ? 1 : 0;
  }
  EXPECT_EQ(at_border, 2);
}

TEST(PlacedByScores, TheGridOnlySaysWhereCornersLieInTheWorld) {
  ExecContext exec;
  DelineateOptions options;
  options.placement = OutlinePlacement::kScore;
  options.simplify_px = 0.2;
  ScoreMap scores = extent_scores(disc(20.3, 19.6, 9.0));
  const auto outline = [&](const Grid& grid) {
    scores.grid = grid;
    std::vector<std::pair<long, long>> corners;
    const Delineation result = delineate(scores, options, exec);
    for (const Point& p : result.fields.features.at(0).geometry[0].shell) {
      const Point px = grid.transform.to_pixel(p);
      corners.emplace_back(std::lround(px.x * 1000.0), std::lround(px.y * 1000.0));
    }
    corners.pop_back();
    std::ranges::sort(corners);
    return corners;
  };
  const Crs utm = Crs::from_user_input("EPSG:32632");
  const auto expected = outline(test::utm_grid(kSide, kSide));
  EXPECT_GT(expected.size(), 8U);
  EXPECT_EQ(outline({kSide, kSide, {499500, 10, 0, 5999850, 0, 10}, utm}), expected);
  EXPECT_EQ(outline({kSide, kSide, {499100, 8.660254, 5, 6001200, 5, -8.660254}, utm}), expected);
  EXPECT_EQ(
      outline({kSide, kSide, {8.991, 0.000167, 0, 54.1649, 0, -0.00009}, Crs::from_user_input("EPSG:4326")}),
      expected);
}

TEST(PlacedByScores, RefusesWhatHasNoScoresAndAreasInPixels) {
  ExecContext exec;
  DelineateOptions options;
  options.placement = OutlinePlacement::kScore;
  const ScoreMap scores = extent_scores(disc(20.3, 19.6, 9.0));
  options.simplify_method = SimplifyMethod::kArea;
  EXPECT_THROW((void)delineate(scores, options, exec), InvalidArgument);
  options.simplify_method = SimplifyMethod::kDistance;
  options.mode = SplitMode::kInstances;
  EXPECT_THROW((void)delineate(scores, options, exec), InvalidArgument);
}

}  // namespace
}  // namespace furrow::geo
