#include "winograd_conv.h"

#include <span>

#include "winograd.h"

namespace furrow::segmentation {
namespace {

/// With `zeros` pixels of 0 around, and in an order that a kernel can read: all channels of a pixel side by
/// side, then those of the next in the row.
torch::Tensor readable(const torch::Tensor& x, std::int64_t zeros) {
  const torch::Tensor padded =
      zeros == 0 ? x : torch::constant_pad_nd(x, {zeros, zeros, zeros, zeros}, 0.0);
  const bool is_readable = padded.stride(1) == 1 && padded.stride(3) == padded.size(1);
  return is_readable ? padded : padded.contiguous(torch::MemoryFormat::ChannelsLast);
}

}  // namespace

bool WinogradConv::suits(const torch::Tensor& weight) {
  return !winograd_kernels().empty() && weight.device().is_cpu() && weight.scalar_type() == torch::kFloat &&
         weight.size(2) == 3 && weight.size(3) == 3 && weight.size(0) % kWinogradChannels == 0 &&
         weight.size(1) % kWinogradChannels == 0;
}

WinogradConv::WinogradConv(const torch::Tensor& weight, const torch::Tensor& bias) : m_in(weight.size(1)) {
  const std::int64_t out = weight.size(0);
  const torch::Tensor ordered = weight.detach().contiguous();
  const std::span<const float> values(ordered.data_ptr<float>(), static_cast<std::size_t>(ordered.numel()));
  m_weights = torch::tensor(winograd_weights(values, out, m_in));
  m_scale = torch::ones({out});
  m_bias = bias.defined() ? bias.detach().contiguous() : torch::zeros({out});
}

torch::Tensor WinogradConv::operator()(const torch::Tensor& x, std::int64_t zeros, bool relu) const {
  const WinogradKernel& kernel = winograd_kernels().front();
  const torch::Tensor input = readable(x, zeros);
  WinogradTask task;
  task.input_stride = input.stride(2);
  task.height = input.size(2) - 2;
  task.width = input.size(3) - 2;
  task.in_channels = m_in;
  task.out_channels = m_bias.size(0);
  task.weights = m_weights.data_ptr<float>();
  task.scale = m_scale.data_ptr<float>();
  task.bias = m_bias.data_ptr<float>();
  task.relu = relu;
  const torch::Tensor output =
      torch::empty({input.size(0), task.out_channels, task.height, task.width},
                   input.options().memory_format(torch::MemoryFormat::ChannelsLast));
  const torch::Tensor scratch = torch::empty({static_cast<std::int64_t>(kernel.scratch(task))});
  for (std::int64_t image = 0; image < input.size(0); ++image) {
    task.input = input.data_ptr<float>() + image * input.stride(0);
    task.output = output.data_ptr<float>() + image * task.height * task.width * task.out_channels;
    kernel.run(task, scratch.data_ptr<float>());
  }
  return output;
}

void WinogradConv::scale(const torch::Tensor& factors) {
  m_scale = m_scale * factors;
  m_bias = m_bias * factors;
}

}  // namespace furrow::segmentation
