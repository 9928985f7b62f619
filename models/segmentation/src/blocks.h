#pragma once

#include <cstdint>

#include <torch/torch.h>

#include <furrow/segmentation/architecture.h>

namespace furrow::segmentation {

[[nodiscard]] torch::nn::Conv2d conv1x1(std::int64_t in, std::int64_t out);

/// Every `stride`-th pixel of every `stride`-th row. For 1 x 1 convolutions with a stride, which are to be
/// given their pixels so: oneDNN 2.6, on processors with AVX2 and without AVX-512, gathers them itself into
/// memory that is too small where the channels are no multiple of 8, and damages what lies behind.
[[nodiscard]] torch::Tensor every_nth_pixel(const torch::Tensor& x, std::int64_t stride);

/// Groups of group normalisation: 16 channels each (Wu & He 2018), or the largest power of two below that
/// which divides the number of channels.
[[nodiscard]] std::int64_t norm_groups(std::int64_t channels);

/// BatchNorm2d or GroupNorm, with weight and bias.
[[nodiscard]] torch::nn::AnyModule make_norm(NormKind kind, std::int64_t channels);

enum class Place {
  kFirst,  ///< takes the image
  kDown,   ///< takes the level above, of twice the side
  kUp      ///< takes the level below, of half the side, and the encoder's features of its own level
};

struct BlockOptions {
  std::int64_t in = 1;  ///< channels of what it takes; of the level below for kUp
  std::int64_t out = 1;
  Place place = Place::kFirst;
  NormKind norm = NormKind::kBatch;
};

/// One level of an encoder or decoder. input [N, in, H, W] float; output [N, out, h, w] of the level's side.
struct BlockImpl : torch::nn::Module {
  explicit BlockImpl(const BlockOptions& block_options) : options(block_options) {}
  virtual torch::Tensor forward(torch::Tensor x) = 0;

  /// Doubles the side by 1x1 convolution + pixel shuffle (the same function as a 2x2 transposed convolution
  /// of stride 2, several times faster on CPUs), joins the encoder's features of that size, then the block.
  torch::Tensor join(const torch::Tensor& below, const torch::Tensor& skip);

  BlockOptions options;
  torch::nn::Conv2d conv1{nullptr};
  torch::nn::Conv2d conv2{nullptr};
  torch::nn::AnyModule norm1;
  torch::nn::AnyModule norm2;
  torch::nn::Conv2d up{nullptr};  ///< kUp only

 protected:
  /// Channels that the convolutions see.
  [[nodiscard]] std::int64_t joined() const {
    return options.place == Place::kUp ? 2 * options.out : options.in;
  }
  /// Last of all, so that parameters keep their order.
  void register_up();
};

/// Two 3x3 convolutions, each with normalisation and ReLU; 2x2 maxima first for kDown.
struct ConvBlockImpl : BlockImpl {
  explicit ConvBlockImpl(const BlockOptions& block_options);
  torch::Tensor forward(torch::Tensor x) override;
};
TORCH_MODULE(ConvBlock);

/// Pre-activation residual unit (He et al. 2016; Zhang et al. 2018, figure 1): normalisation, ReLU, 3x3
/// convolution, twice, plus a 1x1 convolution of the input. kDown has stride 2 in its first convolution and
/// in the shortcut instead of pooling; kFirst begins with the convolution, as nothing has been normalised
/// yet.
struct ResidualBlockImpl : BlockImpl {
  explicit ResidualBlockImpl(const BlockOptions& block_options);
  torch::Tensor forward(torch::Tensor x) override;

  torch::nn::Conv2d shortcut{nullptr};
};
TORCH_MODULE(ResidualBlock);

}  // namespace furrow::segmentation
