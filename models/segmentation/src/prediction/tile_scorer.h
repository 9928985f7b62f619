#pragma once

#include <furrow/segmentation/predictor.h>

#include "plan.h"
#include "score_quantiser.h"
#include "tile_job.h"

namespace furrow::segmentation {

/// Runs the network on a tile and stores the pixels that no other tile shares. Safe from several threads.
class TileScorer {
 public:
  TileScorer(const PredictionPlan& plan, const PartScoreFunction& score, const ScoreQuantiser& quantiser,
             bool with_entropy);

  void run(TileJob& job) const;

 private:
  void store_unshared(TileJob& job) const;

  const PredictionPlan& m_plan;
  const PartScoreFunction& m_score;
  const ScoreQuantiser& m_quantiser;
  bool m_with_entropy;
};

}  // namespace furrow::segmentation
