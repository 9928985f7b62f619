#pragma once

#include <cstdint>
#include <span>

#include <torch/torch.h>

#include <furrow/geo/core/exec_context.h>

namespace furrow::segmentation {

/// What the distance output of a multi-task head should answer for one window.
struct DistanceTarget {
  torch::Tensor values;  ///< [H, W] float, 0..1
  torch::Tensor known;   ///< [H, W] bool
};

/// Distance of each pixel of the interior to the nearest pixel that is background or boundary (centres,
/// Euclidean, exact; raster/distance.h), cut at `most_px` and divided by it; 0 outside the interior. Not
/// known: ignored pixels (255), and those whose edge may lie in ignored pixels or beyond the window, because
/// these are nearer than the nearest edge in sight and nearer than `most_px`.
/// @param labels   [side, side] row-major: 0, 1, 2, 255
/// @param most_px  > 0
[[nodiscard]] DistanceTarget distance_target(std::span<const std::uint8_t> labels, std::int64_t side,
                                             double most_px, geo::ExecContext& exec);

/// Targets of a whole batch: values and known [N, 1, H, W].
/// @param labels  [count, side, side]
[[nodiscard]] DistanceTarget distance_targets(std::span<const std::uint8_t> labels, std::int64_t count,
                                              std::int64_t side, double most_px, geo::ExecContext& exec);

/// Mean smooth L1 loss (Girshick 2015, beta 1) over the known pixels; 0 without any.
/// @param distance  [N, 1, H, W], the network's
[[nodiscard]] torch::Tensor distance_loss(const torch::Tensor& distance, const DistanceTarget& target);

}  // namespace furrow::segmentation
