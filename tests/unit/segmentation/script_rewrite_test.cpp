#include <string>

#include <gtest/gtest.h>
#include <torch/script.h>

#include "script_rewrite.h"

namespace furrow::segmentation {
namespace {

/// A transposed convolution of 3 to 5 channels with the given options after stride, between two plain
/// operations.
torch::jit::Module script_with(std::int64_t kernel, const std::string& options, bool bias) {
  torch::jit::Module module("Up");
  module.register_parameter("weight", torch::randn({3, 5, kernel, kernel}), false);
  if (bias) module.register_parameter("bias", torch::randn({5}), false);
  module.define("def forward(self, x):\n    return torch.relu(torch.conv_transpose2d(x * 2, self.weight, " +
                std::string(bias ? "self.bias" : "None") + ", " + options + "))\n");
  module.eval();
  return module;
}

bool has(const torch::jit::Module& module, const char* kind) {
  return module.get_method("forward").graph()->toString().find(kind) != std::string::npos;
}

TEST(FasterScript, ReplacesTransposedConvolutionsAndComputesTheSame) {
  for (const bool bias : {false, true}) {
    torch::manual_seed(1);
    torch::jit::Module module = script_with(2, "[2, 2], [0, 0], [0, 0], 1, [1, 1]", bias);
    torch::jit::Module faster = faster_script(module);
    EXPECT_FALSE(has(faster, "conv_transpose2d"));
    EXPECT_TRUE(has(faster, "pixel_shuffle"));
    const torch::Tensor x = torch::randn({2, 3, 7, 9});
    const torch::Tensor expected = module.forward({x}).toTensor();
    const torch::Tensor found = faster.forward({x}).toTensor();
    ASSERT_EQ(found.sizes(), expected.sizes());
    EXPECT_LT((found - expected).abs().max().item<float>(), 1e-5F);
  }
}

TEST(FasterScript, LeavesWhatIsNotTheSame) {
  for (const char* options : {"[1, 1], [0, 0], [0, 0], 1, [1, 1]", "[2, 2], [1, 1], [0, 0], 1, [1, 1]",
                              "[2, 2], [0, 0], [1, 1], 1, [1, 1]", "[2, 2], [0, 0], [0, 0], 1, [2, 2]"}) {
    torch::jit::Module module = script_with(2, options, true);
    torch::jit::Module faster = faster_script(module);
    EXPECT_TRUE(has(faster, "conv_transpose2d")) << options;
    const torch::Tensor x = torch::randn({1, 3, 6, 6});
    EXPECT_TRUE(torch::allclose(faster.forward({x}).toTensor(), module.forward({x}).toTensor())) << options;
  }
  EXPECT_TRUE(
      has(faster_script(script_with(3, "[2, 2], [0, 0], [0, 0], 1, [1, 1]", true)), "conv_transpose2d"));
}

TEST(FasterScript, ComesBackAsItWasWhenItCannotBeFrozen) {
  torch::jit::Module module("Training");
  module.define("def forward(self, x):\n    return x + 1\n");
  module.train();
  const torch::jit::Module same = faster_script(module);
  EXPECT_FLOAT_EQ(torch::jit::Module(same).forward({torch::zeros({1})}).toTensor().item<float>(), 1.0F);
}

}  // namespace
}  // namespace furrow::segmentation
