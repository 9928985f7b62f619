#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <furrow/segmentation/trainer.h>

#include "unet.h"

namespace furrow::segmentation {

/// Everything that decides the course of a training, as texts by name. Two trainings with equal ones give
/// equal weights.
[[nodiscard]] std::map<std::string, std::string> describe_training(const TrainingData& data,
                                                                   const TrainOptions& options);

/// What a training knows after some epochs besides the network and the optimiser. Random numbers need no
/// state: every step seeds its own from seed, epoch and step.
struct TrainState {
  std::vector<EpochMetrics> epochs;
  std::int64_t best_epoch = 0;
  double best_score = 0.0;
  SafeTensors best;  ///< the network after the best epoch
  std::vector<LabellerConfusion> best_labellers;
};

/// What a checkpoint restores to the bit.
struct TrainedParts {
  UNet& network;
  UNet& average;  ///< of weights; may be empty
  torch::optim::Optimizer& optimiser;
  torch::optim::Optimizer* peer_optimiser = nullptr;  ///< of the second network, where there is one
  std::vector<torch::Tensor> state;  ///< everything else that training changes, in a fixed order; loaded in
                                     ///< place
};

/// Where checkpoints of a model folder lie.
[[nodiscard]] std::filesystem::path checkpoint_folder(const std::filesystem::path& model);

/// Writes a checkpoint (whole or not at all), then removes older ones.
void write_checkpoint(const std::filesystem::path& model,
                      const std::map<std::string, std::string>& description, const TrainedParts& parts,
                      const TrainState& state);

/// Loads the newest checkpoint into `parts`.
/// @return nothing when there is none
/// @throws geo::ModelError  it belongs to another training (with what differs), or is damaged
[[nodiscard]] std::optional<TrainState> read_checkpoint(const std::filesystem::path& model,
                                                        const std::map<std::string, std::string>& description,
                                                        const TrainedParts& parts);

/// True when an interrupted training left a checkpoint.
[[nodiscard]] bool has_checkpoint(const std::filesystem::path& model);

void remove_checkpoints(const std::filesystem::path& model);

}  // namespace furrow::segmentation
