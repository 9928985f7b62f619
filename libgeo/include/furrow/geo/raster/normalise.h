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
/// A percentile p is the value at rank p/100 (n - 1) of the sorted values, interpolated between neighbours.
/// It is exact for 8- and 16-bit integers (histogram); for other types it comes from a histogram of 65,536
/// equal bins between the exact minimum and maximum (error below one bin). sd divides by n. Invalid pixels
/// (nodata, masks, NaN, infinite) are left out: a pixel counts when all chosen bands are valid. A raster
/// without valid pixels gives count 0 and the defaults. Values are stored ones (scale and offset of the file
/// are not applied). The result is independent of threads and block order. Memory per thread: one window of
/// about 4 million values, and a histogram of 0.75 MiB per band.
/// @return one per band, or a single one over all bands when !per_band (its count is pixels, not values)
/// @throws IoError when reading fails; InvalidArgument unless 0 <= low < high <= 100; Cancelled
[[nodiscard]] std::vector<BandStatistics> scene_statistics(const RasterReader& reader,
                                                           std::span<const int> bands,
                                                           const Normalisation& how, ExecContext& exec);

/// Normalises in place: pixels [bands, rows, cols]; `statistics` as scene_statistics or `stored` gives them
/// (not used by kDivide). A constant band becomes 0. Invalid pixels (valid == 0; empty = all valid) and NaN
/// become 0. Safe to call concurrently on different pixels.
/// @throws InvalidArgument  statistics not one per band (or a single one when !per_band), `valid` of another
/// size,
///                          divisor 0 or not finite
void normalise(Raster<float>& pixels, const Normalisation& how, std::span<const BandStatistics> statistics,
               std::span<const std::uint8_t> valid = {});

}  // namespace furrow::geo
