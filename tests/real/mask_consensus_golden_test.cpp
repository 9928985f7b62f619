// Masks through the command line against ITK's results (golden/d_staple).
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/raster/writer.h>

#include "golden_tables.h"
#include "support.h"

namespace furrow::labelling {
namespace {

using geo::concat;

/// Writes masks 1 .. n of a stack as GeoTIFF without CRS.
std::string write_masks(const test::TemporaryFolder& folder, const std::string& stem, int n) {
  std::string paths;
  for (int j = 1; j <= n; ++j) {
    const auto rows = test::golden_matrix(concat("d_staple/", stem, j, ".csv"));
    geo::Grid grid;
    grid.height = static_cast<std::int64_t>(rows.size());
    grid.width = static_cast<std::int64_t>(rows.front().size());
    geo::Raster<std::uint8_t> pixels(grid.width, grid.height);
    for (std::int64_t row = 0; row < grid.height; ++row) {
      for (std::int64_t col = 0; col < grid.width; ++col)
        pixels.at(col, row) =
            static_cast<std::uint8_t>(rows[static_cast<std::size_t>(row)][static_cast<std::size_t>(col)]);
    }
    const auto path = folder / concat(stem, j, ".tif");
    geo::RasterSpec spec;
    spec.cog = false;
    geo::write_raster(path, grid, pixels, spec, false);
    paths += ' ' + path.string();
  }
  return paths;
}

template <class T>
std::vector<T> read_all(const std::filesystem::path& path) {
  geo::RasterReadOptions options;
  options.require_crs = false;
  const geo::RasterReader reader(path.string(), options);
  return reader.read<T>(reader.grid().window()).data();
}

void expect_posterior(const std::string& stem, const std::string& stack, int n) {
  const test::TemporaryFolder folder;
  const std::string masks = write_masks(folder, stem, n);
  const auto result = test::furrow(
      concat("consensus --masks", masks, " --classes 2 --method staple --out ", (folder / "out").string()));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto heat = read_all<float>(folder / "out/heat.tif");
  const auto posterior = test::golden_pixels("d_staple/" + stack + "_posterior.csv");
  ASSERT_EQ(heat.size(), posterior.size());
  for (std::size_t i = 0; i < heat.size(); ++i) ASSERT_NEAR(heat[i], posterior[i], 1e-6) << i;
}

TEST(MaskConsensusGolden, RandomErrors) {
  FURROW_NEEDS_SHARED_DATA();
  expect_posterior("labeller", "random5", 5);
}

TEST(MaskConsensusGolden, ShiftedOutlines) {
  FURROW_NEEDS_SHARED_DATA();
  expect_posterior("shifted", "shifted4", 4);
}

TEST(MaskConsensusGolden, TinyMasks) {
  FURROW_NEEDS_SHARED_DATA();
  expect_posterior("tiny", "tiny3", 3);
}

TEST(MaskConsensusGolden, ThreeClasses) {
  FURROW_NEEDS_SHARED_DATA();
  const test::TemporaryFolder folder;
  const std::string masks = write_masks(folder, "three", 4);
  const auto result =
      test::furrow(concat("consensus --masks", masks, " --method staple --out ", (folder / "out").string()));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto label = read_all<std::uint8_t>(folder / "out/label.tif");
  const auto golden = test::golden_pixels("d_staple/three4_label.csv");
  ASSERT_EQ(label.size(), golden.size());
  for (std::size_t i = 0; i < label.size(); ++i) ASSERT_EQ(label[i], static_cast<int>(golden[i])) << i;
}

}  // namespace
}  // namespace furrow::labelling
