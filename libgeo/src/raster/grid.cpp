#include <furrow/geo/raster/grid.h>

#include <algorithm>
#include <cmath>

#include <furrow/geo/core/error.h>

namespace furrow::geo {

Window intersection(const Window& a, const Window& b) {
  const std::int64_t col = std::max(a.col, b.col);
  const std::int64_t row = std::max(a.row, b.row);
  return {col, row, std::max<std::int64_t>(0, std::min(a.end_col(), b.end_col()) - col),
          std::max<std::int64_t>(0, std::min(a.end_row(), b.end_row()) - row)};
}

Window grow(const Window& window, std::int64_t margin_px) {
  return {window.col - margin_px, window.row - margin_px, window.width + 2 * margin_px,
          window.height + 2 * margin_px};
}

Point GeoTransform::to_pixel(Point world) const {
  const double determinant = dx * dy - rx * ry;
  if (determinant == 0.0 || !std::isfinite(determinant)) {
    throw InvalidArgument("the raster's geotransform has no inverse (its pixels have no area)");
  }
  const double x = world.x - x0;
  const double y = world.y - y0;
  return {(x * dy - y * rx) / determinant, (y * dx - x * ry) / determinant};
}

double GeoTransform::pixel_width() const noexcept {
  return std::hypot(dx, ry);
}
double GeoTransform::pixel_height() const noexcept {
  return std::hypot(rx, dy);
}

Box Grid::bounds() const {
  return bounds(window());
}

Box Grid::bounds(const Window& w) const {
  Box box;
  for (const double col : {static_cast<double>(w.col), static_cast<double>(w.end_col())}) {
    for (const double row : {static_cast<double>(w.row), static_cast<double>(w.end_row())}) {
      box.expand(transform.to_world({col, row}));
    }
  }
  return box;
}

Grid Grid::subgrid(const Window& w) const {
  Grid sub = *this;
  sub.width = w.width;
  sub.height = w.height;
  const Point origin = transform.to_world({static_cast<double>(w.col), static_cast<double>(w.row)});
  sub.transform.x0 = origin.x;
  sub.transform.y0 = origin.y;
  return sub;
}

Window Grid::window_of(const Box& box) const {
  if (box.empty()) return {};
  Box pixels;
  for (const double x : {box.min_x, box.max_x}) {
    for (const double y : {box.min_y, box.max_y}) pixels.expand(transform.to_pixel({x, y}));
  }
  // Rounding noise must not pull in another row or column of pixels.
  constexpr double kSlack = 1e-6;
  const auto clamp_to = [](double v, std::int64_t size) {
    return static_cast<std::int64_t>(std::clamp(v, 0.0, static_cast<double>(size)));
  };
  const std::int64_t col = clamp_to(std::floor(pixels.min_x + kSlack), width);
  const std::int64_t row = clamp_to(std::floor(pixels.min_y + kSlack), height);
  return {col, row, clamp_to(std::ceil(pixels.max_x - kSlack), width) - col,
          clamp_to(std::ceil(pixels.max_y - kSlack), height) - row};
}

Point Grid::pixel_size_m() const {
  if (crs.empty()) throw CrsError("the size of a pixel in metres needs a CRS");
  if (crs.is_projected()) {
    return {transform.pixel_width() * crs.metres_per_unit(),
            transform.pixel_height() * crs.metres_per_unit()};
  }
  const GeodesicMeasure measure(crs);
  const Point centre{0.5 * static_cast<double>(width), 0.5 * static_cast<double>(height)};
  const Point here = transform.to_world(centre);
  return {measure.distance_m(here, transform.to_world({centre.x + 1.0, centre.y})),
          measure.distance_m(here, transform.to_world({centre.x, centre.y + 1.0}))};
}

bool Grid::same_as(const Grid& other, double tolerance_px) const {
  if (width != other.width || height != other.height || !crs.same_as(other.crs)) return false;
  const double limit = tolerance_px * std::min(transform.pixel_width(), transform.pixel_height());
  for (const double col : {0.0, static_cast<double>(width)}) {
    for (const double row : {0.0, static_cast<double>(height)}) {
      const Point a = transform.to_world({col, row});
      const Point b = other.transform.to_world({col, row});
      if (std::hypot(a.x - b.x, a.y - b.y) > limit) return false;
    }
  }
  return true;
}

std::vector<Tile> make_tiles(const Grid& grid, std::int64_t tile_px, std::int64_t halo_px) {
  if (tile_px < 1 || halo_px < 0)
    throw InvalidArgument("a tile needs at least 1 pixel and a halo of 0 or more");
  std::vector<Tile> tiles;
  for (std::int64_t row = 0; row < grid.height; row += tile_px) {
    for (std::int64_t col = 0; col < grid.width; col += tile_px) {
      Tile tile;
      tile.index = static_cast<std::int64_t>(tiles.size());
      tile.core = intersection({col, row, tile_px, tile_px}, grid.window());
      tile.halo = intersection(grow(tile.core, halo_px), grid.window());
      tiles.push_back(tile);
    }
  }
  return tiles;
}

}  // namespace furrow::geo
