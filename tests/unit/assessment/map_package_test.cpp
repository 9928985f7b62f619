#include <furrow/assessment/map_package.h>

#include <cstdlib>
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
  ASSERT_EQ(styles.features.size(), 3U);
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
  EXPECT_EQ(styles.features.size(), 6U);
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
