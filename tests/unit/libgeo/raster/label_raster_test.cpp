#include <furrow/geo/raster/label_raster.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/vector/geos.h>

#include "support.h"

namespace furrow::geo {
namespace {

/// Rows of squares, some apart, some touching.
std::vector<MultiPolygon> squares(const Grid& grid, double side) {
  std::vector<MultiPolygon> list;
  const Box box = grid.bounds();
  for (double y = box.min_y; y < box.max_y; y += side) {
    for (double x = box.min_x + 0.3 * side; x < box.max_x; x += 1.25 * side) {
      list.push_back({to_polygon(Box{x, y, x + side, y + side})});
    }
  }
  return list;
}

TEST(WindowRasterizer, EveryWindowEqualsThatPartOfTheWhole) {
  Random random(31);
  const Crs utm = Crs::from_user_input("EPSG:32632");
  const std::vector<Grid> grids{test::utm_grid(60, 45),
                                {60, 45, {500000.0, 10.0, 0.0, 6000000.0, 0.0, 10.0}, utm},
                                {60, 45, {500000.0, 8.0, 6.0, 6000000.0, 6.0, -8.0}, utm},
                                {60, 45, {10.0, 2e-4, 0.0, 55.0, 0.0, -1e-4}, lonlat_crs()}};
  for (const Grid& grid : grids) {
    const auto polygons = squares(grid, 7.3 * grid.transform.pixel_width());
    BoundaryOptions boundary;
    boundary.width_m = 1.7 * grid.pixel_size_m().x;
    const WindowRasterizer fields(polygons, grid, boundary);
    const auto labels = rasterize_labels(polygons, grid, boundary);
    const auto extent = rasterize_extent(polygons, grid);
    const auto instances = rasterize_instances(polygons, grid);
    for (int trial = 0; trial < 20; ++trial) {
      const Window w{static_cast<std::int64_t>(random.below(50)), static_cast<std::int64_t>(random.below(35)),
                     1 + static_cast<std::int64_t>(random.below(10)),
                     1 + static_cast<std::int64_t>(random.below(10))};
      const auto part = fields.labels(w);
      const auto part_extent = fields.extent(w);
      const auto part_instances = fields.instances(w);
      for (std::int64_t row = 0; row < w.height; ++row) {
        for (std::int64_t col = 0; col < w.width; ++col) {
          ASSERT_EQ(part.at(col, row), labels.at(w.col + col, w.row + row));
          ASSERT_EQ(part_extent.at(col, row), extent.at(w.col + col, w.row + row));
          ASSERT_EQ(part_instances.at(col, row), instances.at(w.col + col, w.row + row));
        }
      }
    }
  }
}

TEST(LabelRaster, StripsMakeTheWholeWhateverTheMemory) {
  const test::TemporaryFolder folder;
  const Grid grid = test::utm_grid(400, 1300);
  const auto polygons = squares(grid, 130.0);
  // So little memory that only one block of rows is made at a time.
  ExecContext small({.threads = 2, .memory_bytes = std::size_t{1} << 20});
  LabelRasterReport report;
  small.execute(
      [&] { report = write_label_raster(folder / "labels.tif", polygons, grid, {}, false, small); });
  const RasterReader reader((folder / "labels.tif").string());
  const auto whole = rasterize_labels(polygons, grid);
  EXPECT_EQ(reader.read<std::uint8_t>(grid.window()).data(), whole.data());
  EXPECT_TRUE(reader.grid().same_as(grid));
  EXPECT_FALSE(reader.band(0).nodata.has_value());
  EXPECT_EQ(reader.metadata("CLASS_NAMES"), "0:background;1:interior;2:boundary");
  EXPECT_EQ(report.interior_px, std::ranges::count(whole.data(), kInterior));
  EXPECT_EQ(report.boundary_px, std::ranges::count(whole.data(), kBoundary));
  EXPECT_EQ(report.background_px + report.interior_px + report.boundary_px, grid.window().pixels());
}

TEST(LabelRaster, SameBytesForAnyNumberOfThreads) {
  const test::TemporaryFolder folder;
  const Grid grid = test::utm_grid(1400, 1300);
  for (const int threads : {1, 4}) {
    ExecContext exec({.threads = threads, .memory_bytes = 0});
    exec.execute([&] {
      (void)write_label_raster(folder / std::to_string(threads), squares(grid, 130.0), grid, {}, false, exec);
    });
  }
  EXPECT_EQ(test::bytes_of(folder / "1"), test::bytes_of(folder / "4"));
}

TEST(LabelRaster, InstancesKeepTheirNumbersInEveryStrip) {
  const test::TemporaryFolder folder;
  const Grid grid = test::utm_grid(30, 1100);
  const auto polygons = squares(grid, 90.0);
  ExecContext exec({.threads = 2, .memory_bytes = std::size_t{1} << 20});
  LabelRasterOptions options;
  options.kind = LabelKind::kInstances;
  (void)write_label_raster(folder / "instances.tif", polygons, grid, options, false, exec);
  const RasterReader reader((folder / "instances.tif").string());
  EXPECT_STREQ(pixel_type_name(reader.band(0).type), "uint32");
  EXPECT_EQ(reader.band(0).nodata, 0.0);
  EXPECT_EQ(reader.read<std::uint32_t>(grid.window()).data(), rasterize_instances(polygons, grid).data());
}

TEST(LabelRaster, PixelsOutsideTheKnownAreaAreIgnored) {
  const test::TemporaryFolder folder;
  const Grid grid = test::utm_grid(6, 1);
  ExecContext exec;
  LabelRasterOptions options;
  options.kind = LabelKind::kExtent;
  options.known_area = std::vector<MultiPolygon>{
      from_wkt("POLYGON((500010 5999990, 500040 5999990, 500040 6000000, 500010 6000000, 500010 5999990))")};
  const std::vector<MultiPolygon> fields{
      from_wkt("POLYGON((500020 5999900, 500060 5999900, 500060 6000100, 500020 6000100, 500020 5999900))")};
  const auto report = write_label_raster(folder / "extent.tif", fields, grid, options, false, exec);
  const RasterReader reader((folder / "extent.tif").string());
  EXPECT_EQ(test::picture(reader.read<std::uint8_t>(grid.window())), "#.11##\n");
  EXPECT_EQ(reader.band(0).nodata, 255.0);
  EXPECT_EQ(report.ignored_px, 3);
  options.kind = LabelKind::kInstances;
  EXPECT_THROW((void)write_label_raster(folder / "x.tif", fields, grid, options, false, exec),
               InvalidArgument);
}

TEST(LabelRaster, ExistingFileNeedsOverwrite) {
  const test::TemporaryFolder folder;
  ExecContext exec;
  (void)write_label_raster(folder / "a.tif", {}, test::utm_grid(3, 3), {}, false, exec);
  EXPECT_THROW((void)write_label_raster(folder / "a.tif", {}, test::utm_grid(3, 3), {}, false, exec),
               IoError);
  EXPECT_NO_THROW((void)write_label_raster(folder / "a.tif", {}, test::utm_grid(3, 3), {}, true, exec));
}

TEST(LabelRaster, WideGridsAreCutIntoBlocksToo) {
  const test::TemporaryFolder folder;
  const std::vector<MultiPolygon> polygons{
      from_wkt("POLYGON((505000 5999000, 530000 5999950, 518000 5999990, 505000 5999000))")};
  ExecContext small({.threads = 2, .memory_bytes = std::size_t{1} << 20});  // less than one block of rows
  for (const Grid& grid : {test::utm_grid(3000, 30), test::utm_grid(3000, 1), test::utm_grid(1, 1500)}) {
    const auto report = write_label_raster(folder / "labels.tif", polygons, grid, {}, true, small);
    const RasterReader reader((folder / "labels.tif").string());
    const auto whole = rasterize_labels(polygons, grid);
    EXPECT_EQ(reader.read<std::uint8_t>(grid.window()).data(), whole.data());
    EXPECT_EQ(report.interior_px, std::ranges::count(whole.data(), kInterior));
  }
}

TEST(LabelRaster, AGridTooNarrowForItsLengthIsRefused) {
  const test::TemporaryFolder folder;
  ExecContext exec;
  EXPECT_THROW(
      (void)write_label_raster(folder / "a.tif", {}, test::utm_grid(2'000'000'000, 1), {}, false, exec),
      IoError);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace furrow::geo
