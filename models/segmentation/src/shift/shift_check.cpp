#include "shift_check.h"

#include <memory>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/sha256.h>
#include <furrow/geo/core/text.h>

#include "feature_reference.h"
#include "torch_threads.h"
#include "training_features.h"

namespace furrow::segmentation {
namespace {

namespace fs = std::filesystem;
using geo::concat;
using geo::quoted;

std::shared_ptr<const FeatureReference> load(const ModelSpec& spec, const fs::path& file) {
  if (const std::string found = geo::sha256_of_file(file); found != spec.features->sha256) {
    throw geo::ModelError(concat("features ", quoted(file.string()), " have checksum ", found,
                                 ", but model.json says ", spec.features->sha256,
                                 "; the file was changed or belongs to another model"));
  }
  StoredFeatures stored = read_feature_reference(file);
  if (spec.weights_sha256.empty() || stored.weights_sha256 != spec.weights_sha256) return nullptr;
  return std::make_shared<const FeatureReference>(std::move(stored.reference));
}

SceneShift judge(const FeatureReference& reference, const std::vector<std::vector<float>>& windows) {
  use_one_torch_thread();
  const c10::InferenceMode inference;
  const std::int64_t width = reference.statistics.mean.size(0);
  torch::Tensor features = torch::empty({std::ssize(windows), width}, torch::kDouble);
  for (std::size_t i = 0; i < windows.size(); ++i) {
    if (std::ssize(windows[i]) != width) {
      throw geo::ModelError(concat("the network gives ", windows[i].size(), " features, the model stores ",
                                   width, "; the features belong to another model"));
    }
    features[static_cast<std::int64_t>(i)] = torch::tensor(windows[i], torch::kDouble);
  }
  return reference.judge(features);
}

}  // namespace

std::optional<ShiftCheck> make_shift_check(const FoldedUNet* network, const ModelSpec& spec,
                                           const fs::path& folder) {
  if (network == nullptr || !spec.features) {
    geo::log_info(concat("model ", quoted(spec.id),
                         " holds no features of its training windows: the shift of images is not measured"));
    return std::nullopt;
  }
  const auto reference = load(spec, folder / spec.features->file);
  if (!reference) {
    geo::log_info(concat("the features of model ", quoted(spec.id),
                         " belong to other weights: the shift of images is not measured"));
    return std::nullopt;
  }
  const auto bands = static_cast<std::int64_t>(spec.bands.size());
  const std::int64_t side = spec.features->window_px;
  if (side % spec.stride_px != 0) {
    throw geo::ModelError(concat("model ", quoted(spec.id), ": features.window_px (", side,
                                 ") must be a multiple of input.stride_px (", spec.stride_px, ")"));
  }
  ShiftCheck check;
  check.window_px = side;
  check.most_windows = reference->distances.rbegin()->first;
  check.features = [network, bands, side](std::span<const float> window) {
    use_one_torch_thread();
    const c10::InferenceMode inference;
    // from_blob wants a pointer that may be written through; the network does not.
    return window_features(
        *network, torch::from_blob(const_cast<float*>(window.data()), {1, bands, side, side}, torch::kFloat));
  };
  check.judge = [reference](const std::vector<std::vector<float>>& windows) {
    return judge(*reference, windows);
  };
  return check;
}

}  // namespace furrow::segmentation
