#include "stac_item.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "training_scene.h"

namespace furrow::segmentation {
namespace {

using nlohmann::json;
using test::TemporaryFolder;

ModelSpec spec_of_two_bands() {
  ModelSpec spec;
  spec.id = "0a1b";
  spec.created = "2024-05-01T12:00:00Z";
  spec.architecture = "unet";
  spec.bands = {{"red"}, {"nir"}};
  spec.classes = {{0, "background"}, {1, "interior"}, {2, "boundary"}};
  spec.normalisation.scope = geo::NormaliseScope::kStored;
  spec.normalisation.per_band = true;
  spec.normalisation.stored = {{100.0, 900.0, 400.0, 50.0, 10}, {200.0, 800.0, 500.0, 60.0, 10}};
  spec.training = {{"seed", "7"}, {"libtorch", "1.13.1"}};
  return spec;
}

TrainingPlace place_of_a_summer() {
  TrainingPlace place;
  place.lonlat = {8.0, 55.0, 9.5, 56.0};
  place.first_day = "2021-06-01";
  place.last_day = "2021-08-31";
  return place;
}

TEST(StacItem, HasWhatItemsAndTheExtensionRequire) {
  const json item = stac_item(spec_of_two_bands(), place_of_a_summer(), 1234);
  EXPECT_EQ(item.at("type"), "Feature");
  EXPECT_EQ(item.at("stac_version"), "1.1.0");
  EXPECT_EQ(item.at("stac_extensions"), json({"https://stac-extensions.github.io/mlm/v1.5.2/schema.json"}));
  EXPECT_EQ(item.at("bbox"), json({8.0, 55.0, 9.5, 56.0}));
  EXPECT_EQ(item.at("geometry").at("coordinates").at(0).size(), 5u);
  EXPECT_EQ(item.at("geometry").at("coordinates").at(0).at(2), json({9.5, 56.0}));
  EXPECT_TRUE(item.at("links").is_array());
  const json& properties = item.at("properties");
  EXPECT_EQ(properties.at("datetime"), nullptr);
  EXPECT_EQ(properties.at("start_datetime"), "2021-06-01T00:00:00Z");
  EXPECT_EQ(properties.at("end_datetime"), "2021-08-31T23:59:59Z");
  for (const char* name : {"mlm:name", "mlm:architecture", "mlm:tasks", "mlm:input", "mlm:output"})
    EXPECT_TRUE(properties.contains(name)) << name;
  EXPECT_EQ(properties.at("mlm:framework_version"), "1.13.1");
  EXPECT_EQ(properties.at("mlm:total_parameters"), 1234);
  EXPECT_EQ(properties.at("mlm:hyperparameters").at("seed"), "7");
  EXPECT_EQ(properties.at("bands"), json::parse(R"([{"name": "red"}, {"name": "nir"}])"));
  EXPECT_EQ(properties.at("mlm:output").at(0).at("classification:classes").at(2).at("value"), 2);
}

TEST(StacItem, InputSaysShapeOrderAndScaling) {
  const json item = stac_item(spec_of_two_bands(), {}, 1);
  const json& input = item.at("properties").at("mlm:input").at(0);
  EXPECT_EQ(input.at("bands"), json({"red", "nir"}));
  EXPECT_EQ(input.at("input").at("shape"), json({-1, 2, -1, -1}));
  EXPECT_EQ(input.at("input").at("dim_order"), json({"batch", "bands", "height", "width"}));
  EXPECT_EQ(input.at("value_scaling"),
            json::parse(R"([{"type": "min-max", "minimum": 100.0, "maximum": 900.0},
                                                       {"type": "min-max", "minimum": 200.0, "maximum": 800.0}])"));
}

TEST(StacItem, ScalingOfEveryNormalisation) {
  const auto scaling = [](geo::NormaliseMethod method, geo::NormaliseScope scope) {
    ModelSpec spec = spec_of_two_bands();
    spec.normalisation.method = method;
    spec.normalisation.scope = scope;
    const json item = stac_item(spec, {}, 1);
    return item.at("properties").at("mlm:input").at(0).at("value_scaling");
  };
  EXPECT_EQ(scaling(geo::NormaliseMethod::kDivide, geo::NormaliseScope::kStored),
            json::parse(R"([{"type": "scale", "value": 3000.0}])"));
  EXPECT_EQ(scaling(geo::NormaliseMethod::kZScore, geo::NormaliseScope::kStored).at(1),
            json::parse(R"({"type": "z-score", "mean": 500.0, "stddev": 60.0})"));
  const json scene = scaling(geo::NormaliseMethod::kMinMax, geo::NormaliseScope::kScene);
  ASSERT_EQ(scene.size(), 1u);
  EXPECT_EQ(scene.at(0).at("type"), "processing");
  EXPECT_EQ(scene.at(0).at("expression"),
            "clip((value - p1) / (p99 - p1), 0, 1), percentiles of each band in the whole scene");
}

TEST(StacItem, WithoutPlaceAndDateItHasNoBoxAndTheDayOfTheTraining) {
  const json item = stac_item(spec_of_two_bands(), {}, 1);
  EXPECT_TRUE(item.at("geometry").is_null());
  EXPECT_FALSE(item.contains("bbox"));
  EXPECT_EQ(item.at("properties").at("datetime"), "2024-05-01T12:00:00Z");
}

TEST(StacItem, AssetsSayTheirKindAndModelsTheirFormat) {
  const json assets = stac_item(spec_of_two_bands(), {}, 1).at("assets");
  EXPECT_EQ(assets.at("weights").at("href"), "./weights.safetensors");
  EXPECT_EQ(assets.at("weights").at("mlm:artifact_type"), "safetensors.torch.save_file");
  EXPECT_EQ(assets.at("torchscript").at("mlm:artifact_type"), "torch.jit.save");
  for (const auto& [name, asset] : assets.items()) {
    const bool model = std::ranges::count(asset.at("roles"), json("mlm:model")) > 0;
    EXPECT_EQ(model, asset.contains("mlm:artifact_type")) << name;
    EXPECT_EQ(model, asset.contains("bands")) << name;
  }
}

TEST(StacItem, PlaceIsTheBoxAndTheDaysOfAllImages) {
  const TemporaryFolder folder;
  geo::Grid grid = test::utm_grid(128, 96);
  grid.transform = {500000.0, 10.0, 0.0, 6000960.0, 0.0, -10.0};
  geo::RasterSpec july;
  july.metadata["TIFFTAG_DATETIME"] = "2021:07:15 10:30:00";
  geo::RasterSpec june;
  june.metadata["TIFFTAG_DATETIME"] = "2021:06:02 10:30:00";
  const std::string labels = testing_scene::write(folder, "l.tif", testing_scene::labels(128, 96), grid);
  const std::string a = testing_scene::write(folder, "a.tif", testing_scene::image(128, 96), grid, july);
  const std::string b = testing_scene::write(folder, "b.tif", testing_scene::image(128, 96, 2), grid, june);
  TrainingDataOptions options;
  options.chip_px = 32;
  geo::ExecContext exec({2, 0});
  const TrainingData data({{a, labels, ""}, {b, labels, ""}}, options, exec);
  const TrainingPlace place = find_place(data);
  EXPECT_EQ(place.first_day, "2021-06-02");
  EXPECT_EQ(place.last_day, "2021-07-15");
  // Easting 500000 is the zone's meridian, 9 degrees east.
  EXPECT_NEAR(place.lonlat.min_x, 9.0, 1e-9);
  EXPECT_NEAR(place.lonlat.max_x, 9.0 + 1280.0 / (111320.0 * std::cos(54.15 * M_PI / 180.0)), 2e-4);
  EXPECT_NEAR(place.lonlat.height(), 960.0 / 111300.0, 1e-4);
}

}  // namespace
}  // namespace furrow::segmentation
