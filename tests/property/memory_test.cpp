// Peak memory does not grow with the scene: the same commands on a scene of nine times as many pixels.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/layer_writer.h>

#include "gdal_reference.h"
#include "support.h"

namespace furrow {
namespace {

/// Runs the program and gives the most memory it held, in MiB.
double peak_mib(const std::vector<std::string>& arguments) {
  std::vector<std::string> words{test::furrow_program()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  int status = 0;
  rusage usage{};
  if (child < 0 || ::wait4(child, &status, 0, &usage) != child) throw std::runtime_error("no child process");
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << geo::join(words, " ");
  constexpr double kKibPerMib = 1024.0;
  return static_cast<double>(usage.ru_maxrss) / kKibPerMib;
}

/// A scene that is empty but for a strip of data along its diagonal, and fields all over it.
struct Scene {
  test::TemporaryFolder folder;
  std::string image = (folder / "scene.tif").string();
  std::string fields = (folder / "fields.gpkg").string();

  explicit Scene(std::int64_t side) {
    const geo::Grid grid = test::utm_grid(side, side);
    test::write_sparse_geotiff(image, grid, 512);
    geo::Layer layer;
    layer.name = "fields";
    layer.crs = grid.crs;
    constexpr int kAcross = 60;
    const double step = 10.0 * static_cast<double>(side) / kAcross;
    for (int i = 0; i < kAcross * kAcross; ++i) {
      const double x = 500000.0 + step * (i % kAcross);
      const double y = 6000000.0 - step * (1 + i / kAcross);
      geo::Feature field;
      field.geometry = {geo::to_polygon(geo::Box{x, y, x + 0.9 * step, y + 0.9 * step})};
      layer.features.push_back(std::move(field));
    }
    geo::write_layer(layer, fields, false);
  }
};

TEST(Memory, DoesNotGrowWithTheScene) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers keep freed memory, so the peak says nothing";
#endif
  const Scene small(3000);
  const Scene large(9000);
  const auto tile = [](const Scene& scene) {
    return peak_mib({"tile", scene.image, "--tile-px", "256", "--overlap-px", "16", "--skip-empty",
                     "--labels", scene.fields, "--memory", "200MB", "--threads", "2", "--quiet", "--out",
                     (scene.folder / "chips").string()});
  };
  const auto rasterize = [](const Scene& scene, const std::string& kind) {
    return peak_mib({"rasterize", scene.fields, "--grid", scene.image, "--kind", kind, "--format", "gtiff",
                     "--memory", "200MB", "--threads", "2", "--quiet", "--out",
                     (scene.folder / (kind + ".tif")).string()});
  };
  constexpr double kSlackMib = 32.0;
  const auto expect_no_growth = [](const char* what, double of_small, double of_large) {
    EXPECT_LT(of_large, 1.25 * of_small + kSlackMib) << what;
    std::cout << what << ": " << of_small << " MiB for 9 Mpx, " << of_large << " MiB for 81 Mpx\n";
  };
  expect_no_growth("tile", tile(small), tile(large));
  for (const char* kind : {"labels", "instances", "distance"})
    expect_no_growth(kind, rasterize(small, kind), rasterize(large, kind));
}

}  // namespace
}  // namespace furrow
