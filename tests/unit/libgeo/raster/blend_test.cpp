#include <furrow/geo/raster/blend.h>

#include <cmath>
#include <numbers>

#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>

#include "support.h"

namespace furrow::geo {
namespace {

TEST(HannRamp, IsARaisedCosineWhoseHalvesAddUpToExactlyOne) {
  for (const std::int64_t margin : {1, 2, 7, 16, 33, 128}) {
    const auto ramp = hann_ramp(margin);
    ASSERT_EQ(ramp.size(), static_cast<std::size_t>(2 * margin));
    for (std::size_t k = 0; k < ramp.size(); ++k) {
      const double x = (static_cast<double>(k) + 0.5) / static_cast<double>(ramp.size());
      EXPECT_NEAR(static_cast<double>(ramp[k]), std::pow(std::sin(0.5 * std::numbers::pi * x), 2.0),
                  0.5 / 4096);
      EXPECT_EQ(ramp[k] + ramp[ramp.size() - 1 - k], 1.0F);
    }
  }
  EXPECT_FLOAT_EQ(hann_ramp(1)[0], 600.0F / 4096.0F);  // sin^2(pi/8) = 0.1464466
  EXPECT_TRUE(hann_ramp(0).empty());
  EXPECT_THROW((void)hann_ramp(-1), InvalidArgument);
}

TEST(BlendWeights, LeaveOutTheRampWhereThereIsNoNeighbour) {
  const auto ramp = hann_ramp(2);
  EXPECT_EQ(blend_weights(0, 5, 5, 2), std::vector<float>(5, 1.0F));
  EXPECT_EQ(blend_weights(0, 4, 8, 2), (std::vector<float>{1, 1, ramp[3], ramp[2], ramp[1], ramp[0]}));
  EXPECT_EQ(blend_weights(4, 8, 8, 2), (std::vector<float>{ramp[0], ramp[1], ramp[2], ramp[3], 1, 1}));
  // The last core is shorter than the margin.
  EXPECT_EQ(blend_weights(4, 5, 5, 2), (std::vector<float>{ramp[0], ramp[1], ramp[2]}));
  EXPECT_THROW((void)blend_weights(4, 4, 8, 2), InvalidArgument);
  EXPECT_THROW((void)blend_weights(-1, 4, 8, 2), InvalidArgument);
  EXPECT_THROW((void)blend_weights(4, 9, 8, 2), InvalidArgument);
}

TEST(BlendWeights, OfAllTilesSumToExactlyOneInEveryPixel) {
  struct Case {
    std::int64_t width, height, tile_px, margin_px;
  };
  for (const Case& c : {Case{97, 61, 32, 16}, Case{64, 64, 32, 7}, Case{33, 1, 16, 8}, Case{1, 1, 16, 8},
                        Case{50, 50, 64, 20}, Case{45, 45, 22, 11}, Case{20, 20, 6, 0}}) {
    const Grid grid = test::utm_grid(c.width, c.height);
    Raster<float> sum(c.width, c.height);
    for (const Tile& tile : make_tiles(grid, c.tile_px, 0)) {
      const Window window = blend_window(tile.core, grid, c.margin_px);
      const auto x = blend_weights(tile.core.col, tile.core.end_col(), c.width, c.margin_px);
      const auto y = blend_weights(tile.core.row, tile.core.end_row(), c.height, c.margin_px);
      ASSERT_EQ(static_cast<std::int64_t>(x.size()), window.width);
      ASSERT_EQ(static_cast<std::int64_t>(y.size()), window.height);
      for (std::int64_t row = 0; row < window.height; ++row) {
        for (std::int64_t col = 0; col < window.width; ++col) {
          sum.at(window.col + col, window.row + row) +=
              x[static_cast<std::size_t>(col)] * y[static_cast<std::size_t>(row)];
        }
      }
    }
    for (const float v : sum.data()) ASSERT_EQ(v, 1.0F) << c.width << " " << c.tile_px << " " << c.margin_px;
  }
}

}  // namespace
}  // namespace furrow::geo
