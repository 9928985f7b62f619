#include <furrow/geo/crs/crs.h>

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/vector/geos.h>

namespace furrow::geo {
namespace {

TEST(Crs, ReadsWhatPeopleWrite) {
  const Crs utm = Crs::from_user_input("EPSG:32632");
  EXPECT_EQ(utm.epsg(), 32632);
  EXPECT_EQ(utm.name(), "EPSG:32632");
  EXPECT_TRUE(utm.is_projected());
  EXPECT_FALSE(utm.is_geographic());
  EXPECT_DOUBLE_EQ(utm.metres_per_unit(), 1.0);
  EXPECT_TRUE(lonlat_crs().is_geographic());
  EXPECT_DOUBLE_EQ(lonlat_crs().metres_per_unit(), 0.0);
  EXPECT_NEAR(Crs::from_user_input("EPSG:2263").metres_per_unit(), 0.3048006096, 1e-10);
  EXPECT_TRUE(Crs::from_user_input("+proj=utm +zone=32 +datum=WGS84 +type=crs").is_projected());
}

TEST(Crs, RefusesWhatIsNone) {
  try {
    (void)Crs::from_user_input("EPSG:banana");
    FAIL() << "no error";
  } catch (const CrsError& e) {
    EXPECT_THAT(e.what(),
                testing::AllOf(testing::HasSubstr("EPSG:banana"), testing::HasSubstr("EPSG:32632")));
  }
  EXPECT_THROW((void)Crs::from_wkt("PROJCS[broken"), CrsError);
}

TEST(Crs, EmptyMeansUnknown) {
  EXPECT_TRUE(Crs{}.empty());
  EXPECT_TRUE(Crs::from_wkt("  ").empty());
  EXPECT_EQ(Crs{}.name(), "no CRS");
  EXPECT_EQ(Crs{}.wkt(), "");
  EXPECT_TRUE(Crs{}.same_as(Crs{}));
  EXPECT_FALSE(Crs{}.same_as(lonlat_crs()));
  // A local, engineering system says nothing about the place on Earth.
  EXPECT_TRUE(Crs::from_wkt("LOCAL_CS[\"unknown\",UNIT[\"metre\",1]]").empty());
}

TEST(Crs, SameMeaningWhateverTheText) {
  const Crs utm = Crs::from_user_input("EPSG:32632");
  EXPECT_TRUE(utm.same_as(Crs::from_wkt(utm.wkt())));
  EXPECT_TRUE(utm.same_as(Crs::from_user_input("+proj=utm +zone=32 +datum=WGS84 +units=m +type=crs")));
  EXPECT_FALSE(utm.same_as(Crs::from_user_input("EPSG:32633")));
  EXPECT_FALSE(utm.same_as(lonlat_crs()));
  // Longitude first or latitude first: coordinates here always come with longitude first.
  EXPECT_TRUE(lonlat_crs().same_as(Crs::from_user_input("OGC:CRS84")));
  EXPECT_TRUE(
      lonlat_crs().same_as(Crs::from_wkt("GEOGCS[\"WGS 84\",DATUM[\"WGS_1984\",SPHEROID[\"WGS "
                                         "84\",6378137,298.257223563]],PRIMEM[\"Greenwich\",0],"
                                         "UNIT[\"degree\",0.0174532925199433]]")));
  EXPECT_FALSE(lonlat_crs().same_as(Crs::from_user_input("EPSG:4258")));
}

TEST(CoordinateTransform, LongitudeComesFirst) {
  // The central meridian of zone 32 is 9 degrees east; the equator is northing 0.
  const CoordinateTransform to_utm(lonlat_crs(), Crs::from_user_input("EPSG:32632"));
  const Point p = to_utm.apply(Point{9.0, 0.0});
  EXPECT_NEAR(p.x, 500000.0, 1e-6);
  EXPECT_NEAR(p.y, 0.0, 1e-6);
  const Point north = to_utm.apply(Point{9.0, 50.0});
  EXPECT_NEAR(north.y, 5538630.703, 0.001);
  const CoordinateTransform back(Crs::from_user_input("EPSG:32632"), lonlat_crs());
  const Point there = back.apply(to_utm.apply(Point{10.25, 49.75}));
  EXPECT_NEAR(there.x, 10.25, 1e-9);
  EXPECT_NEAR(there.y, 49.75, 1e-9);
}

TEST(CoordinateTransform, IdentityAndErrors) {
  EXPECT_TRUE(CoordinateTransform(lonlat_crs(), Crs::from_user_input("OGC:CRS84")).is_identity());
  EXPECT_THROW(CoordinateTransform(Crs{}, lonlat_crs()), CrsError);
  const CoordinateTransform mercator(lonlat_crs(), Crs::from_user_input("EPSG:32632"));
  EXPECT_THROW((void)mercator.apply(Point{std::nan(""), 0.0}), CrsError);
}

TEST(CoordinateTransform, HolesMoveToo) {
  const CoordinateTransform to_utm(lonlat_crs(), Crs::from_user_input("EPSG:32632"));
  const auto moved = to_utm.apply(from_wkt(
      "POLYGON((9 50, 9.1 50, 9.1 50.1, 9 50.1, 9 50), (9.02 50.02, 9.04 50.02, 9.04 50.04, 9.02 50.02))"));
  ASSERT_EQ(moved.front().holes.size(), 1U);
  EXPECT_GT(moved.front().holes.front().front().x, 500000.0);
}

TEST(GeodesicMeasure, CellOfOneDegreeAtTheEquator) {
  // Karney's geodesic area of the quadrilateral with geodesic edges on WGS 84.
  const GeodesicMeasure measure(lonlat_crs());
  const auto cell = from_wkt("POLYGON((0 0, 1 0, 1 1, 0 1, 0 0))");
  EXPECT_NEAR(measure.area_m2(cell), 12308778361.469, 0.01);
  EXPECT_NEAR(measure.perimeter_m(cell), 443770.917, 0.01);
  EXPECT_NEAR(measure.distance_m({0.0, 0.0}, {1.0, 0.0}), 111319.4908, 1e-3);
  EXPECT_NEAR(measure.distance_m({0.0, 0.0}, {0.0, 1.0}), 110574.3886, 1e-3);
  // The way round does not matter.
  EXPECT_NEAR(measure.area_m2(from_wkt("POLYGON((0 0, 0 1, 1 1, 1 0, 0 0))")), 12308778361.469, 0.01);
}

TEST(GeodesicMeasure, HolesAreTakenOffAndTheirOutlineCounts) {
  const GeodesicMeasure measure(lonlat_crs());
  const auto whole = from_wkt("POLYGON((0 0, 1 0, 1 1, 0 1, 0 0))");
  const auto hole = from_wkt("POLYGON((0.25 0.25, 0.75 0.25, 0.75 0.75, 0.25 0.75, 0.25 0.25))");
  const auto ring =
      from_wkt("POLYGON((0 0, 1 0, 1 1, 0 1, 0 0), (0.25 0.25, 0.75 0.25, 0.75 0.75, 0.25 0.75, 0.25 0.25))");
  EXPECT_NEAR(measure.area_m2(ring), measure.area_m2(whole) - measure.area_m2(hole), 1e-3);
  EXPECT_NEAR(measure.perimeter_m(ring), measure.perimeter_m(whole) + measure.perimeter_m(hole), 1e-6);
}

TEST(GeodesicMeasure, ProjectedCoordinatesGiveTrueArea) {
  // A hectare in UTM at the central meridian is larger on the ground by 1 / 0.9996 squared.
  const GeodesicMeasure measure(Crs::from_user_input("EPSG:32632"));
  const auto hectare =
      from_wkt("POLYGON((500000 5500000, 500100 5500000, 500100 5500100, 500000 5500100, 500000 5500000))");
  EXPECT_NEAR(measure.area_m2(hectare), 10000.0 / (0.9996 * 0.9996), 0.01);
  EXPECT_NEAR(measure.distance_m({500000.0, 5500000.0}, {500100.0, 5500000.0}), 100.0 / 0.9996, 1e-4);
  EXPECT_THROW(GeodesicMeasure(Crs{}), CrsError);
}

TEST(LocalEqualArea, AreasAreExactAndTheCentreIsTheOrigin) {
  const Crs crs = Crs::local_equal_area(25.5, -17.25);
  const CoordinateTransform transform(lonlat_crs(), crs);
  const Point centre = transform.apply(Point{25.5, -17.25});
  EXPECT_NEAR(centre.x, 0.0, 1e-6);
  EXPECT_NEAR(centre.y, 0.0, 1e-6);
  const auto field =
      from_wkt("POLYGON((25.501 -17.249, 25.504 -17.249, 25.504 -17.246, 25.501 -17.246, 25.501 -17.249))");
  const double geodesic = GeodesicMeasure(lonlat_crs()).area_m2(field);
  EXPECT_NEAR(area(transform.apply(field)), geodesic, 1e-6 * geodesic);
}

}  // namespace
}  // namespace furrow::geo
