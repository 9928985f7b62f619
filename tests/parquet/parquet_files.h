#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/type.h>

/// Parquet files for tests, written by Apache Arrow as geopandas and pyarrow write them.
namespace furrow::test {

using Column = std::pair<std::string, std::shared_ptr<arrow::Array>>;

/// An array of a type with a builder; nullopt = null.
template <class Builder, class T>
std::shared_ptr<arrow::Array> array_of(Builder& builder, const std::vector<std::optional<T>>& values) {
  for (const auto& value : values) (void)(value ? builder.Append(*value) : builder.AppendNull());
  return builder.Finish().ValueOrDie();
}

/// The same with a builder that needs no type.
template <class Builder, class T>
std::shared_ptr<arrow::Array> array_of(const std::vector<std::optional<T>>& values) {
  Builder builder;
  return array_of(builder, values);
}

[[nodiscard]] std::shared_ptr<arrow::Array> texts(const std::vector<std::optional<std::string>>& values);

/// WKB of geometries in WKT; "" = null.
[[nodiscard]] std::shared_ptr<arrow::Array> geometries(const std::vector<std::string>& wkts);

/// "geo" metadata of a column "geometry" in WKB. @param members  more of the column's members, such as
/// R"("crs": null)"; empty = none
[[nodiscard]] std::string geo_metadata(const std::string& members = "");

/// @param geo  value of the key "geo"; empty = no such key
void write_parquet(const std::filesystem::path& path, const std::vector<Column>& columns,
                   const std::string& geo, std::int64_t rows_per_group = 1 << 20);

}  // namespace furrow::test
