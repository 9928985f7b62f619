#include "faces.h"

#include <furrow/geo/core/error.h>

namespace furrow::labelling {

using overlay::Geometry;

std::vector<Geometry> faces_of(std::span<const geo::MultiPolygon> shapes) {
  std::vector<Geometry> owned;
  for (const auto& shape : shapes) {
    if (!shape.empty()) owned.push_back(geo::geos::outlines(shape));
  }
  std::vector<GEOSGeometry*> lines;
  lines.reserve(owned.size());
  for (auto& line : owned) lines.push_back(line.release());
  const auto context = overlay::context();
  const Geometry all =
      geo::geos::check(GEOSGeom_createCollection_r(context, GEOS_GEOMETRYCOLLECTION, lines.data(),
                                                   static_cast<unsigned>(lines.size())),
                       "createCollection");
  const Geometry noded = geo::geos::check(GEOSUnaryUnionPrec_r(context, all.get(), kGrid_m), "union");
  const GEOSGeometry* const input = noded.get();
  const Geometry polygons = geo::geos::check(GEOSPolygonize_r(context, &input, 1), "polygonize");
  std::vector<Geometry> faces;
  const int count = GEOSGetNumGeometries_r(context, polygons.get());
  for (int i = 0; i < count; ++i) {
    const GEOSGeometry* face = GEOSGetGeometryN_r(context, polygons.get(), i);
    faces.push_back(geo::geos::check(GEOSGeom_clone_r(context, face), "clone"));
  }
  return faces;
}

geo::Point point_in(const Geometry& face) {
  const auto context = overlay::context();
  const Geometry point = geo::geos::check(GEOSPointOnSurface_r(context, face.get()), "pointOnSurface");
  geo::Point p;
  if (GEOSGeomGetX_r(context, point.get(), &p.x) != 1 || GEOSGeomGetY_r(context, point.get(), &p.y) != 1)
    throw geo::GeometryError("a face of the labellers' outlines has no inner point");
  return p;
}

geo::MultiPolygon on_grid(const geo::MultiPolygon& shape) {
  const Geometry geometry = geo::geos::to_geos(shape);
  return geo::geos::from_geos(
      geo::geos::check(GEOSGeom_setPrecision_r(overlay::context(), geometry.get(), kGrid_m, 0),
                       "setPrecision")
          .get());
}

}  // namespace furrow::labelling
