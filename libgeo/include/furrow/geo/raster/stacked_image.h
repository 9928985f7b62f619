#pragma once

#include <span>
#include <string>
#include <vector>

#include <furrow/geo/raster/reader.h>

namespace furrow::geo {

/// Images of several dates as one image with the bands of all, as a virtual raster in memory that
/// RasterReader opens like a file: the bands of the first, then those of the next.
///
/// It has the grid of the first image. The others may lie on another grid or in another CRS: they are then
/// resampled to it (bilinear, or the average of what lies under a pixel where pixels become larger by a half
/// or more; positions exact). Where an image has no data its bands have none, whether the file says so by
/// nodata, a mask or an alpha band (which is no band of the stack); also beyond its border. An image that is
/// resampled, or has a mask, comes as float32 with NaN for nodata. Not for concurrent use; the file may be
/// read by several threads.
class StackedImage {
 public:
  /// @param others   at least one
  /// @param reading  how they are opened
  /// @throws IoError          missing, no raster, GDAL cannot make it
  /// @throws CrsError         an image without CRS
  /// @throws InvalidArgument  an image does not touch the first one; the first is rotated and another lies on
  ///                          another grid
  StackedImage(const RasterReader& first, std::span<const std::string> others,
               const RasterReadOptions& reading = {});
  ~StackedImage();
  StackedImage(const StackedImage&) = delete;
  StackedImage& operator=(const StackedImage&) = delete;

  /// Valid while this lives.
  [[nodiscard]] const std::string& path() const noexcept { return m_files.back(); }
  /// Those of the others that lie on another grid than the first.
  [[nodiscard]] const std::vector<std::string>& resampled() const noexcept { return m_resampled; }

 private:
  [[nodiscard]] std::string on_grid(const RasterReader& image, const Grid& grid);
  void remove_files() noexcept;

  std::vector<std::string> m_files;  ///< in memory; the stack is the last one
  std::vector<std::string> m_resampled;
};

}  // namespace furrow::geo
