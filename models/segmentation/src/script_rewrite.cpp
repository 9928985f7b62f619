#include "script_rewrite.h"

#include <algorithm>
#include <optional>
#include <vector>

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>

namespace furrow::segmentation {
namespace {

using torch::jit::Node;
using torch::jit::Value;

/// A convolution as two kinds of nodes describe it.
struct Convolution {
  torch::Tensor weight;  ///< [in, out, 2, 2]
  torch::Tensor bias;    ///< may be undefined
};

bool all_equal(const torch::IValue& value, std::int64_t expected) {
  if (value.isInt()) return value.toInt() == expected;
  if (!value.isIntList()) return false;
  return std::ranges::all_of(value.toIntVector(), [&](std::int64_t v) { return v == expected; });
}

/// Constants at the named inputs of a node; empty when one of them is computed.
std::optional<std::vector<torch::IValue>> constants(const Node& node,
                                                    std::initializer_list<const char*> names) {
  std::vector<torch::IValue> values;
  for (const char* name : names) {
    const auto value = torch::jit::toIValue(node.namedInput(name));
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return values;
}

/// The convolution of a node that can be replaced.
std::optional<Convolution> replaceable(const Node& node) {
  const bool general = node.kind() == c10::Symbol::fromQualString("aten::_convolution");
  if (!general && node.kind() != c10::Symbol::fromQualString("aten::conv_transpose2d")) return std::nullopt;
  if (general) {
    const auto transposed = constants(node, {"transposed"});
    if (!transposed || !transposed->front().toBool()) return std::nullopt;
  }
  const auto found =
      constants(node, {"weight", "bias", "stride", "padding", "output_padding", "groups", "dilation"});
  if (!found) return std::nullopt;
  const auto& values = *found;
  if (!values[0].isTensor() || !all_equal(values[2], 2) || !all_equal(values[3], 0) ||
      !all_equal(values[4], 0) || !all_equal(values[5], 1) || !all_equal(values[6], 1)) {
    return std::nullopt;
  }
  Convolution result{values[0].toTensor(), values[1].isTensor() ? values[1].toTensor() : torch::Tensor()};
  if (result.weight.dim() != 4 || result.weight.size(2) != 2 || result.weight.size(3) != 2)
    return std::nullopt;
  return result;
}

/// Channel 4 o + 2 y + x of the 1 x 1 convolution is what pixel (x, y) of each 2 x 2 gets in channel o.
void replace(Node& node, const Convolution& convolution) {
  torch::jit::Graph& graph = *node.owningGraph();
  const torch::jit::WithInsertPoint here(&node);
  const std::int64_t in = convolution.weight.size(0);
  const std::int64_t out = convolution.weight.size(1);
  const torch::Tensor weight =
      convolution.weight.permute({1, 2, 3, 0}).reshape({4 * out, in, 1, 1}).contiguous();
  Value* bias = convolution.bias.defined() ? graph.insertConstant(convolution.bias.repeat_interleave(4))
                                           : graph.insertConstant(torch::IValue());
  const std::vector<std::int64_t> one{1, 1};
  Value* channels = graph.insert(c10::Symbol::fromQualString("aten::conv2d"),
                                 {node.namedInput("input"), graph.insertConstant(weight), bias, one,
                                  std::vector<std::int64_t>{0, 0}, one, 1});
  Value* shuffled = graph.insert(c10::Symbol::fromQualString("aten::pixel_shuffle"), {channels, 2});
  node.output()->replaceAllUsesWith(shuffled);
}

int replace_in(torch::jit::Block& block) {
  int replaced = 0;
  for (auto it = block.nodes().begin(); it != block.nodes().end();) {
    Node& node = **it++;
    for (torch::jit::Block* inner : node.blocks()) replaced += replace_in(*inner);
    if (const auto convolution = replaceable(node)) {
      replace(node, *convolution);
      node.destroy();
      ++replaced;
    }
  }
  return replaced;
}

}  // namespace

int replace_transposed_convolutions(torch::jit::Graph& graph) {
  const int replaced = replace_in(*graph.block());
  torch::jit::EliminateDeadCode(graph.block());
  return replaced;
}

torch::jit::Module faster_script(const torch::jit::Module& module) {
  try {
    const torch::NoGradGuard no_grad;
    torch::jit::Module frozen = torch::jit::freeze(module);
    const int replaced = replace_transposed_convolutions(*frozen.get_method("forward").graph());
    geo::log_debug(geo::concat("TorchScript frozen; ", replaced, " transposed convolutions replaced"));
    return frozen;
  } catch (const c10::Error& error) {
    geo::log_debug(geo::concat("TorchScript is used as it is: ", error.what_without_backtrace()));
    return module;
  }
}

}  // namespace furrow::segmentation
