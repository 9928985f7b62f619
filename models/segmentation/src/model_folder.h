#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include <furrow/segmentation/trainer.h>

#include "shift/feature_reference.h"
#include "unet.h"

namespace furrow::segmentation {

/// Writes every file of a model into an existing folder.
/// @param features  of the training windows; nullopt = none, and no file of them
void write_model(const std::filesystem::path& folder, const UNet& network, const TrainingData& data,
                 const TrainReport& report, const std::optional<FeatureReference>& features,
                 const std::map<std::string, std::string>& description);

}  // namespace furrow::segmentation
