#include <furrow/segmentation/model_spec.h>

#include <fstream>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>

#include "support.h"

namespace furrow::segmentation {
namespace {

using furrow::test::TemporaryFolder;
using ::testing::AllOf;
using ::testing::HasSubstr;

ModelSpec full_spec() {
  ModelSpec spec;
  spec.id = "unet-0a1b";
  spec.created = "2024-05-01T12:00:00Z";
  spec.architecture = "unet";
  spec.architecture_parameters = {{"base_width", 32.0}, {"dropout", 0.15}};
  spec.bands = {{"blue"}, {"green"}, {"red"}, {"nir"}};
  spec.normalisation.method = geo::NormaliseMethod::kZScore;
  spec.normalisation.scope = geo::NormaliseScope::kStored;
  spec.normalisation.per_band = true;
  spec.normalisation.low_percentile = 2.0;
  spec.normalisation.high_percentile = 98.0;
  spec.normalisation.divisor = 1e4;
  spec.normalisation.stored.assign(4, {1.0, 3000.0, 0.1, 1.0 / 3.0, 123456789012});
  spec.pixel_size_m = 4.77;
  spec.classes = {{0, "background"}, {1, "interior"}, {2, "boundary"}};
  spec.stride_px = 32;
  spec.receptive_radius_px = 94;
  spec.temperature = 1.37;
  spec.extent_threshold = 0.45;
  spec.watershed_cut = 0.1;
  spec.boundary_threshold = 0.35;
  spec.min_area_m2 = 1200.0;
  spec.weights_file = "w.safetensors";
  spec.weights_sha256 = "abc";
  spec.torchscript_file = "m.ts";
  spec.features = ModelFeatures{"f.safetensors", "def", 64, 1000, 200};
  spec.training = {{"seed", "7"}, {"risk", "soft"}};
  return spec;
}

/// The smallest model.json that a person could write by hand for a network of their own.
const std::string kMinimal = R"({
  "schema": "furrow/model/1",
  "architecture": {"name": "torchscript"},
  "input": {"bands": [{"name": "red"}], "stride_px": 8, "receptive_radius_px": 40},
  "normalisation": {"method": "divide", "divisor": 255},
  "output": {"classes": [{"value": 0, "name": "background"}, {"value": 1, "name": "interior"}]}
})";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

/// The message of reading a model.json with this text.
template <class ErrorType>
std::string message_of(const std::string& text) {
  const TemporaryFolder folder;
  geo::write_text_file(folder / "model.json", text, false);
  try {
    (void)read_model_spec(folder.path());
  } catch (const ErrorType& error) {
    return error.what();
  }
  return "no error";
}

TEST(ModelSpec, EveryMemberSurvivesARoundTrip) {
  const TemporaryFolder folder;
  const ModelSpec a = full_spec();
  write_model_spec(a, folder.path());
  const ModelSpec b = read_model_spec(folder.path());
  EXPECT_EQ(b.id, a.id);
  EXPECT_EQ(b.created, a.created);
  EXPECT_EQ(b.architecture, a.architecture);
  ASSERT_TRUE(b.features);
  EXPECT_EQ(b.features->file, "f.safetensors");
  EXPECT_EQ(b.features->sha256, "def");
  EXPECT_EQ(b.features->window_px, 64);
  EXPECT_EQ(b.features->train_windows, 1000);
  EXPECT_EQ(b.features->reference_windows, 200);
  EXPECT_EQ(b.architecture_parameters, a.architecture_parameters);
  ASSERT_EQ(b.bands.size(), 4U);
  EXPECT_EQ(b.bands[3].name, "nir");
  EXPECT_EQ(b.normalisation.method, a.normalisation.method);
  EXPECT_EQ(b.normalisation.scope, a.normalisation.scope);
  EXPECT_TRUE(b.normalisation.per_band);
  EXPECT_EQ(b.normalisation.low_percentile, 2.0);
  EXPECT_EQ(b.normalisation.high_percentile, 98.0);
  EXPECT_EQ(b.normalisation.divisor, 1e4);
  ASSERT_EQ(b.normalisation.stored.size(), 4U);
  EXPECT_EQ(b.normalisation.stored[2].sd, 1.0 / 3.0);
  EXPECT_EQ(b.normalisation.stored[2].count, 123456789012);
  EXPECT_EQ(b.pixel_size_m, 4.77);
  ASSERT_EQ(b.classes.size(), 3U);
  EXPECT_EQ(b.classes[2].name, "boundary");
  EXPECT_EQ(b.stride_px, 32);
  EXPECT_EQ(b.receptive_radius_px, 94);
  EXPECT_EQ(b.temperature, 1.37);
  EXPECT_EQ(b.extent_threshold, 0.45);
  EXPECT_EQ(b.watershed_cut, 0.1);
  EXPECT_EQ(b.boundary_threshold, 0.35);
  EXPECT_EQ(b.min_area_m2, 1200.0);
  EXPECT_EQ(b.weights_file, "w.safetensors");
  EXPECT_EQ(b.weights_sha256, "abc");
  EXPECT_EQ(b.torchscript_file, "m.ts");
  EXPECT_EQ(b.training, a.training);
}

TEST(ModelSpec, IdenticalSpecsGiveIdenticalBytesAndSortedKeys) {
  const TemporaryFolder one;
  const TemporaryFolder two;
  write_model_spec(full_spec(), one.path());
  write_model_spec(read_model_spec(one.path()), two.path());
  const std::string text = test::bytes_of(one / "model.json");
  EXPECT_EQ(text, test::bytes_of(two / "model.json"));
  EXPECT_TRUE(text.starts_with("{\n  \"architecture\": {\n    \"name\": \"unet\","));
  EXPECT_TRUE(text.ends_with("}\n"));
  EXPECT_LT(text.find("\"calibration\""), text.find("\"schema\""));
}

TEST(ModelSpec, StoringTheDelineationLeavesAllElse) {
  const TemporaryFolder folder;
  const std::string text = replaced(kMinimal, "\"input\"", "\"owner\": {\"b\": 1, \"a\": [2]}, \"input\"");
  geo::write_text_file(folder / "model.json", text, false);
  ModelSpec spec = read_model_spec(folder.path());
  EXPECT_FALSE(spec.min_area_m2.has_value());
  spec.watershed_cut = 0.125;
  spec.min_area_m2 = 800.0;
  store_delineation(spec, folder.path());
  const ModelSpec again = read_model_spec(folder.path());
  EXPECT_EQ(again.watershed_cut, 0.125);
  EXPECT_EQ(again.min_area_m2, 800.0);
  EXPECT_FALSE(again.boundary_threshold.has_value());
  EXPECT_EQ(again.receptive_radius_px, 40);
  const std::string stored = test::bytes_of(folder / "model.json");
  EXPECT_LT(stored.find("\"schema\""), stored.find("\"owner\""));
  EXPECT_LT(stored.find("\"b\""), stored.find("\"a\""));
  store_delineation(again, folder.path());
  EXPECT_EQ(test::bytes_of(folder / "model.json"), stored);
  spec.min_area_m2 = -1.0;
  EXPECT_THROW(store_delineation(spec, folder.path()), geo::ModelError);
}

TEST(ModelSpec, KeepsACalibrationOfConfidenceUntilFieldsAreMadeInAnotherWay) {
  const TemporaryFolder folder;
  geo::write_text_file(folder / "model.json", replaced(kMinimal, "{", "{\"owner\": \"me\","), false);
  EXPECT_FALSE(read_confidence(folder.path()).has_value());
  store_confidence(R"({"schema": "furrow/confidence/1", "knots": [[0.1, 0.2]]})", folder.path());
  EXPECT_EQ(read_confidence(folder.path()), R"({"schema":"furrow/confidence/1","knots":[[0.1,0.2]]})");
  EXPECT_THAT(test::bytes_of(folder / "model.json"), HasSubstr("\"owner\": \"me\""));
  ModelSpec spec = read_model_spec(folder.path());
  store_delineation(spec, folder.path());  // nothing new
  EXPECT_TRUE(read_confidence(folder.path()).has_value());
  spec.watershed_cut = 0.4;
  store_delineation(spec, folder.path());
  EXPECT_FALSE(read_confidence(folder.path()).has_value());
}

TEST(ModelSpec, HandWrittenMinimumGetsDefaultsAndUnknownKeysAreIgnored) {
  const TemporaryFolder folder;
  geo::write_text_file(folder / "model.json", replaced(kMinimal, "{", "{\"licence\": \"CC-BY-4.0\","), false);
  const ModelSpec spec = read_model_spec(folder.path());
  EXPECT_EQ(spec.normalisation.method, geo::NormaliseMethod::kDivide);
  EXPECT_EQ(spec.normalisation.divisor, 255.0);
  EXPECT_EQ(spec.temperature, 1.0);
  EXPECT_EQ(spec.torchscript_file, "model.ts");
  EXPECT_EQ(spec.receptive_radius_px, 40);
}

TEST(ModelSpec, MessagesNameFileKeyAndWhatWasFound) {
  using geo::ModelError;
  EXPECT_THAT(message_of<ModelError>(replaced(kMinimal, "\"stride_px\": 8, ", "")),
              AllOf(HasSubstr("model.json'"), HasSubstr("'input.stride_px' is missing")));
  EXPECT_THAT(message_of<ModelError>(replaced(kMinimal, "\"stride_px\": 8", "\"stride_px\": \"ten\"")),
              HasSubstr("'input.stride_px' must be an integer, got text \"ten\""));
  EXPECT_THAT(message_of<ModelError>(replaced(kMinimal, "\"stride_px\": 8", "\"stride_px\": 8.5")),
              HasSubstr("must be an integer, got the number 8.5"));
  EXPECT_THAT(message_of<ModelError>(replaced(kMinimal, "\"stride_px\": 8", "\"stride_px\": 0")),
              HasSubstr("'input.stride_px' must lie in 1 to 4096, got 0"));
  EXPECT_THAT(message_of<ModelError>(replaced(kMinimal, "\"divide\"", "\"log\"")),
              HasSubstr("'normalisation.method' must be one of minmax, zscore, divide, got \"log\""));
  EXPECT_THAT(message_of<ModelError>(replaced(kMinimal, "{\"name\": \"red\"}", "\"red\"")),
              HasSubstr("'input.bands[0]' must be an object, got text \"red\""));
  EXPECT_THAT(message_of<ModelError>(replaced(kMinimal, "\"value\": 1", "\"value\": 0")),
              HasSubstr("value 0 is there twice"));
  EXPECT_THAT(message_of<ModelError>(replaced(kMinimal, "[{\"name\": \"red\"}]", "[]")),
              HasSubstr("at least one band"));
  EXPECT_THAT(message_of<ModelError>(replaced(kMinimal, "\"divide\"", "\"zscore\", \"scope\": \"stored\"")),
              HasSubstr("normalisation.stored needs 1 entry, it has 0"));
}

TEST(ModelSpec, WrongSchemaIsRefused) {
  using geo::ModelError;
  EXPECT_THAT(
      message_of<ModelError>(replaced(kMinimal, "furrow/model/1", "furrow/model/2")),
      AllOf(HasSubstr("must be \"furrow/model/1\", got \"furrow/model/2\""), HasSubstr("another version")));
  EXPECT_THAT(message_of<ModelError>(replaced(kMinimal, "furrow/model/1", "other")),
              HasSubstr("got \"other\""));
  EXPECT_THAT(message_of<ModelError>("{}"), HasSubstr("'schema' is missing"));
  EXPECT_THAT(message_of<ModelError>("[1]"), HasSubstr("must hold a JSON object, got a list"));
  EXPECT_THAT(message_of<ModelError>("{\n\"schema\": ,}"),
              AllOf(HasSubstr("not valid JSON"), HasSubstr("line 2")));
}

TEST(ModelSpec, MissingFolderAndFolderWithoutModelSayWhich) {
  const TemporaryFolder folder;
  const auto message = [](const std::filesystem::path& path) -> std::string {
    try {
      (void)read_model_spec(path);
    } catch (const geo::IoError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(message(folder / "gone"), AllOf(HasSubstr("gone'"), HasSubstr("no such folder")));
  EXPECT_THAT(message(folder.path()), HasSubstr("it has no model.json"));
  std::ofstream(folder / "file") << "x";
  EXPECT_THAT(message(folder / "file"), HasSubstr("is a file, not a model folder"));
}

TEST(ModelSpec, WritingRefusesWhatCouldNotBeRead) {
  const TemporaryFolder folder;
  ModelSpec spec = full_spec();
  spec.temperature = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(write_model_spec(spec, folder.path()), geo::ModelError);
  EXPECT_FALSE(std::filesystem::exists(folder / "model.json"));
}

std::string image_message(int bands, double pixel_size_m) {
  try {
    check_image(full_spec(), "a.tif", bands, pixel_size_m);
  } catch (const geo::ModelError& error) {
    return error.what();
  }
  return "no error";
}

TEST(CheckImage, NamesModelImageAndTheDifference) {
  EXPECT_EQ(image_message(4, 4.77), "no error");
  EXPECT_EQ(image_message(4, 2.0 * 4.77), "no error");
  EXPECT_EQ(image_message(4, 0.5 * 4.77), "no error");
  EXPECT_EQ(image_message(4, 0.0), "no error") << "unknown pixel size";
  EXPECT_EQ(image_message(3, 4.77),
            "model 'unet-0a1b' was made for 4 bands (blue, green, red, nir), image 'a.tif' has 3; give these "
            "bands in this order, or use another model");
  EXPECT_THAT(image_message(5, 4.77), HasSubstr("has 5"));
  EXPECT_THAT(image_message(4, 10.0), AllOf(HasSubstr("pixels of 4.77 m"), HasSubstr("'a.tif' has 10.00 m")));
  EXPECT_THAT(image_message(4, 2.0), HasSubstr("factor of 2"));
}

}  // namespace
}  // namespace furrow::segmentation
