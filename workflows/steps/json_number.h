#pragma once

#include <cmath>

#include <nlohmann/json.hpp>

namespace furrow::workflow {

/// A number in a report; null where it is not known (NaN), which JSON has no number for.
inline nlohmann::ordered_json number(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

}  // namespace furrow::workflow
