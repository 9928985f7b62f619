#pragma once

#ifndef GEOS_USE_ONLY_R_API
#define GEOS_USE_ONLY_R_API
#endif
#include <geos_c.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/vector/geometry.h>

/// GEOS through its re-entrant C API. One context per thread; GEOS objects stay in the thread that made them
/// (GEOS 3.11 fills envelopes and prepared indexes lazily without a lock), so share Polygon values instead.
namespace furrow::geo::geos {

/// The context of the calling thread.
[[nodiscard]] GEOSContextHandle_t context();

struct GeometryDeleter {
  void operator()(GEOSGeometry* geometry) const noexcept;
};
struct PreparedDeleter {
  void operator()(const GEOSPreparedGeometry* geometry) const noexcept;
};
using Geometry = std::unique_ptr<GEOSGeometry, GeometryDeleter>;
using Prepared = std::unique_ptr<const GEOSPreparedGeometry, PreparedDeleter>;

/// Takes ownership of what a GEOS function returned.
/// @throws GeometryError with GEOS' own message when it is NULL
[[nodiscard]] Geometry check(GEOSGeometry* geometry, const char* operation);
/// Result of a predicate (0, 1; 2 is an error).
/// @throws GeometryError on 2
[[nodiscard]] bool check(char result, const char* operation);

/// @throws GeometryError when a ring has fewer than 4 points or is not closed
[[nodiscard]] Geometry to_geos(const Polygon& polygon);
[[nodiscard]] Geometry to_geos(const MultiPolygon& shape);
/// Outlines of all rings as a MultiLineString.
[[nodiscard]] Geometry outlines(const MultiPolygon& shape);
/// All polygons in a geometry; points and lines (touching borders) are left out.
[[nodiscard]] MultiPolygon from_geos(const GEOSGeometry* geometry);
[[nodiscard]] Prepared prepare(const GEOSGeometry* geometry);

[[nodiscard]] double area(const GEOSGeometry* geometry);
[[nodiscard]] double length(const GEOSGeometry* geometry);

}  // namespace furrow::geo::geos

namespace furrow::geo {

/// Operations on plain polygon values; each makes its GEOS objects in the calling thread. Safe to call
/// concurrently. Inputs must be valid (see make_valid). All throw GeometryError when GEOS fails.
[[nodiscard]] MultiPolygon intersection(const MultiPolygon& a, const MultiPolygon& b);
[[nodiscard]] MultiPolygon difference(const MultiPolygon& a, const MultiPolygon& b);
[[nodiscard]] MultiPolygon union_all(std::span<const MultiPolygon> shapes);
[[nodiscard]] double intersection_area(const MultiPolygon& a, const MultiPolygon& b);
/// @param quadrant_segments  segments per quarter circle
[[nodiscard]] MultiPolygon buffer(const MultiPolygon& shape, double distance, int quadrant_segments = 8);

struct Validity {
  bool valid = true;
  std::string reason;  ///< GEOS' words, with the place
};
[[nodiscard]] Validity check_validity(const MultiPolygon& shape);
/// Valid polygons of the same outline ("structure" method of GEOS 3.10: overlaps of shells unite, holes stay
/// holes).
[[nodiscard]] MultiPolygon make_valid(const MultiPolygon& shape);

/// Valid polygons whose coordinates are multiples of `step`, at most about one step from where they were;
/// what is narrower than the step goes. (Snap rounding of OverlayNG, GEOS 3.9.)
[[nodiscard]] MultiPolygon snap_to_grid(const MultiPolygon& shape, double step);

/// Reads POLYGON and MULTIPOLYGON.
/// @throws GeometryError on anything else
[[nodiscard]] MultiPolygon from_wkt(const std::string& wkt);
[[nodiscard]] std::string to_wkt(const MultiPolygon& shape);

}  // namespace furrow::geo
