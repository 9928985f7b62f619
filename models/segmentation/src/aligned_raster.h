#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <furrow/geo/raster/raster.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/raster/reader_pool.h>

namespace furrow::segmentation {

/// The rasters of all scenes, of which a limited number stays open. Thread-safe.
class RasterPool {
 public:
  explicit RasterPool(int threads) : m_pool(threads) {}
  /// @throws geo::IoError
  [[nodiscard]] std::shared_ptr<const geo::RasterReader> open(const std::string& path);

 private:
  geo::ReaderPool<std::string, geo::RasterReader> m_pool;
};

/// The image of a scene: one file, or several on one pixel grid (dates of a stack) whose bands follow each
/// other. Holds no open file. Thread-safe.
class SceneImage {
 public:
  /// @param options  for the CRS; the pool must outlive the image
  /// @throws geo::IoError   a file cannot be read; files of a stack on different grids
  /// @throws geo::CrsError  no CRS; files of a stack with different ones
  SceneImage(std::vector<std::string> paths, const geo::RasterReadOptions& options, RasterPool& pool);

  /// Of the first file.
  [[nodiscard]] const std::string& path() const noexcept { return m_paths.front(); }
  [[nodiscard]] const std::vector<std::string>& paths() const noexcept { return m_paths; }
  [[nodiscard]] const geo::Grid& grid() const noexcept { return m_grid; }
  /// Of all files; and what the files call them, empty where they say nothing.
  [[nodiscard]] int bands() const noexcept { return static_cast<int>(m_descriptions.size()); }
  [[nodiscard]] const std::vector<std::string>& descriptions() const noexcept { return m_descriptions; }
  /// Of each file.
  [[nodiscard]] const std::vector<int>& bands_of_files() const noexcept { return m_bands_of_files; }

  /// Stored values of all bands; `window` inside the grid.
  /// @throws geo::IoError
  [[nodiscard]] geo::Raster<float> read(const geo::Window& window) const;
  /// 1 where all bands of all files hold data.
  [[nodiscard]] geo::Raster<std::uint8_t> read_valid(const geo::Window& window) const;

 private:
  std::vector<std::string> m_paths;
  geo::Grid m_grid;
  std::vector<std::string> m_descriptions;
  std::vector<int> m_bands_of_files;
  RasterPool* m_pool;
};

/// A raster on the pixel grid of an image, perhaps over a part of it. Holds no open file. Thread-safe.
class AlignedRaster {
 public:
  /// @param what  "labels", "risk" or "posterior", for messages
  /// @throws geo::IoError   it cannot be read, or lies off the image's pixel grid or beside the image
  /// @throws geo::CrsError  another CRS than the image's (none at all is accepted)
  AlignedRaster(const char* what, std::string path, const SceneImage& image, RasterPool& pool);

  [[nodiscard]] const std::string& path() const noexcept { return m_path; }
  /// Where it lies in the image; may reach beyond it.
  [[nodiscard]] const geo::Window& place() const noexcept { return m_place; }
  [[nodiscard]] int bands() const noexcept { return static_cast<int>(m_infos.size()); }
  [[nodiscard]] const geo::BandInfo& band(int band) const {
    return m_infos.at(static_cast<std::size_t>(band));
  }
  /// Takes pixels that hold the nodata value for data.
  void use_nodata_as_value() noexcept { m_all_valid = true; }

  /// Stored values of one band over a window of the image; `fill` outside of it and where it holds no data.
  /// T: int32_t, float.
  template <class T>
  [[nodiscard]] geo::Raster<T> read(const geo::Window& window, T fill, int band = 0) const;

 private:
  std::string m_path;
  geo::Window m_place;
  std::vector<geo::BandInfo> m_infos;
  bool m_all_valid = false;
  RasterPool* m_pool;
};

}  // namespace furrow::segmentation
