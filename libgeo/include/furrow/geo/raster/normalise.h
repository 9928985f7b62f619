#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/raster/statistics.h>

namespace furrow::geo {

/// Statistics of the valid pixels of one band (or of all bands together).
struct BandStatistics {
  double low = 0.0;   ///< value at the lower percentile
  double high = 1.0;  ///< value at the upper percentile
  double mean = 0.0;
  double sd = 1.0;
  std::int64_t count = 0;  ///< valid pixels; 0 = none
};

enum class NormaliseMethod {
  kMinMax,  ///< (v - low) / (high - low), clipped to [0, 1]
  kZScore,  ///< (v - mean) / sd
  kDivide   ///< v / divisor, not clipped
};

enum class NormaliseScope {
  kScene,  ///< statistics of each whole scene, so that seams cannot appear
  kStored  ///< statistics of the training scenes, stored with the model
};

/// How stored pixel values become network input. Saved with the model and used the same way in training and
/// prediction.
struct Normalisation {
  NormaliseMethod method = NormaliseMethod::kMinMax;
  NormaliseScope scope = NormaliseScope::kScene;
  bool per_band = false;  ///< false: one statistic over all bands
  double low_percentile = 1.0;
  double high_percentile = 99.0;
  double divisor = 3000.0;             ///< for kDivide
  std::vector<BandStatistics> stored;  ///< for kStored: one per band, or a single one when !per_band
};

/// Statistics of some bands (0-based; empty = all) of a whole raster, as raster_statistics() computes them
/// (method, exactness, memory: statistics.h). A raster without valid pixels gives count 0 and the defaults.
/// @return one per band, or a single one over all bands when !per_band (its count is pixels, not values)
/// @throws IoError when reading fails; InvalidArgument unless 0 <= low < high <= 100, or for a missing band;
/// Cancelled
[[nodiscard]] std::vector<BandStatistics> scene_statistics(const RasterReader& reader,
                                                           std::span<const int> bands,
                                                           const Normalisation& how, ExecContext& exec);
/// Of several scenes as if they were one: what kStored keeps. Their order does not matter.
[[nodiscard]] std::vector<BandStatistics> scene_statistics(std::span<const RasterReader* const> scenes,
                                                           std::span<const int> bands,
                                                           const Normalisation& how, ExecContext& exec);
/// The same of files, each open only while it is read.
[[nodiscard]] std::vector<BandStatistics> scene_statistics(std::span<const std::string> paths,
                                                           std::span<const int> bands,
                                                           const Normalisation& how, ExecContext& exec);

/// Statistics of one chip alone, for normalisation that knows nothing beyond it ("local"; exact, by
/// selection): what normalise() takes in place of the scene's. Not offered for prediction, where neighbouring
/// tiles would differ at their seam. `valid` as for normalise(); a pixel counts when all bands are finite.
/// @throws InvalidArgument  percentiles; `valid` of another size. Safe to call concurrently.
[[nodiscard]] std::vector<BandStatistics> chip_statistics(const Raster<float>& pixels,
                                                          const Normalisation& how,
                                                          std::span<const std::uint8_t> valid = {});

/// `how` with stored statistics (read_statistics()) instead of a scene's: their scope, per_band and numbers.
/// @throws InvalidArgument  a percentile of `how` that the file lacks (with those that it has)
[[nodiscard]] Normalisation stored_normalisation(const StatisticsFile& file, Normalisation how);

/// Normalises in place: pixels [bands, rows, cols]; `statistics` as scene_statistics or `stored` gives them
/// (not used by kDivide). A constant band becomes 0. Invalid pixels (valid == 0; empty = all valid) and NaN
/// become 0. Safe to call concurrently on different pixels.
/// @throws InvalidArgument  statistics not one per band (or a single one when !per_band), `valid` of another
/// size,
///                          divisor 0 or not finite
void normalise(Raster<float>& pixels, const Normalisation& how, std::span<const BandStatistics> statistics,
               std::span<const std::uint8_t> valid = {});

}  // namespace furrow::geo
