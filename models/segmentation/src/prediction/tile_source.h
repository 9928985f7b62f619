#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include <furrow/geo/raster/normalise.h>
#include <furrow/geo/raster/reader.h>

#include "plan.h"
#include "tile_job.h"

namespace furrow::segmentation {

/// Which pixels of an axis stand at begin, begin + 1, ... when the axis is continued by mirroring at the
/// first and last pixel (which are not repeated).
[[nodiscard]] std::vector<std::int64_t> mirrored_range(std::int64_t begin, std::int64_t size,
                                                       std::int64_t extent);

/// Reads a tile with its surroundings, normalised and mirrored at the scene's borders. Safe from several
/// threads.
class TileSource {
 public:
  TileSource(const geo::RasterReader& reader, const PredictionPlan& plan, const geo::Normalisation& how,
             std::vector<geo::BandStatistics> statistics);

  /// Fills everything of a job but the scores; its core is given.
  void load(TileJob& job) const;
  /// Ends the use of a job's pixels; other tiles get their memory.
  void release_pixels(TileJob& job) const;

 private:
  struct Axes {
    std::vector<std::int64_t> cols;
    std::vector<std::int64_t> rows;
  };
  /// The pixels of the image that stand in a window.
  [[nodiscard]] Axes axes(const geo::Window& window) const;
  /// Of no size yet.
  [[nodiscard]] geo::Raster<float> spare_raster() const;
  void keep(geo::Raster<float> raster) const;
  /// What has to be scored of a job whose `valid` is known: around its valid pixels, or all of its share.
  [[nodiscard]] geo::Window wanted_part(const TileJob& job) const;
  /// 1 where pixels are to be scored as far as the cutline goes, 0 outside of it. Shape [window].
  [[nodiscard]] geo::Raster<std::uint8_t> inside_cutline(const geo::Window& window) const;

  const geo::RasterReader& m_reader;
  const PredictionPlan& m_plan;
  const geo::Normalisation& m_how;
  std::vector<geo::BandStatistics> m_statistics;
  mutable std::mutex m_mutex;
  mutable std::vector<geo::Raster<float>> m_spare;  ///< no tile holds these
};

}  // namespace furrow::segmentation
