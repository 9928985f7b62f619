#pragma once

#include <cstdint>
#include <vector>

#include <torch/torch.h>

#include "safetensors.h"

namespace furrow::segmentation {

/// What makes one U-Net differ from another.
struct UNetOptions {
  std::int64_t bands = 3;
  std::int64_t base_width = 32;  ///< channels of the first level; each level below has twice as many
  std::int64_t levels = 5;       ///< 2..7; input sides must be multiples of 2^(levels - 1)
  double dropout = 0.15;         ///< of whole channels, after every block but the first and the last
  std::int64_t classes = 3;
};

/// Two 3x3 convolutions, each with batch normalisation and ReLU.
struct ConvBlockImpl : torch::nn::Module {
  ConvBlockImpl(std::int64_t in, std::int64_t out);
  torch::Tensor forward(torch::Tensor x);

  torch::nn::Conv2d conv1{nullptr};
  torch::nn::BatchNorm2d norm1{nullptr};
  torch::nn::Conv2d conv2{nullptr};
  torch::nn::BatchNorm2d norm2{nullptr};
};
TORCH_MODULE(ConvBlock);

/// Doubles the side by 1x1 convolution + pixel shuffle (the same function as a 2x2 transposed convolution of
/// stride 2, several times faster on CPUs), joins the encoder's features of that size, then a ConvBlock.
struct UpBlockImpl : ConvBlockImpl {
  UpBlockImpl(std::int64_t in, std::int64_t out);
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& skip);

  torch::nn::Conv2d up{nullptr};
};
TORCH_MODULE(UpBlock);

/// U-Net (Ronneberger et al. 2015). input [N, bands, H, W] float32, H and W multiples of stride(); output
/// [N, classes, H, W] logits. Batch and not group normalisation: in use its statistics are fixed, so that a
/// score depends on its neighbourhood alone and not on the tile it is computed in. Parameters are named as
/// PyTorch names them: encoder.0.conv1.weight, decoder.0.up.bias, head.weight.
struct UNetImpl : torch::nn::Module {
  /// Weights depend on the seed and on parameter names only (He normal; own generator, same on every
  /// platform).
  /// @throws geo::InvalidArgument when an option is out of range
  UNetImpl(const UNetOptions& options, std::uint64_t seed);
  torch::Tensor forward(const torch::Tensor& input);

  [[nodiscard]] std::int64_t stride() const { return std::int64_t{1} << (options.levels - 1); }

  UNetOptions options;
  torch::nn::ModuleList encoder;  ///< ConvBlock: level 0 (full size) to the deepest
  torch::nn::ModuleList decoder;  ///< UpBlock: from the deepest upwards
  torch::nn::Dropout2d drop{nullptr};
  torch::nn::Conv2d head{nullptr};
};
TORCH_MODULE(UNet);

/// @throws geo::InvalidArgument naming the option that is out of range
void check_unet_options(const UNetOptions& options);

/// Farthest pixel (in columns or rows) that can change a score, measured: a copy of the architecture with all
/// weights 1 in double precision answers a single bright pixel, at every position within one stride, and the
/// farthest answer counts.
[[nodiscard]] int measure_receptive_radius(std::int64_t levels);

/// All parameters and buffers by name.
[[nodiscard]] SafeTensors to_tensors(const torch::nn::Module& network);

/// Copies tensors into a network of the same architecture.
/// @param origin  file, for messages
/// @throws geo::ModelError  missing or unexpected tensor, or another shape or type (expected and found)
void from_tensors(torch::nn::Module& network, const SafeTensors& content, const std::string& origin);

/// Convolution weights in channels-last order, in which CPUs run them fastest.
void use_channels_last(torch::nn::Module& network);

/// A trained U-Net for prediction: batch normalisation folded into the convolutions. Thread-safe.
class FoldedUNet {
 public:
  explicit FoldedUNet(const UNet& network);
  /// Logits, as UNet in evaluation mode gives them up to rounding.
  [[nodiscard]] torch::Tensor forward(torch::Tensor x) const;

 private:
  struct Conv {
    torch::Tensor weight;
    torch::Tensor bias;
  };
  struct Block {
    Conv up;  ///< empty in the encoder
    Conv conv1;
    Conv conv2;
  };
  static Conv fold(const torch::nn::Conv2d& conv, const torch::nn::BatchNorm2d& norm);
  static torch::Tensor run(torch::Tensor x, const Block& block);

  std::vector<Block> m_encoder;
  std::vector<Block> m_decoder;
  Conv m_head;
};

}  // namespace furrow::segmentation
