#pragma once

#include <cstdint>

#include <torch/torch.h>

#include <furrow/segmentation/training_data.h>

namespace furrow::segmentation {

/// Early-learning regularisation (Liu, Niles-Weed, Razavian & Fernandez-Granda 2020): networks learn what is
/// right before they memorise what is wrong, so what they answered early is remembered and held on to. For
/// segmentation the same two phases are shown by ADELE (Liu et al. 2022); its correction of labels is not
/// part of this.
///
/// For every training pixel t = b t + (1 - b) p, the running mean of its softmax p (clamped to 1e-4..1 -
/// 1e-4, then divided by its sum), from 0. The term is the mean of log(1 - <p, t>) over the labelled pixels
/// of the batch; gradients flow through p only. A pixel that lies in two windows of a batch is updated by
/// them in turn.
///
/// Memory: 6 bytes (three halves) per pixel of the training blocks, on the CPU. Not thread-safe.
class EarlyLearning {
 public:
  /// @param pixels       TrainingData::train_pixels()
  /// @param momentum     b, 0..1 exclusive
  /// @param memory_bytes budget
  /// @throws geo::ModelError  the means need more than half of the budget
  EarlyLearning(std::int64_t pixels, double momentum, std::size_t memory_bytes);

  /// Updates the means of a batch, then gives the term (a scalar; 0 when nothing is labelled).
  /// @param logits  [N, 3, H, W]
  /// @param batch   with pixel_numbers
  [[nodiscard]] torch::Tensor term(const torch::Tensor& logits, const Batch& batch);

  /// Running means, [pixels, 3] half: what a checkpoint keeps.
  [[nodiscard]] const torch::Tensor& means() const noexcept { return m_means; }

 private:
  double m_momentum;
  torch::Tensor m_means;
};

}  // namespace furrow::segmentation
