#include <furrow/geo/raster/stack_alignment.h>

#include <array>
#include <cmath>
#include <numbers>

#include <gtest/gtest.h>

#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/random.h>

#include "support.h"

namespace furrow::geo {
namespace {

/// A landscape known everywhere, in metres.
double landscape(double x, double y) {
  double sum = 0.0;
  for (int i = 0; i < 9; ++i) {
    const double angle = 0.7 * i;
    const double length_m = 130.0 + 37.0 * i;
    sum += std::tanh(
        2.0 * std::sin(2.0 * std::numbers::pi / length_m * (std::cos(angle) * x + std::sin(angle) * y) + i));
  }
  return sum;
}

/// An image of it whose content lies `wrong` metres beside where its georeference says.
ChipScene image(const test::TemporaryFolder& folder, const std::string& name, const Grid& grid, Point wrong) {
  Random random(5);
  Raster<float> pixels(grid.width, grid.height);
  for (std::int64_t r = 0; r < grid.height; ++r) {
    for (std::int64_t c = 0; c < grid.width; ++c) {
      const Point p = grid.transform.to_world({static_cast<double>(c) + 0.5, static_cast<double>(r) + 0.5});
      pixels.at(c, r) = static_cast<float>(landscape(p.x - 500000.0 - wrong.x, p.y - 6000000.0 - wrong.y) +
                                           0.1 * random.uniform());
    }
  }
  RasterSpec spec;
  spec.type = PixelType::kFloat32;
  spec.cog = false;
  write_raster(folder / (name + ".tif"), grid, pixels, spec, false);
  return look_at_scene((folder / (name + ".tif")).string(), {}, name, {});
}

TEST(AlignLayers, MeasuresAndTakesOutShiftsOnGridsThatDiffer) {
  const test::TemporaryFolder folder;
  ExecContext exec;
  const Grid grid = test::utm_grid(260, 250);
  Grid other = grid.subgrid({-3, 2, 259, 255});
  other.transform.x0 += 3.7;  // off the lattice, which is no shift
  std::vector<ChipSource::Layer> layers{{image(folder, "first", grid, {})},
                                        {image(folder, "true", other, {})},
                                        {image(folder, "wrong", other, {13.0, -6.0})}};
  ChipSourceOptions options;
  options.resampling = Resampling::kCubic;
  options.may_miss = true;
  auto measured = layers;
  const auto shifts = align_layers(measured, grid, options, false, exec);
  ASSERT_TRUE(shifts[1].measured && shifts[2].measured);
  EXPECT_NEAR(shifts[1].measured->length_px(), 0.0, 0.02);
  EXPECT_NEAR(shifts[2].measured->px.x, 1.3, 0.02);
  EXPECT_NEAR(shifts[2].measured->px.y, 0.6, 0.02);
  EXPECT_EQ(measured[2][0].move, Point{});
  const auto aligned = align_layers(layers, grid, options, true, exec);
  EXPECT_FALSE(aligned[1].left);
  ASSERT_TRUE(aligned[2].left);
  EXPECT_NEAR(aligned[2].left->length_px(), 0.0, 0.02);
  EXPECT_NEAR(layers[2][0].move.x, 13.0, 0.2);
  EXPECT_NEAR(layers[2][0].move.y, -6.0, 0.2);
  write_image_catalogue(layers, aligned, folder.path());
  const CsvTable table = read_csv(folder / "images.csv");
  ASSERT_EQ(table.rows.size(), 3U);
  EXPECT_EQ(table.rows[0][table.column("shift_col_px")], "");
  EXPECT_EQ(table.rows[2][table.column("aligned")], "1");
  EXPECT_NEAR(std::stod(table.rows[2][table.column("shift_row_px")]), 0.6, 0.02);
}

}  // namespace
}  // namespace furrow::geo
