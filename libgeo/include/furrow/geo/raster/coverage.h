#pragma once

#include <cstdint>
#include <vector>

#include <furrow/geo/raster/grid.h>
#include <furrow/geo/vector/geometry.h>

namespace furrow::geo {

/// Neighbouring pixels of one row that a polygon covers to the same share: columns [col, end_col).
struct CoveredRun {
  std::int64_t row = 0;
  std::int64_t col = 0;
  std::int64_t end_col = 0;
  double share = 0.0;  ///< of each pixel's area, in (0, 1]

  [[nodiscard]] std::int64_t pixels() const noexcept { return end_col - col; }
  friend bool operator==(const CoveredRun&, const CoveredRun&) = default;
};

/// The exact share of every pixel of a grid that lies inside a polygon; pixels without a share are left out.
///
/// Method: signed areas by Green's theorem. Every edge adds, to the pixels that it passes, the area between
/// itself and the pixel's right side, and to those right of them its height; the sum along a row is the
/// share. Only the pixels along the outline are visited, those inside come as runs: time and memory grow with
/// the outline's length in pixels, O(n log n), not with the area. (The idea of adding areas per cell is that
/// of anti-aliasing scan converters; statistics with such shares: Baston, exactextract.)
///
/// @param shape  valid, in the grid's CRS, straight between its vertices there; any orientation of rings.
/// Pieces outside
///               the grid are fine. Where parts overlap, a pixel counts at most once (share 1 at most).
/// @return ordered by row, then column; runs do not overlap and neighbours differ in share. Their shares add
/// up to the area inside the grid, in pixels. Accuracy: 1e-9 of a pixel for coordinates up to 1e5 pixels;
/// shares below 1e-10 are 0.
/// @throws GeometryError    a vertex is not finite
/// @throws InvalidArgument  the grid's transform has no inverse
/// Works for rotated, sheared and south-up grids. Threads: safe to call concurrently.
[[nodiscard]] std::vector<CoveredRun> covered_runs(const MultiPolygon& shape, const Grid& grid);

}  // namespace furrow::geo
