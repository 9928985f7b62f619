#pragma once

#include <span>

#include <furrow/segmentation/predictor.h>

#include "plan.h"
#include "score_quantiser.h"
#include "tile_job.h"

namespace furrow::segmentation {

/// Runs the network, or each of several passes, on a tile and stores the pixels that no other tile shares.
/// Safe from several threads.
class TileScorer {
 public:
  TileScorer(const PredictionPlan& plan, std::span<const PartScoreFunction> passes,
             const ScoreQuantiser& quantiser);

  void run(TileJob& job) const;

 private:
  void store_unshared(TileJob& job) const;

  const PredictionPlan& m_plan;
  std::span<const PartScoreFunction> m_passes;
  const ScoreQuantiser& m_quantiser;
};

}  // namespace furrow::segmentation
