#pragma once

#include <vector>

#include <furrow/geo/core/random.h>
#include <furrow/geo/raster/grid.h>

namespace furrow::test {

/// A star of `points` vertices around `centre`; now and then with a hole.
[[nodiscard]] geo::MultiPolygon star(geo::Random& random, geo::Point centre, double radius, int points);

/// One to eight stars on and around a grid; they overlap, and some reach over its border.
[[nodiscard]] std::vector<geo::MultiPolygon> random_shapes(geo::Random& random, const geo::Grid& grid);

/// Moves every vertex to the nearest multiple of `step` pixels of the grid.
void snap_to_pixels(std::vector<geo::MultiPolygon>& shapes, const geo::Grid& grid, double step);

}  // namespace furrow::test
