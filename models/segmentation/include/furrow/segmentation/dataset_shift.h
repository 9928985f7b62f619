#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace furrow::segmentation {

/// How far the windows of a scene lie from those of a training, in the network's own features.
struct SceneShift {
  std::int64_t windows = 0;  ///< of the scene that the figures rest on
  double distance = 0.0;     ///< Frechet distance (its root: in units of the features), >= 0
  double quantile = 0.0;     ///< share of the training's own samples of as many windows that lie nearer
  double usual = 0.0;        ///< median distance of those samples
};

/// What measuring the shift of a scene needs, from outside of the network. All of it is safe to call from
/// several threads.
struct ShiftCheck {
  std::int64_t window_px = 0;     ///< side of the windows, as in training
  std::int64_t most_windows = 0;  ///< more would not be looked at
  /// Features of one window [bands, window_px, window_px] float32, normalised, 0 where there are no data;
  /// empty when fewer than half of its pixels hold data.
  std::function<std::vector<float>(std::span<const float> window)> features;
  /// Judges the features of one window or more. Of more windows than the nearest size below that the training
  /// has samples of, some are left out, evenly.
  std::function<SceneShift(const std::vector<std::vector<float>>& windows)> judge;
};

}  // namespace furrow::segmentation
