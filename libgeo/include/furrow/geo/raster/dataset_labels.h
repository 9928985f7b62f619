#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <furrow/geo/raster/raster.h>

namespace furrow::geo {

/// Labels as two published datasets make their own, pixel by pixel equal to what their code gives with GDAL's
/// rasteriser, for whoever adds chips to them or compares with them. For new labels rasterize_labels is
/// better: it measures in metres where asked, keeps touching fields apart and does not depend on the chip.
///
/// Both burn as GDAL does (checked against GDAL 3.6.2): vertices in pixel coordinates by GDAL's inverse of
/// the geotransform, in doubles; a polygon fills the pixels whose centre it holds; a line burned with "all
/// touched" takes every pixel it runs through, and a side less than 0.01 pixel wide (or high) counts as
/// upright (or level). Windows equal that part of the whole grid. Parallel over strips of rows; the result is
/// independent of threads. Safe to call concurrently once constructed.

/// Three classes as the Lacuna / Africa field boundary labels have them (agroimpacts/lacunalabels at eb5c19c,
/// src/makelabels/makelabels.py, threeclass_label). The grid is the chip:
///   res = mean of pixel width and height, in units of the CRS (degrees for the published chips);
///   burned = fields cut to the chip, shrunk = fields buffered by -res, exploded = fields buffered by +res
///   (16 segments per quarter circle; fields that do not meet the chip are left out of all three); label =
///   burned * 2 - shrunk + (exploded * 2 - burned, but 0 where that is 1), in 8-bit arithmetic.
/// So the edge class is one pixel inside and one pixel outside an outline, and the outer ring gives way to a
/// neighbour's interior. When no shrunk field is left (all are narrower than two pixels) the published code
/// goes to a fallback without the outer ring; as published that fallback stops with an error and the chip is
/// left out. Here it gives what it was meant to give: the fields as edge, without outer ring.
class LacunaLabels {
 public:
  /// @param polygons  in the grid's CRS, valid
  /// @throws GeometryError    GEOS cannot buffer, or a vertex is not finite
  /// @throws InvalidArgument  the grid is rotated or sheared: the published code knows no such chips
  LacunaLabels(std::span<const MultiPolygon> polygons, const Grid& grid);
  ~LacunaLabels();
  LacunaLabels(LacunaLabels&&) noexcept;

  /// 0 non-field, 1 interior, 2 edge. `window` must lie inside the grid.
  [[nodiscard]] Raster<std::uint8_t> labels(const Window& window) const;
  /// True when no shrunk field was left.
  [[nodiscard]] bool dropped_outer_ring() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

/// Masks as Fields of The World has them (fieldsoftheworld/ftw-dataset-tools at b07a209, api/masks.py and
/// api/boundaries.py): fields by pixel centre, value 1 (instances: their id); then the outlines of all fields
/// as lines, all touched, as value 2 (three classes) or as background (two classes, instances). Background is
/// 0, or 3 (unknown) in countries where only some of the fields were mapped (presence only).
class FtwMasks {
 public:
  /// @param polygons  in the grid's CRS
  /// @throws GeometryError  a vertex is not finite
  FtwMasks(std::span<const MultiPolygon> polygons, const Grid& grid, std::uint8_t background = 0);
  ~FtwMasks();
  FtwMasks(FtwMasks&&) noexcept;

  /// `window` must lie inside the grid, in all three.
  [[nodiscard]] Raster<std::uint8_t> three_classes(const Window& window) const;
  [[nodiscard]] Raster<std::uint8_t> two_classes(const Window& window) const;
  /// The polygon's id (one per polygon; empty: position + 1); where polygons overlap the later one.
  [[nodiscard]] Raster<std::uint32_t> instances(const Window& window,
                                                std::span<const std::uint32_t> ids = {}) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

}  // namespace furrow::geo
