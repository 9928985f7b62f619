#pragma once

#include <cstdint>
#include <vector>

#include <furrow/geo/raster/raster.h>

#include "plan.h"
#include "score_quantiser.h"
#include "tile_job.h"

namespace furrow::segmentation {

/// Adds up what neighbouring tiles say about the pixels on both sides of their common border.
///
/// Tiles come in row-major order, one at a time. Sums are kept only for the band along the border below the
/// present row of tiles, the band above it, and the band to the right of the present tile: 2 x blend_px wide
/// each. Products of float scores and 24-bit weights are exact in double, and so are their sums where tiles
/// agree.
class SeamBlender {
 public:
  SeamBlender(const PredictionPlan& plan, const ScoreQuantiser& quantiser);

  void add(TileJob& job);

 private:
  void weigh(const TileJob& job, std::int64_t col, std::int64_t row, float weight);
  /// Keeps the weighted scores of one pixel for a later tile, or completes the pixel.
  void place(TileJob& job, std::int64_t col, std::int64_t row, bool in_left_band, bool in_top_band);

  const PredictionPlan& m_plan;
  const ScoreQuantiser& m_quantiser;
  geo::Raster<double> m_above;
  geo::Raster<double> m_below;
  geo::Raster<double> m_left;
  std::vector<double> m_scores;
  std::int64_t m_row = 0;
};

}  // namespace furrow::segmentation
