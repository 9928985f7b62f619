#include "gdal_burn.h"

#include <array>
#include <cmath>
#include <utility>

#include <gdal.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::geo {
namespace {

constexpr double kFarthestPx = 1073741824.0;  // 2^30: GDAL counts pixels in 32 bits

/// World to pixel with GDAL's own numbers and order of operations: other roundings move ties.
class ToPixel {
 public:
  explicit ToPixel(const GeoTransform& t) {
    std::array<double, 6> forward{t.x0, t.dx, t.rx, t.y0, t.ry, t.dy};
    if (GDALInvGeoTransform(forward.data(), m_inverse.data()) == 0) {
      throw InvalidArgument("the raster's geotransform has no inverse (its pixels have no area)");
    }
  }
  [[nodiscard]] Point operator()(Point world) const {
    return {m_inverse[0] + world.x * m_inverse[1] + world.y * m_inverse[2],
            m_inverse[3] + world.x * m_inverse[4] + world.y * m_inverse[5]};
  }

 private:
  std::array<double, 6> m_inverse{};
};

Ring to_pixels(const Ring& ring, const ToPixel& to_pixel, std::size_t polygon) {
  Ring out;
  out.reserve(ring.size());
  for (const Point& world : ring) {
    const Point p = to_pixel(world);
    if (!(std::abs(p.x) < kFarthestPx && std::abs(p.y) < kFarthestPx)) {
      throw GeometryError(
          concat("polygon ", polygon + 1, " has a vertex (", world.x, ", ", world.y,
                 ") that is not finite or absurdly far from the raster; check its coordinates"));
    }
    out.push_back(p);
  }
  return out;
}

}  // namespace

GdalBurn::GdalBurn(std::span<const MultiPolygon> polygons, const Grid& grid)
    : m_width(grid.width), m_height(grid.height) {
  const ToPixel to_pixel(grid.transform);
  std::vector<Box> boxes;
  for (std::size_t i = 0; i < polygons.size(); ++i) {
    for (const Polygon& polygon : polygons[i]) {
      if (polygon.shell.empty()) continue;
      Part part;
      part.polygon = i;
      part.rings.push_back(to_pixels(polygon.shell, to_pixel, i));
      for (const Ring& hole : polygon.holes) {
        if (!hole.empty()) part.rings.push_back(to_pixels(hole, to_pixel, i));
      }
      boxes.push_back(bounds(part.rings.front()));
      m_parts.push_back(std::move(part));
    }
  }
  m_index = std::make_unique<BoxIndex>(boxes);
}

namespace gdal_burn {

void Crossings::add(Point a, Point b) {
  const auto column = [](double x) { return static_cast<std::int64_t>(std::floor(x + 0.5)); };
  const auto centre = [&](std::int64_t row) { return static_cast<double>(m_strip.row + row) + 0.5; };
  if (a.y == b.y) {
    // Of the sides on a centre line GDAL fills those that run to the left.
    const double row = a.y - 0.5 - static_cast<double>(m_strip.row);
    const bool here = row >= 0.0 && row < static_cast<double>(m_strip.height) && row == std::floor(row);
    if (here && a.x > b.x) m_level.push_back({static_cast<std::int64_t>(row), column(b.x), column(a.x)});
    return;
  }
  const Point top = a.y < b.y ? a : b;
  const Point bottom = a.y < b.y ? b : a;
  const double start = std::floor(top.y - 0.5) - static_cast<double>(m_strip.row);
  if (start >= static_cast<double>(m_strip.height)) return;
  std::int64_t row = static_cast<std::int64_t>(std::max(start, 0.0));
  while (row < m_strip.height && centre(row) < top.y) ++row;
  const std::int64_t first = row;
  for (; row < m_strip.height && centre(row) < bottom.y; ++row) {
    const double x = (centre(row) - top.y) * (bottom.x - top.x) / (bottom.y - top.y) + top.x;
    m_cols[static_cast<std::size_t>(row)].push_back(column(x));
  }
  if (first < row) {
    m_first = std::min(m_first, first);
    m_end = std::max(m_end, row);
  }
}

Touched touched_by(Point a, Point b, std::int64_t width, std::int64_t height) {
  constexpr double kThin = 0.01;
  const auto w = static_cast<double>(width);
  const auto h = static_cast<double>(height);
  Touched result;
  result.block = true;  // an empty one so far
  if ((a.y < 0.0 && b.y < 0.0) || (a.y > h && b.y > h) || (a.x < 0.0 && b.x < 0.0) || (a.x > w && b.x > w)) {
    return result;
  }
  if (a.x > b.x) std::swap(a, b);
  const auto cell = [](double v) { return static_cast<std::int64_t>(std::floor(v)); };
  if (cell(a.x) == cell(b.x) || std::abs(a.x - b.x) < kThin) {
    result.first_col = result.last_col = cell(b.x);
    result.first_row = cell(std::min(a.y, b.y));
    result.last_row = cell(std::max(a.y, b.y));
    return result;
  }
  if (cell(a.y) == cell(b.y) || std::abs(a.y - b.y) < kThin) {
    result.first_row = result.last_row = cell(a.y);
    result.first_col = cell(a.x);
    result.last_col = cell(b.x);
    return result;
  }
  result.block = false;
  Walk& walk = result.walk;
  walk = {a, b.x, (b.y - a.y) / (b.x - a.x)};
  double end_y = b.y;
  if (walk.end_x > w) {
    end_y -= (walk.end_x - w) * walk.slope;
    walk.end_x = w;
  }
  if (walk.at.x < 0.0) walk.at = {0.0, walk.at.y + (0.0 - walk.at.x) * walk.slope};
  if (end_y > walk.at.y) {
    if (walk.at.y < 0.0) walk.at = {walk.at.x + (0.0 - walk.at.y) / walk.slope, 0.0};
  } else {
    if (walk.at.y >= h) walk.at = {walk.at.x + (h - walk.at.y) / walk.slope, h};
    if (end_y < 0.0) walk.end_x -= end_y / walk.slope;
  }
  return result;
}

void step(Walk& walk) {
  constexpr double kLeast = 1e-9;  // so that a walk along a pixel's corner gets on
  const double row = std::floor(walk.at.y);
  double dx = std::floor(walk.at.x + 1.0) - walk.at.x;
  double dy = dx * walk.slope;
  if (std::floor(walk.at.y + dy) != row) {
    dy = walk.slope < 0.0 ? std::min(row - walk.at.y, -kLeast) : std::max(row + 1.0 - walk.at.y, kLeast);
    dx = dy / walk.slope;
  }
  walk.at = {walk.at.x + dx, walk.at.y + dy};
}

}  // namespace gdal_burn

}  // namespace furrow::geo
