#include <furrow/assessment/fiboa.h>

#include <cmath>
#include <fstream>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/vector/geos.h>

#include "support.h"

namespace furrow::assessment {
namespace {

using nlohmann::json;
using testing::HasSubstr;

/// What is wrong with a file by the specifications (Vecorel 0.1.0 core and GeoJSON encoding, fiboa 0.3.0,
/// geometry-metrics 0.1.0), written down from their text and schemas.
class Validator {
 public:
  std::vector<std::string> check(const json& file) {
    expect(file.at("type") == "FeatureCollection", "type");
    expect(!file.contains("crs"), "RFC 7946 has no crs");
    const json& schemas = file.at("schemas");
    expect(schemas.is_object() && schemas.size() == 1, "schemas");
    m_collection = schemas.begin().key();
    const std::set<std::string> named = schemas.begin().value().get<std::set<std::string>>();
    expect(named.contains("https://vecorel.org/specification/v0.1.0/schema.yaml"), "core schema");
    expect(named.contains("https://fiboa.org/specification/v0.3.0/schema.yaml"), "fiboa schema");
    static const std::set<std::string> kMethods{"manual",         "driven",       "surveyed",
                                                "auto-operation", "auto-imagery", "unknown"};
    expect(kMethods.contains(file.value("determination:method", "")), "determination:method");
    m_custom = file.value("schemas:custom", json{{"properties", json::object()}}).at("properties");
    for (const json& feature : file.at("features")) check_feature(file, feature);
    return m_problems;
  }

 private:
  void expect(bool good, const std::string& what) {
    if (!good) m_problems.push_back(what);
  }

  void check_feature(const json& file, const json& feature) {
    expect(feature.at("type") == "Feature", "feature type");
    expect(feature.at("id").is_string() && !feature.at("id").get<std::string>().empty(), "id is text");
    expect(m_ids.insert(feature.at("id").dump()).second, "id repeated " + feature.at("id").dump());
    const json& p = feature.at("properties");
    expect(p.at("collection") == m_collection, "collection");
    for (const auto& [name, value] : p.items()) {
      expect(!value.is_null(), name + " is null");
      expect(!file.contains(name), name + " is said twice");
      check_property(name, value);
    }
    check_geometry(feature.at("geometry"));
  }

  void check_property(const std::string& name, const json& value) {
    if (name == "collection") return;
    if (name == "metrics:area") return expect(value > 0.0 && value <= 1e9, name);
    if (name == "metrics:perimeter") return expect(value > 0.0 && value <= 1.25e9, name);
    if (name == "determination:datetime") {
      const auto text = value.get<std::string>();
      return expect(text.size() == 20 && text[10] == 'T' && text.back() == 'Z', name + " " + text);
    }
    if (!m_custom.contains(name)) return expect(false, name + " is not declared");
    const json& schema = m_custom.at(name);
    const std::string type = schema.at("type");
    if (type == "int64") return expect(value.is_number_integer(), name);
    if (type == "double") return expect(value.is_number() && value >= schema.at("minimum"), name);
    if (type == "boolean") return expect(value.is_boolean(), name);
    expect(value.is_string() && (type == "string" || type == "date" || type == "date-time"), name);
  }

  void check_geometry(const json& geometry) {
    const bool single = geometry.at("type") == "Polygon";
    expect(single || geometry.at("type") == "MultiPolygon", "geometry type");
    geo::MultiPolygon shape;
    const json parts = single ? json::array({geometry.at("coordinates")}) : geometry.at("coordinates");
    for (const json& part : parts) {
      geo::Polygon polygon;
      for (const json& points : part) {
        geo::Ring ring;
        for (const json& point : points) {
          ring.push_back({point.at(0).get<double>(), point.at(1).get<double>()});
          const geo::Point p = ring.back();
          expect(std::abs(p.x) <= 180.0 && std::abs(p.y) <= 90.0, "degrees");
          expect(std::abs(p.x * 1e7 - std::round(p.x * 1e7)) < 1e-4, "7 decimals");
        }
        const bool shell = polygon.shell.empty();
        expect((geo::signed_area(ring) > 0.0) == shell, "right-hand rule");
        (shell ? polygon.shell : polygon.holes.emplace_back()) = std::move(ring);
      }
      shape.push_back(std::move(polygon));
    }
    const geo::Validity validity = geo::check_validity(shape);
    expect(validity.valid, validity.reason);
  }

  std::string m_collection;
  json m_custom;
  std::set<std::string> m_ids;
  std::vector<std::string> m_problems;
};

json parsed(const std::filesystem::path& path) {
  std::ifstream file(path);
  return json::parse(file);
}

json exported(geo::Layer layer, const FiboaOptions& options) {
  const test::TemporaryFolder folder;
  write_fiboa(std::move(layer), folder / "fields.json", options, false);
  json file = parsed(folder / "fields.json");
  EXPECT_THAT(Validator().check(file), testing::IsEmpty());
  return file;
}

geo::Layer two_fields() {
  geo::Layer layer =
      test::layer_of({"POLYGON((500000 6000000,500100 6000000,500100 6000100,500000 6000100,500000 "
                      "6000000),(500040 6000040,500040 6000060,500060 6000060,500060 6000040,500040 "
                      "6000040))",
                      "POLYGON((500100 6000000,500200 6000000,500200 6000100,500100 6000000))"});
  layer.fields = {{"id", geo::FieldType::kString, ""},          {"area_ha", geo::FieldType::kReal, ""},
                  {"confidence", geo::FieldType::kInteger, ""}, {"p_field_mean", geo::FieldType::kReal, ""},
                  {"image_date", geo::FieldType::kDate, ""},    {"Crop", geo::FieldType::kString, ""}};
  layer.features[0].values = {std::string("a"),    1.0, std::int64_t{80}, 0.0, std::string("2021-06-15"),
                              std::string("wheat")};
  layer.features[1].values = {std::string("b"), 0.5, {}, 0.5, {}, {}};
  return layer;
}

FiboaOptions options() {
  FiboaOptions options;
  options.collection = "region";
  return options;
}

TEST(Fiboa, WritesValidFiles) {
  FiboaOptions all = options();
  all.details = "U-Net \"m1\"";
  all.license = "CC-BY-4.0";
  const json file = exported(two_fields(), all);
  EXPECT_EQ(file.at("determination:method"), "auto-imagery");
  EXPECT_EQ(file.at("determination:details"), "U-Net \"m1\"");
  EXPECT_EQ(file.at("license"), "CC-BY-4.0");
  const json& first = file.at("features").at(0);
  EXPECT_EQ(first.at("id"), "a");
  // 100 m x 100 m with a hole of 20 m x 20 m; the scale of UTM is 0.9996 on its central meridian.
  EXPECT_NEAR(first.at("properties").at("metrics:area").get<double>(), 9600.0 / (0.9996 * 0.9996), 0.1);
  EXPECT_NEAR(first.at("properties").at("metrics:perimeter").get<double>(), 480.0 / 0.9996, 0.01);
  EXPECT_EQ(first.at("properties").at("determination:datetime"), "2021-06-15T00:00:00Z");
  EXPECT_EQ(first.at("properties").at("quality:confidence"), 80);
  EXPECT_EQ(first.at("properties").at("Crop"), "wheat");
  EXPECT_FALSE(first.at("properties").contains("area_ha"));
  const json& second = file.at("features").at(1).at("properties");
  EXPECT_FALSE(second.contains("determination:datetime"));  // unset: left out, not null
  EXPECT_FALSE(second.contains("quality:confidence"));
}

TEST(Fiboa, SaysADateForAllOnce) {
  FiboaOptions dated = options();
  dated.image_date = "2020-01-31";
  const json file = exported(two_fields(), dated);
  EXPECT_EQ(file.at("determination:datetime"), "2020-01-31T00:00:00Z");
  dated.image_date = "2020-02-31";
  EXPECT_THROW((void)to_fiboa(two_fields(), dated), geo::InvalidArgument);
}

TEST(Fiboa, MakesIdsDiffer) {
  geo::Layer layer = two_fields();
  layer.features[1].values[0] = std::string("a");
  const json file = exported(layer, options());
  EXPECT_EQ(file.at("features").at(1).at("id"), "a-2");
  layer.fields[0].name = "name";  // no ids at all
  layer.features[0].fid = 7;
  layer.features[1].fid = 8;
  EXPECT_EQ(exported(layer, options()).at("features").at(1).at("id"), "8");
}

TEST(Fiboa, LeavesOutFeaturesWithoutPolygonAndSaysNothingForbidden) {
  geo::Layer layer = two_fields();
  layer.features[1].geometry.clear();
  layer.fields[5].name = "type";  // a member of GeoJSON
  EXPECT_EQ(exported(layer, options()).at("features").size(), 1U);
}

TEST(Fiboa, StaysValidWithThinAndTouchingShapes) {
  geo::Random random(11);
  geo::Layer layer;
  layer.name = "fields";
  layer.crs = geo::Crs::from_user_input("EPSG:32632");
  for (int i = 0; i < 300; ++i) {  // slivers of centimetres, in all directions
    const double x = 500000.0 + random.uniform() * 1000.0;
    const double y = 6000000.0 + random.uniform() * 1000.0;
    const double turn = random.uniform() * 6.28;
    const double width = 0.003 + 0.05 * random.uniform();
    const geo::Point along{std::cos(turn) * 30.0, std::sin(turn) * 30.0};
    const geo::Point across{-std::sin(turn) * width, std::cos(turn) * width};
    geo::Ring ring{{x, y},
                   {x + along.x, y + along.y},
                   {x + along.x + across.x, y + along.y + across.y},
                   {x + 0.5 * along.x + 0.1 * across.x, y + 0.5 * along.y + 0.1 * across.y},
                   {x + across.x, y + across.y},
                   {x, y}};
    layer.features.push_back({i, {{std::move(ring), {}}}, {}});
  }
  const json file = exported(layer, options());
  EXPECT_GT(file.at("features").size(), 200U);
}

}  // namespace
}  // namespace furrow::assessment
