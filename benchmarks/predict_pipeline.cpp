// Measures what prediction costs without a network: reading, normalising, blending, quantising and writing
// COGs, with a score function that only copies. A seeded 4-band uint16 DEFLATE raster is made first when it
// is missing.
//
//   predict_pipeline <folder> [side px = 4000] [threads = all] [tile px = 256] [runs = 5]
//
// Prints megapixels a second (median, least and most of the runs), with and without the scene statistics.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/writer.h>
#include <furrow/segmentation/predictor.h>

namespace {

namespace geo = furrow::geo;
namespace segmentation = furrow::segmentation;

constexpr int kBands = 4;
constexpr int kClasses = 3;

/// Blocks of 16 pixels with noise: compresses about as an image does.
void make_image(const std::filesystem::path& path, std::int64_t side) {
  const geo::Grid grid{side, side, {500000, 10, 0, 6000000, 0, -10}, geo::Crs::from_user_input("EPSG:32632")};
  geo::RasterSpec spec;
  spec.type = geo::PixelType::kUint16;
  spec.bands = kBands;
  spec.cog = false;
  geo::RasterWriter writer(path, grid, spec, true);
  for (std::int64_t row = 0; row < side; row += 512) {
    const geo::Window window{0, row, side, std::min<std::int64_t>(512, side - row)};
    geo::Raster<std::uint16_t> pixels(window.width, window.height, kBands);
    geo::Random random(1, static_cast<std::uint64_t>(row));
    for (int b = 0; b < kBands; ++b) {
      for (std::int64_t y = 0; y < window.height; ++y) {
        for (std::int64_t x = 0; x < side; ++x) {
          const auto block =
              static_cast<std::uint64_t>(((row + y) / 16) * 7919 + (x / 16) * 104729 + b * 31) % 3000;
          pixels.at(x, y, b) = static_cast<std::uint16_t>(500 + block + random.below(64));
        }
      }
    }
    writer.write(window, pixels);
  }
  writer.finish();
}

segmentation::ModelSpec make_spec(bool scene_statistics) {
  segmentation::ModelSpec spec;
  spec.id = "copy";
  spec.bands.assign(kBands, {"band"});
  spec.classes = {{0, "background"}, {1, "interior"}, {2, "boundary"}};
  spec.stride_px = 16;
  spec.receptive_radius_px = 0;
  if (!scene_statistics) {
    spec.normalisation.method = geo::NormaliseMethod::kDivide;
    spec.normalisation.divisor = 4000.0;
  }
  return spec;
}

void copy_scores(std::span<const float> input, std::int64_t, std::int64_t, std::int64_t height,
                 std::int64_t width, std::span<float> output) {
  std::copy_n(input.begin(), static_cast<std::size_t>(kClasses * height * width), output.begin());
}

void measure(const std::filesystem::path& folder, std::int64_t side, bool scene_statistics,
             const segmentation::PredictOptions& options, int runs, geo::ExecContext& exec) {
  const auto spec = make_spec(scene_statistics);
  std::vector<double> speeds;
  for (int run = 0; run < runs; ++run) {
    const auto start = std::chrono::steady_clock::now();
    exec.execute([&] {
      segmentation::predict_scene((folder / "image.tif").string(), (folder / "scores.tif").string(), spec,
                                  copy_scores, options, exec);
    });
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    speeds.push_back(static_cast<double>(side * side) / 1e6 / seconds.count());
  }
  std::ranges::sort(speeds);
  std::cout << (scene_statistics ? "min-max of the scene: " : "divisor: ")
            << geo::fixed(speeds[speeds.size() / 2], 1) << " Mpx/s [" << geo::fixed(speeds.front(), 1)
            << " to " << geo::fixed(speeds.back(), 1) << "]\n";
}

std::int64_t argument(int argc, char** argv, int position, std::int64_t standard) {
  return argc > position ? std::atoll(argv[position]) : standard;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: predict_pipeline <folder> [side px] [threads] [tile px] [runs]\n";
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  const std::int64_t side = argument(argc, argv, 2, 4000);
  std::filesystem::create_directories(folder);
  geo::ExecContext exec({static_cast<int>(argument(argc, argv, 3, 0)), 0});
  if (!std::filesystem::exists(folder / "image.tif")) make_image(folder / "image.tif", side);
  segmentation::PredictOptions options;
  options.tile_px = argument(argc, argv, 4, 256);
  options.overwrite = true;
  const int runs = static_cast<int>(argument(argc, argv, 5, 5));
  for (const bool scene_statistics : {false, true})
    measure(folder, side, scene_statistics, options, runs, exec);
  return 0;
}
