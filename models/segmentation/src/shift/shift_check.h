#pragma once

#include <filesystem>
#include <optional>

#include <furrow/segmentation/dataset_shift.h>
#include <furrow/segmentation/model_spec.h>

#include "folded_unet.h"

namespace furrow::segmentation {

/// The check of a model, from the features in its folder. It refers to `network` (nullptr = not one of
/// ours), which must outlive it.
/// @return  nullopt, with a line in the log, when the model has none or they belong to other weights
/// @throws geo::IoError, geo::ModelError  the file is missing, changed (checksum) or no such file
[[nodiscard]] std::optional<ShiftCheck> make_shift_check(const FoldedUNet* network, const ModelSpec& spec,
                                                         const std::filesystem::path& folder);

}  // namespace furrow::segmentation
