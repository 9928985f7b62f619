#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <furrow/geo/raster/reader.h>

namespace furrow::geo {

/// How values between pixel centres are made. The first group looks at the neighbours of a point (wider when
/// pixels become larger), the second at all pixels under the new one.
enum class Resampling {
  kNearest,
  kBilinear,
  kCubic,
  kCubicSpline,
  kLanczos,
  kAverage,
  kMode,
  kMin,
  kMax,
  kMedian,
  kRootMeanSquare
};

/// "nearest", "bilinear", "cubic", "cubicspline", "lanczos", "average", "mode", "min", "max", "med", "rms".
[[nodiscard]] const std::vector<std::string>& resampling_names();
/// @throws InvalidArgument when there is no such name
[[nodiscard]] Resampling resampling_of(const std::string& name);

/// Values, and where they are any: `valid` has one band, 1 = valid in all bands, 0 = not.
template <class T>
struct MaskedRaster {
  Raster<T> values;
  Raster<std::uint8_t> valid;
};

struct WarpOptions {
  Resampling resampling = Resampling::kNearest;
  std::optional<double> nodata;  ///< of the source, whatever its file says
  double fill = 0.0;             ///< value of pixels without data
  /// What has to be added to a position on the target, in units of the target's CRS, to find its content in
  /// the source: takes out a known shift between two images.
  Point move{0.0, 0.0};
};

/// Values of a window of a raster and where they are valid: nodata (that of the file, or `nodata` instead),
/// masks, alpha bands and NaN count.
/// @param window  inside the raster
/// @param bands   0-based; empty = all
/// @throws IoError
[[nodiscard]] Raster<std::uint8_t> valid_pixels(const RasterReader& raster, const Window& window,
                                                std::span<const int> bands,
                                                const std::optional<double>& nodata);

/// True when pixels of `source` and `target` coincide: same CRS, same pixel size and direction, whole pixels
/// apart (up to 1e-3 pixel over the whole source).
[[nodiscard]] bool pixels_coincide(const Grid& source, const Grid& target);

/// A raster seen on another grid: any CRS, pixel size, rotation.
///
/// Where the pixels coincide they are copied bit for bit. Otherwise GDAL's warp kernel makes them: every
/// target pixel is moved to the source by PROJ, to 1e-5 pixel (as gdalwarp -et 0); the kernel grows with the
/// pixel size where pixels become larger; only valid source pixels count, and a target pixel is valid
/// when the source pixel at its centre is. The values of a target pixel do not depend on the window that is
/// read. Source pixels across the antimeridian are found from either side.
/// Memory: at most 64 MiB of source pixels at a time beside the result. Threads: safe to call concurrently.
class WarpedReader {
 public:
  /// @param bands  0-based
  /// @throws InvalidArgument  no bands
  WarpedReader(std::shared_ptr<const RasterReader> source, std::vector<int> bands,
               const WarpOptions& options);
  ~WarpedReader();
  WarpedReader(WarpedReader&&) noexcept;
  WarpedReader& operator=(WarpedReader&&) noexcept;

  [[nodiscard]] const RasterReader& source() const noexcept;

  /// Reads a window of `target`, which may reach over the target's and the source's border; what the source
  /// does not cover is invalid. T as RasterReader::read.
  /// @throws IoError   reading failed; one target pixel covers more source pixels than fit the memory
  /// @throws CrsError  no way from one CRS to the other
  template <class T>
  [[nodiscard]] MaskedRaster<T> read(const Grid& target, const Window& window) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

}  // namespace furrow::geo
