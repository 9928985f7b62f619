#pragma once

#include <span>
#include <vector>

#include <furrow/geo/vector/geometry.h>

#include "overlay.h"

/// Outlines cut at their crossings. What is put together from the faces shares its vertices exactly, so
/// neighbours have no gap and no common area, also after a change of coordinates.
namespace furrow::labelling {

/// Coordinates of faces are multiples of this.
constexpr double kGrid_m = 1e-4;

/// Faces into which all outlines together divide the plane.
[[nodiscard]] std::vector<overlay::Geometry> faces_of(std::span<const geo::MultiPolygon> shapes);

/// A point inside.
[[nodiscard]] geo::Point point_in(const overlay::Geometry& face);

/// The shape with its coordinates on the grid, valid.
[[nodiscard]] geo::MultiPolygon on_grid(const geo::MultiPolygon& shape);

}  // namespace furrow::labelling
