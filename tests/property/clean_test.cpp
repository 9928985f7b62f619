#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/topology/clean.h>
#include <furrow/geo/vector/geos.h>

#include "coverage_check.h"
#include "support.h"

namespace furrow::geo {
namespace {

using test::clean;
using test::shapes_of;

constexpr double kSteps = 100.0;  // 1 cm
const Point kOrigin{500000.0, 6000000.0};

Layer empty_layer() {
  Layer layer = test::layer_of({});
  layer.fields = {{"name", FieldType::kString, ""}, {"id", FieldType::kInteger, ""}};
  return layer;
}

void add(Layer& layer, MultiPolygon shape) {
  const auto id = static_cast<std::int64_t>(layer.features.size());
  layer.features.push_back({id, std::move(shape), {concat("field ", id), id}});
}

Ring star(Random& random, Point centre, double radius) {
  Ring ring;
  const auto corners = 3 + random.below(9);
  for (std::uint64_t i = 0; i < corners; ++i) {
    const double angle = 2.0 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(corners);
    const double r = radius * random.uniform(0.3, 1.0);
    ring.push_back({centre.x + r * std::cos(angle), centre.y + r * std::sin(angle)});
  }
  ring.push_back(ring.front());
  return ring;
}

/// Polygons that overlap, nest, cross themselves, repeat each other, with holes and several parts.
Layer chaos(std::uint64_t seed, int count) {
  Random random(seed);
  Layer layer = empty_layer();
  for (int i = 0; i < count; ++i) {
    const Point centre{kOrigin.x + random.uniform(0.0, 100.0), kOrigin.y + random.uniform(0.0, 100.0)};
    const double radius = random.uniform(1.0, 25.0);
    MultiPolygon shape{{star(random, centre, radius), {}}};
    if (random.below(4) == 0) shape.front().holes.push_back(star(random, centre, 0.2 * radius));
    if (random.below(5) == 0) shape.push_back({star(random, {centre.x + 30.0, centre.y}, 6.0), {}});
    if (random.below(5) == 0) std::swap(shape.front().shell[1], shape.front().shell[2]);
    add(layer, shape);
    if (random.below(8) == 0) add(layer, shape);
  }
  return layer;
}

/// Quadrilaterals of a bent lattice, drawn apart or over each other by up to `slack` metres.
Layer parcels(std::uint64_t seed, int side, double slack) {
  Random random(seed);
  Layer layer = empty_layer();
  std::vector<Point> corners;
  for (int y = 0; y <= side; ++y) {
    for (int x = 0; x <= side; ++x) {
      corners.push_back({kOrigin.x + 40.0 * x + random.uniform(-9.0, 9.0),
                         kOrigin.y + 30.0 * y + random.uniform(-9.0, 9.0)});
    }
  }
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      Ring ring;
      for (const int i : {0, 1, side + 2, side + 1}) {
        const Point p = corners[static_cast<std::size_t>(y * (side + 1) + x + i)];
        ring.push_back({p.x + random.uniform(-slack, slack), p.y + random.uniform(-slack, slack)});
      }
      ring.push_back(ring.front());
      add(layer, {{ring, {}}});
    }
  }
  return layer;
}

std::vector<std::string> as_texts(const Layer& layer) {
  std::vector<std::string> texts;
  for (const Feature& feature : layer.features) {
    texts.push_back(
        concat(as_text(feature.values[1]), " ", as_text(feature.values[0]), " ", to_wkt(feature.geometry)));
  }
  std::ranges::sort(texts);
  return texts;
}

/// Every feature read is written, merged, or rejected with a reason.
void expect_all_told(const CleanReport& report) {
  std::int64_t rejected = 0;
  for (const auto& [reason, change] : report.rejected) rejected += change.count;
  EXPECT_EQ(report.features, report.fields + report.merged.count + rejected);
}

TEST(CleanProperty, RandomPolygonsBecomeACoverage) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    CleanOptions options;
    options.overlaps = static_cast<OverlapRule>(seed % 4);
    options.gaps_m = seed % 3 == 0 ? 0.0 : 1.0;
    options.min_area_m2 = seed % 5 == 0 ? 20.0 : 0.0;
    options.simplify_m = seed % 2 == 0 ? 0.0 : 0.8;
    const CleanedLayer cleaned = clean(chaos(seed, 40), options);
    EXPECT_EQ(test::coverage_problem(shapes_of(cleaned.layer), kSteps), "") << "seed " << seed;
    expect_all_told(cleaned.report);
  }
}

TEST(CleanProperty, GroundIsKept) {
  for (std::uint64_t seed = 100; seed < 120; ++seed) {
    CleanOptions options;
    options.gaps_m = 0.0;
    options.min_width_m = 0.0;
    const Layer layer = chaos(seed, 30);
    std::vector<MultiPolygon> before;
    double lines = 0.0;
    for (const Feature& feature : layer.features) {
      before.push_back(make_valid(feature.geometry));
      lines += perimeter(before.back());
    }
    const auto after = shapes_of(clean(layer, options).layer);
    double sum = 0.0;
    for (const auto& shape : after) sum += area(shape);
    const auto union_before = union_all(before);
    EXPECT_NEAR(sum, area(union_before), lines / kSteps);
    EXPECT_NEAR(intersection_area(union_all(after), union_before), sum, lines / kSteps);
  }
}

TEST(CleanProperty, NoNarrowGapIsLeftBetweenParcels) {
  for (std::uint64_t seed = 200; seed < 215; ++seed) {
    CleanOptions options;
    options.gaps_m = 2.0;
    const CleanedLayer cleaned = clean(parcels(seed, 6, 0.6), options);
    const auto shapes = shapes_of(cleaned.layer);
    EXPECT_EQ(cleaned.report.fields, 36) << "seed " << seed;
    EXPECT_EQ(test::coverage_problem(shapes, kSteps), "") << "seed " << seed;
    EXPECT_EQ(test::narrow_gap_area(shapes, 0.95 * options.gaps_m), 0.0) << "seed " << seed;
    EXPECT_EQ(union_all(shapes).front().holes.size(), 0U) << "seed " << seed;
  }
}

TEST(CleanProperty, CleaningTwiceIsCleaningOnce) {
  for (std::uint64_t seed = 300; seed < 340; ++seed) {
    CleanOptions options;
    options.gaps_m = seed % 2 == 0 ? 1.0 : 0.0;
    options.min_area_m2 = seed % 3 == 0 ? 15.0 : 0.0;
    const Layer layer = seed % 5 == 0 ? chaos(seed, 30) : parcels(seed, 5, 0.4);
    const Layer once = clean(layer, options).layer;
    const auto expected = as_texts(once);
    const auto twice = as_texts(clean(once, options).layer);
    ASSERT_EQ(twice.size(), expected.size()) << "seed " << seed;
    for (std::size_t i = 0; i < twice.size(); ++i) EXPECT_EQ(twice[i], expected[i]) << "seed " << seed;
  }
}

TEST(CleanProperty, ThreadsAndOrderDoNotMatter) {
  for (std::uint64_t seed = 400; seed < 412; ++seed) {
    CleanOptions options;
    options.id = "id";
    options.simplify_m = 0.5;
    options.overlaps = static_cast<OverlapRule>(seed % 4);
    Layer layer = seed % 2 == 0 ? chaos(seed, 40) : parcels(seed, 6, 0.6);
    const auto expected = as_texts(clean(layer, options, 1).layer);
    EXPECT_EQ(as_texts(clean(layer, options, 4).layer), expected) << "seed " << seed;
    std::ranges::reverse(layer.features);
    std::rotate(layer.features.begin(), layer.features.begin() + 7, layer.features.end());
    EXPECT_EQ(as_texts(clean(layer, options, 2).layer), expected) << "seed " << seed;
  }
}

}  // namespace
}  // namespace furrow::geo
