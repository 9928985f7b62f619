#include "winograd_conv.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include "winograd.h"

namespace furrow::segmentation {
namespace {

/// In an order that a kernel can read: all channels of a pixel side by side, then those of the next in the
/// row.
torch::Tensor readable(const torch::Tensor& x) {
  const bool is_readable = x.stride(1) == 1 && x.stride(3) == x.size(1);
  return is_readable ? x : x.contiguous(torch::MemoryFormat::ChannelsLast);
}

/// Some megabytes that stay with each thread, and in the caches of its processor.
float* scratch_of_thread(std::size_t floats) {
  thread_local std::unique_ptr<float[]> memory;
  thread_local std::size_t size = 0;
  if (size < floats) {
    memory = std::make_unique_for_overwrite<float[]>(floats);
    size = floats;
  }
  return memory.get();
}

/// Threads that have nothing else to do take parts of it: the last tiles of a scene, or the only one, do not
/// leave them without work. What is computed does not depend on it.
void run_side_by_side(const WinogradKernel& kernel, const WinogradTask& task) {
  constexpr std::int64_t kProductsWorthATask = 500'000;  // at each of the 36 points: half a millisecond
  constexpr std::int64_t kLeastTiles = 24;               // fewer read the weights too often
  const std::int64_t tiles_worth_a_task =
      std::max(kLeastTiles, kProductsWorthATask / (task.in_channels * task.out_channels));
  const auto part = [&](const tbb::blocked_range<std::int64_t>& tiles) {
    kernel.run(task, tiles.begin(), tiles.end(), scratch_of_thread(kernel.scratch(task)));
  };
  const tbb::blocked_range<std::int64_t> all(0, kernel.tiles(task), tiles_worth_a_task);
  // While it waits for the others this thread must not begin with the next tile of the scene.
  tbb::this_task_arena::isolate([&] { tbb::parallel_for(all, part); });
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
  m_weights = std::make_shared<const std::vector<float>>(winograd_weights(values, out, m_in));
  m_scale = torch::ones({out});
  m_bias = bias.defined() ? bias.detach().contiguous() : torch::zeros({out});
}

torch::Tensor WinogradConv::operator()(const torch::Tensor& x, std::int64_t zeros, bool relu) const {
  const torch::Tensor input = zeros == 0 ? x : torch::constant_pad_nd(x, {zeros, zeros, zeros, zeros}, 0.0);
  const torch::Tensor output =
      torch::empty({input.size(0), out_channels(), input.size(2) - 2, input.size(3) - 2},
                   input.options().memory_format(torch::MemoryFormat::ChannelsLast));
  run(input, relu, output);
  return output;
}

void WinogradConv::run(const torch::Tensor& x, bool relu, const torch::Tensor& output) const {
  const torch::Tensor input = readable(x);
  WinogradTask task;
  task.input_stride = input.stride(2);
  task.height = output.size(2);
  task.width = output.size(3);
  task.in_channels = m_in;
  task.out_channels = out_channels();
  task.weights = m_weights->data();
  task.scale = m_scale.data_ptr<float>();
  task.bias = m_bias.data_ptr<float>();
  task.relu = relu;
  for (std::int64_t image = 0; image < input.size(0); ++image) {
    task.input = input.data_ptr<float>() + image * input.stride(0);
    task.output = output.data_ptr<float>() + image * output.stride(0);
    run_side_by_side(winograd_kernels().front(), task);
  }
}

void WinogradConv::scale(const torch::Tensor& factors) {
  m_scale = m_scale * factors;
  m_bias = m_bias * factors;
}

}  // namespace furrow::segmentation
