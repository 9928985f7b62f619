#pragma once

#include <vector>

#include <furrow/geo/raster/normalise.h>
#include <furrow/geo/raster/reader.h>

#include "plan.h"
#include "tile_job.h"

namespace furrow::segmentation {

/// Reads a tile with its surroundings, normalised and mirrored at the scene's borders. Safe from several
/// threads.
class TileSource {
 public:
  TileSource(const geo::RasterReader& reader, const PredictionPlan& plan, const geo::Normalisation& how,
             std::vector<geo::BandStatistics> statistics);

  /// Fills everything of a job but the scores; its core is given.
  void load(TileJob& job) const;

 private:
  const geo::RasterReader& m_reader;
  const PredictionPlan& m_plan;
  const geo::Normalisation& m_how;
  std::vector<geo::BandStatistics> m_statistics;
};

}  // namespace furrow::segmentation
