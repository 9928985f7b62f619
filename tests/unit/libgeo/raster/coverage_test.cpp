#include <furrow/geo/raster/coverage.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/raster/raster.h>
#include <furrow/geo/vector/geos.h>

#include "random_shapes.h"
#include "support.h"

namespace furrow::geo {
namespace {

/// Pixel (col, row) is the square from (col, row) to (col + 1, row + 1).
Raster<double> shares(const std::vector<CoveredRun>& runs, const Grid& grid) {
  Raster<double> raster(grid.width, grid.height);
  for (const CoveredRun& run : runs) {
    for (std::int64_t col = run.col; col < run.end_col; ++col) raster.at(col, run.row) += run.share;
  }
  return raster;
}

/// The slow reference: GEOS' intersection of the polygon with every pixel.
Raster<double> shares_by_geos(const MultiPolygon& shape, const Grid& grid) {
  Raster<double> raster(grid.width, grid.height);
  for (std::int64_t row = 0; row < grid.height; ++row) {
    for (std::int64_t col = 0; col < grid.width; ++col) {
      Polygon pixel;
      for (const auto& [x, y] : {std::pair{0, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 0}}) {
        pixel.shell.push_back(
            grid.transform.to_world({static_cast<double>(col + x), static_cast<double>(row + y)}));
      }
      raster.at(col, row) = intersection_area(shape, {pixel}) / area(pixel);
    }
  }
  return raster;
}

void expect_as_geos(const MultiPolygon& shape, const Grid& grid) {
  const auto fast = shares(covered_runs(shape, grid), grid);
  const auto slow = shares_by_geos(shape, grid);
  for (std::size_t i = 0; i < fast.data().size(); ++i) {
    ASSERT_NEAR(fast.data()[i], slow.data()[i], 1e-9)
        << "pixel " << i << " of " << grid.width << " columns, shape " << to_wkt(shape);
  }
}

TEST(Coverage, ByHand) {
  // A rectangle from (0.5, 0.25) to (3, 2): half a pixel off on the left, a quarter at the top.
  EXPECT_THAT(
      covered_runs(from_wkt("POLYGON ((0.5 0.25, 3 0.25, 3 2, 0.5 2, 0.5 0.25))"), test::pixel_grid(5, 4)),
      ::testing::ElementsAre(CoveredRun{0, 0, 1, 0.375}, CoveredRun{0, 1, 3, 0.75}, CoveredRun{1, 0, 1, 0.5},
                             CoveredRun{1, 1, 3, 1.0}));
  // A triangle that halves the pixels of its diagonal.
  EXPECT_THAT(
      covered_runs(from_wkt("POLYGON ((0 0, 2 2, 0 2, 0 0))"), test::pixel_grid(2, 2)),
      ::testing::ElementsAre(CoveredRun{0, 0, 1, 0.5}, CoveredRun{1, 0, 1, 1.0}, CoveredRun{1, 1, 2, 0.5}));
}

TEST(Coverage, AShapeInsideOnePixel) {
  EXPECT_THAT(covered_runs(from_wkt("POLYGON ((1.2 1.2, 1.4 1.2, 1.4 1.7, 1.2 1.7, 1.2 1.2))"),
                           test::pixel_grid(3, 3)),
              ::testing::ElementsAre(::testing::AllOf(
                  ::testing::Field(&CoveredRun::row, 1), ::testing::Field(&CoveredRun::col, 1),
                  ::testing::Field(&CoveredRun::share, ::testing::DoubleNear(0.1, 1e-12)))));
}

TEST(Coverage, TheWholeGridAndNothing) {
  const Grid grid = test::pixel_grid(7, 3);
  const auto all = covered_runs(from_wkt("POLYGON ((-9 -9, 90 -9, 90 9, -9 9, -9 -9))"), grid);
  ASSERT_EQ(all.size(), 3U);
  for (const auto& run : all) EXPECT_EQ(run, (CoveredRun{run.row, 0, 7, 1.0}));
  for (const char* outside :
       {"POLYGON ((-9 0, -1 0, -1 3, -9 3, -9 0))", "POLYGON ((7 0, 9 0, 9 3, 7 3, 7 0))",
        "POLYGON ((0 -5, 7 -5, 7 0, 0 0, 0 -5))", "POLYGON ((0 3, 7 3, 7 9, 0 9, 0 3))"}) {
    EXPECT_TRUE(covered_runs(from_wkt(outside), grid).empty()) << outside;
  }
  EXPECT_TRUE(covered_runs({}, grid).empty());
}

TEST(Coverage, EqualsTheIntersectionWithEveryPixel) {
  Random random(7, 1);
  const Crs crs = Crs::from_user_input("EPSG:32632");
  const std::vector<Grid> grids{
      {12, 9, {500000.0, 10.0, 0.0, 6000000.0, 0.0, -10.0}, crs},  // north-up
      {12, 9, {500000.0, 10.0, 0.0, 6000000.0, 0.0, 10.0}, crs},   // south-up
      {12, 9, {500000.0, 7.0, 0.0, 6000000.0, 0.0, -13.0}, crs},   // not square
      {12, 9, {500000.0, 8.0, 6.0, 6000000.0, 5.0, -9.0}, crs},    // rotated and sheared
  };
  for (const Grid& grid : grids) {
    for (int i = 0; i < 12; ++i) {
      // Shapes may overlap: united they are multi-polygons with holes, reaching over the border.
      const auto shapes = test::random_shapes(random, grid);
      std::vector<MultiPolygon> valid;
      for (const auto& shape : shapes) valid.push_back(make_valid(shape));
      expect_as_geos(union_all(valid), grid);
      for (const auto& shape : valid) expect_as_geos(shape, grid);
    }
  }
}

TEST(Coverage, VerticesOnPixelBordersAndCorners) {
  Random random(8, 1);
  const Grid grid = test::utm_grid(10, 10);
  for (int i = 0; i < 40; ++i) {
    auto shapes = test::random_shapes(random, grid);
    test::snap_to_pixels(shapes, grid, 0.5);
    for (const auto& shape : shapes) expect_as_geos(make_valid(shape), grid);
  }
}

TEST(Coverage, NeighboursShareEveryPixelOut) {
  // Two triangles of a square: every pixel's shares add up to 1.
  const Grid grid = test::pixel_grid(30, 30);
  auto sum = shares(covered_runs(from_wkt("POLYGON ((0 0, 30 0, 11.3 30, 0 30, 0 0))"), grid), grid);
  const auto other = shares(covered_runs(from_wkt("POLYGON ((30 0, 30 30, 11.3 30, 30 0))"), grid), grid);
  for (std::size_t i = 0; i < sum.data().size(); ++i)
    ASSERT_NEAR(sum.data()[i] + other.data()[i], 1.0, 1e-12);
}

TEST(Coverage, DoesNotDependOnTheOrientationOfRings) {
  const Grid grid = test::pixel_grid(10, 10);
  MultiPolygon shape = from_wkt("POLYGON ((1 1, 9 2, 8 9, 2 8, 1 1), (4 4, 6 4, 6 6, 4 6, 4 4))");
  const auto before = covered_runs(shape, grid);
  std::ranges::reverse(shape[0].shell);
  EXPECT_EQ(covered_runs(shape, grid), before);
  std::ranges::reverse(shape[0].holes[0]);
  EXPECT_EQ(covered_runs(shape, grid), before);
}

TEST(Coverage, AreaIsKeptOnALargeGridAndInItsWindows) {
  const Grid grid = test::utm_grid(100000, 100000);
  Random random(9, 1);
  const MultiPolygon shape =
      test::star(random, grid.transform.to_world({90000.3, 91000.7}), 9000.0 * 10.0, 400);
  double sum = 0.0;
  const auto runs = covered_runs(shape, grid);
  for (const auto& run : runs) sum += run.share * static_cast<double>(run.pixels());
  EXPECT_NEAR(sum, area(shape) / 100.0, 1e-9 * sum);
  // The work grows with the outline: far fewer runs than pixels inside.
  EXPECT_LT(static_cast<double>(runs.size()), 0.05 * sum);

  const Window window{88000, 89000, 700, 500};
  const auto in_window = shares(covered_runs(shape, grid.subgrid(window)), grid.subgrid(window));
  Raster<double> part(window.width, window.height);
  for (const auto& run : runs) {
    for (std::int64_t col = std::max(run.col, window.col); col < std::min(run.end_col, window.end_col());
         ++col) {
      if (run.row >= window.row && run.row < window.end_row())
        part.at(col - window.col, run.row - window.row) = run.share;
    }
  }
  for (std::size_t i = 0; i < part.data().size(); ++i) ASSERT_NEAR(in_window.data()[i], part.data()[i], 1e-9);
}

TEST(Coverage, OverlappingPartsCountOnce) {
  const auto runs =
      covered_runs(from_wkt("MULTIPOLYGON (((0 0, 2 0, 2 1, 0 1, 0 0)), ((1 0, 3 0, 3 1, 1 1, 1 0)))"),
                   test::pixel_grid(4, 1));
  EXPECT_THAT(runs, ::testing::ElementsAre(CoveredRun{0, 0, 3, 1.0}));
}

TEST(Coverage, RefusesWhatIsNotFinite) {
  MultiPolygon shape = from_wkt("POLYGON ((0 0, 2 0, 2 1, 0 1, 0 0))");
  shape[0].shell[1].x = std::nan("");
  EXPECT_THROW((void)covered_runs(shape, test::pixel_grid(4, 4)), GeometryError);
}

}  // namespace
}  // namespace furrow::geo
