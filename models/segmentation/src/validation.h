#pragma once

#include <array>
#include <cstdint>

#include <torch/torch.h>

#include <furrow/segmentation/training_data.h>

#include "calibration.h"
#include "tensor_batch.h"

namespace furrow::segmentation {

/// Predictions against labels, and optionally logits of every n-th labelled pixel for the calibration.
struct Validation {
  std::array<std::array<std::int64_t, kTrainedClasses>, kTrainedClasses>
      confusion{};  ///< [label][prediction]
  double loss = 0.0;
  std::int64_t labelled = 0;
  LogitSample sample;

  /// @param logits        [N, classes, H, W]
  /// @param sample_every  keep the logits of every n-th labelled pixel; 0 = none
  void add(const torch::Tensor& logits, const Batch& batch, std::int64_t sample_every);

  /// Intersection over union of a set of classes taken as one; NaN when neither labels nor predictions hold
  /// it.
  [[nodiscard]] double iou(bool (*belongs)(int)) const;
};

}  // namespace furrow::segmentation
