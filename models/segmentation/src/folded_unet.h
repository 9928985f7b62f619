#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include <torch/torch.h>

#include <furrow/geo/raster/grid.h>

#include "unet.h"
#include "winograd/winograd_conv.h"

namespace furrow::segmentation {

/// A trained network for prediction: batch normalisation is folded into the convolution before it, or is a
/// scale and a shift where an activation stands before it. Thread-safe.
class FoldedUNet {
 public:
  explicit FoldedUNet(const UNet& network);
  /// Logits [N, classes, H, W], as the network in evaluation mode gives them up to rounding.
  [[nodiscard]] torch::Tensor forward(const torch::Tensor& input) const;
  /// The part of them in a window of the input, and what it takes to know that part only: tiles with a wide
  /// halo cost a fraction of their pixels. [N, classes, wanted.height, wanted.width].
  /// @param wanted  within the input; with group normalisation, which looks at the whole input, nothing is
  /// saved
  [[nodiscard]] torch::Tensor forward(const torch::Tensor& input, const geo::Window& wanted) const;
  /// Takes rows of an answer, [N, classes, rows, width], the first of which is row `first` of it.
  using TakeRows = std::function<void(std::int64_t first, const torch::Tensor& rows)>;
  /// The same from an input of any type and order of memory, handed over in one piece or, where it is
  /// computed so, some rows after the other; large tiles then exist only once.
  void forward(const torch::Tensor& input, const geo::Window& wanted, const TakeRows& take) const;
  /// What the deepest encoder level makes of the input: [N, base_width * 2^(levels - 1), H / stride, W /
  /// stride].
  [[nodiscard]] torch::Tensor deepest(const torch::Tensor& input) const;
  /// A network in which the channels that training drops at random are dropped: each with probability
  /// `share`, the others scaled by 1 / (1 - share). The channels follow from (seed, pass) and are the same
  /// for every input, so that tiles of one scene fit together (Monte Carlo dropout, Gal and Ghahramani 2016,
  /// with whole channels as in Tompson et al. 2015). The two share all weights that do not change.
  [[nodiscard]] FoldedUNet with_dropped_channels(double share, std::uint64_t seed, std::uint64_t pass) const;
  /// Rounds weights to another type; input of forward() has to have it too.
  void convert(torch::Dtype type);
  [[nodiscard]] torch::Dtype type() const { return m_head.weight.scalar_type(); }
  /// Moves weights to a device; input of forward() has to be there too.
  void move_to(const torch::Device& device);
  [[nodiscard]] torch::Device device() const { return m_head.weight.device(); }

 private:
  struct Conv {
    torch::Tensor weight;  ///< undefined = no such convolution
    torch::Tensor bias;    ///< may be undefined
    std::int64_t stride = 1;
    std::int64_t padding = 0;
    /// The convolution without zeros around and the ReLU behind it as one operation, with weights in the
    /// order that it wants; none where LibTorch has no such operation, or no ReLU follows.
    torch::IValue with_relu = torch::IValue();
    /// Goes before either where it can be had.
    std::optional<WinogradConv> winograd = std::nullopt;
    [[nodiscard]] torch::Tensor operator()(const torch::Tensor& x) const;
    /// With `zeros` pixels of 0 around instead of `padding`.
    [[nodiscard]] torch::Tensor operator()(const torch::Tensor& x, std::int64_t zeros) const;
    void scale(const torch::Tensor& factors);
    void prepare(bool relu_follows);
    void prepare_with_relu();
  };
  /// Normalisation and ReLU; without weight a ReLU alone, in place.
  struct Activation {
    torch::Tensor weight;
    torch::Tensor bias;
    std::int64_t groups = 0;  ///< 0 = scale and shift
    [[nodiscard]] torch::Tensor operator()(torch::Tensor x) const;
  };
  struct Block {
    Place place = Place::kFirst;
    bool has_first_activation = false;  ///< of residual blocks
    Conv up;                            ///< its channels pixel after pixel
    Activation activation1;  ///< before the first convolution of a residual block, after it in a U-Net
    Conv conv1;
    Activation activation2;
    Conv conv2;
    Conv shortcut;  ///< of residual blocks
    /// Multiplies what the block gives. factors [channels], none negative.
    void scale(const torch::Tensor& factors);
  };
  static Conv plain(const torch::nn::Conv2d& conv);
  static Conv fold(const torch::nn::Conv2d& conv, const torch::nn::AnyModule& norm);
  static Activation after(const torch::nn::AnyModule& norm);
  static Activation before(const torch::nn::AnyModule& norm);
  static Block block_of(const torch::nn::Module& module);
  static Conv pixel_after_pixel(const torch::nn::Conv2d& conv);
  static torch::Tensor run_residual(const torch::Tensor& input, const Block& block);
  /// @param given, wanted  windows of the block's own level: what the input covers (for a block that goes
  /// down after pooling), and what the answer is to cover
  static torch::Tensor run(const torch::Tensor& input, const Block& block, const geo::Window& given,
                           const geo::Window& wanted);
  /// A convolution of a block that is not residual, and what follows it.
  static torch::Tensor run_conv(const torch::Tensor& x, const Conv& conv, const Activation& activation,
                                std::int64_t zeros);
  /// To be called whenever weights have changed.
  void prepare();
  /// Of all layers; prepares them again.
  template <class Change>
  void change_tensors(const Change& change);
  [[nodiscard]] bool looks_at_the_whole_input() const;
  /// Logits of the features of the last block.
  [[nodiscard]] torch::Tensor answer_of(const torch::Tensor& features) const;
  class RowPass;
  /// Whether forward_by_rows() can give this part: one image on the processor, a U-Net whose layers look at
  /// nothing but their surroundings, and a part far enough from the input's borders.
  [[nodiscard]] bool can_go_by_rows(const torch::Tensor& input, const geo::Window& wanted) const;
  /// What forward() gives, in less memory.
  void forward_by_rows(const torch::Tensor& input, const geo::Window& wanted, const TakeRows& take) const;
  [[nodiscard]] torch::Tensor forward_whole(const torch::Tensor& input, const geo::Window& wanted) const;

  std::vector<Block> m_encoder;
  std::vector<Block> m_decoder;
  Conv m_head;      ///< the classes, or extent and boundary
  HeadKind m_kind;  ///< which of them
};

}  // namespace furrow::segmentation
