#include "winograd.h"

#include <algorithm>
#include <array>
#include <numbers>

#include <furrow/geo/core/error.h>

#include "kernels.h"

namespace furrow::segmentation {
namespace {

constexpr double kRoot = std::numbers::sqrt2;
constexpr std::size_t kSide = 6;  ///< of a tile of the input
constexpr std::size_t kPoints = kSide * kSide;

/// The transformation of three weights in a row: polynomials through the points 0, +-sqrt(1/2), +-sqrt(2) and
/// infinity, in the order of the kernels.
constexpr std::array<std::array<double, 3>, kSide> kWeightTransform{{{1.0, 0.0, 0.0},
                                                                     {-2.0 / 3.0, -kRoot / 3.0, -1.0 / 3.0},
                                                                     {-2.0 / 3.0, kRoot / 3.0, -1.0 / 3.0},
                                                                     {1.0 / 6.0, kRoot / 6.0, 1.0 / 3.0},
                                                                     {1.0 / 6.0, -kRoot / 6.0, 1.0 / 3.0},
                                                                     {0.0, 0.0, 1.0}}};

std::array<float, kPoints> transformed(std::span<const float> weights) {
  std::array<std::array<double, 3>, kSide> rows{};  // of each column of the weights
  for (std::size_t i = 0; i < kSide; ++i) {
    for (std::size_t u = 0; u < 3; ++u) {
      for (std::size_t v = 0; v < 3; ++v)
        rows[i][v] += kWeightTransform[i][u] * static_cast<double>(weights[3 * u + v]);
    }
  }
  std::array<float, kPoints> result{};
  for (std::size_t i = 0; i < kSide; ++i) {
    for (std::size_t j = 0; j < kSide; ++j) {
      double sum = 0.0;
      for (std::size_t v = 0; v < 3; ++v) sum += kWeightTransform[j][v] * rows[i][v];
      result[i * kSide + j] = static_cast<float>(sum);
    }
  }
  return result;
}

std::vector<WinogradKernel> find_kernels() {
  std::vector<WinogradKernel> kernels;
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f") != 0) kernels.push_back(winograd_avx512());
  if (__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0)
    kernels.push_back(winograd_avx2());
#endif
  return kernels;
}

}  // namespace

const std::vector<WinogradKernel>& winograd_kernels() {
  static const std::vector<WinogradKernel> kernels = find_kernels();
  return kernels;
}

std::vector<float> winograd_weights(std::span<const float> weights, std::int64_t out_channels,
                                    std::int64_t in_channels) {
  if (out_channels % kWinogradChannels != 0 || in_channels % kWinogradChannels != 0)
    throw geo::InvalidArgument("Winograd's convolution needs multiples of 16 channels");
  std::vector<float> result(kPoints * static_cast<std::size_t>(out_channels * in_channels));
  // [6, 6, out / 16, in, 16]: what the innermost loop reads lies in a row.
  for (std::int64_t panel = 0; panel < out_channels / kWinogradChannels; ++panel) {
    for (std::int64_t in = 0; in < in_channels; ++in) {
      std::array<std::array<float, kWinogradChannels>, kPoints> points{};
      for (std::int64_t i = 0; i < kWinogradChannels; ++i) {
        const std::int64_t out = panel * kWinogradChannels + i;
        const auto of_one =
            transformed(weights.subspan(static_cast<std::size_t>((out * in_channels + in) * 9), 9));
        for (std::size_t e = 0; e < kPoints; ++e) points[e][static_cast<std::size_t>(i)] = of_one[e];
      }
      for (std::size_t e = 0; e < kPoints; ++e) {
        const auto at =
            (static_cast<std::int64_t>(e) * out_channels + panel * kWinogradChannels) * in_channels +
            in * kWinogradChannels;
        std::ranges::copy(points[e], result.begin() + at);
      }
    }
  }
  return result;
}

}  // namespace furrow::segmentation
