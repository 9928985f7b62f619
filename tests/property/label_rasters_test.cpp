// Label rasters of every kind do not depend on threads, on the memory (and with it on the windows they are
// made by), or on the chip they are made for.
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/label_raster.h>
#include <furrow/geo/raster/reader.h>

#include "random_shapes.h"
#include "support.h"

namespace furrow::geo {
namespace {

struct Kind {
  std::string name;
  LabelRasterOptions options;
};

std::vector<Kind> kinds(const std::vector<MultiPolygon>& known) {
  std::vector<Kind> all;
  const auto add = [&](std::string name, LabelRasterOptions options) {
    all.push_back({std::move(name), std::move(options)});
  };
  add("labels", {});
  add("labels 3.3 px", {.boundary = {.width_px = 3.3}});
  add("labels in metres", {.boundary = {.width_m = 27.0}});
  add("labels and ignore", {.known_area = known});
  add("extent", {.kind = LabelKind::kExtent});
  add("instances", {.kind = LabelKind::kInstances});
  add("boundary", {.kind = LabelKind::kBoundaryMask});
  add("ignore", {.kind = LabelKind::kIgnoreMask, .known_area = known});
  add("distance", {.kind = LabelKind::kDistance});
  add("distance in metres", {.kind = LabelKind::kDistance, .distance = DistanceUnit::kMetres});
  add("distance per field", {.kind = LabelKind::kDistance, .distance = DistanceUnit::kPerField});
  add("lacuna", {.profile = LabelProfile::kLacuna});
  add("ftw", {.profile = LabelProfile::kFtw});
  add("ftw instances", {.kind = LabelKind::kInstances, .profile = LabelProfile::kFtw});
  for (Kind& kind : all) kind.options.cog = false;
  return all;
}

std::vector<double> label_raster(const std::filesystem::path& path, const std::vector<MultiPolygon>& fields,
                                 const Grid& grid, const LabelRasterOptions& options, ExecContext& exec) {
  exec.execute([&] { (void)write_label_raster(path, fields, grid, options, true, exec); });
  const RasterReader reader(path.string());
  return reader.read<double>(reader.grid().window()).data();
}

/// Fields with outlines along and across the borders of the windows of 512 pixels that the rasters are made
/// by.
std::vector<MultiPolygon> fields_on_borders(Random& random, const Grid& grid) {
  std::vector<MultiPolygon> fields;
  for (const double step : {0.0, 0.5, 1.0, 128.0}) {
    auto more = test::random_shapes(random, grid);
    if (step > 0.0) test::snap_to_pixels(more, grid, step);
    fields.insert(fields.end(), more.begin(), more.end());
  }
  return fields;
}

TEST(LabelRasters, OfEveryKindAreTheSameForAnyThreadsAndMemory) {
  Random random(411);
  const test::TemporaryFolder folder;
  const auto path = folder / "labels.tif";
  for (const Grid& grid : {test::utm_grid(1100, 700), test::utm_grid(300, 1300)}) {
    const auto fields = fields_on_borders(random, grid);
    const auto known = test::random_shapes(random, grid);
    for (const Kind& kind : kinds(known)) {
      std::vector<double> first;
      // The least memory gives windows of 512 x 512 pixels (and strips of 16 rows for distances), the most
      // one window.
      for (const std::size_t memory : {std::size_t{1} << 20, std::size_t{80} << 20, std::size_t{8} << 30}) {
        for (const int threads : {1, 4}) {
          ExecContext exec({.threads = threads, .memory_bytes = memory});
          auto pixels = label_raster(path, fields, grid, kind.options, exec);
          if (first.empty()) first = pixels;
          EXPECT_EQ(pixels, first) << kind.name << ", " << threads << " threads, " << memory << " bytes";
        }
      }
    }
  }
}

TEST(LabelRasters, OfAChipAreThatPartOfTheWhole) {
  Random random(412);
  const test::TemporaryFolder folder;
  const auto path = folder / "labels.tif";
  ExecContext exec({.threads = 2});
  const Grid grid = test::utm_grid(160, 130);
  for (int trial = 0; trial < 6; ++trial) {
    auto fields = test::random_shapes(random, grid);
    const double step = 16.0 * (trial % 3);
    if (step > 0.0) test::snap_to_pixels(fields, grid, step);
    const auto known = test::random_shapes(random, grid);
    for (const Kind& kind : kinds(known)) {
      // The published rules look at the fields of the chip alone, and its share of metres at its own centre.
      if (kind.options.profile != LabelProfile::kFurrow) continue;
      const auto whole = label_raster(path, fields, grid, kind.options, exec);
      for (const Window& w : {Window{0, 0, 48, 48}, Window{48, 32, 64, 80}, Window{112, 112, 48, 18}}) {
        const auto part = label_raster(path, fields, grid.subgrid(w), kind.options, exec);
        for (std::int64_t row = 0; row < w.height; ++row) {
          for (std::int64_t col = 0; col < w.width; ++col) {
            ASSERT_EQ(part[static_cast<std::size_t>(row * w.width + col)],
                      whole[static_cast<std::size_t>((w.row + row) * grid.width + w.col + col)])
                << kind.name << ", trial " << trial << ", column " << col << ", row " << row;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace furrow::geo
