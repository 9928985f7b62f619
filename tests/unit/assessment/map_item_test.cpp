#include <furrow/assessment/map_item.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/sha256.h>
#include <furrow/geo/raster/writer.h>
#include <furrow/geo/vector/layer_writer.h>

#include "support.h"

namespace furrow::assessment {
namespace {

using nlohmann::json;

MapItemOptions named(const char* id = "run") {
  MapItemOptions options;
  options.id = id;
  return options;
}

class MapItem : public testing::Test {
 protected:
  [[nodiscard]] std::string path(const char* name) const { return (m_folder / name).string(); }

  void write_labels(const char* name, const geo::Grid& grid, const char* date = "") const {
    geo::RasterSpec spec;
    spec.nodata = 255.0;
    spec.descriptions = {"label"};
    spec.classes = geo::label_classes();
    if (*date != '\0') spec.metadata["TIFFTAG_DATETIME"] = date;
    geo::write_raster(path(name), grid, geo::Raster<std::uint8_t>(grid.width, grid.height, 1, 1), spec,
                      false);
  }

  void write_fields(const char* name) const {
    geo::Layer layer =
        test::layer_of({"POLYGON((500000 6000000,500100 6000000,500100 6000100,500000 6000000))"});
    layer.fields = {{"image_date", geo::FieldType::kDate, ""}};
    layer.features[0].values = {std::string("2021-06-15")};
    geo::write_layer(layer, path(name), false);
  }

  [[nodiscard]] json item(const std::vector<std::string>& files,
                          const MapItemOptions& options = named()) const {
    return json::parse(map_item(files, m_folder / "catalogue" / "item.json", options));
  }

 private:
  test::TemporaryFolder m_folder;
};

/// What is wrong by the STAC 1.0.0 item specification and the extensions' schemas, written down from them.
std::vector<std::string> problems_of(const json& item) {
  std::vector<std::string> problems;
  const auto expect = [&](bool good, const char* what) {
    if (!good) problems.emplace_back(what);
  };
  expect(item.at("type") == "Feature" && item.at("stac_version") == "1.0.0", "type and version");
  expect(item.at("id").is_string() && !item.at("id").get<std::string>().empty(), "id");
  expect(item.at("links").is_array() && item.at("assets").is_object(), "links and assets");
  expect(item.at("bbox").size() == 4 && item.at("bbox").at(1) <= item.at("bbox").at(3), "bbox");
  const json& ring = item.at("geometry").at("coordinates").at(0);
  expect(item.at("geometry").at("type") != "Polygon" || (ring.size() >= 4 && ring.front() == ring.back()),
         "ring");
  const json& time = item.at("properties");
  expect(
      time.at("datetime").is_string() || (time.contains("start_datetime") && time.contains("end_datetime")),
      "datetime");
  for (const auto& [key, asset] : item.at("assets").items()) {
    expect(asset.at("href").is_string(), "href");
    expect(asset.at("roles").is_array() && asset.at("type").is_string(), "roles and type");
    expect(asset.at("file:checksum").get<std::string>().starts_with("1220") &&
               asset.at("file:checksum").get<std::string>().size() == 68,
           "checksum is a multihash of SHA-256");
    if (asset.contains("proj:shape")) {
      expect(asset.at("proj:shape").size() == 2 && asset.at("proj:transform").size() == 6,
             "shape and transform");
      expect(asset.at("proj:code") == "EPSG:" + asset.at("proj:epsg").dump(), "code");
      for (const json& band : asset.at("raster:bands")) expect(band.at("data_type").is_string(), "data_type");
    }
    for (const json& c : asset.value("classification:classes", json::array()))
      expect(c.at("value").is_number_integer() && c.at("description").is_string(), "class");
  }
  return problems;
}

TEST_F(MapItem, ListsFilesWithWhatTheySay) {
  write_labels("label.tif", test::utm_grid(40, 30), "2021:06:15 10:00:00");
  write_fields("fields.gpkg");
  geo::write_text_file(path("report.html"), "<p>", false);
  const json result = item({path("label.tif"), path("fields.gpkg"), path("report.html")});
  EXPECT_THAT(problems_of(result), testing::IsEmpty());
  EXPECT_EQ(result.at("properties").at("datetime"), "2021-06-15T00:00:00Z");
  const json& label = result.at("assets").at("label");
  EXPECT_EQ(label.at("href"), "../label.tif");
  EXPECT_EQ(label.at("type"), "image/tiff; application=geotiff; profile=cloud-optimized");
  EXPECT_EQ(label.at("proj:shape"), json({30, 40}));
  EXPECT_EQ(label.at("proj:transform"), json({10.0, 0.0, 500000.0, 0.0, -10.0, 6000000.0}));
  EXPECT_EQ(label.at("raster:bands").at(0).at("nodata"), 255.0);
  EXPECT_EQ(label.at("classification:classes").at(2).at("name"), "boundary");
  EXPECT_EQ(label.at("file:checksum"), "1220" + geo::sha256_of_file(path("label.tif")));
  EXPECT_EQ(result.at("assets").at("fields").at("type"), "application/geopackage+sqlite3");
  EXPECT_THAT(result.at("assets").at("fields").at("description"), testing::HasSubstr("fields (1)"));
  EXPECT_EQ(result.at("assets").at("report").at("roles"), json({"overview"}));
  // 500000 lies on the meridian of 9 degrees.
  EXPECT_NEAR(result.at("bbox").at(0).get<double>(), 9.0, 1e-6);
  EXPECT_NEAR(result.at("bbox").at(2).get<double>(), 9.0061, 1e-4);
}

TEST_F(MapItem, IsTheSameForTheSameFiles) {
  write_labels("label.tif", test::utm_grid(40, 30), "2021:06:15 10:00:00");
  setenv("SOURCE_DATE_EPOCH", "1600000000", 1);
  EXPECT_EQ(item({path("label.tif")}), item({path("label.tif")}));
  EXPECT_EQ(item({path("label.tif")}).at("properties").at("created"), "2020-09-13T12:26:40Z");
  unsetenv("SOURCE_DATE_EPOCH");
}

TEST_F(MapItem, TakesPlaceAndTimeFromFieldsAlone) {
  write_fields("fields.fgb");
  const json result = item({path("fields.fgb")});
  EXPECT_THAT(problems_of(result), testing::IsEmpty());
  EXPECT_EQ(result.at("properties").at("proj:epsg"), 32632);
  EXPECT_EQ(result.at("properties").at("datetime"), "2021-06-15T00:00:00Z");
}

TEST_F(MapItem, KnowsGeoJsonByItsContent) {
  write_fields("fields.geojson");
  std::filesystem::rename(path("fields.geojson"), path("fields.json"));
  geo::write_text_file(path("report.json"), "{\"fields\": 1}", false);
  const json result = item({path("fields.json"), path("report.json")});
  EXPECT_THAT(problems_of(result), testing::IsEmpty());
  EXPECT_EQ(result.at("assets").at("fields").at("type"), "application/geo+json");
  EXPECT_EQ(result.at("assets").at("fields").at("roles"), json({"data"}));
  EXPECT_EQ(result.at("assets").at("report").at("type"), "application/json");
  EXPECT_EQ(result.at("assets").at("report").at("roles"), json({"metadata"}));
}

TEST_F(MapItem, SaysARangeWhereDaysDiffer) {
  write_labels("a.tif", test::utm_grid(4, 3), "2021:06:15 10:00:00");
  write_labels("b.tif", test::utm_grid(4, 3), "2021:04:01 10:00:00");
  const json result = item({path("a.tif"), path("b.tif")});
  EXPECT_THAT(problems_of(result), testing::IsEmpty());
  EXPECT_TRUE(result.at("properties").at("datetime").is_null());
  EXPECT_EQ(result.at("properties").at("start_datetime"), "2021-04-01T00:00:00Z");
  EXPECT_EQ(result.at("properties").at("end_datetime"), "2021-06-15T23:59:59Z");
}

TEST_F(MapItem, CrossesTheAntimeridian) {
  geo::Grid grid = test::utm_grid(200, 200);
  grid.crs = geo::Crs::from_user_input("EPSG:4326");
  grid.transform = {179.99, 1e-4, 0.0, -17.0, 0.0, -1e-4};
  write_labels("fiji.tif", grid, "2021:06:15 10:00:00");
  const json result = item({path("fiji.tif")});
  EXPECT_EQ(result.at("geometry").at("type"), "MultiPolygon");
  EXPECT_NEAR(result.at("bbox").at(0).get<double>(), 179.99, 1e-6);
  EXPECT_NEAR(result.at("bbox").at(2).get<double>(), -179.99, 1e-6);
}

TEST_F(MapItem, RefusesWhatNobodyCouldFind) {
  write_labels("undated.tif", test::utm_grid(4, 3));
  EXPECT_THROW((void)item({path("undated.tif")}), geo::InvalidArgument);
  MapItemOptions dated = named();
  dated.image_date = "2021-06-15";
  EXPECT_NO_THROW((void)item({path("undated.tif")}, dated));
  dated.image_date = "soon";
  EXPECT_THROW((void)item({path("undated.tif")}, dated), geo::InvalidArgument);
  geo::write_text_file(path("report.html"), "<p>", false);
  EXPECT_THROW((void)item({path("report.html")}), geo::InvalidArgument);  // nowhere
}

}  // namespace
}  // namespace furrow::assessment
