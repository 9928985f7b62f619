#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/crs/crs.h>
#include <furrow/geo/vector/geometry.h>

#include "face_rings.h"
#include "planar_grid.h"
#include "snap_rounding.h"

namespace furrow::geo::detail {

/// Rings of a feature on the grid; the first point is not repeated, the inside lies on the left. The holes of
/// a polygon follow its shell.
struct GridShape {
  std::vector<GridRing> rings;
  Box box;  ///< in steps
};

/// Rounds coordinates to 1 / (a power of ten) units of the CRS.
class PrecisionGrid {
 public:
  /// The coarsest such grid whose step is not above `precision_m` (a degree counts as 111,320 m).
  PrecisionGrid(const Crs& crs, double precision_m);

  [[nodiscard]] double steps_per_unit() const { return m_steps; }
  [[nodiscard]] GridPoint to_grid(Point p) const;
  [[nodiscard]] Point to_world(GridPoint p) const;
  [[nodiscard]] MultiPolygon to_world(const GridShape& shape) const;
  /// Rings that have no area on the grid are left out.
  [[nodiscard]] GridShape to_grid(const MultiPolygon& shape) const;

 private:
  double m_steps = 1.0;
};

/// Metres on the ground in one step of the grid, east and north.
struct StepLength {
  double x = 1.0;
  double y = 1.0;
};

/// How long a step is at a place: constant in cells of 0.1 degree or 10 km (areas right within 0.5 % but near
/// the poles). Safe to call concurrently after construction.
class GroundScale {
 public:
  /// @param shapes  where it will be asked for; places elsewhere get the nominal scale
  GroundScale(const Crs& crs, const PrecisionGrid& grid, std::span<const GridShape> shapes);

  [[nodiscard]] StepLength at(GridPoint p) const;
  [[nodiscard]] double length_m(GridPoint a, GridPoint b) const;

 private:
  [[nodiscard]] std::int64_t cell(double steps) const;

  double m_cell = 1.0;  // steps
  StepLength m_nominal;
  std::unordered_map<std::uint64_t, StepLength> m_cells;
};

/// All outlines with their feature's number.
[[nodiscard]] std::vector<OutlineSegment> outline_segments(std::span<const GridShape> shapes);

}  // namespace furrow::geo::detail
