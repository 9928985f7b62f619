#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/core/error.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/labelling/consensus.h>

namespace furrow::labelling {

/// Rasters of classes on one grid, read as votes by windows. Thread-safe.
class MaskStack {
 public:
  /// Opens all files and compares their grids. Warns where background is nodata.
  /// @param classes  2 or 3: values 0 .. classes - 1 are votes
  /// @param threads  that will read
  /// @throws IoError, CrsError  a file cannot be read, has several bands or stands twice; grids differ
  MaskStack(std::span<const std::string> paths, int classes, int threads);

  [[nodiscard]] const geo::Grid& grid() const noexcept { return m_grid; }
  [[nodiscard]] std::size_t size() const noexcept { return m_paths.size(); }

  /// What a mask says of a window, row-major: make_vote(class), or kMissingVote for nodata, NaN, 3 and 255.
  /// @throws IoError  reading fails; the mask has another value
  [[nodiscard]] std::vector<Vote> read(std::size_t mask, const geo::Window& window) const;

 private:
  void check_grid(const geo::RasterReader& reader) const;
  [[nodiscard]] geo::IoError wrong_value(const std::string& path, double value) const;
  [[nodiscard]] std::vector<Vote> read_bytes(const geo::RasterReader& reader,
                                             const geo::Window& window) const;
  [[nodiscard]] std::vector<Vote> read_numbers(const geo::RasterReader& reader,
                                               const geo::Window& window) const;

  std::vector<std::string> m_paths;
  int m_classes;
  geo::Grid m_grid;
  std::vector<geo::RasterReader> m_open;  ///< empty: files are opened for every window
};

}  // namespace furrow::labelling
