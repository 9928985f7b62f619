#include <furrow/segmentation/trainer.h>

#include <gtest/gtest.h>

#include <furrow/geo/raster/reader.h>

#include "brief_training.h"
#include "support.h"

namespace furrow::segmentation {
namespace {

TrainReport train_on(const TrainingScene& scene, const TrainingDataOptions& data_options,
                     const TrainOptions& options) {
  const test::TemporaryFolder folder;
  geo::ExecContext exec({2, 0});
  const TrainingData data({scene}, data_options, exec);
  return train_model(data, options, folder / "model", exec);
}

void expect_loss_falls(const TrainReport& report) {
  ASSERT_GT(report.epochs.size(), 1u);
  EXPECT_LT(report.epochs.back().train_loss, 0.85 * report.epochs.front().train_loss);
  EXPECT_LT(report.epochs.back().val_loss, report.epochs.front().val_loss);
}

TEST(TrainingOnRealScenes, LossFallsOnDenmark) {
  FURROW_NEEDS_SHARED_DATA();
  TrainingScene scene;
  scene.image = test::shared("data/denmark/s2_west.tif").string();
  scene.labels = test::shared("data/denmark/fields_west.gpkg").string();
  scene.labels_are_polygons = true;
  TrainingDataOptions data;
  data.chip_px = 48;
  expect_loss_falls(train_on(scene, data, test::brief_training(8)));
}

/// Partial labels, nodata, a CRS without code, and polygons in the image's CRS that say they are degrees.
TEST(TrainingOnRealScenes, LossFallsOnNebraska) {
  FURROW_NEEDS_SHARED_DATA();
  const std::filesystem::path folder = test::shared("data/nebraska");
  TrainingScene scene;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".tif") scene.image = entry.path().string();
  }
  ASSERT_FALSE(scene.image.empty());
  scene.labels = (folder / "fields.geojson").string();
  scene.labels_are_polygons = true;
  TrainingDataOptions data;
  data.chip_px = 64;
  data.polygon_labels.crs_of_image = true;
  TrainOptions options = test::brief_training(4);
  expect_loss_falls(train_on(scene, data, options));
  // The same as what it is: fields that nobody drew are not background.
  options.imperfect.pu_prior = 0.3;
  expect_loss_falls(train_on(scene, data, options));
}

}  // namespace
}  // namespace furrow::segmentation
