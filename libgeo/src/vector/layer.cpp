#include <furrow/geo/vector/layer.h>

#include <cmath>
#include <limits>

#include <gdal_priv.h>
#include <ogrsf_frmts.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/remote.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/geos.h>

#include "../raster/gdal_support.h"

namespace furrow::geo {

int Layer::find_field(const std::string& wanted) const {
  const std::string lower = to_lower(wanted);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (to_lower(fields[i].name) == lower) return static_cast<int>(i);
  }
  return -1;
}

std::size_t Layer::field(const std::string& wanted) const {
  const int index = find_field(wanted);
  if (index >= 0) return static_cast<std::size_t>(index);
  std::vector<std::string> names;
  for (const auto& f : fields) names.push_back(f.name);
  throw IoError(concat("layer ", quoted(name), " of ", quoted(source), " has no field ", quoted(wanted),
                       did_you_mean(wanted, names), " (it has: ", join(names, ", "), ")"));
}

std::size_t Layer::add_field(const FieldDefinition& definition) {
  const int index = find_field(definition.name);
  if (index >= 0) return static_cast<std::size_t>(index);
  fields.push_back(definition);
  for (auto& feature : features) feature.values.resize(fields.size());
  return fields.size() - 1;
}

std::string as_text(const Value& value) {
  if (const auto* i = std::get_if<std::int64_t>(&value)) return concat(*i);
  if (const auto* d = std::get_if<double>(&value)) return shortest(*d);
  if (const auto* s = std::get_if<std::string>(&value)) return *s;
  return {};
}

double as_real(const Value& value) {
  if (const auto* i = std::get_if<std::int64_t>(&value)) return static_cast<double>(*i);
  if (const auto* d = std::get_if<double>(&value)) return *d;
  double number = 0.0;
  const auto* s = std::get_if<std::string>(&value);
  return s != nullptr && parse_number(*s, number) ? number : std::numeric_limits<double>::quiet_NaN();
}

std::int64_t as_integer(const Value& value, std::int64_t missing) {
  const double number = as_real(value);
  return std::isfinite(number) && std::abs(number) < 9e18 ? static_cast<std::int64_t>(std::llround(number))
                                                          : missing;
}

namespace {

FieldType field_type(const OGRFieldDefn& definition) {
  switch (definition.GetType()) {
    case OFTInteger:
      return definition.GetSubType() == OFSTBoolean ? FieldType::kBoolean : FieldType::kInteger;
    case OFTInteger64:
      return FieldType::kInteger;
    case OFTReal:
      return FieldType::kReal;
    case OFTDate:
      return FieldType::kDate;
    case OFTDateTime:
      return FieldType::kDateTime;
    default:
      return FieldType::kString;
  }
}

std::string date_text(const OGRFeature& feature, int index, bool with_time) {
  int year = 0;
  int month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int zone = 0;
  float second = 0.0F;
  if (feature.GetFieldAsDateTime(index, &year, &month, &day, &hour, &minute, &second, &zone) == 0) return {};
  char text[64];
  if (!with_time) {
    std::snprintf(text, sizeof text, "%04d-%02d-%02d", year, month, day);
    return text;
  }
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d", year, month, day, hour, minute,
                static_cast<int>(second));
  std::string result = text;
  if (zone == 100) {
    result += "Z";
  } else if (zone > 1) {
    const int quarter_hours = zone - 100;
    std::snprintf(text, sizeof text, "%c%02d:%02d", quarter_hours < 0 ? '-' : '+',
                  std::abs(quarter_hours) / 4, std::abs(quarter_hours) % 4 * 15);
    result += text;
  }
  return result;
}

Value value_of(const OGRFeature& feature, int index, FieldType type) {
  if (!feature.IsFieldSetAndNotNull(index)) return {};
  switch (type) {
    case FieldType::kInteger:
    case FieldType::kBoolean:
      return static_cast<std::int64_t>(feature.GetFieldAsInteger64(index));
    case FieldType::kReal:
      return feature.GetFieldAsDouble(index);
    case FieldType::kDate:
      return date_text(feature, index, false);
    case FieldType::kDateTime:
      return date_text(feature, index, true);
    case FieldType::kString:
      break;
  }
  return std::string(feature.GetFieldAsString(index));
}

Ring ring_of(const OGRLinearRing& ring) {
  Ring points(static_cast<std::size_t>(ring.getNumPoints()));
  for (int i = 0; i < ring.getNumPoints(); ++i)
    points[static_cast<std::size_t>(i)] = {ring.getX(i), ring.getY(i)};
  if (points.size() > 1 && !(points.front() == points.back())) points.push_back(points.front());
  return points;
}

void append_polygons(const OGRGeometry& geometry, MultiPolygon& shape) {
  const auto type = wkbFlatten(geometry.getGeometryType());
  if (OGR_GT_IsSubClassOf(type, wkbGeometryCollection)) {
    for (const auto* part : *geometry.toGeometryCollection()) append_polygons(*part, shape);
    return;
  }
  if (!OGR_GT_IsSubClassOf(type, wkbCurvePolygon) || geometry.IsEmpty()) return;
  OGRGeometryUniquePtr linear(geometry.getLinearGeometry());
  const OGRPolygon* polygon = linear->toPolygon();
  Polygon p{ring_of(*polygon->getExteriorRing()), {}};
  for (int i = 0; i < polygon->getNumInteriorRings(); ++i)
    p.holes.push_back(ring_of(*polygon->getInteriorRing(i)));
  shape.push_back(std::move(p));
}

std::string layer_names(GDALDataset& dataset) {
  std::vector<std::string> names;
  for (int i = 0; i < dataset.GetLayerCount(); ++i) names.emplace_back(dataset.GetLayer(i)->GetName());
  return join(names, ", ");
}

GDALDatasetUniquePtr open_vector(const std::string& path) {
  register_gdal();
  const RemoteAccess access(path);
  GdalErrorScope errors;
  GDALDatasetUniquePtr dataset(GDALDataset::Open(remote_path(path).c_str(),
                                                 GDAL_OF_VECTOR | GDAL_OF_READONLY | GDAL_OF_VERBOSE_ERROR));
  if (!dataset) throw IoError(why_not_opened(path, "vector file", errors));
  return dataset;
}

OGRLayer& choose_layer(GDALDataset& dataset, const std::string& path, const std::string& wanted,
                       const std::string& usual) {
  if (!wanted.empty()) {
    OGRLayer* layer = dataset.GetLayerByName(wanted.c_str());
    if (layer == nullptr) {
      throw IoError(
          concat(quoted(path), " has no layer ", quoted(wanted), " (it has: ", layer_names(dataset), ")"));
    }
    return *layer;
  }
  OGRLayer* found = nullptr;
  int polygon_layers = 0;
  for (int i = 0; i < dataset.GetLayerCount(); ++i) {
    OGRLayer* layer = dataset.GetLayer(i);
    const auto type = wkbFlatten(layer->GetGeomType());
    if (type == wkbNone || type == wkbPoint || type == wkbLineString || type == wkbMultiPoint ||
        type == wkbMultiLineString) {
      continue;
    }
    if (found == nullptr) found = layer;
    ++polygon_layers;
  }
  if (polygon_layers > 1) {
    OGRLayer* layer = usual.empty() ? nullptr : dataset.GetLayerByName(usual.c_str());
    if (layer != nullptr) return *layer;
    throw IoError(concat(quoted(path), " has several layers (", layer_names(dataset), "); name one"));
  }
  if (found == nullptr && dataset.GetLayerCount() > 0) found = dataset.GetLayer(0);
  if (found == nullptr) throw IoError(concat(quoted(path), " has no layer"));
  return *found;
}

Crs layer_crs(OGRLayer& layer) {
  const OGRSpatialReference* srs = layer.GetSpatialRef();
  if (srs == nullptr) return {};
  char* wkt = nullptr;
  const char* const options[] = {"FORMAT=WKT2_2019", nullptr};
  srs->exportToWkt(&wkt, options);
  const Crs crs = Crs::from_wkt(wkt == nullptr ? "" : wkt);
  CPLFree(wkt);
  return crs;
}

/// A geographic CRS over coordinates that cannot be degrees: GDAL's guess for a GeoJSON without a "crs"
/// member.
void check_degrees(const Layer& layer, const LayerReadOptions& options) {
  if (!layer.crs.is_geographic()) return;
  Box box;
  for (const auto& feature : layer.features) box.expand(bounds(feature.geometry));
  if (box.empty()) return;
  constexpr double kSlack = 1.0;
  if (box.min_x < -360.0 - kSlack || box.max_x > 360.0 + kSlack || box.min_y < -90.0 - kSlack ||
      box.max_y > 90.0 + kSlack) {
    throw CrsError(concat("layer ", quoted(layer.name), " of ", quoted(layer.source), " is said to be in ",
                          layer.crs.name(), " (degrees), but its coordinates reach ", fixed(box.max_x, 1),
                          ", ", fixed(box.max_y, 1), "; say which CRS they are in with ",
                          options.crs_switch));
  }
}

/// Applies the invalid-geometry policy. @return false = leave the feature out
bool accept(Feature& feature, const Layer& layer, const LayerReadOptions& options, LayerReadReport& report) {
  if (options.invalid == InvalidGeometry::kKeep) return true;
  const Validity validity = check_validity(feature.geometry);
  if (validity.valid) return true;
  if (options.invalid == InvalidGeometry::kError) {
    throw GeometryError(concat("layer ", quoted(layer.name), " of ", quoted(layer.source),
                               ": polygon with fid ", feature.fid, " is invalid (", validity.reason,
                               "); add --invalid repair to mend such polygons or ",
                               "--invalid skip to leave them out"));
  }
  if (options.invalid == InvalidGeometry::kRepair) {
    feature.geometry = make_valid(feature.geometry);
    if (!feature.geometry.empty()) {
      ++report.repaired;
      return true;
    }
  }
  ++report.skipped;
  return false;
}

/// An empty layer may be all right; points, lines or a bare table where polygons belong are not.
void check_polygons(const Layer& layer, const LayerReadOptions& options, const LayerReadReport& report) {
  if (report.polygons > 0 || !options.require_polygons) return;
  if (report.skipped > 0) {
    throw GeometryError(concat("layer ", quoted(layer.name), " of ", quoted(layer.source), ": all ",
                               report.skipped, " polygons are invalid and nothing of them could be kept; ",
                               "correct them first"));
  }
  if (options.accept_empty && report.features == 0) return;
  throw IoError(
      concat("layer ", quoted(layer.name), " of ", quoted(layer.source), " has no polygons",
             report.features == 0 ? " (it is empty)" : " (only points, lines or rows without a shape)",
             "; give a layer of polygons"));
}

void log_invalid(const Layer& layer, const LayerReadReport& report) {
  const std::string where = concat("invalid polygons of ", quoted(layer.source));
  if (report.repaired > 0) log_info(concat(report.repaired, " ", where, " were repaired"));
  if (report.skipped > 0) log_warning(concat(report.skipped, " ", where, " were left out"));
}

std::vector<FieldDefinition> fields_of(const OGRFeatureDefn& definition) {
  std::vector<FieldDefinition> fields;
  for (int i = 0; i < definition.GetFieldCount(); ++i) {
    const OGRFieldDefn& f = *definition.GetFieldDefn(i);
    fields.push_back({f.GetNameRef(), field_type(f), f.GetAlternativeNameRef()});
  }
  return fields;
}

}  // namespace

bool can_read_parquet() {
  register_gdal();
  return GDALGetDriverByName("Parquet") != nullptr;
}

Layer read_layer(const std::string& path, const LayerReadOptions& options, LayerReadReport* report_out) {
  GDALDatasetUniquePtr dataset = open_vector(path);
  OGRLayer& source = choose_layer(*dataset, path, options.layer, options.usual_layer);
  GdalErrorScope errors;
  LayerReadReport report;
  Layer layer;
  layer.name = source.GetName();
  layer.source = path;
  layer.crs = options.override_crs.empty() ? layer_crs(source) : options.override_crs;

  if (!options.where.empty() && source.SetAttributeFilter(options.where.c_str()) != OGRERR_NONE) {
    throw IoError(concat("the filter ", quoted(options.where), " does not fit layer ", quoted(layer.name),
                         " of ", quoted(path), errors.suffix()));
  }
  if (options.bbox) {
    source.SetSpatialFilterRect(options.bbox->min_x, options.bbox->min_y, options.bbox->max_x,
                                options.bbox->max_y);
  }
  layer.fields = fields_of(*source.GetLayerDefn());

  for (auto& ogr : source) {
    ++report.features;
    Feature feature;
    feature.fid = ogr->GetFID();
    if (const OGRGeometry* geometry = ogr->GetGeometryRef()) append_polygons(*geometry, feature.geometry);
    if (feature.geometry.empty()) {
      ++report.without_polygon;
    } else if (accept(feature, layer, options, report)) {
      ++report.polygons;
    } else {
      continue;
    }
    for (std::size_t i = 0; i < layer.fields.size(); ++i) {
      feature.values.push_back(value_of(*ogr, static_cast<int>(i), layer.fields[i].type));
    }
    layer.features.push_back(std::move(feature));
  }
  if (errors.failed()) {
    throw IoError(concat("cannot read layer ", quoted(layer.name), " of ", quoted(path), errors.suffix()));
  }
  check_polygons(layer, options, report);
  if (report_out == nullptr) log_invalid(layer, report);
  if (report.polygons > 0) {
    if (layer.crs.empty() && options.require_crs) {
      throw CrsError(concat("layer ", quoted(layer.name), " of ", quoted(path),
                            " has no CRS; say which one it is in with ", options.crs_switch, ", for example ",
                            options.crs_switch, " EPSG:32632"));
    }
    check_degrees(layer, options);
  }
  if (!options.target_crs.empty() && !layer.crs.empty()) {
    const CoordinateTransform transform(layer.crs, options.target_crs);
    for (auto& feature : layer.features) feature.geometry = transform.apply(std::move(feature.geometry));
    layer.crs = options.target_crs;
  }
  if (report_out != nullptr) *report_out = report;
  return layer;
}

std::vector<LayerInfo> list_layers(const std::string& path) {
  GDALDatasetUniquePtr dataset = open_vector(path);
  const GdalErrorScope errors;
  std::vector<LayerInfo> layers;
  for (OGRLayer* layer : dataset->GetLayers()) {
    layers.push_back({layer->GetName(), OGRGeometryTypeToName(layer->GetGeomType()), layer_crs(*layer),
                      static_cast<std::int64_t>(layer->GetFeatureCount()),
                      fields_of(*layer->GetLayerDefn())});
  }
  return layers;
}

const char* field_type_name(FieldType type) {
  switch (type) {
    case FieldType::kInteger:
      return "integer";
    case FieldType::kReal:
      return "real";
    case FieldType::kString:
      return "text";
    case FieldType::kDate:
      return "date";
    case FieldType::kDateTime:
      return "date and time";
    case FieldType::kBoolean:
      break;
  }
  return "true/false";
}

}  // namespace furrow::geo
