#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/raster/rasterize.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/raster/writer.h>

namespace furrow::geo {

/// What happens where chips reach over the right and the bottom border.
enum class ChipEdge {
  kShift,   ///< the last chip moves inwards: all have full size (a raster smaller than a chip gives one
            ///< smaller chip)
  kPad,     ///< full size, filled up with nodata
  kPartial  ///< the last chip is smaller
};

struct ChipSize {
  std::int64_t width = 256;
  std::int64_t height = 256;
  std::int64_t overlap_px = 0;  ///< columns and rows that neighbouring chips share, below both sizes
};

/// A chip's place: its row and column among the chips, and its window (with kPad it may reach over the
/// border).
struct ChipPlace {
  std::int64_t row = 0;
  std::int64_t col = 0;
  Window window;
  friend bool operator==(const ChipPlace&, const ChipPlace&) = default;
};

/// Cuts a grid into chips, row by row. Together they cover every pixel; with kPartial and no overlap exactly
/// once.
/// @throws InvalidArgument  a size below 1, or an overlap that is negative or not below the size
[[nodiscard]] std::vector<ChipPlace> chip_places(const Grid& grid, const ChipSize& size, ChipEdge edge);

/// The chip that is `side_m` wide and high on the ground at the grid's centre, at least one pixel.
/// @throws CrsError         the grid has no CRS
/// @throws InvalidArgument  side_m is not above 0
[[nodiscard]] ChipSize chip_size_of(const Grid& grid, double side_m);

enum class ChipFormat { kGeoTiff, kCog };

struct ChipOptions {
  ChipSize size;
  std::optional<double> side_m;  ///< instead of size.width and size.height
  ChipEdge edge = ChipEdge::kShift;
  std::vector<int> bands;        ///< 0-based; empty = all
  std::optional<double> nodata;  ///< for images whose file says none (or a wrong one)
  bool skip_empty = false;       ///< leave out chips without a valid pixel
  double min_valid = 0.0;        ///< leave out chips with a smaller share of valid pixels
  ChipFormat format = ChipFormat::kGeoTiff;
  Compression compression = Compression::kDeflate;
  Flush flush = Flush::kNow;  ///< kLater when the folder is an AtomicFolder: many times faster
  RasterReadOptions read;
};

/// Where label chips come from: a function that gives the labels of a window of one image, or nothing.
/// Called from several threads. Values as in rasterize.h; the window may reach over the image's border.
using LabelsOfWindow = std::function<Raster<std::uint8_t>(const Window&)>;
/// Makes that function for one image.
/// @throws anything: the image then counts as failed
using LabelsOfImage = std::function<LabelsOfWindow(const RasterReader&)>;

/// One written chip, a row of the catalogue.
struct Chip {
  std::string name;    ///< <stem>_<row>_<col>
  std::string scene;   ///< stem of the image
  std::string image;   ///< relative to the output folder
  std::string labels;  ///< likewise; empty = none
  ChipPlace place;
  double valid = 0.0;    ///< share of pixels where all bands hold data, padding not
  double lon_deg = 0.0;  ///< of the centre
  double lat_deg = 0.0;
  Polygon footprint;  ///< in the image's CRS
  Crs crs;
};

struct ChipReport {
  std::vector<Chip> chips;    ///< in the order of the images, then row by row
  std::int64_t left_out = 0;  ///< by skip_empty and min_valid
};

/// Cuts one image into GeoTIFF chips `<stem>_<row>_<col>.tif` in `folder` (label chips in `folder`/labels
/// under the same name).
///
/// Values are copied bit for bit; pixel type, nodata, scale and offset, CRS, band descriptions and the
/// acquisition date (TIFFTAG_DATETIME) are kept. Masks and alpha bands of the image are not carried over (a
/// warning says so). Bands of different types become the smallest type that holds all. Label pixels where the
/// image is invalid or padded become kIgnore. Reads by window and in parallel, with as many chips in memory
/// as the budget allows; the result does not depend on it.
/// @throws IoError          reading or writing failed; bands that differ in nodata, scale or offset; a pixel
/// type that
///                          GeoTIFF chips cannot hold; kPad without a nodata value
/// @throws CrsError, InvalidArgument, Cancelled
[[nodiscard]] ChipReport cut_image(const std::string& image, const std::filesystem::path& folder,
                                   const ChipOptions& options, const LabelsOfImage& labels,
                                   ExecContext& exec);

/// Writes the catalogue chips.csv (name, scene, image, labels, col, row, width, height, valid, x, y; x and y
/// are the centre's longitude and latitude) and the index chips.gpkg (footprints; in the images' CRS when
/// they share one, else in longitude and latitude) into `folder`.
/// @throws IoError
void write_chip_catalogue(const std::vector<Chip>& chips, const std::filesystem::path& folder);

/// Labels from polygons, in any CRS that reaches the image's; an empty `crs` means the image's own.
[[nodiscard]] LabelsOfImage labels_from_polygons(std::vector<MultiPolygon> polygons, Crs crs,
                                                 const BoundaryOptions& boundary);

/// Labels from a class raster on the image's pixel lattice (same CRS and pixel size, whole pixels apart); it
/// may be larger or smaller. 3 becomes kIgnore, and so does everything outside it. Its nodata value is not
/// looked at: label rasters often declare a class as nodata.
/// @throws IoError when it cannot be opened; later, per image, when it does not fit or holds other values
[[nodiscard]] LabelsOfImage labels_from_raster(const std::string& path, const RasterReadOptions& read = {});

}  // namespace furrow::geo
