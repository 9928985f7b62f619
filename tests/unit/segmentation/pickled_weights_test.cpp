#include "pickled_weights.h"

#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>

namespace furrow::segmentation {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Files that data/make_pickles.py wrote with PyTorch 2.15.
std::string file(const std::string& name) {
  return std::string(FURROW_TEST_SOURCE_DIR) + "/tests/unit/segmentation/data/" + name;
}

std::vector<float> floats(const StoredTensor& tensor) {
  std::vector<float> values(tensor.bytes.size() / sizeof(float));
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

std::string failure(const std::string& name) {
  try {
    (void)read_pickled_weights(file(name));
  } catch (const geo::ModelError& error) {
    return error.what();
  }
  return "no error";
}

TEST(PickledWeights, ReadsAPlainDict) {
  const auto tensors = read_pickled_weights(file("plain.pt")).tensors;
  ASSERT_EQ(tensors.size(), 4u);
  EXPECT_THAT(tensors.at("a").shape, ElementsAre(2, 3));
  EXPECT_THAT(floats(tensors.at("a")), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(tensors.at("n").type, TensorType::kInt64);
  EXPECT_THAT(tensors.at("n").shape, ElementsAre());
  EXPECT_EQ(tensors.at("n").bytes[0], 5);
  EXPECT_THAT(floats(tensors.at("half")), ElementsAre(0.5f, -2.0f));
  EXPECT_THAT(floats(tensors.at("turned")), ElementsAre(1, 3, 2, 4));
}

TEST(PickledWeights, WhatOnlyPythonReadsIsAnErrorWithTheLineToRun) {
  EXPECT_THAT(failure("ordered.pt"),
              HasSubstr("hold an OrderedDict instead of a plain dict of tensors; in Python run: "
                        "torch.save(dict(torch.load('ordered.pt', map_location='cpu', "
                        "weights_only=False)), 'weights.pt')"));
  EXPECT_THAT(failure("lightning.ckpt"), HasSubstr("hold a training checkpoint"));
  EXPECT_THAT(failure("lightning.ckpt"), HasSubstr("['state_dict'].items()}, 'weights.pt')"));
  EXPECT_THAT(failure("module.pt"), HasSubstr("hold Python objects"));
  EXPECT_THAT(failure("module.pt"), HasSubstr(".state_dict()), 'weights.pt')"));
  EXPECT_THAT(failure("old.pt"), HasSubstr("no archive of PyTorch 1.6 or later"));
  EXPECT_THAT(failure("make_pickles.py"), HasSubstr("no archive"));
  EXPECT_THROW((void)read_pickled_weights(file("absent.pt")), geo::IoError);
}

}  // namespace
}  // namespace furrow::segmentation
