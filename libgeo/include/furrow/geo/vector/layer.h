#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <furrow/geo/crs/crs.h>
#include <furrow/geo/vector/geometry.h>

namespace furrow::geo {

enum class FieldType { kInteger, kReal, kString, kDate, kDateTime, kBoolean };

/// A value of a field that stands for something: ("0", "no").
struct FieldCode {
  std::string value;
  std::string meaning;
};

struct FieldDefinition {
  std::string name;
  FieldType type = FieldType::kString;
  std::string alias;               ///< human title, shown by QGIS; may be empty
  std::string description{};       ///< what it means, with unit; may be empty
  std::vector<FieldCode> codes{};  ///< where cells are codes: all of them; else empty
};

/// A cell: unset, integer (also Boolean as 0/1), real, or text (dates as ISO 8601, UTC).
using Value = std::variant<std::monostate, std::int64_t, double, std::string>;

struct Feature {
  std::int64_t fid = -1;      ///< of the file it came from; -1 = new
  MultiPolygon geometry;      ///< empty = no polygon (null or empty geometry, or an attribute table)
  std::vector<Value> values;  ///< one per field of the layer
};

/// Hands over features one after another; false = there are no more.
using FeatureSource = std::function<bool(Feature&)>;

/// A polygon layer (or a table, when no feature has a geometry) in memory.
struct Layer {
  std::string name;
  std::string source;  ///< file it came from, for messages
  Crs crs;
  std::vector<FieldDefinition> fields;
  std::vector<Feature> features;

  /// Index of a field, compared without case; -1 when missing.
  [[nodiscard]] int find_field(const std::string& name) const;
  /// @throws IoError naming layer, field and the nearest one that is there
  [[nodiscard]] std::size_t field(const std::string& name) const;
  /// Adds a field (every feature gets an unset cell) or returns the one that is there.
  std::size_t add_field(const FieldDefinition& definition);
};

/// A cell as text (numbers shortest), number (NaN when unset or no number), or integer (`missing` when
/// unset).
[[nodiscard]] std::string as_text(const Value& value);
[[nodiscard]] double as_real(const Value& value);
[[nodiscard]] std::int64_t as_integer(const Value& value, std::int64_t missing = 0);

/// What to do with a polygon that crosses itself or is otherwise invalid.
enum class InvalidGeometry {
  kError,
  kRepair,
  kSkip,
  kKeep  ///< as it is, unchecked: for callers that repair themselves
};

struct LayerReadOptions {
  std::string layer;        ///< name; empty = the only polygon layer of the file
  std::string usual_layer;  ///< of several polygon layers the one taken when `layer` is empty; empty = none
  Crs override_crs;         ///< what the coordinates are in, whatever the file says; empty = believe the file
  std::string crs_switch = "--crs";  ///< the command's option behind override_crs, named in messages
  Crs target_crs;                    ///< reproject to this; empty = as in the file
  bool require_crs = true;           ///< false: a layer without CRS is accepted
  bool require_polygons = true;      ///< false: a layer without any polygon is accepted
  bool accept_empty = false;         ///< with require_polygons: a layer without any feature is accepted
  InvalidGeometry invalid = InvalidGeometry::kError;
  std::string where;        ///< OGR SQL attribute filter; empty = all
  std::optional<Box> bbox;  ///< only features whose box intersects it, in the file's CRS
};

struct LayerReadReport {
  std::int64_t features = 0;
  std::int64_t polygons = 0;         ///< features with a polygon that was kept
  std::int64_t without_polygon = 0;  ///< null, empty, point or line geometry
  std::int64_t repaired = 0;
  std::int64_t skipped = 0;
};

/// True when Parquet and GeoParquet files can be read: GDAL has a driver for them, or the build has Apache
/// Arrow (CMake option FURROW_WITH_PARQUET). Otherwise opening one is an IoError that says how to convert it.
[[nodiscard]] bool can_read_parquet();

/// Reads polygons and attributes of one layer (GPKG, Shapefile, GeoJSON, FlatGeobuf, ... whatever GDAL
/// opens; Parquet where can_read_parquet(), streamed: row groups need not fit in memory).
///
/// Curves are linearised, Z and M dropped, multi-part shapes kept as one feature. Attribute types outside
/// FieldType become text. Coordinates beyond 1e12 count as invalid. Without `report`, what was repaired or
/// left out is logged.
/// @throws IoError   file missing or no vector file; layer missing (with the names that are there); no
/// polygon in it
/// @throws CrsError  no CRS, or a geographic CRS although the coordinates are not degrees (GeoJSON without
/// "crs")
/// @throws GeometryError  invalid polygon with InvalidGeometry::kError: feature id, reason, and the switch to
/// repair Safe to call concurrently.
[[nodiscard]] Layer read_layer(const std::string& path, const LayerReadOptions& options = {},
                               LayerReadReport* report = nullptr);

/// What a file says about one of its layers, without reading its features.
struct LayerInfo {
  std::string name;
  std::string geometry;  ///< "Multi Polygon", "None" for a table, ... as OGR names it
  Crs crs;
  std::int64_t features = 0;
  std::vector<FieldDefinition> fields;
};

/// @throws IoError  file missing or no vector file
[[nodiscard]] std::vector<LayerInfo> list_layers(const std::string& path);

/// "integer", "real", "text", "date", "date and time", "true/false"
[[nodiscard]] const char* field_type_name(FieldType type);

}  // namespace furrow::geo
