#pragma once

#include <filesystem>
#include <map>
#include <string>

#include <furrow/segmentation/trainer.h>

#include "unet.h"

namespace furrow::segmentation {

/// Writes every file of a model into an existing folder.
void write_model(const std::filesystem::path& folder, const UNet& network, const TrainingData& data,
                 const TrainReport& report, const std::map<std::string, std::string>& description);

}  // namespace furrow::segmentation
