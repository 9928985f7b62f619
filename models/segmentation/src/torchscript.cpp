#include "torchscript.h"

#include <sstream>
#include <string>

#include <torch/script.h>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::segmentation {
namespace {

using geo::concat;
using geo::quoted;

constexpr const char* kConvBlock = R"(
def forward(self, x: Tensor) -> Tensor:
    x = torch.conv2d(x, self.conv1.weight, None, [1, 1], [1, 1], [1, 1], 1)
    x = torch.batch_norm(x, self.norm1.weight, self.norm1.bias, self.norm1.running_mean, self.norm1.running_var, False, 0.1, EPS, False)
    x = torch.relu(x)
    x = torch.conv2d(x, self.conv2.weight, None, [1, 1], [1, 1], [1, 1], 1)
    x = torch.batch_norm(x, self.norm2.weight, self.norm2.bias, self.norm2.running_mean, self.norm2.running_var, False, 0.1, EPS, False)
    return torch.relu(x)
)";

constexpr const char* kUpBlock = R"(
def join(self, x: Tensor, skip: Tensor) -> Tensor:
    x = torch.conv2d(x, self.up.weight, self.up.bias, [1, 1], [0, 0], [1, 1], 1)
    return self.forward(torch.cat([skip, torch.pixel_shuffle(x, 2)], 1))
)";

/// The forward function of the whole network, as many lines as it has levels.
std::string unet_source(std::size_t levels) {
  const auto block = [](const char* list, std::size_t i) {
    return concat("getattr(self.", list, ", \"", i, "\")");
  };
  std::string source = "def forward(self, x: Tensor) -> Tensor:\n";
  source += concat("    x0 = ", block("encoder", 0), ".forward(x)\n");
  for (std::size_t i = 1; i < levels; ++i) {
    source += concat("    x", i, " = ", block("encoder", i), ".forward(torch.max_pool2d(x", i - 1,
                     ", [2, 2], [2, 2], [0, 0], [1, 1], False))\n");
  }
  std::string last = concat("x", levels - 1);
  for (std::size_t i = 0; i + 1 < levels; ++i) {
    const std::string next = concat("y", i);
    source += concat("    ", next, " = ", block("decoder", i), ".join(", last, ", x", levels - 2 - i, ")\n");
    last = next;
  }
  return source + concat("    return torch.conv2d(", last,
                         ", self.head.weight, self.head.bias, [1, 1], [0, 0], [1, 1], 1)\n");
}

/// The script code of a module, by its class; empty for those that only hold tensors.
std::string source_of(const torch::nn::Module& module) {
  std::string source;
  if (const auto* unet = module.as<UNet>()) source = unet_source(unet->encoder->size());
  if (const auto* block = dynamic_cast<const ConvBlockImpl*>(&module)) {
    source = kConvBlock;
    const std::string eps = geo::shortest(block->norm1->options.eps());
    for (auto at = source.find("EPS"); at != std::string::npos; at = source.find("EPS"))
      source.replace(at, 3, eps);
  }
  return source;
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
  if (const std::string source = source_of(module); !source.empty()) script.define(source);
  if (dynamic_cast<const UpBlockImpl*>(&module) != nullptr) script.define(kUpBlock);
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
