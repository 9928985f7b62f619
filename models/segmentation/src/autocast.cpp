#include "autocast.h"

#include <ATen/autocast_mode.h>

#include <furrow/geo/core/error.h>

namespace furrow::segmentation {
namespace {

#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
void set_autocast(torch::DeviceType device, bool on) {
  at::autocast::set_autocast_enabled(device, on);
  if (on) at::autocast::set_autocast_dtype(device, torch::kBFloat16);
}
#else
void set_autocast(torch::DeviceType device, bool on) {
  if (device == torch::kCUDA) {
    at::autocast::set_enabled(on);
    if (on) at::autocast::set_autocast_gpu_dtype(torch::kBFloat16);
  } else {
    at::autocast::set_cpu_enabled(on);
    if (on) at::autocast::set_autocast_cpu_dtype(torch::kBFloat16);
  }
}
#endif

}  // namespace

Autocast::Autocast(Precision precision, const torch::Device& device)
    : m_active(precision == Precision::kBf16), m_device(device.type()) {
  if (!m_active) return;
  at::autocast::increment_nesting();
  set_autocast(m_device, true);
}

Autocast::~Autocast() {
  if (!m_active) return;
  set_autocast(m_device, false);
  // Weights in bfloat16 are kept for the forward pass only: the optimiser changes the originals.
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
}

torch::Device torch_device(Device device) {
  if (device == Device::kCpu) return torch::kCPU;
  if (!torch::cuda::is_available()) {
    throw geo::InvalidArgument(
        "--device cuda: this LibTorch has no CUDA or finds no GPU; use --device cpu, or build with a "
        "LibTorch "
        "that has it");
  }
  return torch::kCUDA;
}

}  // namespace furrow::segmentation
