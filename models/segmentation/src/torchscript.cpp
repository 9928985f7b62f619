#include "torchscript.h"

#include <sstream>
#include <string>
#include <vector>

#include <torch/script.h>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::segmentation {
namespace {

using geo::concat;
using geo::quoted;

// In the sources, NORM1 and NORM2 stand for a normalisation, STRIDE for that of a block's first convolution.

constexpr const char* kConvBlock = R"(
def forward(self, x: Tensor) -> Tensor:
    x = torch.conv2d(x, self.conv1.weight, None, [1, 1], [1, 1], [1, 1], 1)
    NORM1
    x = torch.relu(x)
    x = torch.conv2d(x, self.conv2.weight, None, [1, 1], [1, 1], [1, 1], 1)
    NORM2
    return torch.relu(x)
)";

constexpr const char* kResidualBlock = R"(
def forward(self, x: Tensor) -> Tensor:
    other = torch.conv2d(x[:, :, ::STRIDE, ::STRIDE], self.shortcut.weight, None, [1, 1], [0, 0], [1, 1], 1)
    NORM1
    x = torch.conv2d(x, self.conv1.weight, None, [STRIDE, STRIDE], [1, 1], [1, 1], 1)
    NORM2
    x = torch.relu(x)
    return torch.conv2d(x, self.conv2.weight, None, [1, 1], [1, 1], [1, 1], 1) + other
)";

constexpr const char* kMultiTaskHead = R"(
def forward(self, x: Tensor) -> Tensor:
    extent = torch.conv2d(x, self.extent.weight, self.extent.bias, [1, 1], [0, 0], [1, 1], 1)
    boundary = torch.conv2d(x, self.boundary.weight, self.boundary.bias, [1, 1], [0, 0], [1, 1], 1)
    no_boundary = torch.log_sigmoid(-boundary)
    return torch.cat([no_boundary + torch.log_sigmoid(-extent), no_boundary + torch.log_sigmoid(extent), torch.log_sigmoid(boundary)], 1)
)";

constexpr const char* kUpBlock = R"(
def join(self, x: Tensor, skip: Tensor) -> Tensor:
    x = torch.conv2d(x, self.up.weight, self.up.bias, [1, 1], [0, 0], [1, 1], 1)
    return self.forward(torch.cat([skip, torch.pixel_shuffle(x, 2)], 1))
)";

std::string replaced(std::string source, const std::string& word, const std::string& by) {
  for (auto at = source.find(word); at != std::string::npos; at = source.find(word, at + by.size()))
    source.replace(at, word.size(), by);
  return source;
}

/// The line that normalises x.
std::string norm_line(const char* name, const torch::nn::AnyModule& norm) {
  const std::string self = concat("self.", name);
  if (const auto* batch = norm.ptr()->as<torch::nn::BatchNorm2d>()) {
    return concat("x = torch.batch_norm(x, ", self, ".weight, ", self, ".bias, ", self, ".running_mean, ",
                  self, ".running_var, False, 0.1, ", geo::shortest(batch->options.eps()), ", False)");
  }
  const auto* group = norm.ptr()->as<torch::nn::GroupNorm>();
  return concat("x = torch.group_norm(x, ", group->options.num_groups(), ", ", self, ".weight, ", self,
                ".bias, ", geo::shortest(group->options.eps()), ", False)");
}

/// The forward function of a block, and `join` where it is of the decoder. Pooling is left to the network.
std::vector<std::string> block_sources(const BlockImpl& block) {
  const bool residual = block.as<ResidualBlock>() != nullptr;
  std::string source = residual ? kResidualBlock : kConvBlock;
  std::string first = block.norm1.is_empty() ? "pass" : norm_line("norm1", block.norm1);
  if (residual && !block.norm1.is_empty()) first += "\n    x = torch.relu(x)";
  source = replaced(source, "NORM1", first);
  source = replaced(source, "NORM2", norm_line("norm2", block.norm2));
  source = replaced(source, "STRIDE", block.options.place == Place::kDown ? "2" : "1");
  std::vector<std::string> sources{source};
  if (block.options.place == Place::kUp) sources.emplace_back(kUpBlock);
  return sources;
}

/// The forward function of the whole network, as many lines as it has levels.
std::string unet_source(const UNetImpl& network) {
  const auto block = [](const char* list, std::size_t i) {
    return concat("getattr(self.", list, ", \"", i, "\")");
  };
  const std::size_t levels = network.encoder->size();
  const bool pools = network.options.network == NetworkKind::kUNet;
  std::string source = "def forward(self, x: Tensor) -> Tensor:\n";
  source += concat("    x0 = ", block("encoder", 0), ".forward(x)\n");
  for (std::size_t i = 1; i < levels; ++i) {
    const std::string above = concat("x", i - 1);
    source +=
        concat("    x", i, " = ", block("encoder", i), ".forward(",
               pools ? concat("torch.max_pool2d(", above, ", [2, 2], [2, 2], [0, 0], [1, 1], False)") : above,
               ")\n");
  }
  std::string last = concat("x", levels - 1);
  for (std::size_t i = 0; i + 1 < levels; ++i) {
    const std::string next = concat("y", i);
    source += concat("    ", next, " = ", block("decoder", i), ".join(", last, ", x", levels - 2 - i, ")\n");
    last = next;
  }
  if (network.options.head == HeadKind::kMultiTask)
    return source + concat("    return self.head.forward(", last, ")\n");
  return source + concat("    return torch.conv2d(", last,
                         ", self.head.weight, self.head.bias, [1, 1], [0, 0], [1, 1], 1)\n");
}

/// The script code of a module, by its class; empty for those that only hold tensors.
std::vector<std::string> sources_of(const torch::nn::Module& module) {
  if (const auto* network = module.as<UNet>()) return {unet_source(*network)};
  if (module.as<MultiTaskHead>() != nullptr) return {kMultiTaskHead};
  if (const auto* block = module.as<BlockImpl>()) return block_sources(*block);
  return {};
}

/// A script module with the same children, parameters and buffers as a network.
torch::jit::Module mirror(const torch::nn::Module& module, const std::string& name,
                          const std::shared_ptr<torch::jit::CompilationUnit>& unit) {
  torch::jit::Module script(c10::QualifiedName(concat("__torch__.furrow.", name)), unit, true);
  script.register_attribute("training", c10::BoolType::get(), false);
  for (const auto& item : module.named_parameters(false)) {
    script.register_parameter(item.key(), item.value().detach().contiguous().clone(), false);
  }
  for (const auto& item : module.named_buffers(false)) {
    script.register_buffer(item.key(), item.value().detach().contiguous().clone());
  }
  for (const auto& child : module.named_children()) {
    script.register_module(child.key(), mirror(*child.value(), concat("Part_", child.key()), unit));
  }
  for (const std::string& source : sources_of(module)) script.define(source);
  return script;
}

void check_equal(const UNet& network, const std::filesystem::path& path) {
  const torch::NoGradGuard no_grad;
  torch::jit::Module script = torch::jit::load(path.string());
  const std::int64_t side = 2 * network->stride();
  const torch::Tensor ramp =
      torch::arange(network->options.bands * side * (side + network->stride()), torch::kFloat);
  const torch::Tensor input =
      torch::sin(ramp * 0.37).reshape({1, network->options.bands, side, side + network->stride()});
  const bool training = network->is_training();
  UNet(network)->eval();
  const torch::Tensor expected = UNet(network)->forward(input);
  UNet(network)->train(training);
  const torch::Tensor found = script.forward({input}).toTensor();
  const double largest = (found - expected).abs().max().item<double>();
  const double scale = std::max(1.0, expected.abs().max().item<double>());
  if (!(largest <= 1e-5 * scale)) {
    throw geo::ModelError(concat("the TorchScript file ", quoted(path.string()),
                                 " differs from the trained network by ", largest, "; it was not kept"));
  }
}

}  // namespace

void write_torchscript(const UNet& network, const std::filesystem::path& path) {
  try {
    const auto unit = std::make_shared<torch::jit::CompilationUnit>();
    // Into memory first: LibTorch's own file writer ends the program when the disk is full.
    std::ostringstream file;
    mirror(*network, "UNet", unit).save(file);
    geo::write_text_file(path, file.str(), true);
    check_equal(network, path);
  } catch (const c10::Error& error) {
    throw geo::IoError(
        concat("cannot write TorchScript ", quoted(path.string()), ": ", error.what_without_backtrace()));
  }
}

}  // namespace furrow::segmentation
