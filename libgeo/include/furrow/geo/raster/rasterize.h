#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include <furrow/geo/raster/raster.h>

namespace furrow::geo {

/// Class codes of label rasters.
inline constexpr std::uint8_t kBackground = 0;
inline constexpr std::uint8_t kInterior = 1;
inline constexpr std::uint8_t kBoundary = 2;
inline constexpr std::uint8_t kIgnore = 255;

/// How wide the boundary class is.
struct BoundaryOptions {
  double width_px = 2.0;  ///< in total, half on each side of the outline; >= 0 (0 = no boundary class)
  std::optional<double>
      width_m;  ///< in metres instead; the ground size of the grid's centre pixel converts it
};

/// 1 where the pixel's centre lies inside a polygon, else 0. Shape [1, grid.height, grid.width].
///
/// @param polygons  in the grid's CRS; overlaps and pieces outside the grid are fine
/// A pixel whose centre lies exactly on an outline belongs to the polygon on its left/lower side (half-open
/// rule), so polygons that share an edge never both take or both miss it. Works for rotated and south-up
/// grids. The result does not change when the grid is cut into windows. Threads: safe to call concurrently.
[[nodiscard]] Raster<std::uint8_t> rasterize_extent(std::span<const MultiPolygon> polygons, const Grid& grid);

/// position + 1 of the polygon that holds the pixel's centre, 0 where none does; where polygons overlap the
/// later one.
[[nodiscard]] Raster<std::uint32_t> rasterize_instances(std::span<const MultiPolygon> polygons,
                                                        const Grid& grid);

/// Three-class labels: kInterior by pixel centre, then kBoundary burned last where the pixel's centre lies
/// within half the boundary width of an outline; touching fields always keep at least one boundary pixel
/// between them. Distances are measured in pixels (or metres) of the grid, so the ring is as wide in x as in
/// y on the ground when metres are asked for.
[[nodiscard]] Raster<std::uint8_t> rasterize_labels(std::span<const MultiPolygon> polygons, const Grid& grid,
                                                    const BoundaryOptions& boundary = {});

}  // namespace furrow::geo
