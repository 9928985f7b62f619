#include <furrow/geo/topology/clean.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/geos.h>

#include "coverage_check.h"
#include "support.h"

namespace furrow::geo {
namespace {

/// A rectangle at an offset from (500000, 6000000).
MultiPolygon rectangle(double x0, double y0, double x1, double y1) {
  return {to_polygon(Box{500000.0 + x0, 6000000.0 + y0, 500000.0 + x1, 6000000.0 + y1})};
}

Layer layer_of(const std::vector<MultiPolygon>& shapes) {
  Layer layer = test::layer_of({});
  layer.fields = {{"name", FieldType::kString, ""}};
  for (const MultiPolygon& shape : shapes) {
    const auto number = static_cast<std::int64_t>(layer.features.size());
    layer.features.push_back({number, shape, {concat("f", number)}});
  }
  return layer;
}

CleanedLayer clean(const Layer& layer, const CleanOptions& options = {}) {
  ExecContext exec;
  return clean_layer(layer, options, exec);
}

/// Planar areas by name, in the order of the layer.
std::vector<std::string> areas(const Layer& layer) {
  std::vector<std::string> list;
  for (const Feature& feature : layer.features) {
    list.push_back(concat(as_text(feature.values[0]), "=", fixed(area(feature.geometry), 1)));
  }
  return list;
}

using Texts = std::vector<std::string>;

CleanOptions only_overlaps(OverlapRule rule) {
  CleanOptions options;
  options.overlaps = rule;
  options.gaps_m = 0.0;
  options.min_width_m = 0.0;
  return options;
}

TEST(Clean, LeavesACleanLayerAsItIs) {
  const Layer layer =
      layer_of({rectangle(0, 0, 100, 50), rectangle(100, 0, 160, 50), rectangle(300, 0, 310, 10)});
  const CleanedLayer cleaned = clean(layer);
  ASSERT_EQ(cleaned.layer.features.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(to_wkt(cleaned.layer.features[i].geometry), to_wkt(layer.features[i].geometry));
    EXPECT_EQ(cleaned.layer.features[i].fid, layer.features[i].fid);
  }
  EXPECT_EQ(cleaned.report.overlaps.count, 0);
  EXPECT_EQ(cleaned.report.gaps.count, 0);
  EXPECT_TRUE(cleaned.report.rejected.empty());
  EXPECT_TRUE(cleaned.rejects.features.empty());
}

TEST(Clean, OverlapsGoToOnePolygonByTheRule) {
  // 20 x 50 of common ground; f1 is the smaller one.
  const Layer layer = layer_of({rectangle(0, 0, 100, 50), rectangle(80, 0, 140, 50)});
  EXPECT_EQ(areas(clean(layer, only_overlaps(OverlapRule::kSmaller)).layer),
            (Texts{"f0=4000.0", "f1=3000.0"}));
  EXPECT_EQ(areas(clean(layer, only_overlaps(OverlapRule::kLarger)).layer),
            (Texts{"f0=5000.0", "f1=2000.0"}));
  EXPECT_EQ(areas(clean(layer, only_overlaps(OverlapRule::kFirst)).layer), (Texts{"f0=5000.0", "f1=2000.0"}));
  const CleanedLayer cleaned = clean(layer, only_overlaps(OverlapRule::kSmaller));
  EXPECT_EQ(cleaned.report.overlaps.count, 1);
  EXPECT_NEAR(cleaned.report.overlaps.area_m2, 1000.0, 5.0);
}

TEST(Clean, TheLongestEdgeWinsAnOverlap) {
  // f1 pokes 10 m into f0: of the overlap's outline f0 has 10 + 10 + 20 m, f1 20 m.
  const Layer layer = layer_of({rectangle(0, 0, 100, 50), rectangle(90, 20, 140, 40)});
  EXPECT_EQ(areas(clean(layer, only_overlaps(OverlapRule::kLongestEdge)).layer),
            (Texts{"f0=5000.0", "f1=800.0"}));
}

TEST(Clean, AFieldInsideAnotherIsCutOutOfIt) {
  const CleanedLayer cleaned = clean(layer_of({rectangle(0, 0, 100, 100), rectangle(40, 40, 60, 60)}),
                                     only_overlaps(OverlapRule::kSmaller));
  EXPECT_EQ(areas(cleaned.layer), (Texts{"f0=9600.0", "f1=400.0"}));
  ASSERT_EQ(cleaned.layer.features[0].geometry.front().holes.size(), 1U);
}

TEST(Clean, AFieldThatOthersCoverIsRejected) {
  const CleanedLayer cleaned = clean(layer_of({rectangle(0, 0, 100, 100), rectangle(40, 40, 60, 60)}),
                                     only_overlaps(OverlapRule::kLarger));
  EXPECT_EQ(areas(cleaned.layer), (Texts{"f0=10000.0"}));
  ASSERT_EQ(cleaned.rejects.features.size(), 1U);
  EXPECT_EQ(as_text(cleaned.rejects.features[0].values[1]), "overlapped");
}

TEST(Clean, OfNearDuplicatesTheLargestStays) {
  const Layer layer =
      layer_of({rectangle(0, 0, 100, 50), rectangle(0, 0, 100, 51), rectangle(0, 0, 100, 60)});
  const CleanedLayer cleaned = clean(layer);
  // IoU of f0 and f1 is 0.98; of f1 and f2 0.85. f2 wraps f1, so that f1, the smaller one, is cut out of it.
  EXPECT_EQ(areas(cleaned.layer), (Texts{"f1=5100.0", "f2=900.0"}));
  EXPECT_EQ(cleaned.report.rejected.at("duplicate").count, 1);
  CleanOptions all;
  all.duplicate_iou = 1.5;
  EXPECT_EQ(areas(clean(layer, all).layer), (Texts{"f0=5000.0", "f1=100.0", "f2=900.0"}));
}

TEST(Clean, OfEqualDuplicatesTheLowerIdStays) {
  Layer layer = layer_of({rectangle(0, 0, 10, 10), rectangle(0, 0, 10, 10), rectangle(0, 0, 10, 10)});
  layer.features[0].values = {std::string("10")};
  layer.features[1].values = {std::string("9")};
  layer.features[2].values = {std::string("a")};
  CleanOptions options;
  options.id = "name";
  EXPECT_EQ(areas(clean(layer, options).layer), (Texts{"9=100.0"}));
  EXPECT_EQ(areas(clean(layer).layer), (Texts{"10=100.0"}));
}

TEST(Clean, NarrowGapsAreClosedAndRoadsStay) {
  CleanOptions options;
  options.gaps_m = 2.0;
  // A gap of 1.5 m between f0 and f1, a road of 6 m between f1 and f2.
  const CleanedLayer cleaned =
      clean(layer_of({rectangle(0, 0, 100, 50), rectangle(101.5, 0, 200, 50), rectangle(206, 0, 300, 50)}),
            options);
  // The gap lies along 50 m of both; the smaller one gets it.
  EXPECT_EQ(areas(cleaned.layer), (Texts{"f0=5000.0", "f1=5000.0", "f2=4700.0"}));
  EXPECT_EQ(cleaned.report.gaps.count, 1);
  EXPECT_NEAR(cleaned.report.gaps.area_m2, 75.0, 0.5);
}

TEST(Clean, AGapGoesToTheLongestEdge) {
  // Along the gap f0 has 100 m, f1 and f2 45 m each, with a road of 10 m between them that stays.
  const CleanedLayer cleaned =
      clean(layer_of({rectangle(0, 0, 100, 50), rectangle(0, 50.5, 45, 90), rectangle(55, 50.5, 100, 90)}));
  const auto shapes = cleaned.layer.features;
  EXPECT_NEAR(area(shapes[0].geometry) + area(shapes[1].geometry) + area(shapes[2].geometry),
              5000.0 + 2.0 * 45.0 * 39.5 + 2.0 * 45.0 * 0.5, 0.6);
  EXPECT_TRUE(clean(cleaned.layer).report.gaps.count == 0);
}

TEST(Clean, AGapThatOpensIsClosedAsFarAsItIsNarrow) {
  // Between x = 50 and a line from (50, 0) to (54, 100): 0.95 m wide at y = 23.75.
  Layer layer = layer_of({rectangle(0, 0, 50, 100)});
  const auto wedge =
      from_wkt("POLYGON ((500050 6000000, 500100 6000000, 500100 6000100, 500054 6000100, 500050 6000000))");
  layer.features.push_back({1, wedge, {std::string("f1")}});
  const CleanedLayer cleaned = clean(layer);
  EXPECT_EQ(cleaned.report.gaps.count, 1);
  EXPECT_NEAR(cleaned.report.gaps.area_m2, 0.5 * 23.75 * 0.95, 0.3);
}

TEST(Clean, RepairsInvalidPolygonsAndTellsWhatIsNone) {
  Layer layer = layer_of({rectangle(0, 0, 10, 10), {}});
  // A bow tie of two triangles of 25 m2; a line; a ring that is not closed.
  const auto ring = [](std::vector<Point> points) {
    for (Point& p : points) p = {500100.0 + p.x, 6000000.0 + p.y};
    return MultiPolygon{{Ring(points), {}}};
  };
  layer.features.push_back({2, ring({{0, 0}, {10, 10}, {10, 0}, {0, 10}, {0, 0}}), {std::string("bow tie")}});
  layer.features.push_back({3, ring({{0, 0}, {10, 10}, {0, 0}, {0, 0}}), {std::string("line")}});
  layer.features.push_back({4, ring({{20, 0}, {30, 10}, {30, 0}}), {std::string("open")}});
  const CleanedLayer cleaned = clean(layer);
  EXPECT_EQ(areas(cleaned.layer), (Texts{"f0=100.0", "bow tie=50.0"}));
  EXPECT_EQ(cleaned.report.repaired.count, 1);
  EXPECT_EQ(cleaned.report.rejected.at("no polygon").count, 1);
  EXPECT_EQ(cleaned.report.rejected.at("invalid").count, 2);
}

TEST(Clean, SliversAndSmallPiecesGoToTheLongestEdge) {
  CleanOptions options;
  options.min_width_m = 3.0;
  options.min_area_m2 = 150.0;
  // f1: 2 m wide, between f0 (50 m) and f2 (30 m). f3: 100 m2 at f2. f4: 100 m2, alone. f5: 1 m wide, alone.
  const CleanedLayer cleaned =
      clean(layer_of({rectangle(0, 0, 100, 50), rectangle(100, 0, 102, 50), rectangle(102, 0, 200, 30),
                      rectangle(200, 0, 210, 10), rectangle(300, 0, 310, 10), rectangle(400, 0, 401, 200)}),
            options);
  EXPECT_EQ(areas(cleaned.layer), (Texts{"f0=5100.0", "f2=3040.0"}));
  EXPECT_EQ(cleaned.report.absorbed.count, 2);
  EXPECT_EQ(cleaned.report.rejected.at("absorbed").count, 2);
  EXPECT_EQ(cleaned.report.rejected.at("small").count, 1);
  EXPECT_EQ(cleaned.report.rejected.at("sliver").count, 1);
}

TEST(Clean, APieceOfAFieldThatLivesOnIsToldApart) {
  CleanOptions options;
  options.min_area_m2 = 150.0;
  MultiPolygon two = rectangle(0, 0, 100, 50);
  two.push_back(rectangle(200, 0, 210, 10).front());
  const CleanedLayer cleaned = clean(layer_of({two}), options);
  EXPECT_EQ(areas(cleaned.layer), (Texts{"f0=5000.0"}));
  EXPECT_EQ(cleaned.report.rejected_pieces.count, 1);
  ASSERT_EQ(cleaned.rejects.features.size(), 1U);
  EXPECT_EQ(as_text(cleaned.rejects.features[0].values[1]), "small piece");
  EXPECT_NEAR(area(cleaned.rejects.features[0].geometry), 100.0, 1e-6);
}

/// Three fields cut at x = 100, and two true neighbours at x = 40 and another two at y = 0.
Layer tiles() {
  return layer_of({rectangle(50, 0, 100, 30), rectangle(100, 0, 180, 30),      // cut
                   rectangle(60, 60, 100, 90), rectangle(100.4, 60, 150, 90),  // cut, 0.4 m apart
                   rectangle(70, 120, 100, 160), rectangle(100, 120, 130, 160), rectangle(0, 0, 40, 30),
                   rectangle(40, 0, 50, 30), rectangle(50, -40, 100, 0), rectangle(80, 200, 100, 230),
                   rectangle(100, 220, 140, 260)});  // a third in common
}

TEST(Clean, FieldsCutAtATileBorderAreMerged) {
  CleanOptions options;
  options.seams = SeamMerge::kFound;
  const CleanedLayer found = clean(tiles(), options);
  EXPECT_EQ(found.report.merged.count, 3);
  ASSERT_EQ(found.report.seams.size(), 1U);
  EXPECT_EQ(areas(found.layer), (Texts{"f1=3900.0", "f3=2700.0", "f4=2400.0", "f6=1200.0", "f7=300.0",
                                       "f8=2000.0", "f9=600.0", "f10=1600.0"}));
  options.seams = SeamMerge::kGrid;
  options.seam_grid = {500100.0, 6000500.0, 1000.0, 1000.0};
  EXPECT_EQ(areas(clean(tiles(), options).layer), areas(found.layer));
  options.seam_grid.x0 = 500040.0;
  EXPECT_EQ(clean(tiles(), options).report.merged.count, 1);  // f6 and f7: the grid is believed
  options.seams = SeamMerge::kOff;
  EXPECT_EQ(clean(tiles(), options).report.merged.count, 0);
}

TEST(Clean, AFieldThatCrossesTheLineIsNoSeam) {
  Layer layer = layer_of({rectangle(50, 0, 100, 30), rectangle(100, 0, 180, 30), rectangle(60, 60, 100, 90),
                          rectangle(100, 60, 150, 90), rectangle(70, 120, 100, 160),
                          rectangle(100, 120, 130, 160), rectangle(0, 40, 200, 50)});
  CleanOptions options;
  options.seams = SeamMerge::kFound;
  EXPECT_EQ(clean(layer, options).report.merged.count, 0);
}

TEST(Clean, SimplifiesACommonEdgeOnceWithinTheTolerance) {
  // The common edge zigzags by 0.4 m.
  Ring left{{500000, 6000000}};
  Ring right{{500200, 6000100}, {500200, 6000000}};
  std::swap(right[0], right[1]);
  std::vector<Point> edge;
  for (int i = 0; i <= 50; ++i) edge.push_back({500100.0 + (i % 2 == 0 ? 0.0 : 0.4), 6000000.0 + 2.0 * i});
  left.insert(left.end(), edge.begin(), edge.end());
  left.push_back({500000, 6000100});
  left.push_back(left.front());
  right.insert(right.end(), edge.rbegin(), edge.rend());
  right.push_back(right.front());
  CleanOptions options;
  options.simplify_m = 0.5;
  const CleanedLayer cleaned = clean(layer_of({{{left, {}}}, {{right, {}}}}), options);
  std::vector<MultiPolygon> shapes;
  for (const Feature& feature : cleaned.layer.features) shapes.push_back(feature.geometry);
  EXPECT_EQ(test::coverage_problem(shapes, 100.0), "");
  // One vertex of the edge may stay: three lines join its ends, and no two of them may become one.
  EXPECT_LE(shapes[0].front().shell.size(), 6U);
  EXPECT_LE(shapes[1].front().shell.size(), 6U);
}

TEST(Clean, MetresAreMetresInDegreesToo) {
  // Near 60 degrees north a degree of longitude has half the metres of one of latitude: gaps of 1.5 m east
  // and north.
  const double east = 1.5 / 55800.0;
  const double north = 1.5 / 111412.0;
  const auto box = [](double x0, double y0, double x1, double y1) {
    return MultiPolygon{to_polygon(Box{10.0 + x0, 60.0 + y0, 10.0 + x1, 60.0 + y1})};
  };
  Layer layer = layer_of(
      {box(0, 0, 0.002, 0.001), box(0.002 + east, 0, 0.0045, 0.001), box(0, 0.001 + north, 0.0045, 0.003)});
  layer.crs = lonlat_crs();
  CleanOptions options;
  options.gaps_m = 1.4;
  EXPECT_EQ(clean(layer, options).report.gaps.count, 0);
  options.gaps_m = 1.6;
  const CleanedLayer cleaned = clean(layer, options);
  std::vector<MultiPolygon> shapes;
  for (const Feature& feature : cleaned.layer.features) shapes.push_back(feature.geometry);
  EXPECT_EQ(test::coverage_problem(shapes, 1e7), "");
  EXPECT_NEAR(area(union_all(shapes)), 0.0045 * 0.003, 1e-10);
}

/// Untidy parcels of 24 vertices in blocks with roads between them, whose boxes overlap; in the first block
/// lies a pond with an island, and across a road of the last blocks a field that lies over both.
Layer parcels_in_blocks(std::int64_t blocks, std::uint64_t seed) {
  Random random(seed);
  std::vector<MultiPolygon> shapes;
  constexpr std::int64_t kSide = 6;
  for (std::int64_t i = 0; i < blocks * kSide * kSide; ++i) {
    const std::int64_t block = i / (kSide * kSide), x = i % kSide, y = i / kSide % kSide;
    const auto corner = [&](std::int64_t cx, std::int64_t cy) {
      // A slope, so that roads are no straight lines along an axis.
      return Point{500000.0 + 100.0 * static_cast<double>(cx) + 15.0 * static_cast<double>(cy) +
                       static_cast<double>(block) * (100.0 * kSide + 8.0),
                   6000000.0 + 80.0 * static_cast<double>(cy) + 9.0 * static_cast<double>(cx)};
    };
    const Point round[] = {corner(x, y), corner(x + 1, y), corner(x + 1, y + 1), corner(x, y + 1),
                           corner(x, y)};
    Ring ring;
    for (int k = 0; k < 4; ++k) {
      for (int v = 0; v < 6; ++v) {
        ring.push_back({round[k].x + (round[k + 1].x - round[k].x) * v / 6.0 + random.uniform(-0.3, 0.3),
                        round[k].y + (round[k + 1].y - round[k].y) * v / 6.0 + random.uniform(-0.3, 0.3)});
      }
    }
    ring.push_back(ring.front());
    shapes.push_back({{std::move(ring), {}}});
  }
  return layer_of(shapes);
}

TEST(Clean, ClustersThatLieApartComeOutAsIfTheyWereAlone) {
  constexpr std::int64_t kBlocks = 60;  // more than is cleaned in one piece
  Layer layer = parcels_in_blocks(kBlocks, 5);
  const auto parcels = static_cast<std::int64_t>(layer.features.size());
  // Far inside a large field lies another one, whose outline is near nothing.
  layer.features.push_back({parcels, rectangle(-5000, -5000, -3000, -3000), {"around"}});
  layer.features.push_back({parcels + 1, rectangle(-4100, -4100, -4000, -4000), {"inside"}});
  // Nearer to two blocks than their road is wide: these three hang together.
  layer.features.push_back({parcels + 2, rectangle(607.5, 60, 610.5, 90), {"bridge"}});
  CleanOptions options;
  options.simplify_m = 0.5;
  const CleanedLayer all = clean(layer, options);
  EXPECT_EQ(test::coverage_problem(test::shapes_of(all.layer), 100.0), "");
  EXPECT_GT(all.report.gaps.count, kBlocks);
  EXPECT_GT(all.report.overlaps.count, kBlocks);

  // Block by block: the first two with what lies between them.
  std::vector<Layer> parts(static_cast<std::size_t>(kBlocks));
  for (Layer& part : parts) {
    part = layer;
    part.features.clear();
  }
  for (const Feature& feature : layer.features) {
    const std::int64_t block = feature.fid < parcels ? std::max<std::int64_t>(1, feature.fid / 36) : 1;
    parts[static_cast<std::size_t>(block)].features.push_back(feature);
  }
  std::map<std::int64_t, MultiPolygon> alone;
  std::int64_t gaps = 0;
  for (const Layer& part : parts) {
    if (part.features.empty()) continue;
    const CleanedLayer cleaned = clean(part, options);
    for (const Feature& feature : cleaned.layer.features) alone[feature.fid] = feature.geometry;
    gaps += cleaned.report.gaps.count;
  }
  ASSERT_EQ(all.layer.features.size(), alone.size());
  for (const Feature& feature : all.layer.features)
    EXPECT_EQ(to_wkt(feature.geometry), to_wkt(alone.at(feature.fid))) << feature.fid;
  EXPECT_EQ(all.report.gaps.count, gaps);
  EXPECT_NEAR(area(alone.at(parcels)), 2000.0 * 2000.0 - 100.0 * 100.0, 1.0)
      << "the larger one around the smaller";
}

TEST(Clean, SaysWhatIsWrongWithItsInput) {
  ExecContext exec;
  Layer layer = layer_of({rectangle(0, 0, 10, 10)});
  CleanOptions options;
  options.id = "parcel";
  EXPECT_THROW((void)clean_layer(layer, options, exec), IoError);
  options = {};
  options.gaps_m = -1.0;
  EXPECT_THROW((void)clean_layer(layer, options, exec), InvalidArgument);
  layer.crs = Crs();
  EXPECT_THROW((void)clean_layer(layer, {}, exec), CrsError);
}

TEST(Clean, ALayerWithoutPolygonsGivesAnEmptyOne) {
  const CleanedLayer cleaned = clean(layer_of({{}, {}}));
  EXPECT_TRUE(cleaned.layer.features.empty());
  EXPECT_EQ(cleaned.report.rejected.at("no polygon").count, 2);
}

TEST(Clean, TheReasonGetsANameOfItsOwn) {
  Layer layer = layer_of({{}});
  layer.fields.push_back({"Reason", FieldType::kString, ""});
  layer.features[0].values.emplace_back(std::string("kept"));
  const CleanedLayer cleaned = clean(layer);
  EXPECT_EQ(cleaned.rejects.fields.back().name, "reason_1");
  EXPECT_EQ(as_text(cleaned.rejects.features[0].values[1]), "kept");
  EXPECT_EQ(as_text(cleaned.rejects.features[0].values[2]), "no polygon");
}

}  // namespace
}  // namespace furrow::geo
