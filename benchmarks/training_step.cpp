// Measures one step of training, part by part: forward, loss, backward, clipping, optimiser. Pixels and
// labels are random; nothing is read.
//
//   training_step [fp32|bf16] [threads = 1] [batch = 8] [side px = 256] [base width = 32] [runs = 5]
//
// Prints seconds (median, least and most of the runs after one for warming up), and the median of each part.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include <torch/torch.h>

#include <furrow/geo/core/text.h>
#include <furrow/segmentation/trainer.h>

#include "autocast.h"
#include "losses.h"
#include "tensor_memory.h"
#include "torch_threads.h"
#include "unet.h"

namespace {

using namespace furrow::segmentation;
namespace geo = furrow::geo;

constexpr std::array kParts{"forward", "loss", "backward", "clip", "optimiser"};
using Times = std::array<double, kParts.size()>;

Times step(UNet& network, torch::optim::Optimizer& optimiser, const torch::Tensor& pixels,
           const Target& target, Precision precision) {
  Times times{};
  auto start = std::chrono::steady_clock::now();
  std::size_t part = 0;
  const auto lap = [&] {
    const auto now = std::chrono::steady_clock::now();
    times[part++] = std::chrono::duration<double>(now - start).count();
    start = now;
  };
  optimiser.zero_grad();
  torch::Tensor logits;
  {
    const Autocast autocast(precision, torch::kCPU);
    logits = network->forward(pixels);
  }
  lap();
  const torch::Tensor loss = total_loss(logits.to(torch::kFloat), target, LossOptions{});
  lap();
  loss.backward();
  lap();
  torch::nn::utils::clip_grad_norm_(network->parameters(), 1.0);
  lap();
  optimiser.step();
  lap();
  return times;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int at, int otherwise) { return argc > at ? std::atoi(argv[at]) : otherwise; };
  const Precision precision =
      argc > 1 && std::string(argv[1]) == "bf16" ? Precision::kBf16 : Precision::kFp32;
  const TorchThreads threads(number(2, 1));
  const TensorMemory memory(LargePages::kYes);
  const int batch = number(3, 8), side = number(4, 256), width = number(5, 32), runs = number(6, 5);
  torch::manual_seed(1);
  UNet network(UNetOptions{.base_width = width}, 1);
  use_channels_last(*network);
  torch::optim::AdamW optimiser(network->parameters(), torch::optim::AdamWOptions(1e-3));
  const torch::Tensor pixels =
      torch::rand({batch, 3, side, side}).contiguous(torch::MemoryFormat::ChannelsLast);
  const Target target{
      torch::randint(3, {batch, side, side}, torch::kLong), torch::ones({batch, side, side}), {}};
  std::vector<double> totals;
  std::array<std::vector<double>, kParts.size()> parts;
  for (int run = 0; run <= runs; ++run) {
    const Times times = step(network, optimiser, pixels, target, precision);
    if (run == 0) continue;
    double total = 0.0;
    for (std::size_t i = 0; i < kParts.size(); ++i) {
      parts[i].push_back(times[i]);
      total += times[i];
    }
    totals.push_back(total);
  }
  std::cout << "step: median " << geo::fixed(median(totals), 3) << " s ["
            << geo::fixed(*std::ranges::min_element(totals), 3) << " to "
            << geo::fixed(*std::ranges::max_element(totals), 3) << "]";
  for (std::size_t i = 0; i < kParts.size(); ++i)
    std::cout << "; " << kParts[i] << ' ' << geo::fixed(median(parts[i]), 3);
  std::cout << '\n';
}
