#pragma once

#include <span>
#include <vector>

#include <torch/torch.h>

#include <furrow/segmentation/training_data.h>

#include "loss_mixture.h"

namespace furrow::segmentation {

/// Loss gate (DivideMix, Li et al. 2020, its weights without its semi-supervision): blocks whose loss says
/// that their labels are wrong count less. After some epochs of plain training the mean cross entropy of
/// every training block in evaluation mode is fitted by two components once per epoch (loss_mixture.h); a
/// window then weighs what its block's probability of the clean component is.
class LossGate {
 public:
  /// @param losses  of each training block; NaN where nothing was labelled (weighs 1)
  void fit(std::span<const double> losses);

  /// Probability of the block of each window, [windows] float; 1 before the first fit. Risk weights are to be
  /// multiplied by it, and the loss by its mean: losses divide by the sum of weights, and a batch of doubtful
  /// windows shall count less than one of clean ones.
  [[nodiscard]] torch::Tensor window_weights(const Batch& batch) const;

  /// Sum of probabilities over all blocks.
  [[nodiscard]] double clean_blocks() const;

 private:
  std::vector<double> m_clean;  ///< of each training block; empty before the first fit
};

}  // namespace furrow::segmentation
