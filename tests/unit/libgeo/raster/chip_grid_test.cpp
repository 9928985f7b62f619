#include <furrow/geo/raster/chip_grid.h>

#include <cmath>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/vector/geos.h>

#include "support.h"

namespace furrow::geo {
namespace {

using testing::HasSubstr;

std::vector<PlannedChip> all(const ChipPlan& plan) {
  std::vector<PlannedChip> chips;
  for (std::int64_t i = 0; i < plan.count(); ++i) chips.push_back(plan.chip(i));
  return chips;
}

template <class Act>
std::string message(const Act& act) {
  try {
    act();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(PlanGrid, HalosEndAtTheBorderUnlessItIsPadded) {
  const Grid grid = test::utm_grid(10, 10);
  const ChipSize size{4, 4, 0, 2};
  const ChipPlan shifted = plan_grid("s", grid, size, ChipEdge::kShift);
  EXPECT_EQ(shifted.count(), 9);
  EXPECT_EQ(shifted.width(), 8);
  EXPECT_EQ(shifted.chip(0).name, "s_0_0");
  EXPECT_EQ(shifted.chip(0).core, (Window{0, 0, 4, 4}));
  EXPECT_EQ(shifted.chip(0).place.window, (Window{0, 0, 6, 6}));
  EXPECT_EQ(shifted.chip(4).place.window, (Window{2, 2, 8, 8}));
  EXPECT_EQ(shifted.chip(8).core, (Window{6, 6, 4, 4}));
  EXPECT_EQ(shifted.chip(8).place.window, (Window{4, 4, 6, 6}));
  EXPECT_EQ(plan_grid("s", grid, size, ChipEdge::kPad).chip(0).place.window, (Window{-2, -2, 8, 8}));
}

TEST(ChipSizeOf, DegreesNeedAGridInDegrees) {
  const Grid degrees{100, 100, {9.0, 0.001, 0.0, 50.0, 0.0, -0.001}, lonlat_crs()};
  EXPECT_EQ(chip_size_of_degrees(degrees, 0.0504).width, 50);
  EXPECT_THAT(message([] { (void)chip_size_of_degrees(test::utm_grid(9, 9), 0.1); }),
              HasSubstr("EPSG:32632"));
  EXPECT_THAT(message([&] { (void)chip_size_of_degrees(degrees, 1e-5); }), HasSubstr("smaller than a pixel"));
}

TEST(SnappedGrid, PixelsAndChipsLieAtWholeMultiples) {
  const ChipSize size{64, 64, 16, 0};
  const Grid grid = snapped_grid(test::utm(), 20.0, {512410.0, 6243070.0, 514670.0, 6247200.0}, size);
  const double step_m = 48 * 20.0;
  EXPECT_EQ(std::fmod(grid.transform.x0, step_m), 0.0);
  EXPECT_EQ(std::fmod(grid.transform.y0, step_m), 0.0);
  EXPECT_EQ((grid.width - 64) % 48, 0);
  EXPECT_EQ((grid.height - 64) % 48, 0);
  // The first and the last chip are needed: one step further in, the box would stick out.
  const Box box = grid.bounds();
  EXPECT_LE(box.min_x, 512410.0);
  EXPECT_GT(box.min_x + 64 * 20.0, 512410.0);
  EXPECT_GE(box.max_x, 514670.0);
  EXPECT_LE(box.max_x - 64 * 20.0, 514670.0);
  EXPECT_GE(box.max_y, 6247200.0);
  EXPECT_LE(box.min_y, 6243070.0);
}

TEST(SnappedGrid, GridsOfDifferentBoxesLineUp) {
  Random random(3);
  const ChipSize size{10, 10, 3, 0};
  for (int i = 0; i < 50; ++i) {
    const double x = random.uniform(-500.0, 500.0);
    const double y = random.uniform(-500.0, 500.0);
    const Grid a = snapped_grid(test::utm(), 2.5, {x, y, x + 90.0, y + 40.0}, size);
    const Grid b = snapped_grid(test::utm(), 2.5, {x - 33.0, y + 11.0, x, y + 77.0}, size);
    EXPECT_EQ(std::fmod(a.transform.x0 - b.transform.x0, 7 * 2.5), 0.0);
    EXPECT_EQ(std::fmod(a.transform.y0 - b.transform.y0, 7 * 2.5), 0.0);
  }
  EXPECT_THROW((void)snapped_grid(test::utm(), 0.0, {0, 0, 1, 1}, size), InvalidArgument);
  EXPECT_THROW((void)snapped_grid(test::utm(), 1e-9, {0, 0, 1e6, 1e6}, size), InvalidArgument);
}

TEST(PlanTouching, LeavesOutWhatNoRasterTouchesAndNothingElse) {
  // Two rasters of 30 m in a corner each, one of them rotated.
  const Grid grid = test::utm_grid(40, 40);
  const Grid first = grid.subgrid({0, 0, 4, 4});
  const Grid second{4, 4, {500300.0, 5.0, 5.0, 5999700.0, 5.0, -5.0}, test::utm()};
  const ChipSize size{4, 4, 0, 0};
  std::set<std::string> names;
  for (const auto& chip : all(plan_touching("m", grid, size, ChipEdge::kPad, std::vector{first, second})))
    names.insert(chip.name);
  EXPECT_TRUE(names.contains("m_0_0"));
  EXPECT_FALSE(names.contains("m_0_1"));
  EXPECT_FALSE(names.contains("m_1_0"));
  EXPECT_TRUE(names.contains("m_7_7"));
  EXPECT_LT(names.size(), 7U);
  // Every pixel centre of a raster lies in one of the chips.
  const ChipPlan plan = plan_touching("m", grid, size, ChipEdge::kPad, std::vector{second});
  for (int row = 0; row < 4; ++row) {
    for (int col = 0; col < 4; ++col) {
      const Point p = grid.transform.to_pixel(second.transform.to_world({col + 0.5, row + 0.5}));
      const bool held = std::ranges::any_of(all(plan), [&](const PlannedChip& chip) {
        const Window& w = chip.core;
        return p.x >= static_cast<double>(w.col) && p.x < static_cast<double>(w.end_col()) &&
               p.y >= static_cast<double>(w.row) && p.y < static_cast<double>(w.end_row());
      });
      EXPECT_TRUE(held) << col << " " << row;
    }
  }
}

TEST(PlanTouching, InAnotherCrsNoPixelIsLost) {
  const Grid raster = test::utm_grid(300, 200);
  const ChipSize size{16, 16, 4, 0};
  const Grid grid = snapped_grid(lonlat_crs(), 0.0003, bounds_in(raster, lonlat_crs()), size);
  const auto chips = all(plan_touching("r", grid, size, ChipEdge::kPad, std::vector{raster}));
  const CoordinateTransform to_degrees(test::utm(), lonlat_crs());
  for (int row = 0; row <= 200; row += 5) {
    for (int col = 0; col <= 300; col += 5) {
      const Point p = grid.transform.to_pixel(to_degrees.apply(raster.transform.to_world(
          {std::clamp(col * 1.0, 0.01, 299.99), std::clamp(row * 1.0, 0.01, 199.99)})));
      EXPECT_TRUE(std::ranges::any_of(chips,
                                      [&](const PlannedChip& chip) {
                                        const Window& w = chip.core;
                                        return p.x >= static_cast<double>(w.col) &&
                                               p.x <= static_cast<double>(w.end_col()) &&
                                               p.y >= static_cast<double>(w.row) &&
                                               p.y <= static_cast<double>(w.end_row());
                                      }))
          << col << " " << row;
    }
  }
}

TEST(ExtendedGrid, GrowsByWholePixels) {
  const Grid grid = test::utm_grid(10, 10);
  const Grid all = extended_grid(grid, std::vector{grid, grid.subgrid({8, -3, 10, 5})});
  EXPECT_EQ(all.width, 18);
  EXPECT_EQ(all.height, 13);
  EXPECT_EQ(all.transform.y0, 6000030.0);
}

TEST(PlanPolygons, TakesAllPixelsUnderTheBox) {
  const Grid grid = test::utm_grid(10, 10);
  std::vector<NamedPolygon> polygons{{"in", {to_polygon(Box{500010.0, 5999950.0, 500030.0, 5999980.0})}},
                                     {"out", {to_polygon(Box{499991.0, 5999999.0, 500001.0, 6000001.0})}}};
  const ChipPlan plan = plan_polygons(polygons, grid, 1);
  EXPECT_EQ(plan.chip(0).name, "in");
  EXPECT_EQ(plan.chip(0).core, (Window{1, 2, 2, 3}));
  EXPECT_EQ(plan.chip(0).place.window, (Window{0, 1, 4, 5}));
  EXPECT_EQ(plan.chip(1).core, (Window{-1, -1, 2, 2}));
  EXPECT_EQ(plan.extent(), (Window{-1, -1, 4, 6}));
  const NamedPolygon big{"big", {to_polygon(Box{0.0, 0.0, 1e9, 1e9})}};
  EXPECT_THAT(message([&] { (void)plan_polygons({big}, grid, 0); }), HasSubstr("'big'"));
  EXPECT_THAT(message([&] { (void)plan_polygons({{"none", {}}}, grid, 0); }), HasSubstr("'none'"));
}

TEST(PlanPoints, IsCentredExactlyOnThePoint) {
  const ChipPlan plan = plan_points({{"GH001", {-1.25, 9.5}, ""}}, lonlat_crs(), 224, 0.005, 2);
  const PlannedChip chip = plan.chip(0);
  EXPECT_EQ(chip.grid.width, 224);
  EXPECT_DOUBLE_EQ(chip.grid.transform.x0, -1.2525);
  EXPECT_DOUBLE_EQ(chip.grid.transform.y0, 9.5025);
  EXPECT_DOUBLE_EQ(chip.grid.transform.dx, 0.005 / 224.0);
  EXPECT_EQ(chip.core, (Window{0, 0, 224, 224}));
  EXPECT_EQ(chip.place.window, (Window{-2, -2, 228, 228}));
  EXPECT_THAT(message([] {
                (void)plan_points({{"P", {512000.0, 6243000.0}, ""}}, lonlat_crs(), 9, 1.0, 0);
              }),
              HasSubstr("'P'"));
}

}  // namespace
}  // namespace furrow::geo
