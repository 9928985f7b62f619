#include <furrow/geo/raster/chip_grid.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <utility>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

#include "pixel_map.h"

namespace furrow::geo {
namespace {

/// Where the chips begin along one axis.
class ChipAxis {
 public:
  ChipAxis(std::int64_t size, std::int64_t chip, std::int64_t overlap, ChipEdge edge)
      : m_size(size),
        m_chip(chip),
        m_step(chip - overlap),
        m_count(1 + (std::max<std::int64_t>(0, size - chip) + m_step - 1) / m_step),
        m_edge(edge) {}

  [[nodiscard]] std::int64_t count() const { return m_count; }
  [[nodiscard]] std::int64_t begin(std::int64_t i) const {
    const bool shifted = m_edge == ChipEdge::kShift && i + 1 == m_count;
    return shifted ? std::max<std::int64_t>(0, m_size - m_chip) : i * m_step;
  }
  [[nodiscard]] std::int64_t length(std::int64_t i) const {
    if (m_edge == ChipEdge::kPad) return m_chip;
    return std::min(m_chip, m_size - begin(i));
  }

 private:
  std::int64_t m_size;
  std::int64_t m_chip;
  std::int64_t m_step;
  std::int64_t m_count;
  ChipEdge m_edge;
};

const ChipSize& checked(const ChipSize& size) {
  if (size.width < 1 || size.height < 1) throw InvalidArgument("a chip needs at least 1 pixel");
  if (size.overlap_px < 0 || size.overlap_px >= std::min(size.width, size.height)) {
    throw InvalidArgument(concat("an overlap of ", size.overlap_px, " px does not fit chips of ", size.width,
                                 " x ", size.height, " px"));
  }
  if (size.halo_px < 0) throw InvalidArgument("a halo is 0 px or more");
  return size;
}

/// The chips of a grid by number, row by row.
class ChipRaster {
 public:
  ChipRaster(const Grid& grid, const ChipSize& size, ChipEdge edge)
      : m_rows(grid.height, checked(size).height, size.overlap_px, edge),
        m_cols(grid.width, size.width, size.overlap_px, edge),
        m_count(grid.window().empty() ? 0 : m_rows.count() * m_cols.count()) {}

  [[nodiscard]] std::int64_t count() const { return m_count; }
  [[nodiscard]] std::int64_t cols() const { return m_cols.count(); }
  [[nodiscard]] ChipPlace place(std::int64_t number) const {
    const std::int64_t row = number / m_cols.count();
    const std::int64_t col = number % m_cols.count();
    return {row, col, {m_cols.begin(col), m_rows.begin(row), m_cols.length(col), m_rows.length(row)}};
  }

 private:
  ChipAxis m_rows;
  ChipAxis m_cols;
  std::int64_t m_count;
};

PlannedChip with_halo(std::string name, ChipPlace core, const Grid& grid, std::int64_t halo_px) {
  PlannedChip chip{std::move(name), core, core.window, grid};
  chip.place.window = grow(core.window, halo_px);
  return chip;
}

std::string numbered(const std::string& name, const ChipPlace& place) {
  return concat(name, '_', place.row, '_', place.col);
}

Window union_of(const Window& a, const Window& b) {
  const std::int64_t col = std::min(a.col, b.col);
  const std::int64_t row = std::min(a.row, b.row);
  return {col, row, std::max(a.end_col(), b.end_col()) - col, std::max(a.end_row(), b.end_row()) - row};
}

/// All pixels that a box in pixel space touches, at least one.
Window pixels_under(const Box& box) {
  // Rounding noise must not pull in another row or column.
  constexpr double kSlack = 1e-6;
  const auto low = [](double v) { return static_cast<std::int64_t>(std::floor(v + kSlack)); };
  const auto high = [](double v) { return static_cast<std::int64_t>(std::ceil(v - kSlack)); };
  return {low(box.min_x), low(box.min_y), std::max<std::int64_t>(1, high(box.max_x) - low(box.min_x)),
          std::max<std::int64_t>(1, high(box.max_y) - low(box.min_y))};
}

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

/// True when the window may hold pixels of the raster: seen from the raster, their boxes meet.
bool may_touch(const PixelMap& to_raster, const Window& window, const Grid& raster) {
  constexpr int kSteps = 4;
  std::vector<Point> points;
  for (int r = 0; r <= kSteps; ++r) {
    for (int c = 0; c <= kSteps; ++c) {
      points.push_back({static_cast<double>(window.col) + static_cast<double>(window.width) * c / kSteps,
                        static_cast<double>(window.row) + static_cast<double>(window.height) * r / kSteps});
    }
  }
  std::vector<int> done(points.size());
  to_raster.apply(points, done);
  Box box;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (done[i] != 0) box.expand(points[i]);
  }
  if (box.empty()) return false;
  // Touching only along an edge is not enough, but the sides of a projected window are curved a little.
  const double slack = 0.01 * std::max(box.width(), box.height()) - 1e-6;
  const double margin = to_raster.is_affine() ? -1e-6 : slack;
  return box.max_x > -margin && box.min_x < static_cast<double>(raster.width) + margin &&
         box.max_y > -margin && box.min_y < static_cast<double>(raster.height) + margin;
}

}  // namespace

std::vector<ChipPlace> chip_places(const Grid& grid, const ChipSize& size, ChipEdge edge) {
  const ChipRaster chips(grid, size, edge);
  std::vector<ChipPlace> places;
  for (std::int64_t i = 0; i < chips.count(); ++i) places.push_back(chips.place(i));
  return places;
}

namespace {

ChipSize size_in_pixels(double side, Point pixel, const char* unit, int digits) {
  if (!(side > 0.0) || !std::isfinite(side)) {
    throw InvalidArgument(concat("the side of a chip must be above 0 ", unit, ", got ", side));
  }
  if (side < 0.5 * std::min(pixel.x, pixel.y)) {
    throw InvalidArgument(concat("a chip of ", side, " ", unit, " is smaller than a pixel, which has ",
                                 fixed(pixel.x, digits), " x ", fixed(pixel.y, digits), " ", unit));
  }
  const auto pixels = [&](double size) {
    return static_cast<std::int64_t>(std::clamp(std::round(side / size), 1.0, 2147483647.0));
  };
  return {pixels(pixel.x), pixels(pixel.y), 0, 0};
}

}  // namespace

ChipSize chip_size_of(const Grid& grid, double side_m) {
  return size_in_pixels(side_m, grid.pixel_size_m(), "m", 3);
}

ChipSize chip_size_of_degrees(const Grid& grid, double side_deg) {
  if (!grid.crs.is_geographic()) {
    throw CrsError(concat("a chip size in degrees needs a grid in degrees, but its CRS is ", grid.crs.name(),
                          "; give the size in metres or pixels, or another --output-crs"));
  }
  return size_in_pixels(side_deg, {grid.transform.pixel_width(), grid.transform.pixel_height()}, "degrees",
                        9);
}

ChipPlan plan_grid(const std::string& name, const Grid& grid, const ChipSize& size, ChipEdge edge) {
  const ChipRaster chips(grid, size, edge);
  const bool pad = edge == ChipEdge::kPad;
  const auto most = [&](std::int64_t chip, std::int64_t all) {
    return pad ? chip + 2 * size.halo_px : std::min(chip + 2 * size.halo_px, all);
  };
  return {chips.count(),
          most(size.width, grid.width),
          most(size.height, grid.height),
          grid,
          grid.window(),
          [=](std::int64_t number) {
            const ChipPlace place = chips.place(number);
            PlannedChip chip = with_halo(numbered(name, place), place, grid, size.halo_px);
            if (!pad) chip.place.window = intersection(chip.place.window, grid.window());
            return chip;
          },
          std::max<std::int64_t>(1, chips.count() / std::max<std::int64_t>(1, chips.cols()))};
}

Box bounds_in(const Grid& raster, const Crs& crs) {
  const Grid world{0, 0, {0.0, 1.0, 0.0, 0.0, 0.0, 1.0}, crs};
  const PixelMap to_world(raster, world);
  Box box = to_world.bounds_of(raster.window());
  if (box.empty()) {
    throw CrsError(concat("a raster in ", raster.crs.name(), " has no place in ", crs.name(),
                          "; choose another --output-crs"));
  }
  if (to_world.is_affine()) return box;
  // Sides are curved between the points that were looked at.
  constexpr double kCurved = 1e-3;
  const Point margin{kCurved * box.width(), kCurved * box.height()};
  box.expand(Point{box.min_x - margin.x, box.min_y - margin.y});
  box.expand(Point{box.max_x + margin.x, box.max_y + margin.y});
  return box;
}

Grid snapped_grid(const Crs& crs, double resolution, const Box& box, const ChipSize& size) {
  if (!(resolution > 0.0) || !std::isfinite(resolution))
    throw InvalidArgument(concat("the resolution must be above 0, got ", resolution));
  const std::int64_t step_x = checked(size).width - size.overlap_px;
  const std::int64_t step_y = size.height - size.overlap_px;
  constexpr double kFarthestPx = 1e15;
  constexpr double kSlack = 1e-6;
  const auto pixel = [&](double world, double slack) {
    const double px = std::floor(world / resolution + slack);
    if (!(std::abs(px) < kFarthestPx))
      throw InvalidArgument(
          concat("a resolution of ", resolution, " is too fine for coordinates like ", std::abs(world)));
    return static_cast<std::int64_t>(px);
  };
  // First and last pixel; rows count downwards from y = 0.
  const std::int64_t left = pixel(box.min_x, kSlack);
  const std::int64_t right = std::max(left, pixel(box.max_x, -kSlack));
  const std::int64_t top = pixel(-box.max_y, kSlack);
  const std::int64_t bottom = std::max(top, pixel(-box.min_y, -kSlack));
  // The first chip that holds the first pixel, the last one that holds the last.
  const std::int64_t first_col = floor_divide(left - size.width, step_x) + 1;
  const std::int64_t last_col = floor_divide(right, step_x);
  const std::int64_t first_row = floor_divide(top - size.height, step_y) + 1;
  const std::int64_t last_row = floor_divide(bottom, step_y);
  Grid grid;
  grid.crs = crs;
  grid.width = (last_col - first_col) * step_x + size.width;
  grid.height = (last_row - first_row) * step_y + size.height;
  constexpr std::int64_t kMostPx = std::int64_t{1} << 31;
  if (grid.width >= kMostPx || grid.height >= kMostPx) {
    throw InvalidArgument(concat("a grid of ", grid.width, " x ", grid.height,
                                 " px is too large; choose a coarser --resolution"));
  }
  grid.transform = {static_cast<double>(first_col * step_x) * resolution,  resolution, 0.0,
                    -static_cast<double>(first_row * step_y) * resolution, 0.0,        -resolution};
  return grid;
}

Grid extended_grid(const Grid& grid, std::span<const Grid> rasters) {
  Window all = grid.window();
  for (const Grid& raster : rasters) {
    const Box world = bounds_in(raster, grid.crs);
    Box box;
    for (const double x : {world.min_x, world.max_x}) {
      for (const double y : {world.min_y, world.max_y}) box.expand(grid.transform.to_pixel({x, y}));
    }
    constexpr double kMostPx = 2147483648.0;
    if (!(std::max({std::abs(box.min_x), std::abs(box.max_x), std::abs(box.min_y), std::abs(box.max_y)}) <
          kMostPx)) {
      throw InvalidArgument(concat("a grid for all images would have more than ", readable(kMostPx),
                                   " px a side; give a coarser --resolution, or cut the images in parts"));
    }
    all = union_of(all, pixels_under(box));
  }
  return grid.subgrid(all);
}

ChipPlan plan_touching(const std::string& name, const Grid& grid, const ChipSize& size, ChipEdge edge,
                       std::span<const Grid> rasters) {
  const ChipRaster chips(grid, size, edge);
  auto numbers = std::make_shared<std::vector<std::int64_t>>();
  const std::int64_t step_x = size.width - size.overlap_px;
  const std::int64_t step_y = size.height - size.overlap_px;
  for (const Grid& raster : rasters) {
    const PixelMap to_raster(grid, raster);
    const Window near = grow(grid.window_of(bounds_in(raster, grid.crs)), 1);
    const auto first = [](std::int64_t pixel, std::int64_t chip, std::int64_t step) {
      return std::max<std::int64_t>(0, floor_divide(pixel - chip, step) + 1);
    };
    // One more: the last chip may have moved inwards.
    const auto last = [](std::int64_t pixel, std::int64_t step, std::int64_t count) {
      return std::min(floor_divide(pixel, step) + 1, count - 1);
    };
    const std::int64_t last_row = last(near.end_row() - 1, step_y, chips.count() / chips.cols());
    const std::int64_t last_col = last(near.end_col() - 1, step_x, chips.cols());
    for (std::int64_t row = first(near.row, size.height, step_y); row <= last_row; ++row) {
      for (std::int64_t col = first(near.col, size.width, step_x); col <= last_col; ++col) {
        const std::int64_t number = row * chips.cols() + col;
        if (may_touch(to_raster, chips.place(number).window, raster)) numbers->push_back(number);
      }
    }
  }
  std::ranges::sort(*numbers);
  numbers->erase(std::ranges::unique(*numbers).begin(), numbers->end());
  const ChipPlan all = plan_grid(name, grid, size, edge);
  return {std::ssize(*numbers),
          all.width(),
          all.height(),
          grid,
          grid.window(),
          [=](std::int64_t i) { return all.chip((*numbers)[static_cast<std::size_t>(i)]); }};
}

ChipPlan plan_polygons(std::vector<NamedPolygon> polygons, const Grid& grid, std::int64_t halo_px) {
  struct Cell {
    std::string name;
    Window window;
  };
  auto cells = std::make_shared<std::vector<Cell>>();
  std::int64_t width = 0;
  std::int64_t height = 0;
  Window all = grid.window();
  for (NamedPolygon& polygon : polygons) {
    const Box world = bounds(polygon.shape);
    if (world.empty()) throw InvalidArgument(concat("index polygon ", quoted(polygon.name), " is empty"));
    Box box;
    for (const double x : {world.min_x, world.max_x}) {
      for (const double y : {world.min_y, world.max_y}) box.expand(grid.transform.to_pixel({x, y}));
    }
    constexpr double kMostPx = 65536.0;
    constexpr double kFarthestPx = 1073741824.0;
    const bool far = !(std::max(std::abs(box.min_x), std::abs(box.max_x)) < kFarthestPx &&
                       std::max(std::abs(box.min_y), std::abs(box.max_y)) < kFarthestPx);
    if (far || box.width() > kMostPx || box.height() > kMostPx) {
      throw InvalidArgument(
          concat("index polygon ", quoted(polygon.name), " is ", readable(std::ceil(box.width())), " x ",
                 readable(std::ceil(box.height())),
                 " px large on this grid, or far off it; check its CRS and the resolution"));
    }
    const Window window = pixels_under(box);
    width = std::max(width, window.width);
    height = std::max(height, window.height);
    all = cells->empty() ? window : union_of(all, window);
    cells->push_back({std::move(polygon.name), window});
  }
  return {std::ssize(*cells), width + 2 * halo_px, height + 2 * halo_px, grid, all, [=](std::int64_t i) {
            const Cell& cell = (*cells)[static_cast<std::size_t>(i)];
            return with_halo(cell.name, {0, i, cell.window}, grid, halo_px);
          }};
}

ChipPlan plan_points(std::vector<NamedPoint> points, const Crs& crs, std::int64_t side_px, double side,
                     std::int64_t halo_px) {
  if (side_px < 1 || !(side > 0.0) || !std::isfinite(side))
    throw InvalidArgument("chips around points need a side above 0");
  const CoordinateTransform transform(lonlat_crs(), crs);
  auto places = std::make_shared<std::vector<NamedPoint>>(std::move(points));
  for (NamedPoint& point : *places) {
    std::array<int, 1> done{};
    const Point degrees = point.place;
    transform.try_apply({&point.place, 1}, done);
    if (done[0] == 0 || !(std::abs(degrees.x) <= 360.0 && std::abs(degrees.y) <= 90.0)) {
      throw CrsError(concat("point ", quoted(point.name), " (", degrees.x, ", ", degrees.y,
                            ") is no longitude and latitude that has a place in ", crs.name()));
    }
  }
  const double pixel = side / static_cast<double>(side_px);
  const std::int64_t whole = side_px + 2 * halo_px;
  return {std::ssize(*places), whole, whole, std::nullopt, Window{}, [=](std::int64_t i) {
            const NamedPoint& point = (*places)[static_cast<std::size_t>(i)];
            const GeoTransform t{point.place.x - 0.5 * side, pixel, 0.0,
                                 point.place.y + 0.5 * side, 0.0,   -pixel};
            const Grid grid{side_px, side_px, t, crs};
            return with_halo(point.name, {0, i, grid.window()}, grid, halo_px);
          }};
}

}  // namespace furrow::geo
