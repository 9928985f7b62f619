#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/raster/reader.h>

namespace furrow::geo {

/// Distribution of the valid values of one band, or of all bands together.
struct ValueStatistics {
  std::int64_t pixels = 0;  ///< valid ones; 0 = none, and all other numbers are NaN
  double min = 0.0;
  double max = 0.0;
  double mean = 0.0;
  double sd = 0.0;                  ///< divides by n
  std::vector<double> percentiles;  ///< one for each that was asked for
};

struct StatisticsOptions {
  std::vector<int> bands;           ///< 0-based; empty = all
  bool per_band = true;             ///< false: one statistic over all bands
  std::vector<double> percentiles;  ///< 0..100, any order
};

/// Statistics of one raster, or of several as if they were one (all scenes of a training set), streamed.
///
/// A percentile p is the value at rank p/100 (n - 1) of the sorted values, interpolated linearly between
/// neighbours. Method: histograms of integer counts, so that results are equal to the last bit for any number
/// of threads, block size, order of the rasters, and division of a scene into files. 8- and 16-bit integers:
/// one pass, one bin a value. Other types: two passes over 32-bit keys that sort like the values (their
/// float32 bits), first all by the upper 16 bits, then by the lower 16 bits those near the percentiles. Exact
/// for float32 and for integers up to 2^24; float64 and larger integers are rounded to float32 (relative
/// error below 6e-8; min and max are exact). Sums are exact integers per binary exponent; the deviations from
/// the mean are summed in the second pass (no cancellation).
///
/// Values are stored ones (scale and offset of the file are not applied). Invalid pixels (nodata, masks, NaN,
/// infinite) are left out; a pixel counts when all chosen bands are valid.
/// Memory per thread: one window of about 4 million values, and per statistic 0.75 MiB (small integers) or
/// 0.5 MiB (1 + percentiles).
/// @return one per band, or a single one over all bands when !per_band
/// @throws IoError when a raster cannot be read; InvalidArgument for no raster, a missing band, rasters with
///         different numbers of bands (when `bands` is empty), percentiles outside 0..100; Cancelled
[[nodiscard]] std::vector<ValueStatistics> raster_statistics(std::span<const std::string> paths,
                                                             const StatisticsOptions& options,
                                                             ExecContext& exec);
/// The same for rasters that are open.
[[nodiscard]] std::vector<ValueStatistics> raster_statistics(std::span<const RasterReader* const> readers,
                                                             const StatisticsOptions& options,
                                                             ExecContext& exec);

/// Statistics to be stored and used again.
struct StatisticsFile {
  std::vector<std::string> inputs;  ///< what they are of, as the user gave it
  std::int64_t rasters = 0;
  std::vector<std::string> bands;  ///< names, in the order of the statistics (of all that were pooled)
  bool per_band = true;
  std::vector<double> percentiles;
  std::vector<ValueStatistics> statistics;
};

/// JSON with "schema": "furrow/statistics/1" (docs/commands/info.md). Numbers read back to the bit.
[[nodiscard]] std::string statistics_json(const StatisticsFile& file);
/// @throws IoError  missing, no JSON, another schema, a member missing or of the wrong type or number
[[nodiscard]] StatisticsFile read_statistics(const std::string& path);

}  // namespace furrow::geo
