#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <furrow/geo/crs/crs.h>
#include <furrow/geo/vector/geometry.h>

namespace furrow::geo {

/// A rectangle of pixels: columns [col, col + width), rows [row, row + height).
struct Window {
  std::int64_t col = 0;
  std::int64_t row = 0;
  std::int64_t width = 0;
  std::int64_t height = 0;

  [[nodiscard]] std::int64_t pixels() const noexcept { return width * height; }
  [[nodiscard]] bool empty() const noexcept { return width <= 0 || height <= 0; }
  [[nodiscard]] std::int64_t end_col() const noexcept { return col + width; }
  [[nodiscard]] std::int64_t end_row() const noexcept { return row + height; }
  friend bool operator==(const Window&, const Window&) = default;
};

[[nodiscard]] Window intersection(const Window& a, const Window& b);
/// Grown by `margin_px` on each side.
[[nodiscard]] Window grow(const Window& window, std::int64_t margin_px);

/// Pixel (col, row) to world: x = x0 + col * dx + row * rx, y = y0 + col * ry + row * dy (GDAL's six
/// numbers).
struct GeoTransform {
  double x0 = 0.0;
  double dx = 1.0;
  double rx = 0.0;
  double y0 = 0.0;
  double ry = 0.0;
  double dy = -1.0;

  [[nodiscard]] Point to_world(Point pixel) const noexcept {
    return {x0 + pixel.x * dx + pixel.y * rx, y0 + pixel.x * ry + pixel.y * dy};
  }
  /// @throws InvalidArgument when the transform cannot be inverted
  [[nodiscard]] Point to_pixel(Point world) const;
  /// Rows run along y and columns along x (also south-up); false for rotated or sheared rasters.
  [[nodiscard]] bool is_axis_parallel() const noexcept { return rx == 0.0 && ry == 0.0; }
  /// Lengths of a pixel's sides, in world units.
  [[nodiscard]] double pixel_width() const noexcept;
  [[nodiscard]] double pixel_height() const noexcept;
  friend bool operator==(const GeoTransform&, const GeoTransform&) = default;
};

/// Size, position and CRS of a raster.
struct Grid {
  std::int64_t width = 0;
  std::int64_t height = 0;
  GeoTransform transform;
  Crs crs;

  [[nodiscard]] Window window() const noexcept { return {0, 0, width, height}; }
  [[nodiscard]] Box bounds() const;
  /// World box of a window.
  [[nodiscard]] Box bounds(const Window& window) const;
  /// The grid of a window of this one.
  [[nodiscard]] Grid subgrid(const Window& window) const;
  /// Smallest window, inside the grid, that covers a world box.
  [[nodiscard]] Window window_of(const Box& box) const;
  /// Ground size of a pixel in metres at the grid's centre (geodesic for geographic CRS): {width, height}.
  /// @throws CrsError when the CRS is empty
  [[nodiscard]] Point pixel_size_m() const;
  /// Same size, same CRS, and corners within `tolerance_px` of each other.
  [[nodiscard]] bool same_as(const Grid& other, double tolerance_px = 1e-3) const;
};

/// A processing window: the core is what this tile answers for, the halo what it looks at.
struct Tile {
  std::int64_t index = 0;  ///< row-major
  Window core;             ///< cores cover the grid once
  Window halo;             ///< core grown by the halo, clipped to the grid
};

/// Cuts a grid into tiles whose cores are `tile_px` squares (smaller at the right and bottom border).
/// @throws InvalidArgument when tile_px < 1 or halo_px < 0
[[nodiscard]] std::vector<Tile> make_tiles(const Grid& grid, std::int64_t tile_px, std::int64_t halo_px);

}  // namespace furrow::geo
