#include "pickled_weights.h"

#include <vector>

#include <torch/torch.h>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::segmentation {
namespace {

using geo::concat;
using geo::quoted;
namespace fs = std::filesystem;

/// Says what a file holds that LibTorch cannot read, and the line of Python that makes a readable one of it.
[[noreturn]] void refuse_weights(const fs::path& path, const std::string& bytes) {
  const auto has = [&bytes](const char* word) { return bytes.find(word) != std::string::npos; };
  const std::string load =
      concat("torch.load('", path.filename().string(), "', map_location='cpu', weights_only=False)");
  std::string found = "an OrderedDict";
  std::string dict = concat("dict(", load, ")");
  if (!bytes.starts_with("PK")) {
    found = "no archive of PyTorch 1.6 or later";
  } else if (has("state_dict") && !has("_state_dict_hooks")) {
    found = "a training checkpoint";
    dict = concat("{k.removeprefix('model.'): v for k, v in ", load, "['state_dict'].items()}");
  } else if (has("_modules") || !has("OrderedDict")) {
    found = "Python objects";
    dict = concat("dict(", load, ".state_dict())");
  }
  throw geo::ModelError(concat("weights ", quoted(path.string()), " hold ", found,
                               " instead of a plain dict of tensors; in Python run: torch.save(", dict,
                               ", 'weights.pt')"));
}

torch::IValue unpickle(const fs::path& path, const std::string& bytes) {
  try {
    return torch::pickle_load(std::vector<char>(bytes.begin(), bytes.end()));
  } catch (const std::exception&) {
    // LibTorch's own words name its source files and help nobody.
    refuse_weights(path, bytes);
  }
}

StoredTensor store(torch::Tensor tensor, const fs::path& path, const std::string& name) {
  if (tensor.is_floating_point()) tensor = tensor.to(torch::kFloat);
  if (tensor.scalar_type() != torch::kFloat && tensor.scalar_type() != torch::kLong) {
    throw geo::ModelError(concat("weights ", quoted(path.string()), ": tensor ", quoted(name),
                                 " holds neither floating-point numbers nor 64-bit integers"));
  }
  const torch::Tensor plain = tensor.to(torch::kCPU).contiguous();
  StoredTensor stored{plain.scalar_type() == torch::kLong ? TensorType::kInt64 : TensorType::kFloat32,
                      plain.sizes().vec(),
                      {}};
  stored.bytes.assign(static_cast<const char*>(plain.data_ptr()), plain.nbytes());
  return stored;
}

}  // namespace

SafeTensors read_pickled_weights(const fs::path& path) {
  const std::string bytes = geo::read_text_file(path);
  const torch::IValue content = unpickle(path, bytes);
  if (!content.isGenericDict()) refuse_weights(path, bytes);
  SafeTensors result;
  for (const auto& item : content.toGenericDict()) {
    if (!item.key().isString() || !item.value().isTensor()) refuse_weights(path, bytes);
    const std::string& name = item.key().toStringRef();
    result.tensors[name] = store(item.value().toTensor().detach(), path, name);
  }
  return result;
}

}  // namespace furrow::segmentation
