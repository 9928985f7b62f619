// What `train` takes of a data set.
#include "training_scenes.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/writer.h>

#include "support.h"

namespace furrow::workflow {
namespace {

namespace fs = std::filesystem;
using segmentation::ScenePart;
using segmentation::TrainingScene;
using test::TemporaryFolder;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Files of data sets are looked for, not opened.
void touch(const fs::path& path, const std::string& text = "no raster") {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

dataset::Dataset read(const fs::path& path) {
  return dataset::read_dataset(path.string());
}

std::vector<std::string> images_of(const DatasetScenes& scenes, ScenePart part) {
  std::vector<std::string> names;
  for (const TrainingScene& scene : scenes.scenes) {
    if (scene.part == part) names.push_back(fs::path(scene.image).stem().string());
  }
  return names;
}

/// A table with samples a, b, ... of the given splits, countries X, Y, X, Y, ...
fs::path table(const TemporaryFolder& folder, const std::vector<std::string>& splits) {
  std::string text = "image,mask,split,country,risk\n";
  char name = 'a';
  for (const std::string& split : splits) {
    const std::string file = std::string(1, name) + ".tif";
    touch(folder / ("i/" + file));
    touch(folder / ("m/" + file));
    touch(folder / ("r/" + file));
    text += "i/" + file + ",m/" + file + "," + split + "," + ((name - 'a') % 2 == 0 ? "X" : "Y") + "," +
            (name == 'a' ? "r/" + file : "") + "\n";
    ++name;
  }
  touch(folder / "table.csv", text);
  return folder / "table.csv";
}

TEST(TrainingScenes, AreThoseOfTheSplitsTrainAndVal) {
  const TemporaryFolder folder;
  const DatasetScenes scenes =
      scenes_of(read(table(folder, {"train", "test", "validation", "none", "val", "train", "other"})));
  EXPECT_THAT(images_of(scenes, ScenePart::kTrain), ElementsAre("a", "f"));
  EXPECT_THAT(images_of(scenes, ScenePart::kValidate), ElementsAre("c", "e"));
  EXPECT_THAT(images_of(scenes, ScenePart::kBlocks), IsEmpty());
  EXPECT_EQ(scenes.with_risk, 1);
  EXPECT_THAT(scenes.scenes[0].risk, EndsWith("r/a.tif"));
  EXPECT_THAT(scenes.scenes[0].labels, EndsWith("m/a.tif"));
  EXPECT_FALSE(scenes.scenes[0].labels_are_polygons);
}

TEST(TrainingScenes, NeedSomethingToTrainOn) {
  const TemporaryFolder folder;
  const dataset::Dataset data = read(table(folder, {"test", "val", "test"}));
  try {
    static_cast<void>(scenes_of(data));
    ADD_FAILURE() << "no error";
  } catch (const geo::IoError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("no sample to train on (test 2, val 1)"),
                                    HasSubstr("table.csv"), HasSubstr("furrow check")));
  }
}

TEST(TrainingScenes, ValidateOnCountriesAndLeaveOtherSplitsAlone) {
  const TemporaryFolder folder;
  dataset::Dataset data = read(table(folder, {"train", "train", "val", "val", "test", "none"}));
  validate_on_countries(data, {"Y"});
  const DatasetScenes scenes = scenes_of(data);
  EXPECT_THAT(images_of(scenes, ScenePart::kTrain), ElementsAre("a", "c"));
  EXPECT_THAT(images_of(scenes, ScenePart::kValidate), ElementsAre("b", "d"));
  try {
    validate_on_countries(data, {"Y", "Z"});
    ADD_FAILURE() << "no error";
  } catch (const geo::InvalidArgument& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("no sample of country 'Z'"), HasSubstr("it has: X, Y")));
  }
}

TEST(TrainingScenes, StackTheWindowsOfTimeWithTheLaterOneFirst) {
  const TemporaryFolder folder;
  for (const char* id : {"g1", "g2"}) {
    for (const char* part : {"s2_images/window_a", "s2_images/window_b", "label_masks/semantic_2class",
                             "label_masks/semantic_3class", "label_masks/instance"})
      touch(folder / (geo::concat("austria/", part, "/", id, ".tif")));
  }
  touch(folder / "austria/chips_austria.csv", "aoi_id,split\ng1,train\ng2,test\n");
  const DatasetScenes scenes = scenes_of(read(folder.path()));
  ASSERT_EQ(scenes.scenes.size(), 1u);
  const TrainingScene& scene = scenes.scenes.front();
  EXPECT_THAT(scene.image, EndsWith("window_b/g1.tif"));
  EXPECT_THAT(scene.later_images, ElementsAre(EndsWith("window_a/g1.tif")));
  EXPECT_THAT(scene.labels, EndsWith("semantic_3class/g1.tif"));
  ASSERT_EQ(scenes.band_names.size(), 8u);
  EXPECT_THAT(scenes.band_names[0], HasSubstr("window_b"));
  EXPECT_THAT(scenes.band_names[4], HasSubstr("window_a"));
}

TEST(TrainingScenes, TakeTwoClassesWhereThereAreNoThree) {
  const TemporaryFolder folder;
  for (const char* part : {"s2_images/window_a", "s2_images/window_b", "label_masks/semantic_2class"})
    touch(folder / (geo::concat("austria/", part, "/g1.tif")));
  touch(folder / "austria/chips_austria.csv", "aoi_id,split\ng1,train\n");
  const DatasetScenes scenes = scenes_of(read(folder.path()));
  ASSERT_EQ(scenes.scenes.size(), 1u);
  EXPECT_THAT(scenes.scenes[0].labels, EndsWith("semantic_2class/g1.tif"));
}

TEST(TrainingScenes, OfALacunaTableKeepSeveralLabelsOfASiteInOnePart) {
  const TemporaryFolder folder;
  std::string text = "name,Class,assignment_id,image,label\n";
  for (int site = 1; site <= 6; ++site) {
    const std::string name = geo::concat("AO000000", site);
    touch(folder / ("images/" + name + "_2018-03.tif"));
    for (const int who : {1, 2}) {
      touch(folder / geo::concat("labels/", name, "_", who, "_2018-03.tif"));
      text += geo::concat(name, ",", who == 1 ? "1a" : "4", ",", who, ",", name, "_2018-03,", name, "_", who,
                          "_2018-03\n");
    }
  }
  touch(folder / "label-catalog-filtered.csv", text);
  dataset::Dataset data = read(folder.path());
  dataset::complete_splits(data, 0.3, 1);
  const DatasetScenes scenes = scenes_of(data);
  ASSERT_EQ(scenes.scenes.size(), 12u);
  EXPECT_EQ(images_of(scenes, ScenePart::kValidate).size(), 4u);  // two of six sites
  for (std::size_t i = 0; i < 12; i += 2) {
    EXPECT_EQ(scenes.scenes[i].image, scenes.scenes[i + 1].image);
    EXPECT_EQ(scenes.scenes[i].part, scenes.scenes[i + 1].part);
    EXPECT_EQ(scenes.scenes[i].labeller, "1a");
    EXPECT_EQ(scenes.scenes[i + 1].labeller, "4");
  }
}

TEST(TrainingScenes, OfFoldersPairByName) {
  const TemporaryFolder folder;
  for (const char* name : {"p", "q", "r", "s"}) {
    touch(folder / geo::concat("images/", name, ".tif"));
    touch(folder / geo::concat("labels/", name, std::string(name) == "q" ? "_mask.tif" : ".tif"));
  }
  dataset::Dataset data = read(folder.path());
  dataset::complete_splits(data, 0.25, 1);
  const DatasetScenes scenes = scenes_of(data);
  EXPECT_EQ(images_of(scenes, ScenePart::kTrain).size(), 3u);
  EXPECT_EQ(images_of(scenes, ScenePart::kValidate).size(), 1u);
  EXPECT_THAT(scenes.scenes[1].labels, EndsWith("q_mask.tif"));
}

/// Test and other samples are not even opened: here they are no rasters at all.
TEST(TrainingScenes, TrainWithoutReadingOtherSplits) {
  const TemporaryFolder folder;
  const fs::path path = table(folder, {"train", "test", "train", "none", "val", "other"});
  for (const char* name : {"a", "c", "e"}) {
    geo::RasterSpec spec;
    spec.cog = false;
    geo::Raster<std::uint8_t> pixels(64, 64);
    for (std::size_t i = 0; i < pixels.data().size(); ++i)
      pixels.data()[i] = static_cast<std::uint8_t>(i % 3);
    for (const char* part : {"i/", "m/"})
      geo::write_raster(folder / geo::concat(part, name, ".tif"), test::utm_grid(64, 64), pixels, spec, true);
  }
  segmentation::TrainingDataOptions options;
  options.chip_px = 32;
  options.bad_scene = segmentation::BadScene::kError;
  options.normalisation.scope = geo::NormaliseScope::kStored;
  geo::ExecContext exec({2, 0});
  const segmentation::TrainingData data(scenes_of(read(path)).scenes, options, exec);
  EXPECT_EQ(data.scenes().size(), 3u);
  EXPECT_EQ(data.summary().train_blocks, 2);  // a sample is a block
  EXPECT_EQ(data.summary().val_blocks, 1);
}

}  // namespace
}  // namespace furrow::workflow
