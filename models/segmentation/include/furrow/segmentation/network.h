#pragma once

#include <filesystem>
#include <memory>

#include <furrow/segmentation/model_spec.h>
#include <furrow/segmentation/predictor.h>

namespace furrow::segmentation {

/// A trained network from a model folder, ready to score. No LibTorch type in sight. Thread-safe.
class TrainedNetwork {
 public:
  /// Loads the weights that model.json names (safetensors, or a plain dict saved by Python's torch.save when
  /// the name ends in .pt, .pth, .bin or .ckpt), or model.ts when the architecture is not one of ours, and
  /// checks them against model.json.
  /// @throws geo::IoError, geo::ModelError (checksum, missing tensor or shape, with expected and found)
  explicit TrainedNetwork(const std::filesystem::path& folder);
  ~TrainedNetwork();
  TrainedNetwork(TrainedNetwork&&) noexcept;

  [[nodiscard]] const ModelSpec& spec() const noexcept;
  /// Softmax(logits / temperature) of the network; valid while this object lives.
  [[nodiscard]] ScoreFunction score_function() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

}  // namespace furrow::segmentation
