#pragma once

#include <cstdint>

#include <furrow/geo/vector/geometry.h>

/// Noise as a function of place: the same value for a place whoever asks. Internal to the simulation library.
namespace furrow::simulation::detail {

/// A well mixed 64-bit number of two integers and a seed.
[[nodiscard]] std::uint64_t mix(std::int64_t a, std::int64_t b, std::uint64_t seed);
/// Uniform in [0, 1).
[[nodiscard]] double unit(std::uint64_t bits);
/// Standard normal, one for each (a, b, seed).
[[nodiscard]] double normal_at(std::int64_t a, std::int64_t b, std::uint64_t seed);

/// Smooth noise in [-1, 1]: random values on a lattice of the given wavelength, interpolated by smoothstep.
[[nodiscard]] double value_noise(geo::Point p, double wavelength, std::uint64_t seed);
/// The same along a line.
[[nodiscard]] double value_noise(double s, double wavelength, std::uint64_t seed);
/// Three octaves of it, in about [-1, 1].
[[nodiscard]] double fractal_noise(geo::Point p, double wavelength, std::uint64_t seed);

}  // namespace furrow::simulation::detail
