// The floor under cutting chips: windows of the scene are read by GDAL, and their pixels written as they are
// with plain write(): no TIFF, no catalogue, no rename.
//   cut_floor SCENE NEW_FOLDER THREADS TILE_PX OVERLAP_PX [sync]
// uint16 only. With sync the time includes syncfs(): until everything is on the disk. Prints seconds;
// NEW_FOLDER is removed again.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/raster/chip_grid.h>
#include <furrow/geo/raster/reader.h>

#include "raw_files.h"

namespace fs = std::filesystem;
using namespace furrow;

int main(int argc, char** argv) {
  if (argc < 6) {
    std::fprintf(stderr, "cut_floor SCENE NEW_FOLDER THREADS TILE_PX OVERLAP_PX [sync]\n");
    return 2;
  }
  geo::ExecContext exec({.threads = std::atoi(argv[3])});
  const fs::path folder = argv[2];
  fs::create_directory(folder);
  const auto start = std::chrono::steady_clock::now();
  const geo::RasterReader scene(argv[1]);
  const std::int64_t side = std::atoll(argv[4]);
  const auto places =
      geo::chip_places(scene.grid(), {side, side, std::atoll(argv[5])}, geo::ChipEdge::kShift);
  exec.execute([&] {
    tbb::parallel_for(std::size_t{0}, places.size(), [&](std::size_t i) {
      const auto pixels = scene.read<std::uint16_t>(places[i].window);
      benchmark::write_file(folder / std::to_string(i), pixels.data().data(),
                            pixels.data().size() * sizeof(std::uint16_t));
    });
  });
  if (argc > 6) benchmark::sync_folder(folder);
  std::printf("seconds %.4f\n",
              std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  fs::remove_all(folder);
  return 0;
}
