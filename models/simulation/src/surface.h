#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include <furrow/geo/core/random.h>
#include <furrow/geo/vector/geometry.h>

/// What the ground is made of and what it reflects. Internal to the simulation library.
namespace furrow::simulation::detail {

inline constexpr int kMostBands = 6;
/// Reflectance in B, G, R, NIR, SWIR1, SWIR2.
using Spectrum = std::array<double, kMostBands>;

/// One patch of ground. Shares of green plants, dry plants and flowers; the rest is `ground`.
struct Surface {
  double green = 0.0;
  double dry = 0.0;
  double flowers = 0.0;
  Spectrum ground{};
  double brightness = 1.0;
  double patchiness = 0.0;  ///< how far the plants' share varies over tens of metres
  double grain = 0.0;       ///< how far brightness varies over a few metres (crowns, roofs)
  double grain_m = 8.0;
  double row_contrast = 0.0;   ///< stripes along `row_direction`
  double row_direction = 0.0;  ///< radians
  geo::Point slope{};          ///< change of the plants' share per metre ...
  geo::Point anchor{};         ///< ... seen from here
  std::uint64_t seed = 0;
};

struct Crop {
  const char* name;
  double share;     ///< of fields
  double peak_day;  ///< of the year, when it is greenest
  double rise_days;
  double fall_days;
  double green;    ///< share of ground covered by green plants at the peak
  double dries;    ///< share of the lost green that stays as dry plants
  double flowers;  ///< share covered by yellow flowers, in the three weeks around the peak
};

[[nodiscard]] std::span<const Crop> crops();
/// Index of a crop drawn by its share.
[[nodiscard]] std::size_t draw_crop(geo::Random& random);

[[nodiscard]] Surface field_surface(std::size_t crop, double day_of_year, geo::Random& random);
[[nodiscard]] Surface grass_surface(geo::Random& random);
[[nodiscard]] Surface trees_surface(geo::Random& random);
[[nodiscard]] Surface track_surface(geo::Random& random);
[[nodiscard]] Surface road_surface(geo::Random& random);
[[nodiscard]] Surface garden_surface(geo::Random& random);
[[nodiscard]] Surface roof_surface(geo::Random& random);
[[nodiscard]] Surface water_surface(geo::Random& random);

/// Reflectance of a surface at a place (metres in the scene).
[[nodiscard]] Spectrum reflect(const Surface& surface, geo::Point p, std::uint64_t soil_seed);

}  // namespace furrow::simulation::detail
