#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include <furrow/geo/vector/geometry.h>

namespace furrow::geo {

/// A coordinate reference system. Axis order is always x = easting or longitude, y = northing or latitude.
/// An empty Crs means "unknown". Cheap to copy; safe to share between threads.
class Crs {
 public:
  Crs() = default;

  /// From anything people write: "EPSG:32632", WKT, PROJ string, a .prj file's text, "OGC:CRS84".
  /// @throws CrsError when it is not understood
  [[nodiscard]] static Crs from_user_input(const std::string& text);

  /// From WKT as files hold it; an empty text gives an empty Crs.
  /// @throws CrsError when it is not understood
  [[nodiscard]] static Crs from_wkt(const std::string& wkt);

  /// Lambert azimuthal equal-area, metres, WGS 84, centred on a point in degrees: areas exact, lengths within
  /// 1e-6 over the few kilometres of a site.
  [[nodiscard]] static Crs local_equal_area(double longitude_deg, double latitude_deg);

  [[nodiscard]] bool empty() const noexcept { return m_data == nullptr; }
  [[nodiscard]] bool is_geographic() const noexcept;
  [[nodiscard]] bool is_projected() const noexcept;
  /// Metres per unit of a projected CRS; 0 for a geographic or empty one.
  [[nodiscard]] double metres_per_unit() const noexcept;
  /// WKT 2 (2019) text; empty for an empty Crs.
  [[nodiscard]] const std::string& wkt() const noexcept;
  /// "EPSG:32632" where an authority code is known, else the name; "no CRS" for an empty one.
  [[nodiscard]] const std::string& name() const noexcept;
  /// The EPSG code, or 0.
  [[nodiscard]] int epsg() const noexcept;

  /// Same system whatever the text: compares meaning, ignores axis order and names. Two empty ones are the
  /// same.
  [[nodiscard]] bool same_as(const Crs& other) const;

 private:
  struct Data;
  std::shared_ptr<const Data> m_data;
};

/// WGS 84 longitude and latitude in degrees.
[[nodiscard]] const Crs& lonlat_crs();

/// Moves coordinates from one CRS to another. Not thread-safe: one per thread.
class CoordinateTransform {
 public:
  /// @throws CrsError when one is empty or no transformation exists
  CoordinateTransform(const Crs& from, const Crs& to);
  ~CoordinateTransform();
  CoordinateTransform(CoordinateTransform&&) noexcept;
  CoordinateTransform& operator=(CoordinateTransform&&) noexcept;

  [[nodiscard]] bool is_identity() const noexcept;
  /// @throws CrsError when a point has no image
  void apply(std::span<Point> points) const;
  /// The same without an error: `done` (one per point) becomes 1, or 0 where a point has no image; that point
  /// then stays.
  void try_apply(std::span<Point> points, std::span<int> done) const;
  [[nodiscard]] Point apply(Point point) const;
  [[nodiscard]] MultiPolygon apply(MultiPolygon shape) const;
  /// The box around what becomes of a box, whose sides may bend: of 20 pieces a side.
  [[nodiscard]] Box apply(const Box& box) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

/// Area and perimeter on the ellipsoid of `crs`, whatever the CRS is. Reuse one object for many polygons.
/// Method: geodesic polygons (Karney 2013) through PROJ. Edges are geodesics between the vertices; for
/// projected coordinates the difference to the straight edge is below 1e-6 for edges under a few kilometres.
/// Not thread-safe: one per thread.
class GeodesicMeasure {
 public:
  /// @throws CrsError when `crs` is empty
  explicit GeodesicMeasure(const Crs& crs);
  ~GeodesicMeasure();
  GeodesicMeasure(GeodesicMeasure&&) noexcept;

  [[nodiscard]] double area_m2(const MultiPolygon& shape) const;
  /// Length of all rings, holes included.
  [[nodiscard]] double perimeter_m(const MultiPolygon& shape) const;
  /// Length of the geodesic between two points.
  [[nodiscard]] double distance_m(Point a, Point b) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

}  // namespace furrow::geo
