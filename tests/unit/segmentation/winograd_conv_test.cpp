#include "winograd/winograd_conv.h"

#include <cmath>
#include <cstdint>

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "winograd/winograd.h"

namespace furrow::segmentation {
namespace {

class WinogradConvTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (winograd_kernels().empty()) GTEST_SKIP() << "this processor has neither AVX2 nor AVX-512";
    torch::manual_seed(1);
  }

  static torch::Tensor weight(std::int64_t out, std::int64_t in) {
    return torch::randn({out, in, 3, 3}) / std::sqrt(9.0 * static_cast<double>(in));
  }

  static void expect_same(const torch::Tensor& answer, const torch::Tensor& expected) {
    ASSERT_EQ(answer.sizes(), expected.sizes());
    EXPECT_TRUE(answer.is_contiguous(torch::MemoryFormat::ChannelsLast));
    EXPECT_LT((answer - expected).abs().max().item<float>(), 2e-5F);
  }

  const torch::NoGradGuard m_no_grad;
};

TEST_F(WinogradConvTest, IsTorchsConvolution) {
  const torch::Tensor w = weight(48, 32);
  const torch::Tensor bias = torch::randn({48});
  const WinogradConv conv(w, bias);
  const torch::Tensor x = torch::randn({2, 32, 19, 30});
  for (const std::int64_t zeros : {0, 1, 2}) {
    const torch::Tensor expected = torch::conv2d(x, w, bias, 1, zeros);
    expect_same(conv(x, zeros, false), expected);
    expect_same(conv(x.contiguous(torch::MemoryFormat::ChannelsLast), zeros, true), torch::relu(expected));
  }
  expect_same(WinogradConv(w, {})(x, 0, false), torch::conv2d(x, w));
}

TEST_F(WinogradConvTest, TakesPartsOfLargerTensors) {
  const torch::Tensor w = weight(16, 16);
  const WinogradConv conv(w, {});
  const torch::Tensor whole = torch::randn({2, 16, 40, 50}).contiguous(torch::MemoryFormat::ChannelsLast);
  const torch::Tensor part = whole.narrow(2, 7, 12).narrow(3, 9, 21);
  expect_same(conv(part, 0, false), torch::conv2d(part.contiguous(), w));
  const torch::Tensor rows = whole.narrow(0, 1, 1).narrow(2, 3, 3);
  expect_same(conv(rows, 0, false), torch::conv2d(rows.contiguous(), w));
  const torch::Tensor channels = torch::randn({1, 40, 9, 9}).contiguous(torch::MemoryFormat::ChannelsLast);
  expect_same(conv(channels.narrow(1, 8, 16), 1, false),
              torch::conv2d(channels.narrow(1, 8, 16).contiguous(), w, {}, 1, 1));
}

TEST_F(WinogradConvTest, AScaledCopyLeavesTheOriginalAlone) {
  const torch::Tensor w = weight(16, 16);
  const torch::Tensor bias = torch::randn({16});
  const WinogradConv conv(w, bias);
  WinogradConv scaled = conv;
  const torch::Tensor factors = torch::rand({16}) * 2;
  scaled.scale(factors);
  const torch::Tensor x = torch::randn({1, 16, 10, 10});
  const torch::Tensor expected = torch::conv2d(x, w, bias);
  expect_same(scaled(x, 0, false), expected * factors.reshape({1, -1, 1, 1}));
  expect_same(conv(x, 0, false), expected);
}

TEST_F(WinogradConvTest, IsForThreeByThreeWeightsOfSixteenChannelsEach) {
  EXPECT_TRUE(WinogradConv::suits(weight(32, 16)));
  EXPECT_FALSE(WinogradConv::suits(weight(32, 4)));
  EXPECT_FALSE(WinogradConv::suits(weight(24, 16)));
  EXPECT_FALSE(WinogradConv::suits(torch::randn({16, 16, 1, 1})));
  EXPECT_FALSE(WinogradConv::suits(weight(16, 16).to(torch::kBFloat16)));
}

}  // namespace
}  // namespace furrow::segmentation
