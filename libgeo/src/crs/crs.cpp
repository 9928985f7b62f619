#include <furrow/geo/crs/crs.h>

#include <geodesic.h>

#include <algorithm>
#include <cmath>

#include <ogr_spatialref.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

#include "../raster/gdal_support.h"

namespace furrow::geo {

struct Crs::Data {
  std::string wkt;
  std::string name;
  int epsg = 0;
  bool geographic = false;
  bool projected = false;
  double metres_per_unit = 0.0;
  double semi_major_m = 6378137.0;
  double flattening = 1.0 / 298.257223563;
};

namespace {

OGRSpatialReference to_ogr(const Crs& crs) {
  OGRSpatialReference srs;
  srs.importFromWkt(crs.wkt().c_str());
  srs.SetAxisMappingStrategy(OAMS_TRADITIONAL_GIS_ORDER);
  return srs;
}

}  // namespace

Crs Crs::from_user_input(const std::string& text) {
  GdalErrorScope errors;
  OGRSpatialReference srs;
  const char* const safe[] = {"ALLOW_NETWORK_ACCESS=NO", "ALLOW_FILE_ACCESS=YES", nullptr};
  if (srs.SetFromUserInput(text.c_str(), safe) != OGRERR_NONE) {
    throw CrsError(concat(quoted(text.substr(0, 80)), " is not a CRS; write for example EPSG:32632, or WKT",
                          errors.suffix()));
  }
  const char* const options[] = {"FORMAT=WKT2_2019", nullptr};
  char* wkt = nullptr;
  srs.exportToWkt(&wkt, options);
  const std::string result = wkt == nullptr ? "" : wkt;
  CPLFree(wkt);
  return from_wkt(result);
}

Crs Crs::from_wkt(const std::string& wkt) {
  Crs crs;
  if (trim(wkt).empty()) return crs;
  GdalErrorScope errors;
  OGRSpatialReference srs;
  if (srs.importFromWkt(wkt.c_str()) != OGRERR_NONE) {
    throw CrsError(
        concat("the CRS text ", quoted(wkt.substr(0, 60)), "... is not understood", errors.suffix()));
  }
  srs.SetAxisMappingStrategy(OAMS_TRADITIONAL_GIS_ORDER);
  auto data = std::make_shared<Data>();
  const char* const options[] = {"FORMAT=WKT2_2019", nullptr};
  char* text = nullptr;
  if (srs.exportToWkt(&text, options) == OGRERR_NONE && text != nullptr && *text != '\0') data->wkt = text;
  CPLFree(text);
  if (data->wkt.empty()) data->wkt = wkt;
  // An engineering CRS ("unknown", local) says nothing about where on Earth a pixel lies.
  if (srs.IsLocal()) return crs;
  data->geographic = srs.IsGeographic() != 0;
  data->projected = srs.IsProjected() != 0;
  data->metres_per_unit = data->projected ? srs.GetLinearUnits() : 0.0;
  data->semi_major_m = srs.GetSemiMajor();
  const double inverse = srs.GetInvFlattening();
  data->flattening = inverse == 0.0 ? 0.0 : 1.0 / inverse;
  const char* authority = srs.GetAuthorityName(nullptr);
  const char* code = srs.GetAuthorityCode(nullptr);
  if (authority != nullptr && code != nullptr) {
    data->name = concat(authority, ":", code);
    if (std::string(authority) == "EPSG") data->epsg = std::atoi(code);
  } else {
    const char* name = srs.GetName();
    data->name = name == nullptr ? "unnamed CRS" : name;
  }
  crs.m_data = std::move(data);
  return crs;
}

Crs Crs::local_equal_area(double longitude_deg, double latitude_deg) {
  return from_user_input(concat("+proj=laea +lat_0=", fixed(latitude_deg, 9), " +lon_0=",
                                fixed(longitude_deg, 9), " +datum=WGS84 +units=m +no_defs +type=crs"));
}

bool Crs::is_geographic() const noexcept {
  return m_data && m_data->geographic;
}
bool Crs::is_projected() const noexcept {
  return m_data && m_data->projected;
}
double Crs::metres_per_unit() const noexcept {
  return m_data ? m_data->metres_per_unit : 0.0;
}
int Crs::epsg() const noexcept {
  return m_data ? m_data->epsg : 0;
}

const std::string& Crs::wkt() const noexcept {
  static const std::string kEmpty;
  return m_data ? m_data->wkt : kEmpty;
}

const std::string& Crs::name() const noexcept {
  static const std::string kNone = "no CRS";
  return m_data ? m_data->name : kNone;
}

bool Crs::same_as(const Crs& other) const {
  if (m_data == other.m_data) return true;
  if (empty() || other.empty()) return false;
  if (m_data->wkt == other.m_data->wkt) return true;
  GdalErrorScope errors;
  const OGRSpatialReference a = to_ogr(*this);
  const OGRSpatialReference b = to_ogr(other);
  const char* const options[] = {"IGNORE_DATA_AXIS_TO_SRS_AXIS_MAPPING=YES",
                                 "CRITERION=EQUIVALENT_EXCEPT_AXIS_ORDER_GEOGCRS", nullptr};
  return a.IsSame(&b, options) != 0;
}

const Crs& lonlat_crs() {
  static const Crs kLonLat = Crs::from_user_input("EPSG:4326");
  return kLonLat;
}

struct CoordinateTransform::Impl {
  Crs from;
  Crs to;
  std::unique_ptr<OGRCoordinateTransformation> transformation;  ///< null = identity
};

CoordinateTransform::CoordinateTransform(const Crs& from, const Crs& to) : m_impl(std::make_unique<Impl>()) {
  if (from.empty() || to.empty()) throw CrsError("coordinates without a CRS cannot be transformed");
  m_impl->from = from;
  m_impl->to = to;
  if (from.same_as(to)) return;
  GdalErrorScope errors;
  const OGRSpatialReference a = to_ogr(from);
  const OGRSpatialReference b = to_ogr(to);
  m_impl->transformation.reset(OGRCreateCoordinateTransformation(&a, &b));
  if (!m_impl->transformation) {
    throw CrsError(
        concat("there is no transformation from ", from.name(), " to ", to.name(), errors.suffix()));
  }
}

CoordinateTransform::~CoordinateTransform() = default;
CoordinateTransform::CoordinateTransform(CoordinateTransform&&) noexcept = default;
CoordinateTransform& CoordinateTransform::operator=(CoordinateTransform&&) noexcept = default;

bool CoordinateTransform::is_identity() const noexcept {
  return m_impl->transformation == nullptr;
}

void CoordinateTransform::try_apply(std::span<Point> points, std::span<int> done) const {
  std::ranges::fill(done, 1);
  if (is_identity() || points.empty()) return;
  std::vector<double> x(points.size());
  std::vector<double> y(points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    x[i] = points[i].x;
    y[i] = points[i].y;
  }
  const GdalErrorScope errors;
  m_impl->transformation->Transform(static_cast<int>(points.size()), x.data(), y.data(), nullptr,
                                    done.data());
  for (std::size_t i = 0; i < points.size(); ++i) {
    done[i] = done[i] != 0 && std::isfinite(x[i]) && std::isfinite(y[i]) ? 1 : 0;
    if (done[i] != 0) points[i] = {x[i], y[i]};
  }
}

void CoordinateTransform::apply(std::span<Point> points) const {
  if (is_identity()) return;
  std::vector<int> done(points.size());
  try_apply(points, done);
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (done[i] == 0) {
      throw CrsError(concat("the point (", points[i].x, ", ", points[i].y, ") in ", m_impl->from.name(),
                            " has no place in ", m_impl->to.name()));
    }
  }
}

Point CoordinateTransform::apply(Point point) const {
  apply(std::span<Point>(&point, 1));
  return point;
}

MultiPolygon CoordinateTransform::apply(MultiPolygon shape) const {
  if (is_identity()) return shape;
  for (auto& polygon : shape) {
    apply(std::span<Point>(polygon.shell));
    for (auto& hole : polygon.holes) apply(std::span<Point>(hole));
  }
  return shape;
}

Box CoordinateTransform::apply(const Box& box) const {
  constexpr int kPointsASide = 20;
  if (is_identity()) return box;
  Box around;
  const auto take = [&](double x, double y) { around.expand(apply(Point{x, y})); };
  for (int i = 0; i <= kPointsASide; ++i) {
    const double share = static_cast<double>(i) / kPointsASide;
    const double x = box.min_x + share * box.width();
    const double y = box.min_y + share * box.height();
    take(x, box.min_y);
    take(x, box.max_y);
    take(box.min_x, y);
    take(box.max_x, y);
  }
  return around;
}

struct GeodesicMeasure::Impl {
  geod_geodesic geodesic{};
  std::unique_ptr<CoordinateTransform> to_degrees;  ///< null = already degrees

  [[nodiscard]] std::vector<Point> degrees(const Ring& ring) const {
    std::vector<Point> points(ring.begin(), ring.end());
    if (to_degrees) to_degrees->apply(std::span<Point>(points));
    return points;
  }

  /// {area (absolute), length} of a ring.
  [[nodiscard]] std::pair<double, double> ring(const Ring& r) const {
    geod_polygon polygon;
    geod_polygon_init(&polygon, 0);
    const auto points = degrees(r);
    for (std::size_t i = 0; i + 1 < points.size(); ++i) {
      geod_polygon_addpoint(&geodesic, &polygon, points[i].y, points[i].x);
    }
    double a = 0.0;
    double p = 0.0;
    geod_polygon_compute(&geodesic, &polygon, 0, 1, &a, &p);
    return {std::abs(a), p};
  }
};

GeodesicMeasure::GeodesicMeasure(const Crs& crs) : m_impl(std::make_unique<Impl>()) {
  if (crs.empty()) throw CrsError("areas and lengths in metres need a CRS");
  GdalErrorScope errors;
  const OGRSpatialReference srs = to_ogr(crs);
  const double inverse = srs.GetInvFlattening();
  geod_init(&m_impl->geodesic, srs.GetSemiMajor(), inverse == 0.0 ? 0.0 : 1.0 / inverse);
  if (crs.is_geographic()) return;
  // Longitude and latitude on the CRS's own datum: no datum shift comes in.
  const std::unique_ptr<OGRSpatialReference> base(srs.CloneGeogCS());
  char* wkt = nullptr;
  base->exportToWkt(&wkt);
  const Crs geographic = Crs::from_wkt(wkt == nullptr ? "" : wkt);
  CPLFree(wkt);
  m_impl->to_degrees = std::make_unique<CoordinateTransform>(crs, geographic);
}

GeodesicMeasure::~GeodesicMeasure() = default;
GeodesicMeasure::GeodesicMeasure(GeodesicMeasure&&) noexcept = default;

double GeodesicMeasure::area_m2(const MultiPolygon& shape) const {
  double total = 0.0;
  for (const auto& polygon : shape) {
    total += m_impl->ring(polygon.shell).first;
    for (const auto& hole : polygon.holes) total -= m_impl->ring(hole).first;
  }
  return total;
}

double GeodesicMeasure::perimeter_m(const MultiPolygon& shape) const {
  double total = 0.0;
  for (const auto& polygon : shape) {
    total += m_impl->ring(polygon.shell).second;
    for (const auto& hole : polygon.holes) total += m_impl->ring(hole).second;
  }
  return total;
}

double GeodesicMeasure::distance_m(Point a, Point b) const {
  const auto points = m_impl->degrees({a, b});
  double distance = 0.0;
  geod_inverse(&m_impl->geodesic, points[0].y, points[0].x, points[1].y, points[1].x, &distance, nullptr,
               nullptr);
  return distance;
}

}  // namespace furrow::geo
