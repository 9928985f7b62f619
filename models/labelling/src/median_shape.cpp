#include <algorithm>
#include <cmath>

#include <furrow/geo/core/error.h>
#include <furrow/geo/vector/geos.h>
#include <furrow/labelling/field_partition.h>

#include "overlay.h"

namespace furrow::labelling {
namespace {

using overlay::Geometry;

constexpr double kGrid_m = 1e-4;

bool is_same(const geo::MultiPolygon& a, const geo::MultiPolygon& b) {
  return std::ranges::equal(a, b, [](const geo::Polygon& p, const geo::Polygon& q) {
    return p.shell == q.shell && p.holes == q.holes;
  });
}

/// Faces into which all outlines together divide the plane.
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

}  // namespace

geo::MultiPolygon median_shape(std::span<const geo::MultiPolygon> shapes, std::span<const double> weights,
                               std::size_t typical) {
  if (shapes.empty() || weights.size() != shapes.size() || typical >= shapes.size())
    throw geo::InvalidArgument("a median shape needs shapes with one weight each");
  const auto equals_first = [&](const geo::MultiPolygon& s) { return is_same(s, shapes.front()); };
  if (std::ranges::all_of(shapes, equals_first)) return shapes.front();
  std::vector<geo::Box> boxes;
  double half = 0.0;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    boxes.push_back(geo::bounds(shapes[i]));
    half += 0.5 * weights[i];
  }
  const double rounding = 1e-9 * half;
  const auto is_inside = [&](geo::Point p) {
    const auto covers = [&](std::size_t i) { return boxes[i].contains(p) && geo::contains(shapes[i], p); };
    double sum = 0.0;
    for (std::size_t i = 0; i < shapes.size(); ++i) sum += covers(i) ? weights[i] : 0.0;
    return std::abs(sum - half) <= rounding ? covers(typical) : sum > half;
  };
  std::vector<Geometry> kept;
  for (auto& face : faces_of(shapes)) {
    if (is_inside(point_in(face))) kept.push_back(std::move(face));
  }
  return geo::geos::from_geos(overlay::unite(std::move(kept)).get());
}

}  // namespace furrow::labelling
