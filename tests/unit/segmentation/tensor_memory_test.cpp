#include "tensor_memory.h"

#include <optional>

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace furrow::segmentation {
namespace {

torch::Tensor filled(float value) {
  return torch::full({1024, 1024}, value);
}

TEST(TensorMemory, TheMemoryOfAFreedTensorServesTheNextOne) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "nothing is kept under the address sanitizer";
#endif
  const TensorMemory memory(LargePages::kNo);
  const void* first = filled(1.0F).data_ptr();
  const torch::Tensor other = torch::zeros({64, 1024, 1024});
  EXPECT_EQ(filled(2.0F).data_ptr(), first);
}

TEST(TensorMemory, TensorsMayOutliveItAndPrecedeIt) {
  std::optional<torch::Tensor> before = filled(1.0F), during;
  {
    const TensorMemory memory(LargePages::kYes);
    during = filled(2.0F);
    before.reset();
    const TensorMemory nested(LargePages::kNo);
  }
  EXPECT_EQ(during->sum().item<double>(), 2.0 * 1024 * 1024);
  during.reset();
  EXPECT_EQ(filled(3.0F).sum().item<double>(), 3.0 * 1024 * 1024);
}

TEST(TensorMemory, TensorsMayGrowInPlaceAndBeEmpty) {
  const TensorMemory memory(LargePages::kYes);
  torch::Tensor tensor = filled(2.0F);
  tensor.resize_({2048, 1024});
  EXPECT_EQ(tensor.narrow(0, 0, 1024).sum().item<double>(), 2.0 * 1024 * 1024);
  EXPECT_EQ(torch::empty({0, 5}).numel(), 0);
}

}  // namespace
}  // namespace furrow::segmentation
