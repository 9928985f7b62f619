#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/core/random.h>
#include <furrow/geo/topology/score_map.h>

namespace furrow::benchmarks {

namespace geo = furrow::geo;

inline constexpr std::int64_t kCell = 48;  // px between seeds: fields of about 23 ha at 10 m

struct Nearest {
  double first = INFINITY;
  double second = INFINITY;
  std::uint64_t cell = 0;
};

/// The two nearest seeds, one jittered seed per square cell.
inline Nearest nearest(double x, double y) {
  Nearest found;
  const auto cx = static_cast<std::int64_t>(x) / kCell;
  const auto cy = static_cast<std::int64_t>(y) / kCell;
  for (std::int64_t j = cy - 2; j <= cy + 2; ++j) {
    for (std::int64_t i = cx - 2; i <= cx + 2; ++i) {
      geo::Random random(7, static_cast<std::uint64_t>((j + 8) * 65536 + i + 8));
      const double sx = (static_cast<double>(i) + random.uniform()) * static_cast<double>(kCell);
      const double sy = (static_cast<double>(j) + random.uniform()) * static_cast<double>(kCell);
      const double d = std::hypot(sx - x, sy - y);
      if (d < found.first) {
        found.second = found.first;
        found.first = d;
        found.cell = random.bits();
      } else {
        found.second = std::min(found.second, d);
      }
    }
  }
  return found;
}

/// Fields as Voronoi cells, some background, soft boundaries, noise.
inline geo::ScoreMap make_scores(std::int64_t side) {
  geo::ScoreMap map{{side, side, {500000, 10, 0, 6000000, 0, -10}, geo::Crs::from_user_input("EPSG:32632")},
                    geo::Raster<std::uint8_t>(side, side),
                    geo::Raster<std::uint8_t>(side, side),
                    geo::Raster<std::uint8_t>(side, side, 1, 1)};
  tbb::parallel_for(std::int64_t{0}, side, [&](std::int64_t row) {
    geo::Random random(3, static_cast<std::uint64_t>(row));
    for (std::int64_t col = 0; col < side; ++col) {
      const Nearest n = nearest(static_cast<double>(col), static_cast<double>(row));
      const double d = 0.5 * (n.second - n.first);
      const bool field = n.cell % 5 != 0;
      const double boundary = std::exp(-0.5 * d * d) + random.normal(0.0, 0.03);
      const double extent = (field ? 0.95 : 0.1) + random.normal(0.0, 0.03);
      map.boundary.at(col, row) = static_cast<std::uint8_t>(std::clamp(200.0 * boundary, 0.0, 200.0));
      map.extent.at(col, row) = static_cast<std::uint8_t>(std::clamp(200.0 * extent, 0.0, 200.0));
    }
  });
  return map;
}

}  // namespace furrow::benchmarks
