#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/topology/components.h>

namespace furrow::geo {

/// Ground area of pixels and length of their sides, which change from row to row in a geographic CRS (and a
/// little in a projected one). Held as whole multiples of small units, so that sums do not depend on their
/// order.
class PixelAreas {
 public:
  /// Geodesic, of the pixel in the middle of every row.
  /// @throws CrsError when the grid has no CRS
  explicit PixelAreas(const Grid& grid);
  /// Square pixels of one area each.
  /// @throws InvalidArgument  the area is not above 0
  PixelAreas(std::int64_t rows, double pixel_m2);

  /// In units.
  [[nodiscard]] std::int64_t row(std::int64_t row) const { return m_rows[static_cast<std::size_t>(row)]; }
  [[nodiscard]] double to_m2(std::int64_t units) const { return static_cast<double>(units) * m_unit_m2; }
  [[nodiscard]] std::int64_t from_m2(double area_m2) const;
  /// Of the grid's middle row.
  [[nodiscard]] double pixel_m2() const { return to_m2(m_rows[m_rows.size() / 2]); }

  /// A unit of length, squared, times this is a unit of area.
  static constexpr std::int64_t kSquaresPerUnit = 1048576;
  /// Length of a pixel's upper side, in units; row = number of rows: of the lower side of the last row.
  [[nodiscard]] std::int64_t side_along_row(std::int64_t row) const {
    return m_along_rows[static_cast<std::size_t>(row)];
  }
  /// Length of a pixel's left and right side, in units.
  [[nodiscard]] std::int64_t side_along_column(std::int64_t row) const {
    return m_along_columns[static_cast<std::size_t>(row)];
  }
  [[nodiscard]] double length_to_m(double units) const;
  [[nodiscard]] double length_from_m(double length_m) const;

 private:
  void set(const std::vector<double>& area_m2);

  double m_unit_m2 = 1.0;
  std::vector<std::int64_t> m_rows;
  std::vector<std::int64_t> m_along_rows;
  std::vector<std::int64_t> m_along_columns;
};

/// What is known of an instance from its pixels.
struct RegionStats {
  std::int64_t pixels = 0;
  std::int64_t area = 0;         ///< in units of PixelAreas
  std::int64_t first_pixel = 0;  ///< position in row-major order of its first pixel
  bool touches_edge = false;     ///< has a pixel on the raster's border
  bool touches_unknown = false;  ///< shares a pixel edge with a pixel of kUnknownInstance
  std::int64_t along_rows = 0;   ///< length of its outline, holes included, that runs along rows, in units of
                                 ///< PixelAreas
  std::int64_t along_columns = 0;
};

/// Width of the rectangle, of any orientation, that has the region's area and whose outline runs as far along
/// rows and along columns as the region's: a measure made of sums over pixels only.
///
/// A rectangle w x l turned by t covers A = w l, and its outline runs H = 2 (l cos t + w sin t) along rows
/// and V = 2 (l sin t + w cos t) along columns, stairs included. With q = (H^2 + V^2) / 4 and r = H V / 4
/// this gives u = sin 2t as the smaller root of A u^2 - q u / 2 + r - A = 0, then w^2 + l^2 = q - 2 A u, then
/// w. So the width of rectangles is exact whatever way they lie, up to what the raster makes of them: half a
/// pixel or 7 % for those three times as long as wide, 20 % for shorter ones that lie diagonally. That from
/// area and perimeter alone (the equivalent rectangle of Gravelius and Roche) is up to 30 % less for strips
/// that run diagonally. Rounder shapes have the side of the square of their area, bent strips at most 1.42
/// times their width, ragged ones less.
/// @return  in units of length of PixelAreas; 0 without pixels
[[nodiscard]] double equivalent_width(const RegionStats& region);

/// Rows of a raster that are in memory.
struct RowsInRaster {
  std::int64_t first = 0;  ///< row of the whole raster that row 0 in memory is
  std::int64_t total = 0;  ///< rows of the whole raster
};

/// @param instances  some rows of a raster, shape [1, rows, cols], labels 0..count and kUnknownInstance
/// @return           count + 1 entries, by label; entry 0 is unused; positions are those in the whole raster.
///                   Rows that are not in memory do not count as unknown, and outlines run along them
[[nodiscard]] std::vector<RegionStats> region_stats(const Raster<std::uint32_t>& instances,
                                                    std::uint32_t count, const PixelAreas& areas,
                                                    const RowsInRaster& rows, ExecContext& exec);

/// The common edge of two neighbouring fields (4 neighbours: pixels that share a side).
struct SharedEdge {
  std::uint32_t a = 0;  ///< a < b
  std::uint32_t b = 0;
  std::int64_t sides = 0;  ///< pixel sides along it
  std::int64_t strength =
      0;  ///< sum over those sides of the larger boundary score (0..200) of the two pixels
  std::int64_t along_rows = 0;  ///< length of its sides that run along rows, in units of PixelAreas
  std::int64_t along_columns = 0;

  /// Mean boundary score along it, 0..1.
  [[nodiscard]] double mean_score() const;
};

/// @param boundary   boundary scores 0..200, same shape as `instances`
/// @param first_row  row of the whole raster that row 0 in memory is
/// @return           ordered by (a, b)
[[nodiscard]] std::vector<SharedEdge> shared_edges(const Raster<std::uint32_t>& instances,
                                                   const Raster<std::uint8_t>& boundary,
                                                   const PixelAreas& areas, std::int64_t first_row,
                                                   ExecContext& exec);

/// Why an instance is no field.
enum class RejectReason {
  kSmall,  ///< under the minimum area
  kNarrow  ///< large enough, but under the minimum width
};

/// An instance that was rejected, with all that it had absorbed before.
struct Reject {
  RejectReason reason = RejectReason::kSmall;
  RegionStats stats;
  std::optional<double> edge_score;  ///< mean boundary score (0..1) of its longest common edge, which was
                                     ///< too strong; unset without neighbour
};

struct AbsorbResult {
  std::vector<std::uint32_t> target;  ///< by label: itself, the label that absorbed it, or 0 = rejected
  std::vector<std::uint32_t> reject;  ///< by label: its place in `rejects`, or 0
  std::vector<Reject> rejects;        ///< entry 0 is unused
  std::int64_t absorbed = 0;
};

/// What is too small to stay; in units of PixelAreas.
struct SizeRules {
  std::int64_t min_area = 0;
  double min_width = 0.0;   ///< of equivalent_width; 0 = any
  double weak_below = 0.0;  ///< mean boundary score under which an edge is weak: 0 = never absorb, above 1 =
                            ///< always
};

/// Decides what becomes of instances under the minimum area or width: absorbed by the neighbour with the
/// longest common edge when that edge is weak, else rejected.
///
/// Smallest area first (ties: lower label); an instance that has grown past the minima by absorbing others
/// stays, and one that was above them stays whatever shape it has taken by absorbing. Longest means most
/// pixel sides; ties go to the lower label.
/// @param stats  by label; entry 0 is unused
/// @param edges  those with labels beyond `stats` do not count
[[nodiscard]] AbsorbResult absorb_small(std::vector<RegionStats> stats, std::span<const SharedEdge> edges,
                                        const SizeRules& rules);

/// Regions of a raster and who lies beside whom (through sides of pixels). Fields and pieces of background
/// are regions; pixels of kUnknownInstance are none.
struct RegionGraph {
  std::uint32_t fields = 0;
  /// By region: 1..fields are the fields by their first pixel, the rest is background; entry 0 is unused.
  std::vector<RegionStats> stats;
  std::vector<SharedEdge> edges;  ///< ordered by (a, b); none between two regions of background
};

/// Finds the regions of a raster, strip of rows after strip of rows: the connected pieces (4 neighbours) of
/// each field label and of the background. The graph does not depend on the height of the strips.
///
/// Memory: about 12 bytes per pixel of one strip; per region and strip that it lies in 70 bytes, and 40 for
/// each neighbour there. Not thread-safe; uses threads inside.
class RegionsByStrips {
 public:
  /// @param width   of the raster, px
  /// @param areas   of the whole raster's rows; must outlive this
  RegionsByStrips(std::int64_t width, std::int64_t height, const PixelAreas& areas);

  /// Adds the next rows.
  /// @param labels    shape [1, rows, width]: field labels, 0 and kUnknownInstance
  /// @param boundary  boundary scores 0..200, same shape
  /// @return          the piece of each pixel: its part of a region in this strip; kUnknownInstance stays
  /// @throws InvalidArgument  another width; 2^32 - 2 pixels or pieces, or more
  [[nodiscard]] Raster<std::uint32_t> add(const Raster<std::uint32_t>& labels,
                                          const Raster<std::uint8_t>& boundary, ExecContext& exec);

  /// Call it once, after the last row.
  /// @param region_of_piece  set to the region of each piece; entry 0 is 0
  [[nodiscard]] RegionGraph finish(std::vector<std::uint32_t>& region_of_piece);

 private:
  void join_rows(const Raster<std::uint32_t>& pieces, const Raster<std::uint8_t>& boundary);
  [[nodiscard]] RegionGraph number_regions(std::vector<std::uint32_t>& region_of_piece);

  std::int64_t m_width;
  std::int64_t m_height;
  const PixelAreas& m_areas;
  std::int64_t m_next_row = 0;
  std::vector<std::uint32_t> m_parent;  ///< by piece
  std::vector<std::uint32_t> m_label;   ///< by piece: of the field; 0 = background
  std::vector<RegionStats> m_stats;     ///< by piece
  std::vector<SharedEdge> m_edges;      ///< between pieces
  std::vector<std::uint32_t> m_last_pieces;
  std::vector<std::uint8_t> m_last_boundary;
};

struct CleanRules {
  SizeRules size;                 ///< see absorb_small
  std::int64_t largest_hole = 0;  ///< background under this area, enclosed by a single field, is filled
};

struct CleanResult {
  std::vector<std::uint32_t> field;   ///< by region of the graph: 1..n by first pixel, or 0
  std::vector<RegionStats> stats;     ///< by field; entry 0 is unused
  std::vector<SharedEdge> edges;      ///< between fields, ordered by (a, b)
  std::vector<std::uint32_t> reject;  ///< by region of the graph: 1..m by first pixel, or 0
  std::vector<Reject> rejects;        ///< entry 0 is unused
  std::int64_t holes = 0;
  std::int64_t hole_pixels = 0;  ///< of background
  std::int64_t absorbed = 0;
};

/// Fills holes, absorbs or rejects small fields (absorb_small), fills the holes that rejected ones left, and
/// numbers what remains by first pixel. What was rejected and then filled as a hole is part of the field
/// around it: it counts as a hole, not as a reject.
///
/// Background that reaches the raster's border or a pixel of kUnknownInstance is no hole: nobody knows how it
/// goes on there.
[[nodiscard]] CleanResult clean_regions(const RegionGraph& graph, const CleanRules& rules);

}  // namespace furrow::geo
