#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <torch/torch.h>

namespace furrow::segmentation {

/// A 3 x 3 convolution of stride 1 on the processor, several times as fast as a direct one and equal to it up
/// to float32's rounding (winograd.h). Copies share their weights. Thread-safe; idle threads of the arena
/// that it is called in help.
class WinogradConv {
 public:
  /// Whether one with these weights [out, in, height, width] can be made here.
  [[nodiscard]] static bool suits(const torch::Tensor& weight);
  /// @param bias  may be undefined
  WinogradConv(const torch::Tensor& weight, const torch::Tensor& bias);
  /// @param x  [N, in, H, W], float32; channels last, or a part of such, is quickest
  /// @param zeros  pixels of 0 that lie around it, 0 or more
  /// @param relu  negative values of the answer become 0
  /// @return [N, out, H + 2 * zeros - 2, W + 2 * zeros - 2], channels last
  [[nodiscard]] torch::Tensor operator()(const torch::Tensor& x, std::int64_t zeros, bool relu) const;
  /// The same without zeros around, to memory that is there.
  /// @param output  [N, out, H - 2, W - 2], channels last and in one piece
  void run(const torch::Tensor& x, bool relu, const torch::Tensor& output) const;
  [[nodiscard]] std::int64_t out_channels() const { return m_bias.size(0); }
  /// Multiplies what it gives (before a ReLU) by factors [out].
  void scale(const torch::Tensor& factors);

 private:
  std::shared_ptr<const std::vector<float>> m_weights;  ///< of winograd_weights()
  torch::Tensor m_scale;                                ///< [out]
  torch::Tensor m_bias;                                 ///< [out]
  std::int64_t m_in;
};

}  // namespace furrow::segmentation
