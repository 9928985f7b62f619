#pragma once

#include <span>

#include <furrow/geo/raster/raster.h>
#include <furrow/segmentation/predictor.h>

#include "plan.h"
#include "tile_job.h"

namespace furrow::segmentation {

/// What the passes together say of a part of a tile, as running sums: never more than one pass is held.
/// [channels, part]: the mean of their scores, then the other channels of the plan.
/// @param part    within job.input
/// @param memory  what it holds is lost, its memory is used
[[nodiscard]] geo::Raster<float> score_in_passes(std::span<const PartScoreFunction> passes,
                                                 const PredictionPlan& plan, const TileJob& job,
                                                 const geo::Window& part, geo::Raster<float> memory = {});

}  // namespace furrow::segmentation
