#pragma once

#include <cstdint>

#include <torch/torch.h>

namespace furrow::segmentation {

/// What a network answers with.
struct NetworkOutput {
  torch::Tensor logits;    ///< [N, classes, H, W]
  torch::Tensor distance;  ///< [N, 1, H, W], 0..1; undefined without a multi-task head
};

/// Logarithms of the probabilities of background, interior and boundary from those of extent e and boundary
/// b: P(boundary) = b, P(interior) = (1 - b) e, P(background) = (1 - b) (1 - e). They are logits as any
/// others: their softmax is they themselves, so losses, temperature and scores need to know nothing of the
/// head.
/// @param extent, boundary  [N, 1, H, W], before the sigmoid
/// @return [N, 3, H, W]
[[nodiscard]] torch::Tensor class_logits(const torch::Tensor& extent, const torch::Tensor& boundary);

/// Extent, boundary and distance to the field's edge, each a 1x1 convolution of the last features
/// (Diakogiannis et al. 2020, ResUNet-a; Waldner & Diakogiannis 2020), here side by side. The distance only
/// supervises: it shapes the features that the other two share.
struct MultiTaskHeadImpl : torch::nn::Module {
  explicit MultiTaskHeadImpl(std::int64_t channels);
  /// @param features  [N, channels, H, W]
  NetworkOutput forward(const torch::Tensor& features);
  /// Without the distance.
  torch::Tensor logits(const torch::Tensor& features);

  torch::nn::Conv2d extent{nullptr};
  torch::nn::Conv2d boundary{nullptr};
  torch::nn::Conv2d distance{nullptr};
};
TORCH_MODULE(MultiTaskHead);

}  // namespace furrow::segmentation
