#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/topology/arcs.h>
#include <furrow/geo/topology/assemble.h>
#include <furrow/geo/topology/simplify.h>
#include <furrow/geo/vector/box_index.h>
#include <furrow/geo/vector/geos.h>

#include "support.h"

namespace furrow::geo {
namespace {

const GeoTransform kPixels{0.0, 1.0, 0.0, 0.0, 0.0, 1.0};
const GeoTransform kNorthUp{683529.7567448154, 10.0, 0.0, 3921539.3419985995, 0.0, -10.0};

Raster<std::uint32_t> labels_of(const std::string& picture) {
  const auto drawn = test::draw(picture);
  Raster<std::uint32_t> labels(drawn.width(), drawn.height());
  for (std::size_t i = 0; i < labels.data().size(); ++i) {
    labels.data()[i] = drawn.data()[i] == 255 ? kUnknownInstance : drawn.data()[i];
  }
  return labels;
}

std::vector<MultiPolygon> polygons(const Raster<std::uint32_t>& labels, std::uint32_t count, double tolerance,
                                   const GeoTransform& transform = kPixels) {
  ExecContext exec;
  return assemble_polygons(simplify_arcs(trace_arcs(labels, exec), {tolerance, 1.0, 1.0}, exec), count,
                           transform, exec);
}

std::uint32_t largest(const Raster<std::uint32_t>& labels) {
  std::uint32_t most = 0;
  for (const auto label : labels.data()) {
    if (is_field(label)) most = std::max(most, label);
  }
  return most;
}

std::map<std::uint32_t, std::int64_t> pixel_counts(const Raster<std::uint32_t>& labels) {
  std::map<std::uint32_t, std::int64_t> counts;
  for (const auto label : labels.data()) {
    if (is_field(label)) ++counts[label];
  }
  return counts;
}

void expect_valid(const std::vector<MultiPolygon>& shapes) {
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    if (shapes[i].empty()) continue;
    const Validity validity = check_validity(shapes[i]);
    ASSERT_TRUE(validity.valid) << "label " << i << ": " << validity.reason << " " << to_wkt(shapes[i]);
  }
}

/// No two shapes share area, to the last bit.
void expect_no_overlap(const std::vector<MultiPolygon>& shapes) {
  std::vector<Box> boxes;
  for (const auto& shape : shapes) boxes.push_back(bounds(shape));
  const BoxIndex index(boxes);
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    if (shapes[i].empty()) continue;
    for (const std::size_t k : index.query(boxes[i])) {
      if (k <= i || shapes[k].empty()) continue;
      ASSERT_EQ(intersection_area(shapes[i], shapes[k]), 0.0) << i << " and " << k;
    }
  }
}

Raster<std::uint32_t> random_labels(std::uint64_t seed, std::int64_t width, std::int64_t height,
                                    std::uint64_t labels) {
  Random random(seed);
  Raster<std::uint32_t> out(width, height);
  for (auto& label : out.data()) {
    label = static_cast<std::uint32_t>(random.below(labels + 1));
    if (random.chance(0.02)) label = kUnknownInstance;
  }
  return out;
}

/// Fields as the nearest of random seeds; some cells are background; noise makes the edges ragged.
Raster<std::uint32_t> voronoi_labels(std::uint64_t seed, std::int64_t size, std::uint32_t cells,
                                     double ragged_px) {
  Random random(seed);
  std::vector<Point> seeds;
  for (std::uint32_t i = 0; i < cells; ++i) {
    seeds.push_back(
        {random.uniform(0.0, static_cast<double>(size)), random.uniform(0.0, static_cast<double>(size))});
  }
  Raster<std::uint32_t> out(size, size);
  for (std::int64_t row = 0; row < size; ++row) {
    for (std::int64_t col = 0; col < size; ++col) {
      const double x = static_cast<double>(col) + 0.5 + random.normal(0.0, ragged_px);
      const double y = static_cast<double>(row) + 0.5 + random.normal(0.0, ragged_px);
      std::uint32_t best = 0;
      double nearest = INFINITY;
      for (std::uint32_t i = 0; i < cells; ++i) {
        const double d = std::hypot(seeds[i].x - x, seeds[i].y - y);
        if (d < nearest) {
          nearest = d;
          best = i;
        }
      }
      out.at(col, row) = best % 5 == 0 ? 0 : best + 1;
    }
  }
  return out;
}

TEST(Arcs, SharedEdgeIsTracedOnceBetweenItsNodes) {
  ExecContext exec;
  const ArcSet set = trace_arcs(labels_of("12\n12\n"), exec);
  // Left outline, right outline, and the line between: two nodes on the border.
  ASSERT_EQ(set.arcs.size(), 3U);
  int shared = 0;
  for (const Arc& arc : set.arcs) {
    if (is_field(arc.left) && is_field(arc.right)) {
      ++shared;
      EXPECT_EQ(arc.points, (std::vector<LatticePoint>{{1, 0}, {1, 2}}));
      EXPECT_EQ(arc.left, 2U);  // going down, east is on the left
      EXPECT_EQ(arc.right, 1U);
    }
  }
  EXPECT_EQ(shared, 1);
}

TEST(Arcs, IslandIsOneClosedArcFromItsUpperLeftCorner) {
  ExecContext exec;
  const ArcSet set = trace_arcs(labels_of("....\n..1.\n.11.\n....\n"), exec);
  ASSERT_EQ(set.arcs.size(), 1U);
  EXPECT_TRUE(set.arcs[0].closed());
  EXPECT_EQ(set.arcs[0].points,
            (std::vector<LatticePoint>{{2, 1}, {3, 1}, {3, 3}, {1, 3}, {1, 2}, {2, 2}, {2, 1}}));
}

TEST(Arcs, WhereNodataBeginsIsANode) {
  ExecContext exec;
  const ArcSet set = trace_arcs(labels_of("11\n.#\n"), exec);
  bool found = false;
  for (const Arc& arc : set.arcs)
    found |= arc.points.front() == LatticePoint{1, 1} || arc.points.back() == LatticePoint{1, 1};
  EXPECT_TRUE(found);
}

TEST(Arcs, NoFieldNoArc) {
  ExecContext exec;
  EXPECT_TRUE(trace_arcs(labels_of("..#\n.##\n"), exec).arcs.empty());
  EXPECT_TRUE(trace_arcs(Raster<std::uint32_t>(), exec).arcs.empty());
}

ArcSet arcs_by_strips(const Raster<std::uint32_t>& labels, std::int64_t strip_rows, ExecContext& exec) {
  ArcTracer tracer(labels.width(), labels.height());
  for (std::int64_t first = 0; first < labels.height(); first += strip_rows) {
    const std::int64_t end = std::min(labels.height(), first + strip_rows);
    const std::int64_t from = std::max<std::int64_t>(0, first - 1);
    const std::int64_t to = std::min(labels.height(), end + 1);
    Raster<std::uint32_t> rows(labels.width(), to - from);
    std::copy(labels.data().begin() + from * labels.width(), labels.data().begin() + to * labels.width(),
              rows.data().begin());
    tracer.add(rows, end - first, exec);
  }
  return tracer.finish();
}

void expect_same_arcs(const ArcSet& a, const ArcSet& b) {
  ASSERT_EQ(a.arcs.size(), b.arcs.size());
  for (std::size_t i = 0; i < a.arcs.size(); ++i) {
    ASSERT_EQ(a.arcs[i].points, b.arcs[i].points) << i;
    ASSERT_EQ(std::pair(a.arcs[i].left, a.arcs[i].right), std::pair(b.arcs[i].left, b.arcs[i].right)) << i;
    ASSERT_EQ(std::pair(a.arcs[i].first, a.arcs[i].last), std::pair(b.arcs[i].first, b.arcs[i].last)) << i;
  }
}

TEST(Arcs, StripsOfAnyHeightGiveTheSameArcs) {
  ExecContext exec;
  std::vector<Raster<std::uint32_t>> rasters;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const auto size = static_cast<std::int64_t>(seed);
    rasters.push_back(
        random_labels(seed, 1 + size % 17, 60 - size, 1 + static_cast<std::uint32_t>(seed % 3)));
  }
  rasters.push_back(voronoi_labels(3, 150, 60, 4.0));
  rasters.push_back(labels_of("......\n.2222.\n.2..2.\n.2.22.\n.2....\n.2222.\n......\n"));  // a spiral
  rasters.push_back(labels_of("111111\n1....1\n1.22.1\n1.22.1\n1....1\n111111\n"));  // closed lines only
  for (const auto& labels : rasters) {
    const ArcSet whole = trace_arcs(labels, exec);
    for (const std::int64_t rows : {1, 2, 3, 7, 64}) {
      SCOPED_TRACE(concat(labels.width(), " x ", labels.height(), " by ", rows));
      expect_same_arcs(arcs_by_strips(labels, rows, exec), whole);
    }
  }
}

TEST(Polygons, OutlineOfOnePixel) {
  const auto shapes = polygons(labels_of("1"), 1, 0.0, kNorthUp);
  ASSERT_EQ(shapes[1].size(), 1U);
  EXPECT_EQ(shapes[1][0].shell.size(), 5U);
  EXPECT_GT(signed_area(shapes[1][0].shell), 0.0);
  EXPECT_NEAR(area(shapes[1]), 100.0, 1e-6);
}

TEST(Polygons, ShellsRunCounterClockwiseAndHolesClockwiseWhateverWayTheRasterLies) {
  const auto labels = labels_of("111\n1.1\n111\n");
  const GeoTransform south_up{0.0, 10.0, 0.0, 0.0, 0.0, 10.0};
  const GeoTransform mirrored{0.0, -10.0, 0.0, 0.0, 0.0, -10.0};
  const GeoTransform rotated{0.0, 6.0, 8.0, 0.0, 8.0, -6.0};
  for (const auto& transform : {kNorthUp, south_up, mirrored, rotated}) {
    const auto shapes = polygons(labels, 1, 0.0, transform);
    ASSERT_EQ(shapes[1].size(), 1U);
    ASSERT_EQ(shapes[1][0].holes.size(), 1U);
    EXPECT_NEAR(signed_area(shapes[1][0].shell), 900.0, 1e-6);
    EXPECT_NEAR(signed_area(shapes[1][0].holes[0]), -100.0, 1e-6);
    EXPECT_TRUE(check_validity(shapes[1]).valid);
  }
}

TEST(Polygons, HoleThatTouchesTheOutlineDiagonallyIsAHole) {
  const auto shapes = polygons(labels_of("1111\n1.11\n11.1\n111.\n"), 1, 0.0);
  ASSERT_EQ(shapes[1].size(), 1U);
  EXPECT_EQ(shapes[1][0].holes.size(), 2U);
  EXPECT_TRUE(check_validity(shapes[1]).valid);
  EXPECT_EQ(area(shapes[1]), 13.0);
}

TEST(Polygons, PixelsThatTouchDiagonallyAreSeparateParts) {
  const auto shapes = polygons(labels_of("12\n21\n"), 2, 0.0);
  EXPECT_EQ(shapes[1].size(), 2U);
  EXPECT_EQ(shapes[2].size(), 2U);
  expect_valid(shapes);
  expect_no_overlap(shapes);
}

TEST(Polygons, IslandOfTheSameLabelInItsOwnHole) {
  const auto shapes = polygons(labels_of("11111\n1...1\n1.1.1\n1...1\n11111\n"), 1, 0.0);
  ASSERT_EQ(shapes[1].size(), 2U);
  EXPECT_EQ(shapes[1][0].holes.size(), 1U);
  EXPECT_TRUE(shapes[1][1].holes.empty());
  EXPECT_TRUE(check_validity(shapes[1]).valid);
}

TEST(Polygons, AreasEqualPixelCountsOnRandomLabels) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const auto labels = random_labels(seed, 12 + static_cast<std::int64_t>(seed), 15, 1 + seed % 6);
    const auto shapes = polygons(labels, largest(labels), 0.0);
    expect_valid(shapes);
    expect_no_overlap(shapes);
    for (const auto& [label, count] : pixel_counts(labels)) {
      ASSERT_EQ(area(shapes[label]), static_cast<double>(count)) << "seed " << seed << " label " << label;
    }
  }
}

TEST(Polygons, SimplifiedRandomLabelsStayAPartition) {
  // Nearly every corner is a node or next to one: the hardest input for the rule that keeps lines apart.
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const auto labels =
        random_labels(1000 + seed, 14 + static_cast<std::int64_t>(seed % 20), 17, 1 + seed % 6);
    for (const double tolerance : {0.5, 1.0, 1.5, 4.0}) {
      const auto shapes = polygons(labels, largest(labels), tolerance);
      expect_valid(shapes);
      expect_no_overlap(shapes);
      for (const auto& [label, count] : pixel_counts(labels)) ASSERT_GT(area(shapes[label]), 0.0);
    }
  }
}

TEST(Polygons, SimplifiedFieldsShareEdgesWithoutGapsOrOverlaps) {
  for (const double ragged : {0.0, 0.7}) {
    for (const double tolerance : {1.0, 1.5, 5.0}) {
      const auto labels = voronoi_labels(3, 120, 60, ragged);
      const auto shapes = polygons(labels, largest(labels), tolerance, kNorthUp);
      expect_valid(shapes);
      expect_no_overlap(shapes);
      // The whole raster as fields: the parts fill the frame exactly.
      auto full = labels;
      for (auto& label : full.data()) label = label == 0 ? 100 : label;
      const auto cover = polygons(full, largest(full), tolerance, kNorthUp);
      double sum = 0.0;
      for (const auto& shape : cover) sum += area(shape);
      const auto united = union_all(cover);
      ASSERT_EQ(united.size(), 1U);
      EXPECT_TRUE(united[0].holes.empty());
      EXPECT_NEAR(area(united), 1200.0 * 1200.0, 1e-3);
      EXPECT_NEAR(sum, 1200.0 * 1200.0, 1e-3);
    }
  }
}

TEST(Polygons, SimplificationDropsMostCornersAndKeepsAreas) {
  const auto labels = voronoi_labels(5, 200, 25, 0.0);
  const auto exact = polygons(labels, largest(labels), 0.0);
  const auto simple = polygons(labels, largest(labels), 1.0);
  std::size_t corners_before = 0;
  std::size_t corners_after = 0;
  double area_before = 0.0;
  double area_after = 0.0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    for (const auto& polygon : exact[i]) corners_before += polygon.shell.size();
    for (const auto& polygon : simple[i]) corners_after += polygon.shell.size();
    area_before += area(exact[i]);
    area_after += area(simple[i]);
    if (exact[i].empty()) continue;
    EXPECT_NEAR(area(simple[i]) / area(exact[i]), 1.0, 0.05);
  }
  EXPECT_LT(corners_after * 5, corners_before);
  EXPECT_NEAR(area_after / area_before, 1.0, 0.005);
}

/// Furthest traced corner of an arc from its line, px.
double deviation(const Arc& traced, const Arc& simple) {
  double worst = 0.0;
  for (const auto& p : traced.points) {
    double nearest = INFINITY;
    for (std::size_t k = 0; k + 1 < simple.points.size(); ++k) {
      const double cx = simple.points[k + 1].x - simple.points[k].x;
      const double cy = simple.points[k + 1].y - simple.points[k].y;
      const double px = p.x - simple.points[k].x;
      const double py = p.y - simple.points[k].y;
      const double t = std::clamp((px * cx + py * cy) / (cx * cx + cy * cy), 0.0, 1.0);
      nearest = std::min(nearest, std::hypot(px - t * cx, py - t * cy));
    }
    worst = std::max(worst, nearest);
  }
  return worst;
}

TEST(Simplify, NoTracedCornerEndsUpFurtherThanTheTolerance) {
  ExecContext exec;
  const auto labels = voronoi_labels(8, 100, 30, 0.5);
  const ArcSet traced = trace_arcs(labels, exec);
  const ArcSet simple = simplify_arcs(traced, {1.2, 1.0, 1.0}, exec);
  ASSERT_EQ(simple.arcs.size(), traced.arcs.size());
  for (std::size_t i = 0; i < traced.arcs.size(); ++i) {
    const auto& points = simple.arcs[i].points;
    ASSERT_EQ(points.front(), traced.arcs[i].points.front());
    ASSERT_EQ(points.back(), traced.arcs[i].points.back());
    ASSERT_LE(deviation(traced.arcs[i], simple.arcs[i]), 1.2 + 1e-9);
  }
}

TEST(Simplify, SmallIslandBesideALineStaysOnItsSide) {
  // Straightening the dent would put the island on the wrong side of the line.
  const auto labels = labels_of(
      "1111111111\n"
      "1111...111\n"
      "1111.2.111\n"
      "..........\n"
      "..........\n");
  const auto shapes = polygons(labels, 2, 10.0);
  expect_valid(shapes);
  expect_no_overlap(shapes);
  EXPECT_FALSE(contains(shapes[1], {5.5, 2.5}));
}

TEST(Simplify, TwoArcsBetweenTheSameNodesDoNotCollapse) {
  // Field 3 is a lens between 1 and 2.
  const auto labels = labels_of(
      "11111111\n"
      "11133111\n"
      "22233222\n"
      "22222222\n");
  for (const double tolerance : {1.0, 3.0, 50.0}) {
    const auto shapes = polygons(labels, 3, tolerance);
    expect_valid(shapes);
    expect_no_overlap(shapes);
    EXPECT_GT(area(shapes[3]), 0.0);
    EXPECT_EQ(area(shapes[1]) + area(shapes[2]) + area(shapes[3]), 32.0);
  }
}

TEST(Simplify, StraightEdgesOfAnySlopeLoseTheirStairs) {
  for (const double slope : {0.13, 0.37, 0.5, 0.81, 1.0, 1.9, 4.4}) {
    Raster<std::uint32_t> labels(60, 60, 1, 1);
    for (std::int64_t row = 0; row < 60; ++row) {
      for (std::int64_t col = 0; col < 60; ++col) {
        if (static_cast<double>(row) + 0.5 > 3.3 + slope * (static_cast<double>(col) + 0.5))
          labels.at(col, row) = 2;
      }
    }
    ExecContext exec;
    for (const auto& arc : simplify_arcs(trace_arcs(labels, exec), {1.5, 1.0, 1.0}, exec).arcs) {
      if (!is_field(arc.left) || !is_field(arc.right)) continue;
      EXPECT_EQ(arc.points.size(), 2U) << slope;
    }
  }
}

/// Doubled area between an arc and the origin.
std::int64_t swept(const Arc& arc) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i + 1 < arc.points.size(); ++i) {
    sum += std::int64_t{arc.points[i].x} * arc.points[i + 1].y -
           std::int64_t{arc.points[i + 1].x} * arc.points[i].y;
  }
  return sum;
}

/// What is promised of SimplifyMethod::kArea. Returns the corners that stay.
std::size_t expect_area_kept(const Raster<std::uint32_t>& labels, double tolerance) {
  ExecContext exec;
  const ArcSet traced = trace_arcs(labels, exec);
  SimplifyOptions options;
  options.tolerance = tolerance;
  options.method = SimplifyMethod::kArea;
  const ArcSet simple = simplify_arcs(traced, options, exec);
  std::size_t corners = 0;
  for (std::size_t i = 0; i < traced.arcs.size(); ++i) {
    const Arc& arc = simple.arcs[i];
    corners += arc.points.size();
    EXPECT_EQ(swept(arc), swept(traced.arcs[i])) << "arc " << i;
    EXPECT_LE(deviation(traced.arcs[i], arc), tolerance + 1e-9) << "arc " << i;
    EXPECT_EQ(arc.points.front(), traced.arcs[i].points.front());
    EXPECT_EQ(arc.points.back(), traced.arcs[i].points.back());
  }
  const auto shapes = assemble_polygons(simple, largest(labels), kPixels, exec);
  expect_valid(shapes);
  expect_no_overlap(shapes);
  for (const auto& [label, count] : pixel_counts(labels))
    EXPECT_EQ(area(shapes[label]), static_cast<double>(count)) << "label " << label;
  return corners;
}

/// Between fields 1 and 2, at a tolerance of 1.5 px.
std::vector<LatticePoint> line_between(const Raster<std::uint32_t>& labels) {
  ExecContext exec;
  SimplifyOptions options;
  options.tolerance = 1.5;
  options.method = SimplifyMethod::kArea;
  const ArcSet traced = trace_arcs(labels, exec);
  const ArcSet simple = simplify_arcs(traced, options, exec);
  for (std::size_t i = 0; i < traced.arcs.size(); ++i) {
    const Arc& arc = simple.arcs[i];
    if (!is_field(arc.left) || !is_field(arc.right)) continue;
    EXPECT_EQ(swept(arc), swept(traced.arcs[i]));
    auto points = arc.points;
    if (points.front().x > points.back().x) std::ranges::reverse(points);
    return points;
  }
  return {};
}

TEST(SimplifyKeepingArea, RandomLabels) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const auto labels =
        random_labels(2000 + seed, 14 + static_cast<std::int64_t>(seed % 20), 17, 1 + seed % 6);
    for (const double tolerance : {0.5, 1.0, 1.5, 4.0}) {
      SCOPED_TRACE(concat("seed ", seed, " tolerance ", tolerance));
      (void)expect_area_kept(labels, tolerance);
    }
  }
}

TEST(SimplifyKeepingArea, FieldsHaveAtMostHalfAsManyCornersAgain) {
  ExecContext exec;
  for (const double ragged : {0.0, 0.7, 2.0}) {
    for (const double tolerance : {1.0, 1.5, 5.0}) {
      const auto labels = voronoi_labels(3, 120, 60, ragged);
      const std::size_t kept = expect_area_kept(labels, tolerance);
      std::size_t by_distance = 0;
      for (const auto& arc : simplify_arcs(trace_arcs(labels, exec), {tolerance, 1.0, 1.0}, exec).arcs)
        by_distance += arc.points.size();
      EXPECT_LT(2 * kept, 3 * by_distance) << ragged << " " << tolerance;
    }
  }
}

TEST(SimplifyKeepingArea, AStepBecomesASlope) {
  // Two fields with one step in the line between them, in its middle: the straight line keeps both areas.
  EXPECT_EQ(line_between(labels_of("111111\n111222\n222222\n")), (std::vector<LatticePoint>{{0, 2}, {6, 1}}));
  // Further left, the line bends at a place that is no traced corner.
  EXPECT_EQ(line_between(labels_of("11111111\n11222222\n22222222\n")),
            (std::vector<LatticePoint>{{0, 2}, {4, 1}, {8, 1}}));
}

TEST(SimplifyKeepingArea, LongLinesAndOblongPixels) {
  // 3000 corners of stairs: cut into pieces, still exact.
  Raster<std::uint32_t> labels(1500, 1500, 1, 1);
  for (std::int64_t row = 0; row < 1500; ++row) {
    for (std::int64_t col = 0; col < 1500; ++col) {
      if (row + 3 * ((col / 40) % 2) > col) labels.at(col, row) = 2;
    }
  }
  EXPECT_LT(line_between(labels).size(), 400U);
  ExecContext exec;
  const ArcSet traced = trace_arcs(voronoi_labels(4, 60, 20, 0.5), exec);
  SimplifyOptions options{12.0, 10.0, 5.0};
  options.method = SimplifyMethod::kArea;
  const ArcSet simple = simplify_arcs(traced, options, exec);
  for (std::size_t i = 0; i < traced.arcs.size(); ++i) {
    EXPECT_EQ(swept(simple.arcs[i]), swept(traced.arcs[i]));
    EXPECT_LE(deviation(traced.arcs[i], simple.arcs[i]), 12.0 / 5.0 + 1e-9);
  }
}

TEST(Simplify, RoundFieldsKeepTheirArea) {
  for (const double radius : {6.0, 12.3, 40.7}) {
    Raster<std::uint32_t> labels(100, 100);
    for (std::int64_t row = 0; row < 100; ++row) {
      for (std::int64_t col = 0; col < 100; ++col) {
        if (std::hypot(static_cast<double>(col) - 49.3, static_cast<double>(row) - 50.1) < radius)
          labels.at(col, row) = 1;
      }
    }
    const auto shapes = polygons(labels, 1, 1.0);
    EXPECT_NEAR(area(shapes[1]) / (M_PI * radius * radius), 1.0, 0.02) << radius;
  }
}

TEST(Simplify, DiagonalLineOfBackgroundLeavesNoStairs) {
  const auto labels = labels_of(
      ".22222\n"
      "1.2222\n"
      "11.222\n"
      "111.22\n"
      "1111.2\n"
      "11111.\n");
  const auto shapes = polygons(labels, 2, 1.0);
  expect_valid(shapes);
  expect_no_overlap(shapes);
  // Each pixel of the line goes to both by halves.
  EXPECT_EQ(area(shapes[1]), 17.0);
  EXPECT_EQ(area(shapes[2]), 17.0);
  for (const auto& p : shapes[1][0].shell) EXPECT_TRUE(p.x == p.y || p.x == 0.0 || p.y == 6.0);
}

TEST(Simplify, LineOfOneFieldAroundBackgroundNeverCollapses) {
  // Field 1 runs diagonally between background on both sides: its pixels are what lies between the nodes.
  const auto labels = labels_of("1..\n.1.\n..1\n");
  const auto shapes = polygons(labels, 1, 2.0);
  expect_valid(shapes);
  ASSERT_EQ(shapes[1].size(), 3U);
  EXPECT_GT(area(shapes[1]), 1.0);
}

TEST(Simplify, ToleranceInMetresKnowsThePixelShape) {
  ExecContext exec;
  // A dent of one pixel: 30 m high, 10 m wide.
  const ArcSet traced = trace_arcs(labels_of("111113\n11.113\n.....3\n"), exec);
  const auto corners = [&](double tolerance_m) {
    std::size_t count = 0;
    for (const auto& arc : simplify_arcs(traced, {tolerance_m, 10.0, 30.0}, exec).arcs)
      count += arc.points.size();
    return count;
  };
  EXPECT_LT(corners(31.0), corners(29.0));
}

TEST(Simplify, PackedArcsGiveTheSameInAnyOrder) {
  ExecContext exec;
  Raster<std::uint32_t> large(20'000, 3, 1, 1);  // sides of all lengths
  for (std::int64_t col = 0; col < 20'000; col += 1 + col / 3) large.at(col, 1) = 2;
  for (const auto& labels : {voronoi_labels(5, 200, 70, 3.0), random_labels(9, 60, 50, 2), large}) {
    for (const double tolerance : {0.0, 1.0, 2.5}) {
      const ArcSet traced = trace_arcs(labels, exec);
      ArcSet expected = simplify_arcs(traced, {tolerance, 1.0, 1.0}, exec);
      const auto beginning = [](const Arc& arc) {
        return std::tuple(arc.points.front().y, arc.points.front().x, arc.first);
      };
      std::ranges::sort(expected.arcs, {}, beginning);
      PackedArcSimplifier packed({tolerance, 1.0, 1.0});
      packed.add({traced.arcs.rbegin(), traced.arcs.rend()});
      expect_same_arcs(packed.finish(traced.width, traced.height, exec), expected);
    }
  }
}

TEST(Simplify, RefusesBadTolerances) {
  ExecContext exec;
  const ArcSet set = trace_arcs(labels_of("1"), exec);
  EXPECT_THROW((void)simplify_arcs(set, {-1.0, 1.0, 1.0}, exec), InvalidArgument);
  EXPECT_THROW((void)simplify_arcs(set, {NAN, 1.0, 1.0}, exec), InvalidArgument);
  EXPECT_THROW((void)simplify_arcs(set, {1.0, 0.0, 1.0}, exec), InvalidArgument);
}

TEST(Arcs, ClosedLinesThatComeUpInManyPlacesAreTracedOnce) {
  // Combs whose teeth end in all strips of rows that threads work on, upright in the first half and hanging,
  // as holes, in the second: each outline has an upper left corner for each tooth.
  constexpr std::int64_t kWidth = 121;
  constexpr std::int64_t kHeight = 400;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Random random(seed);
    Raster<std::uint32_t> labels(kWidth, kHeight);
    for (std::int64_t x = 1; x < kWidth - 1; ++x) {
      const auto top = x % 2 == 0 ? 300 : 1 + static_cast<std::int64_t>(random.below(298));
      const auto hole_end = x % 2 == 0 ? 305 : 305 + static_cast<std::int64_t>(random.below(80));
      for (std::int64_t y = top; y < kHeight - 1; ++y) {
        labels.at(x, y) = x > 2 && x < kWidth - 3 && y >= 303 && y <= hole_end ? 0 : 1;
      }
    }
    ArcSet one;
    for (const int threads : {1, 4, 4, 4}) {
      ExecContext exec({threads, 0});
      exec.execute([&] {
        const ArcSet arcs = trace_arcs(labels, exec);
        ASSERT_EQ(arcs.arcs.size(), 2U) << "outline and hole";
        if (one.arcs.empty()) one = arcs;
        expect_same_arcs(arcs, one);
        expect_same_arcs(arcs_by_strips(labels, 130, exec), one);
        const auto shapes = assemble_polygons(arcs, 1, kNorthUp, exec);
        EXPECT_NEAR(area(shapes[1]) / 100.0, static_cast<double>(std::ranges::count(labels.data(), 1U)),
                    1e-4);
      });
    }
  }
}

TEST(Polygons, SameForOneAndFourThreads) {
  const auto labels = random_labels(77, 300, 400, 40);
  std::vector<std::vector<MultiPolygon>> results;
  for (const int threads : {1, 4}) {
    ExecContext exec({threads, 0});
    exec.execute([&] {
      results.push_back(assemble_polygons(simplify_arcs(trace_arcs(labels, exec), {1.0, 1.0, 1.0}, exec), 40,
                                          kNorthUp, exec));
    });
  }
  ASSERT_EQ(results[0].size(), results[1].size());
  for (std::size_t i = 0; i < results[0].size(); ++i) {
    ASSERT_EQ(results[0][i].size(), results[1][i].size());
    for (std::size_t k = 0; k < results[0][i].size(); ++k) {
      ASSERT_EQ(results[0][i][k].shell, results[1][i][k].shell);
      ASSERT_EQ(results[0][i][k].holes, results[1][i][k].holes);
    }
  }
}

}  // namespace
}  // namespace furrow::geo
