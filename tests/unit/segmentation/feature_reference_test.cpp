#include "shift/feature_reference.h"

#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>

#include "safetensors.h"
#include "support.h"

namespace furrow::segmentation {
namespace {

using ::testing::HasSubstr;

/// Normal features, each with a mean and a deviation of its own.
torch::Tensor draw(std::int64_t n, std::int64_t seed) {
  torch::manual_seed(static_cast<std::uint64_t>(seed));
  const torch::Tensor scale = torch::arange(1, 9, torch::kDouble);
  return torch::randn({n, 8}, torch::kDouble) * scale + 2.0 * scale;
}

std::vector<std::int64_t> one_image(std::int64_t n) {
  return std::vector<std::int64_t>(static_cast<std::size_t>(n), 0);
}

FeatureReference reference_of(std::int64_t n) {
  return make_feature_reference(draw(400, 1), draw(n, 2), one_image(n), 5);
}

TEST(SampleSizes, GrowByAboutAThirdToAHalf) {
  EXPECT_EQ(sample_sizes(1), (std::vector<std::int64_t>{1}));
  EXPECT_EQ(sample_sizes(5), (std::vector<std::int64_t>{1, 2, 3, 4}));
  EXPECT_EQ(sample_sizes(64), (std::vector<std::int64_t>{1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64}));
}

TEST(FeatureReference, HasSamplesOfUpToHalfOfItsWindows) {
  EXPECT_EQ(reference_of(30).distances.rbegin()->first, 12);
  EXPECT_EQ(reference_of(1).distances.rbegin()->first, 1);
  EXPECT_EQ(reference_of(500).distances.rbegin()->first, 64);
}

TEST(FeatureReference, FindsNoShiftWhereThereIsNone) {
  const FeatureReference reference = reference_of(300);
  int beyond = 0;
  double sum = 0.0;
  constexpr int kScenes = 100;
  for (int scene = 0; scene < kScenes; ++scene) {
    const SceneShift shift = reference.judge(draw(16, 100 + scene));
    EXPECT_EQ(shift.windows, 16);
    sum += shift.quantile;
    if (shift.quantile > 0.99) ++beyond;
  }
  EXPECT_NEAR(sum / kScenes, 0.5, 0.12);
  EXPECT_LE(beyond, 4);
}

TEST(FeatureReference, FindsAShiftedMeanAndAShiftedSpread) {
  const FeatureReference reference = reference_of(300);
  const torch::Tensor windows = draw(16, 9);
  EXPECT_EQ(reference.judge(windows + 6.0).quantile, 1.0);
  const torch::Tensor mean = windows.mean(0);
  EXPECT_EQ(reference.judge(mean + 2.5 * (windows - mean)).quantile, 1.0);
  EXPECT_EQ(reference.judge(mean + 0.1 * (windows - mean)).quantile, 1.0);
  for (const std::int64_t few : {1, 2, 5}) {
    EXPECT_EQ(reference.judge(draw(few, 10) + 50.0).quantile, 1.0) << few;
    EXPECT_LT(reference.judge(draw(few, 10)).quantile, 0.99) << few;
  }
}

TEST(FeatureReference, WindowsBetweenTwoSizesAreThinnedEvenly) {
  const FeatureReference reference = reference_of(300);
  const torch::Tensor windows = draw(5, 3);
  const SceneShift five = reference.judge(windows);
  EXPECT_EQ(five.windows, 4);
  const torch::Tensor kept = windows.index_select(0, torch::tensor({0, 1, 2, 3}, torch::kLong));
  EXPECT_NEAR(five.distance, reference.judge(kept).distance, 1e-9);
}

TEST(FeatureReference, OfWindowsThatAreAllAlikeFindsNoShiftInOneMore) {
  const torch::Tensor alike = torch::ones({20, 4}, torch::kDouble);
  const FeatureReference reference = make_feature_reference(alike, alike, one_image(20), 5);
  EXPECT_EQ(reference.judge(alike.narrow(0, 0, 3)).quantile, 0.0);
  EXPECT_EQ(reference.judge(alike.narrow(0, 0, 3) + 0.5).quantile, 1.0);
}

TEST(FeatureReference, SamplesHoldImagesTogether) {
  // Ten images whose windows are all alike: samples of 8 windows out of one image lie far, those of a
  // mixture near.
  const torch::Tensor images = draw(10, 4);
  const torch::Tensor windows = images.repeat_interleave(30, 0) + 0.01 * draw(300, 5);
  std::vector<std::int64_t> of_image(300);
  for (std::size_t i = 0; i < 300; ++i) of_image[i] = static_cast<std::int64_t>(i / 30);
  const FeatureReference together = make_feature_reference(windows, windows, of_image, 5);
  const FeatureReference apart = make_feature_reference(windows, windows, one_image(300), 5);
  const torch::Tensor scene = windows.narrow(0, 60, 8);
  EXPECT_LT(together.judge(scene).quantile, 0.99);
  EXPECT_EQ(apart.judge(scene).quantile, 1.0);
}

TEST(FeatureReference, JudgesAlikeAfterAFile) {
  const test::TemporaryFolder folder;
  const FeatureReference before = reference_of(60);
  write_feature_reference(before, "abc", folder / "f.safetensors");
  write_feature_reference(before, "abc", folder / "again.safetensors");
  EXPECT_EQ(test::bytes_of(folder / "f.safetensors"), test::bytes_of(folder / "again.safetensors"));
  const StoredFeatures after = read_feature_reference(folder / "f.safetensors");
  EXPECT_EQ(after.weights_sha256, "abc");
  EXPECT_EQ(after.reference.distances, before.distances);
  const torch::Tensor windows = draw(7, 11);
  EXPECT_EQ(after.reference.judge(windows).distance, before.judge(windows).distance);
}

TEST(FeatureReference, RefusesFilesOfSomethingElse) {
  const test::TemporaryFolder folder;
  write_feature_reference(reference_of(20), "abc", folder / "f.safetensors");
  const SafeTensors good = read_safetensors(folder / "f.safetensors");
  const auto message = [&](const auto& spoil) -> std::string {
    SafeTensors content = good;
    spoil(content.tensors);
    write_safetensors(folder / "f.safetensors", content);
    try {
      (void)read_feature_reference(folder / "f.safetensors");
    } catch (const geo::ModelError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(message([](auto& t) { t.erase("mean"); }), HasSubstr("'mean' is missing"));
  EXPECT_THAT(message([](auto& t) { t.erase("distances.1"); }), HasSubstr("'distances.1' is missing"));
  EXPECT_THAT(message([](auto& t) { t["covariance"] = t["mean"]; }), HasSubstr("'covariance' has"));
  EXPECT_THAT(message([](auto& t) {
                t["mean"].shape = {4};
                t["mean"].bytes.resize(16);
              }),
              HasSubstr("mean and covariance"));
  EXPECT_THAT(message([](auto& t) { t["mean"].bytes.replace(0, 4, "\0\0\xc0\x7f", 4); }),
              HasSubstr("not finite"));
  EXPECT_THAT(message([](auto& t) { t["distances.2"].bytes.replace(0, 4, "\0\0\x80\x7e", 4); }),
              HasSubstr("not sorted"));
}

}  // namespace
}  // namespace furrow::segmentation
