#include <furrow/assessment/map_package.h>

#include <utility>

#include <furrow/geo/core/version.h>
#include <furrow/geo/vector/layer_writer.h>

#include "styles.h"

namespace furrow::assessment {
namespace {

// Colour-blind-safe ramps: weak fields in dark red, good ones in blue.
constexpr Rgb kBad{165, 0, 38};
constexpr Rgb kPoor{244, 109, 67};
constexpr Rgb kFair{254, 224, 144};
constexpr Rgb kGood{116, 173, 209};
constexpr Rgb kBest{49, 54, 149};

std::vector<geo::LayerStyle> field_styles() {
  return {{"Confidence",
           graduated_style("confidence", {{-1, 40, "0 to 40", kBad},
                                          {40, 55, "40 to 55", kPoor},
                                          {55, 69, "55 to 69", kFair},
                                          {69, 85, "69 to 85", kGood},
                                          {85, 100, "85 to 100", kBest}}),
           true},
          {"Field size",
           graduated_style("area_ha", {{0, 0.5, "under 0.5 ha", {255, 255, 204}},
                                       {0.5, 2, "0.5 to 2 ha", {194, 230, 153}},
                                       {2, 5, "2 to 5 ha", {120, 198, 121}},
                                       {5, 20, "5 to 20 ha", {49, 163, 84}},
                                       {20, 1e9, "over 20 ha", {0, 104, 55}}}),
           false},
          {"Outlines", outline_style({255, 235, 60}), false}};
}

std::vector<geo::LayerStyle> site_styles() {
  return {{"Label risk",
           graduated_style("Risk", {{-1, 0.05, "under 0.05", kBest},
                                    {0.05, 0.1, "0.05 to 0.10", kGood},
                                    {0.1, 0.2, "0.10 to 0.20", kFair},
                                    {0.2, 0.3, "0.20 to 0.30", kPoor},
                                    {0.3, 1, "over 0.30", kBad}}),
           true}};
}

std::vector<geo::LayerStyle> review_styles() {
  return {{"Rank",
           graduated_style("rank", {{0, 10, "first 10", kBad},
                                    {10, 50, "11 to 50", kPoor},
                                    {50, 200, "51 to 200", kFair},
                                    {200, 1e9, "later", kGood}}),
           true}};
}

std::vector<geo::LayerStyle> consensus_field_styles() {
  return {{"Probability that the field exists",
           graduated_style("p_exists", {{-1, 0.25, "under 0.25", kBad},
                                        {0.25, 0.5, "0.25 to 0.50", kPoor},
                                        {0.5, 0.75, "0.50 to 0.75", kFair},
                                        {0.75, 0.9, "0.75 to 0.90", kGood},
                                        {0.9, 1, "over 0.90", kBest}}),
           true}};
}

/// Adds a layer under its name in the package.
void add_layer(const std::optional<geo::Layer>& layer, const char* name, const char* description,
               bool multi_polygon, std::vector<geo::LayerStyle> styles,
               std::vector<geo::PackagedLayer>& layers) {
  if (!layer) return;
  layers.push_back({*layer, description, multi_polygon, std::move(styles)});
  layers.back().layer.name = name;
}

geo::Layer run_info_table(const std::map<std::string, std::string>& entries) {
  std::map<std::string, std::string> all = entries;
  all["furrow_version"] = geo::furrow_version();
  for (const auto& library : geo::library_versions()) all[library.name + "_version"] = library.version;
  all["created"] = geo::utc_timestamp();
  geo::Layer table;
  table.name = "run_info";
  table.fields = {{"key", geo::FieldType::kString, ""}, {"value", geo::FieldType::kString, ""}};
  for (const auto& [key, value] : all) table.features.push_back({-1, {}, {key, value}});
  return table;
}

}  // namespace

void write_map_package(const MapPackage& package, const std::filesystem::path& path, bool overwrite) {
  std::vector<geo::PackagedLayer> layers;
  geo::PackagedLayer fields{
      package.fields, "Agricultural fields with quality attributes; area in hectares, lengths in metres",
      false, field_styles()};
  fields.layer.name = "fields";
  layers.push_back(std::move(fields));
  add_layer(package.sites, "sites", "Sites that labellers mapped, with label risk", false, site_styles(),
            layers);
  add_layer(package.review_queue, "review_queue", "Sites to map again, the most expected gain per cost first",
            true, review_styles(), layers);
  add_layer(package.consensus_fields, "consensus_fields",
            "Fields that the labellers mean, with the probability that each exists", true,
            consensus_field_styles(), layers);
  add_layer(package.labellers, "labellers", "Labellers with mean scores and skills", false, {}, layers);
  layers.push_back({run_info_table(package.run_info), "How this file was made", false, {}});
  geo::write_geopackage(layers, path, overwrite);
}

}  // namespace furrow::assessment
