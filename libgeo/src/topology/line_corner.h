#pragma once

#include <array>
#include <cstdint>

#include <furrow/geo/topology/components.h>

namespace furrow::geo::detail {

/// The four pixels around a corner, clockwise from the north-west one.
using LineCorner = std::array<std::uint32_t, 4>;

/// The line between two pixels is traced when they differ and one of them is a field.
inline bool is_line(std::uint32_t a, std::uint32_t b) {
  return a != b && (is_field(a) || is_field(b));
}

/// Pixel sides between different regions that meet there.
inline int sides_between_regions(const LineCorner& c) {
  return (c[0] != c[1]) + (c[1] != c[2]) + (c[2] != c[3]) + (c[3] != c[0]);
}

}  // namespace furrow::geo::detail
