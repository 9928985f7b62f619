#include "blocks.h"

#include <numeric>

namespace furrow::segmentation {
namespace {

torch::nn::Conv2d conv3x3(std::int64_t in, std::int64_t out, std::int64_t stride = 1) {
  return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, 3).stride(stride).padding(1).bias(false));
}

/// Group normalisation wants its input in the type of its weights, also under autocast.
torch::Tensor normalised(torch::nn::AnyModule& norm, const torch::Tensor& x) {
  if (norm.ptr()->as<torch::nn::GroupNorm>() == nullptr || x.scalar_type() != torch::kBFloat16)
    return norm.forward(x);
  return norm.forward(x.to(torch::kFloat)).to(x.scalar_type());
}

}  // namespace

torch::nn::Conv2d conv1x1(std::int64_t in, std::int64_t out) {
  return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, 1));
}

torch::Tensor every_nth_pixel(const torch::Tensor& x, std::int64_t stride) {
  if (stride == 1) return x;
  return x.slice(2, 0, x.size(2), stride).slice(3, 0, x.size(3), stride);
}

std::int64_t norm_groups(std::int64_t channels) {
  return channels / std::gcd(channels, std::int64_t{16});
}

torch::nn::AnyModule make_norm(NormKind kind, std::int64_t channels) {
  if (kind == NormKind::kBatch) return torch::nn::AnyModule(torch::nn::BatchNorm2d(channels));
  return torch::nn::AnyModule(
      torch::nn::GroupNorm(torch::nn::GroupNormOptions(norm_groups(channels), channels)));
}

torch::Tensor BlockImpl::join(const torch::Tensor& below, const torch::Tensor& skip) {
  return forward(torch::cat({skip, torch::pixel_shuffle(up(below), 2)}, 1));
}

void BlockImpl::register_up() {
  if (options.place == Place::kUp) up = register_module("up", conv1x1(options.in, 4 * options.out));
}

ConvBlockImpl::ConvBlockImpl(const BlockOptions& block_options) : BlockImpl(block_options) {
  conv1 = register_module("conv1", conv3x3(joined(), options.out));
  norm1 = make_norm(options.norm, options.out);
  register_module("norm1", norm1.ptr());
  conv2 = register_module("conv2", conv3x3(options.out, options.out));
  norm2 = make_norm(options.norm, options.out);
  register_module("norm2", norm2.ptr());
  register_up();
}

torch::Tensor ConvBlockImpl::forward(torch::Tensor x) {
  if (options.place == Place::kDown) x = torch::max_pool2d(x, 2);
  x = normalised(norm1, conv1(x)).relu_();
  return normalised(norm2, conv2(x)).relu_();
}

ResidualBlockImpl::ResidualBlockImpl(const BlockOptions& block_options) : BlockImpl(block_options) {
  const std::int64_t stride = options.place == Place::kDown ? 2 : 1;
  if (options.place != Place::kFirst) {
    norm1 = make_norm(options.norm, joined());
    register_module("norm1", norm1.ptr());
  }
  conv1 = register_module("conv1", conv3x3(joined(), options.out, stride));
  norm2 = make_norm(options.norm, options.out);
  register_module("norm2", norm2.ptr());
  conv2 = register_module("conv2", conv3x3(options.out, options.out));
  shortcut = register_module(
      "shortcut",
      torch::nn::Conv2d(torch::nn::Conv2dOptions(joined(), options.out, 1).stride(stride).bias(false)));
  register_up();
}

torch::Tensor ResidualBlockImpl::forward(torch::Tensor x) {
  const torch::Tensor y = norm1.is_empty() ? x : normalised(norm1, x).relu_();
  const std::int64_t stride = (*shortcut->options.stride())[0];
  return conv2(normalised(norm2, conv1(y)).relu_()) +
         torch::conv2d(every_nth_pixel(x, stride), shortcut->weight);
}

}  // namespace furrow::segmentation
