#include <furrow/assessment/fiboa.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <furrow/assessment/analyst_layer.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/crs/crs.h>
#include <furrow/geo/vector/layer_writer.h>

#include "column_guide.h"
#include "iso_date.h"

namespace furrow::assessment {
namespace {

using geo::concat;
using geo::FieldType;
using nlohmann::json;

constexpr double kLargestArea = 1e9;  // m2, schema of geometry-metrics 0.1.0
constexpr double kLargestPerimeter = 1.25e9;

/// Attributes of the input that the collection says in its own words.
bool is_replaced(const std::string& name) {
  constexpr std::array kReplaced{"id",
                                 "area_ha",
                                 "perimeter_m",
                                 "image_date",
                                 "metrics:area",
                                 "metrics:perimeter",
                                 "schemas",
                                 "schemas:custom",
                                 "determination:method",
                                 "collection",
                                 "determination:details",
                                 "determination:datetime",
                                 "type",
                                 "features",
                                 "geometry",
                                 "bbox",
                                 "license",
                                 "provider"};
  return std::ranges::find(kReplaced, geo::to_lower(name)) != kReplaced.end();
}

constexpr const char* kPrefix = "quality:";

/// Whether it is one that `quality` or `delineate` computes; none of them is negative.
bool is_ours(const geo::FieldDefinition& field) {
  return field.name.starts_with(kPrefix);
}

const char* schema_type(FieldType type) {
  switch (type) {
    case FieldType::kInteger:
      return "int64";
    case FieldType::kReal:
      return "double";
    case FieldType::kBoolean:
      return "boolean";
    case FieldType::kDate:
      return "date";
    case FieldType::kDateTime:
      return "date-time";
    case FieldType::kString:
      break;
  }
  return "string";
}

/// Ids that differ, from the layer's own where it has them.
std::vector<std::string> feature_ids(const geo::Layer& fields) {
  const int column = fields.find_field("id");
  std::vector<std::string> ids;
  std::set<std::string> taken;
  std::int64_t repeated = 0;
  for (std::size_t i = 0; i < fields.features.size(); ++i) {
    const geo::Feature& feature = fields.features[i];
    std::string id = column < 0 ? "" : geo::as_text(feature.values[static_cast<std::size_t>(column)]);
    if (id.empty()) id = concat(feature.fid >= 0 ? feature.fid : static_cast<std::int64_t>(i) + 1);
    std::string unique = id;
    for (int n = 2; !taken.insert(unique).second; ++n) unique = concat(id, '-', n);
    repeated += unique == id ? 0 : 1;
    ids.push_back(std::move(unique));
  }
  if (repeated > 0) {
    geo::log_warning(concat(repeated, " fields of layer ", geo::quoted(fields.name),
                            " have the id of another one; they get a number behind it"));
  }
  return ids;
}

std::string day_start(const std::string& date) {
  return date.empty() ? "" : date + "T00:00:00Z";
}

/// The day of each feature's image, from the options or the attribute.
class ImageDates {
 public:
  ImageDates(const geo::Layer& fields, const FiboaOptions& options)
      : m_column(fields.find_field("image_date")) {
    if (options.image_date.empty()) return;
    m_all = day_start(iso_date(options.image_date));
    if (m_all.empty()) {
      throw geo::InvalidArgument(
          concat("--image-date ", geo::quoted(options.image_date), " is not a date; write YYYY-MM-DD"));
    }
  }
  /// For all features; empty when each has its own, or none.
  [[nodiscard]] const std::string& all() const { return m_all; }
  [[nodiscard]] std::string of(const geo::Feature& feature) const {
    if (m_column < 0 || !m_all.empty()) return {};
    return day_start(iso_date(geo::as_text(feature.values[static_cast<std::size_t>(m_column)])));
  }

 private:
  int m_column;
  std::string m_all;
};

geo::Value within(double value, double largest) {
  const double rounded = std::round(value * 100.0) / 100.0;
  return rounded > 0.0 && rounded <= largest ? geo::Value{rounded} : geo::Value{};
}

/// The attributes that are kept, by their new names.
std::map<std::size_t, geo::FieldDefinition> kept_attributes(const geo::Layer& fields) {
  std::map<std::size_t, geo::FieldDefinition> kept;
  for (std::size_t i = 0; i < fields.fields.size(); ++i) {
    geo::FieldDefinition field = fields.fields[i];
    if (is_replaced(field.name)) continue;
    if (is_known_column(field.name, AnalystLayer::kFields)) field.name.insert(0, kPrefix);
    kept.emplace(i, std::move(field));
  }
  return kept;
}

json collection_members(const std::map<std::size_t, geo::FieldDefinition>& kept, const std::string& datetime,
                        const FiboaOptions& options) {
  json custom = json::object();
  for (const auto& [index, field] : kept) {
    custom[field.name] = {{"type", schema_type(field.type)}};
    // Without a minimum of their own, Vecorel's JSON schema of floating-point numbers excludes zero and
    // below.
    if (field.type == FieldType::kReal)
      custom[field.name]["minimum"] = is_ours(field) ? 0.0 : std::numeric_limits<double>::lowest();
    if (!field.description.empty()) custom[field.name]["description"] = field.description;
  }
  json members{{"type", "FeatureCollection"},
               {"schemas",
                {{options.collection,
                  {"https://vecorel.org/specification/v0.1.0/schema.yaml",
                   "https://fiboa.org/specification/v0.3.0/schema.yaml",
                   "https://vecorel.org/geometry-metrics-extension/v0.1.0/schema.yaml"}}}},
               {"determination:method", options.method}};
  if (!custom.empty()) members["schemas:custom"] = {{"properties", std::move(custom)}};
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) members[name] = value;
  };
  add("determination:datetime", datetime);
  add("determination:details", options.details);
  add("license", options.license);
  add("provider", options.provider);
  return members;
}

}  // namespace

FiboaCollection to_fiboa(geo::Layer fields, const FiboaOptions& options) {
  if (options.collection.empty()) throw geo::InvalidArgument("a fiboa collection needs a name");
  const std::size_t before = fields.features.size();
  std::erase_if(fields.features, [](const geo::Feature& f) { return f.geometry.empty(); });
  if (fields.features.size() < before) {
    geo::log_warning(concat(before - fields.features.size(), " features of layer ", geo::quoted(fields.name),
                            " have no polygon and are left out"));
  }
  describe_columns(fields, AnalystLayer::kFields);
  const auto kept = kept_attributes(fields);
  const ImageDates dates(fields, options);
  const auto ids = feature_ids(fields);
  FiboaCollection out;
  out.members = collection_members(kept, dates.all(), options).dump();
  out.layer.name = options.collection;
  out.layer.source = fields.source;
  out.layer.crs = fields.crs;
  // The specification lets `collection` be said once for all; its own validator does not.
  out.layer.fields = {{"id", FieldType::kString, ""},
                      {"collection", FieldType::kString, ""},
                      {"metrics:area", FieldType::kReal, ""},
                      {"metrics:perimeter", FieldType::kReal, ""},
                      {"determination:datetime", FieldType::kString, ""}};
  for (const auto& [index, field] : kept) out.layer.fields.push_back(field);
  const geo::GeodesicMeasure measure(fields.crs);
  for (std::size_t i = 0; i < fields.features.size(); ++i) {
    geo::Feature& feature = fields.features[i];
    const std::string datetime = dates.of(feature);
    geo::Feature row{feature.fid, {}, {ids[i], options.collection}};
    row.values.push_back(within(measure.area_m2(feature.geometry), kLargestArea));
    row.values.push_back(within(measure.perimeter_m(feature.geometry), kLargestPerimeter));
    row.values.push_back(datetime.empty() ? geo::Value{} : geo::Value{datetime});
    for (const auto& [index, field] : kept) row.values.push_back(std::move(feature.values[index]));
    row.geometry = std::move(feature.geometry);
    out.layer.features.push_back(std::move(row));
  }
  return out;
}

void write_fiboa(geo::Layer fields, const std::filesystem::path& path, const FiboaOptions& options,
                 bool overwrite) {
  FiboaCollection collection = to_fiboa(std::move(fields), options);
  geo::write_geojson(std::move(collection.layer), path, overwrite, {"id", collection.members});
}

}  // namespace furrow::assessment
