#include <furrow/geo/raster/chip_targets.h>

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/vector/layer_writer.h>

#include "support.h"

namespace furrow::geo {
namespace {

using testing::HasSubstr;

class ChipTargets : public testing::Test {
 protected:
  std::string table(const std::string& text) {
    std::ofstream(m_folder / "points.csv") << text;
    return (m_folder / "points.csv").string();
  }
  std::string points_error(const std::string& text) {
    try {
      (void)read_chip_points(table(text));
    } catch (const IoError& e) {
      return e.what();
    }
    return "no error";
  }
  test::TemporaryFolder m_folder;
};

TEST_F(ChipTargets, PointsOfALabelCatalogueComeOnce) {
  const auto points =
      read_chip_points(table("name,Class,x,y,image_date\nGH1,2,-1.25,9.5,2019-07-15\nGH1,2,-1.25,9.5,2019-07-"
                             "15\nGH1,2,-1.25,9.5,2020-01-15\n"
                             "GH/2,4,-1.5,9,NA\n"));
  ASSERT_EQ(points.size(), 3U);
  EXPECT_EQ(points[0].date, "2019-07-15");
  EXPECT_EQ(points[1].date, "2020-01-15");
  EXPECT_EQ(points[2].name, "GH_2");
  EXPECT_EQ(points[2].date, "");
  EXPECT_EQ(points[2].place, (Point{-1.5, 9.0}));
}

TEST_F(ChipTargets, WhatIsWrongWithATableIsSaid) {
  EXPECT_THAT(points_error("name,lon,lat\nA,1,2\n"), HasSubstr("x"));
  EXPECT_THAT(points_error("name,x,y\nA,1,2\nA,1,3\n"),
              testing::AllOf(HasSubstr("points.csv:3"), HasSubstr("'A'")));
  EXPECT_THAT(points_error("name,x,y\nA,east,2\n"),
              testing::AllOf(HasSubstr("points.csv:2"), HasSubstr("'east'")));
  EXPECT_THAT(points_error("name,x,y\n,1,2\n"), HasSubstr("points.csv:2"));
  EXPECT_THAT(points_error("name,x,y\n"), HasSubstr("no row"));
}

TEST_F(ChipTargets, IndexPolygonsAreNamedByAColumnOrNumber) {
  Layer layer = test::layer_of({"POLYGON((500000 6000000,500010 6000000,500010 5999990,500000 6000000))",
                                "POLYGON((500020 6000000,500030 6000000,500030 5999990,500020 6000000))"});
  const auto path = (m_folder / "index.gpkg").string();
  write_layer(layer, path, true);
  auto polygons = read_index_polygons(path, "", {});
  ASSERT_EQ(polygons.size(), 2U);
  EXPECT_EQ(polygons[1].name, "2");
  layer.add_field({"Tile", FieldType::kString, ""});
  layer.add_field({"block", FieldType::kInteger, ""});
  layer.features[0].values = {std::string("a/1"), std::int64_t{7}};
  layer.features[1].values = {std::string("b"), std::int64_t{7}};
  write_layer(layer, path, true);
  polygons = read_index_polygons(path, "", {});
  EXPECT_EQ(polygons[0].name, "a_1");
  try {
    (void)read_index_polygons(path, "block", {});
    FAIL() << "no error";
  } catch (const IoError& e) {
    EXPECT_THAT(e.what(), testing::AllOf(HasSubstr("'7'"), HasSubstr("--index-name")));
  }
  EXPECT_THROW((void)read_index_polygons(path, "nothing", {}), IoError);
}

TEST(SameMonth, NeedsTheMonthOfBoth) {
  EXPECT_TRUE(same_month("2019-07-15", "2019-07"));
  EXPECT_FALSE(same_month("2019-07-15", "2019-08-15"));
  EXPECT_FALSE(same_month("2019", "2019"));
  EXPECT_FALSE(same_month("", ""));
}

}  // namespace
}  // namespace furrow::geo
