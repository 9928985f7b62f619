#include "winograd.h"

#include <array>
#include <cmath>
#include <numbers>

#include <furrow/geo/core/error.h>

#include "kernels.h"

namespace furrow::segmentation {
namespace {

constexpr double kRoot = std::numbers::sqrt2;
constexpr std::int64_t kSide = 6;  ///< of a tile of the input

/// The transformation of three weights in a row: polynomials through the points 0, +-sqrt(1/2), +-sqrt(2) and
/// infinity, in the order of the kernels.
constexpr std::array<std::array<double, 3>, kSide> kWeightTransform{{{1.0, 0.0, 0.0},
                                                                    {-2.0 / 3.0, -kRoot / 3.0, -1.0 / 3.0},
                                                                    {-2.0 / 3.0, kRoot / 3.0, -1.0 / 3.0},
                                                                    {1.0 / 6.0, kRoot / 6.0, 1.0 / 3.0},
                                                                    {1.0 / 6.0, -kRoot / 6.0, 1.0 / 3.0},
                                                                    {0.0, 0.0, 1.0}}};

std::vector<WinogradKernel> find_kernels() {
  std::vector<WinogradKernel> kernels;
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f") != 0)
    kernels.push_back({"AVX-512", &winograd_avx512::scratch, &winograd_avx512::run});
  if (__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0)
    kernels.push_back({"AVX2", &winograd_avx2::scratch, &winograd_avx2::run});
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
  std::vector<float> result(static_cast<std::size_t>(kSide * kSide * out_channels * in_channels));
  const auto transformed = [](const float* w, std::size_t i, std::size_t j) {
    double sum = 0.0;
    for (std::size_t u = 0; u < 3; ++u) {
      for (std::size_t v = 0; v < 3; ++v)
        sum += kWeightTransform[i][u] * kWeightTransform[j][v] * static_cast<double>(w[3 * u + v]);
    }
    return static_cast<float>(sum);
  };
  // [6, 6, out / 16, in, 16]: what the innermost loop reads lies in a row.
  for (std::int64_t out = 0; out < out_channels; ++out) {
    for (std::int64_t in = 0; in < in_channels; ++in) {
      const float* w = weights.data() + (out * in_channels + in) * 9;
      const std::int64_t panel = out / kWinogradChannels;
      const std::int64_t at = (panel * in_channels + in) * kWinogradChannels + out % kWinogradChannels;
      for (std::int64_t e = 0; e < kSide * kSide; ++e) {
        result[static_cast<std::size_t>(e * out_channels * in_channels + at)] =
            transformed(w, static_cast<std::size_t>(e / kSide), static_cast<std::size_t>(e % kSide));
      }
    }
  }
  return result;
}

}  // namespace furrow::segmentation
