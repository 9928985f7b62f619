// The real scene of Nebraska against the chips that another tool cut from it, and its polygons with the wrong
// CRS.
#include <furrow/geo/raster/tiling.h>

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/label_raster.h>
#include <furrow/geo/vector/geos.h>
#include <furrow/geo/vector/layer.h>

#include "support.h"

namespace furrow::geo {
namespace {

TEST(NebraskaChips, EqualThoseOfAnotherToolPixelForPixel) {
  FURROW_NEEDS_SHARED_DATA();
  ExecContext exec;
  const test::TemporaryFolder folder;
  ChipOptions options;
  options.size = {128, 128, 0};
  const std::string image = test::shared("data/nebraska/landsat5_nebraska.tif").string();
  const auto report = cut_image(image, folder.path(), options, {}, exec);
  ASSERT_EQ(report.chips.size(), 16U);
  for (const Chip& chip : report.chips) {
    const RasterReader mine((folder / chip.image).string());
    const GeoTransform& t = mine.grid().transform;
    // That tool names a chip after the corner of its upper left pixel.
    const auto theirs_path =
        test::shared(concat("data/nebraska/expected_tiles_128/sample_geotiff_custom_proj_",
                            std::llround(t.x0), "_", std::llround(t.y0), ".tif"));
    ASSERT_TRUE(std::filesystem::exists(theirs_path)) << theirs_path;
    const RasterReader theirs(theirs_path.string());
    EXPECT_TRUE(mine.grid().same_as(theirs.grid())) << chip.name;
    EXPECT_STREQ(pixel_type_name(mine.band(0).type), "int16");
    EXPECT_EQ(mine.band(0).nodata, -9999.0);
    EXPECT_EQ(mine.read<std::int16_t>(mine.grid().window()).data(),
              theirs.read<std::int16_t>(theirs.grid().window()).data())
        << chip.name;
  }
}

TEST(NebraskaLabels, ProjectedCoordinatesThatPassForDegreesAreRefused) {
  FURROW_NEEDS_SHARED_DATA();
  LayerReadOptions options;
  options.crs_switch = "--labels-crs";
  try {
    (void)read_layer(test::shared("data/nebraska/fields.geojson").string(), options);
    FAIL() << "no error";
  } catch (const CrsError& e) {
    EXPECT_THAT(e.what(),
                testing::AllOf(testing::HasSubstr("fields.geojson"), testing::HasSubstr("--labels-crs")));
  }
}

TEST(NebraskaLabels, FieldsLieOnTheSceneOnceTheirCrsIsKnown) {
  FURROW_NEEDS_SHARED_DATA();
  ExecContext exec;
  const test::TemporaryFolder folder;
  const RasterReader scene(test::shared("data/nebraska/landsat5_nebraska.tif").string());
  LayerReadOptions options;
  options.override_crs = scene.grid().crs;
  const Layer layer = read_layer(test::shared("data/nebraska/fields.geojson").string(), options);
  std::vector<MultiPolygon> fields;
  for (const auto& feature : layer.features) fields.push_back(feature.geometry);
  // Some reach over the border of the scene, and some overlap.
  const double area_m2 =
      intersection_area(union_all(fields), MultiPolygon{to_polygon(scene.grid().bounds())});
  ASSERT_EQ(fields.size(), 19U);
  LabelRasterOptions label_options;
  label_options.kind = LabelKind::kExtent;
  const auto report =
      write_label_raster(folder / "extent.tif", fields, scene.grid(), label_options, false, exec);
  // Centre-pivot fields of 400 m: the pixels' area differs from the polygons' by less than the outlines'
  // noise.
  EXPECT_NEAR(static_cast<double>(report.interior_px) * 900.0, area_m2, 0.01 * area_m2);
}

TEST(UrbanFootprints, EqualTheMaskOfAnotherTool) {
  FURROW_NEEDS_SHARED_DATA();
  const Layer layer = read_layer(test::shared("data/solaris_oracle/geotiff_labels.geojson").string());
  std::vector<MultiPolygon> shapes;
  for (const auto& feature : layer.features) shapes.push_back(feature.geometry);
  RasterReadOptions no_crs;
  no_crs.require_crs = false;
  const RasterReader mask(test::shared("data/solaris_oracle/sample_fp_mask_from_geojson.tif").string(),
                          no_crs);
  const Grid grid{900, 900, {733601.0, 0.5, 0.0, 3725139.0, 0.0, -0.5}, layer.crs};
  const auto extent = rasterize_extent(shapes, grid);
  const auto theirs = mask.read<std::uint8_t>(mask.grid().window());
  std::int64_t differ = 0;
  std::int64_t fields = 0;
  for (std::size_t i = 0; i < extent.data().size(); ++i) {
    differ += (extent.data()[i] != 0) != (theirs.data()[i] != 0) ? 1 : 0;
    fields += extent.data()[i];
  }
  EXPECT_EQ(differ, 0) << "of " << fields;
}

}  // namespace
}  // namespace furrow::geo
