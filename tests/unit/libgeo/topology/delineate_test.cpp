#include <furrow/geo/topology/delineate.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <utility>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/writer.h>
#include <furrow/geo/topology/components.h>
#include <furrow/geo/topology/delineation_sweep.h>
#include <furrow/geo/topology/regions.h>
#include <furrow/geo/topology/watershed.h>
#include <furrow/geo/vector/geos.h>

#include "support.h"

namespace furrow::geo {
namespace {

using testing::HasSubstr;

/// From a picture: '.' background, 'a' field (boundary score 0.05), '2' boundary, '#' no data.
ScoreMap scores_of(const std::string& picture, double pixel_m = 30.0) {
  const auto drawn = test::draw(picture);
  ScoreMap map{test::utm_grid(drawn.width(), drawn.height(), pixel_m),
               Raster<std::uint8_t>(drawn.width(), drawn.height()),
               Raster<std::uint8_t>(drawn.width(), drawn.height()),
               Raster<std::uint8_t>(drawn.width(), drawn.height(), 1, 1)};
  for (std::size_t i = 0; i < drawn.data().size(); ++i) {
    const int value = drawn.data()[i];
    if (value == 10) map.extent.data()[i] = 190;
    if (value == 10) map.boundary.data()[i] = 10;
    if (value == 2) map.extent.data()[i] = 180;
    if (value == 2) map.boundary.data()[i] = 160;
    if (value == 255) map.valid.data()[i] = 0;
  }
  return map;
}

Delineation run(const ScoreMap& scores, const DelineateOptions& options = {}) {
  ExecContext exec;
  return delineate(scores, options, exec);
}

double real(const Delineation& d, std::size_t feature, const char* field) {
  return as_real(d.fields.features[feature].values[d.fields.field(field)]);
}

DelineateOptions exact() {
  DelineateOptions options;
  options.simplify_px = 0.0;
  return options;
}

/// Scores of touching fields on a grid of cells, as a network would give them: a boundary two pixels wide
/// with soft flanks, and noise.
ScoreMap touching_fields(std::int64_t field_px, std::int64_t count, std::uint64_t seed) {
  const std::int64_t size = field_px * count;
  Random random(seed);
  ScoreMap map{test::utm_grid(size, size), Raster<std::uint8_t>(size, size), Raster<std::uint8_t>(size, size),
               Raster<std::uint8_t>(size, size, 1, 1)};
  const auto distance_to_line = [&](std::int64_t p) {
    const double along = static_cast<double>(p % field_px) + 0.5;
    return std::min(along, static_cast<double>(field_px) - along);
  };
  for (std::int64_t row = 0; row < size; ++row) {
    for (std::int64_t col = 0; col < size; ++col) {
      const double d = std::min(distance_to_line(col), distance_to_line(row));
      const double score = std::exp(-0.5 * d * d) + random.normal(0.0, 0.03);
      map.boundary.at(col, row) = static_cast<std::uint8_t>(std::clamp(200.0 * score, 0.0, 200.0));
      map.extent.at(col, row) = 195;
    }
  }
  return map;
}

TEST(Delineate, SeparationOfTouchingFieldsHasNoAreaBias) {
  for (const std::int64_t field_px : {10, 15, 20, 30, 40}) {
    const auto result = run(touching_fields(field_px, 8, 5), exact());
    ASSERT_EQ(result.fields.features.size(), 64U) << field_px;
    const double truth = static_cast<double>(field_px * field_px);
    double sum = 0.0;
    double worst = 0.0;
    double inner = 0.0;
    for (std::size_t i = 0; i < 64; ++i) {
      const double ratio = real(result, i, "n_pixels") / truth;
      sum += ratio;
      worst = std::max(worst, std::abs(ratio - 1.0));
      if (i / 8 > 0 && i / 8 < 7 && i % 8 > 0 && i % 8 < 7) inner += ratio / 36.0;
    }
    EXPECT_NEAR(sum / 64.0, 1.0, 1e-12) << field_px;  // nothing is lost
    EXPECT_NEAR(inner, 1.0, 0.01) << field_px;        // and nothing moves inwards or outwards
    EXPECT_LT(worst, 0.15) << field_px;
  }
}

TEST(Delineate, SimplifiedAreasOfTouchingFieldsStayWithinOnePercent) {
  for (const std::int64_t field_px : {10, 20, 40}) {
    const auto result = run(touching_fields(field_px, 8, 6));
    ASSERT_EQ(result.fields.features.size(), 64U);
    double inner = 0.0;
    for (std::size_t i = 0; i < 64; ++i) {
      if (i / 8 > 0 && i / 8 < 7 && i % 8 > 0 && i % 8 < 7)
        inner += area(result.fields.features[i].geometry) / 36.0;
    }
    EXPECT_NEAR(inner / static_cast<double>(field_px * field_px * 100), 1.0, 0.01) << field_px;
  }
}

TEST(Delineate, AttributesOfAField) {
  const auto result = run(scores_of(R"(
    ..........
    ..aaaa....
    ..aaaa....
    ..........
  )"),
                          exact());
  ASSERT_EQ(result.fields.features.size(), 1U);
  const auto& field = result.fields.features[0];
  EXPECT_EQ(as_text(field.values[result.fields.field("id")]).size(), 16U);
  EXPECT_NEAR(real(result, 0, "area_ha"), 8 * 0.09, 0.001);  // 30 m pixels; UTM scale 0.9996
  EXPECT_NEAR(real(result, 0, "perimeter_m"), 360.0, 0.5);
  EXPECT_NEAR(real(result, 0, "compactness"), 4 * M_PI * 8 / 144.0, 1e-4);
  EXPECT_NEAR(real(result, 0, "shape_index"), 12.0 / (2 * std::sqrt(M_PI * 8)), 1e-4);
  EXPECT_EQ(real(result, 0, "n_pixels"), 8.0);
  EXPECT_EQ(real(result, 0, "touches_edge"), 0.0);
  EXPECT_EQ(real(result, 0, "cut_by_nodata"), 0.0);
  EXPECT_TRUE(std::isnan(real(result, 0, "weakest_shared_edge")));
  EXPECT_EQ(result.instances.at(2, 1), 1U);
  EXPECT_EQ(result.instances.at(0, 0), 0U);
}

TEST(Delineate, FieldsAtTheBorderAndBesideMissingDataAreMarked) {
  const auto result = run(scores_of(R"(
    aaa.......
    aaa..aaa#.
    .....aaa..
    ..........
  )"));
  ASSERT_EQ(result.fields.features.size(), 2U);
  EXPECT_EQ(real(result, 0, "touches_edge"), 1.0);
  EXPECT_EQ(real(result, 0, "cut_by_nodata"), 0.0);
  EXPECT_EQ(real(result, 1, "touches_edge"), 0.0);
  EXPECT_EQ(real(result, 1, "cut_by_nodata"), 1.0);
  EXPECT_EQ(result.instances.at(8, 1), kUnknownInstance);
}

TEST(Delineate, WeakestSharedEdgeIsTheMeanOverTheCommonEdge) {
  const auto result = run(scores_of(R"(
    aaa2aaa
    aaa2aaa
    aaa2aaa
  )"));
  ASSERT_EQ(result.fields.features.size(), 2U);
  EXPECT_NEAR(real(result, 0, "weakest_shared_edge"), 0.8, 1e-12);
  EXPECT_NEAR(real(result, 1, "weakest_shared_edge"), 0.8, 1e-12);
  EXPECT_EQ(real(result, 0, "n_pixels") + real(result, 1, "n_pixels"), 21.0);
}

TEST(Delineate, ComponentsModeDropsBoundaryPixels) {
  DelineateOptions options = exact();
  options.mode = SplitMode::kComponents;
  const auto result = run(scores_of("aaa2aaa\naaa2aaa\naaa2aaa\n"), options);
  ASSERT_EQ(result.fields.features.size(), 2U);
  EXPECT_EQ(real(result, 0, "n_pixels"), 9.0);
  EXPECT_EQ(result.report.field_pixels, 21);
}

TEST(Delineate, SmallHolesAreFilledLargeOnesStay) {
  const std::string picture = R"(
    aaaaaaaaaa
    aa.aaaaaaa
    aaaaa...aa
    aaaaa...aa
    aaaaaaaaaa
  )";
  DelineateOptions options = exact();
  options.fill_holes_m2 = 2000.0;  // 2 px of 900 m2
  const auto result = run(scores_of(picture), options);
  ASSERT_EQ(result.fields.features.size(), 1U);
  ASSERT_EQ(result.fields.features[0].geometry.size(), 1U);
  EXPECT_EQ(result.fields.features[0].geometry[0].holes.size(), 1U);
  EXPECT_EQ(result.report.holes_filled, 1);
  EXPECT_EQ(result.report.holes_filled_pixels, 1);
  EXPECT_EQ(real(result, 0, "n_pixels"), 44.0);
}

TEST(Delineate, BackgroundAtTheBorderOrBesideMissingDataIsNoHole) {
  DelineateOptions options = exact();
  options.fill_holes_m2 = 1e6;
  const auto result = run(scores_of("aaaa.a\naa#aaa\na.aaaa\naaaaaa\n"), options);
  ASSERT_EQ(result.fields.features.size(), 1U);
  EXPECT_EQ(result.report.holes_filled, 1);
  EXPECT_EQ(result.instances.at(4, 0), 0U);                // at the border
  EXPECT_EQ(result.instances.at(2, 1), kUnknownInstance);  // no data
  EXPECT_EQ(result.instances.at(1, 2), 1U);                // enclosed
}

TEST(Delineate, SmallFieldsAreRejectedAloneAndAbsorbedBehindAWeakEdge) {
  // Left: 4 pixels alone. Right: a piece of 3 pixels behind a ridge.
  auto scores = scores_of(R"(
    aa..........
    aa..aaaa2aa.
    ....aaaa2a..
    ....aaaa2...
    ............
  )");
  DelineateOptions options = exact();
  options.min_area_m2 = 7000.0;  // 7.8 px
  auto strong = run(scores, options);
  EXPECT_EQ(strong.report.instances, 3);
  ASSERT_EQ(strong.fields.features.size(), 1U);
  EXPECT_EQ(strong.report.rejected_small, 2);
  EXPECT_EQ(strong.report.absorbed, 0);
  for (auto& b : scores.boundary.data()) {
    if (b == 160) b = 60;
  }
  const auto weak = run(scores, options);
  ASSERT_EQ(weak.fields.features.size(), 1U);
  EXPECT_EQ(weak.report.rejected_small, 1);
  EXPECT_EQ(weak.report.rejected_pixels, 4);
  EXPECT_EQ(weak.report.absorbed, 1);
  EXPECT_EQ(real(weak, 0, "n_pixels"), 18.0);
}

TEST(Delineate, FivePixelsAreTheLeast) {
  DelineateOptions options = exact();
  options.min_area_m2 = 0.0;
  const auto result = run(scores_of("aaaa....\n........\naaaaa...\n"), options);
  ASSERT_EQ(result.fields.features.size(), 1U);
  EXPECT_EQ(real(result, 0, "n_pixels"), 5.0);
  EXPECT_NEAR(result.report.min_area_m2, 4500.0, 10.0);
}

TEST(Delineate, PixelsThatTouchDiagonallyBecomeSeparateFields) {
  const auto result = run(scores_of("aaa...\naaa...\n...aaa\n...aaa\n"), exact());
  ASSERT_EQ(result.fields.features.size(), 2U);
  for (const auto& field : result.fields.features) EXPECT_EQ(field.geometry.size(), 1U);
}

TEST(Delineate, IdsAreUniqueAndStayInAWindowOfTheGrid) {
  const std::string whole = "......aaa\naaa...aaa\naaa...aaa\n.........\n...aaa...\n...aaa...\n";
  const auto all = run(scores_of(whole), exact());
  ASSERT_EQ(all.fields.features.size(), 3U);
  std::set<std::string> ids;
  for (const auto& field : all.fields.features) ids.insert(as_text(field.values[0]));
  EXPECT_EQ(ids.size(), 3U);
  auto window = scores_of("......\n......\n.aaa..\n.aaa..\n");
  window.grid.transform.x0 += 2 * 30.0;
  window.grid.transform.y0 -= 2 * 30.0;
  const auto part = run(window, exact());
  ASSERT_EQ(part.fields.features.size(), 1U);
  EXPECT_TRUE(ids.contains(as_text(part.fields.features[0].values[0])));
}

TEST(Delineate, SouthUpRasterGivesTheSameFields) {
  auto north = touching_fields(12, 4, 3);
  ScoreMap south = north;
  south.grid.transform.y0 -= 10.0 * static_cast<double>(north.grid.height);
  south.grid.transform.dy = 10.0;
  for (std::int64_t row = 0; row < north.grid.height; ++row) {
    for (std::int64_t col = 0; col < north.grid.width; ++col) {
      south.boundary.at(col, row) = north.boundary.at(col, north.grid.height - 1 - row);
    }
  }
  const auto a = run(north, exact());
  const auto b = run(south, exact());
  ASSERT_EQ(a.fields.features.size(), b.fields.features.size());
  double sum_a = 0.0;
  double sum_b = 0.0;
  for (std::size_t i = 0; i < a.fields.features.size(); ++i) {
    EXPECT_GT(signed_area(b.fields.features[i].geometry[0].shell), 0.0);
    EXPECT_TRUE(check_validity(b.fields.features[i].geometry).valid);
    sum_a += real(a, i, "area_ha");
    sum_b += real(b, i, "area_ha");
  }
  EXPECT_NEAR(sum_a, sum_b, 1e-6);
  EXPECT_EQ(bounds(a.fields.features.front().geometry).max_y,
            bounds(b.fields.features.back().geometry).max_y);
}

TEST(Delineate, GeographicRasterHasAreasInSquareMetres) {
  auto scores = touching_fields(20, 3, 4);
  scores.grid.crs = Crs::from_user_input("EPSG:4326");
  scores.grid.transform = {9.0, 1e-4, 0.0, 60.0, 0.0, -1e-4};  // 11.1 m high, 5.6 m wide
  const auto result = run(scores, exact());
  ASSERT_EQ(result.fields.features.size(), 9U);
  double total_m2 = 0.0;
  for (std::size_t i = 0; i < 9; ++i) total_m2 += real(result, i, "area_ha") * 10000.0;
  // A box of 0.006 degrees at 59.997 N, on WGS 84.
  EXPECT_NEAR(total_m2, 334.8 * 668.5, 0.005 * total_m2);
  EXPECT_NEAR(result.report.min_area_m2, 500.0, 1e-9);
}

TEST(Delineate, EmptyLayerKnowsItsFieldsAndCrs) {
  const auto result = run(scores_of("....\n.##.\n"));
  EXPECT_TRUE(result.fields.features.empty());
  EXPECT_EQ(result.fields.crs.epsg(), 32632);
  EXPECT_EQ(result.fields.fields.size(), 10U);
  EXPECT_EQ(result.report.valid_pixels, 6);
}

TEST(Delineate, SameForOneAndFourThreads) {
  const auto scores = touching_fields(13, 20, 11);
  std::vector<Delineation> results;
  for (const int threads : {1, 4}) {
    ExecContext exec({threads, 0});
    exec.execute([&] { results.push_back(delineate(scores, {}, exec)); });
  }
  EXPECT_EQ(results[0].instances.data(), results[1].instances.data());
  ASSERT_EQ(results[0].fields.features.size(), results[1].fields.features.size());
  for (std::size_t i = 0; i < results[0].fields.features.size(); ++i) {
    const auto& a = results[0].fields.features[i];
    const auto& b = results[1].fields.features[i];
    ASSERT_EQ(a.values, b.values);
    ASSERT_EQ(a.geometry[0].shell, b.geometry[0].shell);
  }
}

/// Scores with everything that strips could get wrong: fields of all sizes, specks, holes, missing data,
/// noise.
ScoreMap rough_scores(std::int64_t width, std::int64_t height, std::uint64_t seed) {
  Random random(seed);
  std::vector<Point> centres(static_cast<std::size_t>(width * height / 90 + 3));
  for (auto& c : centres) {
    c = {random.uniform() * static_cast<double>(width), random.uniform() * static_cast<double>(height)};
  }
  ScoreMap map{test::utm_grid(width, height), Raster<std::uint8_t>(width, height),
               Raster<std::uint8_t>(width, height), Raster<std::uint8_t>(width, height, 1, 1)};
  for (std::int64_t row = 0; row < height; ++row) {
    for (std::int64_t col = 0; col < width; ++col) {
      std::size_t cell = 0;
      double first = 1e9;
      double second = 1e9;
      for (std::size_t i = 0; i < centres.size(); ++i) {
        const double d =
            std::hypot(centres[i].x - static_cast<double>(col), centres[i].y - static_cast<double>(row));
        if (d < first) {
          second = std::exchange(first, d);
          cell = i;
        } else {
          second = std::min(second, d);
        }
      }
      const double strength = cell % 3 == 0 ? 60.0 : 190.0;
      const double boundary =
          strength * std::exp(-0.3 * (second - first) * (second - first)) + random.normal(0.0, 8.0);
      const bool field = cell % 5 != 0 && !random.chance(0.02);
      map.boundary.at(col, row) = static_cast<std::uint8_t>(std::clamp(boundary, 0.0, 200.0));
      map.extent.at(col, row) = field || random.chance(0.1) ? 190 : 20;
      if (random.chance(0.004)) map.valid.at(col, row) = 0;
    }
  }
  return map;
}

ScoreMap rows_of(const ScoreMap& map, const Window& rows) {
  const auto cut = [&](const Raster<std::uint8_t>& from) {
    Raster<std::uint8_t> out(rows.width, rows.height);
    std::copy_n(from.data().begin() + rows.row * rows.width, rows.pixels(), out.data().begin());
    return out;
  };
  ScoreMap part{map.grid.subgrid(rows), cut(map.extent), cut(map.boundary), cut(map.valid)};
  if (!map.whole_extent.empty()) part.whole_extent = cut(map.whole_extent);
  return part;
}

Delineation by_strips(const ScoreMap& map, const DelineateOptions& options, std::int64_t rows, int threads) {
  ExecContext exec({threads, 0});
  const test::TemporaryFolder folder;
  StripOptions strips;
  strips.rows = rows;
  strips.scratch = folder / "not" / "there";
  Delineation result;
  result.instances = Raster<std::uint32_t>(map.grid.width, map.grid.height);
  exec.execute([&] {
    auto found = delineate_by_strips(
        map.grid, [&](const Window& at, ExecContext&) { return rows_of(map, at); }, options, strips,
        [&](const Window& at, const Raster<std::uint32_t>& labels) {
          std::ranges::copy(labels.data(), result.instances.data().begin() + at.row * at.width);
        },
        exec);
    result.fields = std::move(found.layer);
    for (Feature feature; found.features(feature);) result.fields.features.push_back(std::move(feature));
    result.rejects = std::move(found.rejects_layer);
    while (found.reject_features) {
      Feature feature;
      if (!found.reject_features(feature)) break;
      result.rejects.features.push_back(std::move(feature));
    }
    result.report = found.report;
  });
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  return result;
}

void expect_same_features(const Layer& a, const Layer& b) {
  ASSERT_EQ(a.features.size(), b.features.size());
  for (std::size_t i = 0; i < a.features.size(); ++i) {
    const Feature& x = a.features[i];
    const Feature& y = b.features[i];
    ASSERT_EQ(x.values, y.values) << i;
    ASSERT_EQ(x.geometry.size(), y.geometry.size()) << i;
    for (std::size_t k = 0; k < x.geometry.size(); ++k) {
      ASSERT_EQ(x.geometry[k].shell, y.geometry[k].shell) << i;
      ASSERT_EQ(x.geometry[k].holes, y.geometry[k].holes) << i;
    }
  }
}

void expect_same(const Delineation& a, const Delineation& b) {
  ASSERT_EQ(a.instances.data(), b.instances.data());
  expect_same_features(a.fields, b.fields);
  expect_same_features(a.rejects, b.rejects);
  const auto counts = [](const DelineateReport& r) {
    return std::vector<std::int64_t>{r.valid_pixels,    r.field_pixels,   r.instances,
                                     r.absorbed,        r.rejected_small, r.rejected_narrow,
                                     r.rejected_pixels, r.holes_filled,   r.holes_filled_pixels,
                                     r.fields};
  };
  EXPECT_EQ(counts(a.report), counts(b.report));
}

TEST(Delineate, StripsOfAnyHeightAndAnyThreadsGiveTheSameFields) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const ScoreMap map = rough_scores(40 + static_cast<std::int64_t>(seed) * 17,
                                      170 - static_cast<std::int64_t>(seed) * 9, seed);
    for (const SplitMode mode : {SplitMode::kWatershed, SplitMode::kComponents}) {
      DelineateOptions options;
      options.mode = mode;
      options.min_area_m2 = 4000.0;
      options.absorb_below = 0.95;
      options.fill_holes_m2 = seed % 2 == 0 ? 500.0 : 4000.0;
      options.keep_rejects = true;
      options.min_width_m = seed % 3 == 0 ? 60.0 : 0.0;
      const Delineation whole = run(map, options);
      EXPECT_GT(whole.report.absorbed, mode == SplitMode::kWatershed ? 0 : -1);
      EXPECT_GT(whole.report.rejected_small, 0);
      EXPECT_GT(whole.report.holes_filled, 0);
      for (const std::int64_t rows : {1, 5, 16, 100}) {
        for (const int threads : {1, 4}) {
          SCOPED_TRACE(concat("seed ", seed, ", ", rows, " rows, ", threads, " threads"));
          expect_same(by_strips(map, options, rows, threads), whole);
        }
      }
    }
  }
}

/// Valid, side by side without overlaps, and of the same pixels and ids as with pixel outlines.
void expect_placed(const Delineation& placed, const Delineation& by_pixels) {
  ASSERT_EQ(placed.instances.data(), by_pixels.instances.data());
  ASSERT_EQ(placed.fields.features.size(), by_pixels.fields.features.size());
  expect_same_features(placed.rejects, by_pixels.rejects);
  std::vector<MultiPolygon> shapes;
  for (std::size_t i = 0; i < placed.fields.features.size(); ++i) {
    const Feature& a = placed.fields.features[i];
    const Feature& b = by_pixels.fields.features[i];
    for (const char* name :
         {"id", "instance", "n_pixels", "touches_edge", "cut_by_nodata", "weakest_shared_edge"})
      ASSERT_EQ(a.values[placed.fields.field(name)], b.values[placed.fields.field(name)]);
    const Validity validity = check_validity(a.geometry);
    ASSERT_TRUE(validity.valid) << validity.reason;
    shapes.push_back(a.geometry);
  }
  double sum = 0.0;
  for (const MultiPolygon& shape : shapes) sum += area(shape);
  EXPECT_NEAR(area(union_all(shapes)), sum, 1e-6 * sum);
}

TEST(Delineate, OutlinesByScoresAreThoseOfAnyStripsAndThreads) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    const auto size = static_cast<std::int64_t>(seed);
    ScoreMap map = rough_scores(40 + size * 17, 140 - size * 9, seed);
    if (seed % 2 == 0) {  // as three bands are read
      map.whole_extent = map.extent;
      Random random(seed);
      for (std::uint8_t& level : map.whole_extent.data()) {
        if (level < 100 && random.chance(0.3)) level = 120;
      }
    }
    for (const SplitMode mode : {SplitMode::kWatershed, SplitMode::kComponents}) {
      DelineateOptions options;
      options.mode = mode;
      options.min_area_m2 = 2000.0;
      options.keep_rejects = true;
      options.simplify_px = seed == 3 ? 0.0 : 0.2;
      const Delineation by_pixels = run(map, options);
      options.placement = OutlinePlacement::kScore;
      const Delineation whole = run(map, options);
      expect_placed(whole, by_pixels);
      for (const std::int64_t rows : {1, 5, 16, 100}) {
        SCOPED_TRACE(concat("seed ", seed, ", ", rows, " rows"));
        expect_same(by_strips(map, options, rows, rows == 5 ? 1 : 4), whole);
      }
    }
  }
}

TEST(Delineate, RejectsAreWhatWasInAnInstanceAndIsInNoField) {
  for (std::uint64_t seed = 21; seed <= 24; ++seed) {
    const ScoreMap map = rough_scores(70, 60, seed);
    DelineateOptions options;
    options.min_area_m2 = 5000.0;
    options.fill_holes_m2 = seed % 2 == 0 ? 500.0 : 4000.0;
    options.min_width_m = seed > 22 ? 80.0 : 0.0;
    const Delineation without = run(map, options);
    EXPECT_TRUE(without.rejects.fields.empty());
    options.keep_rejects = true;
    const Delineation with = run(map, options);
    expect_same_features(with.fields, without.fields);
    ASSERT_EQ(static_cast<std::int64_t>(with.rejects.features.size()),
              with.report.rejected_small + with.report.rejected_narrow);
    ASSERT_GT(with.report.rejected_small, 0);
    EXPECT_EQ(with.report.rejected_narrow > 0, options.min_width_m > 0.0);
    // Pixels: what reached the extent, or was a hole in an instance, and has no field number.
    Raster<std::uint8_t> rejected(70, 60);
    Raster<std::uint32_t> number(70, 60);
    std::int64_t pixels = 0;
    const auto value = [&](const Feature& reject, const char* name) {
      return reject.values[with.rejects.field(name)];
    };
    for (const Feature& reject : with.rejects.features) {
      const bool small = as_real(value(reject, "area_ha")) * 10000.0 < 5000.0 * 0.999;
      EXPECT_EQ(as_text(value(reject, "reason")), small ? "small" : "narrow");
      ASSERT_EQ(reject.geometry.size(), 1U);
      EXPECT_TRUE(check_validity(reject.geometry).valid);
      const auto n = as_integer(value(reject, "n_pixels"));
      EXPECT_EQ(std::llround(area(reject.geometry) / 100.0), n);
      EXPECT_NEAR(as_real(value(reject, "area_ha")) / (static_cast<double>(n) / 100.0), 1.0, 0.01);
      const double edge = as_real(value(reject, "edge_score"));
      EXPECT_TRUE(std::isnan(edge) || (edge >= options.absorb_below && edge <= 1.0)) << edge;
      pixels += n;
      for (std::int64_t row = 0; row < 60; ++row) {
        for (std::int64_t col = 0; col < 70; ++col) {
          const Point centre =
              map.grid.transform.to_world({static_cast<double>(col) + 0.5, static_cast<double>(row) + 0.5});
          if (!contains(reject.geometry, centre)) continue;
          ++rejected.at(col, row);
          number.at(col, row) = static_cast<std::uint32_t>(&reject - with.rejects.features.data()) + 1;
        }
      }
    }
    // Widths that were put together while regions joined are those of the pixels.
    ExecContext exec;
    const PixelAreas areas(map.grid);
    const auto count = static_cast<std::uint32_t>(with.rejects.features.size());
    const auto stats = region_stats(number, count, areas, {0, 60}, exec);
    for (std::uint32_t i = 1; i <= count; ++i) {
      EXPECT_EQ(as_real(value(with.rejects.features[i - 1], "width_m")),
                areas.length_to_m(equivalent_width(stats[i])));
    }
    EXPECT_EQ(pixels, with.report.rejected_pixels);
    std::int64_t in_fields = 0;
    for (const auto label : with.instances.data()) in_fields += is_field(label) ? 1 : 0;
    EXPECT_EQ(in_fields, with.report.field_pixels - pixels + with.report.holes_filled_pixels);
    for (std::int64_t row = 0; row < 60; ++row) {
      for (std::int64_t col = 0; col < 70; ++col) {
        const bool in_extent = map.valid.at(col, row) != 0 && map.extent.at(col, row) >= 100;
        const bool in_field = is_field(with.instances.at(col, row));
        ASSERT_LE(rejected.at(col, row), in_field ? 0 : 1);
        ASSERT_TRUE(!in_extent || in_field || rejected.at(col, row) == 1) << col << " " << row;
      }
    }
  }
}

TEST(Delineate, ARejectThatIsFilledAsAHoleIsPartOfTheField) {
  auto scores = scores_of(R"(
    aaaaaaaa
    aa222aaa
    aa2a2aaa
    aa222aaa
    aaaaaaaa
    aaaaaaaa
  )");
  DelineateOptions options = exact();
  options.keep_rejects = true;
  options.min_area_m2 = 9000.0;  // 10 px: more than the ring with its middle
  options.fill_holes_m2 = 0.0;
  const auto open = run(scores, options);
  ASSERT_EQ(open.report.instances, 2);
  ASSERT_EQ(open.rejects.features.size(), 1U);
  EXPECT_EQ(open.report.holes_filled, 0);
  options.fill_holes_m2 = 9000.0;
  const auto filled = run(scores, options);
  EXPECT_TRUE(filled.rejects.features.empty());
  EXPECT_EQ(filled.report.rejected_small, 0);
  EXPECT_EQ(filled.report.holes_filled, 1);
  EXPECT_EQ(filled.report.holes_filled_pixels, 0);  // none of background
  EXPECT_EQ(real(filled, 0, "n_pixels"), 48.0);
}

/// Cleaning as it is defined, on the raster: pieces of background are looked at one by one.
std::int64_t slow_fill_holes(Raster<std::uint32_t>& labels, const PixelAreas& areas, std::int64_t below,
                             ExecContext& exec) {
  const std::int64_t width = labels.width();
  Raster<std::uint8_t> background(width, labels.height());
  for (std::size_t i = 0; i < labels.data().size(); ++i) background.data()[i] = labels.data()[i] == 0 ? 1 : 0;
  const auto pieces = label_components(background, Connectivity::kFour, exec).labels;
  std::map<std::uint32_t, std::set<std::uint32_t>> around;
  std::map<std::uint32_t, std::int64_t> area;
  for (std::int64_t row = 0; row < labels.height(); ++row) {
    for (std::int64_t col = 0; col < width; ++col) {
      const auto piece = pieces.at(col, row);
      if (piece == 0) continue;
      area[piece] += areas.row(row);
      for (const auto& [dc, dr] : {std::pair(0, -1), {-1, 0}, {1, 0}, {0, 1}}) {
        const std::int64_t c = col + dc;
        const std::int64_t r = row + dr;
        const bool inside = c >= 0 && r >= 0 && c < width && r < labels.height();
        const std::uint32_t other = inside ? labels.at(c, r) : kOutsideInstance;
        if (other != 0) around[piece].insert(other);
      }
    }
  }
  std::int64_t filled = 0;
  for (const auto& [piece, neighbours] : around) {
    if (neighbours.size() != 1 || !is_field(*neighbours.begin()) || area[piece] >= below) continue;
    ++filled;
    for (std::size_t i = 0; i < labels.data().size(); ++i) {
      if (pieces.data()[i] == piece) labels.data()[i] = *neighbours.begin();
    }
  }
  return filled;
}

TEST(Delineate, CleaningEqualsThatOnTheRaster) {
  ExecContext exec;
  for (std::uint64_t seed = 11; seed <= 18; ++seed) {
    const ScoreMap map = rough_scores(60, 70, seed);
    DelineateOptions options = exact();
    options.min_area_m2 = seed % 2 == 0 ? 1500.0 : 6000.0;
    options.fill_holes_m2 = 3000.0;
    options.absorb_below = 0.8;
    options.min_width_m = seed % 3 == 0 ? 50.0 : 0.0;
    const PixelAreas areas(map.grid);
    Raster<std::uint8_t> mask(60, 70);
    for (std::size_t i = 0; i < mask.data().size(); ++i) {
      mask.data()[i] = map.valid.data()[i] != 0 && map.extent.data()[i] >= 100 ? 1 : 0;
    }
    auto pieces = label_components(watershed(map.boundary, mask, 40, exec).labels, Connectivity::kFour, exec);
    auto& labels = pieces.labels;
    for (std::size_t i = 0; i < mask.data().size(); ++i) {
      if (map.valid.data()[i] == 0) labels.data()[i] = kUnknownInstance;
    }
    const std::int64_t below = areas.from_m2(options.fill_holes_m2);
    std::int64_t filled = slow_fill_holes(labels, areas, below, exec);
    const auto small = absorb_small(
        region_stats(labels, pieces.count, areas, {0, 70}, exec),
        shared_edges(labels, map.boundary, areas, 0, exec),
        {areas.from_m2(options.min_area_m2), areas.length_from_m(options.min_width_m), options.absorb_below});
    for (auto& label : labels.data()) label = is_field(label) ? small.target[label] : label;
    filled += slow_fill_holes(labels, areas, below, exec);
    const auto count = renumber_by_first_pixel(labels, pieces.count);

    const Delineation found = run(map, options);
    ASSERT_EQ(found.instances.data(), labels.data()) << seed;
    ASSERT_EQ(delineate_instances(map, areas, options, exec).labels.data(), labels.data()) << seed;
    EXPECT_EQ(found.report.holes_filled, filled);
    EXPECT_EQ(found.report.absorbed, small.absorbed);
    const auto stats = region_stats(labels, count, areas, {0, 70}, exec);
    std::map<std::uint32_t, double> weakest;
    for (const auto& edge : shared_edges(labels, map.boundary, areas, 0, exec)) {
      for (const auto label : {edge.a, edge.b}) {
        weakest[label] = std::min(weakest.try_emplace(label, 2.0).first->second, edge.mean_score());
      }
    }
    for (std::uint32_t label = 1; label <= count; ++label) {
      EXPECT_EQ(real(found, label - 1, "n_pixels"), static_cast<double>(stats[label].pixels));
      EXPECT_EQ(real(found, label - 1, "cut_by_nodata"), stats[label].touches_unknown ? 1.0 : 0.0);
      EXPECT_EQ(real(found, label - 1, "touches_edge"), stats[label].touches_edge ? 1.0 : 0.0);
      const double edge = real(found, label - 1, "weakest_shared_edge");
      EXPECT_TRUE(weakest.contains(label) ? edge == weakest[label] : std::isnan(edge)) << label;
    }
  }
}

TEST(DelineationSweep, GivesTheFieldsOfEverySettingByItself) {
  ExecContext exec;
  const ScoreMap map = rough_scores(90, 75, 41);
  const PixelAreas areas(map.grid);
  DelineationSweep sweep(map, areas, 0.02);
  for (const SplitMode mode : {SplitMode::kWatershed, SplitMode::kComponents}) {
    for (const double extent : {0.5, 0.96}) {
      for (const double split : {0.02, 0.3, 0.1, 1.0}) {
        DelineateOptions options;
        options.mode = mode;
        options.extent_threshold = extent;
        options.cut = options.boundary_threshold = split;
        const SceneRegions regions = sweep.regions(options, exec);
        for (const double min_area : {0.0, 4000.0}) {
          options.min_area_m2 = min_area;
          const auto field = sweep.fields(regions.graph, options);
          auto labels = regions.region;
          for (auto& label : labels.data()) label = label == kUnknownInstance ? label : field[label];
          ASSERT_EQ(labels.data(), delineate_instances(map, areas, options, exec).labels.data())
              << extent << " " << split << " " << min_area;
        }
      }
    }
  }
  DelineateOptions options;
  options.cut = 0.01;
  EXPECT_THROW((void)sweep.regions(options, exec), InvalidArgument);
}

TEST(Delineate, RefusesWhatCannotBe) {
  ExecContext exec({1, std::size_t{1} << 20});
  const auto scores = scores_of("aa\naa\n");
  EXPECT_THROW((void)delineate_strip_rows(test::utm_grid(100'000, 100'000), exec), InvalidArgument);
  EXPECT_EQ(delineate_strip_rows(test::utm_grid(1000, 1000), exec), 19);  // of 40 bytes a pixel
  EXPECT_EQ(delineate_strip_rows(test::utm_grid(1000, 10), exec), 10);
  DelineateOptions options;
  options.cut = 0.0;
  EXPECT_THROW((void)delineate(scores, options, exec), InvalidArgument);
  options = {};
  options.extent_threshold = NAN;
  EXPECT_THROW((void)delineate(scores, options, exec), InvalidArgument);
  options = {};
  options.simplify_m = -1.0;
  EXPECT_THROW((void)delineate(scores, options, exec), InvalidArgument);
  options = {};
  options.min_width_m = -1.0;
  EXPECT_THROW((void)delineate(scores, options, exec), InvalidArgument);
  auto nowhere = scores;
  nowhere.grid.crs = {};
  EXPECT_THROW((void)delineate(nowhere, {}, exec), CrsError);
}

TEST(Delineate, SimplificationThatKeepsAreas) {
  const ScoreMap map = rough_scores(80, 70, 31);
  DelineateOptions options;
  options.simplify_method = SimplifyMethod::kArea;
  options.simplify_px = 1.5;
  const Delineation whole = run(map, options);
  ASSERT_GT(whole.fields.features.size(), 20U);
  for (std::size_t i = 0; i < whole.fields.features.size(); ++i)
    EXPECT_NEAR(area(whole.fields.features[i].geometry), 100.0 * real(whole, i, "n_pixels"), 1e-5);
  for (const int threads : {1, 4}) expect_same(by_strips(map, options, 9, threads), whole);
}

class ReadScores : public testing::Test {
 protected:
  template <class T>
  ScoreMap read(const std::vector<T>& values, int bands, const RasterSpec& spec, const ScoreBands& how = {}) {
    Raster<T> pixels(static_cast<std::int64_t>(values.size()) / bands, 1, bands);
    pixels.data() = values;
    const auto path = m_folder / "scores.tif";
    RasterSpec full = spec;
    full.type = pixel_type_of<T>();
    full.bands = bands;
    write_raster(path, test::utm_grid(pixels.width(), 1), pixels, full, true);
    ExecContext exec;
    return read_scores(RasterReader(path.string()), how, exec);
  }
  test::TemporaryFolder m_folder;
};

using Levels = std::vector<std::uint8_t>;

TEST_F(ReadScores, ThreeBandsWithScaleAndNodata) {
  RasterSpec spec;
  spec.scale = 0.005;
  spec.nodata = 255;
  const auto map = read<std::uint8_t>({200, 20, 255, /**/ 0, 130, 255, /**/ 0, 50, 255}, 3, spec);
  EXPECT_EQ(map.extent.data(), (Levels{0, 180, 0}));
  EXPECT_EQ(map.boundary.data(), (Levels{0, 50, 0}));
  EXPECT_EQ(map.valid.data(), (Levels{1, 1, 0}));
}

TEST_F(ReadScores, OneBandOfFloatsWithNaN) {
  const auto map = read<float>({0.25F, 1.0F, NAN}, 1, {});
  EXPECT_EQ(map.extent.data(), (Levels{50, 200, 0}));
  EXPECT_EQ(map.boundary.data(), (Levels{150, 0, 0}));
  EXPECT_EQ(map.valid.data(), (Levels{1, 1, 0}));
}

TEST_F(ReadScores, NamedBandsAndScale) {
  ScoreBands how;
  how.extent = 4;
  how.boundary = 2;
  how.scale = 1e-4;
  const auto map = read<std::uint16_t>({1, 1, /**/ 2500, 100, /**/ 7, 7, /**/ 10000, 5000}, 4, {}, how);
  EXPECT_EQ(map.extent.data(), (Levels{200, 100}));
  EXPECT_EQ(map.boundary.data(), (Levels{50, 2}));
}

TEST_F(ReadScores, SaysWhichScaleIsLikely) {
  try {
    (void)read<std::uint8_t>({0, 255}, 1, {});
    FAIL();
  } catch (const IoError& e) {
    EXPECT_THAT(e.what(), HasSubstr("scores.tif"));
    EXPECT_THAT(e.what(), HasSubstr("column 1, row 0"));
    EXPECT_THAT(e.what(), HasSubstr("--scale 0.0039"));
  }
}

TEST_F(ReadScores, SignedBytesOfAHundredSteps) {
  // As gdal_translate -co PIXELTYPE=SIGNEDBYTE writes them; -1 is no score.
  const auto plain = m_folder / "plain.tif";
  Raster<std::uint8_t> pixels(4, 1);
  pixels.data() = {0, 100, 255, 40};
  write_raster(plain, test::utm_grid(4, 1), pixels, {}, true);
  const auto path = m_folder / "signed.vrt";
  std::ofstream(path)
      << "<VRTDataset rasterXSize=\"4\" rasterYSize=\"1\"><SRS>EPSG:32632</SRS>"
         "<GeoTransform>500000, 10, 0, 6000000, 0, -10</GeoTransform>"
         "<VRTRasterBand dataType=\"Byte\" band=\"1\"><NoDataValue>-1</NoDataValue>"
         "<Metadata domain=\"IMAGE_STRUCTURE\"><MDI key=\"PIXELTYPE\">SIGNEDBYTE</MDI></Metadata>"
         "<SimpleSource><SourceFilename relativeToVRT=\"1\">plain.tif</SourceFilename>"
         "<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>";
  ExecContext exec;
  ScoreBands how;
  how.scale = 0.01;
  const auto map = read_scores(RasterReader(path.string()), how, exec);
  EXPECT_EQ(map.extent.data(), (Levels{0, 200, 0, 80}));
  EXPECT_EQ(map.valid.data(), (Levels{1, 1, 0, 1}));
}

TEST_F(ReadScores, NodataThatTheTypeCannotHoldMarksNothing) {
  RasterSpec spec;
  spec.nodata = -9999.0;
  spec.scale = 0.005;
  EXPECT_EQ(read<std::uint8_t>({0, 255 - 55, 100}, 1, spec).valid.data(), (Levels{1, 1, 1}));
}

class ScoreTiles : public testing::Test {
 protected:
  /// Writes a part of a scene as a file.
  std::string write(const ScoreMap& map, const Window& at, const std::string& name) {
    Raster<std::uint8_t> pixels(at.width, at.height, 2);
    for (std::int64_t row = 0; row < at.height; ++row) {
      for (std::int64_t col = 0; col < at.width; ++col) {
        const bool valid = map.valid.at(at.col + col, at.row + row) != 0;
        pixels.at(col, row, 0) = valid ? map.extent.at(at.col + col, at.row + row) : 255;
        pixels.at(col, row, 1) = valid ? map.boundary.at(at.col + col, at.row + row) : 255;
      }
    }
    RasterSpec spec;
    spec.bands = 2;
    spec.scale = 0.005;
    spec.nodata = 255;
    const auto path = m_folder / name;
    write_raster(path, map.grid.subgrid(at), pixels, spec, true);
    return path.string();
  }
  static ScoreMap read(const std::vector<std::string>& paths, const Window& rows) {
    ExecContext exec({2, 0});
    return open_scores(paths, {}, {}).rows(rows, exec);
  }
  test::TemporaryFolder m_folder;
};

TEST_F(ScoreTiles, WholeFieldsFromTilesInAnyOrderWithAndWithoutOverlap) {
  ScoreMap map = rough_scores(90, 80, 4);
  for (std::size_t i = 0; i < map.valid.data().size(); ++i) {
    if (map.valid.data()[i] == 0) map.extent.data()[i] = map.boundary.data()[i] = 0;
  }
  const std::vector<std::string> side_by_side{write(map, {0, 0, 50, 30}, "a.tif"),
                                              write(map, {50, 0, 40, 30}, "b.tif"),
                                              write(map, {0, 30, 90, 50}, "c.tif")};
  const std::vector<std::string> overlapping{
      write(map, {40, 20, 50, 60}, "z.tif"), write(map, {0, 0, 60, 50}, "y.tif"),
      write(map, {30, 0, 60, 40}, "x.tif"), write(map, {0, 35, 61, 45}, "w.tif")};
  for (const auto& tiles : {side_by_side, overlapping}) {
    EXPECT_EQ(open_scores(tiles, {}, {}).grid.width, 90);
    for (const Window& rows : {Window{0, 0, 90, 80}, Window{0, 25, 90, 13}}) {
      const ScoreMap expected = rows_of(map, rows);
      const ScoreMap found = read(tiles, rows);
      EXPECT_EQ(found.extent.data(), expected.extent.data());
      EXPECT_EQ(found.boundary.data(), expected.boundary.data());
      EXPECT_EQ(found.valid.data(), expected.valid.data());
    }
  }
}

TEST_F(ScoreTiles, TheTileInWhichAPixelLiesDeepestCountsWhateverTheOrder) {
  const auto flat = [](std::uint8_t extent) {
    return ScoreMap{test::utm_grid(20, 9),
                    Raster<std::uint8_t>(20, 9, 1, extent),
                    Raster<std::uint8_t>(20, 9),
                    Raster<std::uint8_t>(20, 9, 1, 1),
                    {}};
  };
  ScoreMap left = flat(50);
  left.valid.at(6, 4) = 0;  // then the other one has a say
  const std::vector<std::string> tiles{write(left, {0, 0, 12, 9}, "left.tif"),
                                       write(flat(150), {5, 0, 15, 9}, "right.tif")};
  const ScoreMap map = read(tiles, {0, 0, 20, 9});
  Levels row(20, 150);  // columns 5 to 11 are in both; the middle row is 4 px from above and below
  std::fill_n(row.begin(), 9,
              std::uint8_t{50});  // column 8: 3 px deep in either; the tile further left counts
  row[6] = 150;
  EXPECT_EQ(Levels(map.extent.data().begin() + 80, map.extent.data().begin() + 100), row);
  EXPECT_EQ(read({tiles[1], tiles[0]}, {0, 0, 20, 9}).extent.data(), map.extent.data());
}

TEST_F(ScoreTiles, GapsAreNotValidAndTilesOffTheGridAreRefused) {
  ScoreMap map = rough_scores(30, 20, 5);
  const auto a = write(map, {0, 0, 10, 20}, "a.tif");
  const ScoreMap gap = read({a, write(map, {20, 0, 10, 20}, "b.tif")}, {0, 0, 30, 20});
  EXPECT_EQ(gap.valid.at(15, 10), 0);
  map.grid.transform.x0 += 3.0;
  const auto shifted = write(map, {20, 0, 10, 20}, "shifted.tif");
  try {
    (void)open_scores(std::vector<std::string>{a, shifted}, {}, {});
    FAIL();
  } catch (const IoError& e) {
    EXPECT_THAT(e.what(), HasSubstr("shifted.tif"));
    EXPECT_THAT(e.what(), HasSubstr("gdalwarp"));
  }
  EXPECT_THROW((void)open_scores({}, {}, {}), InvalidArgument);
}

TEST_F(ScoreTiles, InstancesOfARasterBecomeFields) {
  const auto path = m_folder / "instances.tif";
  Raster<std::uint32_t> pixels(12, 4);
  for (std::int64_t row = 0; row < 4; ++row) {
    for (std::int64_t col = 0; col < 12; ++col) {
      pixels.at(col, row) = col < 4 ? 4'000'000'000U : col < 8 ? 17 : col < 9 ? 0 : 17;
    }
  }
  RasterSpec spec;
  spec.type = PixelType::kUint32;
  write_raster(path, test::utm_grid(12, 4, 30.0), pixels, spec, true);
  ExecContext exec;
  ScoreBands bands;
  bands.content = ScoreContent::kInstances;
  DelineateOptions options = exact();
  options.mode = SplitMode::kInstances;
  const std::vector<std::string> paths{path.string()};
  const ScoreScene scene = open_scores(paths, bands, {});
  const auto whole = delineate(scene.rows(scene.grid.window(), exec), options, exec);
  ASSERT_EQ(whole.fields.features.size(), 3U);  // 17 in two pieces
  EXPECT_EQ(real(whole, 0, "n_pixels"), 16.0);
  EXPECT_EQ(real(whole, 2, "n_pixels"), 12.0);
  EXPECT_TRUE(std::isnan(real(whole, 0, "weakest_shared_edge")));
  StripOptions strips;
  strips.rows = 1;
  strips.scratch = m_folder.path();
  const auto by_row = delineate_by_strips(scene.grid, scene.rows, options, strips, {}, exec);
  EXPECT_EQ(by_row.report.fields, 3);
  for (Feature feature; by_row.features(feature);) {
    const auto& same = whole.fields.features[static_cast<std::size_t>(as_integer(feature.values[1])) - 1];
    EXPECT_EQ(feature.geometry[0].shell, same.geometry[0].shell);
  }
  const std::vector<std::string> two{path.string(), path.string()};
  EXPECT_THROW((void)open_scores(two, bands, {}), IoError);
}

TEST_F(ReadScores, RefusesOtherNumbersOfBands) {
  EXPECT_THROW((void)read<std::uint8_t>({0, 0, 0, 0}, 4, {}), IoError);
  ScoreBands how;
  how.extent = 3;
  EXPECT_THROW((void)read<std::uint8_t>({0, 0}, 2, {}, how), IoError);
  how = {};
  how.boundary = 1;
  EXPECT_THROW((void)read<std::uint8_t>({0, 0}, 2, {}, how), InvalidArgument);
}

TEST(Regions, PixelAreasFollowTheLatitude) {
  Grid grid = test::utm_grid(10, 3);
  grid.crs = Crs::from_user_input("EPSG:4326");
  grid.transform = {10.0, 0.001, 0.0, 60.0, 0.0, -20.0};  // rows at 60..40, 40..20, 20..0 degrees
  const PixelAreas areas(grid);
  EXPECT_LT(areas.row(0), areas.row(1));
  EXPECT_LT(areas.row(1), areas.row(2));
  // Zone between two latitudes on the sphere: R^2 dlon (sin b - sin a); the ellipsoid is within 0.7 %.
  const double zone = 6371007.0 * 6371007.0 * 0.001 * M_PI / 180.0 * (std::sin(M_PI / 9) - 0.0);
  EXPECT_NEAR(areas.to_m2(areas.row(2)) / zone, 1.0, 0.007);
}

TEST(Regions, PixelAreasOfOneSize) {
  const PixelAreas areas(3, 25.0);
  EXPECT_NEAR(areas.to_m2(areas.row(2)), 25.0, 1e-6);
  EXPECT_EQ(areas.from_m2(50.0), 2 * areas.row(0));
  EXPECT_THROW(PixelAreas(3, 0.0), InvalidArgument);
}

/// Of label 1, in pixels.
double width_px(const Raster<std::uint32_t>& labels) {
  ExecContext exec;
  const PixelAreas areas(labels.height(), 1.0);
  return areas.length_to_m(equivalent_width(region_stats(labels, 1, areas, {0, labels.height()}, exec)[1]));
}

TEST(Regions, OutlinesAreCountedBySideHolesIncluded) {
  ExecContext exec;
  Raster<std::uint32_t> labels(5, 4);
  for (const auto& [col, row] : {std::pair(0, 0), {1, 0}, {2, 0}, {0, 1}, {2, 1}, {0, 2}, {1, 2}, {2, 2}})
    labels.at(col, row) = 1;
  const PixelAreas areas(4, 1.0);
  const auto stats = region_stats(labels, 1, areas, {0, 4}, exec);
  EXPECT_EQ(stats[1].along_rows, 8 * areas.side_along_row(0));  // 3 + 3 around, 2 in the hole
  EXPECT_EQ(stats[1].along_columns, 8 * areas.side_along_column(0));
}

TEST(Regions, WidthOfRectanglesWhateverWayTheyLie) {
  for (const double width : {4.0, 9.0, 20.0}) {
    for (const double length : {20.0, 60.0}) {
      for (const double degrees : {0.0, 10.0, 26.565, 45.0, 70.0, 90.0, 133.0}) {
        Raster<std::uint32_t> labels(80, 80);
        const double c = std::cos(degrees * M_PI / 180.0);
        const double s = std::sin(degrees * M_PI / 180.0);
        for (std::int64_t row = 0; row < 80; ++row) {
          for (std::int64_t col = 0; col < 80; ++col) {
            const double x = static_cast<double>(col) + 0.5 - 40.03;
            const double y = static_cast<double>(row) + 0.5 - 40.01;
            const bool inside =
                std::abs(c * x + s * y) < 0.5 * length && std::abs(c * y - s * x) < 0.5 * width;
            labels.at(col, row) = inside ? 1 : 0;
          }
        }
        EXPECT_NEAR(width_px(labels), width, std::max(0.5, (length < 3.0 * width ? 0.2 : 0.07) * width))
            << length << " at " << degrees;
      }
    }
  }
}

TEST(Regions, WidthOfOtherShapes) {
  Raster<std::uint32_t> disc(50, 50);
  Raster<std::uint32_t> bent(50, 50);  // an L of 4 px
  for (std::int64_t row = 0; row < 50; ++row) {
    for (std::int64_t col = 0; col < 50; ++col) {
      disc.at(col, row) =
          std::hypot(static_cast<double>(col) - 25, static_cast<double>(row) - 25) < 20.0 ? 1 : 0;
      bent.at(col, row) = col < 4 || row < 4 ? 1 : 0;
    }
  }
  EXPECT_NEAR(width_px(disc), std::sqrt(M_PI) * 20.0, 0.4);  // the square of its area
  EXPECT_NEAR(width_px(bent), 4.0 * 1.42, 0.3);
  Raster<std::uint32_t> pixel(1, 1, 1, 1);
  EXPECT_NEAR(width_px(pixel), 1.0, 1e-6);
  EXPECT_EQ(equivalent_width({}), 0.0);
}

TEST(Regions, WidthIsInMetresInDegreesAndOnOblongPixels) {
  ExecContext exec;
  Grid grid = test::utm_grid(60, 60);
  grid.crs = Crs::from_user_input("EPSG:4326");
  grid.transform = {9.0, 1e-4, 0.0, 60.0, 0.0, -1e-4};  // 5.58 m wide, 11.14 m high
  const PixelAreas areas(grid);
  Raster<std::uint32_t> labels(60, 60);
  for (std::int64_t i = 0; i < 50; ++i) {
    for (std::int64_t k = 0; k < 3; ++k) {
      labels.at(k, i) = 1;
      labels.at(10 + i, 55 + k) = 2;
    }
  }
  const auto stats = region_stats(labels, 2, areas, {0, 60}, exec);
  EXPECT_NEAR(areas.length_to_m(equivalent_width(stats[1])), 3 * 5.580, 0.01);
  EXPECT_NEAR(areas.length_to_m(equivalent_width(stats[2])), 3 * 11.141, 0.02);
}

TEST(Delineate, SliversAreAbsorbedBehindAWeakEdgeElseRejectedAsNarrow) {
  auto scores = scores_of(R"(
    aaaaaaaaaaaa
    aaaaaaaaaaaa
    aaaaaaaaaaaa
    222222222222
    aaaaaaaaaaaa
    222222222222
    aaaaaaaaaaaa
    aaaaaaaaaaaa
    aaaaaaaaaaaa
    aaaaaaaaaaaa
  )");
  DelineateOptions options = exact();
  options.keep_rejects = true;
  ASSERT_EQ(run(scores, options).fields.features.size(), 3U);
  options.min_width_m = 85.0;  // 3 px of 30 m, with a boundary of 1 px, are wider
  const auto strong = run(scores, options);
  ASSERT_EQ(strong.fields.features.size(), 2U);
  EXPECT_EQ(strong.report.rejected_narrow, 1);
  EXPECT_EQ(strong.report.rejected_small, 0);
  ASSERT_EQ(strong.rejects.features.size(), 1U);
  EXPECT_EQ(as_text(strong.rejects.features[0].values[1]), "narrow");
  EXPECT_NEAR(as_real(strong.rejects.features[0].values[strong.rejects.field("edge_score")]), 0.8, 1e-12);
  options.absorb_below = 1.1;
  const auto weak = run(scores, options);
  ASSERT_EQ(weak.fields.features.size(), 2U);
  EXPECT_EQ(weak.report.absorbed, 1);
  EXPECT_EQ(real(weak, 0, "n_pixels") + real(weak, 1, "n_pixels"), 120.0);
}

TEST(Regions, AbsorbsSmallestFirstIntoTheLongestEdge) {
  std::vector<RegionStats> stats(5);
  const std::int64_t sizes[] = {0, 100, 3, 4, 50};
  for (std::size_t i = 1; i < 5; ++i) {
    stats[i].pixels = sizes[i];
    stats[i].area = sizes[i];
  }
  // 2 (smallest) goes to 3, with which it has the longest edge; together they are 7, still under 10, and go
  // to 4.
  const std::vector<SharedEdge> edges{{1, 2, 1, 0}, {1, 3, 1, 0}, {2, 3, 3, 0}, {2, 4, 1, 0}, {3, 4, 2, 0}};
  const auto result = absorb_small(stats, edges, {10, 0.0, 0.5});
  EXPECT_EQ(result.target, (std::vector<std::uint32_t>{0, 1, 4, 4, 4}));
  EXPECT_EQ(result.absorbed, 2);
  const auto never = absorb_small(stats, edges, {10, 0.0, 0.0});
  EXPECT_EQ(never.target, (std::vector<std::uint32_t>{0, 1, 0, 0, 4}));
  EXPECT_EQ(never.reject, (std::vector<std::uint32_t>{0, 0, 1, 2, 0}));
  ASSERT_EQ(never.rejects.size(), 3U);
  EXPECT_EQ(never.rejects[1].stats.pixels, 3);
  EXPECT_EQ(never.rejects[2].stats.pixels, 4);
  EXPECT_EQ(never.rejects[1].edge_score, 0.0);
}

TEST(Regions, ARejectHoldsWhatItHadAbsorbed) {
  std::vector<RegionStats> stats(4);
  for (std::size_t i = 1; i < 4; ++i) {
    stats[i].pixels = stats[i].area = static_cast<std::int64_t>(i) + 1;
    stats[i].first_pixel = 100 - static_cast<std::int64_t>(i);
  }
  // 1 joins 2 over a weak edge; together they are 5 px behind an edge of 0.9 and go. 3 stands alone.
  const std::vector<SharedEdge> edges{{1, 2, 2, 20}};
  const auto result = absorb_small(stats, edges, {10, 0.0, 0.5});
  EXPECT_EQ(result.target, (std::vector<std::uint32_t>{0, 0, 0, 0}));
  ASSERT_EQ(result.rejects.size(), 3U);
  EXPECT_EQ(result.reject, (std::vector<std::uint32_t>{0, 2, 2, 1}));
  EXPECT_EQ(result.rejects[1].stats.pixels, 4);
  EXPECT_EQ(result.rejects[2].stats.pixels, 5);
  EXPECT_EQ(result.rejects[2].stats.first_pixel, 98);
  EXPECT_FALSE(result.rejects[2].edge_score.has_value());
}

}  // namespace
}  // namespace furrow::geo
