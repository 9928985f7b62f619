#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <torch/torch.h>

#include <furrow/segmentation/architecture.h>

#include "blocks.h"
#include "heads.h"
#include "safetensors.h"

namespace furrow::segmentation {

/// What makes one network differ from another.
struct UNetOptions {
  std::int64_t bands = 3;
  std::int64_t base_width = 32;  ///< channels of the first level; each level below has twice as many
  std::int64_t levels = 5;       ///< 2..7; input sides must be multiples of 2^(levels - 1)
  double dropout = 0.15;         ///< of whole channels, after every block but the first and the last
  std::int64_t classes = 3;      ///< a multi-task head has 3
  NetworkKind network = NetworkKind::kUNet;
  NormKind norm = NormKind::kBatch;
  HeadKind head = HeadKind::kClasses;
};

/// A network of encoder, decoder and skips (U-Net, Ronneberger et al. 2015; residual U-Net, Zhang et al.
/// 2018). input [N, bands, H, W] float32, H and W multiples of stride(). Parameters are named as PyTorch
/// names them: encoder.0.conv1.weight, decoder.0.up.bias, head.weight. Batch normalisation is the default:
/// its statistics are fixed in use, so that a score depends on its neighbourhood alone and not on the tile it
/// is computed in.
struct UNetImpl : torch::nn::Module {
  /// Weights depend on the seed and on parameter names only (He normal; own generator, same on every
  /// platform).
  /// @param seed  nothing = weights are of no account, since others take their place
  /// @throws geo::InvalidArgument when an option is out of range
  UNetImpl(const UNetOptions& options, std::optional<std::uint64_t> seed);
  /// Logits [N, classes, H, W].
  torch::Tensor forward(const torch::Tensor& input);
  /// Everything that training looks at.
  NetworkOutput forward_all(const torch::Tensor& input);

  [[nodiscard]] std::int64_t stride() const { return std::int64_t{1} << (options.levels - 1); }

  UNetOptions options;
  torch::nn::ModuleList encoder;  ///< blocks: level 0 (full size) to the deepest
  torch::nn::ModuleList decoder;  ///< blocks: from the deepest upwards
  torch::nn::Dropout2d drop{nullptr};
  torch::nn::Conv2d head{nullptr};         ///< of HeadKind::kClasses
  MultiTaskHead multi_task_head{nullptr};  ///< of HeadKind::kMultiTask

 private:
  torch::Tensor features(const torch::Tensor& input);
};
TORCH_MODULE(UNet);

/// @throws geo::InvalidArgument naming the option that is out of range
void check_unet_options(const UNetOptions& options);

/// Numbers in all parameters.
[[nodiscard]] std::int64_t count_parameters(const torch::nn::Module& network);

/// Farthest pixel (in columns or rows) that can change a score, measured: a copy of the architecture with all
/// weights 1 in double precision answers a single bright pixel, at every position within one stride, and the
/// farthest answer counts. Group normalisation, which sees the whole window besides, is left out of account.
[[nodiscard]] int measure_receptive_radius(const UNetOptions& options);

/// All parameters and buffers by name.
[[nodiscard]] SafeTensors to_tensors(const torch::nn::Module& network);

/// Copies tensors into a network of the same architecture.
/// @param origin  file, for messages
/// @throws geo::ModelError  missing or unexpected tensor, or another shape or type (expected and found)
void from_tensors(torch::nn::Module& network, const SafeTensors& content, const std::string& origin);

/// Convolution weights in channels-last order, in which CPUs run them fastest.
void use_channels_last(torch::nn::Module& network);

}  // namespace furrow::segmentation
