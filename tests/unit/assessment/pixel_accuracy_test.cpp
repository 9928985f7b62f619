#include <furrow/assessment/pixel_accuracy.h>

#include <cmath>

#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/raster/writer.h>

#include "support.h"

namespace furrow::assessment {
namespace {

std::vector<geo::MultiPolygon> random_fields(const geo::Grid& grid, int n, std::uint64_t seed) {
  geo::Random random(seed);
  std::vector<geo::MultiPolygon> fields;
  const geo::Box box = grid.bounds();
  for (int i = 0; i < n; ++i) {
    const double x = random.uniform(box.min_x, box.max_x);
    const double y = random.uniform(box.min_y, box.max_y);
    fields.push_back(
        {geo::to_polygon(geo::Box{x, y, x + random.uniform(20, 400), y + random.uniform(20, 400)})});
  }
  return fields;
}

TEST(PixelAccuracy, CountsByHand) {
  const geo::Grid grid = test::utm_grid(10, 10);
  // 4 x 4 pixels against the same moved by one column; no boundary class.
  const std::vector<geo::MultiPolygon> a{{geo::to_polygon(geo::Box{500000, 5999960, 500040, 6000000})}};
  const std::vector<geo::MultiPolygon> b{{geo::to_polygon(geo::Box{500010, 5999960, 500050, 6000000})}};
  geo::ExecContext exec;
  const geo::BoundaryOptions no_boundary{0.0, {}};
  const auto r = assess_pixels(polygon_source(a, grid, no_boundary), polygon_source(b, grid, no_boundary),
                               grid, std::nullopt, nullptr, exec);
  EXPECT_EQ(r.pixels, 100);
  EXPECT_EQ(r.extent.true_positive, 12);
  EXPECT_EQ(r.extent.false_positive, 4);
  EXPECT_EQ(r.extent.false_negative, 4);
  EXPECT_DOUBLE_EQ(r.extent.iou(), 12.0 / 20.0);
  EXPECT_DOUBLE_EQ(r.extent.f1(), 24.0 / 32.0);
  EXPECT_DOUBLE_EQ(r.overall_accuracy(), 0.92);
}

TEST(PixelAccuracy, OnlyTheRegionCounts) {
  const geo::Grid grid = test::utm_grid(10, 10);
  const std::vector<geo::MultiPolygon> a{{geo::to_polygon(geo::Box{500000, 5999900, 500100, 6000000})}};
  geo::ExecContext exec;
  const geo::MultiPolygon region{geo::to_polygon(geo::Box{500000, 5999900, 500030, 6000000})};
  const auto source = polygon_source(a, grid);
  EXPECT_EQ(assess_pixels(source, source, grid, region, nullptr, exec).pixels, 30);
}

TEST(PixelAccuracy, NodataAndUnknownDoNotCount) {
  const test::TemporaryFolder folder;
  const geo::Grid grid = test::utm_grid(4, 1);
  geo::RasterSpec spec;
  spec.nodata = 0;
  spec.cog = false;
  geo::write_raster(folder / "image.tif", grid, test::draw("0111"), spec, false);
  geo::RasterSpec labels;
  labels.cog = false;
  geo::write_raster(folder / "labels.tif", grid, test::draw("1231"), labels, false);
  const geo::RasterReader image((folder / "image.tif").string());
  const geo::RasterReader map((folder / "labels.tif").string());
  geo::ExecContext exec;
  const auto source = raster_source(map);
  const auto r = assess_pixels(source, source, grid, std::nullopt, &image, exec);
  EXPECT_EQ(r.pixels, 2);
  EXPECT_EQ(r.classes[2].true_positive, 1);
}

TEST(PixelAccuracy, AnUnknownLabelIsAnError) {
  const test::TemporaryFolder folder;
  const geo::Grid grid = test::utm_grid(4, 1);
  geo::RasterSpec spec;
  spec.cog = false;
  geo::write_raster(folder / "labels.tif", grid, test::draw("1271"), spec, false);
  const geo::RasterReader map((folder / "labels.tif").string());
  geo::ExecContext exec;
  const auto source = raster_source(map);
  EXPECT_THROW((void)assess_pixels(source, source, grid, std::nullopt, nullptr, exec), geo::IoError);
}

TEST(PixelAccuracy, DoesNotDependOnTilesOrThreads) {
  // Larger than a tile, so that outlines cross tile borders; the whole rasters are the reference.
  const geo::Grid grid = test::utm_grid(1500, 1100);
  const auto a = random_fields(grid, 300, 1);
  const auto b = random_fields(grid, 300, 2);
  geo::ExecContext one({1, 0});
  const auto tiled =
      assess_pixels(polygon_source(a, grid), polygon_source(b, grid), grid, std::nullopt, nullptr, one);
  const auto la = geo::rasterize_labels(a, grid);
  const auto lb = geo::rasterize_labels(b, grid);
  std::int64_t agreeing = 0;
  for (std::size_t i = 0; i < la.data().size(); ++i) agreeing += la.data()[i] == lb.data()[i] ? 1 : 0;
  EXPECT_EQ(tiled.agreeing, agreeing);
  geo::ExecContext four({4, 0});
  four.execute([&] {
    const auto again =
        assess_pixels(polygon_source(a, grid), polygon_source(b, grid), grid, std::nullopt, nullptr, four);
    EXPECT_EQ(again.agreeing, agreeing);
    EXPECT_EQ(again.extent.true_positive, tiled.extent.true_positive);
  });
}

}  // namespace
}  // namespace furrow::assessment
