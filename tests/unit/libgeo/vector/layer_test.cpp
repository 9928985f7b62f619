#include <furrow/geo/vector/layer.h>

#include <cmath>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include <furrow/geo/core/error.h>
#include <furrow/geo/vector/geos.h>
#include <furrow/geo/vector/layer_writer.h>

#include "support.h"

namespace furrow::geo {
namespace {

using test::TemporaryFolder;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kSquare =
    "POLYGON((500000 5999900, 500100 5999900, 500100 6000000, 500000 6000000, 500000 5999900))";
constexpr const char* kHole =
    "POLYGON((500200 5999900, 500300 5999900, 500300 6000000, 500200 6000000, 500200 5999900), "
    "(500220 5999920, 500220 5999980, 500280 5999980, 500280 5999920, 500220 5999920))";
constexpr const char* kTwoParts =
    "MULTIPOLYGON(((500400 5999900, 500450 5999900, 500450 6000000, 500400 6000000, 500400 5999900)), "
    "((500460 5999900, 500500 5999900, 500500 6000000, 500460 6000000, 500460 5999900)))";

Layer sample() {
  Layer layer = test::layer_of({kSquare, kHole});
  layer.fields = {{"name", FieldType::kString, ""},
                  {"count", FieldType::kInteger, ""},
                  {"share", FieldType::kReal, ""},
                  {"mapped", FieldType::kDate, ""},
                  {"done", FieldType::kBoolean, ""}};
  layer.features[0].values = {std::string("R\xC3\xB8"
                                          "dby"),
                              std::int64_t{4000000000}, 0.1, std::string("2021-07-04"), std::int64_t{1}};
  layer.features[1].values = {Value{}, Value{}, Value{}, Value{}, std::int64_t{0}};
  return layer;
}

std::string error_of(const std::string& path, const LayerReadOptions& options = {}) {
  try {
    (void)read_layer(path, options);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

/// Area of what only one of two shapes covers.
double difference_area(const MultiPolygon& a, const MultiPolygon& b) {
  return area(a) + area(b) - 2.0 * intersection_area(a, b);
}

class LayerRoundTrip : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Formats, LayerRoundTrip, testing::Values(".gpkg", ".fgb", ".shp", ".geojson"),
                         [](const auto& format) { return std::string(format.param).substr(1); });

TEST_P(LayerRoundTrip, GeometryAttributesAndCrsSurvive) {
  const TemporaryFolder folder;
  const std::string path = (folder / (std::string("fields") + GetParam())).string();
  const Layer layer = sample();
  write_layer(layer, path, false);
  LayerReadOptions options;
  options.target_crs = layer.crs;  // GeoJSON is longitude and latitude
  const Layer back = read_layer(path, options);
  EXPECT_TRUE(back.crs.same_as(layer.crs));
  ASSERT_EQ(back.features.size(), 2U);
  for (const Feature& feature : back.features) {
    const bool first = as_integer(feature.values[back.field("done")]) == 1;
    const Feature& original = layer.features[first ? 0 : 1];
    // GeoJSON keeps 7 decimals of a degree: about a centimetre.
    EXPECT_LT(difference_area(feature.geometry, original.geometry), 20.0);
    EXPECT_EQ(feature.geometry.front().holes.size(), original.geometry.front().holes.size());
    if (first) {
      EXPECT_EQ(as_text(feature.values[back.field("name")]),
                "R\xC3\xB8"
                "dby");
      EXPECT_EQ(as_integer(feature.values[back.field("count")]), 4000000000);
      EXPECT_EQ(as_real(feature.values[back.field("share")]), 0.1);
      EXPECT_EQ(as_text(feature.values[back.field("mapped")]).substr(0, 10), "2021-07-04");
    } else {
      EXPECT_EQ(as_text(feature.values[back.field("name")]), "");
      EXPECT_TRUE(std::isnan(as_real(feature.values[back.field("share")])));
      EXPECT_EQ(as_integer(feature.values[back.field("count")], -7), -7);
    }
  }
}

TEST_P(LayerRoundTrip, PartsStayTogetherInOneFeature) {
  const TemporaryFolder folder;
  const std::string path = (folder / (std::string("fields") + GetParam())).string();
  write_layer(test::layer_of({kTwoParts}), path, false);
  const Layer back = read_layer(path);
  ASSERT_EQ(back.features.size(), 1U);
  EXPECT_EQ(back.features.front().geometry.size(), 2U);
}

TEST_P(LayerRoundTrip, ExistingFileNeedsOverwriteAndIsReplacedWhole) {
  const TemporaryFolder folder;
  const std::string path = (folder / (std::string("fields") + GetParam())).string();
  write_layer(sample(), path, false);
  EXPECT_THROW(write_layer(sample(), path, false), IoError);
  write_layer(test::layer_of({kSquare}), path, true);
  EXPECT_EQ(read_layer(path).features.size(), 1U);
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    EXPECT_THAT(entry.path().filename().string(), testing::StartsWith("fields."));
    EXPECT_THAT(entry.path().filename().string(), testing::Not(HasSubstr("part")));
  }
}

TEST(Layer, GeoPackageKeepsDateTimesTypesAndAliases) {
  const TemporaryFolder folder;
  Layer layer = test::layer_of({kSquare});
  layer.fields = {{"at", FieldType::kDateTime, "Time of the image"}};
  layer.features[0].values = {std::string("2021-07-04T10:20:30Z")};
  write_layer(layer, folder / "a.gpkg", false);
  const Layer back = read_layer((folder / "a.gpkg").string());
  ASSERT_EQ(back.fields.size(), 1U);
  EXPECT_EQ(back.fields[0].type, FieldType::kDateTime);
  // GDAL before 3.7 does not hand titles out, so they are read from their table.
  const auto titles = test::run_command("ogrinfo -q " + (folder / "a.gpkg").string() +
                                        " -sql \"SELECT * FROM gpkg_data_columns\"");
  EXPECT_THAT(titles.out, testing::AllOf(HasSubstr("column_name (String) = at"),
                                         HasSubstr("name (String) = Time of the image"),
                                         HasSubstr("title (String) = Time of the image")));
  EXPECT_EQ(as_text(back.features[0].values[0]), "2021-07-04T10:20:30Z");
}

TEST(GeoPackage, FieldsMayShareTitlesAndBeCalledLikeThem) {
  const TemporaryFolder folder;
  PackagedLayer packaged;
  packaged.layer = test::layer_of({"POLYGON((0 0,1 0,1 1,0 0))"});
  packaged.layer.fields = {{"a", FieldType::kString, "Area"},
                           {"Area", FieldType::kString, "Area"},
                           {"b", FieldType::kInteger, "Area", "O'Neill's \"b\"", {{"1", "it's one"}}},
                           {"c", FieldType::kString, ""}};
  packaged.layer.features[0].values = {std::string("x"), std::string("y"), std::int64_t{1}, Value{}};
  write_geopackage({packaged}, folder / "a.gpkg", false);
  const auto columns = test::run_command("ogrinfo -q " + (folder / "a.gpkg").string() +
                                         " -sql \"SELECT * FROM gpkg_data_columns\"");
  EXPECT_THAT(columns.out, HasSubstr("column_name (String) = Area"));
  EXPECT_THAT(columns.out, HasSubstr("description (String) = O'Neill's \"b\""));
  EXPECT_THAT(columns.out, testing::Not(HasSubstr("column_name (String) = c")));
  const auto domain = test::run_command("ogrinfo -q -fielddomain fields_b " + (folder / "a.gpkg").string());
  EXPECT_THAT(domain.out, HasSubstr("1: it's one"));
}

TEST(GeoJson, IsCutAtTheAntimeridian) {
  const TemporaryFolder folder;
  // 2 km x 2 km in Fiji, half of it on either side.
  Layer layer = test::layer_of({"POLYGON((179.99 -17,180.01 -17,180.01 -17.02,179.99 -17.02,179.99 -17))"},
                               "EPSG:4326");
  layer.features[0].geometry =
      CoordinateTransform(lonlat_crs(), Crs::from_user_input("EPSG:32760")).apply(layer.features[0].geometry);
  layer.crs = Crs::from_user_input("EPSG:32760");
  write_layer(layer, folder / "a.geojson", false);
  const Layer back = read_layer((folder / "a.geojson").string());
  ASSERT_EQ(back.features[0].geometry.size(), 2U);
  for (const Polygon& part : back.features[0].geometry) {
    EXPECT_NEAR(area(part), 0.01 * 0.02, 1e-8);
    EXPECT_GT(std::abs(part.shell.front().x), 179.98);
    EXPECT_LE(std::abs(part.shell.front().x), 180.0);
  }
}

TEST(GeoJson, NeighboursKeepTheirCommonVertices) {
  const TemporaryFolder folder;
  const Layer layer = test::layer_of(
      {"POLYGON((500000 6000000,500033.3 6000011.1,500031.7 6000070.3,500000 6000000))",
       "POLYGON((500033.3 6000011.1,500090.9 6000010,500031.7 6000070.3,500033.3 6000011.1))"});
  write_layer(layer, folder / "a.geojson", false);
  const Layer back = read_layer((folder / "a.geojson").string());
  std::set<std::pair<double, double>> vertices;
  for (const auto& feature : back.features) {
    for (const Point& p : feature.geometry[0].shell) vertices.emplace(p.x, p.y);
  }
  EXPECT_EQ(vertices.size(), 4U);
}

TEST(GeoJson, LeavesOutWhatVanishesByRounding) {
  const TemporaryFolder folder;
  const Layer layer =
      test::layer_of({"POLYGON((500000 6000000,500000.001 6000000,500000 6000000.001,500000 6000000))",
                      "POLYGON((500000 6000000,500100 6000000,500000 6000100,500000 6000000))"});
  write_layer(layer, folder / "a.geojson", false);
  EXPECT_EQ(read_layer((folder / "a.geojson").string()).features.size(), 1U);
}

TEST(Layer, FeaturesWithoutPolygonAreCountedAndKept) {
  const TemporaryFolder folder;
  Layer layer = sample();
  layer.features[1].geometry.clear();
  write_layer(layer, folder / "a.gpkg", false);
  LayerReadReport report;
  const Layer back = read_layer((folder / "a.gpkg").string(), {}, &report);
  EXPECT_EQ(report.features, 2);
  EXPECT_EQ(report.without_polygon, 1);
  ASSERT_EQ(back.features.size(), 2U);
  EXPECT_TRUE(back.features[1].geometry.empty());
}

TEST(Layer, LayerWithoutAnyPolygonIsAnErrorUnlessAllowed) {
  const TemporaryFolder folder;
  Layer layer = sample();
  layer.features.clear();
  write_layer(layer, folder / "a.gpkg", false);
  EXPECT_THAT(error_of((folder / "a.gpkg").string()), HasSubstr("has no polygons"));
  LayerReadOptions options;
  options.require_polygons = false;
  EXPECT_TRUE(read_layer((folder / "a.gpkg").string(), options).features.empty());
}

TEST(Layer, AnEmptyLayerMayBeAllRightButPointsAreNot) {
  const TemporaryFolder folder;
  LayerReadOptions options;
  options.accept_empty = true;
  const auto written = [&](const std::string& features) {
    std::ofstream(folder / "a.geojson") << R"({"type":"FeatureCollection","features":[)" << features << "]}";
    return (folder / "a.geojson").string();
  };
  EXPECT_TRUE(read_layer(written(""), options).features.empty());
  EXPECT_THAT(error_of(written("")), HasSubstr("(it is empty)"));
  const std::string point =
      R"({"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[1,2]}})";
  EXPECT_THAT(error_of(written(point), options), testing::AllOf(HasSubstr("has no polygons (only points"),
                                                                HasSubstr("give a layer of polygons")));
}

TEST(Layer, CoordinatesThatCannotBeAreInvalid) {
  const TemporaryFolder folder;
  for (const std::string y : {"NaN", "Infinity", "1e13"}) {
    std::ofstream(folder / "a.geojson")
        << R"({"type":"FeatureCollection","features":[{"type":"Feature","properties":{},"geometry":)"
        << R"({"type":"Polygon","coordinates":[[[0,0],[1,0],[1,)" << y << R"(],[0,1],[0,0]]]}}]})";
    const std::string path = (folder / "a.geojson").string();
    EXPECT_THAT(error_of(path), testing::AllOf(HasSubstr("fid 0"), HasSubstr("the coordinate 1 "))) << y;
    LayerReadOptions options;
    options.invalid = InvalidGeometry::kRepair;
    EXPECT_THAT(error_of(path, options), HasSubstr("all 1 polygons are invalid")) << y;
  }
}

TEST(Layer, InvalidPolygonsFollowThePolicy) {
  const TemporaryFolder folder;
  const char* bow_tie =
      "POLYGON((500000 5999900, 500100 6000000, 500100 5999900, 500000 6000000, 500000 5999900))";
  write_layer(test::layer_of({kSquare, bow_tie}), folder / "a.gpkg", false);
  const std::string path = (folder / "a.gpkg").string();
  EXPECT_THAT(error_of(path), testing::AllOf(HasSubstr("fid 2"), HasSubstr("Self-intersection"),
                                             HasSubstr("500050"), HasSubstr("--invalid repair")));
  LayerReadOptions options;
  LayerReadReport report;
  options.invalid = InvalidGeometry::kSkip;
  EXPECT_EQ(read_layer(path, options, &report).features.size(), 1U);
  EXPECT_EQ(report.skipped, 1);
  options.invalid = InvalidGeometry::kRepair;
  const Layer repaired = read_layer(path, options, &report);
  EXPECT_EQ(report.repaired, 1);
  EXPECT_EQ(report.skipped, 0);
  ASSERT_EQ(repaired.features.size(), 2U);
  EXPECT_NEAR(area(repaired.features[1].geometry), 5000.0, 1e-6);
}

TEST(Layer, SeveralLayersNeedAName) {
  const TemporaryFolder folder;
  Layer first = sample();
  Layer second = test::layer_of({kHole});
  second.name = "sites";
  write_geopackage({{first, "", false, {}}, {second, "", false, {}}}, folder / "a.gpkg", false);
  const std::string path = (folder / "a.gpkg").string();
  EXPECT_THAT(error_of(path), testing::AllOf(HasSubstr("several layers"), HasSubstr("fields, sites")));
  LayerReadOptions options;
  options.layer = "sites";
  EXPECT_EQ(read_layer(path, options).features.size(), 1U);
  options.layer.clear();
  options.usual_layer = "sites";
  EXPECT_EQ(read_layer(path, options).name, "sites");
  options.usual_layer = "cells";
  EXPECT_THAT(error_of(path, options), HasSubstr("several layers"));
  options.layer = "site";
  EXPECT_THAT(error_of(path, options),
              testing::AllOf(HasSubstr("no layer 'site'"), HasSubstr("fields, sites")));
}

TEST(Layer, TableBesidePolygonsIsNotMistakenForALayer) {
  const TemporaryFolder folder;
  Layer table;
  table.name = "run_info";
  table.fields = {{"key", FieldType::kString, ""}};
  table.features.push_back({-1, {}, {std::string("version")}});
  write_geopackage({{table, "", false, {}}, {sample(), "", false, {}}}, folder / "a.gpkg", false);
  EXPECT_EQ(read_layer((folder / "a.gpkg").string()).name, "fields");
}

TEST(Layer, MissingCrsNamesTheSwitch) {
  const TemporaryFolder folder;
  write_layer(sample(), folder / "a.shp", false);
  std::filesystem::remove(folder / "a.prj");
  LayerReadOptions options;
  options.crs_switch = "--labels-crs";
  EXPECT_THAT(error_of((folder / "a.shp").string(), options),
              testing::AllOf(HasSubstr("no CRS"), HasSubstr("--labels-crs EPSG:32632")));
  options.override_crs = Crs::from_user_input("EPSG:32632");
  EXPECT_EQ(read_layer((folder / "a.shp").string(), options).crs.epsg(), 32632);
  options = {};
  options.require_crs = false;
  EXPECT_TRUE(read_layer((folder / "a.shp").string(), options).crs.empty());
}

TEST(Layer, ProjectedCoordinatesInAGeoJsonWithoutCrsAreRefused) {
  const TemporaryFolder folder;
  std::ofstream(folder / "a.geojson")
      << R"({"type":"FeatureCollection","features":[{"type":"Feature","properties":{},
    "geometry":{"type":"Polygon","coordinates":[[[500000,5999900],[500100,5999900],[500100,6000000],[500000,5999900]]]}}]})";
  LayerReadOptions options;
  options.crs_switch = "--fields-crs";
  EXPECT_THAT(error_of((folder / "a.geojson").string(), options),
              testing::AllOf(HasSubstr("EPSG:4326"), HasSubstr("--fields-crs")));
  options.override_crs = Crs::from_user_input("EPSG:32632");
  EXPECT_EQ(read_layer((folder / "a.geojson").string(), options).features.size(), 1U);
}

TEST(Layer, FilterBoxTargetCrsAndZ) {
  const TemporaryFolder folder;
  write_layer(sample(), folder / "a.gpkg", false);
  const std::string path = (folder / "a.gpkg").string();
  LayerReadOptions options;
  options.where = "done = 1";
  EXPECT_EQ(read_layer(path, options).features.size(), 1U);
  options.where = "nonsense = 1";
  EXPECT_THAT(error_of(path, options), HasSubstr("nonsense"));
  options = {};
  options.bbox = Box{500210.0, 5999910.0, 500290.0, 5999990.0};
  ASSERT_EQ(read_layer(path, options).features.size(), 1U);
  EXPECT_EQ(read_layer(path, options).features[0].fid, 2);
  options = {};
  options.target_crs = lonlat_crs();
  EXPECT_NEAR(bounds(read_layer(path, options).features[0].geometry).min_x, 9.0, 1e-6);
  std::ofstream(folder / "z.geojson") << R"({"type":"Feature","properties":{},"geometry":
    {"type":"Polygon","coordinates":[[[9,50,7],[9.1,50,7],[9.1,50.1,7],[9,50,7]]]}})";
  EXPECT_EQ(read_layer((folder / "z.geojson").string()).features[0].geometry[0].shell.size(), 4U);
}

TEST(Layer, CollectionsGivePolygonsAndPointsNone) {
  const TemporaryFolder folder;
  std::ofstream(folder / "a.geojson") << R"({"type":"FeatureCollection","features":[
    {"type":"Feature","properties":{},"geometry":{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[9,50]},
      {"type":"Polygon","coordinates":[[[9,50],[9.1,50],[9.1,50.1],[9,50]]]}]}},
    {"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[9,50]}},
    {"type":"Feature","properties":{},"geometry":null}]})";
  LayerReadReport report;
  const Layer layer = read_layer((folder / "a.geojson").string(), {}, &report);
  EXPECT_EQ(report.without_polygon, 2);
  EXPECT_EQ(layer.features[0].geometry.size(), 1U);
}

TEST(Layer, SaysWhatIsWrongWithAFile) {
  const TemporaryFolder folder;
  const std::string missing = (folder / "nowhere.gpkg").string();
  EXPECT_EQ(error_of(missing), "cannot open vector file '" + missing + "': no such file");
  std::ofstream(folder / "text.gpkg") << "hello";
  EXPECT_THAT(error_of((folder / "text.gpkg").string()),
              testing::AllOf(HasSubstr("text.gpkg"), HasSubstr("not a vector file that GDAL can read")));
  std::ofstream(folder / "empty.gpkg").close();
  EXPECT_THAT(error_of((folder / "empty.gpkg").string()), HasSubstr("the file is empty (0 bytes)"));
  EXPECT_THAT(error_of(folder.path().string()), HasSubstr("it is a folder"));
  EXPECT_THROW(write_layer(sample(), folder / "a.docx", false), IoError);
}

TEST(Layer, FieldsAreFoundWithoutCaseAndTypingErrorsHelped) {
  Layer layer = sample();
  EXPECT_EQ(layer.field("NAME"), 0U);
  try {
    (void)layer.field("nam");
    FAIL() << "no error";
  } catch (const IoError& e) {
    EXPECT_THAT(e.what(), HasSubstr("did you mean 'name'"));
  }
  EXPECT_EQ(layer.add_field({"area_ha", FieldType::kReal, ""}), 5U);
  EXPECT_EQ(layer.add_field({"Area_HA", FieldType::kReal, ""}), 5U);
  EXPECT_EQ(layer.features[0].values.size(), 6U);
}

TEST(Values, TextNumbersAndMissing) {
  EXPECT_EQ(as_text(Value{std::int64_t{-3}}), "-3");
  EXPECT_EQ(as_text(Value{0.1}), "0.1");
  EXPECT_EQ(as_text(Value{}), "");
  EXPECT_EQ(as_real(Value{std::string("2.5")}), 2.5);
  EXPECT_TRUE(std::isnan(as_real(Value{std::string("x")})));
  EXPECT_EQ(as_integer(Value{2.6}), 3);
  EXPECT_EQ(as_integer(Value{std::nan("")}, -1), -1);
}

TEST(GeoPackage, IdenticalInputGivesIdenticalBytesUnderAFixedDate) {
  const TemporaryFolder folder;
  ASSERT_EQ(::setenv("SOURCE_DATE_EPOCH", "1600000000", 1), 0);
  write_layer(sample(), folder / "a.gpkg", false);
  write_layer(sample(), folder / "b.gpkg", false);
  ::unsetenv("SOURCE_DATE_EPOCH");
  EXPECT_EQ(test::bytes_of(folder / "a.gpkg"), test::bytes_of(folder / "b.gpkg"));
}

TEST(GeoPackage, FeaturesHandedOverOneByOneGiveTheSameBytes) {
  const TemporaryFolder folder;
  ASSERT_EQ(::setenv("SOURCE_DATE_EPOCH", "1600000000", 1), 0);
  write_geopackage({{sample(), "", false, {}}}, folder / "a.gpkg", false);
  PackagedLayer handed{sample(), "", false, {}};
  std::vector<Feature> features = std::exchange(handed.layer.features, {});
  std::size_t next = 0;
  handed.more = [&](Feature& feature) {
    if (next == features.size()) return false;
    feature = features[next++];
    return true;
  };
  write_geopackage({handed}, folder / "b.gpkg", false);
  ::unsetenv("SOURCE_DATE_EPOCH");
  EXPECT_EQ(next, features.size());
  EXPECT_EQ(test::bytes_of(folder / "a.gpkg"), test::bytes_of(folder / "b.gpkg"));
}

TEST(Wkt, ReadsPolygonsOnly) {
  EXPECT_EQ(from_wkt(kTwoParts).size(), 2U);
  EXPECT_TRUE(from_wkt("POLYGON EMPTY").empty());
  EXPECT_THROW((void)from_wkt("POINT(1 2)"), GeometryError);
  EXPECT_THROW((void)from_wkt("POLYGON((0 0, 1"), GeometryError);
  EXPECT_EQ(to_wkt(from_wkt("POLYGON((0 0, 1 0, 1 1, 0 0))")), "POLYGON ((0 0, 1 0, 1 1, 0 0))");
}

TEST(GeoPackage, AttributesKeepNamesThatItsOwnColumnsHave) {
  const TemporaryFolder folder;
  Layer layer = test::layer_of({kSquare});
  layer.fields = {{"FID", FieldType::kReal, ""}, {"geom", FieldType::kString, ""}};
  layer.features[0].values = {2.5, std::string("drawn")};
  write_layer(layer, folder / "a.gpkg", false);
  const Layer back = read_layer((folder / "a.gpkg").string());
  ASSERT_EQ(back.fields.size(), 2U);
  EXPECT_EQ(back.fields[0].name, "FID");
  EXPECT_EQ(back.fields[1].name, "geom");
  EXPECT_EQ(back.features[0].values, layer.features[0].values);
  EXPECT_DOUBLE_EQ(difference_area(back.features[0].geometry, layer.features[0].geometry), 0.0);
}

TEST(GeoPackage, NamesThatDifferOnlyInCaseGetANumber) {
  const TemporaryFolder folder;
  Layer layer = test::layer_of({kSquare});
  for (const char* name : {"Name", "name", "NAME_1", "", "field"})
    layer.fields.push_back({name, FieldType::kInteger, ""});
  layer.features[0].values = {std::int64_t{1}, std::int64_t{2}, std::int64_t{3}, std::int64_t{4},
                              std::int64_t{5}};
  write_layer(layer, folder / "a.gpkg", false);
  const Layer back = read_layer((folder / "a.gpkg").string());
  std::vector<std::string> names;
  for (const auto& field : back.fields) names.push_back(field.name);
  EXPECT_THAT(names, ElementsAre("Name", "name_2", "NAME_1", "field_1", "field"));
  EXPECT_EQ(back.features[0].values, layer.features[0].values);
}

TEST(ReadLayer, SaysHowToConvertParquetThatItCannotRead) {
  if (can_read_parquet()) GTEST_SKIP() << "this build, or its GDAL, reads Parquet";
  const TemporaryFolder folder;
  const auto path = folder / "my fields.parquet";
  std::ofstream(path) << "PAR1 and more";
  const std::string converted = (folder / "my fields.gpkg").string();
  EXPECT_THAT(error_of(path.string()),
              HasSubstr("ogr2ogr -f GPKG '" + converted + "' '" + path.string() + "'"));
  EXPECT_THAT(error_of(path.string()), HasSubstr("geopandas.read_parquet('" + path.string() + "')"));
}

}  // namespace
}  // namespace furrow::geo
