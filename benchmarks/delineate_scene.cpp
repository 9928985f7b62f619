// Measures the delineation of scenes that are larger than the memory budget: speed and peak memory. The scene
// is one synthetic tile, repeated, so that its scores cost nothing.
//
//   delineate_scene [side px = 8000] [memory MB = 256] [threads = all] [scratch folder = .]
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <iostream>

#include <furrow/geo/core/text.h>
#include <furrow/geo/topology/delineate.h>

#include "synthetic_scores.h"

namespace geo = furrow::geo;

namespace {

constexpr std::int64_t kTile = 1000;

geo::ScoreMap repeat(const geo::ScoreMap& tile, const geo::Grid& grid, const geo::Window& rows) {
  geo::ScoreMap map{grid.subgrid(rows), geo::Raster<std::uint8_t>(rows.width, rows.height),
                    geo::Raster<std::uint8_t>(rows.width, rows.height),
                    geo::Raster<std::uint8_t>(rows.width, rows.height, 1, 1)};
  tbb::parallel_for(std::int64_t{0}, rows.height, [&](std::int64_t row) {
    const std::int64_t from = (rows.row + row) % kTile;
    for (std::int64_t col = 0; col < rows.width; ++col) {
      map.extent.at(col, row) = tile.extent.at(col % kTile, from);
      map.boundary.at(col, row) = tile.boundary.at(col % kTile, from);
    }
  });
  return map;
}

double peak_mb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t side = argc > 1 ? std::atoll(argv[1]) : 8000;
  const std::size_t memory_mb = argc > 2 ? static_cast<std::size_t>(std::atoll(argv[2])) : 256;
  geo::ExecContext exec({argc > 3 ? std::atoi(argv[3]) : 0, memory_mb << 20});
  exec.execute([&] {
    const geo::ScoreMap tile = furrow::benchmarks::make_scores(kTile);
    geo::Grid grid = tile.grid;
    grid.width = side;
    grid.height = side;
    geo::StripOptions strips;
    strips.scratch = argc > 4 ? argv[4] : ".";
    const auto start = std::chrono::steady_clock::now();
    const auto result = geo::delineate_by_strips(
        grid, [&](const geo::Window& rows, geo::ExecContext&) { return repeat(tile, grid, rows); }, {},
        strips, {}, exec);
    std::int64_t points = 0;
    for (geo::Feature feature; result.features(feature);)
      points += static_cast<std::int64_t>(feature.geometry[0].shell.size());
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    std::cout << side << " x " << side << " px, " << exec.threads() << " threads, budget " << memory_mb
              << " MB, strips of " << geo::delineate_strip_rows(grid, exec)
              << " rows: " << geo::fixed(static_cast<double>(side * side) / 1e6 / taken.count(), 1)
              << " Mpx/s, " << result.report.fields << " fields of " << points << " points, peak "
              << geo::fixed(peak_mb(), 0) << " MB\n";
  });
  return 0;
}
