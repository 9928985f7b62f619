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
  /// In metres instead; the ground size of the grid's centre pixel converts it.
  std::optional<double> width_m = std::nullopt;
  /// Ground size of a pixel {width, height} for `width_m`; empty = that of the grid's centre pixel. Whoever
  /// cuts a geographic grid into windows gives the whole grid's size here, so that all windows agree.
  std::optional<Point> pixel_size_m = std::nullopt;
};

/// How far from an outline the boundary class reaches, in columns (x) and rows (y): half the width, rounded
/// up, plus the pixel of the touching rule. Windows of a larger grid need the polygons this far around them.
/// @throws InvalidArgument  a width or pixel size that is negative or not finite
/// @throws CrsError         `width_m` on a grid without CRS
[[nodiscard]] Point boundary_reach_px(const Grid& grid, const BoundaryOptions& boundary);

/// 1 where the pixel's centre lies inside a polygon, else 0. Shape [1, grid.height, grid.width].
///
/// @param polygons  in the grid's CRS; overlaps and pieces outside the grid are fine. A polygon counts by the
/// even-odd
///                  rule over its shell and holes; the parts of a multi-polygon add up
/// A pixel whose centre lies exactly on an outline belongs to the polygon on its left (smaller column), on a
/// horizontal outline to the one below (larger row): polygons that share an edge never both take or both miss
/// it. Vertices are rounded to 1/65536 pixel and everything after that is exact, so the result does not
/// change when the grid is cut into windows. Works for rotated, sheared and south-up grids. Method: scanline
/// fill; O(vertices + pixels). Parallel over strips of rows, the same result for any number of threads.
/// Memory: 40 bytes per vertex near the grid. Threads: safe to call concurrently.
/// @throws GeometryError    a vertex is not finite or absurdly far away (2^40 pixels)
/// @throws InvalidArgument  the grid's transform has no inverse
[[nodiscard]] Raster<std::uint8_t> rasterize_extent(std::span<const MultiPolygon> polygons, const Grid& grid);

/// position + 1 of the polygon that holds the pixel's centre, 0 where none does; where polygons overlap the
/// later one. Rules and errors as rasterize_extent.
[[nodiscard]] Raster<std::uint32_t> rasterize_instances(std::span<const MultiPolygon> polygons,
                                                        const Grid& grid);

/// Three-class labels: kInterior by pixel centre, then kBoundary burned last where the pixel's centre lies
/// within half the boundary width of an outline (ties included, up to 1e-6 pixel).
///
/// Touching fields always keep at least one boundary pixel between them, however small the width (but not for
/// width 0, which has no boundary class): where an interior pixel of one polygon has an interior pixel of
/// another one among its 8 neighbours, the pixel of the later polygon becomes boundary. Distances are
/// measured in pixels (or metres) of the grid, so the ring is as wide in x as in y on the ground when metres
/// are asked for; a sheared grid is measured as if its columns and rows were perpendicular. Rules and errors
/// otherwise as rasterize_extent and boundary_reach_px.
[[nodiscard]] Raster<std::uint8_t> rasterize_labels(std::span<const MultiPolygon> polygons, const Grid& grid,
                                                    const BoundaryOptions& boundary = {});

}  // namespace furrow::geo
