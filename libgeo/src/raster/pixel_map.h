#pragma once

#include <memory>
#include <optional>
#include <span>

#include <furrow/geo/raster/grid.h>

namespace furrow::geo {

/// Moves pixel positions of one grid to pixel positions of another. Not thread-safe: one per thread.
class PixelMap {
 public:
  /// @param transform  from the one CRS to the other, made before (that takes milliseconds); null = make it
  /// @param move       added to the world position on `from` (units of its CRS)
  /// @throws CrsError, InvalidArgument
  PixelMap(const Grid& from, const Grid& to, std::shared_ptr<const CoordinateTransform> transform = nullptr,
           Point move = {});

  /// @param done  one per point: 1, or 0 where a point has no place on the other grid
  void apply(std::span<Point> pixels, std::span<int> done) const;
  [[nodiscard]] std::optional<Point> apply(Point pixel) const;
  /// The same for positions of one row (all y are the same, x ascend), many times faster: every 64 columns,
  /// counted from column 0 of the grid, a parabola through three exact positions stands for those between.
  /// Its error is checked against a fourth one; above 1e-5 pixel all positions are computed. A position does
  /// not depend on which others are asked for.
  void apply_row(std::span<Point> pixels, std::span<int> done) const;
  /// True when both grids have the same CRS: straight lines stay straight.
  [[nodiscard]] bool is_affine() const noexcept { return m_transform->is_identity(); }

  /// Where the pixels of a window lie on the other grid: the box of its outline and of points inside it;
  /// empty when none of them has a place there.
  [[nodiscard]] Box bounds_of(const Window& window) const;

 private:
  struct Piece;
  void apply_pieces(std::span<Piece> pieces, std::span<Point> pixels, std::span<int> done) const;

  GeoTransform m_from;
  GeoTransform m_to;
  Point m_move;
  std::shared_ptr<const CoordinateTransform> m_transform;
  /// The longitude around which the other grid lies, when it is in degrees: 181 and -179 are the same place.
  std::optional<double> m_centre_deg;
};

}  // namespace furrow::geo
