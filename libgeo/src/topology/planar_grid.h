#pragma once

#include <compare>
#include <cstdint>

namespace furrow::geo::detail {

/// A position on the precision grid of a polygon layer: CRS coordinate x steps per unit.
struct GridPoint {
  std::int64_t x = 0;
  std::int64_t y = 0;
  friend auto operator<=>(const GridPoint&, const GridPoint&) = default;
};

/// Exact for products of grid coordinates.
__extension__ using Wide = __int128;

/// Twice the signed area of a triangle: positive when c lies left of a -> b.
[[nodiscard]] inline Wide turn(GridPoint a, GridPoint b, GridPoint c) {
  return Wide{b.x - a.x} * (c.y - a.y) - Wide{c.x - a.x} * (b.y - a.y);
}

[[nodiscard]] inline int sign(Wide value) {
  return value > 0 ? 1 : value < 0 ? -1 : 0;
}

}  // namespace furrow::geo::detail
