// The floor under writing many files: the files of a folder, held in memory, written again with plain
// write().
//   write_floor FOLDER NEW_FOLDER THREADS [sync]
// With sync the time includes syncfs(): until everything is on the disk. Prints seconds; NEW_FOLDER is
// removed again.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/core/atomic_output.h>

namespace fs = std::filesystem;

namespace {

struct File {
  std::string name;
  std::string bytes;
};

void write_file(const fs::path& path, const std::string& bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) throw std::runtime_error("cannot create " + path.string());
  for (std::size_t done = 0; done < bytes.size();) {
    const auto written = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (written < 0) throw std::runtime_error("cannot write " + path.string());
    done += static_cast<std::size_t>(written);
  }
  ::close(fd);
}

double seconds_to_write(const std::vector<File>& files, const fs::path& folder, bool sync) {
  const auto start = std::chrono::steady_clock::now();
  tbb::parallel_for(std::size_t{0}, files.size(),
                    [&](std::size_t i) { write_file(folder / files[i].name, files[i].bytes); });
  if (sync) {
    const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY);
    if (fd < 0 || ::syncfs(fd) != 0) throw std::runtime_error("cannot sync " + folder.string());
    ::close(fd);
  }
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
