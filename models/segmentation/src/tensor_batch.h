#pragma once

#include <torch/torch.h>

#include <furrow/segmentation/training_data.h>

#include "losses.h"

namespace furrow::segmentation {

inline constexpr int kTrainedClasses = 3;  ///< background, interior, boundary

/// A batch as networks and losses take it, on a device. On the CPU it shares the memory of `batch`, which
/// must outlive it.
struct TensorBatch {
  torch::Tensor pixels;  ///< [N, bands, H, W] float, channels last
  Target target;

  TensorBatch(Batch& batch, std::int64_t bands, std::int64_t chip, const torch::Device& device = torch::kCPU)
      : pixels(torch::from_blob(batch.pixels.data(), {batch.count, bands, chip, chip}, torch::kFloat)
                   .contiguous(torch::MemoryFormat::ChannelsLast)
                   .to(device)),
        target{torch::from_blob(batch.labels.data(), {batch.count, chip, chip}, torch::kByte)
                   .to(device, torch::kLong),
               torch::from_blob(batch.weights.data(), {batch.count, chip, chip}, torch::kFloat).to(device),
               {}} {
    if (batch.targets.empty()) return;
    target.soft =
        torch::from_blob(batch.targets.data(), {batch.count, chip, chip, kTrainedClasses}, torch::kFloat)
            .permute({0, 3, 1, 2})
            .to(device);
  }
};

}  // namespace furrow::segmentation
