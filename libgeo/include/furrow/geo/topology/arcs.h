#pragma once

#include <cstdint>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/topology/components.h>

namespace furrow::geo {

/// A corner between pixels: x = column 0..width, y = row 0..height of the raster.
struct LatticePoint {
  std::int32_t x = 0;
  std::int32_t y = 0;
  friend bool operator==(const LatticePoint&, const LatticePoint&) = default;
};

/// Directions along pixel sides, as seen with row 0 on top. Turning right adds one.
enum class Direction : std::uint8_t { kEast, kSouth, kWest, kNorth };

/// The common line of two regions from one node to the next, traced once for both.
///
/// A node is a corner where three or four pixel sides between different regions meet: where three regions
/// come together, or where two touch diagonally. An arc without any node is closed (front == back) and starts
/// at its uppermost, then leftmost corner. Seen along the arc, `left` lies on the left when row 0 is on top.
struct Arc {
  std::uint32_t left = 0;
  std::uint32_t right = 0;
  Direction first = Direction::kEast;  ///< in which the traced arc leaves its first point
  Direction last = Direction::kEast;   ///< in which it arrives at its last point
  std::vector<LatticePoint> points;    ///< end points and every turn

  [[nodiscard]] bool closed() const { return points.front() == points.back(); }
};

/// All lines between regions of a raster of which at least one is a field.
struct ArcSet {
  std::int64_t width = 0;  ///< of the raster, px
  std::int64_t height = 0;
  std::int32_t units = 1;  ///< of points, per pixel; above 1 where corners lie between those of pixels
  std::vector<Arc> arcs;  ///< ordered by their first point, then direction: open ones first, then closed ones
};

/// Traces the lines between instances, strip of rows after strip of rows. Background, pixels of
/// kUnknownInstance and the outside of the raster (kOutsideInstance) are regions too, so that arcs are pinned
/// where these begin. The arcs do not depend on the height of the strips.
///
/// A strip answers for the sides above and between its pixels. What crosses a border between strips is traced
/// in pieces, which `finish` puts together.
/// Memory: 1 bit per pixel of one strip beside the arcs. Not thread-safe; uses threads inside.
class ArcTracer {
 public:
  /// @param width, height  of the whole raster, px
  /// @throws InvalidArgument  2^31 - 1 columns or rows, or more
  ArcTracer(std::int64_t width, std::int64_t height);

  /// Traces the next `rows` rows.
  /// @param instances  shape [1, rows + one above + one below where the raster has them, width]; any labels
  /// @throws InvalidArgument  another shape
  void add(const Raster<std::uint32_t>& instances, std::int64_t rows, ExecContext& exec);

  /// The arcs that are complete so far and have not been taken, in no special order.
  [[nodiscard]] std::vector<Arc> take();

  /// All arcs that have not been taken; call it once, after the last row.
  /// @throws InvalidArgument  rows are missing
  [[nodiscard]] ArcSet finish();

 private:
  /// An arc, or a piece of one that ends at a border between strips.
  struct Piece {
    Arc arc;
    bool starts_at_node = true;
    bool ends_at_node = true;
  };
  class Strip;
  class Joiner;

  std::int64_t m_width;
  std::int64_t m_height;
  std::int64_t m_next_row = 0;
  std::vector<Arc> m_open;
  std::vector<Arc> m_closed;
  std::vector<Piece> m_pieces;
};

/// The same for a raster in memory.
/// @param instances  shape [1, rows, cols]; any labels
/// @throws InvalidArgument  2^31 - 1 columns or rows, or more
/// Units: pixels. Memory: 1 bit per pixel beside the arcs. Same result for any number of threads.
[[nodiscard]] ArcSet trace_arcs(const Raster<std::uint32_t>& instances, ExecContext& exec);

}  // namespace furrow::geo
