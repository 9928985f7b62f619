#include "unet.h"
#include "network_reach.h"

#include <torch/script.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>

#include "folded_unet.h"
#include "support.h"
#include "torchscript.h"

namespace furrow::segmentation {
namespace {

using ::testing::HasSubstr;

UNetOptions tiny(std::int64_t bands = 2, std::int64_t levels = 3) {
  return {.bands = bands, .base_width = 4, .levels = levels, .dropout = 0.15, .classes = 3};
}

/// A network whose normalisation has seen data, in evaluation mode.
UNet settled_unet(const UNetOptions& options, std::uint64_t seed = 1) {
  const torch::NoGradGuard no_grad;
  UNet network(options, seed);
  torch::manual_seed(4);
  for (int i = 0; i < 5; ++i) network->forward(torch::randn({4, options.bands, 32, 32}));
  network->eval();
  return network;
}

TEST(UNet, AnswersWithLogitsOfTheSameSize) {
  const torch::NoGradGuard no_grad;
  for (const std::int64_t bands : {1, 4, 8}) {
    for (const std::int64_t levels : {2, 4}) {
      UNet network(tiny(bands, levels), 1);
      network->eval();
      const std::int64_t side = 3 * network->stride();
      const torch::Tensor out = network->forward(torch::randn({2, bands, side, 2 * side}));
      EXPECT_EQ(out.sizes().vec(), (std::vector<std::int64_t>{2, 3, side, 2 * side}));
    }
  }
}

TEST(UNet, NamesParametersAsPyTorchDoes) {
  const SafeTensors content = to_tensors(*UNet(tiny(), 1));
  for (const char* name :
       {"encoder.0.conv1.weight", "encoder.2.norm2.running_var", "encoder.0.norm1.num_batches_tracked",
        "decoder.0.up.weight", "decoder.0.up.bias", "decoder.1.conv2.weight", "head.bias"}) {
    EXPECT_EQ(content.tensors.count(name), 1u) << name;
  }
  EXPECT_EQ(content.tensors.at("decoder.0.up.weight").shape, (std::vector<std::int64_t>{32, 16, 1, 1}));
}

TEST(UNet, HasThePublishedNumberOfParameters) {
  // 3x3: 9 in out; norm: 2 out; up: in 4out + 4out; head: 32 * 3 + 3. Widths 32..512, 3 bands.
  const std::int64_t w[] = {3, 32, 64, 128, 256, 512};
  std::int64_t expected = 32 * 3 + 3;
  for (int level = 1; level <= 5; ++level)
    expected += 9 * (w[level - 1] + w[level]) * w[level] + 4 * w[level];
  for (int level = 4; level >= 1; --level) {
    expected += 4 * w[level] * (w[level + 1] + 1) + 9 * 3 * w[level] * w[level] + 4 * w[level];
  }
  std::int64_t found = 0;
  for (const torch::Tensor& tensor : UNet(UNetOptions{}, 1)->parameters()) found += tensor.numel();
  EXPECT_EQ(found, expected);
  EXPECT_NEAR(static_cast<double>(found), 7.76e6, 0.02e6);  // the size that perf.md measures
}

TEST(UNet, StartsFromTheSeedAlone) {
  EXPECT_EQ(to_tensors(*UNet(tiny(), 5)).tensors.at("encoder.1.conv2.weight").bytes,
            to_tensors(*UNet(tiny(), 5)).tensors.at("encoder.1.conv2.weight").bytes);
  EXPECT_NE(to_tensors(*UNet(tiny(), 5)).tensors.at("encoder.1.conv2.weight").bytes,
            to_tensors(*UNet(tiny(), 6)).tensors.at("encoder.1.conv2.weight").bytes);
  // He normal: sd = sqrt(2 / (9 * 128)) for 128 inputs.
  const UNet wide(UNetOptions{.bands = 3, .base_width = 32, .levels = 3}, 1);
  const double sd = wide->named_parameters()["encoder.2.conv2.weight"].std().item<double>();
  EXPECT_NEAR(sd, std::sqrt(2.0 / (9.0 * 128.0)), 2e-4);
}

TEST(UNet, RefusesOptionsOutOfRange) {
  UNetOptions options = tiny();
  options.levels = 1;
  EXPECT_THROW(UNet(options, 1), geo::InvalidArgument);
  options = tiny();
  options.dropout = 1.0;
  EXPECT_THROW(UNet(options, 1), geo::InvalidArgument);
}

TEST(UNet, ChannelsLastChangesNothingButTheOrderInMemory) {
  const torch::NoGradGuard no_grad;
  UNet network = settled_unet(tiny());
  const torch::Tensor x = torch::randn({1, 2, 32, 32});
  const torch::Tensor before = network->forward(x);
  use_channels_last(*network);
  EXPECT_LT(
      (network->forward(x.contiguous(torch::MemoryFormat::ChannelsLast)) - before).abs().max().item<double>(),
      1e-5);
}

TEST(ReceptiveRadius, LiesWithinTheArchitecturesBounds) {
  // Convolutions: 2 per block, each adding the pixel size of its level; pooling grids add less than a stride.
  for (const std::int64_t levels : {2, 3, 4, 5}) {
    const std::int64_t stride = std::int64_t{1} << (levels - 1);
    const int radius = measure_receptive_radius(tiny(1, levels));
    EXPECT_GE(radius, 6 * stride - 4) << levels;
    EXPECT_LE(radius, 7 * stride - 5) << levels;
  }
}

TEST(ReceptiveRadius, NothingBeyondItChangesAScore) {
  const torch::NoGradGuard no_grad;
  UNet network = settled_unet(tiny(1, 3));
  const int radius = measure_receptive_radius(tiny(1, 3));
  const int reached = testing_network::measured_reach(network);
  EXPECT_LE(reached, radius);
  EXPECT_GE(reached, radius - 3);
}

TEST(Weights, ComeBackFromAFile) {
  const torch::NoGradGuard no_grad;
  const test::TemporaryFolder folder;
  UNet network = settled_unet(tiny());
  write_safetensors(folder / "w.safetensors", to_tensors(*network));
  UNet other(tiny(), 99);
  from_tensors(*other, read_safetensors(folder / "w.safetensors"), "w.safetensors");
  other->eval();
  const torch::Tensor x = torch::randn({1, 2, 32, 32});
  EXPECT_TRUE(torch::equal(network->forward(x), other->forward(x)));
}

TEST(Weights, OfAnotherNetworkAreRefusedWithBothShapes) {
  const auto failure = [](const SafeTensors& content) -> std::string {
    try {
      UNet network(tiny(), 1);
      from_tensors(*network, content, "some.safetensors");
    } catch (const geo::ModelError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(failure(to_tensors(*UNet(tiny(5), 1))),
              ::testing::AllOf(HasSubstr("some.safetensors"), HasSubstr("encoder.0.conv1.weight"),
                               HasSubstr("[4, 5, 3, 3]"), HasSubstr("[4, 2, 3, 3]")));
  SafeTensors content = to_tensors(*UNet(tiny(), 1));
  content.tensors.erase("head.bias");
  EXPECT_THAT(failure(content), HasSubstr("lack tensor 'head.bias'"));
  EXPECT_THAT(failure(to_tensors(*UNet(tiny(2, 4), 1))), HasSubstr("some.safetensors"));
  content = to_tensors(*UNet(tiny(), 1));
  content.tensors["extra"] = content.tensors.at("head.bias");
  EXPECT_THAT(failure(content), HasSubstr("'extra'"));
}

TEST(FoldedUNet, EqualsTheTrainedNetwork) {
  const torch::NoGradGuard no_grad;
  UNet network = settled_unet(tiny(3, 4));
  const torch::Tensor x = torch::randn({2, 3, 48, 64});
  const torch::Tensor expected = network->forward(x);
  EXPECT_LT((FoldedUNet(network).forward(x) - expected).abs().max().item<double>(),
            1e-5 * std::max(1.0, expected.abs().max().item<double>()));
}

TEST(TorchScript, ReadBackEqualsTheTrainedNetworkAtAnySize) {
  const torch::NoGradGuard no_grad;
  const test::TemporaryFolder folder;
  UNet network = settled_unet(tiny(3, 4));
  write_torchscript(network, folder / "model.ts");
  torch::jit::Module script = torch::jit::load((folder / "model.ts").string());
  script.eval();
  for (const std::int64_t side : {8, 40, 64}) {
    const torch::Tensor x = torch::randn({2, 3, side, side + 8});
    EXPECT_LT((script.forward({x}).toTensor() - network->forward(x)).abs().max().item<double>(), 1e-5);
  }
}

TEST(TorchScript, KeepsParameterNames) {
  const test::TemporaryFolder folder;
  UNet network = settled_unet(tiny());
  write_torchscript(network, folder / "model.ts");
  std::vector<std::string> names;
  for (const auto& item : torch::jit::load((folder / "model.ts").string()).named_parameters())
    names.push_back(item.name);
  std::vector<std::string> expected;
  for (const auto& item : network->named_parameters()) expected.push_back(item.key());
  EXPECT_THAT(names, ::testing::UnorderedElementsAreArray(expected));
}

TEST(TorchScript, HasTheSameBytesForTheSameNetwork) {
  const test::TemporaryFolder folder;
  const UNet network = settled_unet(tiny());
  std::filesystem::create_directories(folder / "a");
  std::filesystem::create_directories(folder / "b");
  write_torchscript(network, (folder / "a") / "model.ts");
  write_torchscript(network, (folder / "b") / "model.ts");
  EXPECT_EQ(test::bytes_of((folder / "a") / "model.ts"), test::bytes_of((folder / "b") / "model.ts"));
}

}  // namespace
}  // namespace furrow::segmentation
