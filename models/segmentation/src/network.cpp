#include <furrow/segmentation/network.h>

#include <optional>

#include <torch/script.h>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/sha256.h>
#include <furrow/geo/core/text.h>

#include "architecture_spec.h"
#include "autocast.h"
#include "device_turn.h"
#include "folded_unet.h"
#include "pickled_weights.h"
#include "script_rewrite.h"
#include "shift/shift_check.h"
#include "tensor_memory.h"
#include "torch_threads.h"

namespace furrow::segmentation {
namespace {

using geo::concat;
using geo::quoted;
namespace fs = std::filesystem;

/// The line of an exception of LibTorch that says what went wrong; the rest are its calls and its source
/// files.
std::string reason_of(const std::exception& error) {
  const auto* c10_error = dynamic_cast<const c10::Error*>(&error);
  const std::string text = c10_error != nullptr ? c10_error->what_without_backtrace() : error.what();
  std::string reason;
  for (const std::string& line : geo::split(text, '\n')) {
    if (line.starts_with("RuntimeError: ")) return line;
    if (reason.empty()) reason = geo::trim(line);
  }
  return reason;
}

void check_checksum(const ModelSpec& spec, const fs::path& file) {
  const std::string found = geo::sha256_of_file(file);
  if (spec.weights_sha256.empty() || found == spec.weights_sha256) return;
  throw geo::ModelError(concat("weights ", quoted(file.string()), " have checksum ", found,
                               ", but model.json says ", spec.weights_sha256,
                               "; the file was changed or belongs to another model"));
}

/// Weights as Furrow writes them, or as Python's torch.save does.
SafeTensors read_weights(const fs::path& file) {
  const std::string extension = geo::to_lower(file.extension().string());
  const bool pickled =
      extension == ".pt" || extension == ".pth" || extension == ".ckpt" || extension == ".bin";
  return pickled ? read_pickled_weights(file) : read_safetensors(file);
}

FoldedUNet load_unet(const ModelSpec& spec, const fs::path& folder) {
  const fs::path file = folder / spec.weights_file;
  check_checksum(spec, file);
  try {
    UNet network(network_options(spec), std::nullopt);
    from_tensors(*network, read_weights(file), file.string());
    network->eval();
    return FoldedUNet(network);
  } catch (const geo::InvalidArgument& error) {
    throw geo::ModelError(concat("model ", quoted(folder.string()), ": ", error.what()));
  }
}

torch::jit::Module load_torchscript(const ModelSpec& spec, const fs::path& folder) {
  const fs::path file = folder / spec.torchscript_file;
  if (spec.torchscript_file.empty() || !fs::exists(file)) {
    throw geo::IoError(concat("model ", quoted(folder.string()), " has architecture ",
                              quoted(spec.architecture), ", which is not built in, and no TorchScript file ",
                              quoted(file.string())));
  }
  try {
    torch::jit::Module module = torch::jit::load(file.string());
    module.eval();
    return faster_script(module);
  } catch (const std::exception& error) {
    throw geo::ModelError(
        concat("cannot load TorchScript ", quoted(file.string()), ": ", reason_of(error),
               "; the file must come from torch.jit.save and use no operation that is newer than "
               "LibTorch ",
               TORCH_VERSION));
  }
}

/// The logits in the answer of a network.
/// @throws geo::ModelError when the network does not answer as model.json promises
torch::Tensor logits_in(const torch::IValue& answer, const std::vector<std::int64_t>& expected,
                        const std::string& id) {
  if (!answer.isTensor()) {
    throw geo::ModelError(concat("model ", quoted(id), " answers with a ", answer.tagKind(),
                                 ", expected a tensor of shape ", shape_text(expected),
                                 "; wrap the network so that forward returns the logits alone"));
  }
  const torch::Tensor logits = answer.toTensor();
  if (logits.sizes().vec() == expected) return logits;
  throw geo::ModelError(concat("model ", quoted(id), " answers with shape ", shape_text(logits.sizes().vec()),
                               ", expected ", shape_text(expected)));
}

}  // namespace

struct TrainedNetwork::Impl {
  const TensorMemory memory{LargePages::kNo};
  fs::path folder;
  ModelSpec spec;
  torch::Device device = torch::kCPU;
  std::optional<FoldedUNet> unet;
  std::optional<torch::jit::Module> script;

  /// Valid while this object lives.
  [[nodiscard]] PartScoreFunction function_of(std::shared_ptr<const FoldedUNet> other) const;
  /// @param other  to use instead of `unet`, for example in bf16; nullptr = the network as it is
  void score(const FoldedUNet* other, std::span<const float> input, std::int64_t n, std::int64_t bands,
             std::int64_t height, std::int64_t width, const geo::Window& part, std::span<float> output) const;
  void check_shapes(std::size_t input, std::int64_t n, std::int64_t bands, std::int64_t height,
                    std::int64_t width, const geo::Window& part, std::size_t output) const;
  /// Logits [n, classes, part.height, part.width] of x [n, bands, height, width].
  void logits(const FoldedUNet* other, const torch::Tensor& x, const geo::Window& part,
              const FoldedUNet::TakeRows& take) const;
};

void TrainedNetwork::Impl::check_shapes(std::size_t input, std::int64_t n, std::int64_t bands,
                                        std::int64_t height, std::int64_t width, const geo::Window& part,
                                        std::size_t output) const {
  const auto classes = static_cast<std::int64_t>(spec.classes.size());
  const bool is_inside = geo::intersection(part, {0, 0, width, height}) == part;
  if (bands == static_cast<std::int64_t>(spec.bands.size()) && height % spec.stride_px == 0 &&
      width % spec.stride_px == 0 && is_inside &&
      input == static_cast<std::size_t>(n * bands * height * width) &&
      output == static_cast<std::size_t>(n * classes * part.pixels())) {
    return;
  }
  throw geo::ModelError(concat("model ", quoted(spec.id), " takes ", spec.bands.size(),
                               " bands and sides that are multiples of ", spec.stride_px, ", got ",
                               shape_text({n, bands, height, width})));
}

void TrainedNetwork::Impl::logits(const FoldedUNet* other, const torch::Tensor& x, const geo::Window& part,
                                  const FoldedUNet::TakeRows& take) const {
  const FoldedUNet* network = other == nullptr && unet ? &*unet : other;
  if (network != nullptr) {
    return network->forward(device.is_cpu() ? x : on_device(x, device, network->type()), part, take);
  }
  // A script keeps a state while it runs; a copy per call shares the weights and nothing else.
  const torch::IValue answer = torch::jit::Module(*script).forward({on_device(x, device, torch::kFloat)});
  const auto classes = static_cast<std::int64_t>(spec.classes.size());
  take(0, logits_in(answer, {x.size(0), classes, x.size(2), x.size(3)}, spec.id)
              .narrow(2, part.row, part.height)
              .narrow(3, part.col, part.width));
}

void TrainedNetwork::Impl::score(const FoldedUNet* other, std::span<const float> input, std::int64_t n,
                                 std::int64_t bands, std::int64_t height, std::int64_t width,
                                 const geo::Window& part, std::span<float> output) const {
  check_shapes(input.size(), n, bands, height, width, part, output.size());
  use_one_torch_thread();
  const c10::InferenceMode inference;
  try {
    // from_blob wants a pointer that may be written through; the network does not.
    const torch::Tensor x =
        torch::from_blob(const_cast<float*>(input.data()), {n, bands, height, width}, torch::kFloat);
    const auto classes = static_cast<std::int64_t>(spec.classes.size());
    const torch::Tensor scores = torch::from_blob(output.data(), {n, classes, part.height, part.width});
    const DeviceTurn turn(device);
    logits(other, x, part, [&](std::int64_t first, const torch::Tensor& rows) {
      scores.narrow(2, first, rows.size(2))
          .copy_(torch::softmax(rows.to(torch::kFloat) / spec.temperature, 1));
    });
  } catch (const geo::Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    const std::string reason = reason_of(error);
    const bool is_full = reason.find("out of memory") != std::string::npos;
    throw geo::ModelError(concat("model ", quoted(spec.id), " failed on input ",
                                 shape_text({n, bands, height, width}), ": ", reason,
                                 is_full ? "; smaller tiles (--tile-px) need less memory" : ""));
  }
}

TrainedNetwork::TrainedNetwork(const fs::path& folder, Device device) : m_impl(std::make_unique<Impl>()) {
  m_impl->device = torch_device(device);
  m_impl->folder = folder;
  m_impl->spec = read_model_spec(folder);
  if (is_built_in(m_impl->spec)) {
    m_impl->unet.emplace(load_unet(m_impl->spec, folder));
  } else {
    m_impl->script.emplace(load_torchscript(m_impl->spec, folder));
  }
  if (m_impl->device.is_cpu()) return;
  at::globalContext().setAllowTF32CuDNN(false);  // fp32 is to be fp32
  if (m_impl->unet) m_impl->unet->move_to(m_impl->device);
  if (m_impl->script) m_impl->script->to(m_impl->device);
}

TrainedNetwork::~TrainedNetwork() = default;
TrainedNetwork::TrainedNetwork(TrainedNetwork&&) noexcept = default;

const ModelSpec& TrainedNetwork::spec() const noexcept {
  return m_impl->spec;
}

std::optional<ShiftCheck> TrainedNetwork::shift_check() const {
  return make_shift_check(m_impl->unet ? &*m_impl->unet : nullptr, m_impl->spec, m_impl->folder);
}

ScoreFunction TrainedNetwork::score_function() const {
  return [impl = m_impl.get()](std::span<const float> input, std::int64_t n, std::int64_t bands,
                               std::int64_t height, std::int64_t width, std::span<float> output) {
    impl->score(nullptr, input, n, bands, height, width, {0, 0, width, height}, output);
  };
}

PartScoreFunction TrainedNetwork::Impl::function_of(std::shared_ptr<const FoldedUNet> other) const {
  return [this, other](std::span<const float> input, std::int64_t n, std::int64_t bands, std::int64_t height,
                       std::int64_t width, const geo::Window& part, std::span<float> output) {
    score(other.get(), input, n, bands, height, width, part, output);
  };
}

PartScoreFunction TrainedNetwork::part_score_function(Precision precision) const {
  if (precision == Precision::kFp32) return m_impl->function_of(nullptr);
  if (!has_bf16()) {
    throw geo::ModelError(concat("model ", quoted(m_impl->spec.id), " has architecture ",
                                 quoted(m_impl->spec.architecture),
                                 ", which is not built in: it runs in the precision it was saved in"));
  }
  auto bf16 = std::make_shared<FoldedUNet>(*m_impl->unet);
  bf16->convert(torch::kBFloat16);
  return m_impl->function_of(std::move(bf16));
}

std::vector<PartScoreFunction> TrainedNetwork::dropout_passes(int passes, std::uint64_t seed,
                                                              Precision precision) const {
  const ModelSpec& spec = m_impl->spec;
  if (!m_impl->unet) {
    throw geo::ModelError(concat("model ", quoted(spec.id), " has architecture ", quoted(spec.architecture),
                                 ", which is not built in: nothing is known of its dropout"));
  }
  const double share = network_options(spec).dropout;
  if (share <= 0.0) {
    throw geo::ModelError(
        concat("model ", quoted(spec.id),
               " was trained without dropout, so passes with dropout say nothing of it; turn "
               "the image or use several models"));
  }
  std::vector<PartScoreFunction> functions;
  for (int pass = 0; pass < passes; ++pass) {
    auto network = std::make_shared<FoldedUNet>(
        m_impl->unet->with_dropped_channels(share, seed, static_cast<std::uint64_t>(pass)));
    if (precision == Precision::kBf16) network->convert(torch::kBFloat16);
    functions.push_back(m_impl->function_of(std::move(network)));
  }
  return functions;
}

bool TrainedNetwork::has_bf16() const noexcept {
  return m_impl->unet.has_value();
}

}  // namespace furrow::segmentation
