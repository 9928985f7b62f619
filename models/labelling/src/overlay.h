#pragma once

#include <span>
#include <vector>

#include <furrow/geo/vector/geos.h>

/// Overlays on GEOS geometries of the calling thread, for chains of operations without a copy between them.
namespace furrow::labelling::overlay {

using geo::geos::Geometry;

[[nodiscard]] inline GEOSContextHandle_t context() {
  return geo::geos::context();
}

[[nodiscard]] inline Geometry empty() {
  return geo::geos::check(GEOSGeom_createEmptyPolygon_r(context()), "createEmptyPolygon");
}
[[nodiscard]] inline bool is_empty(const Geometry& g) {
  return geo::geos::check(GEOSisEmpty_r(context(), g.get()), "isEmpty");
}
[[nodiscard]] inline double area(const Geometry& g) {
  return geo::geos::area(g.get());
}
[[nodiscard]] inline Geometry intersection(const Geometry& a, const Geometry& b) {
  return geo::geos::check(GEOSIntersection_r(context(), a.get(), b.get()), "intersection");
}
[[nodiscard]] inline Geometry difference(const Geometry& a, const Geometry& b) {
  return geo::geos::check(GEOSDifference_r(context(), a.get(), b.get()), "difference");
}
[[nodiscard]] inline Geometry buffer(const Geometry& g, double distance, int quadrant_segments) {
  return geo::geos::check(GEOSBuffer_r(context(), g.get(), distance, quadrant_segments), "buffer");
}
[[nodiscard]] inline Geometry unite(std::vector<Geometry> parts) {
  if (parts.empty()) return empty();
  std::vector<GEOSGeometry*> raw;
  raw.reserve(parts.size());
  for (auto& part : parts) raw.push_back(part.release());
  const Geometry all =
      geo::geos::check(GEOSGeom_createCollection_r(context(), GEOS_GEOMETRYCOLLECTION, raw.data(),
                                                   static_cast<unsigned>(raw.size())),
                       "createCollection");
  return geo::geos::check(GEOSUnaryUnion_r(context(), all.get()), "union");
}

}  // namespace furrow::labelling::overlay
