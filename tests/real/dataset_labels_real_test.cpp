// The label profiles on real parcels, beside GDAL's own rasteriser and GEOS' buffers.
#include <filesystem>
#include <numeric>

#include <gtest/gtest.h>

#include <furrow/geo/raster/dataset_labels.h>
#include <furrow/geo/vector/layer.h>

#include "gdal_reference.h"
#include "support.h"

namespace furrow::geo {
namespace {

std::vector<MultiPolygon> parcels(const std::filesystem::path& path) {
  LayerReadOptions read;
  read.invalid = InvalidGeometry::kSkip;
  read.require_polygons = false;
  read.target_crs = lonlat_crs();
  std::vector<MultiPolygon> out;
  for (auto& feature : read_layer(path.string(), read).features) {
    if (!feature.geometry.empty()) out.push_back(std::move(feature.geometry));
  }
  return out;
}

/// A chip as the Lacuna data has them: 0.005 degrees, 224 pixels, around the middle of the fields.
Grid chip_over(const std::vector<MultiPolygon>& fields) {
  Box box;
  for (const auto& field : fields) box.expand(bounds(field));
  const Point c = box.centre();
  return {224, 224, {c.x - 0.0025, 0.005 / 224, 0.0, c.y + 0.0025, 0.0, -0.005 / 224}, lonlat_crs()};
}

TEST(DatasetLabelsReal, ParcelsEqualGdalAndGeosPixelByPixel) {
  FURROW_NEEDS_SHARED_DATA();
  int chips = 0;
  for (const auto& entry : std::filesystem::directory_iterator(test::shared("data/parcels_us"))) {
    if (entry.path().filename().string().find("_poly_") == std::string::npos) continue;
    const auto fields = parcels(entry.path());
    if (fields.empty()) continue;
    const Grid grid = chip_over(fields);
    const LacunaLabels lacuna(fields, grid);
    if (!lacuna.dropped_outer_ring()) {
      ASSERT_EQ(lacuna.labels(grid.window()).data(), test::lacuna_reference(fields, grid).data())
          << entry.path();
    }
    const FtwMasks ftw(fields, grid);
    std::vector<double> ids(fields.size());
    std::iota(ids.begin(), ids.end(), 1.0);
    ASSERT_EQ(ftw.instances(grid.window()).data(), test::ftw_reference(fields, ids, grid, 0, 0).data())
        << entry.path();
    const auto three = test::ftw_reference(fields, std::vector<double>(fields.size(), 1.0), grid, 0, 2);
    const auto ours = ftw.three_classes(grid.window());
    for (std::size_t i = 0; i < three.data().size(); ++i) ASSERT_EQ(ours.data()[i], three.data()[i]);
    ++chips;
  }
  EXPECT_GT(chips, 50);
}

}  // namespace
}  // namespace furrow::geo
