// Labels from polygons, and the area that was mapped.
#include <array>
#include <numeric>

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

/// Fields of all kinds: two that share an edge, two that overlap, one with a hole, some that reach over the
/// image's border, a thin one across several blocks, one far away. No vertex lies on a pixel's centre.
std::vector<geo::MultiPolygon> fields() {
  geo::MultiPolygon holed = box_in_pixels(70.2, 20.2, 110.8, 60.8);
  holed[0].holes.push_back(box_in_pixels(80.2, 30.2, 95.8, 41.8)[0].shell);
  return {box_in_pixels(5.2, 6.2, 30.2, 40.7),
          box_in_pixels(30.2, 6.2, 55.8, 40.7),
          holed,
          box_in_pixels(100.3, 55.3, 130.7, 80.1),
          in_pixels({{-20.3, 90.2}, {25.4, 70.3}, {40.1, 160.8}}),
          in_pixels({{3.2, 64.8}, {156.9, 66.3}, {156.7, 68.9}, {3.1, 66.9}}),
          box_in_pixels(148.2, 100.4, 175.6, 145.3),
          box_in_pixels(5000.1, 5000.1, 5100.1, 5100.1)};
}

using Counts = std::array<std::int64_t, 3>;

Counts counts_of(const geo::Raster<std::uint8_t>& labels) {
  Counts counts{};
  for (const std::uint8_t label : labels.data()) {
    if (label < 3) ++counts[label];
  }
  return counts;
}

/// All windows of an epoch and of validation hold the labels of `expected`, pixel by pixel, and together the
/// blocks hold all of them.
void expect_labels(const TrainingData& data, const geo::Raster<std::uint8_t>& expected) {
  EXPECT_EQ(data.summary().labelled_px, counts_of(expected));
  std::int64_t seen = 0;
  const auto check = [&](int col, int row, std::uint8_t label, float) {
    if (label == 255) return;
    ++seen;
    ASSERT_EQ(label, expected.at(col, row)) << col << ", " << row;
  };
  for (const Batch& batch : all_train(data, 1)) each_pixel(batch, 32, check);
  for (std::int64_t i = 0; i < data.val_batches(4); ++i) each_pixel(data.val_batch(i, 4), 32, check);
  EXPECT_GT(seen, 0);
}

struct PolygonScene {
  TemporaryFolder folder;
  geo::Grid grid = utm_grid(160, 130);
  TrainingDataOptions options = readable();
  TrainingScene scene{write(folder, "where.tif", coordinates(160, 130), grid), "", ""};

  PolygonScene() {
    scene.labels_are_polygons = true;
    options.boundary.width_px = 3.0;
  }
  [[nodiscard]] geo::Raster<std::uint8_t> whole(const std::vector<geo::MultiPolygon>& polygons) const {
    return geo::rasterize_labels(polygons, grid, options.boundary);
  }
};

TEST(PolygonLabels, AreThoseOfTheWholeImage) {
  PolygonScene s;
  s.scene.labels = write_polygons(s.folder, "fields.gpkg", fields());
  const TrainingData data = load(s.scene, s.options);
  EXPECT_GT(data.summary().val_chips, 0);
  const geo::Raster<std::uint8_t> expected = s.whole(fields());
  for (const std::int64_t count : counts_of(expected)) EXPECT_GT(count, 500);
  expect_labels(data, expected);
  // The same as training with a raster of them, down to the checksum.
  const TrainingScene raster{s.scene.image, write(s.folder, "labels.tif", expected, s.grid), ""};
  EXPECT_EQ(load(raster, s.options).summary().sha256, data.summary().sha256);
}

TEST(PolygonLabels, DependNeitherOnThreadsNorOnMemory) {
  PolygonScene s;
  s.scene.labels = write_polygons(s.folder, "fields.gpkg", fields());
  const TrainingData one = load(s.scene, s.options, 1);
  const TrainingData streamed = load(s.scene, s.options, 4, 1000);
  EXPECT_FALSE(streamed.summary().cached);
  EXPECT_EQ(one.summary().sha256, streamed.summary().sha256);
  EXPECT_EQ(one.train_batch(2, 0, 8).labels, streamed.train_batch(2, 0, 8).labels);
}

TEST(PolygonLabels, MayHaveAnotherCrs) {
  PolygonScene s;
  const geo::Raster<std::uint8_t> expected = s.whole(fields());
  for (const char* crs : {"EPSG:4326", "EPSG:3035"}) {
    s.scene.labels = write_polygons(s.folder, "fields.gpkg", fields(), crs);
    expect_labels(load(s.scene, s.options), expected);
  }
}

TEST(PolygonLabels, AreTakenInTheCrsOfTheImageWhenToldSo) {
  PolygonScene s;
  geo::Layer layer = test::layer_of({}, "EPSG:32633");  // says so, wrongly
  for (const geo::MultiPolygon& field : fields()) layer.features.push_back({-1, field, {}});
  geo::write_layer(layer, s.folder / "fields.gpkg", true);
  s.scene.labels = (s.folder / "fields.gpkg").string();
  EXPECT_THAT(failure<geo::IoError>(s.scene, s.options), HasSubstr("none of the polygons"));
  s.options.polygon_labels.crs_of_image = true;
  expect_labels(load(s.scene, s.options), s.whole(fields()));
}

TEST(PolygonLabels, OfOneFileServeSeveralImagesInSeveralCrs) {
  PolygonScene s;
  s.scene.labels = write_polygons(s.folder, "fields.gpkg", fields());
  // The second image lies right of pixel 100 of the first, in the zone beside.
  TrainingScene second = s.scene;
  geo::Grid grid = utm_grid(96, 96);
  grid.crs = geo::Crs::from_user_input("EPSG:32633");
  const geo::CoordinateTransform transform(s.grid.crs, grid.crs);
  const geo::Point corner = transform.apply(s.grid.transform.to_world({100.0, 20.0}));
  grid.transform.x0 = corner.x;
  grid.transform.y0 = corner.y;
  second.image = write(s.folder, "second.tif", coordinates(96, 96), grid);
  std::vector<geo::MultiPolygon> moved;
  for (const geo::MultiPolygon& field : fields()) moved.push_back(transform.apply(field));
  const auto expected = geo::rasterize_labels(moved, grid, s.options.boundary);

  geo::ExecContext exec({4, 0});
  const TrainingData both({s.scene, second}, s.options, exec);
  const TrainingData first = load(s.scene, s.options);
  expect_labels(load(second, s.options), expected);
  Counts sum = counts_of(expected);
  for (std::size_t c = 0; c < sum.size(); ++c) sum[c] += first.summary().labelled_px[c];
  EXPECT_EQ(both.summary().labelled_px, sum);
}

TEST(PolygonLabels, OfAnImageWithoutFieldsAreAnErrorUnlessItWasMapped) {
  PolygonScene s;
  s.scene.labels = write_polygons(s.folder, "far.gpkg", {fields().back()});
  EXPECT_THAT(failure<geo::IoError>(s.scene, s.options),
              AllOf(HasSubstr("none of the polygons of"), HasSubstr("far.gpkg"), HasSubstr("where.tif"),
                    HasSubstr("--label-area")));
  s.options.label_area.path = write_polygons(s.folder, "area.gpkg", {box_in_pixels(-9, -9, 200, 200)});
  EXPECT_EQ(load(s.scene, s.options).summary().labelled_px, (Counts{160 * 130, 0, 0}));
}

TEST(PolygonLabels, OfAnImageWithoutFieldsLeaveItOutOfSeveral) {
  PolygonScene s;
  s.scene.labels = write_polygons(s.folder, "fields.gpkg", fields());
  TrainingScene far = s.scene;
  geo::Grid grid = utm_grid(96, 96);
  grid.transform.x0 += 100000.0;
  far.image = write(s.folder, "far.tif", coordinates(96, 96), grid);
  s.options.bad_scene = BadScene::kLeaveOut;
  geo::ExecContext exec({2, 0});
  const TrainingData data({far, s.scene}, s.options, exec);
  ASSERT_EQ(data.left_out().size(), 1u);
  EXPECT_EQ(data.left_out()[0].image, far.image);
  EXPECT_THAT(data.left_out()[0].reason, HasSubstr("none of the polygons"));
  EXPECT_EQ(data.summary().sha256, load(s.scene, s.options).summary().sha256);
}

/// `labels` where the area's pixels are, else 255.
geo::Raster<std::uint8_t> inside(geo::Raster<std::uint8_t> labels, const geo::Raster<std::uint8_t>& area) {
  for (std::size_t i = 0; i < labels.data().size(); ++i) {
    if (area.data()[i] == 0) labels.data()[i] = 255;
  }
  return labels;
}

TEST(LabelArea, IgnoresWhatLiesOutside) {
  PolygonScene s;
  // Two areas, one with a hole, cut through fields and background.
  geo::MultiPolygon holed = box_in_pixels(12.2, 9.2, 99.8, 110.7);
  holed[0].holes.push_back(in_pixels({{40.3, 30.2}, {80.4, 35.1}, {60.2, 70.9}})[0].shell);
  const std::vector<geo::MultiPolygon> areas{holed, box_in_pixels(120.4, 40.3, 190.2, 77.7)};
  const auto expected = inside(s.whole(fields()), geo::rasterize_extent(areas, s.grid));
  const std::string polygons = write_polygons(s.folder, "fields.gpkg", fields());
  const std::string raster = write(s.folder, "labels.tif", s.whole(fields()), s.grid);
  for (const char* crs : {"EPSG:32632", "EPSG:4326"}) {
    s.options.label_area.path = write_polygons(s.folder, "area.gpkg", areas, crs);
    s.scene.labels = polygons;
    s.scene.labels_are_polygons = true;
    expect_labels(load(s.scene, s.options), expected);
    s.scene.labels = raster;
    s.scene.labels_are_polygons = false;
    expect_labels(load(s.scene, s.options), expected);
  }
}

TEST(LabelArea, BesideTheImageLeavesNothing) {
  PolygonScene s;
  s.scene.labels = write_polygons(s.folder, "fields.gpkg", fields());
  s.options.label_area.path = write_polygons(s.folder, "area.gpkg", {box_in_pixels(500, 0, 600, 90)});
  EXPECT_THAT(failure<geo::IoError>(s.scene, s.options),
              AllOf(HasSubstr("no labelled pixel"), HasSubstr("fields.gpkg"), HasSubstr("mapped area")));
}

}  // namespace
}  // namespace furrow::segmentation
