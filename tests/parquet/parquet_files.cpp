#include "parquet_files.h"

#include <arrow/io/file.h>
#include <arrow/table.h>
#include <arrow/util/key_value_metadata.h>
#include <ogr_geometry.h>
#include <parquet/arrow/writer.h>

namespace furrow::test {

std::shared_ptr<arrow::Array> texts(const std::vector<std::optional<std::string>>& values) {
  return array_of<arrow::StringBuilder>(values);
}

std::shared_ptr<arrow::Array> geometries(const std::vector<std::string>& wkts) {
  std::vector<std::optional<std::string>> wkbs;
  for (const std::string& wkt : wkts) {
    wkbs.emplace_back();
    OGRGeometry* geometry = nullptr;
    if (wkt.empty() || OGRGeometryFactory::createFromWkt(wkt.c_str(), nullptr, &geometry) != OGRERR_NONE)
      continue;
    std::vector<unsigned char> bytes(geometry->WkbSize());
    (void)geometry->exportToWkb(wkbNDR, bytes.data(), wkbVariantIso);
    delete geometry;
    wkbs.back() = std::string(bytes.begin(), bytes.end());
  }
  return array_of<arrow::BinaryBuilder>(wkbs);
}

std::string geo_metadata(const std::string& members) {
  return R"({"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB",)"
         R"("geometry_types": ["Polygon"])" +
         (members.empty() ? "" : ", " + members) + "}}}";
}

void write_parquet(const std::filesystem::path& path, const std::vector<Column>& columns,
                   const std::string& geo, std::int64_t rows_per_group) {
  std::filesystem::create_directories(path.parent_path());
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const auto& [name, array] : columns) {
    fields.push_back(arrow::field(name, array->type()));
    arrays.push_back(array);
  }
  const auto metadata = geo.empty() ? nullptr : arrow::key_value_metadata({"geo"}, {geo});
  const auto table = arrow::Table::Make(arrow::schema(fields, metadata), arrays);
  const auto file = arrow::io::FileOutputStream::Open(path.string()).ValueOrDie();
  // The Arrow schema in the file keeps dictionaries, time zones and large types as they are.
  const auto properties = parquet::ArrowWriterProperties::Builder().store_schema()->build();
  const auto status = parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), file, rows_per_group,
                                                 parquet::default_writer_properties(), properties);
  if (!status.ok()) throw std::runtime_error(status.ToString());
  if (!file->Close().ok()) throw std::runtime_error("cannot close " + path.string());
}

}  // namespace furrow::test
