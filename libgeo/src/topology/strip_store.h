#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include <furrow/geo/raster/raster.h>

namespace furrow::geo::detail {

/// Keeps strips of rasters between two passes: in memory when there is one strip only, else in a temporary
/// file that has no name, so that nothing is left of it however the process ends.
///
/// Labels are stored as runs: 8 bytes for each pixel that differs from the one before.
class StripStore {
 public:
  /// @param folder     for the file; the nearest folder above it when it is not there (yet)
  /// @param in_memory  no file
  /// @throws IoError   no file can be made there
  StripStore(const std::filesystem::path& folder, bool in_memory);
  ~StripStore();
  StripStore(const StripStore&) = delete;
  StripStore& operator=(const StripStore&) = delete;

  /// Where something is kept.
  struct Place {
    std::int64_t width = 0;
    std::int64_t height = 0;
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
    std::size_t index = 0;  ///< in memory
  };

  /// @throws IoError  disk full, for instance
  [[nodiscard]] Place put(Raster<std::uint32_t> labels);
  [[nodiscard]] Place put(Raster<std::uint8_t> values);
  /// What was put there; once only.
  /// @throws IoError
  [[nodiscard]] Raster<std::uint32_t> take_labels(const Place& place);
  [[nodiscard]] Raster<std::uint8_t> take_bytes(const Place& place);

 private:
  void write(const void* data, Place& place);
  void read(void* data, const Place& place) const;

  std::filesystem::path m_folder;
  int m_file = -1;
  std::uint64_t m_end = 0;
  std::vector<Raster<std::uint32_t>> m_labels;
  std::vector<Raster<std::uint8_t>> m_bytes;
};

}  // namespace furrow::geo::detail
