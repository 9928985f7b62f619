#pragma once

#include <array>
#include <cstdint>

#include <torch/torch.h>

#include <furrow/geo/core/exec_context.h>
#include <furrow/segmentation/trainer.h>
#include <furrow/segmentation/training_data.h>

#include "calibration.h"
#include "object_counts.h"
#include "tensor_batch.h"

namespace furrow::segmentation {

/// Predictions against labels, and optionally logits of every n-th labelled pixel for the calibration.
struct Validation {
  std::array<std::array<std::int64_t, kTrainedClasses>, kTrainedClasses>
      confusion{};  ///< [label][prediction]
  double loss = 0.0;
  std::int64_t labelled = 0;
  ObjectCounts objects;
  LogitSample sample;

  /// @param logits        [N, classes, H, W]
  /// @param sample_every  keep the logits of every n-th labelled pixel; 0 = none
  void add(const torch::Tensor& logits, const Batch& batch, std::int64_t sample_every);

  /// Adds the fields of the same batch (see count_objects), window by window: a field that a window's border
  /// cuts is cut on both sides. Windows in parallel; same result for any number of threads.
  void add_objects(const torch::Tensor& logits, const Batch& batch, double pixel_size_m,
                   geo::ExecContext& exec);

  /// Intersection over union of a set of classes taken as one; NaN when neither labels nor predictions hold
  /// it.
  [[nodiscard]] double iou(bool (*belongs)(int)) const;

  /// F1 of fields; NaN when the labels hold no field, or no boundary that would tell fields apart.
  [[nodiscard]] double object_f1() const;
};

/// What epochs are ranked by: (object F1 + (extent IoU + interior IoU) / 2) / 2, or the mean IoU alone where
/// there is no object F1. An IoU of NaN counts as 0.
[[nodiscard]] double selection_score(const EpochMetrics& epoch);

}  // namespace furrow::segmentation
