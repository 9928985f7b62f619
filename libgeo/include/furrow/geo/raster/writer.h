#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/raster/reader.h>

namespace furrow::geo {

/// How a coarser level is made: class rasters need kMode or kNearest, measured values kAverage.
enum class Overview { kNone, kNearest, kMode, kAverage };

/// How blocks are stored; all without loss. kNone is quickest to write and read, kDeflate is read everywhere,
/// kZstd is quicker than it where GDAL has it.
enum class Compression { kNone, kLzw, kDeflate, kZstd };

struct RasterClass {
  int value = 0;
  std::string name;
  std::array<std::uint8_t, 4> rgba{};
};

struct RasterSpec {
  PixelType type = PixelType::kUint8;
  int bands = 1;
  std::optional<double> nodata;
  double scale = 1.0;
  double offset = 0.0;
  std::vector<std::string> descriptions;        ///< one per band, or empty
  std::vector<std::string> colours;             ///< colour interpretations as BandInfo has them, or empty
  bool mask = false;                            ///< with a mask inside the file; see write_mask
  std::vector<RasterClass> classes;             ///< names and colours of a class raster (band 0), or empty
  std::map<std::string, std::string> metadata;  ///< default domain
  Overview overview = Overview::kNone;
  Flush flush = Flush::kNow;  ///< kLater for files in an AtomicFolder
  bool cog = true;            ///< cloud-optimised GeoTIFF; false: plain tiled GeoTIFF
  Compression compression = Compression::kDeflate;
  /// Neighbours differ by little, as in images: stored as differences. Rasters of few distinct values, and
  /// those with classes, are smaller and quicker without.
  bool is_smooth = true;
  /// DEFLATE at level 6 where values are not stored as differences; false: at level 1, for rasters whose size
  /// hardly depends on it. Differences are always packed at level 1.
  bool pack_tightly = true;
  int threads = 1;  ///< that compress the COG at `finish`; the bytes do not depend on it
};

/// Classes and colours of the suite's label rasters (0 background, 1 interior, 2 boundary).
[[nodiscard]] std::vector<RasterClass> label_classes();

/// A GeoTIFF written by windows, then turned into a COG; it appears under its name at `finish`, whole or not
/// at all. Blocks of 512 pixels (smaller where the raster is). One thread at a time.
class RasterWriter {
 public:
  /// @throws IoError   exists without overwrite, folder not writable; a raster of a few rows or columns that
  ///                   is millions of pixels long; a compression that this GDAL does not have
  RasterWriter(const std::filesystem::path& path, const Grid& grid, const RasterSpec& spec, bool overwrite);
  ~RasterWriter();
  RasterWriter(RasterWriter&&) noexcept;
  RasterWriter& operator=(RasterWriter&&) = delete;

  /// Writes all bands of `pixels` at `window` (same size). Values outside the file's type are clamped.
  /// @throws IoError
  template <class T>
  void write(const Window& window, const Raster<T>& pixels);

  /// Writes the mask (1 = valid, 0 = not; `window`'s size) of a raster whose spec has one. Pixels without a
  /// mask value count as not valid.
  /// @throws IoError
  void write_mask(const Window& window, const Raster<std::uint8_t>& valid);

  /// Writes everything to the disk, under the temporary name still; `finish` then has only the name to
  /// change. For outputs that shall appear together.
  /// @throws IoError   disk full, for instance
  void close();

  /// @throws IoError   disk full, for instance; nothing is left behind then
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

/// Writes a whole raster at once, with `valid` (see write_mask) when spec.mask is set.
/// @throws IoError
template <class T>
void write_raster(const std::filesystem::path& path, const Grid& grid, const Raster<T>& pixels,
                  const RasterSpec& spec, bool overwrite, const Raster<std::uint8_t>* valid = nullptr);

/// The PixelType that belongs to T.
template <class T>
[[nodiscard]] constexpr PixelType pixel_type_of();
template <>
constexpr PixelType pixel_type_of<std::uint8_t>() {
  return PixelType::kUint8;
}
template <>
constexpr PixelType pixel_type_of<std::int16_t>() {
  return PixelType::kInt16;
}
template <>
constexpr PixelType pixel_type_of<std::uint16_t>() {
  return PixelType::kUint16;
}
template <>
constexpr PixelType pixel_type_of<std::int32_t>() {
  return PixelType::kInt32;
}
template <>
constexpr PixelType pixel_type_of<std::uint32_t>() {
  return PixelType::kUint32;
}
template <>
constexpr PixelType pixel_type_of<float>() {
  return PixelType::kFloat32;
}
template <>
constexpr PixelType pixel_type_of<double>() {
  return PixelType::kFloat64;
}

}  // namespace furrow::geo
