#include "unet.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>

namespace furrow::segmentation {
namespace {

/// A block of the network that the options name.
void add_block(torch::nn::ModuleList& list, NetworkKind kind, const BlockOptions& options) {
  if (kind == NetworkKind::kUNet) {
    list->push_back(ConvBlock(options));
  } else {
    list->push_back(ResidualBlock(options));
  }
}

/// He et al. 2015 for convolutions that feed a ReLU; biases 0. Batch normalisation keeps its 1 and 0.
void initialise(torch::nn::Module& network, std::uint64_t seed) {
  const torch::NoGradGuard no_grad;
  for (const auto& item : network.named_parameters()) {
    torch::Tensor values = item.value();
    if (values.dim() == 1) {
      if (item.key().find("norm") == std::string::npos) values.zero_();
      continue;
    }
    const auto fan_in = static_cast<double>(values.numel() / values.size(0));
    const double sd = std::sqrt((item.key().starts_with("head.") ? 1.0 : 2.0) / fan_in);
    geo::Random random(seed, geo::stable_hash(item.key()));
    auto* data = values.data_ptr<float>();
    for (std::int64_t i = 0; i < values.numel(); ++i) data[i] = static_cast<float>(random.normal(0.0, sd));
  }
}

std::vector<std::int64_t> shape_of(const torch::Tensor& tensor) {
  return tensor.sizes().vec();
}

/// Parameters and buffers together, in no particular order.
std::vector<std::pair<std::string, torch::Tensor>> named_tensors(const torch::nn::Module& network) {
  std::vector<std::pair<std::string, torch::Tensor>> all;
  for (const auto& item : network.named_parameters()) all.emplace_back(item.key(), item.value());
  for (const auto& item : network.named_buffers()) all.emplace_back(item.key(), item.value());
  return all;
}

TensorType type_of(const torch::Tensor& tensor) {
  return tensor.scalar_type() == torch::kLong ? TensorType::kInt64 : TensorType::kFloat32;
}

/// Largest distance from (centre, centre) to a pixel that is not zero.
std::int64_t reach(const torch::Tensor& answer, std::int64_t centre) {
  const torch::Tensor touched = torch::nonzero(answer[0].sum(0));
  return (touched - centre).abs().max().item<std::int64_t>();
}

}  // namespace

void check_unet_options(const UNetOptions& options) {
  const auto need = [](bool good, const char* what, auto value) {
    if (!good) throw geo::InvalidArgument(geo::concat("a U-Net needs ", what, ", got ", value));
  };
  need(options.bands >= 1, "at least one band", options.bands);
  need(options.base_width >= 1 && options.base_width <= 1024, "a base width of 1..1024", options.base_width);
  need(options.levels >= 2 && options.levels <= 7, "2..7 levels", options.levels);
  need(options.dropout >= 0.0 && options.dropout < 1.0, "a dropout in [0, 1)", options.dropout);
  need(options.classes >= 2, "at least 2 classes", options.classes);
  need(options.head == HeadKind::kClasses || options.classes == 3, "3 classes with a multi-task head",
       options.classes);
}

UNetImpl::UNetImpl(const UNetOptions& unet_options, std::optional<std::uint64_t> seed)
    : options(unet_options) {
  check_unet_options(options);
  const auto width = [&](std::int64_t level) { return options.base_width << level; };
  for (std::int64_t level = 0; level < options.levels; ++level) {
    add_block(encoder, options.network,
              {level == 0 ? options.bands : width(level - 1), width(level),
               level == 0 ? Place::kFirst : Place::kDown, options.norm});
  }
  for (std::int64_t level = options.levels - 2; level >= 0; --level)
    add_block(decoder, options.network, {width(level + 1), width(level), Place::kUp, options.norm});
  register_module("encoder", encoder);
  register_module("decoder", decoder);
  drop = register_module("drop", torch::nn::Dropout2d(options.dropout));
  if (options.head == HeadKind::kClasses) {
    head = register_module("head", conv1x1(options.base_width, options.classes));
  } else {
    multi_task_head = register_module("head", MultiTaskHead(options.base_width));
  }
  if (seed) initialise(*this, *seed);
}

torch::Tensor UNetImpl::features(const torch::Tensor& input) {
  std::vector<torch::Tensor> skips;
  torch::Tensor x = encoder[0]->as<BlockImpl>()->forward(input);
  for (std::size_t level = 1; level < encoder->size(); ++level) {
    skips.push_back(x);
    x = drop(encoder[level]->as<BlockImpl>()->forward(x));
  }
  for (std::size_t i = 0; i < decoder->size(); ++i) {
    x = decoder[i]->as<BlockImpl>()->join(x, skips.back());
    skips.pop_back();
    if (!skips.empty()) x = drop(x);
  }
  return x;
}

torch::Tensor UNetImpl::forward(const torch::Tensor& input) {
  const torch::Tensor x = features(input);
  return head.is_empty() ? multi_task_head->logits(x) : head(x);
}

NetworkOutput UNetImpl::forward_all(const torch::Tensor& input) {
  const torch::Tensor x = features(input);
  if (head.is_empty()) return multi_task_head(x);
  return {head(x), {}};
}

std::int64_t count_parameters(const torch::nn::Module& network) {
  std::int64_t count = 0;
  for (const torch::Tensor& tensor : network.parameters()) count += tensor.numel();
  return count;
}

int measure_receptive_radius(const UNetOptions& options) {
  const torch::NoGradGuard no_grad;
  UNet probe(UNetOptions{.bands = 1,
                         .base_width = 1,
                         .levels = options.levels,
                         .dropout = 0.0,
                         .classes = 2,
                         .network = options.network},
             0);
  probe->to(torch::kDouble);
  probe->eval();
  for (torch::Tensor& weights : probe->parameters()) weights.fill_(weights.dim() == 1 ? 0.0 : 1.0);
  // Without biases, and with normalisation that only scales, the answer is positive exactly where the pixel
  // is seen.
  for (const auto& item : probe->named_parameters()) {
    if (item.key().find("norm") != std::string::npos && item.key().find("weight") != std::string::npos) {
      item.value().fill_(1.0);
    }
  }
  const std::int64_t stride = probe->stride();
  const std::int64_t side = 16 * stride;
  std::int64_t radius = 0;
  for (std::int64_t phase = 0; phase < stride; ++phase) {
    const std::int64_t centre = 8 * stride + phase;
    torch::Tensor image = torch::zeros({1, 1, side, side}, torch::kDouble);
    image[0][0][centre][centre] = 1.0;
    radius = std::max(radius, reach(probe->forward(image), centre));
  }
  return static_cast<int>(radius);
}

SafeTensors to_tensors(const torch::nn::Module& network) {
  SafeTensors content;
  for (const auto& [name, tensor] : named_tensors(network)) {
    const torch::Tensor plain = tensor.detach().to(torch::kCPU).contiguous();
    StoredTensor stored{type_of(plain), shape_of(plain), {}};
    stored.bytes.assign(static_cast<const char*>(plain.data_ptr()), plain.nbytes());
    content.tensors[name] = std::move(stored);
  }
  return content;
}

void from_tensors(torch::nn::Module& network, const SafeTensors& content, const std::string& origin) {
  const torch::NoGradGuard no_grad;
  auto expected = named_tensors(network);
  for (auto& [name, tensor] : expected) {
    const auto found = content.tensors.find(name);
    if (found == content.tensors.end()) {
      throw geo::ModelError(geo::concat("weights ", geo::quoted(origin), " lack tensor ", geo::quoted(name),
                                        " of shape ", shape_text(shape_of(tensor))));
    }
    const StoredTensor& stored = found->second;
    if (stored.shape != shape_of(tensor) || stored.type != type_of(tensor)) {
      throw geo::ModelError(geo::concat("weights ", geo::quoted(origin), ": tensor ", geo::quoted(name),
                                        " has shape ", shape_text(stored.shape), ", expected ",
                                        shape_text(shape_of(tensor))));
    }
    torch::Tensor plain = torch::empty(tensor.sizes(), tensor.options().device(torch::kCPU));
    std::memcpy(plain.data_ptr(), stored.bytes.data(), stored.bytes.size());
    tensor.copy_(plain);
  }
  if (content.tensors.size() == expected.size()) return;
  for (const auto& [name, stored] : content.tensors) {
    const bool known =
        std::any_of(expected.begin(), expected.end(), [&](const auto& e) { return e.first == name; });
    if (!known) {
      throw geo::ModelError(geo::concat("weights ", geo::quoted(origin), " hold a tensor ", geo::quoted(name),
                                        " that the network does not have"));
    }
  }
}

void use_channels_last(torch::nn::Module& network) {
  for (torch::Tensor& tensor : network.parameters()) {
    if (tensor.dim() == 4) tensor.set_data(tensor.detach().contiguous(torch::MemoryFormat::ChannelsLast));
  }
}

}  // namespace furrow::segmentation
