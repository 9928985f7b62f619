#include <furrow/segmentation/predictor.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>
#include <numbers>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/version.h>
#include <furrow/geo/raster/blend.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/raster/writer.h>

#include "prediction/plan.h"
#include "support.h"

namespace furrow::segmentation {
namespace {

using furrow::test::TemporaryFolder;
using geo::Raster;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr double kScale = 1000.0;

/// A model of two bands whose network looks 2 pixels far.
ModelSpec local_spec() {
  ModelSpec spec;
  spec.id = "local-filter";
  spec.architecture = "test";
  spec.bands = {{"red"}, {"nir"}};
  spec.normalisation.method = geo::NormaliseMethod::kDivide;
  spec.normalisation.divisor = kScale;
  spec.classes = {{0, "background"}, {1, "interior"}, {2, "boundary"}};
  spec.stride_px = 1;
  spec.receptive_radius_px = 2;
  return spec;
}

std::array<float, 3> probabilities(float box, float own) {
  const float a = 1.0F / (1.0F + std::exp(-box));
  const float b = 1.0F / (1.0F + std::exp(0.5F - own));
  return {1.0F - a, a * (1.0F - b), a * b};
}

/// 5 x 5 box of the first band (zeros outside the window, as a convolution does), the second band as it is,
/// and a non-linearity. Sums run in the same order wherever the window lies.
void local_filter(std::span<const float> input, std::int64_t n, std::int64_t bands, std::int64_t height,
                  std::int64_t width, std::span<float> output) {
  ASSERT_EQ(n, 1);
  ASSERT_EQ(bands, 2);
  ASSERT_EQ(static_cast<std::int64_t>(input.size()), 2 * height * width);
  ASSERT_EQ(static_cast<std::int64_t>(output.size()), 3 * height * width);
  const auto at = [&](std::int64_t band, std::int64_t row, std::int64_t col) {
    return input[static_cast<std::size_t>((band * height + row) * width + col)];
  };
  for (std::int64_t row = 0; row < height; ++row) {
    for (std::int64_t col = 0; col < width; ++col) {
      float box = 0.0F;
      for (std::int64_t y = row - 2; y <= row + 2; ++y) {
        for (std::int64_t x = col - 2; x <= col + 2; ++x) {
          box += x < 0 || y < 0 || x >= width || y >= height ? 0.0F : at(0, y, x);
        }
      }
      const auto p = probabilities(box / 25.0F, at(1, row, col));
      for (std::int64_t k = 0; k < 3; ++k) {
        output[static_cast<std::size_t>((k * height + row) * width + col)] = p[static_cast<std::size_t>(k)];
      }
    }
  }
}

struct Scene {
  Raster<float> pixels;  ///< [2, rows, cols], NaN where there is no data
};

/// A seeded scene with nodata islands, one of them at a border, and single missing pixels.
Scene make_scene(std::int64_t width, std::int64_t height, bool with_holes) {
  Scene scene{Raster<float>(width, height, 2)};
  geo::Random random(17);
  for (float& v : scene.pixels.data()) v = static_cast<float>(random.below(4000));
  if (!with_holes) return scene;
  const float missing = std::numeric_limits<float>::quiet_NaN();
  for (std::int64_t row = 0; row < height; ++row) {
    for (std::int64_t col = 0; col < width; ++col) {
      const bool island = (col > 20 && col < 60 && row > 10 && row < 40) || (col < 5 && row > height / 2);
      if (island || random.chance(0.01)) {
        scene.pixels.at(col, row, static_cast<int>(random.below(2))) = missing;
      }
    }
  }
  return scene;
}

void write_scene(const std::filesystem::path& path, const Scene& scene, const geo::Grid& grid) {
  geo::RasterSpec spec;
  spec.type = geo::PixelType::kFloat32;
  spec.bands = scene.pixels.bands();
  spec.cog = false;
  spec.metadata["TIFFTAG_DATETIME"] = "2021:07:15 10:30:00";
  geo::write_raster(path, grid, scene.pixels, spec, true);
}

/// Walks step by step, turning round at the first and the last pixel.
std::int64_t bounce(std::int64_t position, std::int64_t extent) {
  if (extent == 1) return 0;
  std::int64_t at = 0;
  std::int64_t step = 1;
  for (std::int64_t i = 0; i < std::abs(position); ++i) {
    if (at + step < 0 || at + step >= extent) step = -step;
    at += step;
  }
  return at;
}

/// The whole scene at once, pixel by pixel: what any tiling must give.
Raster<std::uint8_t> reference_scores(const Scene& scene) {
  const auto& pixels = scene.pixels;
  const auto is_valid = [&](std::int64_t col, std::int64_t row) {
    return std::isfinite(pixels.at(col, row, 0)) && std::isfinite(pixels.at(col, row, 1));
  };
  const auto normalised = [&](std::int64_t col, std::int64_t row, int band) {
    const double v = is_valid(col, row) ? static_cast<double>(pixels.at(col, row, band)) : 0.0;
    return static_cast<float>(v / kScale);
  };
  Raster<std::uint8_t> scores(pixels.width(), pixels.height(), 3, 255);
  for (std::int64_t row = 0; row < pixels.height(); ++row) {
    for (std::int64_t col = 0; col < pixels.width(); ++col) {
      if (!is_valid(col, row)) continue;
      float box = 0.0F;
      for (std::int64_t y = row - 2; y <= row + 2; ++y) {
        for (std::int64_t x = col - 2; x <= col + 2; ++x) {
          box += normalised(bounce(x, pixels.width()), bounce(y, pixels.height()), 0);
        }
      }
      const auto p = probabilities(box / 25.0F, normalised(col, row, 1));
      for (int k = 0; k < 3; ++k) {
        const double stored = std::floor(static_cast<double>(p[static_cast<std::size_t>(k)]) * 200.0 + 0.5);
        scores.at(col, row, k) = static_cast<std::uint8_t>(stored);
      }
    }
  }
  return scores;
}

PredictReport predict(const std::filesystem::path& image, const std::filesystem::path& output,
                      const ModelSpec& spec, const ScoreFunction& score, const PredictOptions& options,
                      int threads = 4) {
  geo::ExecContext exec({threads, 0});
  PredictReport report;
  exec.execute([&] { report = predict_scene(image.string(), output.string(), spec, score, options, exec); });
  return report;
}

Raster<std::uint8_t> read_all(const std::filesystem::path& path) {
  const geo::RasterReader reader(path.string());
  return reader.read<std::uint8_t>(reader.grid().window());
}

std::size_t files_in(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator()));
}

TEST(PredictScene, AnyTilingGivesTheScoresOfTheWholeScene) {
  const TemporaryFolder folder;
  const Scene scene = make_scene(150, 97, true);
  write_scene(folder / "scene.tif", scene, test::utm_grid(150, 97));
  const auto expected = reference_scores(scene);
  for (const std::int64_t tile_px : {32, 33, 64, 100, 512}) {
    for (const std::int64_t halo_px : {2, 16, 21}) {
      for (const bool blend : {true, false}) {
        for (const int stride : {1, 16}) {
          ModelSpec spec = local_spec();
          spec.stride_px = stride;
          PredictOptions options;
          options.tile_px = tile_px;
          options.halo_px = halo_px;
          options.blend = blend;
          options.overwrite = true;
          const auto report = predict(folder / "scene.tif", folder / "out.tif", spec, local_filter, options);
          EXPECT_EQ(report.blend_px, blend ? std::min(halo_px - 2, tile_px / 2) : 0);
          EXPECT_EQ(read_all(folder / "out.tif").data(), expected.data())
              << "tile " << tile_px << " halo " << halo_px << " blend " << blend << " stride " << stride;
        }
      }
    }
  }
}

TEST(PredictScene, ScenesSmallerThanTheHaloAreMirroredAsOftenAsNeeded) {
  const TemporaryFolder folder;
  struct Size {
    std::int64_t width, height;
  };
  for (const Size& size : {Size{1, 1}, Size{1, 40}, Size{40, 1}, Size{2, 3}, Size{7, 5}, Size{33, 17}}) {
    const Scene scene = make_scene(size.width, size.height, false);
    write_scene(folder / "scene.tif", scene, test::utm_grid(size.width, size.height));
    ModelSpec spec = local_spec();
    spec.stride_px = 8;
    PredictOptions options;
    options.tile_px = 16;
    options.overwrite = true;
    const auto report = predict(folder / "scene.tif", folder / "out.tif", spec, local_filter, options);
    EXPECT_EQ(read_all(folder / "out.tif").data(), reference_scores(scene).data())
        << size.width << " x " << size.height;
    EXPECT_EQ(report.valid_pixels, size.width * size.height);
    EXPECT_EQ(report.halo_px, 16) << "at least 16, whatever the radius";
  }
}

/// Mean over cells of 4 x 4 pixels counted from the window's corner, as pooling does.
void pooling_filter(std::span<const float> input, std::int64_t, std::int64_t, std::int64_t height,
                    std::int64_t width, std::span<float> output) {
  ASSERT_EQ(height % 4, 0);
  ASSERT_EQ(width % 4, 0);
  for (std::int64_t row = 0; row < height; ++row) {
    for (std::int64_t col = 0; col < width; ++col) {
      float sum = 0.0F;
      for (std::int64_t y = row / 4 * 4; y < row / 4 * 4 + 4; ++y) {
        for (std::int64_t x = col / 4 * 4; x < col / 4 * 4 + 4; ++x) {
          sum += input[static_cast<std::size_t>(y * width + x)];
        }
      }
      const auto p = probabilities(sum / 16.0F, 0.0F);
      for (std::int64_t k = 0; k < 3; ++k) {
        output[static_cast<std::size_t>((k * height + row) * width + col)] = p[static_cast<std::size_t>(k)];
      }
    }
  }
}

TEST(PredictScene, PoolingCellsLieTheSameInEveryTile) {
  const TemporaryFolder folder;
  write_scene(folder / "scene.tif", make_scene(101, 75, true), test::utm_grid(101, 75));
  ModelSpec spec = local_spec();
  spec.stride_px = 4;
  spec.receptive_radius_px = 3;
  PredictOptions options;
  options.tile_px = 1000;
  predict(folder / "scene.tif", folder / "whole.tif", spec, pooling_filter, options);
  options.overwrite = true;
  for (const std::int64_t tile_px : {13, 30, 64}) {
    for (const std::int64_t halo_px : {3, 10}) {
      options.tile_px = tile_px;
      options.halo_px = halo_px;
      predict(folder / "scene.tif", folder / "tiled.tif", spec, pooling_filter, options);
      EXPECT_EQ(read_all(folder / "tiled.tif").data(), read_all(folder / "whole.tif").data()) << tile_px;
    }
  }
}

Raster<std::uint8_t> cut(const Raster<std::uint8_t>& whole, const geo::Window& window) {
  Raster<std::uint8_t> part(window.width, window.height, whole.bands());
  for (int b = 0; b < whole.bands(); ++b) {
    for (std::int64_t row = 0; row < window.height; ++row) {
      for (std::int64_t col = 0; col < window.width; ++col)
        part.at(col, row, b) = whole.at(window.col + col, window.row + row, b);
    }
  }
  return part;
}

TEST(PredictScene, APartOfTheImageIsScoredAsInTheWhole) {
  const TemporaryFolder folder;
  const geo::Grid grid = test::utm_grid(101, 75);
  write_scene(folder / "scene.tif", make_scene(101, 75, true), grid);
  ModelSpec spec = local_spec();
  spec.normalisation = {};  // statistics of the whole image
  spec.stride_px = 4;
  spec.receptive_radius_px = 3;
  PredictOptions options;
  options.tile_px = 16;
  options.overwrite = true;
  predict(folder / "scene.tif", folder / "whole.tif", spec, pooling_filter, options);
  const auto whole = read_all(folder / "whole.tif");
  for (const geo::Window& window : {geo::Window{0, 0, 101, 75}, geo::Window{13, 9, 50, 41},
                                    geo::Window{99, 70, 2, 5}, geo::Window{30, 0, 1, 1}}) {
    options.area.window = window;
    predict(folder / "scene.tif", folder / "part.tif", spec, pooling_filter, options);
    EXPECT_EQ(read_all(folder / "part.tif").data(), cut(whole, window).data()) << window.col;
    EXPECT_TRUE(geo::RasterReader((folder / "part.tif").string()).grid().same_as(grid.subgrid(window)));
  }
  options.area.window = {90, 60, 500, 500};  // cut with the image
  predict(folder / "scene.tif", folder / "part.tif", spec, pooling_filter, options);
  EXPECT_EQ(read_all(folder / "part.tif").data(), cut(whole, {90, 60, 11, 15}).data());
}

TEST(PredictScene, ABoxInAnotherCrsCoversItsPixels) {
  const TemporaryFolder folder;
  const geo::Grid grid = test::utm_grid(101, 75);
  write_scene(folder / "scene.tif", make_scene(101, 75, false), grid);
  PredictOptions options;
  const geo::Box box = grid.bounds({20, 10, 30, 25});
  geo::Box lonlat;
  const geo::CoordinateTransform to_lonlat(grid.crs, geo::lonlat_crs());
  for (const geo::Point corner : {geo::Point{box.min_x, box.min_y},
                                  {box.min_x, box.max_y},
                                  {box.max_x, box.min_y},
                                  {box.max_x, box.max_y}}) {
    lonlat.expand(to_lonlat.apply(corner));
  }
  options.area.bbox = lonlat;
  options.area.bbox_crs = geo::lonlat_crs();
  predict(folder / "scene.tif", folder / "part.tif", local_spec(), local_filter, options);
  const geo::Grid found = geo::RasterReader((folder / "part.tif").string()).grid();
  EXPECT_LE(found.bounds().min_x, box.min_x);
  EXPECT_GE(found.bounds().max_y, box.max_y);
  EXPECT_NEAR(static_cast<double>(found.width), 31.0, 2.0);
  EXPECT_NEAR(static_cast<double>(found.height), 26.0, 2.0);

  options.area.bbox = geo::Box{0.0, 0.0, 1.0, 1.0};
  options.overwrite = true;
  const auto report = predict(folder / "scene.tif", folder / "none.tif", local_spec(), local_filter, options);
  EXPECT_TRUE(report.is_outside);
  EXPECT_FALSE(std::filesystem::exists(folder / "none.tif"));
}

TEST(PredictScene, ACutlineKeepsThePixelsWhoseCentresLieInside) {
  const TemporaryFolder folder;
  const geo::Grid grid = test::utm_grid(60, 50);
  write_scene(folder / "scene.tif", make_scene(60, 50, false), grid);
  PredictOptions options;
  options.tile_px = 16;
  predict(folder / "scene.tif", folder / "whole.tif", local_spec(), local_filter, options);
  const auto corner = [&](double col, double row) { return grid.transform.to_world({col, row}); };
  const geo::Polygon triangle{{corner(5, 5), corner(5, 45), corner(45, 45), corner(5, 5)}, {}};
  options.area.cutline = {{triangle}};
  options.area.cutline_crs = grid.crs;
  const auto report = predict(folder / "scene.tif", folder / "part.tif", local_spec(), local_filter, options);
  const auto whole = read_all(folder / "whole.tif");
  const auto part = read_all(folder / "part.tif");
  ASSERT_EQ(part.width(), 40);
  ASSERT_EQ(part.height(), 40);
  std::int64_t inside = 0;
  for (std::int64_t row = 0; row < 40; ++row) {
    for (std::int64_t col = 0; col < 40; ++col) {
      if (col == row) continue;  // centres on the outline
      inside += col < row ? 1 : 0;
      EXPECT_EQ(part.at(col, row, 1), col < row ? whole.at(col + 5, row + 5, 1) : 255) << col << " " << row;
    }
  }
  EXPECT_NEAR(static_cast<double>(report.valid_pixels), static_cast<double>(inside), 40.0);
  EXPECT_GT(report.empty_tiles, 0) << "tiles beyond the cutline never reach the network";
}

TEST(PredictionPlan, LargeImagesGetLargeTilesAndSmallOnesATileForEachProcessor) {
  PredictionPlan plan;
  plan.halo_px = 112;
  plan.bands = 4;
  plan.channels = 3;
  plan.network_bytes = 1024;
  constexpr std::size_t kGiB = std::size_t{1} << 30;
  const auto tile_of = [&](std::int64_t width, std::int64_t height, std::size_t processors,
                           std::size_t memory) {
    plan.grid = test::utm_grid(width, height);
    return choose_tile_px(plan, processors, memory);
  };
  EXPECT_EQ(tile_of(100000, 100000, 4, 64 * kGiB), 2048);
  EXPECT_EQ(tile_of(256, 256, 4, 64 * kGiB), 512) << "small images are one tile";
  EXPECT_EQ(tile_of(1000, 1000, 1, 64 * kGiB), 1024) << "one processor waits for none";
  EXPECT_EQ(tile_of(1000, 1000, 4, 64 * kGiB), 512);
  EXPECT_EQ(tile_of(2048, 2048, 2, 64 * kGiB), 1024)
      << "two for each, not five for one and four for the other";
  EXPECT_EQ(tile_of(4000, 4000, 64, 64 * kGiB), 512);
  const std::int64_t in_12 = tile_of(100000, 100000, 8, 12 * kGiB);
  EXPECT_GE(in_12, 512);
  EXPECT_LT(in_12, 1024);
  EXPECT_LT(tile_of(100000, 100000, 8, 2 * kGiB), 512);
  EXPECT_EQ(tile_of(100000, 100000, 8, 1), 64);
}

TEST(PredictionPlan, BlocksOfARowOfTilesStayInTheCache) {
  PredictionPlan plan;
  plan.area = {500, 0, 8000, 6000};
  plan.image_width = 10000;
  plan.image_height = 6000;
  plan.tile_px = 1024;
  plan.halo_px = 100;
  plan.classes = 3;
  plan.layers = {QualityLayer::kEntropy};
  const std::size_t written = 8000U * (1024 + 2 * 512) * 4;
  EXPECT_EQ(plan.block_cache_bytes(8, 256), 8200U * (1224 + 2 * 256) * 8 + written);
  EXPECT_EQ(plan.block_cache_bytes(8, 6000), 8200U * 6000 * 8 + written) << "no more than there is";
}

/// What a U-Net holds of a tile grows with its width, not with its height.
TEST(PredictionPlan, NetworksThatGoByRowsGetLargerTilesInTheSameMemory) {
  PredictionPlan plan;
  plan.grid = test::utm_grid(100000, 100000);
  plan.halo_px = 112;
  plan.bands = 4;
  plan.channels = 3;
  plan.network_bytes = 1024;
  constexpr std::size_t kGiB = std::size_t{1} << 30;
  const std::int64_t whole = choose_tile_px(plan, 8, 8 * kGiB);
  plan.network_rows = 704;
  const std::int64_t by_rows = choose_tile_px(plan, 8, 8 * kGiB);
  EXPECT_GT(by_rows, whole + 128);
  plan.tile_px = by_rows;
  EXPECT_LE(plan.tile_bytes(), kGiB);
  plan.tile_px = 64;  // lower than the rows held at once: all of it
  const std::size_t low = plan.tile_bytes();
  plan.network_rows = 0;
  EXPECT_EQ(plan.tile_bytes(), low);
}

TEST(PredictionPlan, BatchNormalisedUNetsWithAHaloForAllTheyLookAtGoByRows) {
  ModelSpec spec = local_spec();
  spec.receptive_radius_px = 107;
  spec.stride_px = 16;
  const geo::Grid image = test::utm_grid(3000, 3000);
  PredictOptions options;
  const auto rows = [&] {
    return make_plan(image, {image.window(), {}}, spec, options, std::size_t{1} << 34).network_rows;
  };
  spec.architecture = "unet";
  EXPECT_EQ(rows(), 4 * (112 + 64));
  options.halo_px = 32;
  EXPECT_EQ(rows(), 0);
  options.halo_px.reset();
  spec.architecture_parameters["group_norm"] = 1.0;
  EXPECT_EQ(rows(), 0);
  spec.architecture_parameters.clear();
  spec.architecture = "residual-unet";
  EXPECT_EQ(rows(), 0);
}

TEST(PredictScene, TheDefaultTileFollowsTheMemoryAndNotTheThreads) {
  const TemporaryFolder folder;
  write_scene(folder / "scene.tif", make_scene(700, 20, false), test::utm_grid(700, 20));
  ModelSpec spec = local_spec();
  spec.receptive_radius_px = 144;
  spec.architecture_parameters["base_width"] = 32;
  PredictOptions options;
  options.overwrite = true;
  const auto tile_of = [&](std::size_t memory_bytes, int threads) {
    geo::ExecContext exec({threads, memory_bytes});
    PredictReport report;
    exec.execute([&] {
      report = predict_scene((folder / "scene.tif").string(), (folder / "out.tif").string(), spec,
                             ScoreFunction(local_filter), options, exec);
    });
    return report.tile_px;
  };
  constexpr std::size_t kMiB = std::size_t{1} << 20;
  const int processors = geo::ExecContext().threads();
  for (const int threads : {1, 4}) {
    EXPECT_EQ(tile_of(1000 * 1024 * kMiB, threads), processors > 1 ? 512 : 704);
    EXPECT_EQ(tile_of(130 * kMiB, threads), 64);
  }
  spec.architecture_parameters["group_norm"] = 1.0;
  EXPECT_EQ(tile_of(1000 * 1024 * kMiB, 1), 256);
  options.tile_px = 33;
  EXPECT_EQ(tile_of(1000 * 1024 * kMiB, 1), 33);
}

TEST(PredictScene, ImagesOfOtherPixelsAreResampledToTheModels) {
  const TemporaryFolder folder;
  write_scene(folder / "scene.tif", make_scene(60, 45, true), test::utm_grid(60, 45));  // 10 m
  ModelSpec spec = local_spec();
  spec.pixel_size_m = 4.0;
  PredictOptions options;
  options.overwrite = true;
  const auto predicted = [&] {
    return predict(folder / "scene.tif", folder / "out.tif", spec, local_filter, options);
  };
  EXPECT_THROW(predicted(), geo::ModelError);
  options.resample = Resample::kNeeded;
  const auto report = predicted();
  EXPECT_TRUE(report.was_resampled);
  const geo::Grid grid = geo::RasterReader((folder / "out.tif").string()).grid();
  EXPECT_NEAR(grid.transform.pixel_width(), 4.0, 1e-9);
  EXPECT_NEAR(static_cast<double>(grid.width), 150.0, 1.0);
  EXPECT_GT(report.valid_pixels, 60 * 45 * 2);
  EXPECT_LT(report.valid_pixels, 150 * 113 * 3 / 4) << "the islands without data";
  spec.pixel_size_m = 8.0;
  EXPECT_FALSE(predicted().was_resampled) << "near enough";
  options.resample = Resample::kAlways;
  EXPECT_TRUE(predicted().was_resampled);
  spec.pixel_size_m = 10.0;
  EXPECT_FALSE(predicted().was_resampled) << "the same";
  spec.pixel_size_m = 1.0;
  EXPECT_THROW(predicted(), geo::ModelError) << "too far apart";
}

TEST(PredictScene, BytesDoNotDependOnThreads) {
  const TemporaryFolder folder;
  write_scene(folder / "scene.tif", make_scene(300, 211, true), test::utm_grid(300, 211));
  ModelSpec spec = local_spec();
  spec.normalisation = {};
  spec.receptive_radius_px = 40;  // more than the halo: the tiles disagree and the blend counts
  PredictOptions options;
  options.tile_px = 32;
  options.halo_px = 3;
  for (const int threads : {1, 4}) {
    const std::string suffix = std::to_string(threads) + ".tif";
    options.quality = {{QualityLayer::kEntropy, (folder / ("entropy" + suffix)).string()}};
    const auto report =
        predict(folder / "scene.tif", folder / ("scores" + suffix), spec, local_filter, options, threads);
    EXPECT_EQ(report.blend_px, 1);
    EXPECT_EQ(report.tiles, 70);
  }
  EXPECT_EQ(test::bytes_of(folder / "scores1.tif"), test::bytes_of(folder / "scores4.tif"));
  EXPECT_EQ(test::bytes_of(folder / "entropy1.tif"), test::bytes_of(folder / "entropy4.tif"));
  EXPECT_GT(std::filesystem::file_size(folder / "entropy1.tif"), 0U);
}

/// A network that fails at its `calls`-th tile, as an interruption does; 0 = never. Counts the tiles.
ScoreFunction failing_at(int calls, std::atomic<int>& count) {
  return [calls, &count](auto... arguments) {
    if (++count == calls) throw geo::Cancelled();
    local_filter(arguments...);
  };
}

/// 7 rows of 10 tiles whose blends matter: the network looks farther than the halo.
class ResumedPrediction : public ::testing::Test {
 protected:
  ResumedPrediction() {
    write_scene(m_folder / "scene.tif", make_scene(300, 211, true), test::utm_grid(300, 211));
    m_spec.receptive_radius_px = 40;
    m_options.tile_px = 32;
    m_options.halo_px = 7;
    m_whole = run("whole", 0);
    m_options.resume = true;
  }

  PredictReport run(const std::string& name, int fail_at, int threads = 1) {
    m_calls = 0;
    m_options.quality = {{QualityLayer::kEntropy, (m_folder / (name + "_entropy.tif")).string()},
                         {QualityLayer::kDisagreement, (m_folder / (name + "_seams.tif")).string()}};
    return predict(m_folder / "scene.tif", m_folder / (name + ".tif"), m_spec, failing_at(fail_at, m_calls),
                   m_options, threads);
  }
  void interrupt(int fail_at) { EXPECT_THROW(run("out", fail_at), geo::Cancelled); }
  void expect_whole(const PredictReport& report, const std::string& what) {
    EXPECT_EQ(test::bytes_of(m_folder / "out.tif"), test::bytes_of(m_folder / "whole.tif")) << what;
    EXPECT_EQ(test::bytes_of(m_folder / "out_entropy.tif"), test::bytes_of(m_folder / "whole_entropy.tif"))
        << what;
    EXPECT_EQ(test::bytes_of(m_folder / "out_seams.tif"), test::bytes_of(m_folder / "whole_seams.tif"))
        << what;
    EXPECT_EQ(report.empty_tiles, m_whole.empty_tiles) << what;
    EXPECT_EQ(report.valid_pixels, m_whole.valid_pixels) << what;
    forget_finished((m_folder / "out.tif").string());
    EXPECT_FALSE(std::filesystem::exists(partial())) << what;
  }
  void clear() {
    std::filesystem::remove(m_folder / "out.tif");
    std::filesystem::remove(m_folder / "out_entropy.tif");
    std::filesystem::remove(m_folder / "out_seams.tif");
  }
  [[nodiscard]] std::filesystem::path partial() const { return m_folder / "out.tif.partial"; }

  TemporaryFolder m_folder;
  ModelSpec m_spec = local_spec();
  PredictOptions m_options;
  PredictReport m_whole;
  std::atomic<int> m_calls = 0;
};

TEST_F(ResumedPrediction, GivesTheBytesOfAnUninterruptedOne) {
  ASSERT_GT(m_whole.blend_px, 0);
  const int all = m_calls;
  for (const bool blend : {true, false}) {
    m_options.blend = blend;
    m_options.overwrite = true;
    m_options.resume = false;
    m_whole = run("whole", 0);
    m_options.resume = true;
    for (const int threads : {1, 4}) {
      for (const int fail_at : {1, 12, 40, all}) {
        clear();
        interrupt(fail_at);
        EXPECT_TRUE(std::filesystem::exists(partial() / "ledger"));
        EXPECT_FALSE(std::filesystem::exists(m_folder / "out.tif"));
        expect_whole(run("out", 0, threads), "stopped at " + std::to_string(fail_at));
        // Rows of ten tiles: the unfinished one, and the one above it where blending needs its scores.
        EXPECT_LE(m_calls, all - (fail_at - 1) + 20);
      }
    }
  }
}

TEST_F(ResumedPrediction, GoesOnFromTheLastRowThatIsWhole) {
  const auto tear = [](const std::filesystem::path& file, std::uintmax_t bytes) {
    std::filesystem::resize_file(file, std::filesystem::file_size(file) - bytes);
  };
  int calls = 0;
  for (const int damage : {0, 1, 2, 3, 4}) {
    clear();
    interrupt(60);
    ASSERT_TRUE(std::filesystem::exists(partial() / "row-4.tif"));
    if (damage == 1) tear(partial() / "ledger", 5);
    if (damage == 2) tear(partial() / "row-4.tif", 1);
    if (damage == 3) std::filesystem::remove(partial() / "row-0.tif");
    if (damage == 4) std::filesystem::resize_file(partial() / "ledger", 40);  // within the head
    expect_whole(run("out", 0), "damage " + std::to_string(damage));
    EXPECT_GT(m_calls, damage == 0 ? 0 : calls) << "a damaged row is scored again";
    if (damage == 0) calls = m_calls;
  }
}

TEST_F(ResumedPrediction, RefusesAnotherRunAndSaysWhatDiffers) {
  interrupt(40);
  const auto refused = [&](const std::string& what) {
    try {
      run("out", 0);
      ADD_FAILURE() << what;
    } catch (const geo::InvalidArgument& error) {
      EXPECT_THAT(error.what(),
                  AllOf(HasSubstr("out.tif.partial"), HasSubstr("what differs: " + what + ";")));
    }
    EXPECT_EQ(m_calls, 0);
  };
  m_options.tile_px = 48;
  refused("tile size");
  m_options.tile_px = 32;
  m_spec.weights_sha256 = "other";
  refused("weights");
  m_spec.weights_sha256.clear();
  const auto time = std::filesystem::last_write_time(m_folder / "scene.tif");
  std::filesystem::last_write_time(m_folder / "scene.tif", time + std::chrono::seconds(2));
  refused("image file's time");
  std::filesystem::last_write_time(m_folder / "scene.tif", time);
  expect_whole(run("out", 0), "nothing was lost");
}

TEST_F(ResumedPrediction, FinishedOutputsOfTheSameRunAreKept) {
  EXPECT_FALSE(run("out", 0).was_finished);
  EXPECT_EQ(files_in(partial()), 1U) << "rows are no longer needed";
  const PredictReport again = run("out", 0);
  EXPECT_TRUE(again.was_finished);
  EXPECT_EQ(m_calls, 0);
  m_options.halo_px = 8;
  EXPECT_THROW(run("out", 0), geo::IoError) << "made with other settings: needs --overwrite";
  m_options.overwrite = true;
  EXPECT_FALSE(run("out", 0).was_finished);
  std::filesystem::last_write_time(m_folder / "scene.tif", std::filesystem::file_time_type::clock::now());
  EXPECT_FALSE(run("out", 0).was_finished) << "the image changed";
  std::filesystem::remove(m_folder / "out_entropy.tif");
  EXPECT_FALSE(run("out", 0).was_finished) << "one output is missing";
}

TEST_F(ResumedPrediction, AnOlderOutputIsNotTakenForTheOneThatWasToReplaceIt) {
  run("out", 0);
  m_options.overwrite = true;
  const auto noted = std::filesystem::last_write_time(partial() / "finished");
  std::filesystem::last_write_time(m_folder / "out.tif", noted - std::chrono::seconds(1));
  EXPECT_FALSE(run("out", 0).was_finished);
}

TEST(PredictScene, ChosenBandsComeInTheModelsOrder) {
  const TemporaryFolder folder;
  const Scene scene = make_scene(60, 40, true);
  write_scene(folder / "scene.tif", scene, test::utm_grid(60, 40));
  // The same pixels with a band in front and the two bands turned round.
  Scene turned{Raster<float>(60, 40, 3, 7.0F)};
  for (int b = 0; b < 2; ++b) std::ranges::copy(scene.pixels.band(b), turned.pixels.band(2 - b).begin());
  write_scene(folder / "turned.tif", turned, test::utm_grid(60, 40));
  PredictOptions options;
  predict(folder / "scene.tif", folder / "a.tif", local_spec(), local_filter, options, 2);
  options.bands = {2, 1};
  predict(folder / "turned.tif", folder / "b.tif", local_spec(), local_filter, options, 2);
  EXPECT_EQ(test::bytes_of(folder / "a.tif"), test::bytes_of(folder / "b.tif"));
  options.bands = {2, 3};
  EXPECT_THROW(predict(folder / "turned.tif", folder / "c.tif", local_spec(), local_filter, options, 2),
               geo::InvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(folder / "c.tif"));
}

TEST(PredictScene, TheBandsOfASecondDateFollow) {
  const TemporaryFolder folder;
  const Scene scene = make_scene(60, 40, true);
  write_scene(folder / "scene.tif", scene, test::utm_grid(60, 40));
  for (int b = 0; b < 2; ++b) {
    Scene date{Raster<float>(60, 40)};
    std::ranges::copy(scene.pixels.band(b), date.pixels.band(0).begin());
    write_scene(folder / (b == 0 ? "may.tif" : "july.tif"), date, test::utm_grid(60, 40));
  }
  PredictOptions options;
  predict(folder / "scene.tif", folder / "a.tif", local_spec(), local_filter, options, 2);
  options.other_dates = {(folder / "july.tif").string()};
  predict(folder / "may.tif", folder / "b.tif", local_spec(), local_filter, options, 2);
  EXPECT_EQ(test::bytes_of(folder / "a.tif"), test::bytes_of(folder / "b.tif"));
  // Neither the other date nor the image may be the output.
  EXPECT_THROW(predict(folder / "may.tif", folder / "july.tif", local_spec(), local_filter, options, 2),
               geo::IoError);
}

/// Every pixel gets the mean of the whole window: tiles disagree as much as they can.
void window_mean(std::span<const float> input, std::int64_t, std::int64_t bands, std::int64_t height,
                 std::int64_t width, std::span<float> output) {
  double sum = 0.0;
  for (const float v : input) sum += static_cast<double>(v);
  const auto mean = static_cast<float>(sum / static_cast<double>(bands * height * width));
  const auto pixels = static_cast<std::size_t>(height * width);
  for (std::size_t i = 0; i < pixels; ++i) {
    output[i] = 1.0F - mean;
    output[pixels + i] = mean;
    output[2 * pixels + i] = 0.0F;
  }
}

/// A scene whose left half is 200 and whose right half is 800.
Scene step_scene(std::int64_t width, std::int64_t height) {
  Scene scene{Raster<float>(width, height, 2, 200.0F)};
  for (int b = 0; b < 2; ++b) {
    for (std::int64_t row = 0; row < height; ++row) {
      for (std::int64_t col = width / 2; col < width; ++col) scene.pixels.at(col, row, b) = 800.0F;
    }
  }
  return scene;
}

TEST(PredictScene, BlendLeadsSmoothlyFromOneTileToTheNext) {
  const TemporaryFolder folder;
  write_scene(folder / "scene.tif", step_scene(64, 40), test::utm_grid(64, 40));
  ModelSpec spec = local_spec();
  spec.receptive_radius_px = 500;
  PredictOptions options;
  options.tile_px = 32;
  options.halo_px = 8;
  const auto report = predict(folder / "scene.tif", folder / "hann.tif", spec, window_mean, options);
  EXPECT_EQ(report.blend_px, 4);
  options.blend = false;
  predict(folder / "scene.tif", folder / "crop.tif", spec, window_mean, options);

  // Each window is 48 px wide and sees 8 columns of the other half; the mirror image beyond the border
  // changes nothing.
  const double left = (40.0 * 0.2 + 8.0 * 0.8) / 48.0;
  const double right = (40.0 * 0.8 + 8.0 * 0.2) / 48.0;
  const auto ramp = geo::hann_ramp(4);
  const auto hann = read_all(folder / "hann.tif");
  const auto crop = read_all(folder / "crop.tif");
  for (std::int64_t row = 0; row < 40; ++row) {
    for (std::int64_t col = 0; col < 64; ++col) {
      const double w = col < 28    ? 0.0
                       : col >= 36 ? 1.0
                                   : static_cast<double>(ramp[static_cast<std::size_t>(col - 28)]);
      ASSERT_NEAR(hann.at(col, row, 1), 200.0 * ((1.0 - w) * left + w * right), 0.51) << col << " " << row;
      ASSERT_NEAR(crop.at(col, row, 1), 200.0 * (col < 32 ? left : right), 0.51);
    }
  }
}

TEST(PredictScene, BlendEqualsTheWeightedSumOfAllTiles) {
  const TemporaryFolder folder;
  const std::int64_t width = 75;
  const std::int64_t height = 50;
  const Scene scene = make_scene(width, height, false);
  const geo::Grid grid = test::utm_grid(width, height);
  write_scene(folder / "scene.tif", scene, grid);
  ModelSpec spec = local_spec();
  spec.normalisation.divisor = 4000.0;
  spec.receptive_radius_px = 500;
  PredictOptions options;
  options.tile_px = 24;
  options.halo_px = 20;
  ASSERT_EQ(predict(folder / "scene.tif", folder / "out.tif", spec, window_mean, options).blend_px, 10);

  Raster<double> sum(width, height);
  for (const geo::Tile& tile : geo::make_tiles(grid, 24, 0)) {
    const geo::Window input = geo::grow(tile.core, 20);
    double mean = 0.0;
    for (int b = 0; b < 2; ++b) {
      for (std::int64_t row = input.row; row < input.end_row(); ++row) {
        for (std::int64_t col = input.col; col < input.end_col(); ++col) {
          const std::int64_t x = col < width ? bounce(col, width) : 2 * (width - 1) - col;
          const std::int64_t y = row < height ? bounce(row, height) : 2 * (height - 1) - row;
          mean += static_cast<double>(scene.pixels.at(x, y, b)) / 4000.0 /
                  static_cast<double>(2 * input.pixels());
        }
      }
    }
    const auto x = geo::blend_weights(tile.core.col, tile.core.end_col(), width, 10);
    const auto y = geo::blend_weights(tile.core.row, tile.core.end_row(), height, 10);
    const geo::Window share = geo::blend_window(tile.core, grid, 10);
    for (std::int64_t row = 0; row < share.height; ++row) {
      for (std::int64_t col = 0; col < share.width; ++col) {
        const float w = x[static_cast<std::size_t>(col)] * y[static_cast<std::size_t>(row)];
        sum.at(share.col + col, share.row + row) += static_cast<double>(w) * mean;
      }
    }
  }
  const auto scores = read_all(folder / "out.tif");
  for (std::int64_t row = 0; row < height; ++row) {
    for (std::int64_t col = 0; col < width; ++col) {
      ASSERT_NEAR(scores.at(col, row, 1), 200.0 * sum.at(col, row), 0.501) << col << " " << row;
    }
  }
}

TEST(PredictScene, NodataNanAndInfinityAreNeverScoredAndSpoilNothing) {
  const TemporaryFolder folder;
  Scene scene = make_scene(60, 45, true);
  scene.pixels.at(50, 20, 0) = std::numeric_limits<float>::infinity();
  scene.pixels.at(55, 30, 1) = -std::numeric_limits<float>::infinity();
  write_scene(folder / "scene.tif", scene, test::utm_grid(60, 45));
  PredictOptions options;
  options.tile_px = 32;
  options.quality = {{QualityLayer::kEntropy, (folder / "entropy.tif").string()}};
  predict(folder / "scene.tif", folder / "out.tif", local_spec(), local_filter, options);
  const auto scores = read_all(folder / "out.tif");
  EXPECT_EQ(scores.data(), reference_scores(scene).data());
  EXPECT_EQ(scores.at(50, 20, 0), 255);
  const auto entropy = read_all(folder / "entropy.tif");
  for (std::int64_t i = 0; i < entropy.pixels(); ++i) {
    EXPECT_EQ(entropy.data()[static_cast<std::size_t>(i)] == 255,
              scores.data()[static_cast<std::size_t>(i)] == 255);
  }
}

TEST(PredictScene, NodataZeroIsHonoured) {
  const TemporaryFolder folder;
  Raster<std::uint16_t> pixels(20, 10, 2, 500);
  pixels.at(3, 4, 1) = 0;
  geo::RasterSpec raster_spec;
  raster_spec.type = geo::PixelType::kUint16;
  raster_spec.bands = 2;
  raster_spec.nodata = 0.0;
  geo::write_raster(folder / "scene.tif", test::utm_grid(20, 10), pixels, raster_spec, false);
  const auto report = predict(folder / "scene.tif", folder / "out.tif", local_spec(), local_filter, {});
  EXPECT_EQ(report.valid_pixels, 199);
  const auto scores = read_all(folder / "out.tif");
  EXPECT_EQ(scores.at(3, 4, 0), 255);
  EXPECT_NE(scores.at(4, 4, 0), 255);
}

TEST(PredictScene, TilesWithoutDataNeverReachTheNetwork) {
  const TemporaryFolder folder;
  Scene scene = make_scene(128, 64, false);
  for (std::int64_t row = 0; row < 64; ++row) {
    for (std::int64_t col = 0; col < 80; ++col)
      scene.pixels.at(col, row, 0) = std::numeric_limits<float>::quiet_NaN();
  }
  write_scene(folder / "scene.tif", scene, test::utm_grid(128, 64));
  std::atomic<int> calls{0};
  const ScoreFunction counting = [&](std::span<const float> in, std::int64_t n, std::int64_t b,
                                     std::int64_t h, std::int64_t w, std::span<float> out) {
    ++calls;
    local_filter(in, n, b, h, w, out);
  };
  PredictOptions options;
  options.tile_px = 32;
  const auto report = predict(folder / "scene.tif", folder / "out.tif", local_spec(), counting, options);
  EXPECT_EQ(report.tiles, 8);
  EXPECT_EQ(report.empty_tiles, 4);
  EXPECT_EQ(calls.load(), 4);
  EXPECT_EQ(report.valid_pixels, 48 * 64);
  EXPECT_EQ(read_all(folder / "out.tif").data(), reference_scores(scene).data());
}

TEST(PredictScene, TheNetworkSeesNoMoreThanTheValidPixelsNeed) {
  const TemporaryFolder folder;
  Scene scene = make_scene(200, 150, false);
  for (std::int64_t row = 0; row < 150; ++row) {
    for (std::int64_t col = 0; col < 200; ++col) {
      const bool in_a_patch = (col >= 40 && col < 60 && row >= 50 && row < 70) || (col > 194 && row < 3);
      if (!in_a_patch) scene.pixels.at(col, row, 0) = std::numeric_limits<float>::quiet_NaN();
    }
  }
  write_scene(folder / "scene.tif", scene, test::utm_grid(200, 150));
  std::atomic<std::int64_t> seen{0};
  const ScoreFunction measuring = [&](std::span<const float> in, std::int64_t n, std::int64_t b,
                                      std::int64_t h, std::int64_t w, std::span<float> out) {
    seen += h * w;
    local_filter(in, n, b, h, w, out);
  };
  PredictOptions options;
  options.halo_px = 4;
  const auto pixels_seen = [&](const ModelSpec& spec, std::int64_t tile_px) {
    seen = 0;
    options.tile_px = tile_px;
    options.overwrite = true;
    const auto report = predict(folder / "scene.tif", folder / "out.tif", spec, measuring, options);
    EXPECT_EQ(report.valid_pixels, 20 * 20 + 5 * 3);
    EXPECT_EQ(read_all(folder / "out.tif").data(), reference_scores(scene).data());
    return seen.load();
  };
  EXPECT_EQ(pixels_seen(local_spec(), 100), 28 * 28 + 13 * 11);
  EXPECT_GT(pixels_seen(local_spec(), 50), 28 * 28 + 13 * 11) << "the patch lies in four tiles";

  ModelSpec unknown = local_spec();
  unknown.receptive_radius_px = 0;
  EXPECT_EQ(pixels_seen(unknown, 100), 2 * 108 * 108) << "how far it looks is not known";
}

TEST(PredictScene, SceneWithoutAnyDataIsAllNodata) {
  const TemporaryFolder folder;
  const Scene scene{Raster<float>(40, 30, 2, std::numeric_limits<float>::quiet_NaN())};
  write_scene(folder / "scene.tif", scene, test::utm_grid(40, 30));
  ModelSpec spec = local_spec();
  spec.normalisation = {};
  const ScoreFunction never = [](auto&&...) { FAIL() << "the network was asked"; };
  const auto report = predict(folder / "scene.tif", folder / "out.tif", spec, never, {});
  EXPECT_EQ(report.empty_tiles, 1);
  EXPECT_EQ(report.valid_pixels, 0);
  EXPECT_EQ(read_all(folder / "out.tif").data(), std::vector<std::uint8_t>(3 * 40 * 30, 255));
}

TEST(PredictScene, SouthUpRastersKeepTheirGrid) {
  const TemporaryFolder folder;
  const Scene scene = make_scene(50, 40, true);
  geo::Grid grid = test::utm_grid(50, 40);
  grid.transform.dy = 10.0;
  write_scene(folder / "scene.tif", scene, grid);
  PredictOptions options;
  options.tile_px = 16;
  predict(folder / "scene.tif", folder / "out.tif", local_spec(), local_filter, options);
  EXPECT_EQ(read_all(folder / "out.tif").data(), reference_scores(scene).data());
  EXPECT_TRUE(geo::RasterReader((folder / "out.tif").string()).grid().same_as(grid));
}

ScoreFunction constant_scores(std::vector<float> scores) {
  return [scores](std::span<const float>, std::int64_t, std::int64_t, std::int64_t height, std::int64_t width,
                  std::span<float> output) {
    const auto pixels = static_cast<std::size_t>(height * width);
    for (std::size_t i = 0; i < output.size(); ++i) output[i] = scores[i / pixels];
  };
}

/// Reports of scenes of 2000 x 2000 pixels (or fewer) scored by .5/.3/.2, with a quicker function that
/// answers differently on a share of its calls.
PredictReport report_with_quicker(std::int64_t side, float difference, int every,
                                  Raster<std::uint8_t>& scores) {
  const TemporaryFolder folder;
  geo::RasterSpec spec;
  spec.type = geo::PixelType::kUint8;
  spec.bands = 2;
  spec.cog = false;
  geo::write_raster(folder / "scene.tif", test::utm_grid(side, side), Raster<std::uint8_t>(side, side, 2, 7),
                    spec, true);
  std::atomic<int> calls = 0;
  PredictOptions options;
  options.tile_px = 1000;
  options.quicker = {part_of_whole([&calls, difference, every](auto input, auto n, auto bands, auto height,
                                                               auto width, std::span<float> output) {
    const float shift = calls++ % every == 0 ? difference : 0.0F;
    constant_scores({0.5F - shift, 0.3F + shift, 0.2F})(input, n, bands, height, width, output);
  })};
  const PredictReport report = predict(folder / "scene.tif", folder / "out.tif", local_spec(),
                                       constant_scores({0.5F, 0.3F, 0.2F}), options);
  scores = read_all(folder / "out.tif");
  return report;
}

TEST(PredictScene, QuickerScoresAreUsedWhereTheyAgree) {
  Raster<std::uint8_t> scores;
  PredictReport report = report_with_quicker(2000, 0.004F, 1, scores);
  EXPECT_TRUE(report.used_quicker);
  EXPECT_EQ(report.agreement, 1.0);
  EXPECT_EQ(scores.at(1000, 1000, 0), 99);  // .496 x 200
  report = report_with_quicker(2000, 0.006F, 9, scores);
  EXPECT_FALSE(report.used_quicker);
  EXPECT_NEAR(report.agreement, 8.0 / 9.0, 1e-12);  // of nine windows one differs
  EXPECT_EQ(scores.at(1000, 1000, 0), 100);
  report = report_with_quicker(500, 0.0F, 1, scores);
  EXPECT_FALSE(report.used_quicker);
  EXPECT_TRUE(std::isnan(report.agreement));
}

/// Score bytes and the entropy byte of a pixel where two tiles blend, for a network that always says the
/// same.
std::vector<int> stored_for(const std::vector<float>& scores) {
  const TemporaryFolder folder;
  write_scene(folder / "scene.tif", make_scene(40, 40, false), test::utm_grid(40, 40));
  ModelSpec spec = local_spec();
  spec.classes.clear();
  for (std::size_t k = 0; k < scores.size(); ++k) spec.classes.push_back({static_cast<int>(k), "class"});
  PredictOptions options;
  options.tile_px = 20;
  options.quality = {{QualityLayer::kEntropy, (folder / "entropy.tif").string()}};
  predict(folder / "scene.tif", folder / "out.tif", spec, constant_scores(scores), options);
  const auto raster = read_all(folder / "out.tif");
  std::vector<int> stored;
  for (int k = 0; k < raster.bands(); ++k) stored.push_back(raster.at(20, 20, k));
  const auto entropy = read_all(folder / "entropy.tif");
  EXPECT_EQ(std::ranges::count(entropy.data(), entropy.at(20, 20)), 1600) << "the same in every pixel";
  stored.push_back(entropy.at(20, 20));
  return stored;
}

TEST(PredictScene, ScoresAreRoundedToTheNearestStepAndEntropyIsInNats) {
  const float third = 1.0F / 3.0F;
  EXPECT_EQ(stored_for({third, third, third}), (std::vector<int>{67, 67, 67, 198}));  // ln 3 x 180 = 197.75
  EXPECT_EQ(stored_for({1.0F, 0.0F, 0.0F}), (std::vector<int>{200, 0, 0, 0}));
  EXPECT_EQ(stored_for({0.5F, 0.5F, 0.0F}), (std::vector<int>{100, 100, 0, 125}));  // ln 2 x 180 = 124.77
  EXPECT_EQ(stored_for({0.4972F, 0.5028F, 0.0F}), (std::vector<int>{99, 101, 0, 125}));
  EXPECT_EQ(stored_for({1.0000002F, -1e-7F, 0.0F}), (std::vector<int>{200, 0, 0, 0}));
  EXPECT_EQ(stored_for({0.25F, 0.25F, 0.25F, 0.25F}), (std::vector<int>{50, 50, 50, 50, 250}));  // ln 4 x 180
  EXPECT_EQ(stored_for(std::vector<float>(10, 0.1F)).back(), 254) << "ln 10 at its own scale";
}

TEST(PredictScene, OutputsDescribeThemselves) {
  const TemporaryFolder folder;
  const geo::Grid grid = test::utm_grid(30, 20);
  write_scene(folder / "scene.tif", make_scene(30, 20, false), grid);
  PredictOptions options;
  options.quality = {{QualityLayer::kEntropy, (folder / "entropy.tif").string()}};
  predict(folder / "scene.tif", folder / "out.tif", local_spec(), local_filter, options);
  const geo::RasterReader scores((folder / "out.tif").string());
  ASSERT_EQ(scores.bands(), 3);
  EXPECT_EQ(scores.band(0).description, "background");
  EXPECT_EQ(scores.band(1).description, "interior");
  EXPECT_EQ(scores.band(2).description, "boundary");
  for (int b = 0; b < 3; ++b) {
    EXPECT_EQ(scores.band(b).type, geo::PixelType::kUint8);
    EXPECT_DOUBLE_EQ(scores.band(b).scale, 0.005);
    EXPECT_EQ(scores.band(b).nodata, 255.0);
  }
  EXPECT_EQ(scores.metadata("TIFFTAG_DATETIME"), "2021:07:15 10:30:00");
  EXPECT_EQ(scores.metadata("FURROW_MODEL_ID"), "local-filter");
  EXPECT_EQ(scores.metadata("FURROW_VERSION"), geo::furrow_version());
  EXPECT_TRUE(scores.grid().same_as(grid));
  const geo::RasterReader entropy((folder / "entropy.tif").string());
  EXPECT_EQ(entropy.band(0).description, "entropy");
  EXPECT_NEAR(entropy.band(0).scale, 1.0 / 180.0, 1e-12);
  EXPECT_EQ(entropy.band(0).nodata, 255.0);
  EXPECT_EQ(entropy.metadata("TIFFTAG_DATETIME"), "2021:07:15 10:30:00");
}

/// The message that prediction fails with; nothing but the scene may be left in the folder.
template <class ErrorType>
std::string failure(const TemporaryFolder& folder, const ModelSpec& spec, const ScoreFunction& score,
                    PredictOptions options = {}, const std::string& output = "out.tif") {
  options.quality = {{QualityLayer::kEntropy, (folder / "entropy.tif").string()}};
  std::string message = "no error";
  try {
    predict(folder / "scene.tif", folder / output, spec, score, options);
  } catch (const ErrorType& error) {
    message = error.what();
  }
  EXPECT_EQ(files_in(folder.path()), 1U);
  return message;
}

TEST(PredictScene, ImagesAndNetworksThatDoNotFitAreRefusedAndLeaveNothing) {
  const TemporaryFolder folder;
  write_scene(folder / "scene.tif", make_scene(64, 64, false), test::utm_grid(64, 64));
  ModelSpec four = local_spec();
  four.bands = {{"a"}, {"b"}, {"c"}, {"d"}};
  EXPECT_THAT(failure<geo::ModelError>(folder, four, local_filter),
              AllOf(HasSubstr("4 bands (a, b, c, d)"), HasSubstr("scene.tif"), HasSubstr("has 2")));
  ModelSpec fine = local_spec();
  fine.pixel_size_m = 3.0;
  EXPECT_THAT(failure<geo::ModelError>(folder, fine, local_filter), HasSubstr("has 10.00 m"));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(failure<geo::ModelError>(folder, local_spec(), constant_scores({nan, 0.5F, 0.5F})),
              AllOf(HasSubstr("not a number"), HasSubstr("scene.tif")));
  EXPECT_THAT(failure<geo::IoError>(folder, local_spec(), local_filter, {}, "scene.tif"),
              HasSubstr("is the input image"));
  EXPECT_THAT(failure<geo::IoError>(folder, local_spec(), local_filter, {}, "entropy.tif"),
              HasSubstr("cannot both go to"));
  PredictOptions bad;
  bad.halo_px = -1;
  EXPECT_NE(failure<geo::InvalidArgument>(folder, local_spec(), local_filter, bad), "no error");
  bad = {};
  bad.tile_px = 0;
  EXPECT_NE(failure<geo::InvalidArgument>(folder, local_spec(), local_filter, bad), "no error");
}

TEST(PredictScene, ImageWithoutCrsNamesTheSwitchAndTakesItsValue) {
  const TemporaryFolder folder;
  geo::Grid grid = test::utm_grid(20, 20);
  const geo::Crs crs = grid.crs;
  grid.crs = {};
  write_scene(folder / "scene.tif", make_scene(20, 20, false), grid);
  EXPECT_THAT(failure<geo::CrsError>(folder, local_spec(), local_filter), HasSubstr("--image-crs"));
  PredictOptions options;
  options.image_crs = crs;
  predict(folder / "scene.tif", folder / "out.tif", local_spec(), local_filter, options);
  EXPECT_TRUE(geo::RasterReader((folder / "out.tif").string()).grid().crs.same_as(crs));
}

TEST(PredictScene, StopsBetweenTilesAndLeavesNothing) {
  const TemporaryFolder folder;
  write_scene(folder / "scene.tif", make_scene(200, 200, false), test::utm_grid(200, 200));
  geo::ExecContext exec({2, 0});
  std::atomic<int> calls{0};
  const ScoreFunction stopping = [&](std::span<const float> in, std::int64_t n, std::int64_t b,
                                     std::int64_t h, std::int64_t w, std::span<float> out) {
    if (++calls == 5) exec.cancel_token().cancel();
    local_filter(in, n, b, h, w, out);
  };
  PredictOptions options;
  options.tile_px = 16;
  EXPECT_THROW(exec.execute([&] {
    predict_scene((folder / "scene.tif").string(), (folder / "out.tif").string(), local_spec(), stopping,
                  options, exec);
  }),
               geo::Cancelled);
  EXPECT_LT(calls.load(), 20);
  EXPECT_EQ(files_in(folder.path()), 1U);
}

TEST(PredictScene, ExistingOutputNeedsOverwrite) {
  const TemporaryFolder folder;
  write_scene(folder / "scene.tif", make_scene(20, 20, false), test::utm_grid(20, 20));
  predict(folder / "scene.tif", folder / "out.tif", local_spec(), local_filter, {});
  EXPECT_THROW(predict(folder / "scene.tif", folder / "out.tif", local_spec(), local_filter, {}),
               geo::IoError);
}

}  // namespace
}  // namespace furrow::segmentation
