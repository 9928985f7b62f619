// Every network x normalisation x head.
#include <cmath>

#include <torch/script.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>

#include "architecture_spec.h"
#include "autocast.h"
#include "folded_unet.h"
#include "network_reach.h"
#include "support.h"
#include "torchscript.h"
#include "unet.h"

namespace furrow::segmentation {
namespace {

UNetOptions options_of(NetworkKind network, NormKind norm, HeadKind head) {
  return {2, 4, 3, 0.15, 3, network, norm, head};
}

/// In evaluation mode, with normalisation that is neither fresh nor the same for all channels.
UNet settled(const UNetOptions& options) {
  const torch::NoGradGuard no_grad;
  UNet network(options, 1);
  torch::manual_seed(4);
  for (const auto& item : network->named_parameters()) {
    if (item.value().dim() == 1) item.value().add_(0.3 * torch::randn(item.value().sizes()));
  }
  for (int i = 0; i < 5; ++i) network->forward(torch::randn({4, options.bands, 32, 32}));
  network->eval();
  return network;
}

double largest_difference(const torch::Tensor& a, const torch::Tensor& b) {
  return (a - b).abs().max().item<double>() / std::max(1.0, b.abs().max().item<double>());
}

class Networks : public ::testing::TestWithParam<std::tuple<NetworkKind, NormKind, HeadKind>> {
 protected:
  UNetOptions m_options = std::apply(options_of, GetParam());
};

TEST_P(Networks, FoldedAndTorchScriptEqualTheTrainedOne) {
  const torch::NoGradGuard no_grad;
  const test::TemporaryFolder folder;
  UNet network = settled(m_options);
  const FoldedUNet folded(network);
  write_torchscript(network, folder / "model.ts");
  torch::jit::Module script = torch::jit::load((folder / "model.ts").string());
  script.eval();
  for (const std::int64_t side : {8, 40}) {
    const torch::Tensor x = torch::randn({2, 2, side, side + 8});
    const torch::Tensor before = x.clone();
    const torch::Tensor expected = network->forward(x);
    EXPECT_EQ(expected.sizes().vec(), (std::vector<std::int64_t>{2, 3, side, side + 8}));
    EXPECT_LT(largest_difference(folded.forward(x), expected), 1e-5);
    EXPECT_LT(largest_difference(script.forward({x}).toTensor(), expected), 1e-5);
    EXPECT_TRUE(torch::equal(x, before));
  }
}

TEST_P(Networks, PartOfTheAnswerIsThatOfTheWhole) {
  const torch::NoGradGuard no_grad;
  const FoldedUNet folded(settled(m_options));
  const torch::Tensor x = torch::randn({1, 2, 40, 64});
  const torch::Tensor whole = folded.forward(x);
  for (const geo::Window& w :
       {geo::Window{0, 0, 64, 40}, geo::Window{23, 13, 9, 11}, geo::Window{0, 0, 1, 1},
        geo::Window{63, 39, 1, 1}, geo::Window{3, 0, 40, 5}, geo::Window{10, 20, 54, 20}}) {
    const torch::Tensor part = folded.forward(x, w);
    ASSERT_EQ(part.sizes().vec(), (std::vector<std::int64_t>{1, 3, w.height, w.width}));
    EXPECT_LT(largest_difference(part, whole.narrow(2, w.row, w.height).narrow(3, w.col, w.width)), 1e-5);
  }
}

/// The inner part of a window is computed by convolutions that hold their ReLU and weights in an order of
/// their own; the whole answer, with zeros around, by plain ones. Odd places and sizes at every level.
TEST_P(Networks, PreparedConvolutionsGiveWhatPlainOnesGive) {
  const torch::NoGradGuard no_grad;
  UNet network = settled(m_options);
  FoldedUNet folded(network);
  const torch::Tensor x = torch::randn({1, 2, 120, 136});
  const torch::Tensor expected = network->forward(x).narrow(2, 51, 19).narrow(3, 45, 33);
  EXPECT_LT(largest_difference(folded.forward(x, {45, 51, 33, 19}), expected), 1e-5);
  if (m_options.norm == NormKind::kGroup) return;  // which looks at the whole input, and is not for bf16
  folded.convert(torch::kBFloat16);
  const torch::Tensor rounded = folded.forward(x.to(torch::kBFloat16), {45, 51, 33, 19}).to(torch::kFloat);
  EXPECT_LT(largest_difference(rounded, expected), 0.1);
  folded.convert(torch::kFloat);
  EXPECT_LT(largest_difference(folded.forward(x, {45, 51, 33, 19}), expected), 0.1);
}

/// High windows are computed some rows at a time. Odd places and sizes, all levels, and heights around those
/// of whole steps.
TEST_P(Networks, HighPartsAreThoseOfTheWhole) {
  const torch::NoGradGuard no_grad;
  for (const std::int64_t levels : {2, 3, 5}) {
    UNetOptions options = m_options;
    options.levels = levels;
    const FoldedUNet folded(settled(options));
    const torch::Tensor x = torch::randn({1, 2, 480, 288});
    const torch::Tensor whole = folded.forward(x);
    for (const geo::Window& w : {geo::Window{128, 112, 32, 256}, geo::Window{131, 113, 9, 128},
                                 geo::Window{127, 117, 10, 193}, geo::Window{140, 119, 1, 239}}) {
      const torch::Tensor part = folded.forward(x, w);
      ASSERT_EQ(part.sizes().vec(), (std::vector<std::int64_t>{1, 3, w.height, w.width}));
      EXPECT_LT(largest_difference(part, whole.narrow(2, w.row, w.height).narrow(3, w.col, w.width)), 1e-5)
          << levels << " levels, row " << w.row << ", " << w.height << " rows";
    }
  }
}

/// Whatever the order of memory and type of the input, and however many rows come at once.
TEST_P(Networks, HandOverEachRowOfTheirAnswerOnceAndInOrder) {
  const torch::NoGradGuard no_grad;
  FoldedUNet folded(settled(m_options));
  const torch::Tensor x = torch::randn({1, 2, 320, 96});
  for (const torch::Dtype type : {torch::kFloat, torch::kBFloat16}) {
    folded.convert(type);
    for (const geo::Window& w : {geo::Window{40, 56, 16, 200}, geo::Window{41, 60, 9, 24}}) {
      const torch::Tensor expected =
          folded.forward(x.to(type).contiguous(torch::MemoryFormat::ChannelsLast), w);
      std::vector<torch::Tensor> parts;
      std::int64_t next = 0;
      folded.forward(x, w, [&](std::int64_t first, const torch::Tensor& rows) {
        EXPECT_EQ(first, next);
        next += rows.size(2);
        parts.push_back(rows.clone());
      });
      ASSERT_EQ(next, w.height);
      EXPECT_TRUE(torch::equal(torch::cat(parts, 2), expected)) << torch::toString(type) << ", " << w.height;
    }
  }
}

/// Shapes of convolutions, which LibTorch itself does not tell on the device "meta".
void convolve_meta(const c10::OperatorHandle&, torch::jit::Stack* stack) {
  constexpr std::size_t kArguments = 9;  // input, weight, bias, stride, padding and others
  const auto argument = [&](std::size_t i) { return (*stack)[stack->size() - kArguments + i]; };
  const torch::Tensor input = argument(0).toTensor();
  const torch::Tensor weight = argument(1).toTensor();
  EXPECT_TRUE(weight.is_meta()) << "weights of another device";
  const auto stride = argument(3).toIntVector(), padding = argument(4).toIntVector();
  const auto side = [&](std::int64_t dim) {
    const auto axis = static_cast<std::size_t>(dim - 2);
    return (input.size(dim) + 2 * padding[axis] - weight.size(dim)) / stride[axis] + 1;
  };
  const torch::Tensor output =
      torch::empty({input.size(0), weight.size(0), side(2), side(3)}, input.options());
  torch::jit::drop(*stack, kArguments);
  torch::jit::push(*stack, output);
}

TORCH_LIBRARY_IMPL(aten, Meta, library) {
  library.impl("convolution_overrideable", torch::CppFunction::makeFromBoxedFunction<&convolve_meta>());
}

/// Without a GPU at hand: tensors of the device "meta" have shapes and no values, and meet no other device's.
TEST_P(Networks, ComputeOnTheDeviceThatTheyAreMovedTo) {
  // The operations of the others have no shapes there either.
  if (m_options.norm != NormKind::kBatch || m_options.head != HeadKind::kClasses) return;
  const torch::NoGradGuard no_grad;
  FoldedUNet folded(settled(m_options));
  const torch::Tensor x = torch::randn({1, 2, 40, 64});
  const torch::Tensor expected = folded.forward(x, {8, 8, 24, 16});
  folded.move_to(torch::kMeta);
  EXPECT_EQ(folded.device(), torch::Device(torch::kMeta));
  const torch::Tensor found = folded.forward(x.to(torch::kMeta), {8, 8, 24, 16});
  EXPECT_TRUE(found.is_meta());
  EXPECT_EQ(found.sizes(), expected.sizes());
  EXPECT_EQ(folded.deepest(x.to(torch::kMeta)).dim(), 4);
}

/// The network, block by block, with whole channels of features dropped by hand where training drops them.
torch::Tensor forward_with_dropped(UNet& network, const torch::Tensor& input, double share,
                                   geo::Random random) {
  const auto drop = [&](torch::Tensor x) {
    for (std::int64_t c = 0; c < x.size(1); ++c)
      x.select(1, c).mul_(random.chance(share) ? 0.0 : 1.0 / (1.0 - share));
    return x;
  };
  std::vector<torch::Tensor> skips;
  torch::Tensor x = network->encoder[0]->as<BlockImpl>()->forward(input);
  for (std::size_t level = 1; level < network->encoder->size(); ++level) {
    skips.push_back(x);
    x = drop(network->encoder[level]->as<BlockImpl>()->forward(x.clone()));
  }
  for (std::size_t i = 0; i < network->decoder->size(); ++i) {
    x = network->decoder[i]->as<BlockImpl>()->join(x, skips.back());
    skips.pop_back();
    if (!skips.empty()) x = drop(x);
  }
  return network->head.is_empty() ? network->multi_task_head->logits(x) : network->head(x);
}

TEST_P(Networks, DropChannelsWhereTrainingDoes) {
  const torch::NoGradGuard no_grad;
  UNet network = settled(m_options);
  const FoldedUNet folded(network);
  const torch::Tensor x = torch::randn({1, 2, 24, 32});
  const torch::Tensor plain = folded.forward(x);
  EXPECT_LT(largest_difference(folded.with_dropped_channels(0.0, 1, 0).forward(x), plain), 1e-5);
  for (const std::uint64_t pass : {0U, 1U}) {
    const torch::Tensor dropped = folded.with_dropped_channels(0.4, 7, pass).forward(x);
    EXPECT_GT(largest_difference(dropped, plain), 1e-3);
    EXPECT_LT(largest_difference(dropped, forward_with_dropped(network, x, 0.4, geo::Random(7, pass))), 1e-5);
  }
  EXPECT_TRUE(torch::equal(folded.forward(x), plain)) << "the network itself must not change";
  FoldedUNet rounded = folded.with_dropped_channels(0.4, 7, 0);
  rounded.convert(torch::kBFloat16);
  EXPECT_EQ(rounded.type(), torch::kBFloat16);
  EXPECT_EQ(folded.type(), torch::kFloat);
}

TEST_P(Networks, ComeBackFromWeightsAndModelJson) {
  const torch::NoGradGuard no_grad;
  const test::TemporaryFolder folder;
  UNet network = settled(m_options);
  write_safetensors(folder / "w.safetensors", to_tensors(*network));
  ModelSpec written;
  written.bands = {{"a"}, {"b"}};
  written.classes = {{0, "background"}, {1, "interior"}, {2, "boundary"}};
  describe_network(m_options, written);
  write_model_spec(written, folder.path());
  const ModelSpec spec = read_model_spec(folder.path());
  ASSERT_TRUE(is_built_in(spec));
  UNet other(network_options(spec), 99);
  from_tensors(*other, read_safetensors(folder / "w.safetensors"), "w.safetensors");
  other->eval();
  const torch::Tensor x = torch::randn({1, 2, 32, 32});
  EXPECT_TRUE(torch::equal(network->forward(x), other->forward(x)));
}

TEST_P(Networks, GiveEveryParameterAGradientAndTheDistanceToMultiTaskHeadsOnly) {
  UNet network(m_options, 1);
  const NetworkOutput output = network->forward_all(torch::randn({2, 2, 16, 16}));
  const bool multi_task = m_options.head == HeadKind::kMultiTask;
  ASSERT_EQ(output.distance.defined(), multi_task);
  torch::Tensor sum = (output.logits * torch::randn_like(output.logits)).sum();
  if (multi_task) {
    EXPECT_EQ(output.distance.sizes().vec(), (std::vector<std::int64_t>{2, 1, 16, 16}));
    EXPECT_GE(output.distance.min().item<double>(), 0.0);
    EXPECT_LE(output.distance.max().item<double>(), 1.0);
    sum = sum + output.distance.sum();
  }
  sum.backward();
  for (const auto& item : network->named_parameters())
    EXPECT_TRUE(item.value().grad().defined()) << item.key();
}

TEST_P(Networks, LearnInBfloat16) {
  m_options.dropout = 0.0;
  UNet network(m_options, 1);
  const torch::Tensor x = torch::randn({2, 2, 16, 16});
  const torch::Tensor expected = network->forward(x).detach();
  torch::Tensor logits;
  {
    const Autocast autocast(Precision::kBf16, torch::kCPU);
    logits = network->forward(x).to(torch::kFloat);
  }
  EXPECT_FALSE(torch::equal(logits, expected));
  EXPECT_LT((logits - expected).abs().mean().item<double>(), 0.1);
  logits.sum().backward();
  for (const auto& item : network->named_parameters()) {
    if (item.key().starts_with("head.distance")) continue;
    EXPECT_TRUE(torch::isfinite(item.value().grad()).all().item<bool>()) << item.key();
  }
}

TEST_P(Networks, NothingBeyondTheReceptiveRadiusChangesAScore) {
  if (m_options.norm == NormKind::kGroup) return;  // it sees the whole window
  const torch::NoGradGuard no_grad;
  UNet network = settled(m_options);
  const int radius = measure_receptive_radius(m_options);
  const int reached = testing_network::measured_reach(network);
  EXPECT_LE(reached, radius);
  EXPECT_GE(reached, radius - 4);
}

INSTANTIATE_TEST_SUITE_P(All, Networks,
                         ::testing::Combine(::testing::Values(NetworkKind::kUNet, NetworkKind::kResidualUNet),
                                            ::testing::Values(NormKind::kBatch, NormKind::kGroup),
                                            ::testing::Values(HeadKind::kClasses, HeadKind::kMultiTask)));

TEST(ResidualUNet, HasTheNumberOfParametersOfItsFormula) {
  // Block: 3x3 convolutions 9 (joined + out) out, shortcut joined out, norms 2 joined (but for the first) + 2
  // out; up: 4 out (in + 1); head 3 (width + 1). Joined = in, or 2 out in the decoder.
  const std::int64_t w[] = {2, 4, 8, 16};
  std::int64_t expected = 3 * (4 + 1);
  for (int level = 1; level <= 3; ++level) {
    expected += 9 * (w[level - 1] + w[level]) * w[level] + w[level - 1] * w[level] + 2 * w[level];
    if (level > 1) expected += 2 * w[level - 1];
  }
  for (int level = 2; level >= 1; --level)
    expected += 9 * 3 * w[level] * w[level] + 2 * w[level] * w[level] + 6 * w[level] +
                4 * w[level] * (w[level + 1] + 1);
  EXPECT_EQ(count_parameters(
                *UNet(options_of(NetworkKind::kResidualUNet, NormKind::kBatch, HeadKind::kClasses), 1)),
            expected);
}

TEST(ResidualUNet, SeesAsFarAsItsConvolutionsReach) {
  // Per level of stride s a unit adds at most 1 + s (encoder: stride of its input, then its own), a decoder
  // unit 2 s; the grids of strides add less than one stride of the deepest level.
  for (const std::int64_t levels : {2, 3, 4}) {
    UNetOptions options = options_of(NetworkKind::kResidualUNet, NormKind::kBatch, HeadKind::kClasses);
    options.levels = levels;
    const std::int64_t stride = std::int64_t{1} << (levels - 1);
    std::int64_t most = 2 + stride - 1;
    for (std::int64_t s = 1; s < stride; s *= 2) most += s + 2 * s + 2 * s;
    const int radius = measure_receptive_radius(options);
    EXPECT_LE(radius, most) << levels;
    EXPECT_GE(radius, most - 2 * stride) << levels;
  }
}

TEST(GroupNorm, HasSixteenChannelsInAGroupWhereTheyDivide) {
  EXPECT_EQ(norm_groups(32), 2);
  EXPECT_EQ(norm_groups(512), 32);
  EXPECT_EQ(norm_groups(24), 3);  // of 8
  EXPECT_EQ(norm_groups(4), 1);
  EXPECT_EQ(norm_groups(5), 5);
}

TEST(GroupNorm, ScoresDependOnTheWholeWindow) {
  const torch::NoGradGuard no_grad;
  UNet network = settled(options_of(NetworkKind::kUNet, NormKind::kGroup, HeadKind::kClasses));
  torch::Tensor image = torch::randn({1, 2, 96, 96});
  const torch::Tensor before = network->forward(image);
  image[0][0][0][0] += 1000.0;
  EXPECT_GT((network->forward(image) - before)[0][0][95][95].abs().item<double>(), 1e-4);
}

TEST(MultiTaskHead, LogitsAreTheLogarithmsOfTheProduct) {
  // e = 0.8, b = 0.25: background 0.75 x 0.2, interior 0.75 x 0.8, boundary 0.25.
  const torch::Tensor logits = class_logits(torch::full({1, 1, 1, 1}, std::log(0.8 / 0.2)),
                                            torch::full({1, 1, 1, 1}, std::log(0.25 / 0.75)));
  const torch::Tensor p = torch::softmax(logits, 1).flatten();
  EXPECT_NEAR(p[0].item<double>(), 0.15, 1e-6);
  EXPECT_NEAR(p[1].item<double>(), 0.60, 1e-6);
  EXPECT_NEAR(p[2].item<double>(), 0.25, 1e-6);
  EXPECT_NEAR(logits.exp().sum().item<double>(), 1.0, 1e-6);
  const torch::Tensor extreme =
      class_logits(torch::full({1, 1, 1, 1}, 200.0), torch::full({1, 1, 1, 1}, -200.0));
  EXPECT_TRUE(torch::isfinite(extreme).all().item<bool>());
}

TEST(MultiTaskHead, RefusesOtherThanThreeClasses) {
  UNetOptions options = options_of(NetworkKind::kUNet, NormKind::kBatch, HeadKind::kMultiTask);
  options.classes = 2;
  EXPECT_THROW(UNet(options, 1), geo::InvalidArgument);
}

}  // namespace
}  // namespace furrow::segmentation
