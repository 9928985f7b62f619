// A GeoParquet file as GDAL's own driver writes it: the national field polygons of Japan.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/vector/geos.h>
#include <furrow/geo/vector/layer.h>

#include "support.h"

namespace furrow::geo {
namespace {

std::string japan() {
  return test::shared("data/parcels_national/jp/jp_field_polygons_2024.parquet").string();
}

TEST(JapaneseParcels, AreReadFromGeoParquet) {
  FURROW_NEEDS_SHARED_DATA();
  if (!can_read_parquet())
    GTEST_SKIP() << "neither GDAL nor this build reads Parquet (CMake option FURROW_WITH_PARQUET)";
  LayerReadReport report;
  const Layer layer = read_layer(japan(), {}, &report);
  EXPECT_EQ(report.polygons, 100);
  EXPECT_TRUE(layer.crs.same_as(Crs::from_user_input("EPSG:6668"))) << layer.crs.name();
  // Figures from pyarrow 26 and shapely 2.
  double area_deg2 = 0.0;
  std::size_t points = 0;
  std::size_t holes = 0;
  for (const Feature& feature : layer.features) {
    area_deg2 += area(feature.geometry);
    for (const Polygon& polygon : feature.geometry) {
      points += polygon.shell.size();
      holes += polygon.holes.size();
      for (const Ring& hole : polygon.holes) points += hole.size();
    }
  }
  EXPECT_NEAR(area_deg2 * 1e6, 131.63762930822824, 1e-9);
  EXPECT_EQ(points, 2164U);
  EXPECT_EQ(holes, 1U);
  EXPECT_EQ(layer.find_field("GEOM_bbox"), -1);
  EXPECT_EQ(as_text(layer.features[99].values[layer.field("polygon_uuid")]),
            "b9bfdc00-fc11-4ef4-9fae-123550bc18d4");
  EXPECT_EQ(as_text(layer.features[0].values[layer.field("land_type_jp")]), "\xE7\x95\x91");
  EXPECT_EQ(as_text(layer.features[0].values[layer.field("old_polygon_id")]), "");
  const std::size_t land = layer.field("land_type");
  EXPECT_EQ(std::ranges::count_if(layer.features,
                                  [&](const Feature& f) { return as_integer(f.values[land]) == 200; }),
            82);
}

TEST(JapaneseParcels, AreRefusedWithTheCommandThatConvertsThem) {
  FURROW_NEEDS_SHARED_DATA();
  if (can_read_parquet()) GTEST_SKIP() << "this build, or its GDAL, reads Parquet";
  const auto result = test::furrow("info " + japan());
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, testing::HasSubstr("ogr2ogr -f GPKG"));
  EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
}

}  // namespace
}  // namespace furrow::geo
