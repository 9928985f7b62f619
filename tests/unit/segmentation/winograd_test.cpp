#include "winograd/winograd.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>

#include "winograd/kernel_run.h"

namespace furrow::segmentation {
namespace {

/// What the kernel for AVX-512 does, in the shape that it has there, on any processor.
struct Vectors {
  using Lanes = float __attribute__((vector_size(64)));
  static constexpr int kLanes = 16;
  static constexpr int kRows = 12;
  static constexpr int kPanels = 2;
  static Lanes splat(float x) { return Lanes{} + x; }
  static Lanes load(const float* from) {
    Lanes x;
    std::memcpy(&x, from, sizeof x);
    return x;
  }
  static void store(float* to, Lanes x) { std::memcpy(to, &x, sizeof x); }
  static Lanes fused(Lanes a, Lanes b, Lanes c) {
    for (int i = 0; i < kLanes; ++i) c[i] = std::fma(a[i], b[i], c[i]);
    return c;
  }
};

std::vector<WinogradKernel> all_kernels() {
  std::vector<WinogradKernel> kernels = winograd_kernels();
  kernels.push_back(WinogradRun<Vectors>::kernel("any processor"));
  return kernels;
}

std::vector<float> numbers(std::size_t count, std::uint64_t seed) {
  geo::Random random(seed);
  std::vector<float> result(count);
  for (float& value : result) value = static_cast<float>(random.uniform() - 0.4);
  return result;
}

/// A task and all that it points to; rows of the input lie in a wider image, as those of a part do.
struct Case {
  Case(std::int64_t height, std::int64_t width, std::int64_t in, std::int64_t out, bool relu = false,
       std::int64_t beside = 0) {
    task.height = height;
    task.width = width;
    task.in_channels = in;
    task.out_channels = out;
    task.relu = relu;
    task.input_stride = (width + 2 + beside) * in;
    input = numbers(static_cast<std::size_t>((height + 2) * task.input_stride - beside * in), 1);
    weights = numbers(static_cast<std::size_t>(out * in * 9), 2);
    scale = numbers(static_cast<std::size_t>(out), 3);
    bias = numbers(static_cast<std::size_t>(out), 4);
    transformed = winograd_weights(weights, out, in);
  }

  /// The answer between two floats that nobody may touch.
  [[nodiscard]] std::vector<float> run(const WinogradKernel& kernel, std::int64_t at_once = 1'000'000) const {
    constexpr float kUntouched = -777.0F;
    std::vector<float> around(static_cast<std::size_t>(task.height * task.width * task.out_channels) + 2,
                              kUntouched);
    std::vector<float> scratch(kernel.scratch(task), std::numeric_limits<float>::quiet_NaN());
    WinogradTask whole = task;
    whole.input = input.data();
    whole.weights = transformed.data();
    whole.scale = scale.data();
    whole.bias = bias.data();
    whole.output = around.data() + 1;
    const std::int64_t tiles = kernel.tiles(task);
    for (std::int64_t begin = 0; begin < tiles; begin += std::min(at_once, tiles))
      kernel.run(whole, begin, std::min(begin + at_once, tiles), scratch.data());
    EXPECT_EQ(around.front(), kUntouched);
    EXPECT_EQ(around.back(), kUntouched);
    return {around.begin() + 1, around.end() - 1};
  }

  /// The definition, in float64.
  [[nodiscard]] double expected(std::int64_t row, std::int64_t col, std::int64_t channel) const {
    double sum = 0.0;
    for (std::int64_t i = 0; i < 3; ++i) {
      for (std::int64_t j = 0; j < 3; ++j) {
        for (std::int64_t c = 0; c < task.in_channels; ++c) {
          const auto at =
              static_cast<std::size_t>((row + i) * task.input_stride + (col + j) * task.in_channels + c);
          const auto w = static_cast<std::size_t>(((channel * task.in_channels + c) * 3 + i) * 3 + j);
          sum += static_cast<double>(input[at]) * static_cast<double>(weights[w]);
        }
      }
    }
    const auto k = static_cast<std::size_t>(channel);
    const double value = sum * static_cast<double>(scale[k]) + static_cast<double>(bias[k]);
    return task.relu ? std::max(value, 0.0) : value;
  }

  WinogradTask task;
  std::vector<float> input;
  std::vector<float> weights;
  std::vector<float> transformed;
  std::vector<float> scale;
  std::vector<float> bias;
};

void expect_definition(const Case& c) {
  const double most = 2e-6 * static_cast<double>(c.task.in_channels);
  for (const WinogradKernel& kernel : all_kernels()) {
    const std::vector<float> answer = c.run(kernel);
    std::size_t at = 0;
    for (std::int64_t row = 0; row < c.task.height; ++row) {
      for (std::int64_t col = 0; col < c.task.width; ++col) {
        for (std::int64_t k = 0; k < c.task.out_channels; ++k) {
          ASSERT_NEAR(static_cast<double>(answer[at++]), c.expected(row, col, k), most)
              << kernel.processor << ", row " << row << ", col " << col << ", channel " << k;
        }
      }
    }
  }
}

TEST(Winograd, IsTheConvolutionForEverySize) {
  for (std::int64_t height = 1; height <= 9; ++height) {
    for (std::int64_t width = 1; width <= 9; ++width) expect_definition(Case(height, width, 16, 16));
  }
}

TEST(Winograd, IsTheConvolutionForManyTilesAndChannels) {
  expect_definition(Case(13, 150, 16, 48));
  expect_definition(Case(6, 37, 96, 32));
  expect_definition(Case(4, 70, 320, 80));
}

TEST(Winograd, ReadsRowsOfAWiderImageAndCutsOffBelowZero) {
  expect_definition(Case(7, 11, 32, 32, true, 5));
}

TEST(Winograd, NotANumberStays) {
  Case c(4, 4, 16, 16, true);
  std::ranges::fill(c.input, std::numeric_limits<float>::quiet_NaN());
  for (const WinogradKernel& kernel : all_kernels())
    EXPECT_TRUE(std::ranges::all_of(c.run(kernel), [](float x) { return std::isnan(x); }));
}

TEST(Winograd, AllKernelsGiveTheSameBits) {
  const Case c(21, 45, 48, 80, true);
  const std::vector<float> first = c.run(all_kernels().front());
  for (const WinogradKernel& kernel : all_kernels()) EXPECT_EQ(c.run(kernel), first) << kernel.processor;
}

TEST(Winograd, PartsGiveTheBitsOfTheWhole) {
  const Case c(21, 45, 48, 32, true);
  for (const WinogradKernel& kernel : all_kernels()) {
    EXPECT_EQ(kernel.tiles(c.task), 6 * 12);
    for (const std::int64_t at_once : {1, 7, 30}) EXPECT_EQ(c.run(kernel, at_once), c.run(kernel)) << at_once;
  }
}

TEST(Winograd, RoundsAboutAsADirectConvolutionDoes) {
  Case c(16, 16, 256, 16);
  std::ranges::fill(c.scale, 1.0F);
  std::ranges::fill(c.bias, 0.0F);
  double squares = 0.0;
  double errors = 0.0;
  const std::vector<float> answer = c.run(all_kernels().front());
  for (std::size_t at = 0; at < answer.size(); ++at) {
    const auto pixel = static_cast<std::int64_t>(at) / 16;
    const double exact = c.expected(pixel / 16, pixel % 16, static_cast<std::int64_t>(at) % 16);
    squares += exact * exact;
    errors += std::pow(static_cast<double>(answer[at]) - exact, 2.0);
  }
  EXPECT_LT(std::sqrt(errors / squares), 3e-6);
}

TEST(Winograd, WeightsOfOtherChannelsAreRefused) {
  EXPECT_THROW((void)winograd_weights(numbers(24 * 16 * 9, 1), 24, 16), geo::InvalidArgument);
  EXPECT_THROW((void)winograd_weights(numbers(16 * 4 * 9, 1), 16, 4), geo::InvalidArgument);
}

}  // namespace
}  // namespace furrow::segmentation
