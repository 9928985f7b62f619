#pragma once

#include <span>

#include <furrow/geo/core/exec_context.h>
#include <furrow/segmentation/predictor.h>

#include "plan.h"
#include "tile_source.h"

namespace furrow::segmentation {

/// Whether a function that rounds may score a scene.
struct QuickerScores {
  bool are_used = false;
  double agreement = 0.0;  ///< share of the compared pixels on which they agree; NaN: not compared
};

/// Scores some windows of the scene with both sets of passes, see PredictOptions::quicker. The windows depend
/// on the scene's size alone, so the answer depends neither on threads nor on tiles.
[[nodiscard]] QuickerScores compare_quicker(const PredictionPlan& plan, const TileSource& source,
                                            std::span<const PartScoreFunction> exact,
                                            std::span<const PartScoreFunction> quicker,
                                            geo::ExecContext& exec);

}  // namespace furrow::segmentation
