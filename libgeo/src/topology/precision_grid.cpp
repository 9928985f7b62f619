#include "precision_grid.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <furrow/geo/core/error.h>

#include "face_rings.h"

namespace furrow::geo::detail {
namespace {

constexpr double kMetresPerDegree = 111320.0;

double nominal_metres(const Crs& crs) {
  if (crs.is_geographic()) return kMetresPerDegree;
  return crs.metres_per_unit() > 0.0 ? crs.metres_per_unit() : 1.0;
}

std::uint64_t cell_key(std::int64_t x, std::int64_t y) {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(x)) << 32) | static_cast<std::uint32_t>(y);
}

}  // namespace

PrecisionGrid::PrecisionGrid(const Crs& crs, double precision_m) {
  if (!(precision_m > 0.0)) throw InvalidArgument("the precision must be above 0 m");
  const double steps = nominal_metres(crs) / precision_m;
  m_steps = std::pow(10.0, std::ceil(std::log10(steps) - 0.1));
}

GridPoint PrecisionGrid::to_grid(Point p) const {
  return {std::llround(p.x * m_steps), std::llround(p.y * m_steps)};
}

Point PrecisionGrid::to_world(GridPoint p) const {
  return {static_cast<double>(p.x) / m_steps, static_cast<double>(p.y) / m_steps};
}

MultiPolygon PrecisionGrid::to_world(const GridShape& shape) const {
  MultiPolygon polygons;
  for (const GridRing& points : shape.rings) {
    Ring ring;
    for (const GridPoint& p : points) ring.push_back(to_world(p));
    ring.push_back(ring.front());
    if (doubled_area(points) > 0) {
      polygons.push_back({std::move(ring), {}});
    } else {
      polygons.back().holes.push_back(std::move(ring));
    }
  }
  return polygons;
}

GridShape PrecisionGrid::to_grid(const MultiPolygon& shape) const {
  GridShape result;
  const auto add = [&](const Ring& ring, bool is_hole) {
    std::vector<GridPoint> points;
    for (const Point& p : ring) {
      const GridPoint g = to_grid(p);
      if (points.empty() || points.back() != g) points.push_back(g);
    }
    while (points.size() > 1 && points.front() == points.back()) points.pop_back();
    if (points.size() < 3) return;
    const Wide area = doubled_area(points);
    if (area == 0) return;
    if ((area < 0) != is_hole) std::ranges::reverse(points);
    for (const GridPoint& p : points) {
      result.box.expand(Point{static_cast<double>(p.x), static_cast<double>(p.y)});
    }
    result.rings.push_back(std::move(points));
  };
  for (const Polygon& polygon : shape) {
    add(polygon.shell, false);
    for (const Ring& hole : polygon.holes) add(hole, true);
  }
  return result;
}

GroundScale::GroundScale(const Crs& crs, const PrecisionGrid& grid, std::span<const GridShape> shapes) {
  const double unit_m = nominal_metres(crs);
  const double steps = grid.steps_per_unit();
  m_cell = crs.is_geographic() ? 0.1 * steps : 10000.0 / unit_m * steps;
  m_nominal = {unit_m / steps, unit_m / steps};
  const GeodesicMeasure measure(crs);
  const double reach = 100.0 / unit_m;
  const auto measured = [&](std::int64_t cx, std::int64_t cy) {
    const double x = (static_cast<double>(cx) + 0.5) * m_cell / steps;
    const double y = (static_cast<double>(cy) + 0.5) * m_cell / steps;
    try {
      const StepLength step{measure.distance_m({x, y}, {x + reach, y}) / reach / steps,
                            measure.distance_m({x, y}, {x, y + reach}) / reach / steps};
      return std::isfinite(step.x) && std::isfinite(step.y) && step.x > 0.0 && step.y > 0.0 ? step
                                                                                            : m_nominal;
    } catch (const Error&) {
      return m_nominal;  // the middle of the cell lies where the CRS is not defined
    }
  };
  for (const GridShape& shape : shapes) {
    if (shape.box.empty()) continue;
    for (std::int64_t cx = cell(shape.box.min_x); cx <= cell(shape.box.max_x); ++cx) {
      for (std::int64_t cy = cell(shape.box.min_y); cy <= cell(shape.box.max_y); ++cy) {
        const auto [it, is_new] = m_cells.try_emplace(cell_key(cx, cy));
        if (is_new) it->second = measured(cx, cy);
      }
    }
  }
}

std::int64_t GroundScale::cell(double steps) const {
  return static_cast<std::int64_t>(std::floor(steps / m_cell));
}

StepLength GroundScale::at(GridPoint p) const {
  const auto it = m_cells.find(cell_key(cell(static_cast<double>(p.x)), cell(static_cast<double>(p.y))));
  return it == m_cells.end() ? m_nominal : it->second;
}

double GroundScale::length_m(GridPoint a, GridPoint b) const {
  const StepLength step = at(a);
  return std::hypot(static_cast<double>(b.x - a.x) * step.x, static_cast<double>(b.y - a.y) * step.y);
}

std::vector<OutlineSegment> outline_segments(std::span<const GridShape> shapes) {
  std::vector<OutlineSegment> segments;
  for (std::size_t f = 0; f < shapes.size(); ++f) {
    for (const auto& ring : shapes[f].rings) {
      for (std::size_t i = 0; i < ring.size(); ++i) {
        segments.push_back({ring[i], ring[(i + 1) % ring.size()], static_cast<std::uint32_t>(f)});
      }
    }
  }
  return segments;
}

}  // namespace furrow::geo::detail
