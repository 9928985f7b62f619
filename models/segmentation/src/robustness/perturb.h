#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <furrow/geo/raster/normalise.h>
#include <furrow/segmentation/robustness.h>

#include "scene_window.h"

namespace furrow::segmentation {

/// True when stored values change, and the statistics of the scene with them.
[[nodiscard]] bool changes_values(PerturbationFamily family);

/// Changes the stored values of a window; invalid pixels may get any value.
/// @param bands  mean and standard deviation of each band
void perturb_values(SceneWindow& window, const Perturbation& perturbation,
                    std::span<const geo::BandStatistics> bands);

/// Statistics of one kind for network input: of the scene, of the windows, of the perturbed windows.
/// @return the scene's, moved by the gain and offset that bring `before` to `after`: low and high by those of
///         low and high, mean and sd by those of mean and sd
[[nodiscard]] geo::BandStatistics moved_statistics(const geo::BandStatistics& scene,
                                                   const geo::BandStatistics& before,
                                                   const geo::BandStatistics& after);

}  // namespace furrow::segmentation
