#include <algorithm>
#include <cmath>
#include <fstream>

#include <gdal.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/raster_list.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/raster/writer.h>
#include <furrow/geo/vector/geos.h>
#include <furrow/geo/vector/layer.h>
#include <furrow/geo/vector/layer_writer.h>

#include "http_server.h"
#include "parquet_files.h"
#include "support.h"

namespace furrow::geo {
namespace {

using test::array_of;
using test::Column;
using test::geo_metadata;
using test::geometries;
using test::TemporaryFolder;
using test::texts;
using test::write_parquet;
using testing::ElementsAre;
using testing::HasSubstr;

template <class T>
using Cells = std::vector<std::optional<T>>;

constexpr const char* kSquare = "POLYGON((10 50, 10.1 50, 10.1 50.1, 10 50.1, 10 50))";
constexpr const char* kHole =
    "POLYGON((11 50, 11.1 50, 11.1 50.1, 11 50.1, 11 50), (11.02 50.02, 11.02 50.08, 11.08 50.08, 11.08 "
    "50.02, 11.02 "
    "50.02))";

std::string error_of(const std::string& path, const LayerReadOptions& options = {}) {
  try {
    (void)read_layer(path, options);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

std::vector<std::string> column_texts(const Layer& layer, const std::string& name) {
  const std::size_t field = layer.field(name);
  std::vector<std::string> cells;
  for (const Feature& feature : layer.features) cells.push_back(as_text(feature.values[field]));
  return cells;
}

TEST(ParquetLayer, ReadsPolygonsWithHolesNullsAndTheDefaultCrs) {
  const TemporaryFolder folder;
  const auto path = folder / "fields.parquet";
  write_parquet(path,
                {{"name", texts({"a", std::nullopt,
                                 "R\xC3\xB8"
                                 "dby"})},
                 {"geometry", geometries({kSquare, "", kHole})}},
                geo_metadata());
  LayerReadReport report;
  const Layer layer = read_layer(path.string(), {}, &report);
  EXPECT_EQ(layer.name, "fields");
  EXPECT_TRUE(layer.crs.same_as(Crs::from_user_input("OGC:CRS84"))) << layer.crs.name();
  EXPECT_EQ(report.polygons, 2);
  EXPECT_EQ(report.without_polygon, 1);
  ASSERT_EQ(layer.features.size(), 3U);
  EXPECT_THAT(column_texts(layer, "NAME"), ElementsAre("a", "",
                                                       "R\xC3\xB8"
                                                       "dby"));
  EXPECT_TRUE(std::holds_alternative<std::monostate>(layer.features[1].values[0]));
  ASSERT_EQ(layer.features[2].geometry.size(), 1U);
  EXPECT_EQ(layer.features[2].geometry[0].holes.size(), 1U);
  // x is longitude.
  EXPECT_EQ(layer.features[0].geometry[0].shell[0].x, 10.0);
  EXPECT_EQ(layer.features[2].fid, 2);
  EXPECT_EQ(layer.fields.size(), 1U);
}

TEST(ParquetLayer, ReadsEveryFlatTypeAndLeavesNestedAndBinaryOnesOut) {
  const TemporaryFolder folder;
  const auto path = folder / "types.geoparquet";
  arrow::TimestampBuilder utc(arrow::timestamp(arrow::TimeUnit::MICRO, "Europe/Berlin"),
                              arrow::default_memory_pool());
  arrow::TimestampBuilder local(arrow::timestamp(arrow::TimeUnit::MILLI), arrow::default_memory_pool());
  arrow::Decimal128Builder decimal(arrow::decimal128(9, 2), arrow::default_memory_pool());
  arrow::StringDictionaryBuilder dictionary;
  const auto inner = array_of<arrow::DoubleBuilder, double>({1.0, 2.0});
  const auto bbox =
      arrow::StructArray::Make({inner, inner}, std::vector<std::string>{"xmin", "ymin"}).ValueOrDie();
  const std::vector<Column> columns{
      {"flag", array_of<arrow::BooleanBuilder, bool>({true, std::nullopt})},
      {"byte", array_of<arrow::Int8Builder, std::int8_t>({std::int8_t{-128}, std::nullopt})},
      {"short", array_of<arrow::UInt16Builder, std::uint16_t>({std::uint16_t{65535}, std::nullopt})},
      {"int", array_of<arrow::Int32Builder, std::int32_t>({-2147483647, std::nullopt})},
      {"uint", array_of<arrow::UInt32Builder, std::uint32_t>({4294967295U, std::nullopt})},
      {"long", array_of<arrow::Int64Builder, std::int64_t>({9007199254740993, std::nullopt})},
      {"cell", array_of<arrow::UInt64Builder, std::uint64_t>({18446744073709551615U, std::nullopt})},
      {"bbox", bbox},
      {"single", array_of<arrow::FloatBuilder, float>({0.5F, std::nullopt})},
      {"double", array_of<arrow::DoubleBuilder, double>({0.1, std::nan("")})},
      {"price", array_of(decimal, Cells<arrow::Decimal128>{arrow::Decimal128(-12345), std::nullopt})},
      {"crop", array_of(dictionary, Cells<std::string>{"wheat", std::nullopt})},
      {"long_text", array_of<arrow::LargeStringBuilder, std::string>({"x", std::nullopt})},
      {"blob", array_of<arrow::BinaryBuilder, std::string>({"x", std::nullopt})},
      {"day", array_of<arrow::Date32Builder, std::int32_t>({-1, std::nullopt})},
      {"at", array_of(utc, Cells<std::int64_t>{1614855600123456, std::nullopt})},
      {"before", array_of(local, Cells<std::int64_t>{-1, std::nullopt})},
      {"geometry", geometries({kSquare, kHole})}};
  write_parquet(path, columns, geo_metadata());
  const Layer layer = read_layer(path.string());
  EXPECT_EQ(layer.find_field("bbox"), -1);
  EXPECT_EQ(layer.find_field("blob"), -1);
  ASSERT_EQ(layer.fields.size(), columns.size() - 3);
  const auto first = [&](const char* name) { return column_texts(layer, name)[0]; };
  EXPECT_EQ(first("flag"), "1");
  EXPECT_EQ(layer.fields[layer.field("flag")].type, FieldType::kBoolean);
  EXPECT_EQ(first("byte"), "-128");
  EXPECT_EQ(first("short"), "65535");
  EXPECT_EQ(first("int"), "-2147483647");
  EXPECT_EQ(first("uint"), "4294967295");
  EXPECT_EQ(first("long"), "9007199254740993");  // not a double
  EXPECT_EQ(first("cell"), "18446744073709551615");
  EXPECT_EQ(first("single"), "0.5");
  EXPECT_EQ(first("double"), "0.1");
  EXPECT_EQ(first("price"), "-123.45");
  EXPECT_EQ(first("crop"), "wheat");
  EXPECT_EQ(first("long_text"), "x");
  EXPECT_EQ(first("day"), "1969-12-31");
  EXPECT_EQ(layer.fields[layer.field("day")].type, FieldType::kDate);
  EXPECT_EQ(first("at"), "2021-03-04T11:00:00Z");
  EXPECT_EQ(first("before"), "1969-12-31T23:59:59");
  for (std::size_t f = 0; f < layer.fields.size(); ++f) {
    const bool is_null = std::holds_alternative<std::monostate>(layer.features[1].values[f]);
    EXPECT_EQ(is_null, layer.fields[f].name != "double") << layer.fields[f].name;
  }
  EXPECT_TRUE(std::isnan(as_real(layer.features[1].values[layer.field("double")])));
}

TEST(ParquetLayer, TakesTheCrsOfTheMetadataInEverySpelling) {
  const TemporaryFolder folder;
  const std::string square =
      "POLYGON((500000 5999900, 500100 5999900, 500100 6000000, 500000 6000000, 500000 5999900))";
  const Crs utm = Crs::from_user_input("EPSG:32632");
  const std::string id =
      R"("crs": {"type": "ProjectedCRS", "name": "WGS 84 / UTM zone 32N", "base_crs": {"name": "WGS 84",
    "datum": {"type": "GeodeticReferenceFrame", "name": "World Geodetic System 1984", "ellipsoid": {"name": "WGS 84",
    "semi_major_axis": 6378137, "inverse_flattening": 298.257223563}}, "coordinate_system": {"subtype": "ellipsoidal",
    "axis": [{"name": "Geodetic latitude", "abbreviation": "Lat", "direction": "north", "unit": "degree"},
    {"name": "Geodetic longitude", "abbreviation": "Lon", "direction": "east", "unit": "degree"}]}},
    "conversion": {"name": "UTM zone 32N", "method": {"name": "Transverse Mercator"}, "parameters": [
    {"name": "Latitude of natural origin", "value": 0, "unit": "degree", "id": {"authority": "EPSG", "code": 8801}},
    {"name": "Longitude of natural origin", "value": 9, "unit": "degree", "id": {"authority": "EPSG", "code": 8802}},
    {"name": "Scale factor at natural origin", "value": 0.9996, "unit": "unity", "id": {"authority": "EPSG", "code": 8805}},
    {"name": "False easting", "value": 500000, "unit": "metre", "id": {"authority": "EPSG", "code": 8806}},
    {"name": "False northing", "value": 0, "unit": "metre", "id": {"authority": "EPSG", "code": 8807}}]},
    "coordinate_system": {"subtype": "Cartesian", "axis": [
    {"name": "Easting", "abbreviation": "E", "direction": "east", "unit": "metre"},
    {"name": "Northing", "abbreviation": "N", "direction": "north", "unit": "metre"}]},
    "id": {"authority": "EPSG", "code": 32632}})";
  const auto path = (folder / "crs.parquet").string();
  const auto write = [&](const std::string& members) {
    write_parquet(path, {{"geometry", geometries({square})}}, geo_metadata(members));
  };
  write(id);
  EXPECT_TRUE(read_layer(path).crs.same_as(utm));
  write(R"("crs": "EPSG:32632")");  // drafts before 0.4 had text
  EXPECT_TRUE(read_layer(path).crs.same_as(utm));
  for (const char* unknown : {R"("crs": null)", R"("crs": {"nonsense": 1})"}) {
    write(unknown);
    EXPECT_THAT(error_of(path), HasSubstr("has no CRS; say which one it is in with --crs")) << unknown;
    LayerReadOptions said;
    said.override_crs = utm;
    EXPECT_TRUE(read_layer(path, said).crs.same_as(utm));
  }
  write("");  // absent = longitude and latitude, which these coordinates are not
  EXPECT_THAT(error_of(path), HasSubstr("coordinates reach"));
}

TEST(ParquetLayer, TablesWithoutMetadataAreGuessedOrHaveNoGeometry) {
  const TemporaryFolder folder;
  const auto path = (folder / "plain.parquet").string();
  write_parquet(path, {{"id", texts({"a"})}, {"geometry", geometries({kSquare})}}, "");
  EXPECT_THAT(error_of(path), HasSubstr("has no CRS"));
  write_parquet(path, {{"id", texts({"a", "b"})}}, "");
  EXPECT_THAT(error_of(path), HasSubstr("has no polygons"));
  LayerReadOptions table;
  table.require_polygons = false;
  EXPECT_THAT(column_texts(read_layer(path, table), "id"), ElementsAre("a", "b"));
  const auto layers = list_layers(path);
  ASSERT_EQ(layers.size(), 1U);
  EXPECT_EQ(layers[0].features, 2);
  EXPECT_EQ(layers[0].geometry, "None");
}

TEST(ParquetLayer, ManyRowGroupsFiltersAndIdsOfRows) {
  constexpr int kRows = 10000;  // more than a batch, in 100 row groups
  Cells<std::int32_t> numbers;
  std::vector<std::string> wkts;
  for (int i = 0; i < kRows; ++i) {
    numbers.emplace_back(i);
    const double x = 0.001 * i;
    wkts.push_back(concat("POLYGON((", x, " 0, ", x + 0.0005, " 0, ", x + 0.0005, " 1, ", x, " 0))"));
  }
  const TemporaryFolder folder;
  const auto path = (folder / "many.parquet").string();
  write_parquet(path, {{"n", array_of<arrow::Int32Builder>(numbers)}, {"geometry", geometries(wkts)}},
                geo_metadata(), 100);
  const Layer all = read_layer(path);
  ASSERT_EQ(all.features.size(), static_cast<std::size_t>(kRows));
  for (int i = 0; i < kRows; ++i) {
    const Feature& feature = all.features[static_cast<std::size_t>(i)];
    ASSERT_EQ(feature.fid, i);
    ASSERT_EQ(as_integer(feature.values[0]), i);
    ASSERT_NEAR(bounds(feature.geometry).min_x, 0.001 * i, 1e-12);
  }
  LayerReadOptions some;
  some.where = "n >= 4095 AND n < 4098";
  EXPECT_THAT(column_texts(read_layer(path, some), "n"), ElementsAre("4095", "4096", "4097"));
  some = {};
  some.bbox = Box{5.0001, 0.0, 5.0012, 1.0};
  EXPECT_THAT(column_texts(read_layer(path, some), "n"), ElementsAre("5000", "5001"));
  some = {};
  some.where = "no_such = 1";
  EXPECT_THAT(error_of(path, some), HasSubstr("the filter 'no_such = 1' does not fit"));
}

TEST(ParquetLayer, DamagedFilesAndStrangeMetadataAreOneLine) {
  const TemporaryFolder folder;
  const auto path = (folder / "bad.parquet").string();
  const std::vector<Column> columns{{"geometry", geometries({kSquare})}};
  const auto expect = [&](const std::string& geo, const std::string& part) {
    write_parquet(path, columns, geo);
    EXPECT_THAT(error_of(path), HasSubstr(part));
    EXPECT_THAT(error_of(path), HasSubstr("bad.parquet"));
  };
  expect("{", "'geo' metadata is damaged");
  expect(R"({"version": "1.0.0"})", "'geo' metadata is damaged");
  expect(geo_metadata(R"("encoding": "polygon")"), "is encoded as polygon; only WKB is read");
  expect(R"({"primary_column": "shape", "columns": {"shape": {"encoding": "WKB"}}})",
         "no binary column 'shape'");
  write_parquet(path, {{"geometry", array_of<arrow::BinaryBuilder, std::string>({"no WKB at all"})}},
                geo_metadata());
  EXPECT_THAT(error_of(path), HasSubstr("the geometry of row 0 is no WKB"));

  write_parquet(path, columns, geo_metadata());
  const std::string whole = test::bytes_of(path);
  for (const std::size_t size : {std::size_t{4}, std::size_t{12}, whole.size() / 2, whole.size() - 1}) {
    std::ofstream(path, std::ios::binary) << whole.substr(0, size);
    EXPECT_THAT(error_of(path), HasSubstr("cannot open vector file")) << size;
  }
  // A damaged page with an intact end.
  std::string damaged = whole;
  for (std::size_t i = 4; i < 40; ++i) damaged[i] = '\xFF';
  std::ofstream(path, std::ios::binary) << damaged;
  EXPECT_THAT(error_of(path), HasSubstr("cannot read layer")) << "a wrong answer in silence";
}

TEST(ParquetLayer, IsReadFromAServerByRanges) {
  const TemporaryFolder folder;
  const std::string noise(1 << 20, 'x');
  write_parquet(folder / "fields.parquet",
                {{"ballast", texts({noise})}, {"name", texts({"a"})}, {"geometry", geometries({kSquare})}},
                geo_metadata());
  const test::HttpServer server(folder.path());
  const Layer layer = read_layer(server.url("fields.parquet"));
  EXPECT_EQ(layer.name, "fields");
  EXPECT_THAT(column_texts(layer, "name"), ElementsAre("a"));
  EXPECT_THAT(error_of(server.url("nowhere.parquet")), HasSubstr("the server has no such file (404)"));
}

TEST(ParquetLayer, IsATileIndexToo) {
  const TemporaryFolder folder;
  std::ofstream(folder / "a.tif") << "x";
  const auto path = (folder / "index.parquet").string();
  write_parquet(path, {{"location", texts({"a.tif"})}, {"geometry", geometries({kSquare})}}, geo_metadata());
  const std::vector<std::string> inputs{path};
  const auto rasters = list_rasters(inputs);
  ASSERT_EQ(rasters.size(), 1U);
  EXPECT_EQ(rasters[0].path, (folder / "a.tif").string());
}

TEST(ParquetLayer, TheProgramDescribesItAndBurnsItLikeAGeoPackage) {
  const TemporaryFolder folder;
  const auto path = (folder / "mapped_fields_final.parquet").string();
  write_parquet(path,
                {{"fid", array_of<arrow::Int64Builder, std::int64_t>({1000001, 1000002})},
                 {"assignment_id", array_of<arrow::Int64Builder, std::int64_t>({5, 6})},
                 {"geometry", geometries({kSquare, kHole})}},
                geo_metadata());
  const auto info = test::furrow(concat("info ", path));
  EXPECT_EQ(info.exit_code, 0) << info.err;
  EXPECT_THAT(info.out, HasSubstr("assignment_id: integer"));
  Grid grid;
  grid.width = 130;
  grid.height = 20;
  grid.transform = {9.9, 0.01, 0.0, 50.15, 0.0, -0.01};
  grid.crs = Crs::from_user_input("EPSG:4326");
  const auto image = folder / "image.tif";
  write_raster(image, grid, Raster<std::uint8_t>(130, 20), {}, true);
  const auto as_gpkg = folder / "same.gpkg";
  write_layer(read_layer(path), as_gpkg, false);
  for (const auto& [fields, out] :
       {std::pair{path, folder / "a.tif"}, {as_gpkg.string(), folder / "b.tif"}}) {
    const auto result = test::furrow(
        concat("rasterize ", fields, " --grid ", image.string(), " --boundary-px 0 --out ", out.string()));
    EXPECT_EQ(result.exit_code, 0) << result.err;
  }
  const RasterReader labels((folder / "a.tif").string());
  const auto pixels = labels.read<std::uint8_t>(grid.window(), {});
  EXPECT_EQ(std::ranges::count(pixels.data(), 1), 100 + 64);
  EXPECT_EQ(pixels.data(),
            RasterReader((folder / "b.tif").string()).read<std::uint8_t>(grid.window(), {}).data());
}

}  // namespace
}  // namespace furrow::geo
