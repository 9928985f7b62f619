#pragma once

#include <torch/torch.h>

#include <furrow/segmentation/device.h>
#include <furrow/segmentation/precision.h>

namespace furrow::segmentation {

/// While it lives, convolutions of the calling thread run in the precision asked for, on the device of the
/// tensors (mixed precision, Micikevicius et al. 2018; bfloat16 needs no scaling of the loss). Parameters,
/// their gradients and normalisation stay in float32. Hides the difference between LibTorch 1.13 and 2.x.
class Autocast {
 public:
  Autocast(Precision precision, const torch::Device& device);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool m_active;
  torch::DeviceType m_device;
};

/// @throws geo::InvalidArgument when LibTorch has no CUDA or finds no such device
[[nodiscard]] torch::Device torch_device(Device device);

}  // namespace furrow::segmentation
