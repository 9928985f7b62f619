// Polygons in memory to labels in memory: what rasterising alone takes, without reading the layer and writing
// the raster.
//   rasterize_speed LAYER GRID_RASTER THREADS RUNS
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/raster/rasterize.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/vector/layer.h>

using namespace furrow;

namespace {

void measure(const char* name, int runs, double pixels, const std::function<void()>& work) {
  std::vector<double> seconds;
  for (int run = 0; run < runs; ++run) {
    const auto start = std::chrono::steady_clock::now();
    work();
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::ranges::sort(seconds);
  const double median = seconds[seconds.size() / 2];
  std::printf("%-10s %.3f s [%.3f to %.3f], %.0f Mpx/s\n", name, median, seconds.front(), seconds.back(),
              pixels / median / 1e6);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "rasterize_speed LAYER GRID_RASTER THREADS RUNS\n");
    return 2;
  }
  geo::ExecContext exec({.threads = std::atoi(argv[3])});
  const int runs = std::atoi(argv[4]);
  const geo::Grid grid = geo::RasterReader(argv[2]).grid();
  geo::LayerReadOptions options;
  options.target_crs = grid.crs;
  geo::Layer layer = geo::read_layer(argv[1], options);
  std::vector<geo::MultiPolygon> polygons;
  for (auto& feature : layer.features) polygons.push_back(std::move(feature.geometry));
  std::printf("%zu polygons on %lld x %lld px, %d threads\n", polygons.size(),
              static_cast<long long>(grid.width), static_cast<long long>(grid.height), exec.threads());
  const auto pixels = static_cast<double>(grid.window().pixels());
  exec.execute([&] {
    measure("labels", runs, pixels, [&] { (void)geo::rasterize_labels(polygons, grid); });
    measure("extent", runs, pixels, [&] { (void)geo::rasterize_extent(polygons, grid); });
    measure("instances", runs, pixels, [&] { (void)geo::rasterize_instances(polygons, grid); });
  });
  return 0;
}
