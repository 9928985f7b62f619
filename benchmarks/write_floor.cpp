// The floor under writing many files: the files of a folder, held in memory, written again with plain
// write().
//   write_floor FOLDER NEW_FOLDER THREADS [sync]
// With sync the time includes syncfs(): until everything is on the disk. Prints seconds; NEW_FOLDER is
// removed again.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/core/atomic_output.h>

#include "raw_files.h"

namespace fs = std::filesystem;

namespace {

struct File {
  std::string name;
  std::string bytes;
};

double seconds_to_write(const std::vector<File>& files, const fs::path& folder, bool sync) {
  const auto start = std::chrono::steady_clock::now();
  tbb::parallel_for(std::size_t{0}, files.size(), [&](std::size_t i) {
    furrow::benchmark::write_file(folder / files[i].name, files[i].bytes.data(), files[i].bytes.size());
  });
  if (sync) furrow::benchmark::sync_folder(folder);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "write_floor FOLDER NEW_FOLDER THREADS [sync]\n");
    return 2;
  }
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                                  static_cast<std::size_t>(std::atoi(argv[3])));
  std::vector<File> files;
  for (const auto& entry : fs::directory_iterator(argv[1])) {
    if (entry.path().extension() == ".tif") {
      files.push_back({entry.path().filename().string(), furrow::geo::read_text_file(entry.path())});
    }
  }
  const fs::path folder = argv[2];
  fs::create_directory(folder);
  std::printf("seconds %.4f\n", seconds_to_write(files, folder, argc > 4));
  fs::remove_all(folder);
  return 0;
}
