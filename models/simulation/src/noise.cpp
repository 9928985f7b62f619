#include "noise.h"

#include <cmath>
#include <numbers>

namespace furrow::simulation::detail {
namespace {

std::uint64_t scramble(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

double smoothstep(double t) {
  return t * t * (3.0 - 2.0 * t);
}

double lattice(std::int64_t col, std::int64_t row, std::uint64_t seed) {
  return 2.0 * unit(mix(col, row, seed)) - 1.0;
}

}  // namespace

std::uint64_t mix(std::int64_t a, std::int64_t b, std::uint64_t seed) {
  const std::uint64_t x = seed + 0x9E3779B97F4A7C15ULL * static_cast<std::uint64_t>(a);
  return scramble(scramble(x) + 0xD1B54A32D192ED03ULL * static_cast<std::uint64_t>(b));
}

double unit(std::uint64_t bits) {
  return static_cast<double>(bits >> 11) * 0x1.0p-53;
}

double normal_at(std::int64_t a, std::int64_t b, std::uint64_t seed) {
  const std::uint64_t first = mix(a, b, seed);
  const double radius = std::sqrt(-2.0 * std::log(1.0 - unit(first)));
  return radius * std::cos(2.0 * std::numbers::pi * unit(scramble(first + 0x9E3779B97F4A7C15ULL)));
}

double value_noise(geo::Point p, double wavelength, std::uint64_t seed) {
  const double x = p.x / wavelength;
  const double y = p.y / wavelength;
  const double x0 = std::floor(x);
  const double y0 = std::floor(y);
  const auto col = static_cast<std::int64_t>(x0);
  const auto row = static_cast<std::int64_t>(y0);
  const double u = smoothstep(x - x0);
  const double v = smoothstep(y - y0);
  const double low = std::lerp(lattice(col, row, seed), lattice(col + 1, row, seed), u);
  const double high = std::lerp(lattice(col, row + 1, seed), lattice(col + 1, row + 1, seed), u);
  return std::lerp(low, high, v);
}

double value_noise(double s, double wavelength, std::uint64_t seed) {
  const double x = s / wavelength;
  const double x0 = std::floor(x);
  const auto col = static_cast<std::int64_t>(x0);
  return std::lerp(lattice(col, 0, seed), lattice(col + 1, 0, seed), smoothstep(x - x0));
}

double fractal_noise(geo::Point p, double wavelength, std::uint64_t seed) {
  return (value_noise(p, wavelength, seed) + 0.5 * value_noise(p, 0.47 * wavelength, seed + 1) +
          0.25 * value_noise(p, 0.21 * wavelength, seed + 2)) /
         1.75;
}

}  // namespace furrow::simulation::detail
