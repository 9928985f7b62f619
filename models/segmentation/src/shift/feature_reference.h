#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <torch/torch.h>

#include <furrow/segmentation/dataset_shift.h>

#include "frechet.h"

namespace furrow::segmentation {

/// What a model knows of the features of its training windows.
struct FeatureReference {
  std::int64_t window_px = 0;
  std::int64_t train_windows = 0;      ///< behind the statistics
  std::int64_t reference_windows = 0;  ///< that samples were drawn from
  FeatureStatistics statistics;        ///< of training windows; rounded to float
  /// By number of windows: Frechet distances of samples without shift from the statistics, sorted.
  std::map<std::int64_t, std::vector<float>> distances;

  /// @param windows  [n, d] double, n >= 1; when n is no size in `distances`, windows spread over them make
  ///                 up the largest size below
  [[nodiscard]] SceneShift judge(const torch::Tensor& windows) const;
};

/// Sizes of samples that a reference has distances of: 1, 2, 3, 4, 6, 8, 12, ... up to `most`.
[[nodiscard]] std::vector<std::int64_t> sample_sizes(std::int64_t most);

/// Draws samples as scenes without shift would give them, 1000 of each size up to half of the windows there
/// are and 64, and measures them. Windows of one place are alike and come together: a sample takes places at
/// random, each by its number of windows and with as many draws as it has windows, until it is full. Draws
/// repeat, which makes the distances of few windows a little too large rather than too small.
/// @param train      [N, d] double, N >= 1
/// @param reference  [M, d] double, M >= 1
/// @param places     [M], the image or block of each of them
[[nodiscard]] FeatureReference make_feature_reference(const torch::Tensor& train,
                                                      const torch::Tensor& reference,
                                                      std::span<const std::int64_t> places,
                                                      std::uint64_t seed);

/// As safetensors: mean [d], covariance [d, d] and distances.<size> [1000], F32; in the metadata the checksum
/// of the weights that the features belong to.
void write_feature_reference(const FeatureReference& reference, const std::string& weights_sha256,
                             const std::filesystem::path& file);

/// Content of a file of features.
struct StoredFeatures {
  FeatureReference reference;  ///< statistics and distances; what model.json holds stays 0
  std::string weights_sha256;  ///< of the weights that they belong to
};

/// @throws geo::IoError; geo::ModelError when the file is no such file (naming what is missing or wrong)
[[nodiscard]] StoredFeatures read_feature_reference(const std::filesystem::path& file);

}  // namespace furrow::segmentation
