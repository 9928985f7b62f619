#pragma once

#include <optional>

#include <c10/core/StreamGuard.h>
#include <torch/torch.h>

namespace furrow::segmentation {

/// A thread's turn on a device. On CUDA the thread works on a stream of its own while it lives, so that one
/// tile is copied while another one is computed, and at most kMostAtOnce threads have a turn at a time: more
/// would only need memory. On the CPU it does nothing.
class DeviceTurn {
 public:
  static constexpr int kMostAtOnce = 3;

  explicit DeviceTurn(const torch::Device& device);
  ~DeviceTurn();
  DeviceTurn(const DeviceTurn&) = delete;
  DeviceTurn& operator=(const DeviceTurn&) = delete;

 private:
  std::optional<c10::StreamGuard> m_stream;
};

/// Pixels of the host, channels-last and of another type, on a device. Copies to CUDA go through pinned
/// memory and do not wait.
/// @param pixels  [N, C, H, W], float32, on the CPU
[[nodiscard]] torch::Tensor on_device(const torch::Tensor& pixels, const torch::Device& device,
                                      torch::Dtype type);

}  // namespace furrow::segmentation
