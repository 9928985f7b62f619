#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/raster/grid.h>

namespace furrow::geo {

/// What happens where chips reach over the right and the bottom border.
enum class ChipEdge {
  kShift,   ///< the last chip moves inwards: all have full size (a raster smaller than a chip gives one
            ///< smaller chip)
  kPad,     ///< full size, filled up with nodata
  kPartial  ///< the last chip is smaller
};

struct ChipSize {
  std::int64_t width = 256;
  std::int64_t height = 256;
  std::int64_t overlap_px = 0;  ///< columns and rows that neighbouring chips share, below both sizes
  std::int64_t halo_px = 0;     ///< looked at on every side beside that; not part of the size
};

/// A chip's place: its row and column among the chips, and its window (with kPad it may reach over the
/// border).
struct ChipPlace {
  std::int64_t row = 0;
  std::int64_t col = 0;
  Window window;
  friend bool operator==(const ChipPlace&, const ChipPlace&) = default;
};

/// Cuts a grid into chips, row by row. Together they cover every pixel; with kPartial and no overlap exactly
/// once. Halos are not part of the windows.
/// @throws InvalidArgument  a size below 1, or an overlap that is negative or not below the size
[[nodiscard]] std::vector<ChipPlace> chip_places(const Grid& grid, const ChipSize& size, ChipEdge edge);

/// The chip that is `side_m` wide and high on the ground at the grid's centre, at least one pixel.
/// @throws CrsError         the grid has no CRS
/// @throws InvalidArgument  side_m is not above 0
[[nodiscard]] ChipSize chip_size_of(const Grid& grid, double side_m);

/// The same for a side in degrees.
/// @throws CrsError         the grid's CRS is not geographic
/// @throws InvalidArgument  side_deg is not above 0, or smaller than a pixel
[[nodiscard]] ChipSize chip_size_of_degrees(const Grid& grid, double side_deg);

/// One chip to cut.
struct PlannedChip {
  std::string name;  ///< of its files, without extension
  ChipPlace place;   ///< the window with its halo
  Window core;       ///< the window without it
  Grid grid;         ///< what the windows count on; they may reach over its border
};

/// The chips to cut, by number: there may be too many for a list. Safe to use from several threads.
class ChipPlan {
 public:
  using Make = std::function<PlannedChip(std::int64_t)>;

  /// @param grid    the one that all chips share; nullopt = each has its own
  /// @param extent  of all chips on that grid, halos left out
  /// @param rows    when the chips are `rows` complete rows, one after the other; 1 = no order to speak of
  ChipPlan(std::int64_t count, std::int64_t width, std::int64_t height, std::optional<Grid> grid,
           const Window& extent, Make make, std::int64_t rows = 1)
      : m_count(count),
        m_rows(rows),
        m_width(width),
        m_height(height),
        m_grid(std::move(grid)),
        m_extent(extent),
        m_make(std::move(make)) {}

  [[nodiscard]] std::int64_t count() const noexcept { return m_count; }
  [[nodiscard]] std::int64_t rows() const noexcept { return m_count == 0 ? 0 : m_rows; }
  [[nodiscard]] std::int64_t columns() const noexcept { return m_count / m_rows; }
  /// Of the largest chip, halo included.
  [[nodiscard]] std::int64_t width() const noexcept { return m_width; }
  [[nodiscard]] std::int64_t height() const noexcept { return m_height; }
  [[nodiscard]] const std::optional<Grid>& grid() const noexcept { return m_grid; }
  [[nodiscard]] const Window& extent() const noexcept { return m_extent; }
  [[nodiscard]] PlannedChip chip(std::int64_t number) const { return m_make(number); }

 private:
  std::int64_t m_count;
  std::int64_t m_rows;
  std::int64_t m_width;
  std::int64_t m_height;
  std::optional<Grid> m_grid;
  Window m_extent;
  Make m_make;
};

/// All chips of a grid, called <name>_<row>_<col>. Halos end at the grid's border, except with kPad.
/// @throws InvalidArgument  as chip_places
[[nodiscard]] ChipPlan plan_grid(const std::string& name, const Grid& grid, const ChipSize& size,
                                 ChipEdge edge);

/// The box of a raster in another CRS.
/// @throws CrsError  none of its pixels has a place there
[[nodiscard]] Box bounds_in(const Grid& raster, const Crs& crs);

/// A north-up grid of square pixels that covers a box with whole chips. Pixel edges lie at whole multiples of
/// the resolution, and chips begin at whole multiples of their step (size less overlap), both counted from
/// the origin (0, 0) of the CRS: grids of different boxes line up, pixel by pixel and chip by chip.
/// @param resolution  in units of the CRS
/// @throws InvalidArgument  resolution not above 0; as chip_places; a grid of more than 2^31 pixels a side
[[nodiscard]] Grid snapped_grid(const Crs& crs, double resolution, const Box& box, const ChipSize& size);

/// The same grid, grown by whole pixels until it holds all rasters.
/// @throws CrsError         as bounds_in
/// @throws InvalidArgument  a grid of more than 2^31 pixels a side
[[nodiscard]] Grid extended_grid(const Grid& grid, std::span<const Grid> rasters);

/// The chips of a grid that touch one of the rasters, called <name>_<row>_<col> as in plan_grid.
[[nodiscard]] ChipPlan plan_touching(const std::string& name, const Grid& grid, const ChipSize& size,
                                     ChipEdge edge, std::span<const Grid> rasters);

struct NamedPolygon {
  std::string name;
  MultiPolygon shape;  ///< in the grid's CRS
};

/// One chip for each polygon: all pixels of the grid that its box touches, also beyond the grid's border.
/// @throws InvalidArgument  a polygon is empty or absurdly large or far away (more than 65536 px), with its
///                          name
[[nodiscard]] ChipPlan plan_polygons(std::vector<NamedPolygon> polygons, const Grid& grid,
                                     std::int64_t halo_px);

struct NamedPoint {
  std::string name;
  Point place;       ///< longitude and latitude (WGS 84)
  std::string date;  ///< ISO 8601, as far as it is known; empty = any
};

/// One square chip for each point, on a north-up grid of its own that is centred exactly on the point.
/// @param side_px  columns and rows
/// @param side     of the chip in units of the CRS
/// @throws CrsError         a point has no place in the CRS, with its name
/// @throws InvalidArgument  a side that is not above 0
[[nodiscard]] ChipPlan plan_points(std::vector<NamedPoint> points, const Crs& crs, std::int64_t side_px,
                                   double side, std::int64_t halo_px);

}  // namespace furrow::geo
