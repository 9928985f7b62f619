#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <stdexcept>

/// Plain files for benchmarks of what the disk gives.
namespace furrow::benchmark {

inline void write_file(const std::filesystem::path& path, const void* data, std::size_t size) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) throw std::runtime_error("cannot create " + path.string());
  const auto* bytes = static_cast<const char*>(data);
  for (std::size_t done = 0; done < size;) {
    const auto written = ::write(fd, bytes + done, size - done);
    if (written < 0) throw std::runtime_error("cannot write " + path.string());
    done += static_cast<std::size_t>(written);
  }
  ::close(fd);
}

/// Waits until everything on the folder's file system is on the disk.
inline void sync_folder(const std::filesystem::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY);
  if (fd < 0 || ::syncfs(fd) != 0) throw std::runtime_error("cannot sync " + folder.string());
  ::close(fd);
}

}  // namespace furrow::benchmark
