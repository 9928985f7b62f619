// Blocks that validate because they lie in an area.
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>

#include "polygon_files.h"

namespace furrow::segmentation {
namespace {

using test::TemporaryFolder;
using test::utm_grid;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing_scene::all_train;
using testing_scene::box_in_pixels;
using testing_scene::coordinates;
using testing_scene::each_pixel;
using testing_scene::failure;
using testing_scene::in_pixels;
using testing_scene::load;
using testing_scene::readable;
using testing_scene::write;
using testing_scene::write_polygons;

using Place = std::pair<int, int>;

/// 4 x 3 blocks of 64 pixels, labelled everywhere.
struct BlocksScene {
  TemporaryFolder folder;
  TrainingScene scene = testing_scene::write_scene(folder, 256, 192);
  TrainingDataOptions options = readable();

  BlocksScene() { scene.image = write(folder, "where.tif", coordinates(256, 192), utm_grid(256, 192)); }
  void validate_in(const std::vector<geo::MultiPolygon>& area, const std::string& crs = "EPSG:32632") {
    options.val_area.path = write_polygons(folder, "val.gpkg", area, crs);
  }
};

/// Blocks {col, row} whose pixels validate, each pixel once; no training window holds one of them.
std::set<Place> validating_blocks(const TrainingData& data) {
  std::set<Place> pixels;
  for (std::int64_t i = 0; i < data.val_batches(4); ++i) {
    each_pixel(data.val_batch(i, 4), 32, [&](int col, int row, std::uint8_t label, float) {
      if (label != 255) {
        EXPECT_TRUE(pixels.insert({col, row}).second) << "twice: " << col << ", " << row;
      }
    });
  }
  for (std::int64_t epoch = 1; epoch <= 4; ++epoch) {
    for (const Batch& batch : all_train(data, epoch)) {
      each_pixel(batch, 32, [&](int col, int row, std::uint8_t, float) {
        EXPECT_FALSE(pixels.contains({col, row})) << "trained on: " << col << ", " << row;
      });
    }
  }
  std::set<Place> blocks;
  for (const auto& [col, row] : pixels) blocks.insert({col / 64, row / 64});
  EXPECT_EQ(pixels.size(), blocks.size() * 64 * 64) << "a block validates in part";
  EXPECT_EQ(data.summary().val_blocks, std::ssize(blocks));
  EXPECT_EQ(data.summary().train_blocks, 12 - std::ssize(blocks));
  return blocks;
}

TEST(ValidationArea, TakesEveryBlockThatItOverlaps) {
  BlocksScene s;
  // A corner of four blocks, overlapped by little.
  s.validate_in({box_in_pixels(63.5, 63.5, 64.5, 64.5)});
  const std::set<Place> four{{0, 0}, {1, 0}, {0, 1}, {1, 1}};
  EXPECT_EQ(validating_blocks(load(s.scene, s.options)), four);
  s.validate_in({box_in_pixels(63.5, 63.5, 64.5, 64.5)}, "EPSG:4326");
  EXPECT_EQ(validating_blocks(load(s.scene, s.options)), four);
}

TEST(ValidationArea, DoesNotTakeBlocksThatItOnlyTouches) {
  BlocksScene s;
  s.validate_in({box_in_pixels(64, 64, 128, 128)});
  EXPECT_EQ(validating_blocks(load(s.scene, s.options)), (std::set<Place>{{1, 1}}));
  // The box of the triangle meets block {0, 0}, the triangle does not.
  s.validate_in({in_pixels({{120.0, 20.0}, {120.0, 120.0}, {20.0, 120.0}})});
  EXPECT_EQ(validating_blocks(load(s.scene, s.options)), (std::set<Place>{{1, 0}, {0, 1}, {1, 1}}));
}

TEST(ValidationArea, MayHaveSeveralParts) {
  BlocksScene s;
  s.validate_in({box_in_pixels(5, 5, 9, 9), box_in_pixels(250, 185, 900, 900)});
  EXPECT_EQ(validating_blocks(load(s.scene, s.options)), (std::set<Place>{{0, 0}, {3, 2}}));
}

TEST(ValidationArea, GoesBeforeTheShareAndThePartsOfScenes) {
  BlocksScene s;
  s.validate_in({box_in_pixels(5, 5, 9, 9)});
  s.options.block_px = 64;  // scenes of one part are cut less often otherwise
  for (const ScenePart part : {ScenePart::kBlocks, ScenePart::kTrain, ScenePart::kValidate}) {
    for (const double share : {0.0, 0.5}) {
      s.scene.part = part;
      s.options.val_share = share;
      EXPECT_EQ(validating_blocks(load(s.scene, s.options)), (std::set<Place>{{0, 0}}));
    }
  }
}

TEST(ValidationArea, ThatTouchesNothingOrEverythingIsAnError) {
  BlocksScene s;
  s.validate_in({box_in_pixels(500, 500, 600, 600)});
  EXPECT_THAT(failure<geo::InvalidArgument>(s.scene, s.options),
              AllOf(HasSubstr("none of the 12 labelled blocks"), HasSubstr("val.gpkg"), HasSubstr("CRS")));
  s.validate_in({box_in_pixels(-5, -5, 300, 200)});
  EXPECT_THAT(failure<geo::InvalidArgument>(s.scene, s.options),
              AllOf(HasSubstr("all of the 12 labelled blocks"), HasSubstr("val.gpkg"),
                    HasSubstr("give a smaller area")));
}

}  // namespace
}  // namespace furrow::segmentation
