// The floor under cutting chips: windows of the scene are read by GDAL, and their pixels written as they are
// with plain write(): no TIFF, no catalogue, no rename.
//   cut_floor SCENE NEW_FOLDER THREADS TILE_PX OVERLAP_PX [sync]
// uint16 only. With sync the time includes syncfs(): until everything is on the disk. Prints seconds;
// NEW_FOLDER is removed again.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/raster/chip_grid.h>
#include <furrow/geo/raster/reader.h>

namespace fs = std::filesystem;
using namespace furrow;

namespace {

void write_file(const fs::path& path, const std::vector<std::uint16_t>& pixels) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) throw std::runtime_error("cannot create " + path.string());
  const auto* bytes = reinterpret_cast<const char*>(pixels.data());
  const std::size_t size = pixels.size() * sizeof(std::uint16_t);
  for (std::size_t done = 0; done < size;) {
    const auto written = ::write(fd, bytes + done, size - done);
    if (written < 0) throw std::runtime_error("cannot write " + path.string());
    done += static_cast<std::size_t>(written);
  }
  ::close(fd);
}

void sync(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY);
  if (fd < 0 || ::syncfs(fd) != 0) throw std::runtime_error("cannot sync " + folder.string());
  ::close(fd);
}

}  // namespace

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
      write_file(folder / std::to_string(i), scene.read<std::uint16_t>(places[i].window).data());
    });
  });
  if (argc > 6) sync(folder);
  std::printf("seconds %.4f\n",
              std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  fs::remove_all(folder);
  return 0;
}
