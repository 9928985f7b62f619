// Measures the network alone, all data in memory: the limit of what `predict` can reach on a processor.
// Random weights and pixels.
//
//   network_speed [fp32|bf16] [core px = 256] [halo px = receptive radius] [threads = 1] [inside = 0] [base
//   width = 32] [tiles a thread = 3]
//
// `inside` 0: one tile for each thread; 1: one tile after the other, as many threads inside it. Prints
// million pixels of cores a second, and of the windows that the network is given: with the answer cut to the
// core, and with the whole answer computed.
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include <oneapi/tbb/task_arena.h>
#include <torch/torch.h>

#include <furrow/geo/core/text.h>

#include "folded_unet.h"
#include "prediction/rounding.h"
#include "tensor_memory.h"
#include "torch_threads.h"
#include "unet.h"

namespace {

using namespace furrow::segmentation;
namespace geo = furrow::geo;

/// Seconds until every thread has scored `tiles` tiles; one more before, which does not count.
double seconds_of(const FoldedUNet& network, const torch::Tensor& x, const geo::Window& wanted, int threads,
                  bool inside, int tiles) {
  const auto score = [&](int count) {
    const c10::InferenceMode inference;
    for (int i = 0; i < count; ++i) {
      (void)torch::softmax(network.forward(x, wanted).to(torch::kFloat), 1);
    }
  };
  if (inside) {
    const TorchThreads all(threads);
    tbb::task_arena arena(threads);
    arena.execute([&] { score(1); });
    const auto start = std::chrono::steady_clock::now();
    arena.execute([&] { score(tiles * threads); });
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  const auto in_threads = [&](int count) {
    std::vector<std::jthread> running;
    for (int i = 0; i < threads; ++i) {
      running.emplace_back([&] {
        use_one_torch_thread();
        tbb::task_arena(1).execute([&] { score(count); });  // none helps another
      });
    }
  };
  in_threads(1);
  const auto start = std::chrono::steady_clock::now();
  in_threads(tiles);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
  const TensorMemory memory(LargePages::kNo);
  const auto number = [&](int at, int otherwise) { return argc > at ? std::atoi(argv[at]) : otherwise; };
  const torch::Dtype type = argc > 1 && std::string(argv[1]) == "bf16" ? torch::kBFloat16 : torch::kFloat;
  const UNetOptions options{.bands = 4, .base_width = number(6, 32)};
  UNet network(options, 1);
  network->eval();
  const std::int64_t stride = network->stride();
  const std::int64_t core = number(2, 256);
  const std::int64_t halo = round_up(number(3, measure_receptive_radius(options)), stride);
  const int threads = number(4, 1), tiles = number(7, 3);
  const bool inside = number(5, 0) != 0;
  FoldedUNet folded(network);
  folded.convert(type);
  const std::int64_t side = round_up(core, stride) + 2 * halo;
  const torch::Tensor x =
      torch::rand({1, options.bands, side, side}).to(type).contiguous(torch::MemoryFormat::ChannelsLast);
  std::cout << "core " << core << " px, halo " << halo << " px, window " << side << " px\n";
  const double count = static_cast<double>(tiles) * threads;
  for (const bool cut : {true, false}) {
    const geo::Window wanted = cut ? geo::Window{halo, halo, core, core} : geo::Window{0, 0, side, side};
    const double s = seconds_of(folded, x, wanted, threads, inside, tiles);
    std::cout << (cut ? "cut to the core" : "whole answer   ") << ": "
              << geo::fixed(count * static_cast<double>(core * core) / s / 1e6, 3) << " Mpx/s of cores, "
              << geo::fixed(count * static_cast<double>(side * side) / s / 1e6, 3) << " of windows\n";
  }
}
