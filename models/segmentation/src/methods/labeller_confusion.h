#pragma once

#include <string>
#include <vector>

#include <torch/torch.h>

#include <furrow/segmentation/imperfect_labels.h>
#include <furrow/segmentation/training_data.h>

#include "losses.h"

namespace furrow::segmentation {

/// One confusion matrix per labeller between the network and the loss (Tanno et al. 2019; for segmentation
/// Zhang et al. 2020, who let it change from pixel to pixel; here it belongs to the labeller alone).
///
/// The network answers with the true class, p; what labeller r would have drawn is p A_r, A_r[true][drawn]
/// with rows that add up to 1. The losses compare p A_r with r's labels, and the mean trace of the matrices
/// times a weight is added: among all pairs of network and matrices that explain the labels, the one with the
/// least trustworthy labellers makes the network the true one (Tanno et al., theorem 1, where labellers are
/// right more often than wrong). Rows are softmaxes of free numbers that start at 0.98 on the diagonal.
/// Windows without a named labeller are compared with p itself. Only labellers that overlap or share a kind
/// of landscape can be told from the truth.
struct LabellerConfusionLayerImpl : torch::nn::Module {
  explicit LabellerConfusionLayerImpl(std::int64_t labellers);

  /// [labellers, 3, 3]
  [[nodiscard]] torch::Tensor matrices() const;
  /// Logits of what each window's labeller would have drawn, log(p A_r).
  /// @param logits  [N, 3, H, W] of the true class
  /// @param batch   with labellers [N]
  [[nodiscard]] torch::Tensor drawn(const torch::Tensor& logits, const Batch& batch) const;
  /// total_loss of `drawn`, plus trace_weight times the mean trace.
  [[nodiscard]] torch::Tensor loss(const torch::Tensor& logits, const Target& target, const Batch& batch,
                                   const LossOptions& options, double trace_weight) const;
  [[nodiscard]] std::vector<LabellerConfusion> report(const std::vector<std::string>& names) const;

  torch::Tensor scores;  ///< [labellers, 3, 3] before the softmax of rows
};
TORCH_MODULE(LabellerConfusionLayer);

}  // namespace furrow::segmentation
