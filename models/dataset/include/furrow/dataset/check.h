#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <furrow/dataset/dataset.h>
#include <furrow/geo/core/exec_context.h>

namespace furrow::dataset {

enum class ProblemKind {
  kMissingFile,
  kUnreadable,
  kDuplicateId,
  kSplitLeak,
  kUnknownSplit,
  kSize,
  kGrid,
  kCrs,
  kPosition,
  kBands,
  kValues
};

/// "missing file", "unreadable file", "duplicate id", "split leak", "unknown split", "size", "grid", "CRS",
/// "position", "bands", "label values"
[[nodiscard]] const char* problem_name(ProblemKind kind);

struct Problem {
  ProblemKind kind = ProblemKind::kUnreadable;
  std::string id;       ///< of the sample; empty = of the data set as a whole
  std::string message;  ///< what, which file, what to do
};

/// Samples and label pixels of one split.
struct SplitBalance {
  std::int64_t samples = 0;
  std::int64_t without_field = 0;  ///< samples whose labels hold neither interior nor boundary
  /// Background, interior, boundary, unknown (3 and 255). Other values are in no column.
  std::array<std::int64_t, 4> pixels{};
};

struct CheckReport {
  std::vector<Problem> problems;  ///< of the catalogue first, then in the order of the samples
  std::map<std::string, SplitBalance> splits;
  std::map<std::string, std::int64_t> crs;          ///< samples by the CRS of their image
  std::map<std::string, std::int64_t> sizes;        ///< samples by the size of their image, "256 x 256"
  std::map<std::string, std::int64_t> label_types;  ///< samples by the pixel type of their labels
  std::int64_t class_as_nodata = 0;  ///< label rasters that declare 0, 1 or 2 as nodata; it is not believed
};

struct CheckOptions {
  bool read_pixels = true;  ///< false: headers only; no values, no truncated files, no equal images
};

/// Opens every file of a data set. Images and labels must have one size, CRS and place; images the bands of
/// the layout, or all the same number; class labels the values 0, 1, 2 (three classes), 3 and 255 (unknown)
/// only, whatever type and nodata value the file declares; ids are unique within a country; splits are known;
/// a site, an image file and the pixels of an image lie in one split; an image lies where the catalogue says.
/// In parallel; holds one piece of a raster per thread. The report does not depend on threads.
/// @throws Cancelled
[[nodiscard]] CheckReport check_dataset(const Dataset& dataset, const CheckOptions& options,
                                        geo::ExecContext& exec);

}  // namespace furrow::dataset
