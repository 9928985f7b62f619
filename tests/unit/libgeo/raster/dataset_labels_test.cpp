#include <furrow/geo/raster/dataset_labels.h>

#include <cmath>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/vector/geos.h>

#include "gdal_reference.h"
#include "support.h"

namespace furrow::geo {
namespace {

using test::picture;

/// A star with a hole, or a rectangle whose corners lie on quarters of pixels: ties of every kind.
MultiPolygon random_shape(Random& random, const Grid& grid) {
  const auto to_world = [&](Ring ring) {
    if (random.chance(0.5)) std::ranges::reverse(ring);
    for (Point& p : ring) p = grid.transform.to_world(p);
    ring.push_back(ring.front());
    return ring;
  };
  const auto w = static_cast<double>(grid.width);
  const auto h = static_cast<double>(grid.height);
  const Point c{random.uniform(-0.1, 1.1) * w, random.uniform(-0.1, 1.1) * h};
  const double size = random.uniform(0.02, 0.4) * std::max(w, h);
  if (random.chance(0.4)) {
    const auto quarter = [](double v) { return std::round(v * 4.0) / 4.0; };
    const Point low{quarter(c.x), quarter(c.y)};
    const Point high{low.x + 0.5 + quarter(size), low.y + 0.5 + quarter(size * random.uniform(0.1, 1.0))};
    return {{to_world({low, {high.x, low.y}, high, {low.x, high.y}}), {}}};
  }
  const int points = 3 + static_cast<int>(random.below(15));
  Ring shell;
  for (int i = 0; i < points; ++i) {
    const double angle = 6.283185307179586 * i / points;
    const double r = size * random.uniform(0.3, 1.0);
    shell.push_back({c.x + r * std::cos(angle), c.y + r * std::sin(angle)});
  }
  Polygon polygon{to_world(shell), {}};
  if (random.chance(0.3)) {
    Ring hole;
    for (const Point& p : shell) hole.push_back({c.x + 0.2 * (p.x - c.x), c.y + 0.2 * (p.y - c.y)});
    polygon.holes.push_back(to_world(hole));
  }
  return {polygon};
}

std::vector<MultiPolygon> random_shapes(Random& random, const Grid& grid) {
  std::vector<MultiPolygon> out;
  const auto count = 1 + random.below(12);
  while (out.size() < count) {
    auto shape = random_shape(random, grid);
    if (check_validity(shape).valid) out.push_back(std::move(shape));
  }
  return out;
}

std::vector<Grid> grids() {
  const Crs utm = Crs::from_user_input("EPSG:32632");
  return {{64, 48, {500000.0, 10.0, 0.0, 6000000.0, 0.0, -10.0}, utm},
          {64, 48, {500000.0, 10.0, 0.0, 6000000.0, 0.0, 10.0}, utm},  // south-up
          {224, 224, {7.4975, 0.005 / 224, 0.0, 9.0025, 0.0, -0.005 / 224}, lonlat_crs()},
          {256, 256, {16.1, 5.4e-5, 0.0, 47.9, 0.0, -3.6e-5}, lonlat_crs()},  // oblong
          {1, 1, {500000.0, 10.0, 0.0, 6000000.0, 0.0, -10.0}, utm},
          {5, 150, {500000.0, 3.0, 0.0, 6000000.0, 0.0, -3.0}, utm}};
}

std::int64_t differences(const Raster<std::uint8_t>& a, const Raster<std::uint8_t>& b) {
  std::int64_t count = 0;
  for (std::size_t i = 0; i < a.data().size(); ++i) count += a.data()[i] != b.data()[i] ? 1 : 0;
  return count;
}

TEST(LacunaLabels, EqualThePublishedStepsOnRandomFields) {
  Random random(11);
  for (int trial = 0; trial < 60; ++trial) {
    for (const Grid& grid : grids()) {
      const auto fields = random_shapes(random, grid);
      const LacunaLabels lacuna(fields, grid);
      if (lacuna.dropped_outer_ring()) continue;
      ASSERT_EQ(differences(lacuna.labels(grid.window()), test::lacuna_reference(fields, grid)), 0)
          << "trial " << trial << ", grid of " << grid.width << " px";
    }
  }
}

TEST(LacunaLabels, HaveOneRingInsideAndOneOutside) {
  const LacunaLabels lacuna(test::shapes({"POLYGON((2 2, 8 2, 8 7, 2 7, 2 2))"}), test::pixel_grid(10, 9));
  EXPECT_EQ(picture(lacuna.labels({0, 0, 10, 9})),
            "..........\n.22222222.\n.22222222.\n.22111122.\n.22111122.\n.22111122.\n.22222222.\n.22222222.\n"
            "..........\n");
}

TEST(LacunaLabels, OuterRingGivesWayToTheNeighboursInterior) {
  const auto fields =
      test::shapes({"POLYGON((1 1, 6 1, 6 6, 1 6, 1 1))", "POLYGON((6 1, 11 1, 11 6, 6 6, 6 1))"});
  const auto labels = LacunaLabels(fields, test::pixel_grid(12, 7)).labels({0, 0, 12, 7});
  EXPECT_EQ(
      picture(labels),
      "222222222222\n222222222222\n221112211122\n221112211122\n221112211122\n222222222222\n222222222222\n");
}

TEST(LacunaLabels, FieldsOutsideTheChipLeaveNoRing) {
  const LacunaLabels lacuna(
      test::shapes({"POLYGON((-5 1, -0.2 1, -0.2 5, -5 5, -5 1))", "POLYGON((3 1, 6 1, 6 5, 3 5, 3 1))"}),
      test::pixel_grid(8, 7));
  EXPECT_EQ(lacuna.labels({0, 0, 1, 7}).data(), std::vector<std::uint8_t>(7, 0));
}

TEST(LacunaLabels, NarrowFieldsAloneHaveNoOuterRing) {
  const LacunaLabels lacuna(test::shapes({"POLYGON((2 2, 8 2, 8 3.7, 2 3.7, 2 2))"}),
                            test::pixel_grid(10, 6));
  EXPECT_TRUE(lacuna.dropped_outer_ring());
  EXPECT_EQ(picture(lacuna.labels({0, 0, 10, 6})),
            "..........\n..........\n..222222..\n..222222..\n..........\n..........\n");
}

TEST(LacunaLabels, NoFieldsGiveBackground) {
  const LacunaLabels lacuna({}, test::pixel_grid(3, 2));
  EXPECT_FALSE(lacuna.dropped_outer_ring());
  EXPECT_EQ(lacuna.labels({0, 0, 3, 2}).data(), std::vector<std::uint8_t>(6, 0));
}

TEST(LacunaLabels, RefuseRotatedGrids) {
  const Grid rotated{4, 4, {0.0, 8.0, 6.0, 0.0, 6.0, -8.0}, Crs::from_user_input("EPSG:32632")};
  EXPECT_THROW(LacunaLabels({}, rotated), InvalidArgument);
}

TEST(FtwMasks, EqualGdalOnRandomFields) {
  Random random(12);
  std::vector<Grid> all = grids();
  all.push_back({50, 40, {500000.0, 8.0, 6.0, 6000000.0, 6.0, -8.0}, Crs::from_user_input("EPSG:32632")});
  for (int trial = 0; trial < 80; ++trial) {
    for (const Grid& grid : all) {
      const auto fields = random_shapes(random, grid);
      const std::uint8_t background = random.chance(0.5) ? 0 : 3;
      const FtwMasks masks(fields, grid, background);
      const std::vector<double> ones(fields.size(), 1.0);
      std::vector<double> ids(fields.size());
      std::iota(ids.begin(), ids.end(), 1.0);
      const auto as_bytes = [](const Raster<std::uint32_t>& from) {
        Raster<std::uint8_t> to(from.width(), from.height());
        std::ranges::transform(from.data(), to.data().begin(),
                               [](std::uint32_t v) { return static_cast<std::uint8_t>(v); });
        return to;
      };
      ASSERT_EQ(differences(masks.three_classes(grid.window()),
                            as_bytes(test::ftw_reference(fields, ones, grid, background, 2))),
                0)
          << trial << ' ' << grid.width;
      ASSERT_EQ(differences(masks.two_classes(grid.window()),
                            as_bytes(test::ftw_reference(fields, ones, grid, background, background))),
                0);
      ASSERT_EQ(masks.instances(grid.window()).data(),
                test::ftw_reference(fields, ids, grid, background, background).data());
    }
  }
}

TEST(FtwMasks, PresenceOnlyLeavesTheRestUnknown) {
  const FtwMasks masks(test::shapes({"POLYGON((1.5 1.5, 4.5 1.5, 4.5 4.5, 1.5 4.5, 1.5 1.5))"}),
                       test::pixel_grid(6, 6), 3);
  EXPECT_EQ(picture(masks.three_classes({0, 0, 6, 6})), "333333\n322223\n321123\n321123\n322223\n333333\n");
  EXPECT_EQ(picture(masks.two_classes({0, 0, 6, 6})), "333333\n333333\n331133\n331133\n333333\n333333\n");
}

TEST(DatasetLabels, WindowsEqualThatPartOfTheWhole) {
  Random random(13);
  for (const Grid& grid : grids()) {
    const auto fields = random_shapes(random, grid);
    const LacunaLabels lacuna(fields, grid);
    const FtwMasks ftw(fields, grid);
    const auto whole_lacuna = lacuna.labels(grid.window());
    const auto whole_ftw = ftw.three_classes(grid.window());
    const auto whole_ids = ftw.instances(grid.window());
    for (int trial = 0; trial < 20; ++trial) {
      const Window w = intersection(
          {static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(grid.width))),
           static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(grid.height))),
           1 + static_cast<std::int64_t>(random.below(60)), 1 + static_cast<std::int64_t>(random.below(60))},
          grid.window());
      const auto part_lacuna = lacuna.labels(w);
      const auto part_ftw = ftw.three_classes(w);
      const auto part_ids = ftw.instances(w);
      for (std::int64_t row = 0; row < w.height; ++row) {
        for (std::int64_t col = 0; col < w.width; ++col) {
          ASSERT_EQ(part_lacuna.at(col, row), whole_lacuna.at(w.col + col, w.row + row));
          ASSERT_EQ(part_ftw.at(col, row), whole_ftw.at(w.col + col, w.row + row));
          ASSERT_EQ(part_ids.at(col, row), whole_ids.at(w.col + col, w.row + row));
        }
      }
    }
  }
}

TEST(DatasetLabels, RefuseVerticesThatAreNoNumbers) {
  std::vector<MultiPolygon> broken = test::shapes({"POLYGON((0 0, 4 0, 4 4, 0 0))"});
  broken[0][0].shell[1].x = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(FtwMasks(broken, test::pixel_grid(4, 4)), GeometryError);
}

}  // namespace
}  // namespace furrow::geo
