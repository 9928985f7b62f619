#pragma once

#include <cstdint>

namespace furrow::segmentation {

/// The multiple of `step` at or below `value`.
inline std::int64_t round_down(std::int64_t value, std::int64_t step) {
  const std::int64_t rest = value % step;
  return value - (rest < 0 ? rest + step : rest);
}
/// The multiple of `step` at or above `value`.
inline std::int64_t round_up(std::int64_t value, std::int64_t step) {
  return round_down(value + step - 1, step);
}

}  // namespace furrow::segmentation
