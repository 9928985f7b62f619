#include "folded_unet.h"

#include <furrow/geo/core/random.h>

#include "unet_regions.h"

namespace furrow::segmentation {
namespace {

/// Scale and shift of batch normalisation in evaluation mode, each [channels].
struct ScaleShift {
  torch::Tensor scale;
  torch::Tensor shift;
};

const torch::nn::BatchNorm2dImpl* batch_norm(const torch::nn::AnyModule& norm) {
  return norm.ptr()->as<torch::nn::BatchNorm2d>();
}

ScaleShift scale_shift(const torch::nn::BatchNorm2dImpl& norm) {
  const torch::Tensor factor = norm.weight / torch::sqrt(norm.running_var + norm.options.eps());
  return {factor.detach().contiguous(), (norm.bias - norm.running_mean * factor).detach().contiguous()};
}

/// The part of a tensor that covers `region` of a level.
torch::Tensor part(const torch::Tensor& x, const geo::Window& region, const geo::Window& wanted) {
  if (region == wanted) return x;
  return x.narrow(2, wanted.row - region.row, wanted.height).narrow(3, wanted.col - region.col, wanted.width);
}

torch::Tensor channels_last(const torch::Tensor& weight) {
  return weight.detach().contiguous(torch::MemoryFormat::ChannelsLast);
}

}  // namespace

torch::Tensor FoldedUNet::Conv::operator()(const torch::Tensor& x) const {
  return torch::conv2d(x, weight, bias, stride, padding);
}

torch::Tensor FoldedUNet::Activation::operator()(torch::Tensor x) const {
  if (!weight.defined()) return x.relu_();
  if (groups == 0) return torch::addcmul(bias, x, weight).relu_();
  return torch::group_norm(x, groups, weight, bias).relu_();
}

FoldedUNet::Conv FoldedUNet::plain(const torch::nn::Conv2d& conv) {
  const torch::Tensor bias = conv->bias.defined() ? conv->bias.detach().contiguous() : torch::Tensor();
  return {channels_last(conv->weight), bias, (*conv->options.stride())[0],
          conv->options.kernel_size()->at(0) / 2};
}

/// Batch normalisation goes into the convolution; group normalisation cannot.
FoldedUNet::Conv FoldedUNet::fold(const torch::nn::Conv2d& conv, const torch::nn::AnyModule& norm) {
  Conv folded = plain(conv);
  const auto* batch = batch_norm(norm);
  if (batch == nullptr) return folded;
  const ScaleShift by = scale_shift(*batch);
  folded.weight = channels_last(conv->weight * by.scale.reshape({-1, 1, 1, 1}));
  folded.bias = by.shift;
  return folded;
}

/// What remains of a normalisation behind a convolution that fold() has made.
FoldedUNet::Activation FoldedUNet::after(const torch::nn::AnyModule& norm) {
  return batch_norm(norm) != nullptr ? Activation{} : before(norm);
}

/// A normalisation that no convolution stands directly before.
FoldedUNet::Activation FoldedUNet::before(const torch::nn::AnyModule& norm) {
  if (const auto* batch = batch_norm(norm)) {
    const ScaleShift by = scale_shift(*batch);
    return {by.scale.reshape({1, -1, 1, 1}), by.shift.reshape({1, -1, 1, 1}), 0};
  }
  const auto* group = norm.ptr()->as<torch::nn::GroupNorm>();
  return {group->weight.detach().contiguous(), group->bias.detach().contiguous(),
          group->options.num_groups()};
}

FoldedUNet::Block FoldedUNet::block_of(const torch::nn::Module& module) {
  const auto& block = *module.as<BlockImpl>();
  Block result;
  result.place = block.options.place;
  if (!block.up.is_empty()) result.up = plain(block.up);
  if (const auto* residual = module.as<ResidualBlock>()) {
    result.has_first_activation = !block.norm1.is_empty();
    if (result.has_first_activation) result.activation1 = before(block.norm1);
    result.conv1 = fold(block.conv1, block.norm2);
    result.activation2 = after(block.norm2);
    result.conv2 = plain(block.conv2);
    result.shortcut = plain(residual->shortcut);
    return result;
  }
  result.conv1 = fold(block.conv1, block.norm1);
  result.activation1 = after(block.norm1);
  result.conv2 = fold(block.conv2, block.norm2);
  result.activation2 = after(block.norm2);
  return result;
}

FoldedUNet::FoldedUNet(const UNet& network) : m_kind(network->options.head) {
  const torch::NoGradGuard no_grad;
  for (const auto& module : *network->encoder) m_encoder.push_back(block_of(*module));
  for (const auto& module : *network->decoder) m_decoder.push_back(block_of(*module));
  if (m_kind == HeadKind::kClasses) {
    m_head = plain(network->head);
    return;
  }
  const MultiTaskHead& head = network->multi_task_head;
  m_head = plain(head->extent);
  m_head.weight = channels_last(torch::cat({head->extent->weight, head->boundary->weight}, 0));
  m_head.bias = torch::cat({head->extent->bias, head->boundary->bias}, 0).detach();
}

torch::Tensor FoldedUNet::run(const torch::Tensor& input, const Block& block) {
  if (block.shortcut.weight.defined()) {
    const torch::Tensor y = block.conv1(block.has_first_activation ? block.activation1(input) : input);
    return block.conv2(block.activation2(y)).add_(block.shortcut(input));
  }
  const torch::Tensor x = block.place == Place::kDown ? torch::max_pool2d(input, 2) : input;
  return block.activation2(block.conv2(block.activation1(block.conv1(x))));
}

bool FoldedUNet::looks_at_the_whole_input() const {
  return m_encoder.front().activation1.groups > 0 || m_encoder.front().activation2.groups > 0;
}

torch::Tensor FoldedUNet::forward(const torch::Tensor& input) const {
  return forward(input, {0, 0, input.size(3), input.size(2)});
}

torch::Tensor FoldedUNet::forward(const torch::Tensor& input, const geo::Window& wanted) const {
  const geo::Window whole{0, 0, input.size(3), input.size(2)};
  if (wanted != whole && looks_at_the_whole_input()) return part(forward(input, whole), whole, wanted);
  const auto regions =
      unet_regions(static_cast<std::int64_t>(m_encoder.size()), whole.width, whole.height, wanted);
  const std::size_t deepest = m_encoder.size() - 1;
  std::vector<torch::Tensor> skips;
  torch::Tensor x = run(part(input, whole, regions[0].encoder_in), m_encoder.front());
  for (std::size_t level = 1; level <= deepest; ++level) {
    const geo::Window above = regions[level - 1].encoder_in;
    skips.push_back(part(x, above, regions[level - 1].decoder_in));
    x = run(part(x, above, one_level_up(regions[level].encoder_in)), m_encoder[level]);
  }
  x = part(x, regions[deepest].encoder_in, regions[deepest].encoder_out);
  for (std::size_t level = deepest; level-- > 0;) {
    const Block& block = m_decoder[deepest - 1 - level];
    x = run(torch::cat({skips.back(), torch::pixel_shuffle(block.up(x), 2)}, 1), block);
    x = part(x, regions[level].decoder_in, regions[level].decoder_out);
    skips.pop_back();
  }
  const torch::Tensor answer = m_head(x);
  if (m_kind == HeadKind::kClasses) return answer;
  return class_logits(answer.narrow(1, 0, 1), answer.narrow(1, 1, 1));
}

torch::Tensor FoldedUNet::deepest(const torch::Tensor& input) const {
  torch::Tensor x = input;
  for (const Block& block : m_encoder) x = run(x, block);
  return x;
}

void FoldedUNet::Conv::scale(const torch::Tensor& factors) {
  weight = channels_last(weight * factors.reshape({-1, 1, 1, 1}));
  if (bias.defined()) bias = bias * factors;
}

/// A factor that is not negative passes through a ReLU.
void FoldedUNet::Block::scale(const torch::Tensor& factors) {
  if (shortcut.weight.defined()) {
    conv2.scale(factors);
    shortcut.scale(factors);
  } else if (activation2.groups > 0) {
    activation2.weight = activation2.weight * factors;
    activation2.bias = activation2.bias * factors;
  } else {
    conv2.scale(factors);
  }
}

FoldedUNet FoldedUNet::with_dropped_channels(double share, std::uint64_t seed, std::uint64_t pass) const {
  const torch::NoGradGuard no_grad;
  FoldedUNet network = *this;
  geo::Random random(seed, pass);
  const auto drop = [&](Block& block) {
    const std::int64_t channels = block.conv2.weight.size(0);
    torch::Tensor factors = torch::empty({channels}, torch::kFloat);
    for (std::int64_t c = 0; c < channels; ++c)
      factors.data_ptr<float>()[c] = random.chance(share) ? 0.0F : static_cast<float>(1.0 / (1.0 - share));
    block.scale(factors);
  };
  // As the network does in training: not behind the first block, which sees the image, and not behind the
  // last, which the head sees.
  for (std::size_t i = 1; i < network.m_encoder.size(); ++i) drop(network.m_encoder[i]);
  for (std::size_t i = 0; i + 1 < network.m_decoder.size(); ++i) drop(network.m_decoder[i]);
  return network;
}

void FoldedUNet::Conv::convert(torch::Dtype type) {
  for (torch::Tensor* tensor : {&weight, &bias}) {
    if (tensor->defined()) *tensor = tensor->to(type);
  }
}

void FoldedUNet::Activation::convert(torch::Dtype type) {
  for (torch::Tensor* tensor : {&weight, &bias}) {
    if (tensor->defined()) *tensor = tensor->to(type);
  }
}

void FoldedUNet::convert(torch::Dtype type) {
  for (auto* blocks : {&m_encoder, &m_decoder}) {
    for (Block& block : *blocks) {
      for (Conv* conv : {&block.up, &block.conv1, &block.conv2, &block.shortcut}) conv->convert(type);
      for (Activation* activation : {&block.activation1, &block.activation2}) activation->convert(type);
    }
  }
  m_head.convert(type);
}

}  // namespace furrow::segmentation
