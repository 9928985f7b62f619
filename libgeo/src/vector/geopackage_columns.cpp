#include "geopackage_columns.h"

#include <algorithm>
#include <set>

#include <furrow/geo/core/text.h>

#include "geopackage_index.h"

namespace furrow::geo {
namespace {

bool says_something(const FieldDefinition& field) {
  return !field.alias.empty() || !field.description.empty() || !field.codes.empty();
}

std::string text_or_null(const std::string& text) {
  return text.empty() ? "NULL" : sql_quoted(text, '\'');
}

/// Fields of a layer may share a title, but not what the table calls their `name`; it may be missing.
std::string short_name(const FieldDefinition& field, std::set<std::string>& taken) {
  for (const std::string& name : {field.alias, field.name}) {
    if (!name.empty() && taken.insert(name).second) return name;
  }
  return {};
}

std::vector<std::string> create_tables() {
  std::vector<std::string> sql{
      kCreateGpkgExtensions,
      "CREATE TABLE IF NOT EXISTS gpkg_data_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL, "
      "name TEXT, title TEXT, description TEXT, mime_type TEXT, constraint_name TEXT, "
      "CONSTRAINT pk_gdc PRIMARY KEY (table_name, column_name), "
      "CONSTRAINT gdc_tn UNIQUE (table_name, name))",
      "CREATE TABLE IF NOT EXISTS gpkg_data_column_constraints (constraint_name TEXT NOT NULL, "
      "constraint_type TEXT NOT NULL, value TEXT, min NUMERIC, min_is_inclusive BOOLEAN, max NUMERIC, "
      "max_is_inclusive BOOLEAN, description TEXT, "
      "CONSTRAINT gdcc_ntv UNIQUE (constraint_name, constraint_type, value))"};
  for (const char* table : {"gpkg_data_columns", "gpkg_data_column_constraints"}) {
    sql.push_back(concat("INSERT OR IGNORE INTO gpkg_extensions VALUES ('", table, "', NULL, 'gpkg_schema', ",
                         "'http://www.geopackage.org/spec121/#extension_schema', 'read-write')"));
  }
  return sql;
}

}  // namespace

std::vector<std::string> column_guide_sql(const std::vector<PackagedLayer>& layers) {
  const bool any = std::ranges::any_of(
      layers, [](const PackagedLayer& l) { return std::ranges::any_of(l.layer.fields, says_something); });
  if (!any) return {};
  std::vector<std::string> sql = create_tables();
  for (const auto& packaged : layers) {
    const std::string& table = packaged.layer.name;
    std::set<std::string> names;
    for (const auto& field : packaged.layer.fields) {
      if (!says_something(field)) continue;
      const std::string constraint = field.codes.empty() ? "" : concat(table, '_', field.name);
      const std::string name = short_name(field, names);
      sql.push_back(
          concat("INSERT INTO gpkg_data_columns (table_name, column_name, name, title, description, "
                 "constraint_name) "
                 "VALUES (",
                 text_or_null(table), ", ", text_or_null(field.name), ", ", text_or_null(name), ", ",
                 text_or_null(field.alias), ", ", text_or_null(field.description), ", ",
                 text_or_null(constraint), ")"));
      for (const FieldCode& code : field.codes) {
        sql.push_back(
            concat("INSERT INTO gpkg_data_column_constraints (constraint_name, constraint_type, value, ",
                   "description) VALUES (", text_or_null(constraint), ", 'enum', ",
                   sql_quoted(code.value, '\''), ", ", text_or_null(code.meaning), ")"));
      }
    }
  }
  return sql;
}

}  // namespace furrow::geo
