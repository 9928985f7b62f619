#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <furrow/assessment/object_accuracy.h>
#include <furrow/assessment/pixel_accuracy.h>
#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/raster/reader.h>

namespace furrow::assessment {

/// Sums of one square block of a grid, or of many: all figures below are ratios of such sums, so blocks can
/// be added up and drawn again with replacement.
struct BlockCounts {
  static constexpr std::size_t kBins = 15;  ///< of equal width, of the largest score

  std::int64_t col = 0;  ///< of the block, in blocks
  std::int64_t row = 0;
  std::int64_t pixels = 0;  ///< compared
  BinaryAccuracy extent;
  std::int64_t boundary_predicted = 0;  ///< pixels of the boundary class
  std::int64_t boundary_correct = 0;    ///< of these: a reference boundary pixel lies within the tolerance
  std::int64_t boundary_reference = 0;
  std::int64_t boundary_found = 0;  ///< of these: a predicted boundary pixel lies within the tolerance
  std::int64_t predicted = 0;  ///< fields whose centroid lies in the block, as ObjectAccuracy counts them
  std::int64_t correct = 0;
  std::int64_t reference = 0;
  std::int64_t found = 0;
  std::int64_t scored = 0;  ///< pixels with scores
  std::array<std::int64_t, kBins> bin_pixels{};
  std::array<double, kBins> bin_score{};          ///< sum of the largest scores
  std::array<std::int64_t, kBins> bin_correct{};  ///< pixels whose likeliest class is the reference's
  double squared_error = 0.0;                     ///< sum over pixels and classes of (score - truth)^2

  /// Adds the sums; the place stays.
  BlockCounts& operator+=(const BlockCounts& other);

  [[nodiscard]] double boundary_f1()
      const;                               ///< of precision and recall within the tolerance; NaN without any
  [[nodiscard]] double object_f1() const;  ///< as ObjectAccuracy::f1
  [[nodiscard]] double ece() const;        ///< sum over bins of share x |accuracy - mean score|; NaN unscored
  [[nodiscard]] double brier() const;      ///< squared_error / scored; 0 is perfect, 2 always wrong
};

/// What is compared, all on one grid. Everything but `reference` may be missing.
struct BlockInputs {
  LabelSource predicted;  ///< extent and boundaries of the map
  LabelSource reference;
  const geo::RasterReader* scores = nullptr;  ///< class scores (background, interior, boundary); scale and
                                              ///< offset of the bands are applied
  std::span<const geo::MultiPolygon> predicted_fields;  ///< in the grid's CRS
  std::span<const geo::MultiPolygon> reference_fields;
  std::optional<geo::MultiPolygon> region;   ///< pixels by centre, fields by half their area
  const geo::RasterReader* valid = nullptr;  ///< its invalid pixels do not count
};

struct BlockOptions {
  std::int64_t block_px = 64;
  double boundary_tolerance_px = 1.0;  ///< between pixel centres, 0 to 20
  double min_iou = 0.5;
};

/// Counts per block, in rows of blocks; blocks without a compared pixel or counted field are left out.
/// Parallel over blocks; the same for any number of threads.
/// @throws geo::InvalidArgument  an option out of range; scores with another number of bands than three, or
///                               outside 0..1 (with the file)
[[nodiscard]] std::vector<BlockCounts> count_blocks(const BlockInputs& inputs, const geo::Grid& grid,
                                                    const BlockOptions& options, geo::ExecContext& exec);

struct Interval {
  double low = 0.0;
  double high = 0.0;
};

/// 95 % percentile intervals of figures by a spatial block bootstrap (Efron & Tibshirani 1993, ch. 13;
/// blocks because neighbouring pixels and fields err together): blocks are drawn with replacement as often as
/// there are blocks, their sums added, the figures computed. NaN results (nothing to compare in a draw) are
/// left out; with none left, or fewer than two blocks, the interval is NaN. Same seed, same intervals.
/// @return one interval per figure
[[nodiscard]] std::vector<Interval> bootstrap_blocks(
    std::span<const BlockCounts> blocks, std::span<const std::function<double(const BlockCounts&)>> figures,
    std::int64_t draws, std::uint64_t seed);

/// One row per block with all sums; read_blocks gives them back exactly.
void write_blocks(std::span<const BlockCounts> blocks, const std::string& path, bool overwrite);
/// @throws geo::IoError  no such file, a column is missing, a cell is no number
[[nodiscard]] std::vector<BlockCounts> read_blocks(const std::string& path);

}  // namespace furrow::assessment
