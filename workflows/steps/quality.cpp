#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <furrow/assessment/field_quality.h>
#include <furrow/assessment/map_package.h>
#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/layer.h>
#include <furrow/workflow/step.h>

#include "vector_options.h"

namespace furrow::workflow {
namespace {

/// A table without geometry from a CSV file: columns of numbers stay numbers.
geo::Layer table_from_csv(const std::string& path, const std::string& name) {
  const geo::CsvTable csv = geo::read_csv(path);
  geo::Layer table;
  table.name = name;
  table.source = path;
  for (std::size_t c = 0; c < csv.columns.size(); ++c) {
    bool numeric = true;
    double number = 0.0;
    for (const auto& row : csv.rows)
      numeric = numeric && (geo::is_missing(row[c]) || geo::parse_number(row[c], number));
    table.fields.push_back({csv.columns[c], numeric ? geo::FieldType::kReal : geo::FieldType::kString, ""});
  }
  for (const auto& row : csv.rows) {
    geo::Feature feature;
    for (std::size_t c = 0; c < row.size(); ++c) {
      double number = 0.0;
      if (geo::is_missing(row[c])) {
        feature.values.emplace_back();
      } else if (table.fields[c].type == geo::FieldType::kReal && geo::parse_number(row[c], number)) {
        feature.values.emplace_back(number);
      } else {
        feature.values.emplace_back(row[c]);
      }
    }
    table.features.push_back(std::move(feature));
  }
  return table;
}

class Quality : public Step {
 public:
  StepInfo info() const override {
    return {"quality",
            "Say for every field how far to trust it, and write the GeoPackage for analysts",
            "Reads any polygon layer and the score raster that it was made from (or any other), and adds to "
            "every field its size, "
            "shape, mean and least field score, boundary strength along the outline, entropy, label risk, "
            "the weakest edge it "
            "shares with a neighbour, and a confidence from 0 to 100. The output is one GeoPackage with QGIS "
            "styles inside: layer "
            "fields, run_info, and sites, review_queue, consensus_fields, labellers and tiles when they are "
            "given.\n\n"
            "A field's pixels are those whose centre lies in it. The confidence orders fields; it is not a "
            "probability.",
            {{"Fields with scores and label risk",
              "furrow quality fields.gpkg --scores scores.tif --risk risk.tif --out map.gpkg"}}};
  }

  void declare(OptionTable& t) override {
    t.add("fields", &m_fields).positional().required().input("vector layer").help("Field polygons");
    m_vector.declare(t, "fields");
    t.add("scores", &m_options.scores)
        .required()
        .input("raster")
        .help("Score raster: background, interior, boundary");
    t.add("entropy", &m_options.entropy)
        .input("raster")
        .help("Entropy raster; without it entropy comes from the scores");
    t.add("risk", &m_options.risk).input("raster").help("Label risk raster, as consensus writes it");
    t.add("scores-crs", &m_scores_crs).help("CRS of the rasters whatever they say, for example EPSG:32632");
    t.add("scale", &m_options.scale)
        .at_least(0.0)
        .help("Score = stored value x scale; 0 takes it from the raster");
    t.add("image-date", &m_options.image_date)
        .help("Date of the image, YYYY-MM-DD; default: from the score raster");
    t.add("sites", &m_sites)
        .input("vector layer")
        .group("Also into the GeoPackage")
        .help("Sites with label risk, and layers review_queue and consensus_fields where the file has them");
    t.add("sites-crs", &m_sites_crs)
        .group("Also into the GeoPackage")
        .help("CRS of the sites whatever the file says");
    t.add("labellers", &m_labellers)
        .input("table")
        .group("Also into the GeoPackage")
        .help("Table of labellers (CSV)");
    t.add("tiles", &m_tiles)
        .input("vector layer")
        .group("Also into the GeoPackage")
        .help("Footprints of the images or tiles that the map was made from, as 'tile' writes them");
    t.add("tiles-crs", &m_tiles_crs)
        .group("Also into the GeoPackage")
        .help("CRS of the tiles whatever the file says");
    t.add("out", &m_out).required().output("GeoPackage").short_name('o').help("GeoPackage to write");
  }

  void run(StepContext& context) override {
    assessment::MapPackage package;
    geo::LayerReadOptions read = m_vector.read_options("--fields-crs", false);
    read.usual_layer = "fields";  // beside which 'delineate' may write rejects
    package.fields = geo::read_layer(m_fields, read);
    if (!m_sites.empty()) {
      package.sites = read_sites("sites");
      package.review_queue = read_beside_sites("review_queue");
      package.consensus_fields = read_beside_sites("consensus_fields");
    }
    if (!m_scores_crs.empty()) m_options.scores_crs = geo::Crs::from_user_input(m_scores_crs);
    if (!m_tiles.empty()) package.tiles = read_tiles();
    if (!m_labellers.empty()) package.labellers = table_from_csv(m_labellers, "labellers");
    if (!package.fields.features.empty())
      assessment::add_field_quality(package.fields, m_options, context.exec());
    package.run_info = run_info();
    assessment::write_map_package(package, m_out, context.overwrite());
    context.record("fields", static_cast<std::int64_t>(package.fields.features.size()));
  }

 private:
  [[nodiscard]] geo::Layer read_tiles() const {
    VectorOptions tiles;
    tiles.crs = m_tiles_crs;
    geo::LayerReadOptions read = tiles.read_options("--tiles-crs");
    read.usual_layer = "chips";
    return geo::read_layer(m_tiles, read);
  }

  /// The inputs by their names: whoever opens the map does not have our folders.
  [[nodiscard]] std::map<std::string, std::string> run_info() const {
    std::map<std::string, std::string> entries;
    const auto add = [&](const char* key, const std::string& path) {
      if (!path.empty()) entries[key] = std::filesystem::path(path).filename().string();
    };
    add("fields", m_fields);
    add("scores", m_options.scores);
    add("entropy", m_options.entropy);
    add("risk", m_options.risk);
    add("sites", m_sites);
    add("labellers", m_labellers);
    add("tiles", m_tiles);
    return entries;
  }

  [[nodiscard]] geo::Layer read_sites(const std::string& layer) const {
    VectorOptions sites = m_vector;
    sites.layer.clear();
    sites.crs = m_sites_crs;
    geo::LayerReadOptions read = sites.read_options("--sites-crs");
    read.usual_layer = layer;
    return geo::read_layer(m_sites, read);
  }

  /// The other layers that 'consensus' writes beside the sites; an empty one is left out.
  [[nodiscard]] std::optional<geo::Layer> read_beside_sites(const std::string& name) const {
    const auto layers = geo::list_layers(m_sites);
    const bool there = std::ranges::any_of(
        layers, [&](const geo::LayerInfo& layer) { return layer.name == name && layer.features > 0; });
    if (!there) return std::nullopt;
    return read_sites(name);
  }

  std::string m_fields;
  VectorOptions m_vector;
  assessment::QualityOptions m_options;
  std::string m_scores_crs;
  std::string m_sites;
  std::string m_sites_crs;
  std::string m_labellers;
  std::string m_tiles;
  std::string m_tiles_crs;
  std::string m_out;
};

}  // namespace

std::unique_ptr<Step> make_quality() {
  return std::make_unique<Quality>();
}

}  // namespace furrow::workflow
