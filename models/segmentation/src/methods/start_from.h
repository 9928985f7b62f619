#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <furrow/segmentation/model_spec.h>
#include <furrow/segmentation/training_data.h>

#include "unet.h"

namespace furrow::segmentation {

/// Two-stage fine-tuning (Wang, Waldner & Lobell 2022 for field boundaries): training starts at the weights
/// of a model, first learned from many weak labels, and goes on with few labels of experts.

/// What makes the weights of a model unusable for a training, one text per difference: architecture and its
/// parameters (but not dropout, which has no weights), number of bands, classes, how pixels are normalised.
[[nodiscard]] std::vector<std::string> model_differences(const ModelSpec& spec, const UNetOptions& network,
                                                         const geo::Normalisation& normalisation);

/// Loads the weights of a model folder into a network and warns of differences that are no obstacle (names of
/// bands, pixel size, stored statistics).
/// @throws geo::IoError     no such folder
/// @throws geo::ModelError  the model is of another kind (every difference is named), or damaged
void start_from_model(const std::filesystem::path& model, UNet& network, const TrainingData& data);

}  // namespace furrow::segmentation
