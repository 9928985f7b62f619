#include "feature_reference.h"

#include <algorithm>
#include <cstring>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>

#include "safetensors.h"

namespace furrow::segmentation {
namespace {

namespace fs = std::filesystem;
using geo::concat;

constexpr std::int64_t kMostWindows = 64;
constexpr std::int64_t kSamples = 1000;
constexpr const char* kDistances = "distances.";

/// Both as they come back from the file, so that a model judges alike before and after.
FeatureStatistics rounded_to_float(const FeatureStatistics& s) {
  return {s.mean.to(torch::kFloat).to(torch::kDouble), s.covariance.to(torch::kFloat).to(torch::kDouble)};
}

/// Samples of `size` windows each; see make_feature_reference().
torch::Tensor draw_samples(std::span<const std::int64_t> places, std::int64_t size, std::uint64_t seed) {
  std::map<std::int64_t, std::vector<std::int64_t>> windows_of;
  for (std::size_t i = 0; i < places.size(); ++i)
    windows_of[places[i]].push_back(static_cast<std::int64_t>(i));
  std::vector<std::int64_t> drawn;
  geo::Random random(seed, static_cast<std::uint64_t>(size));
  for (std::int64_t sample = 0; sample < kSamples; ++sample) {
    for (std::int64_t left = size; left > 0;) {
      const auto& of_place = windows_of.at(places[random.below(places.size())]);
      const std::int64_t count = std::min(left, std::ssize(of_place));
      for (std::int64_t i = 0; i < count; ++i) drawn.push_back(of_place[random.below(of_place.size())]);
      left -= count;
    }
  }
  return torch::tensor(drawn, torch::kLong).reshape({kSamples, size});
}

StoredTensor stored(const torch::Tensor& tensor) {
  const torch::Tensor plain = tensor.to(torch::kFloat).contiguous();
  StoredTensor result{TensorType::kFloat32, plain.sizes().vec(), {}};
  result.bytes.assign(static_cast<const char*>(plain.data_ptr()), plain.nbytes());
  return result;
}

[[noreturn]] void refuse(const fs::path& file, const std::string& why) {
  throw geo::ModelError(concat("cannot use features ", geo::quoted(file.string()), ": ", why));
}

/// A tensor of finite floats.
torch::Tensor tensor_of(const SafeTensors& content, const std::string& name, std::int64_t dimensions,
                        const fs::path& file) {
  const auto found = content.tensors.find(name);
  if (found == content.tensors.end()) refuse(file, concat("tensor ", geo::quoted(name), " is missing"));
  const StoredTensor& tensor = found->second;
  const bool square = dimensions < 2 || tensor.shape.front() == tensor.shape.back();
  if (tensor.type != TensorType::kFloat32 || std::ssize(tensor.shape) != dimensions || !square ||
      tensor.elements() == 0) {
    refuse(file, concat("tensor ", geo::quoted(name), " has type or shape ", shape_text(tensor.shape),
                        " of something else"));
  }
  const torch::Tensor values = torch::empty(tensor.shape, torch::kFloat);
  std::memcpy(values.data_ptr(), tensor.bytes.data(), tensor.bytes.size());
  if (!torch::isfinite(values).all().item<bool>())
    refuse(file, concat("tensor ", geo::quoted(name), " holds a value that is not finite"));
  return values;
}

}  // namespace

std::vector<std::int64_t> sample_sizes(std::int64_t most) {
  std::vector<std::int64_t> sizes;
  for (std::int64_t size = 1; size <= most; size *= 2) {
    sizes.push_back(size);
    if (const std::int64_t between = size + size / 2; size > 1 && between <= most) sizes.push_back(between);
  }
  return sizes;
}

SceneShift FeatureReference::judge(const torch::Tensor& windows) const {
  const std::int64_t count = windows.size(0);
  const auto& [size, known] = *std::prev(distances.upper_bound(count));
  std::vector<std::int64_t> chosen;
  for (std::int64_t i = 0; i < size; ++i) chosen.push_back(i * count / size);
  const FrechetDistances frechet(statistics, windows);
  const double distance = frechet.of(torch::tensor(chosen, torch::kLong).unsqueeze(0)).item<double>();
  const auto nearer = std::ranges::lower_bound(known, static_cast<float>(distance)) - known.begin();
  return {size, distance, static_cast<double>(nearer) / static_cast<double>(known.size()),
          static_cast<double>(known[known.size() / 2])};
}

FeatureReference make_feature_reference(const torch::Tensor& train, const torch::Tensor& reference,
                                        std::span<const std::int64_t> places, std::uint64_t seed) {
  FeatureReference result;
  result.train_windows = train.size(0);
  result.reference_windows = reference.size(0);
  result.statistics = rounded_to_float(shrunk_statistics(train));
  const FrechetDistances frechet(result.statistics, reference);
  const std::int64_t most = std::clamp(result.reference_windows / 2, std::int64_t{1}, kMostWindows);
  for (const std::int64_t size : sample_sizes(most)) {
    const torch::Tensor distances = frechet.of(draw_samples(places, size, seed)).to(torch::kFloat);
    const float* values = distances.data_ptr<float>();
    std::vector<float>& sorted = result.distances[size];
    sorted.assign(values, values + distances.numel());
    std::ranges::sort(sorted);
  }
  return result;
}

void write_feature_reference(const FeatureReference& reference, const std::string& weights_sha256,
                             const fs::path& file) {
  SafeTensors content;
  content.metadata = {{"format", "pt"}, {"weights_sha256", weights_sha256}};
  content.tensors["mean"] = stored(reference.statistics.mean);
  content.tensors["covariance"] = stored(reference.statistics.covariance);
  for (const auto& [size, distances] : reference.distances)
    content.tensors[kDistances + std::to_string(size)] = stored(torch::tensor(distances, torch::kFloat));
  write_safetensors(file, content);
}

StoredFeatures read_feature_reference(const fs::path& file) {
  const SafeTensors content = read_safetensors(file);
  StoredFeatures result;
  if (const auto found = content.metadata.find("weights_sha256"); found != content.metadata.end())
    result.weights_sha256 = found->second;
  FeatureReference& reference = result.reference;
  reference.statistics.mean = tensor_of(content, "mean", 1, file).to(torch::kDouble);
  reference.statistics.covariance = tensor_of(content, "covariance", 2, file).to(torch::kDouble);
  if (reference.statistics.covariance.size(0) != reference.statistics.mean.size(0))
    refuse(file, "mean and covariance are not of one size");
  for (const std::int64_t size : sample_sizes(kMostWindows)) {
    const std::string name = kDistances + std::to_string(size);
    if (size > 1 && !content.tensors.contains(name)) break;
    const torch::Tensor distances = tensor_of(content, name, 1, file);
    const float* values = distances.data_ptr<float>();
    reference.distances[size].assign(values, values + distances.numel());
    if (!std::ranges::is_sorted(reference.distances[size]))
      refuse(file, concat("tensor ", geo::quoted(name), " is not sorted"));
  }
  return result;
}

}  // namespace furrow::segmentation
