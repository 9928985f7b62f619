#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <furrow/geo/vector/geometry.h>

namespace furrow::geo {

/// Two polygons that share area.
struct OverlapPair {
  std::size_t a = 0;          ///< position in the first list
  std::size_t b = 0;          ///< position in the second list
  double intersection = 0.0;  ///< planar area, squared units of the coordinates
  double iou = 0.0;           ///< intersection over union
};

/// All pairs (a, b) whose interiors meet, ordered by a, then b. One R-tree; parallel over `a`; same result
/// for any number of threads. Polygons must be valid and in one planar CRS.
///
/// Shared areas are sums over pairs of sides (trapezoids below both), without an overlay; where that leaves
/// open whether polygons meet, or whether one covers the other, GEOS decides. Polygons that share less than
/// 1e-12 of the box around both count as apart, and one that another covers shares exactly its own area.
/// @throws GeometryError
[[nodiscard]] std::vector<OverlapPair> overlaps(std::span<const MultiPolygon> a,
                                                std::span<const MultiPolygon> b);

/// The one-to-one assignment of the largest total IoU among pairs with iou >= min_iou (each a and each b at
/// most once). Method: connected components, then the Hungarian algorithm (Kuhn 1955) in each, on IoU in
/// steps of 1e-12. Among assignments of the same total the first a has the lowest b that it can have, then
/// the next a, and so on.
/// @return matched pairs ordered by a
[[nodiscard]] std::vector<OverlapPair> match_one_to_one(std::span<const OverlapPair> pairs, double min_iou);

}  // namespace furrow::geo
