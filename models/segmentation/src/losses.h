#pragma once

#include <torch/torch.h>

namespace furrow::segmentation {

struct LossOptions;

/// What a network should have answered, pixel by pixel. Pixels whose label is 255 (ignore) have no influence
/// on any loss, neither on its value nor on its gradient nor on the frequencies of classes.
struct Target {
  torch::Tensor labels;   ///< [N, H, W] int64: 0..classes-1, or 255 = ignore
  torch::Tensor weights;  ///< [N, H, W] float >= 0, risk weights; read where a label is not 255
  torch::Tensor soft;  ///< [N, classes, H, W] float: class probabilities that take the place of the labels,
                       ///< adding up to 1 where a label is not 255; undefined = hard labels
};

// Notation of all losses: w weight of a pixel, t_c target probability of class c there (1 for the label's
// class and 0 for the others when targets are hard), p_c the network's softmax, a_c weight of the class. Sums
// run over all pixels of the batch. Logits are [N, classes, H, W] float; class weights [classes], >= 0. Every
// loss is a scalar, below 1e-5 with zero gradient when nothing is labelled. A soft target of zeros and ones
// gives the same bits as the hard label.
//
// TP_c = sum w t_c p_c, FN_c = sum w t_c (1 - p_c), FP_c = sum w (1 - t_c) p_c: with soft targets the
// expectations of the three under the targets. s (`smooth`, in pixels) keeps classes that are absent defined.
// Ratios of such sums have no minimum at p = t when t is soft (Wang et al. 2023, Dice semimetric losses):
// they pull towards the likeliest class; cross entropy alone has its minimum at p = t.

/// Cross entropy: sum w sum_c a_c t_c (-log p_c) / sum w sum_c a_c t_c. With soft targets and a = 1 this is
/// the expected cross entropy under the targets; for two classes (1 - r) CE(D) + r CE(1 - D).
[[nodiscard]] torch::Tensor cross_entropy(const torch::Tensor& logits, const Target& target,
                                          const torch::Tensor& class_weights);

/// Dice (Sudre et al. 2017, linear denominator): sum_c a_c (1 - D_c) / sum_c a_c,
/// D_c = (2 TP + s) / (2 TP + FN + FP + s).
[[nodiscard]] torch::Tensor dice(const torch::Tensor& logits, const Target& target,
                                 const torch::Tensor& class_weights, const LossOptions& options);

/// log cosh of the Dice loss (Jadon 2020): quadratic near 0, so that its gradients fade as classes get good.
[[nodiscard]] torch::Tensor log_cosh_dice(const torch::Tensor& logits, const Target& target,
                                          const torch::Tensor& class_weights, const LossOptions& options);

/// Tversky-focal (Abraham & Khan 2019): sum_c a_c L_c / sum_c a_c, L_c = (1 - T_c)^(1/g),
/// T_c = (TP + s) / (TP + alpha FN + (1 - alpha) FP + s).
[[nodiscard]] torch::Tensor tversky_focal(const torch::Tensor& logits, const Target& target,
                                          const torch::Tensor& class_weights, const LossOptions& options);

/// Locally weighted Tversky-focal (Khallaghi et al. 2025): L_c as above, weighted by the inverse share of the
/// class among the targets of the batch (sum w t_c); these weights add up to 1, and a class that is absent
/// has 1e-5.
[[nodiscard]] torch::Tensor local_tversky_focal(const torch::Tensor& logits, const Target& target,
                                                const LossOptions& options);

/// The losses of `options.shares`, each times its share of the sum of shares.
[[nodiscard]] torch::Tensor total_loss(const torch::Tensor& logits, const Target& target,
                                       const LossOptions& options);

}  // namespace furrow::segmentation
