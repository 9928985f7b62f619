#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/topology/components.h>

namespace furrow::geo {

/// Ground area of pixels, which changes from row to row in a geographic CRS (and a little in a projected
/// one). Held as whole multiples of a small unit, so that sums do not depend on their order.
class PixelAreas {
 public:
  /// Geodesic area of the pixel in the middle of every row.
  /// @throws CrsError when the grid has no CRS
  explicit PixelAreas(const Grid& grid);
  /// Pixels of one area each.
  /// @throws InvalidArgument  the area is not above 0
  PixelAreas(std::int64_t rows, double pixel_m2);

  /// In units.
  [[nodiscard]] std::int64_t row(std::int64_t row) const { return m_rows[static_cast<std::size_t>(row)]; }
  [[nodiscard]] double to_m2(std::int64_t units) const { return static_cast<double>(units) * m_unit_m2; }
  [[nodiscard]] std::int64_t from_m2(double area_m2) const;
  /// Of the grid's middle row.
  [[nodiscard]] double pixel_m2() const { return to_m2(m_rows[m_rows.size() / 2]); }

 private:
  void set(const std::vector<double>& area_m2);

  double m_unit_m2 = 1.0;
  std::vector<std::int64_t> m_rows;
};

/// What is known of an instance from its pixels.
struct RegionStats {
  std::int64_t pixels = 0;
  std::int64_t area = 0;         ///< in units of PixelAreas
  std::int64_t first_pixel = 0;  ///< position in row-major order of its first pixel
  bool touches_edge = false;     ///< has a pixel on the raster's border
  bool touches_unknown = false;  ///< shares a pixel edge with a pixel of kUnknownInstance
};

/// @param instances  shape [1, rows, cols], labels 0..count and kUnknownInstance
/// @return           count + 1 entries, by label; entry 0 is unused
[[nodiscard]] std::vector<RegionStats> region_stats(const Raster<std::uint32_t>& instances,
                                                    std::uint32_t count, const PixelAreas& areas,
                                                    ExecContext& exec);

/// The common edge of two neighbouring fields (4 neighbours: pixels that share a side).
struct SharedEdge {
  std::uint32_t a = 0;  ///< a < b
  std::uint32_t b = 0;
  std::int64_t sides = 0;  ///< pixel sides along it
  std::int64_t strength =
      0;  ///< sum over those sides of the larger boundary score (0..200) of the two pixels

  /// Mean boundary score along it, 0..1.
  [[nodiscard]] double mean_score() const;
};

/// @param boundary  boundary scores 0..200, same shape as `instances`
/// @return          ordered by (a, b)
[[nodiscard]] std::vector<SharedEdge> shared_edges(const Raster<std::uint32_t>& instances,
                                                   const Raster<std::uint8_t>& boundary, ExecContext& exec);

struct AbsorbResult {
  std::vector<std::uint32_t> target;  ///< by label: itself, the label that absorbed it, or 0 = rejected
  std::int64_t absorbed = 0;
  std::int64_t rejected = 0;
  std::int64_t rejected_pixels = 0;
};

/// Decides what becomes of instances under a minimum area: absorbed by the neighbour with the longest common
/// edge when that edge is weak, else rejected.
///
/// Smallest first (ties: lower label); an instance that has grown past the minimum by absorbing others stays.
/// Longest means most pixel sides; ties go to the lower label.
/// @param min_area    in units of PixelAreas
/// @param weak_below  mean boundary score under which an edge is weak: 0 = never absorb, above 1 = always
[[nodiscard]] AbsorbResult absorb_small(std::span<const RegionStats> stats, std::span<const SharedEdge> edges,
                                        std::int64_t min_area, double weak_below);

struct FillResult {
  std::int64_t holes = 0;
  std::int64_t pixels = 0;
};

/// Gives background enclosed by a single field to that field, when its area is under `max_area` (units of
/// PixelAreas). Background that reaches the raster's border or a pixel of kUnknownInstance is not enclosed:
/// nobody knows how it goes on there. Pieces of background connect through sides (4 neighbours), as holes of
/// polygons do.
FillResult fill_holes(Raster<std::uint32_t>& instances, const PixelAreas& areas, std::int64_t max_area,
                      ExecContext& exec);

}  // namespace furrow::geo
