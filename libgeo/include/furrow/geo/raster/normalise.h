#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/raster/reader.h>

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

/// Statistics of some bands (0-based; empty = all) of a whole raster, streamed block by block in parallel.
///
/// Percentiles are exact for 8- and 16-bit integers (histogram); for other types they come from a histogram
/// of 65,536 equal bins between the exact minimum and maximum (error below one bin). Invalid pixels (nodata,
/// masks, NaN) are left out: a pixel counts when all chosen bands are valid. Independent of threads and block
/// order.
/// @return one per band, or a single one over all bands when !per_band
/// @throws IoError when reading fails; InvalidArgument unless 0 <= low < high <= 100
[[nodiscard]] std::vector<BandStatistics> scene_statistics(const RasterReader& reader,
                                                           std::span<const int> bands,
                                                           const Normalisation& how, ExecContext& exec);

/// Normalises in place: pixels [bands, rows, cols]; `statistics` as scene_statistics or `stored` gives them.
/// A constant band becomes 0. Invalid pixels (valid == 0; empty = all valid) become 0.
void normalise(Raster<float>& pixels, const Normalisation& how, std::span<const BandStatistics> statistics,
               std::span<const std::uint8_t> valid = {});

}  // namespace furrow::geo
