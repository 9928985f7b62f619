#pragma once

#include <array>

#include <torch/torch.h>

namespace furrow::segmentation {

struct LossOptions;

/// Mean of -log p(label) over labelled pixels, weighted: sum(w c -log p) / sum(w c), c the weight of the
/// label's class.
///
/// @param logits   [N, classes, H, W] float
/// @param labels   [N, H, W] int64, 0..classes-1 or 255 = ignore
/// @param weights  [N, H, W] float >= 0
/// @return scalar; 0 (with zero gradient) when nothing is labelled
[[nodiscard]] torch::Tensor weighted_cross_entropy(const torch::Tensor& logits, const torch::Tensor& labels,
                                                   const torch::Tensor& weights,
                                                   const torch::Tensor& class_weights);

/// Locally weighted Tversky-focal loss (Khallaghi et al. 2025): per class
/// T = (TP + s) / (TP + a FN + (1 - a) FP + s), L = (1 - T)^(1/g), summed with weights proportional to the
/// inverse frequency of the class in the batch (1e-5 for a class that is absent) that add up to 1. TP, FN, FP
/// are sums of probabilities times pixel weights, so a risky pixel counts less in all three. Shapes as above.
[[nodiscard]] torch::Tensor tversky_focal(const torch::Tensor& logits, const torch::Tensor& labels,
                                          const torch::Tensor& weights, const LossOptions& options);

/// (1 - share) cross entropy + share Tversky-focal.
[[nodiscard]] torch::Tensor total_loss(const torch::Tensor& logits, const torch::Tensor& labels,
                                       const torch::Tensor& weights, const LossOptions& options);

}  // namespace furrow::segmentation
