#include <furrow/assessment/block_accuracy.h>

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/raster/rasterize.h>
#include <furrow/geo/raster/writer.h>

#include "support.h"

namespace furrow::assessment {
namespace {

using ::testing::HasSubstr;
using Figures = std::vector<std::function<double(const BlockCounts&)>>;

/// A map given as text: '.' background, 'i' interior, 'b' boundary, '?' unknown.
LabelSource drawn(const std::vector<std::string>& rows) {
  return [rows](const geo::Window& window) {
    LabelWindow result{geo::Raster<std::uint8_t>(window.width, window.height),
                       geo::Raster<std::uint8_t>(window.width, window.height)};
    for (std::int64_t row = 0; row < window.height; ++row) {
      for (std::int64_t col = 0; col < window.width; ++col) {
        const char c =
            rows[static_cast<std::size_t>(window.row + row)][static_cast<std::size_t>(window.col + col)];
        result.labels.at(col, row) = c == 'i'   ? geo::kInterior
                                     : c == 'b' ? geo::kBoundary
                                     : c == '?' ? geo::kIgnore
                                                : geo::kBackground;
        result.extent.at(col, row) = c == 'i' || c == 'b';
      }
    }
    return result;
  };
}

BlockCounts total(const std::vector<BlockCounts>& blocks) {
  BlockCounts sum;
  for (const BlockCounts& block : blocks) sum += block;
  return sum;
}

TEST(BlockAccuracy, BoundariesMatchWithinTheToleranceByHand) {
  const geo::Grid grid = test::utm_grid(6, 4);
  BlockInputs inputs;
  inputs.predicted = drawn({"..b...", "..b...", "..b..b", "......"});
  inputs.reference = drawn({"...b..", "....b.", "..b...", "?....."});
  geo::ExecContext exec;
  // Columns 2 against 3 (1 px), 2 against 4 (2 px, but the row above has one at sqrt 2), 2 against 2; the one
  // in column 5 is sqrt 2 from column 4.
  const auto counts = [&](double tolerance) {
    return total(count_blocks(inputs, grid, {2, tolerance, 0.5}, exec));
  };
  EXPECT_EQ(counts(0.0).boundary_correct, 1);
  EXPECT_EQ(counts(0.0).boundary_found, 1);
  EXPECT_EQ(counts(1.0).boundary_correct, 3);  // rows 0, 2 and row 1 by the reference's pixel below it
  EXPECT_EQ(counts(1.0).boundary_found, 2);
  EXPECT_EQ(counts(1.5).boundary_correct, 4);
  EXPECT_EQ(counts(1.5).boundary_found, 3);
  EXPECT_EQ(counts(1.0).boundary_predicted, 4);
  EXPECT_EQ(counts(1.0).pixels, 23);
  EXPECT_NEAR(counts(1.0).boundary_f1(), 2.0 * 0.75 * (2.0 / 3.0) / (0.75 + 2.0 / 3.0), 1e-12);
}

TEST(BlockAccuracy, DoesNotDependOnBlocksOrThreads) {
  geo::Random random(5);
  const auto noise = [&] {
    std::vector<std::string> rows(30, std::string(41, '.'));
    for (auto& row : rows) {
      for (char& c : row) c = ".ib?"[random.below(4)];
    }
    return rows;
  };
  BlockInputs inputs;
  inputs.predicted = drawn(noise());
  inputs.reference = drawn(noise());
  const geo::Grid grid = test::utm_grid(41, 30);
  geo::ExecContext one({1, 0});
  geo::ExecContext four({4, 0});
  const BlockCounts all = total(count_blocks(inputs, grid, {100, 2.0, 0.5}, one));
  for (const std::int64_t block_px : {1, 7, 16}) {
    const auto parts = count_blocks(inputs, grid, {block_px, 2.0, 0.5}, four);
    const BlockCounts sum = total(parts);
    EXPECT_GT(parts.size(), 5u);
    EXPECT_EQ(sum.boundary_correct, all.boundary_correct);
    EXPECT_EQ(sum.boundary_found, all.boundary_found);
    EXPECT_EQ(sum.extent.true_positive, all.extent.true_positive);
    EXPECT_EQ(sum.pixels, all.pixels);
  }
  geo::ExecContext exec;
  const PixelAccuracy whole =
      assess_pixels(inputs.predicted, inputs.reference, grid, std::nullopt, nullptr, exec);
  EXPECT_EQ(all.pixels, whole.pixels);
  EXPECT_EQ(all.extent.iou(), whole.extent.iou());
}

TEST(BlockAccuracy, FieldsCountInTheBlockOfTheirCentroid) {
  const geo::Grid grid = test::utm_grid(20, 20);
  const auto square = [](double x, double y, double side) {
    return geo::MultiPolygon{geo::to_polygon(geo::Box{x, y - side, x + side, y})};
  };
  const std::vector<geo::MultiPolygon> reference{square(500000, 6000000, 80), square(500110, 6000000, 60)};
  const std::vector<geo::MultiPolygon> predicted{square(500000, 6000000, 70), square(500110, 5999890, 60)};
  BlockInputs inputs;
  inputs.reference = polygon_source(reference, grid);
  inputs.predicted = polygon_source(predicted, grid);
  inputs.predicted_fields = predicted;
  inputs.reference_fields = reference;
  geo::ExecContext exec;
  const auto blocks = count_blocks(inputs, grid, {10, 1.0, 0.5}, exec);
  ASSERT_EQ(blocks.size(), 4u);
  EXPECT_EQ(blocks[0].found, 1);  // upper left
  EXPECT_EQ(blocks[0].correct, 1);
  EXPECT_EQ(blocks[1].reference, 1);  // upper right: missed
  EXPECT_EQ(blocks[1].found, 0);
  EXPECT_EQ(blocks[3].predicted, 1);  // lower right: invented
  EXPECT_EQ(blocks[3].correct, 0);
  EXPECT_DOUBLE_EQ(total(blocks).object_f1(), 0.5);
}

TEST(BlockAccuracy, CalibrationByHand) {
  const test::TemporaryFolder folder;
  const geo::Grid grid = test::utm_grid(4, 1);
  geo::Raster<std::uint8_t> scores(4, 1, 3);
  const std::array<std::array<int, 3>, 4> values{{{160, 20, 20}, {160, 20, 20}, {20, 120, 60}, {0, 0, 200}}};
  for (std::int64_t col = 0; col < 4; ++col) {
    for (int b = 0; b < 3; ++b)
      scores.at(col, 0, b) =
          static_cast<std::uint8_t>(values[static_cast<std::size_t>(col)][static_cast<std::size_t>(b)]);
  }
  geo::RasterSpec spec;
  spec.type = geo::PixelType::kUint8;
  spec.bands = 3;
  spec.scale = 0.005;
  spec.nodata = 255.0;
  spec.cog = false;
  geo::write_raster(folder / "scores.tif", grid, scores, spec, true);
  const geo::RasterReader reader((folder / "scores.tif").string());
  BlockInputs inputs;
  inputs.reference = drawn({".bib"});
  inputs.scores = &reader;
  geo::ExecContext exec;
  const BlockCounts counts = total(count_blocks(inputs, grid, {}, exec));
  EXPECT_EQ(counts.scored, 4);
  // 0.8 right, 0.8 wrong: |1 - 1.6|; 0.6 right: 0.4; 1.0 right: 0.
  EXPECT_NEAR(counts.ece(), (0.6 + 0.4) / 4.0, 1e-6);
  EXPECT_NEAR(counts.brier(), (0.06 + (0.64 + 0.81 + 0.01) + (0.01 + 0.16 + 0.09) + 0.0) / 4.0, 1e-6);
}

TEST(BlockAccuracy, RefusesScoresThatAreNone) {
  const test::TemporaryFolder folder;
  const geo::Grid grid = test::utm_grid(2, 1);
  geo::RasterSpec spec;
  spec.type = geo::PixelType::kUint8;
  spec.bands = 3;
  spec.cog = false;
  geo::write_raster(folder / "raw.tif", grid, geo::Raster<std::uint8_t>(2, 1, 3, 80), spec, true);
  const geo::RasterReader reader((folder / "raw.tif").string());
  BlockInputs inputs;
  inputs.reference = drawn({"ib"});
  inputs.scores = &reader;
  geo::ExecContext exec;
  try {
    static_cast<void>(count_blocks(inputs, grid, {}, exec));
    FAIL();
  } catch (const geo::InvalidArgument& error) {
    EXPECT_THAT(error.what(), HasSubstr("raw.tif"));
  }
}

/// Blocks of one figure: the share of pixels of which the extent is right.
std::vector<BlockCounts> random_blocks(std::size_t n, std::uint64_t seed) {
  geo::Random random(seed);
  std::vector<BlockCounts> blocks(n);
  for (BlockCounts& block : blocks) {
    const double share = random.uniform(0.3, 0.9);
    block.pixels = 100;
    block.extent.true_positive = std::llround(100.0 * share);
    block.extent.false_positive = 100 - block.extent.true_positive;
  }
  return blocks;
}

TEST(BootstrapBlocks, IntervalIsThatOfTheMean) {
  const Figures figures{[](const BlockCounts& b) { return b.extent.precision(); }};
  const auto blocks = random_blocks(50, 1);
  double mean = 0.0;
  double squares = 0.0;
  for (const auto& block : blocks) {
    mean += block.extent.precision() / 50.0;
    squares += block.extent.precision() * block.extent.precision() / 50.0;
  }
  const double error = std::sqrt((squares - mean * mean) / 50.0);
  const auto interval = bootstrap_blocks(blocks, figures, 4000, 7).front();
  // Blocks of one size: the figure is their mean, whose distribution is close to normal.
  EXPECT_NEAR(interval.low, mean - 1.96 * error, 0.12 * error);
  EXPECT_NEAR(interval.high, mean + 1.96 * error, 0.12 * error);
  const auto again = bootstrap_blocks(blocks, figures, 4000, 7).front();
  EXPECT_EQ(again.low, interval.low);
}

TEST(BootstrapBlocks, NothingToCompareGivesNoInterval) {
  const Figures figures{[](const BlockCounts& b) { return b.object_f1(); }};
  EXPECT_TRUE(std::isnan(bootstrap_blocks(random_blocks(5, 1), figures, 50, 1).front().low));
  EXPECT_TRUE(std::isnan(bootstrap_blocks(random_blocks(1, 1), figures, 50, 1).front().high));
}

TEST(BlockTable, ComesBackExactly) {
  const test::TemporaryFolder folder;
  auto blocks = random_blocks(3, 4);
  blocks[1].bin_score[7] = 1.0 / 3.0;
  blocks[1].bin_correct[14] = 9;
  blocks[2].squared_error = 0.1;
  blocks[2].col = 4;
  write_blocks(blocks, (folder / "blocks.csv").string(), false);
  const auto back = read_blocks((folder / "blocks.csv").string());
  ASSERT_EQ(back.size(), 3u);
  EXPECT_EQ(back[1].bin_score[7], 1.0 / 3.0);
  EXPECT_EQ(back[1].bin_correct[14], 9);
  EXPECT_EQ(back[2].squared_error, 0.1);
  EXPECT_EQ(back[2].col, 4);
  EXPECT_EQ(back[0].extent.true_positive, blocks[0].extent.true_positive);
}

}  // namespace
}  // namespace furrow::assessment
