#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>

#include <furrow/geo/raster/reader.h>
#include <furrow/geo/topology/arcs.h>
#include <furrow/geo/topology/assemble.h>
#include <furrow/geo/topology/components.h>
#include <furrow/geo/topology/delineate.h>
#include <furrow/geo/topology/simplify.h>
#include <furrow/geo/vector/box_index.h>
#include <furrow/geo/vector/geos.h>

#include "support.h"

namespace furrow::geo {
namespace {

void expect_valid_without_overlap(const std::vector<MultiPolygon>& shapes) {
  std::vector<Box> boxes;
  for (const auto& shape : shapes) boxes.push_back(bounds(shape));
  const BoxIndex index(boxes);
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    if (shapes[i].empty()) continue;
    const Validity validity = check_validity(shapes[i]);
    ASSERT_TRUE(validity.valid) << i << ": " << validity.reason;
    for (const std::size_t k : index.query(boxes[i])) {
      if (k <= i || shapes[k].empty()) continue;
      ASSERT_EQ(intersection_area(shapes[i], shapes[k]), 0.0) << i << " and " << k;
    }
  }
}

/// A window of the Cropland Data Layer; each patch of one class is an instance.
class CroplandPatches : public testing::Test {
 protected:
  void SetUp() override {
    FURROW_NEEDS_SHARED_DATA();
    const RasterReader reader(test::shared("data/cdl_iowa/cdl_2016_train.tif").string());
    const Window window{3000, 2000, 1000, 1000};
    grid = reader.grid().subgrid(window);
    patches = label_components(reader.read<std::uint8_t>(window), Connectivity::kFour, exec);
    for (const auto label : patches.labels.data()) ++pixels[label];
  }
  ExecContext exec;
  Grid grid;
  LabelledRaster patches;
  std::map<std::uint32_t, std::int64_t> pixels;
};

TEST_F(CroplandPatches, OutlinesHoldExactlyTheirPixels) {
  ASSERT_GT(patches.count, 100U);
  const GeoTransform in_pixels{0.0, 1.0, 0.0, 0.0, 0.0, 1.0};
  const auto shapes = assemble_polygons(trace_arcs(patches.labels, exec), patches.count, in_pixels, exec);
  for (std::uint32_t label = 1; label <= patches.count; ++label) {
    ASSERT_EQ(shapes[label].size(), 1U);
    ASSERT_EQ(area(shapes[label]), static_cast<double>(pixels[label])) << label;
  }
  expect_valid_without_overlap(shapes);
}

TEST_F(CroplandPatches, SimplifiedPatchesStillCoverTheWindowOnce) {
  for (const double tolerance : {1.0, 3.0}) {
    const ArcSet arcs = simplify_arcs(trace_arcs(patches.labels, exec), {tolerance, 1.0, 1.0}, exec);
    const auto shapes = assemble_polygons(arcs, patches.count, grid.transform, exec);
    double sum = 0.0;
    for (const auto& shape : shapes) sum += area(shape);
    const double window = area(MultiPolygon{to_polygon(grid.bounds())});
    EXPECT_NEAR(sum / window, 1.0, 1e-12);
    expect_valid_without_overlap(shapes);
  }
}

TEST_F(CroplandPatches, NeighboursShareTheirEdgesCornerByCorner) {
  const GeoTransform in_pixels{0.0, 1.0, 0.0, 0.0, 0.0, 1.0};
  const ArcSet arcs = simplify_arcs(trace_arcs(patches.labels, exec), {1.0, 1.0, 1.0}, exec);
  const auto shapes = assemble_polygons(arcs, patches.count, in_pixels, exec);
  using Side = std::array<double, 4>;
  std::map<Side, int> sides;  // of all rings, from corner to corner, in their direction
  for (std::uint32_t label = 1; label <= patches.count; ++label) {
    double perimeter_px = 0.0;
    const auto add = [&](const Ring& ring) {
      for (std::size_t i = 0; i + 1 < ring.size(); ++i) {
        ++sides[Side{ring[i].x, ring[i].y, ring[i + 1].x, ring[i + 1].y}];
        perimeter_px += std::hypot(ring[i + 1].x - ring[i].x, ring[i + 1].y - ring[i].y);
      }
    };
    add(shapes[label][0].shell);
    for (const Ring& hole : shapes[label][0].holes) add(hole);
    EXPECT_LE(std::abs(area(shapes[label]) - static_cast<double>(pixels[label])), perimeter_px) << label;
  }
  const auto on_frame = [&](double x, double y) {
    return x == 0.0 || y == 0.0 || x == 1000.0 || y == 1000.0;
  };
  std::size_t unshared = 0;
  for (const auto& [side, times] : sides) {
    ASSERT_EQ(times, 1);
    if (sides.contains({side[2], side[3], side[0], side[1]})) continue;
    ++unshared;
    ASSERT_TRUE((on_frame(side[0], side[1]) && on_frame(side[2], side[3])));
  }
  EXPECT_GT(sides.size(), 20 * unshared);
}

TEST_F(CroplandPatches, PatchesSimplifiedByAreaHoldExactlyTheirPixels) {
  const GeoTransform in_pixels{0.0, 1.0, 0.0, 0.0, 0.0, 1.0};
  SimplifyOptions options;
  options.tolerance = 3.0;
  options.method = SimplifyMethod::kArea;
  const auto shapes = assemble_polygons(simplify_arcs(trace_arcs(patches.labels, exec), options, exec),
                                        patches.count, in_pixels, exec);
  for (std::uint32_t label = 1; label <= patches.count; ++label) {
    ASSERT_EQ(shapes[label].size(), 1U);
    ASSERT_EQ(area(shapes[label]), static_cast<double>(pixels[label])) << label;
  }
  expect_valid_without_overlap(shapes);
}

TEST(RealScores, FieldsOfAnotherModelsOutput) {
  FURROW_NEEDS_SHARED_DATA();
  // Band 4 rises to 0.9 in the parcels and falls to 0 on the roads; band 2 is the edge score, 0.22 to 0.58.
  ExecContext exec;
  const RasterReader reader(test::shared("data/parcels_us/model_estimates_000001.tif").string());
  ScoreBands bands;
  bands.extent = 4;
  bands.boundary = 2;
  bands.scale = 1e-4;
  const ScoreMap scores = read_scores(reader, bands, exec);
  DelineateOptions options;
  options.cut = 0.1;
  options.simplify_px = 0.0;
  const auto result = delineate(scores, options, exec);
  EXPECT_GE(result.fields.features.size(), 3U);
  std::vector<MultiPolygon> shapes;
  double area_ha = 0.0;
  std::int64_t pixels = 0;
  for (const auto& field : result.fields.features) {
    shapes.push_back(field.geometry);
    area_ha += as_real(field.values[result.fields.field("area_ha")]);
    pixels += as_integer(field.values[result.fields.field("n_pixels")]);
  }
  expect_valid_without_overlap(shapes);
  EXPECT_EQ(pixels,
            result.report.field_pixels - result.report.rejected_pixels + result.report.holes_filled_pixels);
  // UTM pixels of 100 m2; the scale on the ground is within 0.1 % here.
  EXPECT_NEAR(area_ha / (static_cast<double>(pixels) * 0.01), 1.0, 0.001);
}

}  // namespace
}  // namespace furrow::geo
