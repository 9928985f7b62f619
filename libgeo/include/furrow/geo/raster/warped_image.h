#pragma once

#include <string>

#include <furrow/geo/raster/reader.h>

namespace furrow::geo {

/// An image seen with other pixels, as a virtual raster in memory that RasterReader opens like a file: for
/// whoever needs a whole raster, and not windows of a grid (WarpedReader).
///
/// Bilinear where pixels become smaller or stay, the average of what lies under them where they become larger
/// by a half or more; positions exact. What has no data in a band has none here either, but values reach into
/// a hole from its sides, by less than a pixel of the image, as GDAL's kernels do: a single missing pixel may
/// be filled. Where the image says by a mask what has no data, or not at all, another band tells (alpha, the
/// last one). Not for concurrent use; the file may be read by several threads.
class WarpedImage {
 public:
  /// Square pixels of that size. In the image's CRS when that is projected, else in the UTM zone of its
  /// centre.
  /// @throws InvalidArgument  pixel_size_m not above 0
  /// @throws IoError          GDAL cannot make it
  WarpedImage(const RasterReader& image, double pixel_size_m);
  ~WarpedImage();
  WarpedImage(const WarpedImage&) = delete;
  WarpedImage& operator=(const WarpedImage&) = delete;

  /// Valid while this lives.
  [[nodiscard]] const std::string& path() const noexcept { return m_path; }

 private:
  std::string m_path;
};

/// WGS 84 / UTM of the zone that a point in degrees lies in.
[[nodiscard]] Crs utm_crs(double longitude_deg, double latitude_deg);

}  // namespace furrow::geo
