#pragma once

#include <memory>
#include <vector>

#include <furrow/geo/topology/arcs.h>
#include <furrow/geo/vector/geometry.h>

namespace furrow::geo {

/// Puts the arcs of each field together to polygons.
///
/// Every polygon is valid in the sense of OGC Simple Features: where a region touches itself at a corner, its
/// outline is split there into rings that meet in one point. Pixels that touch only diagonally are separate
/// polygons of one MultiPolygon. Shells run counter-clockwise in world coordinates, holes clockwise, whatever
/// way the raster lies; rings start at their uppermost, then leftmost corner in the raster, holes are ordered
/// by it. Neighbours share their common points to the last bit: no gaps, no overlaps.
///
/// Memory: 48 bytes per arc beside the arcs. Safe to call concurrently. Same result for any number of
/// threads.
class PolygonAssembler {
 public:
  /// @param arcs       traced, or traced and simplified
  /// @param count      the largest label wanted
  /// @param transform  pixel corner to world; GeoTransform{1, 0, ...} keeps pixels
  /// @throws InvalidArgument  2^31 arcs or more
  PolygonAssembler(ArcSet arcs, std::uint32_t count, const GeoTransform& transform);
  ~PolygonAssembler();
  PolygonAssembler(const PolygonAssembler&) = delete;
  PolygonAssembler& operator=(const PolygonAssembler&) = delete;

  /// Shapes of the labels [first, end), end <= count + 1; labels without pixels have none.
  [[nodiscard]] std::vector<MultiPolygon> shapes(std::uint32_t first, std::uint32_t end) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

/// All at once.
/// @return  count + 1 shapes, by label; entry 0 is empty
[[nodiscard]] std::vector<MultiPolygon> assemble_polygons(ArcSet arcs, std::uint32_t count,
                                                          const GeoTransform& transform, ExecContext& exec);

}  // namespace furrow::geo
