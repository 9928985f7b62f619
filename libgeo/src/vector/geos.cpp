#include <furrow/geo/vector/geos.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::geo {
namespace geos {
namespace {

/// One GEOS context per thread. The handler only stores the message: throwing through C frames is undefined.
class Context {
 public:
  static Context& local() {
    thread_local Context instance;
    return instance;
  }
  [[nodiscard]] GEOSContextHandle_t handle() const noexcept { return m_handle; }
  [[nodiscard]] std::string take_message() { return std::exchange(m_message, {}); }

  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

 private:
  Context() : m_handle(GEOS_init_r()) {
    GEOSContext_setErrorMessageHandler_r(
        m_handle, [](const char* text, void* self) { static_cast<Context*>(self)->m_message = text; }, this);
  }
  ~Context() { GEOS_finish_r(m_handle); }

  GEOSContextHandle_t m_handle;
  std::string m_message;
};

[[noreturn]] void fail(const char* operation) {
  std::string message = Context::local().take_message();
  for (char& c : message) {
    if (c == '\n') c = ' ';
  }
  throw GeometryError(
      concat("geometry operation ", operation, " failed", message.empty() ? "" : ": ", trim(message)));
}

GEOSCoordSequence* to_sequence(const Ring& ring) {
  static_assert(sizeof(Point) == 2 * sizeof(double));
  GEOSCoordSequence* sequence =
      GEOSCoordSeq_copyFromBuffer_r(context(), &ring.front().x, static_cast<unsigned>(ring.size()), 0, 0);
  if (sequence == nullptr) fail("copy");
  return sequence;
}

Geometry to_linear_ring(const Ring& ring) {
  if (ring.size() < 4 || !(ring.front() == ring.back())) {
    throw GeometryError(
        concat("a ring needs at least 4 points and must be closed; this one has ", ring.size()));
  }
  return check(GEOSGeom_createLinearRing_r(context(), to_sequence(ring)), "createLinearRing");
}

Ring ring_points(const GEOSGeometry* ring) {
  const GEOSCoordSequence* sequence = GEOSGeom_getCoordSeq_r(context(), ring);
  unsigned size = 0;
  if (sequence == nullptr || GEOSCoordSeq_getSize_r(context(), sequence, &size) == 0) fail("getCoordSeq");
  Ring points(size);
  if (size > 0 && GEOSCoordSeq_copyToBuffer_r(context(), sequence, &points.front().x, 0, 0) == 0)
    fail("copyToBuffer");
  return points;
}

Polygon polygon_of(const GEOSGeometry* geometry) {
  Polygon polygon;
  polygon.shell = ring_points(GEOSGetExteriorRing_r(context(), geometry));
  const int holes = GEOSGetNumInteriorRings_r(context(), geometry);
  for (int i = 0; i < holes; ++i)
    polygon.holes.push_back(ring_points(GEOSGetInteriorRingN_r(context(), geometry, i)));
  return polygon;
}

Geometry collect(int type, std::vector<Geometry>& parts) {
  std::vector<GEOSGeometry*> raw;
  raw.reserve(parts.size());
  for (auto& part : parts) raw.push_back(part.release());
  return check(GEOSGeom_createCollection_r(context(), type, raw.data(), static_cast<unsigned>(raw.size())),
               "createCollection");
}

}  // namespace

GEOSContextHandle_t context() {
  return Context::local().handle();
}

void GeometryDeleter::operator()(GEOSGeometry* geometry) const noexcept {
  GEOSGeom_destroy_r(context(), geometry);
}
void PreparedDeleter::operator()(const GEOSPreparedGeometry* geometry) const noexcept {
  GEOSPreparedGeom_destroy_r(context(), geometry);
}

Geometry check(GEOSGeometry* geometry, const char* operation) {
  if (geometry == nullptr) fail(operation);
  return Geometry(geometry);
}

bool check(char result, const char* operation) {
  if (result == 2) fail(operation);
  return result == 1;
}

Geometry to_geos(const Polygon& polygon) {
  std::vector<Geometry> holes;
  for (const auto& hole : polygon.holes) holes.push_back(to_linear_ring(hole));
  Geometry shell = to_linear_ring(polygon.shell);
  std::vector<GEOSGeometry*> raw;
  for (auto& hole : holes) raw.push_back(hole.release());
  return check(GEOSGeom_createPolygon_r(context(), shell.release(), raw.empty() ? nullptr : raw.data(),
                                        static_cast<unsigned>(raw.size())),
               "createPolygon");
}

Geometry to_geos(const MultiPolygon& shape) {
  if (shape.size() == 1) return to_geos(shape.front());
  std::vector<Geometry> parts;
  for (const auto& polygon : shape) parts.push_back(to_geos(polygon));
  return collect(GEOS_MULTIPOLYGON, parts);
}

Geometry outlines(const MultiPolygon& shape) {
  std::vector<Geometry> lines;
  const auto add = [&](const Ring& ring) {
    lines.push_back(check(GEOSGeom_createLineString_r(context(), to_sequence(ring)), "createLineString"));
  };
  for (const auto& polygon : shape) {
    add(polygon.shell);
    for (const auto& hole : polygon.holes) add(hole);
  }
  return collect(GEOS_MULTILINESTRING, lines);
}

MultiPolygon from_geos(const GEOSGeometry* geometry) {
  MultiPolygon shape;
  const int type = GEOSGeomTypeId_r(context(), geometry);
  if (check(GEOSisEmpty_r(context(), geometry), "isEmpty")) return shape;
  if (type == GEOS_POLYGON) {
    shape.push_back(polygon_of(geometry));
  } else if (type == GEOS_MULTIPOLYGON || type == GEOS_GEOMETRYCOLLECTION) {
    const int parts = GEOSGetNumGeometries_r(context(), geometry);
    for (int i = 0; i < parts; ++i) {
      for (auto& polygon : from_geos(GEOSGetGeometryN_r(context(), geometry, i)))
        shape.push_back(std::move(polygon));
    }
  }
  return shape;
}

Prepared prepare(const GEOSGeometry* geometry) {
  const GEOSPreparedGeometry* prepared = GEOSPrepare_r(context(), geometry);
  if (prepared == nullptr) fail("prepare");
  return Prepared(prepared);
}

double area(const GEOSGeometry* geometry) {
  double value = 0.0;
  if (GEOSArea_r(context(), geometry, &value) == 0) fail("area");
  return value;
}

double length(const GEOSGeometry* geometry) {
  double value = 0.0;
  if (GEOSLength_r(context(), geometry, &value) == 0) fail("length");
  return value;
}

}  // namespace geos

MultiPolygon intersection(const MultiPolygon& a, const MultiPolygon& b) {
  if (!bounds(a).intersects(bounds(b))) return {};
  const auto ga = geos::to_geos(a);
  const auto gb = geos::to_geos(b);
  return geos::from_geos(
      geos::check(GEOSIntersection_r(geos::context(), ga.get(), gb.get()), "intersection").get());
}

MultiPolygon difference(const MultiPolygon& a, const MultiPolygon& b) {
  if (!bounds(a).intersects(bounds(b))) return a;
  const auto ga = geos::to_geos(a);
  const auto gb = geos::to_geos(b);
  return geos::from_geos(
      geos::check(GEOSDifference_r(geos::context(), ga.get(), gb.get()), "difference").get());
}

MultiPolygon union_all(std::span<const MultiPolygon> shapes) {
  std::vector<geos::Geometry> parts;
  for (const auto& shape : shapes) {
    for (const auto& polygon : shape) parts.push_back(geos::to_geos(polygon));
  }
  if (parts.empty()) return {};
  std::vector<GEOSGeometry*> raw;
  for (auto& part : parts) raw.push_back(part.release());
  const auto all = geos::check(GEOSGeom_createCollection_r(geos::context(), GEOS_GEOMETRYCOLLECTION,
                                                           raw.data(), static_cast<unsigned>(raw.size())),
                               "createCollection");
  return geos::from_geos(geos::check(GEOSUnaryUnion_r(geos::context(), all.get()), "union").get());
}

double intersection_area(const MultiPolygon& a, const MultiPolygon& b) {
  if (a.empty() || b.empty() || !bounds(a).intersects(bounds(b))) return 0.0;
  const auto ga = geos::to_geos(a);
  const auto gb = geos::to_geos(b);
  return geos::area(
      geos::check(GEOSIntersection_r(geos::context(), ga.get(), gb.get()), "intersection").get());
}

MultiPolygon buffer(const MultiPolygon& shape, double distance, int quadrant_segments) {
  if (shape.empty()) return {};
  const auto g = geos::to_geos(shape);
  return geos::from_geos(
      geos::check(GEOSBuffer_r(geos::context(), g.get(), distance, quadrant_segments), "buffer").get());
}

namespace {

/// What GEOS must not see, or empty.
std::string ring_problem(const Ring& ring) {
  constexpr double kLargest = 1e12;  // far beyond any CRS, in any unit of length
  for (const Point& p : ring) {
    if (!std::isfinite(p.x) || !std::isfinite(p.y))
      return concat("the coordinate ", p.x, " ", p.y, " is not finite");
    if (std::abs(p.x) > kLargest || std::abs(p.y) > kLargest)
      return concat("the coordinate ", p.x, " ", p.y, " is absurdly large");
  }
  if (ring.size() < 4) return "a ring has fewer than 4 points";
  if (!(ring.front() == ring.back())) return "a ring is not closed";
  return {};
}

}  // namespace

Validity check_validity(const MultiPolygon& shape) {
  if (shape.empty()) return {};
  for (const auto& polygon : shape) {
    std::string problem = ring_problem(polygon.shell);
    for (const auto& hole : polygon.holes) {
      if (problem.empty()) problem = ring_problem(hole);
    }
    if (!problem.empty()) return {false, problem};
  }
  const auto g = geos::to_geos(shape);
  char* reason = nullptr;
  GEOSGeometry* place = nullptr;
  const char result = GEOSisValidDetail_r(geos::context(), g.get(), 0, &reason, &place);
  const geos::Geometry place_owner(place);
  Validity validity{result == 1, reason == nullptr ? "" : reason};
  if (reason != nullptr) GEOSFree_r(geos::context(), reason);
  if (!validity.valid && place != nullptr) {
    double x = 0.0;
    double y = 0.0;
    if (GEOSGeomGetX_r(geos::context(), place, &x) == 1 && GEOSGeomGetY_r(geos::context(), place, &y) == 1) {
      validity.reason += concat(" at (", x, ", ", y, ")");
    }
  }
  return validity;
}

MultiPolygon make_valid(const MultiPolygon& shape) {
  MultiPolygon closed;
  for (const auto& polygon : shape) {
    const auto usable = [](const Ring& ring) { return ring_problem(ring).empty(); };
    if (!usable(polygon.shell)) continue;
    Polygon kept{polygon.shell, {}};
    for (const auto& hole : polygon.holes) {
      if (usable(hole)) kept.holes.push_back(hole);
    }
    closed.push_back(std::move(kept));
  }
  if (closed.empty()) return {};
  const auto g = geos::to_geos(closed);
  GEOSMakeValidParams* params = GEOSMakeValidParams_create_r(geos::context());
  GEOSMakeValidParams_setMethod_r(geos::context(), params, GEOS_MAKE_VALID_STRUCTURE);
  GEOSMakeValidParams_setKeepCollapsed_r(geos::context(), params, 0);
  GEOSGeometry* result = GEOSMakeValidWithParams_r(geos::context(), g.get(), params);
  GEOSMakeValidParams_destroy_r(geos::context(), params);
  return geos::from_geos(geos::check(result, "makeValid").get());
}

MultiPolygon snap_to_grid(const MultiPolygon& shape, double step) {
  if (shape.empty()) return {};
  const auto g = geos::to_geos(shape);
  return geos::from_geos(
      geos::check(GEOSGeom_setPrecision_r(geos::context(), g.get(), step, 0), "setPrecision").get());
}

MultiPolygon from_wkt(const std::string& wkt) {
  GEOSWKTReader* reader = GEOSWKTReader_create_r(geos::context());
  GEOSGeometry* geometry = GEOSWKTReader_read_r(geos::context(), reader, wkt.c_str());
  GEOSWKTReader_destroy_r(geos::context(), reader);
  const auto owner = geos::check(geometry, "read WKT");
  const int type = GEOSGeomTypeId_r(geos::context(), owner.get());
  if (type != GEOS_POLYGON && type != GEOS_MULTIPOLYGON) {
    throw GeometryError(concat("the text ", quoted(wkt.substr(0, 40)), " is not a POLYGON or MULTIPOLYGON"));
  }
  return geos::from_geos(owner.get());
}

std::string to_wkt(const MultiPolygon& shape) {
  const auto g = geos::to_geos(shape);
  GEOSWKTWriter* writer = GEOSWKTWriter_create_r(geos::context());
  GEOSWKTWriter_setTrim_r(geos::context(), writer, 1);
  char* text = GEOSWKTWriter_write_r(geos::context(), writer, g.get());
  GEOSWKTWriter_destroy_r(geos::context(), writer);
  std::string wkt = text == nullptr ? "" : text;
  if (text != nullptr) GEOSFree_r(geos::context(), text);
  return wkt;
}

}  // namespace furrow::geo
