#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include <furrow/segmentation/dataset_shift.h>
#include <furrow/segmentation/device.h>
#include <furrow/segmentation/model_spec.h>
#include <furrow/segmentation/precision.h>
#include <furrow/segmentation/predictor.h>

namespace furrow::segmentation {

/// A trained network from a model folder, ready to score. No LibTorch type in sight. Thread-safe.
class TrainedNetwork {
 public:
  /// Loads the weights that model.json names (safetensors, or a plain dict saved by Python's torch.save when
  /// the name ends in .pt, .pth, .bin or .ckpt), or model.ts when the architecture is not one of ours, and
  /// checks them against model.json.
  /// @param device  where it computes; on CUDA at most three tiles at a time, each on a stream of its own
  /// @throws geo::IoError, geo::ModelError (checksum, missing tensor or shape, with expected and found),
  /// geo::InvalidArgument (no such device)
  explicit TrainedNetwork(const std::filesystem::path& folder, Device device = Device::kCpu);
  ~TrainedNetwork();
  TrainedNetwork(TrainedNetwork&&) noexcept;

  [[nodiscard]] const ModelSpec& spec() const noexcept;
  /// Softmax(logits / temperature) of the network; valid while this object lives.
  [[nodiscard]] ScoreFunction score_function() const;
  /// The same for parts; of built-in architectures they cost what they take.
  /// @throws geo::ModelError  bf16 of an imported TorchScript
  [[nodiscard]] PartScoreFunction part_score_function(Precision precision = Precision::kFp32) const;
  /// Whether bf16 can be asked for.
  [[nodiscard]] bool has_bf16() const noexcept;
  /// Passes in which channels of features are dropped at random as in training (Monte Carlo dropout):
  /// networks that could have been. The same channels for every tile and every scene; they follow from
  /// `seed`.
  /// @throws geo::ModelError  the model was trained without dropout, or its architecture is not built in
  [[nodiscard]] std::vector<PartScoreFunction> dropout_passes(int passes, std::uint64_t seed,
                                                              Precision precision = Precision::kFp32) const;
  /// What measures how far a scene lies from the training; valid while this object lives.
  /// @return  nullopt, with a line in the log, when the model holds no features of its training windows
  /// @throws geo::IoError, geo::ModelError  the file of features is missing, changed or no such file
  [[nodiscard]] std::optional<ShiftCheck> shift_check() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

}  // namespace furrow::segmentation
