#include <furrow/geo/raster/blend.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::geo {

std::vector<float> hann_ramp(std::int64_t margin_px) {
  if (margin_px < 0) throw InvalidArgument("a blend margin must not be negative");
  // 12 bits along each axis: products need 24, which a float holds exactly.
  constexpr double kSteps = 4096.0;
  std::vector<float> ramp(static_cast<std::size_t>(2 * margin_px));
  for (std::int64_t k = 0; k < margin_px; ++k) {
    const double phase =
        std::numbers::pi * (static_cast<double>(k) + 0.5) / static_cast<double>(2 * margin_px);
    const double weight = std::round(kSteps * 0.5 * (1.0 - std::cos(phase))) / kSteps;
    ramp[static_cast<std::size_t>(k)] = static_cast<float>(weight);
    ramp[static_cast<std::size_t>(2 * margin_px - 1 - k)] = static_cast<float>(1.0 - weight);
  }
  return ramp;
}

Window blend_window(const Window& core, const Grid& grid, std::int64_t margin_px) {
  return intersection(grow(core, margin_px), grid.window());
}

std::vector<float> blend_weights(std::int64_t core_begin, std::int64_t core_end, std::int64_t extent,
                                 std::int64_t margin_px) {
  if (core_begin < 0 || core_end <= core_begin || core_end > extent) {
    throw InvalidArgument(concat("core ", core_begin, "-", core_end, " does not lie in 0-", extent));
  }
  const std::vector<float> ramp = hann_ramp(margin_px);
  const std::int64_t begin = std::max<std::int64_t>(0, core_begin - margin_px);
  const std::int64_t end = std::min(extent, core_end + margin_px);
  std::vector<float> weights(static_cast<std::size_t>(end - begin), 1.0F);
  for (std::int64_t k = 0; k < 2 * margin_px; ++k) {
    const float rising = ramp[static_cast<std::size_t>(k)];
    const std::int64_t left = core_begin - margin_px + k;
    if (core_begin > 0 && left >= begin && left < end)
      weights[static_cast<std::size_t>(left - begin)] *= rising;
    const std::int64_t right = core_end - margin_px + k;
    if (core_end < extent && right >= begin && right < end) {
      weights[static_cast<std::size_t>(right - begin)] *= 1.0F - rising;
    }
  }
  return weights;
}

}  // namespace furrow::geo
