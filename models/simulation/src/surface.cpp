#include "surface.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "noise.h"

namespace furrow::simulation::detail {
namespace {

// Typical Level-2A reflectances; chosen to look right, not measured at a place.
constexpr Spectrum kGreen{0.028, 0.062, 0.032, 0.470, 0.220, 0.100};
constexpr Spectrum kDry{0.085, 0.135, 0.180, 0.300, 0.350, 0.270};
constexpr Spectrum kFlowers{0.045, 0.175, 0.170, 0.450, 0.230, 0.120};
constexpr Spectrum kSoil{0.068, 0.098, 0.132, 0.205, 0.290, 0.250};
constexpr Spectrum kShade{0.016, 0.026, 0.018, 0.190, 0.080, 0.040};
constexpr Spectrum kTrack{0.100, 0.140, 0.180, 0.260, 0.330, 0.300};
constexpr Spectrum kAsphalt{0.085, 0.095, 0.105, 0.140, 0.160, 0.150};
constexpr Spectrum kWater{0.045, 0.050, 0.032, 0.016, 0.008, 0.005};
constexpr Spectrum kRedRoof{0.070, 0.090, 0.170, 0.230, 0.260, 0.240};
constexpr Spectrum kGreyRoof{0.150, 0.160, 0.170, 0.200, 0.210, 0.200};

constexpr std::array<Crop, 9> kCrops{{
    {"winter_wheat", 0.24, 142.0, 60.0, 42.0, 0.95, 0.85, 0.0},
    {"winter_barley", 0.11, 128.0, 55.0, 34.0, 0.92, 0.90, 0.0},
    {"rapeseed", 0.10, 132.0, 60.0, 48.0, 0.92, 0.45, 0.45},
    {"maize", 0.16, 212.0, 36.0, 50.0, 0.93, 0.60, 0.0},
    {"sugar_beet", 0.08, 205.0, 42.0, 70.0, 0.95, 0.10, 0.0},
    {"potato", 0.06, 188.0, 34.0, 40.0, 0.90, 0.40, 0.0},
    {"grassland", 0.16, 150.0, 120.0, 150.0, 0.86, 0.35, 0.0},
    {"fallow", 0.05, 160.0, 120.0, 120.0, 0.42, 0.60, 0.0},
    {"vegetables", 0.04, 200.0, 30.0, 60.0, 0.55, 0.10, 0.0},
}};

double bell(double day, const Crop& crop) {
  const double z = (day - crop.peak_day) / (day < crop.peak_day ? crop.rise_days : crop.fall_days);
  return std::exp(-z * z);
}

Spectrum scaled(const Spectrum& spectrum, double factor) {
  Spectrum result = spectrum;
  for (double& value : result) value *= factor;
  return result;
}

}  // namespace

std::span<const Crop> crops() {
  return kCrops;
}

std::size_t draw_crop(geo::Random& random) {
  double total = 0.0;
  for (const auto& crop : kCrops) total += crop.share;
  double lot = random.uniform(0.0, total);
  for (std::size_t i = 0; i + 1 < kCrops.size(); ++i) {
    lot -= kCrops[i].share;
    if (lot < 0.0) return i;
  }
  return kCrops.size() - 1;
}

Surface field_surface(std::size_t index, double day_of_year, geo::Random& random) {
  const Crop& crop = kCrops[index];
  const double day = day_of_year + random.normal(0.0, 8.0);  // sown earlier or later than others
  Surface surface;
  surface.green = std::clamp(crop.green * bell(day, crop) * random.normal(1.0, 0.07), 0.02, 0.98);
  if (day > crop.peak_day) surface.dry = std::clamp((crop.green - surface.green) * crop.dries, 0.0, 0.9);
  const double bloom = (day - crop.peak_day) / 12.0;
  surface.flowers = crop.flowers * std::exp(-bloom * bloom);
  surface.ground = kSoil;
  surface.brightness = random.normal(1.0, 0.06);
  surface.patchiness = random.uniform(0.04, 0.18);
  surface.grain = random.uniform(0.01, 0.03);
  surface.grain_m = 12.0;
  surface.row_contrast = random.uniform(0.0, 0.07);
  const double angle = random.uniform(0.0, 2.0 * std::numbers::pi);
  const double steepness = random.uniform(0.0, 0.0004);
  surface.slope = {steepness * std::cos(angle), steepness * std::sin(angle)};
  surface.seed = random.bits();
  return surface;
}

Surface grass_surface(geo::Random& random) {
  Surface surface;
  surface.green = random.uniform(0.50, 0.68);
  surface.dry = random.uniform(0.12, 0.25);
  surface.ground = kSoil;
  surface.patchiness = 0.15;
  surface.grain = 0.06;
  surface.seed = random.bits();
  return surface;
}

Surface trees_surface(geo::Random& random) {
  Surface surface;
  surface.green = random.uniform(0.45, 0.60);
  surface.ground = kShade;
  surface.brightness = random.uniform(0.78, 0.95);
  surface.patchiness = 0.12;
  surface.grain = 0.30;
  surface.grain_m = random.uniform(8.0, 12.0);
  surface.seed = random.bits();
  return surface;
}

Surface track_surface(geo::Random& random) {
  Surface surface;
  surface.green = random.uniform(0.05, 0.30);
  surface.ground = kTrack;
  surface.grain = 0.08;
  surface.seed = random.bits();
  return surface;
}

Surface road_surface(geo::Random& random) {
  Surface surface;
  surface.ground = kAsphalt;
  surface.brightness = random.uniform(0.9, 1.15);
  surface.grain = 0.04;
  surface.seed = random.bits();
  return surface;
}

Surface garden_surface(geo::Random& random) {
  Surface surface = grass_surface(random);
  surface.green = random.uniform(0.35, 0.75);
  surface.ground = scaled(kAsphalt, 1.2);
  surface.grain = 0.22;
  surface.grain_m = 9.0;
  return surface;
}

Surface roof_surface(geo::Random& random) {
  Surface surface;
  surface.ground = random.chance(0.6) ? kRedRoof : kGreyRoof;
  surface.brightness = random.uniform(0.6, 1.1);
  surface.seed = random.bits();
  return surface;
}

Surface water_surface(geo::Random& random) {
  Surface surface;
  surface.ground = kWater;
  surface.brightness = random.uniform(0.8, 1.2);
  surface.grain = 0.03;
  surface.grain_m = 40.0;
  surface.seed = random.bits();
  return surface;
}

Spectrum reflect(const Surface& surface, geo::Point p, std::uint64_t soil_seed) {
  double plants = 1.0;
  double light = surface.brightness;
  if (surface.patchiness > 0.0) {
    plants += surface.patchiness *
              (value_noise(p, 70.0, surface.seed) + 0.6 * value_noise(p, 23.0, surface.seed + 1));
    plants += surface.slope.x * (p.x - surface.anchor.x) + surface.slope.y * (p.y - surface.anchor.y);
  }
  if (surface.row_contrast > 0.0) {
    const double across = -p.x * std::sin(surface.row_direction) + p.y * std::cos(surface.row_direction);
    plants += surface.row_contrast *
              (value_noise(across, 9.0, surface.seed + 2) + value_noise(across, 31.0, surface.seed + 3));
  }
  if (surface.grain > 0.0) light *= 1.0 + surface.grain * value_noise(p, surface.grain_m, surface.seed + 4);
  double green = std::max(surface.green * plants, 0.0);
  double dry = std::max(surface.dry * (2.0 - plants), 0.0);
  double flowers = surface.flowers * plants;
  const double total = green + dry + flowers;
  if (total > 1.0) {
    green /= total;
    dry /= total;
    flowers /= total;
  }
  const double bare = std::max(1.0 - green - dry - flowers, 0.0);
  // Soils change from one end of the land to the other, and dry hilltops are bright.
  const double soil =
      1.0 + 0.18 * value_noise(p, 1400.0, soil_seed) + 0.12 * value_noise(p, 260.0, soil_seed + 1);
  Spectrum result{};
  for (std::size_t b = 0; b < result.size(); ++b) {
    result[b] =
        light * (green * kGreen[b] + dry * kDry[b] + flowers * kFlowers[b] + bare * soil * surface.ground[b]);
  }
  return result;
}

}  // namespace furrow::simulation::detail
