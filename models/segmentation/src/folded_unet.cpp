#include "folded_unet.h"

#include <string>

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

#include <furrow/geo/core/random.h>
#include <furrow/segmentation/precision.h>

#include "resize_features.h"
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

torch::Tensor joined(const torch::Tensor& skip, const torch::Tensor& up, const geo::Window& given,
                     const geo::Window& wanted) {
  torch::Tensor both = torch::empty({up.size(0), joined_channels(skip, up), wanted.height, wanted.width},
                                    up.options().memory_format(torch::MemoryFormat::ChannelsLast));
  join_into(both, skip, up, given, wanted);
  return both;
}

}  // namespace

void FoldedUNet::Conv::prepare(bool relu_follows) {
  if (winograd) return;  // scale() has changed it, too
  if (stride == 1 && WinogradConv::suits(weight))
    winograd.emplace(weight, bias);
  else if (relu_follows)
    prepare_with_relu();
}

/// Convolution and ReLU in one pass over memory, with weights that were put in order once: oneDNN's own,
/// which LibTorch keeps for its frozen graphs. Same result to the bit.
void FoldedUNet::Conv::prepare_with_relu() {
  with_relu = {};
  const auto operation = c10::Dispatcher::singleton().findSchema({"mkldnn_prepacked::conv2d_prepack", ""});
  // Whether a single channel lies last or first cannot be told.
  if (!operation || weight.size(1) < 2 || !weight.device().is_cpu()) return;
  // Plain convolutions can round on any processor, if slowly; oneDNN's cannot.
  if (weight.scalar_type() != torch::kFloat && !processor_has_bf16()) return;
  constexpr std::int64_t kTypicalSide = 128;  // only the order of the weights may depend on it
  torch::jit::Stack stack;
  torch::jit::push(stack, weight, bias.defined() ? torch::IValue(bias) : torch::IValue(),
                   std::vector<std::int64_t>{stride, stride}, std::vector<std::int64_t>{0, 0},
                   std::vector<std::int64_t>{1, 1}, std::int64_t{1},
                   std::vector<std::int64_t>{1, weight.size(1), kTypicalSide, kTypicalSide},
                   std::string("relu"));
  operation->callBoxed(stack);
  with_relu = stack.front();
}

torch::Tensor FoldedUNet::run_conv(const torch::Tensor& x, const Conv& conv, const Activation& activation,
                                   std::int64_t zeros) {
  if (conv.winograd && !activation.weight.defined()) return (*conv.winograd)(x, zeros, true);
  if (zeros != 0 || conv.with_relu.isNone()) return activation(conv(x, zeros));
  static const auto operation =
      c10::Dispatcher::singleton().findSchemaOrThrow("mkldnn_prepacked::conv2d_run", "");
  torch::jit::Stack stack;
  torch::jit::push(stack, in_one_piece(x), conv.with_relu);
  operation.callBoxed(stack);
  return stack.front().toTensor();
}

void FoldedUNet::prepare() {
  const c10::InferenceMode inference;
  for (auto* blocks : {&m_encoder, &m_decoder}) {
    for (Block& block : *blocks) {
      const bool is_residual = block.shortcut.weight.defined();
      block.conv1.prepare(!is_residual && !block.activation1.weight.defined());
      block.conv2.prepare(!is_residual && !block.activation2.weight.defined());
    }
  }
}

torch::Tensor FoldedUNet::Conv::operator()(const torch::Tensor& x) const {
  return (*this)(x, padding);
}

torch::Tensor FoldedUNet::Conv::operator()(const torch::Tensor& x, std::int64_t zeros) const {
  if (winograd) return (*winograd)(x, zeros, false);
  if (weight.size(2) == 1) return torch::conv2d(every_nth_pixel(x, stride), weight, bias, 1, zeros);
  return torch::conv2d(x, weight, bias, stride, zeros);
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

/// Pixel shuffle takes channel 4 c + 2 i + j to pixel (i, j); with the channels of each of the four pixels
/// side by side they are copied in one piece.
FoldedUNet::Conv FoldedUNet::pixel_after_pixel(const torch::nn::Conv2d& conv) {
  Conv result = plain(conv);
  const auto sorted = [](const torch::Tensor& x) {
    const std::int64_t channels = x.size(0) / 4;
    return x.reshape({channels, 4, -1}).transpose(0, 1).reshape(x.sizes());
  };
  result.weight = channels_last(sorted(conv->weight));
  if (result.bias.defined()) result.bias = sorted(result.bias).contiguous();
  return result;
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
  if (!block.up.is_empty()) result.up = pixel_after_pixel(block.up);
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
  } else {
    const MultiTaskHead& head = network->multi_task_head;
    m_head = plain(head->extent);
    m_head.weight = channels_last(torch::cat({head->extent->weight, head->boundary->weight}, 0));
    m_head.bias = torch::cat({head->extent->bias, head->boundary->bias}, 0).detach();
  }
  prepare();
}

torch::Tensor FoldedUNet::run_residual(const torch::Tensor& input, const Block& block) {
  const torch::Tensor y = block.conv1(block.has_first_activation ? block.activation1(input) : input);
  return block.conv2(block.activation2(y)).add_(block.shortcut(input));
}

torch::Tensor FoldedUNet::run(const torch::Tensor& input, const Block& block, const geo::Window& given,
                              const geo::Window& wanted) {
  if (block.shortcut.weight.defined()) return part(run_residual(input, block), given, wanted);
  const torch::Tensor x = block.place == Place::kDown ? pooled(input) : input;
  // Where all is given that the convolutions reach, nothing has to be added and cut off again.
  const bool all_is_given = geo::grow(wanted, kBlockReachPx) == given;
  const std::int64_t zeros = all_is_given ? 0 : block.conv1.padding;
  const torch::Tensor y = run_conv(x, block.conv1, block.activation1, zeros);
  const torch::Tensor z = run_conv(y, block.conv2, block.activation2, zeros);
  return all_is_given ? z : part(z, given, wanted);
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
  if (!can_go_by_rows(input, wanted)) return forward_whole(input, wanted);
  torch::Tensor answer;
  forward_by_rows(input, wanted, [&](std::int64_t first, const torch::Tensor& rows) {
    if (!answer.defined()) {
      answer = torch::empty({1, rows.size(1), wanted.height, wanted.width},
                            rows.options().memory_format(torch::MemoryFormat::ChannelsLast));
    }
    answer.narrow(2, first, rows.size(2)).copy_(rows);
  });
  return answer;
}

void FoldedUNet::forward(const torch::Tensor& input, const geo::Window& wanted, const TakeRows& take) const {
  if (can_go_by_rows(input, wanted)) return forward_by_rows(input, wanted, take);
  take(0, forward(input.to(type()).contiguous(torch::MemoryFormat::ChannelsLast), wanted));
}

torch::Tensor FoldedUNet::forward_whole(const torch::Tensor& input, const geo::Window& wanted) const {
  const geo::Window whole{0, 0, input.size(3), input.size(2)};
  const auto regions =
      unet_regions(static_cast<std::int64_t>(m_encoder.size()), whole.width, whole.height, wanted);
  const std::size_t deepest = m_encoder.size() - 1;
  std::vector<torch::Tensor> skips;
  torch::Tensor x = part(input, whole, regions[0].encoder_in);
  for (std::size_t level = 0; level <= deepest; ++level) {
    const geo::Window& out = regions[level].encoder_out;
    x = run(x, m_encoder[level], regions[level].encoder_in, out);
    if (level == deepest) break;
    skips.push_back(part(x, out, regions[level].decoder_in));
    x = part(x, out, one_level_up(regions[level + 1].encoder_in));
  }
  for (std::size_t level = deepest; level-- > 0;) {
    const Block& block = m_decoder[deepest - 1 - level];
    const geo::Window& given = regions[level].decoder_in;
    x = joined(skips.back(), block.up(x), regions[level].decoder_from_below, given);
    skips.pop_back();
    x = run(x, block, given, regions[level].decoder_out);
  }
  return answer_of(x);
}

torch::Tensor FoldedUNet::answer_of(const torch::Tensor& features) const {
  const torch::Tensor answer = m_head(features);
  if (m_kind == HeadKind::kClasses) return answer;
  return class_logits(answer.narrow(1, 0, 1), answer.narrow(1, 1, 1));
}

torch::Tensor FoldedUNet::deepest(const torch::Tensor& input) const {
  torch::Tensor x = input;
  for (std::size_t level = 0; level < m_encoder.size(); ++level) {
    const geo::Window whole{0, 0, input.size(3) >> level, input.size(2) >> level};
    x = run(x, m_encoder[level], whole, whole);
  }
  return x;
}

void FoldedUNet::Conv::scale(const torch::Tensor& factors) {
  weight = channels_last(weight * factors.reshape({-1, 1, 1, 1}));
  if (bias.defined()) bias = bias * factors;
  if (winograd) winograd->scale(factors);
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
  network.prepare();
  return network;
}

template <class Change>
void FoldedUNet::change_tensors(const Change& change) {
  const auto apply = [&](auto& layer) {
    for (torch::Tensor* tensor : {&layer.weight, &layer.bias}) {
      if (tensor->defined()) *tensor = change(*tensor);
    }
  };
  for (auto* blocks : {&m_encoder, &m_decoder}) {
    for (Block& block : *blocks) {
      for (Conv* conv : {&block.up, &block.conv1, &block.conv2, &block.shortcut}) {
        apply(*conv);
        conv->winograd.reset();
      }
      for (Activation* activation : {&block.activation1, &block.activation2}) apply(*activation);
    }
  }
  apply(m_head);
  prepare();
}

void FoldedUNet::convert(torch::Dtype type) {
  change_tensors([&](const torch::Tensor& tensor) { return tensor.to(type); });
}

void FoldedUNet::move_to(const torch::Device& device) {
  change_tensors([&](const torch::Tensor& tensor) { return tensor.to(device); });
}

}  // namespace furrow::segmentation
