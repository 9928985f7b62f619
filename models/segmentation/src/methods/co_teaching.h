#pragma once

#include <cstdint>

#include <torch/torch.h>

#include "losses.h"

namespace furrow::segmentation {

/// Co-teaching (Han et al. 2018): two networks of different beginnings learn side by side; each learns only
/// from what the other finds easy, so that the mistakes that one takes over are filtered by the other.
///
/// Chosen are pixels and not windows, since a window is wrong in places; and within each class of the labels
/// separately: over all classes together the hard but right boundary pixels would go first, and boundaries
/// would vanish from training.

/// Share that is left out in an epoch (from 1): forget * min((epoch - 1) / ramp_epochs, 1).
[[nodiscard]] double forget_share(double forget, std::int64_t ramp_epochs, std::int64_t epoch);

/// The target with weight 0 where a label is among the `forget` share of its class with the largest cross
/// entropy of these logits in this batch; of n labelled pixels of a class, ceil((1 - forget) n) keep their
/// weight (more where losses are equal).
/// @param logits  [N, classes, H, W] of the other network; no gradient flows
[[nodiscard]] Target small_loss_target(const torch::Tensor& logits, const Target& target, double forget);

}  // namespace furrow::segmentation
