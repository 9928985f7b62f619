#include <furrow/assessment/map_package.h>

#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>

#include "support.h"

namespace furrow::assessment {
namespace {

MapPackage example() {
  MapPackage package;
  package.fields = test::layer_of({"POLYGON((500000 6000000,500100 6000000,500100 6000100,500000 6000000))"});
  package.fields.fields = {{"confidence", geo::FieldType::kInteger, "Confidence"}};
  package.fields.features[0].values = {std::int64_t{71}};
  package.run_info["model"] = "m1";
  return package;
}

TEST(MapPackage, HoldsLayersStylesAndRunInformation) {
  const test::TemporaryFolder folder;
  write_map_package(example(), folder / "map.gpkg", false);
  geo::LayerReadOptions options;
  options.layer = "fields";
  const auto fields = geo::read_layer((folder / "map.gpkg").string(), options);
  EXPECT_EQ(geo::as_integer(fields.features[0].values[fields.field("confidence")]), 71);
  options.require_polygons = false;
  options.layer = "layer_styles";
  const auto styles = geo::read_layer((folder / "map.gpkg").string(), options);
  ASSERT_EQ(styles.features.size(), 3U);  // by confidence (there is no area_ha), outlines, titles of run_info
  EXPECT_EQ(geo::as_text(styles.features[0].values[styles.field("f_table_name")]), "fields");
  EXPECT_EQ(geo::as_integer(styles.features[0].values[styles.field("useAsDefault")]), 1);
  options.layer = "run_info";
  const auto info = geo::read_layer((folder / "map.gpkg").string(), options);
  EXPECT_GE(info.features.size(), 6U);
}

TEST(MapPackage, HoldsWhatLabellersLeft) {
  const test::TemporaryFolder folder;
  MapPackage package = example();
  const auto square = [](const char* attribute, double value) {
    geo::Layer layer =
        test::layer_of({"POLYGON((500000 6000000,500100 6000000,500100 6000100,500000 6000000))"});
    layer.fields = {{attribute, geo::FieldType::kReal, ""}};
    layer.features[0].values = {value};
    return layer;
  };
  package.sites = square("Risk", 0.1);
  package.review_queue = square("rank", 1.0);
  package.consensus_fields = square("p_exists", 0.8);
  write_map_package(package, folder / "map.gpkg", false);
  std::vector<std::string> names;
  for (const auto& layer : geo::list_layers((folder / "map.gpkg").string())) names.push_back(layer.name);
  EXPECT_THAT(names,
              testing::IsSupersetOf({"fields", "sites", "review_queue", "consensus_fields", "run_info"}));
  geo::LayerReadOptions options;
  options.require_polygons = false;
  options.layer = "layer_styles";
  const auto styles = geo::read_layer((folder / "map.gpkg").string(), options);
  EXPECT_EQ(styles.features.size(),
            8U);  // two each of fields, sites, consensus fields; one each of the others
}

/// The style documents of a package by "layer/style".
std::map<std::string, std::string> styles_of(const std::filesystem::path& package) {
  geo::LayerReadOptions options;
  options.layer = "layer_styles";
  options.require_polygons = false;
  const auto table = geo::read_layer(package.string(), options);
  std::map<std::string, std::string> styles;
  for (const auto& row : table.features) {
    const auto text = [&](const char* field) { return geo::as_text(row.values[table.field(field)]); };
    styles[text("f_table_name") + "/" + text("styleName")] = text("styleQML");
  }
  return styles;
}

TEST(MapPackage, StylesSayTitlesAndMeanings) {
  const test::TemporaryFolder folder;
  MapPackage package = example();
  package.fields.fields = {{"touches_edge", geo::FieldType::kInteger, ""},
                           {"flag", geo::FieldType::kString, ""},
                           {"crop", geo::FieldType::kString, "Crop & \"use\""},
                           {"area_ha", geo::FieldType::kReal, ""}};
  package.fields.features[0].values = {std::int64_t{1}, std::string("edge;low_score"), {}, 0.5};
  write_map_package(package, folder / "map.gpkg", false);
  const auto styles = styles_of(folder / "map.gpkg");
  ASSERT_TRUE(styles.contains("fields/Field size"));
  EXPECT_FALSE(styles.contains("fields/Confidence"));  // there is no such attribute
  const std::string& qml = styles.at("fields/Field size");
  EXPECT_THAT(qml, testing::HasSubstr("<alias field=\"area_ha\" name=\"Area (ha)\"/>"));
  EXPECT_THAT(qml, testing::HasSubstr("<alias field=\"crop\" name=\"Crop &amp; &quot;use&quot;\"/>"));
  EXPECT_THAT(qml, testing::HasSubstr("<field name=\"touches_edge\"><editWidget type=\"ValueMap\">"));
  EXPECT_THAT(qml, testing::HasSubstr("name=\"yes\" value=\"1\""));
  EXPECT_THAT(qml,
              testing::HasSubstr("name=\"at the image's edge, low field score\" value=\"edge;low_score\""));
  EXPECT_THAT(qml, testing::HasSubstr("attr=\"coalesce(&quot;area_ha&quot;, -1)\""));
  EXPECT_THAT(styles.at("run_info/Titles"), testing::Not(testing::HasSubstr("renderer")));
}

TEST(MapPackage, ColumnsAreExplainedWithoutQgisToo) {
  const test::TemporaryFolder folder;
  MapPackage package = example();
  package.fields.fields.push_back({"cut_by_nodata", geo::FieldType::kInteger, ""});
  package.fields.features[0].values.emplace_back(std::int64_t{0});
  write_map_package(package, folder / "map.gpkg", false);
  const std::string file = (folder / "map.gpkg").string();
  const auto columns = test::run_command("ogrinfo -q " + file + " -sql \"SELECT * FROM gpkg_data_columns\"");
  EXPECT_THAT(columns.out, testing::HasSubstr("title (String) = Cut by missing data"));
  EXPECT_THAT(columns.out, testing::HasSubstr("constraint_name (String) = fields_cut_by_nodata"));
  // GDAL reads the codes as a field domain.
  const auto domain = test::run_command("ogrinfo -q -fielddomain fields_cut_by_nodata " + file);
  EXPECT_THAT(domain.out, testing::AllOf(testing::HasSubstr("0: no"), testing::HasSubstr("1: yes")));
  const auto summary = test::run_command("ogrinfo " + file);
  EXPECT_THAT(summary.out, testing::HasSubstr("SOFTWARE=furrow "));
}

TEST(MapPackage, IdenticalInputGivesIdenticalBytes) {
  const test::TemporaryFolder folder;
  setenv("SOURCE_DATE_EPOCH", "1600000000", 1);
  write_map_package(example(), folder / "a.gpkg", false);
  write_map_package(example(), folder / "b.gpkg", false);
  unsetenv("SOURCE_DATE_EPOCH");
  EXPECT_EQ(test::bytes_of(folder / "a.gpkg"), test::bytes_of(folder / "b.gpkg"));
}

TEST(MapPackage, DoesNotReplaceWithoutBeingAsked) {
  const test::TemporaryFolder folder;
  write_map_package(example(), folder / "a.gpkg", false);
  EXPECT_THROW(write_map_package(example(), folder / "a.gpkg", false), geo::IoError);
  EXPECT_NO_THROW(write_map_package(example(), folder / "a.gpkg", true));
}

}  // namespace
}  // namespace furrow::assessment
