#include <furrow/assessment/map_package.h>

#include <utility>

#include <furrow/assessment/analyst_layer.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/core/version.h>
#include <furrow/geo/vector/layer_writer.h>

namespace furrow::assessment {
namespace {

/// Adds a layer under its usual name.
void add_layer(const std::optional<geo::Layer>& layer, AnalystLayer kind,
               std::vector<geo::PackagedLayer>& layers) {
  if (!layer) return;
  geo::Layer unnamed = *layer;
  unnamed.name.clear();
  layers.push_back(for_analysts(std::move(unnamed), kind));
}

geo::Layer run_info_table(const std::map<std::string, std::string>& entries) {
  std::map<std::string, std::string> all = entries;
  all["furrow_version"] = geo::furrow_version();
  for (const auto& library : geo::library_versions()) all[library.name + "_version"] = library.version;
  all["created"] = geo::utc_timestamp();
  geo::Layer table;
  table.fields = {{"key", geo::FieldType::kString, ""}, {"value", geo::FieldType::kString, ""}};
  for (const auto& [key, value] : all) table.features.push_back({-1, {}, {key, value}});
  return table;
}

std::map<std::string, std::string> file_metadata(const MapPackage& package) {
  return {{"TITLE", "Agricultural fields with quality attributes"},
          {"ABSTRACT", "Layer fields first; run_info says how the file was made. Styles for QGIS inside."},
          {"SOFTWARE", geo::concat("furrow ", geo::furrow_version())},
          {"CREATED", geo::utc_timestamp()},
          {"FIELDS", geo::concat(package.fields.features.size())}};
}

}  // namespace

void write_map_package(const MapPackage& package, const std::filesystem::path& path, bool overwrite) {
  std::vector<geo::PackagedLayer> layers;
  add_layer(package.fields, AnalystLayer::kFields, layers);
  add_layer(package.sites, AnalystLayer::kSites, layers);
  add_layer(package.review_queue, AnalystLayer::kReviewQueue, layers);
  add_layer(package.consensus_fields, AnalystLayer::kConsensusFields, layers);
  add_layer(package.tiles, AnalystLayer::kTiles, layers);
  add_layer(package.labellers, AnalystLayer::kLabellers, layers);
  add_layer(run_info_table(package.run_info), AnalystLayer::kRunInfo, layers);
  geo::write_geopackage(std::move(layers), path, overwrite, file_metadata(package));
}

}  // namespace furrow::assessment
