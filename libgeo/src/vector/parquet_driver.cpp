#include "parquet_driver.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <gdal_priv.h>
#include <ogrsf_frmts.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/schema.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <nlohmann/json.hpp>

#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>

#include "../raster/gdal_support.h"

// GDAL 3.12 made these methods const.
#if GDAL_VERSION_NUM >= GDAL_COMPUTE_VERSION(3, 12, 0)
#define FURROW_GDAL_CONST const
#else
#define FURROW_GDAL_CONST
#endif

namespace furrow::geo {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kBatchRows = 4096;

/// What went wrong inside Arrow; becomes a GDAL error at the driver's border.
struct ArrowFailure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void check(const arrow::Status& status) {
  if (!status.ok()) throw ArrowFailure(status.message());
}

template <class T>
T take(arrow::Result<T> result) {
  check(result.status());
  return std::move(result).ValueUnsafe();
}

/// Runs `work`; an exception becomes GDAL's error and the value `failed`.
template <class T, class Work>
T guarded(const std::string& path, T failed, const Work& work) {
  try {
    return work();
  } catch (const std::exception& e) {
    CPLError(CE_Failure, CPLE_AppDefined, "%s (Parquet file %s)", e.what(), path.c_str());
    return failed;
  }
}

/// A file of GDAL's virtual file systems for Arrow, so that servers and archives work as for other formats.
class VsiFile final : public arrow::io::RandomAccessFile {
 public:
  explicit VsiFile(VSILFILE* file) : m_file(file) {
    VSIFSeekL(m_file, 0, SEEK_END);
    m_size = static_cast<std::int64_t>(VSIFTellL(m_file));
    VSIFSeekL(m_file, 0, SEEK_SET);
  }
  ~VsiFile() override {
    if (m_file != nullptr) VSIFCloseL(m_file);
  }
  VsiFile(const VsiFile&) = delete;
  VsiFile& operator=(const VsiFile&) = delete;

  arrow::Status Close() override {
    if (m_file != nullptr) VSIFCloseL(m_file);
    m_file = nullptr;
    return arrow::Status::OK();
  }
  bool closed() const override { return m_file == nullptr; }
  arrow::Result<std::int64_t> Tell() const override { return static_cast<std::int64_t>(VSIFTellL(m_file)); }
  arrow::Result<std::int64_t> GetSize() override { return m_size; }
  arrow::Status Seek(std::int64_t position) override {
    if (VSIFSeekL(m_file, static_cast<vsi_l_offset>(position), SEEK_SET) == 0) return arrow::Status::OK();
    return arrow::Status::IOError("cannot go to byte ", position);
  }
  arrow::Result<std::int64_t> Read(std::int64_t bytes, void* out) override {
    return static_cast<std::int64_t>(VSIFReadL(out, 1, static_cast<std::size_t>(bytes), m_file));
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(std::int64_t bytes) override {
    ARROW_ASSIGN_OR_RAISE(auto buffer, arrow::AllocateResizableBuffer(bytes));
    ARROW_ASSIGN_OR_RAISE(const std::int64_t got, Read(bytes, buffer->mutable_data()));
    ARROW_RETURN_NOT_OK(buffer->Resize(got));
    return std::shared_ptr<arrow::Buffer>(std::move(buffer));
  }

 private:
  VSILFILE* m_file;
  std::int64_t m_size = 0;
};

struct FieldKind {
  OGRFieldType type = OFTString;
  OGRFieldSubType subtype = OFSTNone;
};

/// The OGR field of an Arrow type; nothing for types that no field can hold.
std::optional<FieldKind> field_kind(const arrow::DataType& type) {
  using arrow::Type;
  switch (type.id()) {
    case Type::BOOL:
      return FieldKind{OFTInteger, OFSTBoolean};
    case Type::INT8:
    case Type::INT16:
    case Type::INT32:
    case Type::UINT8:
    case Type::UINT16:
      return FieldKind{OFTInteger, OFSTNone};
    case Type::UINT32:
    case Type::INT64:
      return FieldKind{OFTInteger64, OFSTNone};
    case Type::FLOAT:
    case Type::DOUBLE:
    case Type::DECIMAL128:
    case Type::DECIMAL256:
      return FieldKind{OFTReal, OFSTNone};
    case Type::DATE32:
    case Type::DATE64:
      return FieldKind{OFTDate, OFSTNone};
    case Type::TIMESTAMP:
      return FieldKind{OFTDateTime, OFSTNone};
    case Type::UINT64:  // as text: neither int64 nor double holds all of them
    case Type::STRING:
    case Type::LARGE_STRING:
    case Type::TIME32:
    case Type::TIME64:
    case Type::NA:
      return FieldKind{OFTString, OFSTNone};
    case Type::DICTIONARY:
      return field_kind(*static_cast<const arrow::DictionaryType&>(type).value_type());
    case Type::EXTENSION:
      return field_kind(*static_cast<const arrow::ExtensionType&>(type).storage_type());
    default:
      return type.name() == "utf8_view" ? std::optional(FieldKind{OFTString, OFSTNone}) : std::nullopt;
  }
}

bool holds_bytes(const arrow::DataType& type) {
  if (type.id() == arrow::Type::EXTENSION)
    return holds_bytes(*static_cast<const arrow::ExtensionType&>(type).storage_type());
  return type.id() == arrow::Type::BINARY || type.id() == arrow::Type::LARGE_BINARY;
}

template <class Array>
auto value_at(const arrow::Array& array, std::int64_t row) {
  return static_cast<const Array&>(array).Value(row);
}

std::string text_of(const arrow::Array& array, std::int64_t row) {
  return take(array.GetScalar(row))->ToString();
}

/// Sets a date, with a time of day when `second_of_day` is given. OGR has years of four digits.
void set_date(OGRFeature& feature, int field, std::int64_t day_number, double second_of_day, int zone) {
  const std::chrono::sys_days day{std::chrono::days(day_number)};
  const std::chrono::year_month_day date{day};
  constexpr std::int64_t kLastDay = 2932896;   // 9999-12-31
  constexpr std::int64_t kFirstDay = -719528;  // 0000-01-01
  if (day_number < kFirstDay || day_number > kLastDay) return feature.SetFieldNull(field);
  const int seconds = static_cast<int>(second_of_day);
  feature.SetField(field, static_cast<int>(date.year()),
                   static_cast<int>(static_cast<unsigned>(date.month())),
                   static_cast<int>(static_cast<unsigned>(date.day())), seconds / 3600, seconds / 60 % 60,
                   static_cast<float>(second_of_day - seconds / 60 * 60), zone);
}

/// A timestamp as days and seconds, rounded down, also before 1970.
void set_timestamp(OGRFeature& feature, int field, const arrow::TimestampType& type, std::int64_t value) {
  std::int64_t per_second = 1;
  if (type.unit() == arrow::TimeUnit::MILLI) per_second = 1000;
  if (type.unit() == arrow::TimeUnit::MICRO) per_second = 1'000'000;
  if (type.unit() == arrow::TimeUnit::NANO) per_second = 1'000'000'000;
  const std::int64_t per_day = 86400 * per_second;
  const std::int64_t day = value / per_day - (value % per_day < 0 ? 1 : 0);
  const double seconds = static_cast<double>(value - day * per_day) / static_cast<double>(per_second);
  constexpr int kUnknownZone = 0;
  constexpr int kUtc = 100;
  // With a time zone, values count from 1970 in UTC, whatever the zone.
  set_date(feature, field, day, seconds, type.timezone().empty() ? kUnknownZone : kUtc);
}

void set_field(OGRFeature& feature, int field, const arrow::Array& array, std::int64_t row) {
  using arrow::Type;
  if (array.IsNull(row)) return feature.SetFieldNull(field);
  switch (array.type_id()) {
    case Type::BOOL:
      return feature.SetField(field, value_at<arrow::BooleanArray>(array, row) ? 1 : 0);
    case Type::INT8:
      return feature.SetField(field, static_cast<int>(value_at<arrow::Int8Array>(array, row)));
    case Type::INT16:
      return feature.SetField(field, static_cast<int>(value_at<arrow::Int16Array>(array, row)));
    case Type::INT32:
      return feature.SetField(field, static_cast<int>(value_at<arrow::Int32Array>(array, row)));
    case Type::UINT8:
      return feature.SetField(field, static_cast<int>(value_at<arrow::UInt8Array>(array, row)));
    case Type::UINT16:
      return feature.SetField(field, static_cast<int>(value_at<arrow::UInt16Array>(array, row)));
    case Type::UINT32:
      return feature.SetField(field, static_cast<GIntBig>(value_at<arrow::UInt32Array>(array, row)));
    case Type::INT64:
      return feature.SetField(field, static_cast<GIntBig>(value_at<arrow::Int64Array>(array, row)));
    case Type::FLOAT:
      return feature.SetField(field, static_cast<double>(value_at<arrow::FloatArray>(array, row)));
    case Type::DOUBLE:
      return feature.SetField(field, value_at<arrow::DoubleArray>(array, row));
    case Type::DATE32:
      return set_date(feature, field, value_at<arrow::Date32Array>(array, row), 0.0, 0);
    case Type::DATE64: {
      constexpr std::int64_t kDayMs = 86'400'000;
      return set_date(feature, field, value_at<arrow::Date64Array>(array, row) / kDayMs, 0.0, 0);
    }
    case Type::TIMESTAMP:
      return set_timestamp(feature, field, static_cast<const arrow::TimestampType&>(*array.type()),
                           value_at<arrow::TimestampArray>(array, row));
    case Type::DICTIONARY: {
      const auto& codes = static_cast<const arrow::DictionaryArray&>(array);
      return set_field(feature, field, *codes.dictionary(), codes.GetValueIndex(row));
    }
    case Type::EXTENSION:
      return set_field(feature, field, *static_cast<const arrow::ExtensionArray&>(array).storage(), row);
    default:
      return feature.SetField(field, text_of(array, row).c_str());
  }
}

std::pair<const void*, std::size_t> bytes_of(const arrow::Array& array, std::int64_t row) {
  if (array.type_id() == arrow::Type::EXTENSION)
    return bytes_of(*static_cast<const arrow::ExtensionArray&>(array).storage(), row);
  const auto view = array.type_id() == arrow::Type::LARGE_BINARY
                        ? static_cast<const arrow::LargeBinaryArray&>(array).GetView(row)
                        : static_cast<const arrow::BinaryArray&>(array).GetView(row);
  return {view.data(), view.size()};
}

/// The column with the polygons, as the "geo" metadata tells.
struct GeometryColumn {
  std::string name;  ///< empty = a table without geometry
  OGRwkbGeometryType type = wkbUnknown;
  std::string crs;  ///< as SetFromUserInput takes it; empty = not known
};

OGRwkbGeometryType geometry_type(const Json& column) {
  const Json types = column.value("geometry_types", column.value("geometry_type", Json::array()));
  OGRwkbGeometryType common = wkbUnknown;
  for (const Json& item : types.is_string() ? Json::array({types}) : types) {
    const OGRwkbGeometryType one = wkbFlatten(OGRFromOGCGeomType(item.get<std::string>().c_str()));
    if (common != wkbUnknown && one != common) return wkbUnknown;
    common = one;
  }
  return common;
}

std::string crs_text(const Json& column) {
  if (!column.contains("crs")) return "OGC:CRS84";
  const Json& crs = column.at("crs");
  if (crs.is_null()) return {};
  return crs.is_string() ? crs.get<std::string>() : crs.dump();
}

GeometryColumn geometry_of_metadata(const std::string& text) {
  const Json geo = Json::parse(text);
  GeometryColumn found;
  found.name = geo.at("primary_column").get<std::string>();
  const Json& column = geo.at("columns").at(found.name);
  const std::string encoding = column.value("encoding", "WKB");
  if (to_lower(encoding) != "wkb") {
    throw ArrowFailure(concat("geometry column ", quoted(found.name), " is encoded as ", encoding,
                              "; only WKB is read: write it again with encoding WKB"));
  }
  found.type = geometry_type(column);
  found.crs = crs_text(column);
  return found;
}

/// Parquet that says nothing about geometry may still hold it.
GeometryColumn guessed_geometry(const std::vector<std::shared_ptr<arrow::Field>>& columns) {
  for (const char* usual : {"geometry", "wkb_geometry", "geom"}) {
    for (const auto& column : columns) {
      if (to_lower(column->name()) == usual && holds_bytes(*column->type()))
        return {column->name(), wkbUnknown, {}};
    }
  }
  return {{}, wkbNone, {}};
}

std::unique_ptr<parquet::arrow::FileReader> open_reader(const std::string& path) {
  VSILFILE* file = VSIFOpenL(path.c_str(), "rb");
  if (file == nullptr) throw ArrowFailure("cannot open it");
  parquet::ReaderProperties properties = parquet::default_reader_properties();
  properties.enable_buffered_stream();  // pages, not whole row groups, in memory
  parquet::ArrowReaderProperties arrow_properties;
  arrow_properties.set_batch_size(kBatchRows);
  arrow_properties.set_pre_buffer(false);
  parquet::arrow::FileReaderBuilder builder;
  check(builder.Open(std::make_shared<VsiFile>(file), properties));
  builder.properties(arrow_properties);
  std::unique_ptr<parquet::arrow::FileReader> reader;
  check(builder.Build(&reader));
  return reader;
}

/// A template, because older versions of Arrow have the second form only.
template <class Reader>
std::shared_ptr<arrow::RecordBatchReader> batches_of(Reader& reader, const std::vector<int>& columns) {
  std::vector<int> groups(static_cast<std::size_t>(reader.num_row_groups()));
  std::iota(groups.begin(), groups.end(), 0);
  if constexpr (requires { reader.GetRecordBatchReader(groups, columns).ValueOrDie(); }) {
    return take(reader.GetRecordBatchReader(groups, columns));
  } else {
    std::shared_ptr<arrow::RecordBatchReader> batches;
    check(reader.GetRecordBatchReader(groups, columns, &batches));
    return batches;
  }
}

/// Feature definitions count their users.
struct ReleaseDefinition {
  void operator()(OGRFeatureDefn* definition) const { definition->Release(); }
};

class ParquetLayer final : public OGRLayer {
 public:
  /// @throws std::exception
  explicit ParquetLayer(std::string path)
      : m_path(std::move(path)),
        m_reader(open_reader(m_path)),
        m_definition(new OGRFeatureDefn(std::filesystem::path(m_path).stem().c_str())) {
    m_definition->Reference();
    SetDescription(m_definition->GetName());
    m_definition->SetGeomType(wkbNone);
    std::vector<const parquet::arrow::SchemaField*> columns;
    std::vector<std::shared_ptr<arrow::Field>> fields;
    for (const auto& column : m_reader->manifest().schema_fields) {
      columns.push_back(&column);
      fields.push_back(column.field);
    }
    const GeometryColumn geometry = geometry_column(fields);
    define_geometry(geometry);
    for (const auto* column : columns) define_column(*column, geometry.name);
    if (!geometry.name.empty() && !m_has_geometry)
      throw ArrowFailure(
          concat("it has no binary column ", quoted(geometry.name), ", which its metadata names"));
  }
  void ResetReading() override {
    m_batches.reset();
    m_batch.reset();
    m_row = 0;
    m_row_of_file = 0;
  }

  OGRFeature* GetNextFeature() override {
    return guarded<OGRFeature*>(m_path, nullptr, [&]() -> OGRFeature* {
      while (std::unique_ptr<OGRFeature> feature = next()) {
        if (m_poFilterGeom != nullptr && !FilterGeometry(feature->GetGeometryRef())) continue;
        if (m_poAttrQuery != nullptr && !m_poAttrQuery->Evaluate(feature.get())) continue;
        return feature.release();
      }
      return nullptr;
    });
  }

  FURROW_GDAL_CONST OGRFeatureDefn* GetLayerDefn() FURROW_GDAL_CONST override { return m_definition.get(); }

  GIntBig GetFeatureCount(int force) override {
    if (m_poFilterGeom != nullptr || m_poAttrQuery != nullptr) return OGRLayer::GetFeatureCount(force);
    return m_reader->parquet_reader()->metadata()->num_rows();
  }

  int TestCapability(const char* capability) FURROW_GDAL_CONST override {
    const bool is_unfiltered = m_poFilterGeom == nullptr && m_poAttrQuery == nullptr;
    return (EQUAL(capability, OLCFastFeatureCount) && is_unfiltered) || EQUAL(capability, OLCStringsAsUTF8)
               ? TRUE
               : FALSE;
  }

 private:
  [[nodiscard]] GeometryColumn geometry_column(
      const std::vector<std::shared_ptr<arrow::Field>>& fields) const {
    const auto metadata = m_reader->parquet_reader()->metadata()->key_value_metadata();
    if (!metadata || metadata->FindKey("geo") < 0) return guessed_geometry(fields);
    try {
      return geometry_of_metadata(take(metadata->Get("geo")));
    } catch (const Json::exception& e) {
      throw ArrowFailure(concat("its 'geo' metadata is damaged: ", e.what()));
    }
  }

  void define_geometry(const GeometryColumn& geometry) {
    if (geometry.name.empty()) return;
    m_definition->SetGeomType(geometry.type);
    OGRGeomFieldDefn& field = *m_definition->GetGeomFieldDefn(0);
    field.SetName(geometry.name.c_str());
    if (geometry.crs.empty()) return;
    auto* srs = new OGRSpatialReference();
    srs->SetAxisMappingStrategy(OAMS_TRADITIONAL_GIS_ORDER);
    const GdalErrorScope errors;
    const bool known = srs->SetFromUserInput(geometry.crs.c_str()) == OGRERR_NONE;
    if (known) field.SetSpatialRef(srs);
    srs->Release();
    if (!known) {
      log_warning(
          concat(quoted(m_path), ": the CRS of column ", quoted(geometry.name), " is not understood"));
    }
  }

  void define_column(const parquet::arrow::SchemaField& column, const std::string& geometry) {
    const std::string& name = column.field->name();
    const auto& type = *column.field->type();
    if (!m_has_geometry && name == geometry && column.is_leaf() && holds_bytes(type)) {
      m_has_geometry = true;
      m_columns.push_back(column.column_index);
      m_fields.push_back(kGeometry);
      return;
    }
    const auto kind = column.is_leaf() ? field_kind(type) : std::nullopt;
    if (!kind) {
      log_debug(concat(quoted(m_path), ": column ", quoted(name), " (", type.ToString(),
                       ") is nested or binary and is left out"));
      return;
    }
    OGRFieldDefn field(name.c_str(), kind->type);
    field.SetSubType(kind->subtype);
    m_fields.push_back(m_definition->GetFieldCount());
    m_definition->AddFieldDefn(&field);
    m_columns.push_back(column.column_index);
  }

  /// The next row, or null at the end.
  std::unique_ptr<OGRFeature> next() {
    if (!m_batches) m_batches = batches_of(*m_reader, m_columns);
    while (!m_batch || m_row == m_batch->num_rows()) {
      m_batch = take(m_batches->Next());
      m_row = 0;
      if (!m_batch) return nullptr;
    }
    auto feature = std::make_unique<OGRFeature>(m_definition.get());
    feature->SetFID(m_row_of_file++);
    for (std::size_t i = 0; i < m_fields.size(); ++i) {
      const arrow::Array& array = *m_batch->column(static_cast<int>(i));
      if (m_fields[i] == kGeometry) {
        set_geometry(*feature, array);
      } else {
        set_field(*feature, m_fields[i], array, m_row);
      }
    }
    ++m_row;
    return feature;
  }

  void set_geometry(OGRFeature& feature, const arrow::Array& array) {
    if (array.IsNull(m_row)) return;
    const auto [data, size] = bytes_of(array, m_row);
    if (size == 0) return;
    OGRGeometry* geometry = nullptr;
    auto* srs = m_definition->GetGeomFieldDefn(0)->GetSpatialRef();
    if (OGRGeometryFactory::createFromWkb(data, srs, &geometry, size) != OGRERR_NONE)
      throw ArrowFailure(concat("the geometry of row ", feature.GetFID(), " is no WKB"));
    feature.SetGeometryDirectly(geometry);
  }

  static constexpr int kGeometry = -1;

  std::string m_path;
  std::unique_ptr<parquet::arrow::FileReader> m_reader;
  std::unique_ptr<OGRFeatureDefn, ReleaseDefinition> m_definition;
  bool m_has_geometry = false;
  std::vector<int> m_columns;  ///< Parquet columns that are read
  std::vector<int> m_fields;   ///< the OGR field of each, or kGeometry
  std::shared_ptr<arrow::RecordBatchReader> m_batches;
  std::shared_ptr<arrow::RecordBatch> m_batch;
  std::int64_t m_row = 0;  ///< in the batch
  std::int64_t m_row_of_file = 0;
};

class ParquetDataset final : public GDALDataset {
 public:
  explicit ParquetDataset(const std::string& path) : m_layer(path) {}
  int GetLayerCount() FURROW_GDAL_CONST override { return 1; }
  FURROW_GDAL_CONST OGRLayer* GetLayer(int index) FURROW_GDAL_CONST override {
    return index == 0 ? &m_layer : nullptr;
  }

 private:
  ParquetLayer m_layer;
};

int identify(GDALOpenInfo* info) {
  return info->nHeaderBytes >= 4 &&
                 std::string_view(reinterpret_cast<const char*>(info->pabyHeader), 4) == "PAR1"
             ? TRUE
             : FALSE;
}

GDALDataset* open(GDALOpenInfo* info) {
  if (identify(info) == FALSE || info->eAccess == GA_Update) return nullptr;
  const std::string path = info->pszFilename;
  return guarded<GDALDataset*>(path, nullptr, [&] { return new ParquetDataset(path); });
}

}  // namespace

void register_parquet_driver() {
  if (GDALGetDriverByName("Parquet") != nullptr) return;
  auto* driver = new GDALDriver();
  driver->SetDescription("Parquet");
  driver->SetMetadataItem(GDAL_DCAP_VECTOR, "YES");
  driver->SetMetadataItem(GDAL_DCAP_VIRTUALIO, "YES");
  driver->SetMetadataItem(GDAL_DMD_LONGNAME, "Parquet (Furrow, by Apache Arrow)");
  driver->SetMetadataItem(GDAL_DMD_EXTENSIONS, "parquet geoparquet");
  driver->pfnIdentify = identify;
  driver->pfnOpen = open;
  GetGDALDriverManager()->RegisterDriver(driver);
}

}  // namespace furrow::geo
