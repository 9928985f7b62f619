#include <furrow/geo/vector/layer_writer.h>

#include <algorithm>
#include <map>
#include <set>

#include <cpl_conv.h>
#include <gdal_priv.h>
#include <ogrsf_frmts.h>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/core/version.h>
#include <furrow/geo/vector/geojson_coordinates.h>

#include "../raster/gdal_support.h"
#include "geopackage_columns.h"
#include "geopackage_index.h"

namespace furrow::geo {
namespace {

/// Sets a thread-local GDAL configuration option while it lives.
class ConfigOption {
 public:
  ConfigOption(const char* key, const std::string& value) : m_key(key) {
    const char* old = CPLGetThreadLocalConfigOption(key, nullptr);
    if (old != nullptr) m_old = old;
    m_had = old != nullptr;
    CPLSetThreadLocalConfigOption(key, value.c_str());
  }
  ~ConfigOption() { CPLSetThreadLocalConfigOption(m_key, m_had ? m_old.c_str() : nullptr); }
  ConfigOption(const ConfigOption&) = delete;
  ConfigOption& operator=(const ConfigOption&) = delete;

 private:
  const char* m_key;
  std::string m_old;
  bool m_had = false;
};

OGRLinearRing* new_ring(const Ring& points) {
  auto* ring = new OGRLinearRing();  // owned by the polygon it is added to
  ring->setNumPoints(static_cast<int>(points.size()), FALSE);
  for (std::size_t i = 0; i < points.size(); ++i)
    ring->setPoint(static_cast<int>(i), points[i].x, points[i].y);
  return ring;
}

/// `outward` gives the orientation of shells: counter-clockwise for simple features (holes the other way).
Ring oriented(Ring ring, bool counter_clockwise) {
  if ((signed_area(ring) > 0.0) != counter_clockwise) std::ranges::reverse(ring);
  return ring;
}

std::unique_ptr<OGRPolygon> to_ogr(const Polygon& polygon) {
  auto result = std::make_unique<OGRPolygon>();
  result->addRingDirectly(new_ring(oriented(polygon.shell, true)));
  for (const auto& hole : polygon.holes) result->addRingDirectly(new_ring(oriented(hole, false)));
  return result;
}

std::unique_ptr<OGRGeometry> to_ogr(const MultiPolygon& shape, bool multi) {
  if (!multi && shape.size() == 1) return to_ogr(shape.front());
  auto result = std::make_unique<OGRMultiPolygon>();
  for (const auto& polygon : shape) result->addGeometryDirectly(to_ogr(polygon).release());
  return result;
}

std::pair<OGRFieldType, OGRFieldSubType> ogr_type(FieldType type) {
  switch (type) {
    case FieldType::kInteger:
      return {OFTInteger64, OFSTNone};
    case FieldType::kBoolean:
      return {OFTInteger, OFSTBoolean};
    case FieldType::kReal:
      return {OFTReal, OFSTNone};
    case FieldType::kDate:
      return {OFTDate, OFSTNone};
    case FieldType::kDateTime:
      return {OFTDateTime, OFSTNone};
    case FieldType::kString:
      break;
  }
  return {OFTString, OFSTNone};
}

void set_value(OGRFeature& feature, int index, const Value& value) {
  if (const auto* i = std::get_if<std::int64_t>(&value)) {
    feature.SetField(index, static_cast<GIntBig>(*i));
  } else if (const auto* d = std::get_if<double>(&value)) {
    if (*d == *d) feature.SetField(index, *d);  // NaN stays unset
  } else if (const auto* s = std::get_if<std::string>(&value)) {
    feature.SetField(index, s->c_str());
  }
}

bool has_polygons(const Layer& layer) {
  return std::ranges::any_of(layer.features, [](const Feature& f) { return !f.geometry.empty(); });
}

bool is_spatial(const Layer& layer) {
  return has_polygons(layer) || !layer.crs.empty();
}

/// A name that is not taken yet, whatever its case: `wanted`, else with a number behind it.
std::string free_name(const std::string& wanted, const std::set<std::string>& taken) {
  std::string name = wanted;
  for (int n = 1; taken.contains(to_lower(name)); ++n) name = concat(wanted, '_', n);
  return name;
}

std::set<std::string> lower_names(const Layer& layer) {
  std::set<std::string> names;
  for (const auto& field : layer.fields) names.insert(to_lower(field.name));
  return names;
}

/// SQLite takes columns that differ only in case for one: later ones get a number behind their name.
void make_names_differ(Layer& layer) {
  const std::set<std::string> all = lower_names(layer);
  std::set<std::string> seen;
  for (auto& field : layer.fields) {
    const std::string wanted = field.name.empty() ? "field" : field.name;
    if (wanted == field.name && seen.insert(to_lower(wanted)).second) continue;
    std::set<std::string> taken = all;
    taken.insert(seen.begin(), seen.end());
    std::string name = free_name(wanted, taken);
    log_warning(concat(
        "layer ", quoted(layer.name), " has ",
        field.name.empty() ? "a field without a name" : concat("another field called ", quoted(field.name)),
        ", which a GeoPackage cannot hold; it is written as ", quoted(name)));
    seen.insert(to_lower(name));
    field.name = std::move(name);
  }
}

/// Attributes keep their names; the columns of a GeoPackage's own give way.
std::string fid_column(const Layer& layer) {
  return free_name("fid", lower_names(layer));
}
std::string geometry_column(const Layer& layer) {
  std::set<std::string> taken = lower_names(layer);
  taken.insert(to_lower(fid_column(layer)));
  return free_name("geom", taken);
}

class DatasetWriter {
 public:
  DatasetWriter(const std::filesystem::path& path, const char* driver_name, const CPLStringList& options,
                std::string shown_name)
      : m_name(std::move(shown_name)) {
    register_gdal();
    GDALDriver* driver = GetGDALDriverManager()->GetDriverByName(driver_name);
    if (driver == nullptr) throw IoError(concat("this GDAL cannot write ", driver_name, " files"));
    m_dataset.reset(driver->Create(path.c_str(), 0, 0, 0, GDT_Unknown, options.List()));
    if (!m_dataset) fail();
  }

  /// @param boxes  gets those of the features with a geometry; may be null
  void add(const PackagedLayer& packaged, CPLStringList options, bool split_parts,
           std::vector<IndexedBox>* boxes = nullptr) {
    m_boxes = boxes;
    const Layer& layer = packaged.layer;
    const bool spatial = is_spatial(layer);
    if (spatial && layer.crs.empty()) {
      throw CrsError(concat("layer ", quoted(layer.name), " has polygons but no CRS; it cannot be written"));
    }
    OGRSpatialReference srs;
    if (spatial) {
      srs.importFromWkt(layer.crs.wkt().c_str());
      srs.SetAxisMappingStrategy(OAMS_TRADITIONAL_GIS_ORDER);
    }
    const auto type = !spatial ? wkbNone : packaged.multi_polygon ? wkbMultiPolygon : wkbPolygon;
    OGRLayer* out =
        m_dataset->CreateLayer(layer.name.c_str(), spatial ? &srs : nullptr, type, options.List());
    if (out == nullptr) fail();
    for (const auto& field : layer.fields) {
      OGRFieldDefn definition(field.name.c_str(), ogr_type(field.type).first);
      definition.SetSubType(ogr_type(field.type).second);
      if (!field.alias.empty()) definition.SetAlternativeName(field.alias.c_str());
      if (out->CreateField(&definition) != OGRERR_NONE) fail();
    }
    if (m_dataset->TestCapability(ODsCTransactions) != 0) m_dataset->StartTransaction();
    for (const auto& feature : layer.features)
      write(*out, layer, feature, packaged.multi_polygon, split_parts);
    for (Feature feature; packaged.more && packaged.more(feature);)
      write(*out, layer, feature, packaged.multi_polygon, split_parts);
    if (m_dataset->TestCapability(ODsCTransactions) != 0 && m_dataset->CommitTransaction() != OGRERR_NONE)
      fail();
  }

  void add_styles(const std::vector<PackagedLayer>& layers) {
    if (std::ranges::all_of(layers, [](const PackagedLayer& l) { return l.styles.empty(); })) return;
    CPLStringList options;
    options.SetNameValue("FID", "id");
    OGRLayer* table = m_dataset->CreateLayer("layer_styles", nullptr, wkbNone, options.List());
    if (table == nullptr) fail();
    const auto add_text = [&](const char* name, int width) {
      OGRFieldDefn definition(name, OFTString);
      definition.SetWidth(width);
      table->CreateField(&definition);
    };
    for (const char* name : {"f_table_catalog", "f_table_schema", "f_table_name", "f_geometry_column"})
      add_text(name, 256);
    add_text("styleName", 30);
    add_text("styleQML", 0);
    add_text("styleSLD", 0);
    OGRFieldDefn is_default("useAsDefault", OFTInteger);
    is_default.SetSubType(OFSTBoolean);
    table->CreateField(&is_default);
    add_text("description", 0);
    add_text("owner", 30);
    add_text("ui", 30);
    OGRFieldDefn updated("update_time", OFTDateTime);
    updated.SetDefault("CURRENT_TIMESTAMP");
    table->CreateField(&updated);
    for (const auto& packaged : layers) {
      for (const auto& style : packaged.styles) write_style(*table, packaged, style);
    }
  }

  void run(const std::vector<std::string>& statements) {
    for (const std::string& statement : statements) {
      m_dataset->ReleaseResultSet(m_dataset->ExecuteSQL(statement.c_str(), nullptr, nullptr));
      if (m_errors != nullptr && m_errors->failed()) fail();
    }
  }

  void add_metadata(const std::map<std::string, std::string>& items) {
    for (const auto& [key, value] : items) m_dataset->SetMetadataItem(key.c_str(), value.c_str());
  }

  void close(const GdalErrorScope& errors) {
    m_dataset->FlushCache(true);
    m_dataset.reset();
    if (errors.failed()) fail();
  }

  void set_errors(const GdalErrorScope* errors) { m_errors = errors; }

 private:
  [[noreturn]] void fail() const {
    std::string reason = m_errors == nullptr ? "" : m_errors->message();
    // "sqlite3_exec(<a long statement>) failed: <reason>"
    constexpr std::string_view kFailed = ") failed: ";
    if (const auto end = reason.rfind(kFailed); reason.starts_with("sqlite3_") && end != std::string::npos)
      reason.erase(0, end + kFailed.size());
    throw output_error(m_name, std::move(reason));
  }

  void write_one(OGRLayer& out, const Layer& layer, const Feature& feature,
                 std::unique_ptr<OGRGeometry> geometry) const {
    OGRFeature ogr(out.GetLayerDefn());
    for (std::size_t i = 0; i < layer.fields.size() && i < feature.values.size(); ++i) {
      set_value(ogr, static_cast<int>(i), feature.values[i]);
    }
    OGREnvelope box;
    const bool is_indexed = m_boxes != nullptr && geometry && geometry->IsEmpty() == FALSE;
    if (is_indexed) geometry->getEnvelope(&box);
    if (geometry) ogr.SetGeometryDirectly(geometry.release());
    if (out.CreateFeature(&ogr) != OGRERR_NONE) fail();
    if (is_indexed) m_boxes->push_back(rounded_outward(ogr.GetFID(), box.MinX, box.MinY, box.MaxX, box.MaxY));
  }

  void write(OGRLayer& out, const Layer& layer, const Feature& feature, bool multi, bool split_parts) const {
    if (feature.geometry.empty()) {
      write_one(out, layer, feature, nullptr);
    } else if (split_parts && !multi && feature.geometry.size() > 1) {
      for (const auto& part : feature.geometry) write_one(out, layer, feature, to_ogr(part));
    } else {
      write_one(out, layer, feature, to_ogr(feature.geometry, multi));
    }
  }

  void write_style(OGRLayer& table, const PackagedLayer& packaged, const LayerStyle& style) const {
    OGRFeature row(table.GetLayerDefn());
    row.SetField("f_table_catalog", "");
    row.SetField("f_table_schema", "");
    row.SetField("f_table_name", packaged.layer.name.c_str());
    const bool spatial = is_spatial(packaged.layer);  // QGIS looks for the style of a table without a column
    row.SetField("f_geometry_column", spatial ? geometry_column(packaged.layer).c_str() : "");
    row.SetField("styleName", style.name.c_str());
    row.SetField("styleQML", style.qml.c_str());
    row.SetField("styleSLD", "");
    row.SetField("useAsDefault", style.is_default ? 1 : 0);
    row.SetField("description", (style.description.empty() ? style.name : style.description).c_str());
    row.SetField("owner", "");
    row.SetField("update_time", utc_timestamp().c_str());
    if (table.CreateFeature(&row) != OGRERR_NONE) fail();
  }

  std::string m_name;
  GDALDatasetUniquePtr m_dataset;
  const GdalErrorScope* m_errors = nullptr;
  std::vector<IndexedBox>* m_boxes = nullptr;
};

/// GDAL's GeoJSON driver does not notice a full disk.
void check_complete(const std::filesystem::path& written, const std::filesystem::path& path,
                    std::size_t features) {
  const GDALDatasetUniquePtr dataset(
      GDALDataset::Open(written.c_str(), GDAL_OF_VECTOR | GDAL_OF_READONLY | GDAL_OF_VERBOSE_ERROR));
  OGRLayer* layer = dataset && dataset->GetLayerCount() == 1 ? dataset->GetLayer(0) : nullptr;
  if (layer == nullptr || layer->GetFeatureCount() != static_cast<GIntBig>(features))
    throw output_error(path, "the file is incomplete");
}

void write_dataset(const PackagedLayer& packaged, const std::filesystem::path& path, const char* driver,
                   const CPLStringList& options, bool overwrite) {
  AtomicFile file(path, overwrite);
  const GdalErrorScope errors;
  DatasetWriter writer(file.temporary(), driver, {}, path.string());
  writer.set_errors(&errors);
  writer.add(packaged, options, false);
  writer.close(errors);
  check_complete(file.temporary(), path, packaged.layer.features.size());
  file.commit();
}

/// A Shapefile is several files; all of them move together.
void write_shapefile(const PackagedLayer& packaged, const std::filesystem::path& path, bool overwrite) {
  check_output_path(path, overwrite);
  const AtomicFolder folder(path.parent_path() / (path.stem().string() + ".shapefile"), true);
  const GdalErrorScope errors;
  DatasetWriter writer(folder.temporary() / path.filename(), "ESRI Shapefile", {}, path.string());
  writer.set_errors(&errors);
  CPLStringList options;
  options.SetNameValue("ENCODING", "UTF-8");
  writer.add(packaged, options, false);
  writer.close(errors);
  for (const auto& entry : std::filesystem::directory_iterator(folder.temporary())) {
    std::filesystem::path target = path;
    target.replace_extension(entry.path().extension());
    std::filesystem::rename(entry.path(), target);
  }
}

void write_attributes(const Layer& layer, const std::filesystem::path& path, bool overwrite) {
  CsvTable table;
  for (const auto& field : layer.fields) table.columns.push_back(field.name);
  for (const auto& feature : layer.features) {
    std::vector<std::string> row;
    for (const auto& value : feature.values) row.push_back(as_text(value));
    table.rows.push_back(std::move(row));
  }
  write_csv(table, path, overwrite);
}

}  // namespace

void write_geopackage(std::vector<PackagedLayer> layers, const std::filesystem::path& path, bool overwrite,
                      const std::map<std::string, std::string>& metadata) {
  AtomicFile file(path, overwrite);
  for (auto& packaged : layers) make_names_differ(packaged.layer);
  const GdalErrorScope errors;
  std::string now = utc_timestamp();
  now.insert(now.size() - 1, ".000");
  const ConfigOption date("OGR_CURRENT_DATE", now);
  CPLStringList creation;
  creation.SetNameValue("DATETIME_FORMAT", "UTC");
  DatasetWriter writer(file.temporary(), "GPKG", creation, path.string());
  writer.set_errors(&errors);
  std::vector<UnindexedLayer> unindexed;
  for (const auto& packaged : layers) {
    UnindexedLayer index{
        packaged.layer.name, fid_column(packaged.layer), geometry_column(packaged.layer), {}};
    CPLStringList options;
    options.SetNameValue("FID", index.fid_column.c_str());
    options.SetNameValue("GEOMETRY_NAME", index.geometry_column.c_str());
    options.SetNameValue("SPATIAL_INDEX", "NO");
    options.SetNameValue("IDENTIFIER", packaged.layer.name.c_str());
    options.SetNameValue("DESCRIPTION", packaged.description.c_str());
    options.SetNameValue("ASPATIAL_VARIANT", "GPKG_ATTRIBUTES");
    writer.add(packaged, options, true, &index.boxes);
    if (is_spatial(packaged.layer)) unindexed.push_back(std::move(index));
  }
  writer.run(column_guide_sql(layers));
  writer.add_styles(layers);
  writer.add_metadata(metadata);
  writer.close(errors);
  add_spatial_indexes(file.temporary(), path.string(), std::move(unindexed));
  file.commit();
}

void write_geojson(Layer layer, const std::filesystem::path& path, bool overwrite,
                   const GeoJsonOptions& options) {
  to_geojson_coordinates(layer);
  CPLStringList creation;
  creation.SetNameValue("RFC7946", "YES");
  creation.SetNameValue("COORDINATE_PRECISION", CPLSPrintf("%d", kGeoJsonDecimals));
  if (!options.id_field.empty()) {
    creation.SetNameValue("ID_FIELD", options.id_field.c_str());
    creation.SetNameValue("ID_TYPE", "String");
  }
  if (!options.members.empty()) {
    creation.SetNameValue("NATIVE_MEDIA_TYPE", "application/vnd.geo+json");
    creation.SetNameValue("NATIVE_DATA", options.members.c_str());
    creation.SetNameValue("WRITE_NAME", "NO");  // no member that nobody asked for
  }
  write_dataset({std::move(layer), "", false, {}}, path, "GeoJSON", creation, overwrite);
}

void write_layer(Layer layer, const std::filesystem::path& path, bool overwrite) {
  const std::string extension = to_lower(path.extension().string());
  const bool multi =
      std::ranges::any_of(layer.features, [](const Feature& f) { return f.geometry.size() > 1; });
  if (extension == ".csv") return write_attributes(layer, path, overwrite);
  if (extension == ".geojson" || extension == ".json")
    return write_geojson(std::move(layer), path, overwrite);
  PackagedLayer packaged{std::move(layer), "", multi, {}};
  if (extension == ".gpkg") {
    std::vector<PackagedLayer> layers;
    layers.push_back(std::move(packaged));
    return write_geopackage(std::move(layers), path, overwrite);
  }
  if (extension == ".shp") return write_shapefile(packaged, path, overwrite);
  if (extension == ".fgb") return write_dataset(packaged, path, "FlatGeobuf", {}, overwrite);
  throw IoError(concat("cannot tell the format of ", quoted(path.string()),
                       " from its extension; use .gpkg, .geojson, .fgb, .shp or .csv"));
}

}  // namespace furrow::geo
