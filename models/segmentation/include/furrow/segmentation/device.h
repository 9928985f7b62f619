#pragma once

namespace furrow::segmentation {

/// Where a network computes.
enum class Device {
  kCpu,
  kCuda  ///< the current CUDA device; needs a LibTorch with CUDA
};

}  // namespace furrow::segmentation
