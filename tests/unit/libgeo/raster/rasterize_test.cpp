#include <furrow/geo/raster/rasterize.h>

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/vector/geos.h>

#include "random_shapes.h"
#include "support.h"

namespace furrow::geo {
namespace {

using test::draw;
using test::picture;
using test::random_shapes;

/// One unit is one pixel and rows run down, so that WKT reads like the picture.
// The slow reference: point in polygon for every pixel, distance to every outline for every pixel.
std::uint32_t slow_instance(const std::vector<MultiPolygon>& polygons, const Grid& grid, std::int64_t col,
                            std::int64_t row) {
  const Point centre =
      grid.transform.to_world({static_cast<double>(col) + 0.5, static_cast<double>(row) + 0.5});
  std::uint32_t found = 0;
  for (std::size_t i = 0; i < polygons.size(); ++i) {
    if (contains(polygons[i], centre)) found = static_cast<std::uint32_t>(i + 1);
  }
  return found;
}

double slow_distance(const std::vector<MultiPolygon>& polygons, const Grid& grid, Point scale,
                     std::int64_t col, std::int64_t row) {
  const Point c{(static_cast<double>(col) + 0.5) * scale.x, (static_cast<double>(row) + 0.5) * scale.y};
  double best = std::numeric_limits<double>::infinity();
  const auto ring_distance = [&](const Ring& ring) {
    for (std::size_t i = 0; i + 1 < ring.size(); ++i) {
      Point a = grid.transform.to_pixel(ring[i]);
      Point b = grid.transform.to_pixel(ring[i + 1]);
      a = {a.x * scale.x, a.y * scale.y};
      b = {b.x * scale.x, b.y * scale.y};
      const double length2 = (b.x - a.x) * (b.x - a.x) + (b.y - a.y) * (b.y - a.y);
      const double t =
          std::clamp(((c.x - a.x) * (b.x - a.x) + (c.y - a.y) * (b.y - a.y)) / length2, 0.0, 1.0);
      best = std::min(best, std::hypot(a.x + t * (b.x - a.x) - c.x, a.y + t * (b.y - a.y) - c.y));
    }
  };
  for (const auto& shape : polygons) {
    for (const auto& polygon : shape) {
      ring_distance(polygon.shell);
      for (const auto& hole : polygon.holes) ring_distance(hole);
    }
  }
  return best;
}

std::uint8_t slow_label(const std::vector<MultiPolygon>& polygons, const Grid& grid, Point scale, double half,
                        std::int64_t col, std::int64_t row) {
  if (slow_distance(polygons, grid, scale, col, row) <= half) return kBoundary;
  const std::uint32_t own = slow_instance(polygons, grid, col, row);
  if (own == 0) return kBackground;
  for (std::int64_t r = row - 1; r <= row + 1; ++r) {
    for (std::int64_t c = col - 1; c <= col + 1; ++c) {
      const std::uint32_t other = slow_instance(polygons, grid, c, r);
      if (other != 0 && other < own && slow_distance(polygons, grid, scale, c, r) > half) return kBoundary;
    }
  }
  return kInterior;
}

Raster<std::uint8_t> slow_labels(const std::vector<MultiPolygon>& polygons, const Grid& grid, Point scale,
                                 double half) {
  Raster<std::uint8_t> out(grid.width, grid.height);
  for (std::int64_t row = 0; row < grid.height; ++row) {
    for (std::int64_t col = 0; col < grid.width; ++col) {
      out.at(col, row) = slow_label(polygons, grid, scale, half, col, row);
    }
  }
  return out;
}

std::vector<Grid> grids_of_all_kinds() {
  const Crs utm = Crs::from_user_input("EPSG:32632");
  return {
      {31, 23, {500000.0, 10.0, 0.0, 6000000.0, 0.0, -10.0}, utm},                         // north-up
      {31, 23, {500000.0, 10.0, 0.0, 6000000.0, 0.0, 10.0}, utm},                          // south-up
      {17, 40, {500000.0, 8.0, 6.0, 6000000.0, 6.0, -8.0}, utm},                           // rotated
      {12, 9, {-3.0, 5.4e-5, 0.0, 7.5, 0.0, -3.1e-5}, Crs::from_user_input("EPSG:4326")},  // oblong pixels
      {1, 1, {500000.0, 10.0, 0.0, 6000000.0, 0.0, -10.0}, utm},
      {50, 1, {500000.0, 10.0, 0.0, 6000000.0, 0.0, -10.0}, utm},
      {2, 150, {500000.0, -10.0, 0.0, 6000000.0, 0.0, -10.0}, utm}};  // mirrored, several strips
}

TEST(Rasterize, FillsByPixelCentre) {
  const auto extent = rasterize_extent(
      test::shapes({"POLYGON((1.4 1.6, 4.6 1.6, 4.6 3.4, 1.4 3.4, 1.4 1.6))"}), test::pixel_grid(6, 5));
  EXPECT_EQ(picture(extent), "......\n......\n.1111.\n......\n......\n");
}

TEST(Rasterize, HoleIsOutsideAndPartsAddUp) {
  const auto extent =
      rasterize_extent(test::shapes({"MULTIPOLYGON(((0 0, 5 0, 5 5, 0 5, 0 0),(1 1, 4 1, 4 4, 1 4, "
                                     "1 1)),((2 2, 3 2, 3 3, 2 3, 2 2)))"}),
                       test::pixel_grid(6, 6));
  EXPECT_EQ(picture(extent), "11111.\n1...1.\n1.1.1.\n1...1.\n11111.\n......\n");
}

TEST(Rasterize, CentreOnOutlineGoesToThePolygonOnItsLeftAndBelow) {
  // Both shared edges run exactly through pixel centres.
  const auto columns = rasterize_instances(
      test::shapes({"POLYGON((0 0, 2.5 0, 2.5 3, 0 3, 0 0))", "POLYGON((2.5 0, 5 0, 5 3, 2.5 3, 2.5 0))"}),
      test::pixel_grid(5, 1));
  EXPECT_THAT(columns.data(), testing::ElementsAre(1, 1, 1, 2, 2));
  const auto rows = rasterize_instances(
      test::shapes({"POLYGON((0 0, 3 0, 3 2.5, 0 2.5, 0 0))", "POLYGON((0 2.5, 3 2.5, 3 5, 0 5, 0 2.5))"}),
      test::pixel_grid(1, 5));
  EXPECT_THAT(rows.data(), testing::ElementsAre(1, 1, 2, 2, 2));
}

TEST(Rasterize, PolygonsThatShareAnyEdgeNeverBothTakeOrBothMissAPixel) {
  Random random(7);
  for (int trial = 0; trial < 50; ++trial) {
    // A fan of triangles round a point; vertices on a half-pixel lattice, so that ties are common.
    const auto lattice = [&] { return 0.5 * static_cast<double>(random.below(41)); };
    const Point middle{lattice(), lattice()};
    const std::vector<Point> corners{{0, 0},   {lattice(), 0},  {20, 0}, {20, lattice()},
                                     {20, 20}, {lattice(), 20}, {0, 20}};
    Raster<int> hits(20, 20);
    for (std::size_t i = 0; i < corners.size(); ++i) {
      const Point next = corners[(i + 1) % corners.size()];
      const std::vector<MultiPolygon> one{{{{corners[i], next, middle, corners[i]}, {}}}};
      const auto extent = rasterize_extent(one, test::pixel_grid(20, 20));
      for (std::size_t k = 0; k < hits.data().size(); ++k) hits.data()[k] += extent.data()[k];
    }
    EXPECT_THAT(hits.data(), testing::Each(1)) << "trial " << trial;
  }
}

TEST(Rasterize, LaterPolygonWinsWhereTheyOverlap) {
  const auto instances = rasterize_instances(
      test::shapes({"POLYGON((0 0, 3 0, 3 1, 0 1, 0 0))", "POLYGON((2 0, 4 0, 4 1, 2 1, 2 0))"}),
      test::pixel_grid(5, 1));
  EXPECT_THAT(instances.data(), testing::ElementsAre(1, 1, 2, 2, 0));
}

TEST(Rasterize, BoundaryIsHalfItsWidthOnEachSide) {
  const auto labels = rasterize_labels(test::shapes({"POLYGON((3 3, 9 3, 9 9, 3 9, 3 3))"}),
                                       test::pixel_grid(12, 12), {.width_px = 2.0});
  EXPECT_EQ(picture(labels),
            "............\n"
            "............\n"
            "..22222222..\n"
            "..22222222..\n"
            "..22111122..\n"
            "..22111122..\n"
            "..22111122..\n"
            "..22111122..\n"
            "..22222222..\n"
            "..22222222..\n"
            "............\n"
            "............\n");
}

TEST(Rasterize, DistanceTiesCount) {
  // The outline runs through centres: half a width of exactly 1 pixel reaches the next centres on both sides.
  const auto labels = rasterize_labels(test::shapes({"POLYGON((4.5 -9, 20 -9, 20 9, 4.5 9, 4.5 -9))"}),
                                       test::pixel_grid(9, 1), {.width_px = 2.0});
  EXPECT_EQ(picture(labels), "...222111\n");
}

TEST(Rasterize, WidthInMetresIsAsWideOnTheGroundBothWays) {
  // Pixels of 10 m x 5 m: 20 m in total are one pixel to each side in x and two in y.
  Grid grid = test::pixel_grid(12, 16);
  grid.transform.dx = 10.0;
  grid.transform.dy = 5.0;
  const auto labels = rasterize_labels(test::shapes({"POLYGON((30 20, 90 20, 90 60, 30 60, 30 20))"}), grid,
                                       {.width_m = 20.0});
  const auto column = [&](std::int64_t col) {
    std::string text;
    for (std::int64_t row = 0; row < 16; ++row) text += static_cast<char>('0' + labels.at(col, row));
    return text;
  };
  EXPECT_EQ(column(6), "0022221111222200");
  std::string line;
  for (std::int64_t col = 0; col < 12; ++col) line += static_cast<char>('0' + labels.at(col, 8));
  EXPECT_EQ(line, "002211112200");
}

TEST(Rasterize, TouchingFieldsKeepABoundaryPixelHoweverSmallTheWidth) {
  const auto wkts =
      std::vector<std::string>{"POLYGON((0 0, 3 0, 3 6, 0 6, 0 0))", "POLYGON((3 0, 6 0, 6 6, 3 6, 3 0))"};
  const auto labels = rasterize_labels(test::shapes(wkts), test::pixel_grid(6, 2), {.width_px = 0.01});
  EXPECT_EQ(picture(labels), "111211\n111211\n");
  // Fields that meet only at a corner are separated too.
  const auto corner = rasterize_labels(
      test::shapes({"POLYGON((0 0, 2 0, 2 2, 0 2, 0 0))", "POLYGON((2 2, 4 2, 4 4, 2 4, 2 2))"}),
      test::pixel_grid(4, 4), {.width_px = 0.01});
  EXPECT_EQ(picture(corner), "11..\n11..\n..21\n..11\n");
}

TEST(Rasterize, WidthZeroHasNoBoundaryClass) {
  const auto wkts =
      std::vector<std::string>{"POLYGON((0 0, 3 0, 3 6, 0 6, 0 0))", "POLYGON((3 0, 6 0, 6 6, 3 6, 3 0))"};
  EXPECT_THAT(rasterize_labels(test::shapes(wkts), test::pixel_grid(6, 2), {.width_px = 0.0}).data(),
              testing::Each(1));
}

TEST(Rasterize, NoTwoFieldsTouchInRandomLabels) {
  Random random(11);
  for (int trial = 0; trial < 40; ++trial) {
    const Grid grid = test::utm_grid(40, 30);
    const auto polygons = random_shapes(random, grid);
    const auto labels = rasterize_labels(polygons, grid, {.width_px = random.uniform(0.001, 1.0)});
    const auto instances = rasterize_instances(polygons, grid);
    for (std::int64_t row = 0; row + 1 < grid.height; ++row) {
      for (std::int64_t col = 1; col + 1 < grid.width; ++col) {
        for (const auto& [dc, dr] : {std::pair{1, 0}, {0, 1}, {1, 1}, {-1, 1}}) {
          if (labels.at(col, row) == kInterior && labels.at(col + dc, row + dr) == kInterior) {
            EXPECT_EQ(instances.at(col, row), instances.at(col + dc, row + dr));
          }
        }
      }
    }
  }
}

TEST(Rasterize, EqualsTheSlowReferenceOnGridsOfAllKinds) {
  Random random(3);
  for (const Grid& grid : grids_of_all_kinds()) {
    for (int trial = 0; trial < 8; ++trial) {
      const auto polygons = random_shapes(random, grid);
      const auto extent = rasterize_extent(polygons, grid);
      const auto instances = rasterize_instances(polygons, grid);
      for (std::int64_t row = 0; row < grid.height; ++row) {
        for (std::int64_t col = 0; col < grid.width; ++col) {
          const std::uint32_t expected = slow_instance(polygons, grid, col, row);
          ASSERT_EQ(instances.at(col, row), expected) << col << " " << row;
          ASSERT_EQ(extent.at(col, row), expected != 0 ? 1 : 0) << col << " " << row;
        }
      }
      const double width = random.uniform(0.01, 5.0);
      EXPECT_EQ(picture(rasterize_labels(polygons, grid, {.width_px = width})),
                picture(slow_labels(polygons, grid, {1.0, 1.0}, 0.5 * width)));
      const Point size = grid.pixel_size_m();
      EXPECT_EQ(picture(rasterize_labels(polygons, grid, {.width_m = width * size.x})),
                picture(slow_labels(polygons, grid, size, 0.5 * width * size.x)));
    }
  }
}

TEST(Rasterize, DoesNotChangeWhenTheGridIsCutIntoWindows) {
  Random random(5);
  for (const Grid& grid : grids_of_all_kinds()) {
    for (int trial = 0; trial < 20; ++trial) {
      auto polygons = random_shapes(random, grid);
      // Vertices on centres and corners of pixels make ties the rule.
      for (auto& shape : polygons) {
        if (random.chance(0.3)) continue;
        for (auto& polygon : shape) {
          polygon.holes.clear();
          for (auto& p : polygon.shell) {
            const Point pixel = grid.transform.to_pixel(p);
            p = grid.transform.to_world({0.5 * std::round(2.0 * pixel.x), 0.5 * std::round(2.0 * pixel.y)});
          }
        }
      }
      BoundaryOptions boundary{.width_px = 0.5 * static_cast<double>(1 + random.below(6))};
      if (random.chance(0.5)) {
        boundary.width_m = boundary.width_px * grid.pixel_size_m().y;
        boundary.pixel_size_m = grid.pixel_size_m();
      }
      const auto whole = rasterize_labels(polygons, grid, boundary);
      const auto instances = rasterize_instances(polygons, grid);
      const auto col = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(grid.width)));
      const auto row = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(grid.height)));
      const Window window{
          col, row, 1 + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(grid.width - col))),
          1 + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(grid.height - row)))};
      const auto part = rasterize_labels(polygons, grid.subgrid(window), boundary);
      const auto part_instances = rasterize_instances(polygons, grid.subgrid(window));
      for (std::int64_t r = 0; r < window.height; ++r) {
        for (std::int64_t c = 0; c < window.width; ++c) {
          ASSERT_EQ(part.at(c, r), whole.at(col + c, row + r));
          ASSERT_EQ(part_instances.at(c, r), instances.at(col + c, row + r));
        }
      }
    }
  }
}

TEST(Rasterize, SameResultForAnyNumberOfThreads) {
  Random random(13);
  const Grid grid = test::utm_grid(300, 700);
  std::vector<MultiPolygon> polygons;
  for (int i = 0; i < 20; ++i) {
    for (auto& shape : random_shapes(random, grid)) polygons.push_back(std::move(shape));
  }
  Raster<std::uint8_t> one;
  Raster<std::uint8_t> four;
  ExecContext({.threads = 1}).execute([&] { one = rasterize_labels(polygons, grid); });
  ExecContext({.threads = 4}).execute([&] { four = rasterize_labels(polygons, grid); });
  EXPECT_EQ(one.data(), four.data());
}

TEST(Rasterize, NothingToDrawGivesBackground) {
  const std::vector<MultiPolygon> nothing{{}, {Polygon{}}, from_wkt("POLYGON EMPTY")};
  EXPECT_THAT(rasterize_labels(nothing, test::pixel_grid(3, 2)).data(), testing::Each(0));
  EXPECT_THAT(rasterize_labels({}, test::pixel_grid(3, 2)).data(), testing::Each(0));
  EXPECT_TRUE(rasterize_labels(nothing, test::pixel_grid(0, 0)).empty());
}

TEST(Rasterize, FieldSmallerThanAPixelStillHasItsBoundary) {
  const auto labels = rasterize_labels(test::shapes({"POLYGON((2.6 0.6, 2.8 0.6, 2.8 0.8, 2.6 0.6))"}),
                                       test::pixel_grid(6, 1), {.width_px = 1.0});
  EXPECT_EQ(picture(labels), "..2...\n");
}

TEST(Rasterize, FarPiecesCostNothingAndInfiniteOnesAreNamed) {
  const auto far = rasterize_extent(
      test::shapes({"POLYGON((-1e9 -1e9, 1e9 -1e9, 1e9 2.6, -1e9 2.6, -1e9 -1e9))"}), test::pixel_grid(2, 4));
  EXPECT_EQ(picture(far), "11\n11\n11\n..\n");
  std::vector<MultiPolygon> broken =
      test::shapes({"POLYGON((0 0, 1 0, 1 1, 0 0))", "POLYGON((0 0, 1 0, 1 1, 0 0))"});
  broken[1][0].shell[1].x = std::numeric_limits<double>::quiet_NaN();
  try {
    (void)rasterize_extent(broken, test::pixel_grid(2, 2));
    FAIL() << "no error";
  } catch (const GeometryError& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("polygon 2 has a vertex"));
  }
}

TEST(Rasterize, BadWidthsAndGridsAreRefused) {
  EXPECT_THROW((void)rasterize_labels({}, test::pixel_grid(2, 2), {.width_px = -1.0}), InvalidArgument);
  EXPECT_THROW((void)rasterize_labels({}, test::pixel_grid(2, 2), {.width_px = std::nan("")}),
               InvalidArgument);
  Grid no_crs = test::pixel_grid(2, 2);
  no_crs.crs = {};
  EXPECT_THROW((void)rasterize_labels({}, no_crs, {.width_m = 3.0}), CrsError);
  Grid flat = test::pixel_grid(2, 2);
  flat.transform.dy = 0.0;
  EXPECT_THROW((void)rasterize_extent({}, flat), InvalidArgument);
}

TEST(Rasterize, ReachCoversHalfTheWidthAndTheTouchingRule) {
  const Point reach = boundary_reach_px(test::pixel_grid(4, 4), {.width_px = 3.0});
  EXPECT_GE(reach.x, 2.5);
  EXPECT_LE(reach.x, 4.0);
  EXPECT_EQ(reach, (Point{reach.x, reach.x}));
}

}  // namespace
}  // namespace furrow::geo
