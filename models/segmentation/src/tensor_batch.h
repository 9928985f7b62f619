#pragma once

#include <torch/torch.h>

#include <furrow/segmentation/training_data.h>

#include "losses.h"

namespace furrow::segmentation {

inline constexpr int kTrainedClasses = 3;  ///< background, interior, boundary

/// A batch as networks and losses take it. Shares the memory of `batch`, which must outlive it.
struct TensorBatch {
  torch::Tensor pixels;  ///< [N, bands, H, W] float, channels last
  Target target;

  TensorBatch(Batch& batch, std::int64_t bands, std::int64_t chip)
      : pixels(torch::from_blob(batch.pixels.data(), {batch.count, bands, chip, chip}, torch::kFloat)
                   .contiguous(torch::MemoryFormat::ChannelsLast)),
        target{
            torch::from_blob(batch.labels.data(), {batch.count, chip, chip}, torch::kByte).to(torch::kLong),
            torch::from_blob(batch.weights.data(), {batch.count, chip, chip}, torch::kFloat),
            {}} {
    if (batch.targets.empty()) return;
    target.soft =
        torch::from_blob(batch.targets.data(), {batch.count, chip, chip, kTrainedClasses}, torch::kFloat)
            .permute({0, 3, 1, 2});
  }
};

}  // namespace furrow::segmentation
