#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/raster/chip_catalogue.h>
#include <furrow/geo/raster/chip_grid.h>
#include <furrow/geo/raster/chip_labels.h>
#include <furrow/geo/raster/chip_source.h>

namespace furrow::geo {

enum class ChipFormat { kGeoTiff, kCog };

/// How chips are written, and which.
struct ChipOutput {
  bool skip_empty = false;  ///< leave out chips without a valid pixel
  double min_valid = 0.0;   ///< leave out chips with a smaller share of valid pixels
  bool statistics = false;  ///< of every band, for the catalogue
  ChipFormat format = ChipFormat::kGeoTiff;
  Compression compression = Compression::kDeflate;
  Flush flush = Flush::kNow;  ///< kLater when the folder is an AtomicFolder: many times faster
};

struct ChipReport {
  std::vector<Chip> chips;    ///< in the order of the plan
  std::int64_t left_out = 0;  ///< by skip_empty and min_valid
};

/// Cuts the chips of a plan into GeoTIFFs `<name>.tif` in `folder` (label chips in `folder`/labels under the
/// same name).
///
/// Chips on the pixels of their image are copied bit for bit, others resampled, see ChipSource. Pixel type,
/// scale and offset, band descriptions, colours and the acquisition date (TIFFTAG_DATETIME) are kept. Pixels
/// without data have the nodata value; where the images have a mask or an alpha band, or no nodata value, a
/// chip with such pixels has a mask inside the file. Label pixels where the image is invalid become kIgnore.
/// Reads by window and in parallel, with as many chips in memory as the budget allows; the result does not
/// depend on it. When it fails, the chips of this plan are taken away again.
/// @param scene  name in the catalogue
/// @throws IoError          reading or writing failed
/// @throws InvalidArgument  a chip does not fit the memory budget
/// @throws CrsError, Cancelled
[[nodiscard]] ChipReport cut_chips(const ChipSource& source, const ChipPlan& plan, const std::string& scene,
                                   const std::filesystem::path& folder, const ChipOutput& output,
                                   const LabelsOfGrid& labels, ExecContext& exec);

struct ChipOptions : ChipOutput {
  ChipSize size;
  std::optional<double> side_m;  ///< instead of size.width and size.height
  std::optional<double> side_deg;
  ChipEdge edge = ChipEdge::kShift;
  ChipSourceOptions source;
};

/// Cuts one image on its own pixel grid: chips <name>_<row>_<col>, windows of the image bit for bit.
/// @throws as cut_chips, look_at_scene, chip_size_of
[[nodiscard]] ChipReport cut_image(const ChipScene& image, const std::filesystem::path& folder,
                                   const ChipOptions& options, const LabelsOfGrid& labels, ExecContext& exec);
/// The same for the image in a file.
[[nodiscard]] ChipReport cut_image(const std::string& path, const std::filesystem::path& folder,
                                   const ChipOptions& options, const LabelsOfGrid& labels, ExecContext& exec);

/// The size that the options ask for, on a grid.
[[nodiscard]] ChipSize chip_size_on(const Grid& grid, const ChipOptions& options);

}  // namespace furrow::geo
