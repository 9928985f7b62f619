#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include <furrow/geo/raster/normalise.h>
#include <furrow/segmentation/model_spec.h>
#include <furrow/segmentation/predictor.h>

#include "plan.h"

namespace furrow::segmentation {

/// What the bytes of a score map depend on: names for people and values. No tab and no line break in either.
using RunFacts = std::vector<std::pair<std::string, std::string>>;

/// Version, model, grid, bands, tiles: all but the pixels of the image. Where it lies and how many threads
/// run does not count.
[[nodiscard]] RunFacts settings_of(const PredictionPlan& plan, const ModelSpec& spec,
                                   const PredictOptions& options);

/// Size and time of the image's file; nothing where it is no local file.
[[nodiscard]] RunFacts file_facts(const std::string& image);

/// Of the image's pixels, also where they lie in other files (VRT).
[[nodiscard]] RunFacts statistics_facts(std::span<const geo::BandStatistics> statistics);

[[nodiscard]] std::string checksum_of(const RunFacts& facts);

}  // namespace furrow::segmentation
