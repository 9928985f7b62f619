#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/raster/raster.h>

namespace furrow::geo {

enum class PixelType { kUint8, kInt8, kUint16, kInt16, kUint32, kInt32, kFloat32, kFloat64, kOther };

/// "uint8", "float32", ...
[[nodiscard]] const char* pixel_type_name(PixelType type);
/// Bytes of one value; 16 for kOther (complex numbers have at most that).
[[nodiscard]] std::size_t pixel_type_bytes(PixelType type);

struct BandInfo {
  PixelType type = PixelType::kUint8;
  std::optional<double> nodata;
  double scale = 1.0;  ///< value = stored * scale + offset
  double offset = 0.0;
  std::string description;
  std::string
      colour;  ///< colour interpretation as GDAL calls it, in lower case ("red", "alpha"); empty = none
};

struct RasterReadOptions {
  Crs override_crs;                  ///< whatever the file says; empty = believe the file
  std::string crs_switch = "--crs";  ///< the command's option behind it, named in messages
  bool require_crs = true;           ///< false: a raster without CRS (or without position) is accepted
};

/// A raster file, read by windows. Any format that GDAL opens, also /vsi paths.
/// Thread-safe: each thread gets a GDAL handle of its own.
class RasterReader {
 public:
  /// @throws IoError   missing, no raster, no band
  /// @throws CrsError  no CRS (with the switch that gives one)
  explicit RasterReader(const std::string& path, const RasterReadOptions& options = {});
  ~RasterReader();
  RasterReader(RasterReader&&) noexcept;
  RasterReader& operator=(RasterReader&&) noexcept;

  [[nodiscard]] const std::string& path() const noexcept;
  [[nodiscard]] const Grid& grid() const noexcept;
  [[nodiscard]] int bands() const noexcept;
  /// band is 0-based.
  [[nodiscard]] const BandInfo& band(int band) const;
  /// True when validity does not come from nodata values alone: a mask for the whole file, or an alpha band.
  [[nodiscard]] bool has_mask() const noexcept;
  /// Value of a metadata item of the default domain, or empty.
  [[nodiscard]] std::string metadata(const std::string& key) const;
  /// Block size of band 0.
  [[nodiscard]] std::int64_t block_width() const noexcept;
  [[nodiscard]] std::int64_t block_height() const noexcept;

  /// Reads stored values of some bands (0-based; empty = all), converted to T as GDAL does (clamped,
  /// rounded). `window` must lie inside the grid. T: uint8_t, int16_t, uint16_t, int32_t, uint32_t, float,
  /// double.
  /// @throws IoError   with file and window when reading fails; the file's blocks, one per thread, do not fit
  ///                   half of the memory budget of the ExecContext made last
  template <class T>
  [[nodiscard]] Raster<T> read(const Window& window, std::span<const int> bands = {}) const;

  /// The same into a raster whose memory is used again.
  template <class T>
  void read(const Window& window, std::span<const int> bands, Raster<T>& pixels) const;

  /// 1 where every one of the bands (0-based; empty = all) holds data, 0 where one is nodata, masked,
  /// transparent, NaN or infinite. Shape [1, rows, cols].
  /// @throws IoError
  [[nodiscard]] Raster<std::uint8_t> read_valid(const Window& window, std::span<const int> bands = {}) const;

  /// What read<float>() and read_valid() give, with half the work where validity follows from the values. The
  /// memory of both rasters is used again.
  void read_with_valid(const Window& window, std::span<const int> bands, Raster<float>& pixels,
                       Raster<std::uint8_t>& valid) const;

  /// Whether nothing in `window` is valid because the file has left out all blocks there of one of the bands
  /// (0-based; empty = all), and missing blocks stand for nodata. Reads no pixels; false where it cannot be
  /// told like this.
  [[nodiscard]] bool is_left_out(const Window& window, std::span<const int> bands = {}) const;

 private:
  /// Sets `valid` to 0 where an alpha band that GDAL makes no mask of is 0.
  void mark_transparent(const Window& window, Raster<std::uint8_t>& valid) const;

  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

}  // namespace furrow::geo
