#include <furrow/geo/raster/grid.h>

#include <cmath>

#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>

#include "support.h"

namespace furrow::geo {
namespace {

TEST(Window, IntersectionOfWindowsApartIsEmpty) {
  EXPECT_EQ(intersection({0, 0, 4, 4}, {2, 1, 4, 2}), (Window{2, 1, 2, 2}));
  EXPECT_TRUE(intersection({0, 0, 4, 4}, {4, 0, 2, 2}).empty());
  EXPECT_TRUE(intersection({0, 0, 4, 4}, {9, 9, 2, 2}).empty());
  EXPECT_EQ(grow({2, 3, 4, 5}, 2), (Window{0, 1, 8, 9}));
}

TEST(GeoTransform, PixelAndWorldAreInverseAlsoRotated) {
  for (const GeoTransform& t : {GeoTransform{500000.0, 10.0, 0.0, 6000000.0, 0.0, -10.0},
                                GeoTransform{500000.0, 10.0, 0.0, 6000000.0, 0.0, 10.0},
                                GeoTransform{500000.0, 8.0, 6.0, 6000000.0, 6.0, -8.0},
                                GeoTransform{10.0, 1e-4, 0.0, 50.0, 0.0, -2e-4}}) {
    const Point pixel{12.25, 3.75};
    const Point back = t.to_pixel(t.to_world(pixel));
    EXPECT_NEAR(back.x, pixel.x, 1e-6);
    EXPECT_NEAR(back.y, pixel.y, 1e-6);
  }
  const GeoTransform rotated{500000.0, 8.0, 6.0, 6000000.0, 6.0, -8.0};
  EXPECT_FALSE(rotated.is_axis_parallel());
  EXPECT_DOUBLE_EQ(rotated.pixel_width(), 10.0);
  EXPECT_DOUBLE_EQ(rotated.pixel_height(), 10.0);
  EXPECT_EQ(rotated.to_world({1.0, 2.0}), (Point{500020.0, 5999990.0}));
  EXPECT_THROW((void)(GeoTransform{0.0, 1.0, 2.0, 0.0, 2.0, 4.0}.to_pixel({1.0, 1.0})), InvalidArgument);
}

TEST(Grid, BoundsOfNorthUpSouthUpAndRotated) {
  EXPECT_EQ(test::utm_grid(4, 3).bounds(), (Box{500000.0, 5999970.0, 500040.0, 6000000.0}));
  EXPECT_EQ(test::utm_grid(4, 3).bounds({1, 1, 2, 1}), (Box{500010.0, 5999980.0, 500030.0, 5999990.0}));
  const Grid south_up{4, 3, {500000.0, 10.0, 0.0, 6000000.0, 0.0, 10.0}, test::utm()};
  EXPECT_EQ(south_up.bounds(), (Box{500000.0, 6000000.0, 500040.0, 6000030.0}));
  const Grid rotated{2, 2, {0.0, 8.0, 6.0, 0.0, 6.0, -8.0}, test::utm()};
  EXPECT_EQ(rotated.bounds(), (Box{0.0, -16.0, 28.0, 12.0}));
}

TEST(Grid, SubgridLiesWhereTheWindowLies) {
  for (const Grid& grid :
       {test::utm_grid(20, 20), Grid{20, 20, {0.0, 8.0, 6.0, 0.0, 6.0, -8.0}, test::utm()}}) {
    const Window window{3, 5, 4, 2};
    const Grid sub = grid.subgrid(window);
    EXPECT_EQ(sub.bounds(), grid.bounds(window));
    EXPECT_EQ(sub.transform.to_world({1.5, 0.5}), grid.transform.to_world({4.5, 5.5}));
    EXPECT_EQ(sub.width, 4);
    EXPECT_EQ(sub.height, 2);
  }
}

TEST(Grid, WindowOfABoxIsTheSmallestThatCoversIt) {
  const Grid grid = test::utm_grid(10, 10);
  EXPECT_EQ(grid.window_of({500010.0, 5999950.0, 500030.0, 5999990.0}), (Window{1, 1, 2, 4}));
  EXPECT_EQ(grid.window_of({500011.0, 5999951.0, 500031.0, 5999989.0}), (Window{1, 1, 3, 4}));
  // Noise of rounding in the box must not pull in a row or a column.
  EXPECT_EQ(grid.window_of({500010.0 - 1e-7, 5999950.0 - 1e-7, 500030.0 + 1e-7, 5999990.0 + 1e-7}),
            (Window{1, 1, 2, 4}));
  // Clipped to the grid; empty when apart.
  EXPECT_EQ(grid.window_of({0.0, 0.0, 1e7, 1e7}), grid.window());
  EXPECT_TRUE(grid.window_of({0.0, 0.0, 10.0, 10.0}).empty());
  EXPECT_TRUE(grid.window_of(Box{}).empty());
}

TEST(Grid, WindowOfABoxWorksSouthUpAndRotated) {
  const Grid south_up{10, 10, {500000.0, 10.0, 0.0, 6000000.0, 0.0, 10.0}, test::utm()};
  EXPECT_EQ(south_up.window_of({500010.0, 6000020.0, 500030.0, 6000050.0}), (Window{1, 2, 2, 3}));
  const Grid rotated{40, 40, {0.0, 8.0, 6.0, 0.0, 6.0, -8.0}, test::utm()};
  const Box box{120.0, 0.0, 150.0, 20.0};
  const Window window = rotated.window_of(box);
  for (const double x : {box.min_x, box.max_x}) {
    for (const double y : {box.min_y, box.max_y}) {
      const Point p = rotated.transform.to_pixel({x, y});
      EXPECT_GE(p.x, static_cast<double>(window.col));
      EXPECT_LE(p.x, static_cast<double>(window.end_col()));
      EXPECT_GE(p.y, static_cast<double>(window.row));
      EXPECT_LE(p.y, static_cast<double>(window.end_row()));
    }
  }
}

TEST(Grid, PixelSizeInMetresFollowsTheCrs) {
  const Point metres = test::utm_grid(10, 10, 5.0).pixel_size_m();
  EXPECT_DOUBLE_EQ(metres.x, 5.0);
  EXPECT_DOUBLE_EQ(metres.y, 5.0);
  // US survey feet.
  const Grid feet{10, 10, {500000.0, 10.0, 0.0, 200000.0, 0.0, -10.0}, Crs::from_user_input("EPSG:2263")};
  EXPECT_NEAR(feet.pixel_size_m().x, 3.048006, 1e-6);
  // One thousandth of a degree at the equator on WGS 84: 111.319 m and 110.574 m.
  const Grid degrees{2, 2, {0.0, 0.001, 0.0, 0.001, 0.0, -0.001}, lonlat_crs()};
  EXPECT_NEAR(degrees.pixel_size_m().x, 111.319, 0.001);
  EXPECT_NEAR(degrees.pixel_size_m().y, 110.574, 0.001);
  Grid nowhere = degrees;
  nowhere.crs = {};
  EXPECT_THROW((void)nowhere.pixel_size_m(), CrsError);
}

TEST(Grid, SameAsToleratesNoiseButNotAShift) {
  const Grid grid = test::utm_grid(100, 100);
  Grid other = grid;
  other.transform.x0 += 1e-6;
  EXPECT_TRUE(grid.same_as(other));
  other.transform.x0 = grid.transform.x0 + 1.0;
  EXPECT_FALSE(grid.same_as(other));
  other = grid;
  other.transform.dx *= 1.01;
  EXPECT_FALSE(grid.same_as(other));
  other = grid;
  other.crs = Crs::from_user_input("EPSG:32633");
  EXPECT_FALSE(grid.same_as(other));
  other = grid;
  other.width = 99;
  EXPECT_FALSE(grid.same_as(other));
}

TEST(MakeTiles, CoresCoverTheGridOnceAndHalosStayInside) {
  const Grid grid = test::utm_grid(10, 7);
  const auto tiles = make_tiles(grid, 4, 2);
  ASSERT_EQ(tiles.size(), 6U);
  EXPECT_EQ(tiles[1].core, (Window{4, 0, 4, 4}));
  EXPECT_EQ(tiles[1].halo, (Window{2, 0, 8, 6}));
  EXPECT_EQ(tiles[5].core, (Window{8, 4, 2, 3}));
  EXPECT_EQ(tiles[5].halo, (Window{6, 2, 4, 5}));
  std::int64_t pixels = 0;
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    EXPECT_EQ(tiles[i].index, static_cast<std::int64_t>(i));
    pixels += tiles[i].core.pixels();
  }
  EXPECT_EQ(pixels, 70);
  EXPECT_THROW((void)make_tiles(grid, 0, 0), InvalidArgument);
  EXPECT_THROW((void)make_tiles(grid, 4, -1), InvalidArgument);
}

}  // namespace
}  // namespace furrow::geo
