// How many pixels a second the votes of several labellers are fused: by vote patterns, and pixel by pixel.
//   fuse_votes [sites] [labellers] [pixels a side]
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include <furrow/geo/core/random.h>
#include <furrow/labelling/consensus.h>

namespace {

using namespace furrow;
using labelling::Vote;

/// Square fields with random labels; each labeller is wrong in one pixel of twenty.
std::vector<std::vector<Vote>> draw_stack(std::size_t labellers, std::size_t px) {
  geo::Random random(1);
  std::vector<Vote> truth(px * px);
  for (std::size_t row = 0; row < px; ++row) {
    for (std::size_t col = 0; col < px; ++col) {
      const bool edge = row % 20 < 2 || col % 30 < 2;
      truth[row * px + col] = labelling::make_vote(edge ? 2 : (row / 20 + col / 30) % 3 == 0 ? 0 : 1);
    }
  }
  std::vector<std::vector<Vote>> stack(labellers, truth);
  for (auto& layer : stack) {
    for (auto& vote : layer) {
      if (random.chance(0.05)) vote = labelling::make_vote(static_cast<unsigned>(random.below(3)));
    }
  }
  return stack;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::size_t argument(int argc, char** argv, int index, std::size_t fallback) {
  return index < argc ? static_cast<std::size_t>(std::atoll(argv[index])) : fallback;
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t sites = argument(argc, argv, 1, 200);
  const std::size_t labellers = argument(argc, argv, 2, 5);
  const std::size_t px = argument(argc, argv, 3, 224);
  const auto stack = draw_stack(labellers, px);
  const std::vector<labelling::VoterWeight> weights(labellers, {0.7, 0.8, 0.9});
  const double megapixels = static_cast<double>(sites * px * px) / 1e6;

  double sum = 0.0;
  std::size_t patterns = 0;
  auto start = std::chrono::steady_clock::now();
  for (std::size_t s = 0; s < sites; ++s) {
    labelling::PatternBuilder builder(px * px);
    for (const auto& layer : stack) builder.add(layer);
    const auto grouped = std::move(builder).finish();
    const auto fused = labelling::fuse_patterns(grouped, weights, {});
    for (const auto id : grouped.of_pixel) sum += fused[id].risk;
    patterns = grouped.size();
  }
  const double by_pattern = seconds_since(start);

  double check = 0.0;
  start = std::chrono::steady_clock::now();
  std::vector<Vote> votes(labellers);
  for (std::size_t p = 0; p < px * px; ++p) {
    for (std::size_t l = 0; l < labellers; ++l) votes[l] = stack[l][p];
    check += labelling::fuse_votes(votes, weights, {}).risk;
  }
  const double by_pixel = seconds_since(start) * static_cast<double>(sites);

  std::cout << labellers << " labellers, " << sites << " sites of " << px << " px, " << patterns
            << " patterns\n"
            << "by pattern  " << megapixels / by_pattern << " Mpx/s\n"
            << "by pixel    " << megapixels / by_pixel << " Mpx/s\n"
            << "mean risk   " << sum / (megapixels * 1e6) << " and " << check / static_cast<double>(px * px)
            << '\n';
}
