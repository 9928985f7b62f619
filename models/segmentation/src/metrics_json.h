#pragma once

#include <nlohmann/json.hpp>

#include <furrow/segmentation/trainer.h>

namespace furrow::segmentation {

/// A number, or null when it is NaN (JSON has no NaN).
[[nodiscard]] nlohmann::json number_json(double value);

[[nodiscard]] nlohmann::json epoch_json(const EpochMetrics& epoch);
/// @throws nlohmann::json::exception
[[nodiscard]] EpochMetrics epoch_from_json(const nlohmann::json& object);

}  // namespace furrow::segmentation
