#pragma once

#include <vector>

#include <furrow/geo/vector/geometry.h>

namespace furrow::labelling {

/// Polygons united where they overlap; no two of the shapes share area.
struct DisjointParts {
  std::vector<bool> single;                ///< per polygon: it overlaps no other
  std::vector<geo::MultiPolygon> singles;  ///< those polygons
  std::vector<geo::MultiPolygon> united;   ///< unions of the others
};

/// Unites what overlaps and leaves the rest as it is: far less work than a union of everything when most
/// polygons only lie side by side. Less than a square millimetre of overlap is rounding. Input: valid, in
/// metres.
/// @throws geo::GeometryError. Threads: safe to call concurrently.
[[nodiscard]] DisjointParts disjoint_parts(const std::vector<geo::MultiPolygon>& shapes);

}  // namespace furrow::labelling
