#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/raster/warped_reader.h>
#include <furrow/geo/raster/writer.h>

namespace furrow::geo {

/// How chips say which pixels hold no data.
enum class InvalidAs {
  kAuto,   ///< as the images do: nodata value, mask, or both; a mask where images disagree or say nothing
  kMask,   ///< a mask inside the file
  kNodata  ///< the nodata value in all bands
};

struct ChipSourceOptions {
  std::vector<std::string> bands;  ///< as choose_bands takes them; empty = all
  std::optional<double> nodata;    ///< of the images, whatever their files say
  InvalidAs invalid_as = InvalidAs::kAuto;
  Resampling resampling = Resampling::kNearest;
  /// True when chips may reach beyond their images or be resampled: then pixels without data must be sayable.
  bool may_miss = false;
  RasterReadOptions read;
};

/// One image of a chip source: what its file says, without an open file.
struct ChipScene {
  std::string path;
  std::string name;
  std::string date;       ///< of the listing or the file's TIFFTAG_DATETIME, ISO 8601; empty = unknown
  std::string tiff_date;  ///< the same for TIFFTAG_DATETIME; empty also when the day is not known
  Grid grid;
  std::vector<int> bands;       ///< chosen, 0-based
  std::vector<BandInfo> infos;  ///< of these
  bool has_mask = false;
  bool by_rows = false;         ///< stored in blocks as wide as the image
  std::size_t pixel_bytes = 0;  ///< of all bands
  Point move;                   ///< see WarpOptions
};

/// Opens an image and looks at it.
/// @param name  empty = the file's stem
/// @throws IoError, CrsError  as RasterReader and choose_bands; a pixel type that chips cannot hold
[[nodiscard]] ChipScene look_at_scene(const std::string& path, const ChipSourceOptions& options,
                                      const std::string& name = {}, const std::string& date = {});

/// Pixels in the type of a chip.
using AnyRaster = std::variant<Raster<std::uint8_t>, Raster<std::int16_t>, Raster<std::uint16_t>,
                               Raster<std::int32_t>, Raster<std::uint32_t>, Raster<float>, Raster<double>>;

struct ChipPixels {
  AnyRaster values;
  Raster<std::uint8_t> valid;  ///< 1 = valid in all bands
};

/// Images that chips are cut from, as one raster on any grid: a stack of layers, each a mosaic of scenes.
///
/// Mosaic: a pixel comes, with all its bands, from the first scene in which it is valid. A pixel that is
/// valid in none keeps what the first scene that touches the window holds there. Stack: the bands of layer 1,
/// then those of layer 2, and so on; a pixel is valid when it is in every layer. Scenes on the chip's pixels
/// are copied bit for bit, others resampled (WarpedReader); a resampled valid value that happens to equal the
/// nodata value moves to the next one.
/// The type is the smallest that holds all bands. Files are opened when a chip needs them, and a limited
/// number stays open. Threads: safe to call concurrently.
class ChipSource {
 public:
  using Layer = std::vector<ChipScene>;

  /// @param crs      of all grids that will be read
  /// @param threads  that will read
  /// @throws IoError  scenes that differ in scale, offset or number of bands; no nodata value where one is
  ///                  needed, or one that the type does not hold
  ChipSource(std::vector<Layer> layers, const Crs& crs, const ChipSourceOptions& options, int threads);
  ~ChipSource();
  ChipSource(ChipSource&&) noexcept;
  ChipSource& operator=(ChipSource&&) noexcept;

  [[nodiscard]] const std::vector<Layer>& layers() const noexcept;
  /// Type, bands, nodata, scale, offset, descriptions, colours and date of the chips. `mask` = a chip with
  /// invalid pixels needs a mask.
  [[nodiscard]] const RasterSpec& spec() const noexcept;
  /// The date of all scenes, or of those of the layers separated by a space; empty = unknown or not the same.
  [[nodiscard]] std::string date() const;
  /// Bytes that reading takes beside the result.
  [[nodiscard]] std::size_t reading_bytes() const noexcept;

  /// @param window  may reach over the border of `grid`
  /// @param used    if not null: positions of the scenes of layer 1 that gave pixels, ascending
  /// @throws IoError, CrsError  as WarpedReader
  [[nodiscard]] ChipPixels read(const Grid& grid, const Window& window,
                                std::vector<std::size_t>* used = nullptr) const;

  /// Sample windows of one layer as floats (all bands), for estimates.
  [[nodiscard]] MaskedRaster<float> read_layer(std::size_t layer, const Grid& grid,
                                               const Window& window) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

/// The smallest pixel type that holds the values of all bands, for files (not int8).
[[nodiscard]] PixelType common_type(std::span<const BandInfo> bands);
/// True when a pixel of that type can have that value.
[[nodiscard]] bool type_holds(PixelType type, double value);

}  // namespace furrow::geo
