#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <furrow/assessment/confidence_calibration.h>
#include <furrow/assessment/field_quality.h>
#include <furrow/assessment/map_package.h>
#include <furrow/assessment/zonal_statistics.h>
#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/layer.h>
#include <furrow/segmentation/model_spec.h>
#include <furrow/workflow/step.h>

#include "json_number.h"
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

using Json = nlohmann::ordered_json;

Json reliability_json(const std::optional<assessment::Reliability>& r) {
  if (!r) return nullptr;
  Json bins = Json::array();
  for (const assessment::ReliabilityBin& bin : r->bins) {
    bins.push_back({{"predicted", bin.predicted},
                    {"observed", bin.observed},
                    {"observed_low", number(bin.observed_range.low)},
                    {"observed_high", number(bin.observed_range.high)},
                    {"fields", bin.fields}});
  }
  return {{"fields", r->fields},
          {"matched", r->matched},
          {"blocks", r->blocks},
          {"brier", r->brier},
          {"brier_low", number(r->brier_range.low)},
          {"brier_high", number(r->brier_range.high)},
          {"base_brier", r->base_brier},
          {"ece", r->ece},
          {"ece_low", number(r->ece_range.low)},
          {"ece_high", number(r->ece_range.high)},
          {"bins", std::move(bins)}};
}

class Quality : public Step {
 public:
  StepInfo info() const override {
    return {
        "quality",
        "Say for every field how far to trust it, and write the GeoPackage for analysts",
        "Reads any polygon layer and the score raster that it was made from (or any other), and adds to "
        "every field its size, shape, mean and least field score, boundary strength along the outline, "
        "entropy, label risk, the weakest edge it shares with a neighbour, and a confidence from 0 to 100. "
        "--raster adds mean, standard deviation, least and largest value of any other rasters. The output "
        "is one GeoPackage with QGIS styles inside: layer fields, run_info, and sites, review_queue, "
        "consensus_fields, labellers and tiles when they are given.\n\n"
        "A pixel counts by the exact share of its area that lies in the field. The confidence orders fields; "
        "it becomes the probability that the field matches a true one (IoU above 0.5) when it is calibrated "
        "on true fields (--reference), or by a calibration made before (--calibration).",
        {{"Fields with scores and label risk",
          "furrow quality fields.gpkg --scores scores.tif --risk risk.tif --out map.gpkg"},
         {"Vegetation index per field",
          "furrow quality fields.gpkg --raster ndvi.tif --raster-names ndvi --out map.gpkg"},
         {"Learn what confidence is worth where fields are known",
          "furrow quality known.gpkg --scores known.tif --reference parcels.gpkg --calibration-out "
          "calibration.json --out known_map.gpkg"},
         {"Use it elsewhere",
          "furrow quality fields.gpkg --scores scores.tif --calibration calibration.json --out map.gpkg"}}};
  }

  void declare(OptionTable& t) override {
    t.add("fields", &m_fields).positional().required().input("vector layer").help("Field polygons");
    m_vector.declare(t, "fields");
    declare_scores(t);
    t.add("raster", &m_rasters)
        .input("raster")
        .group("Statistics of other rasters")
        .help("Rasters of any grid, CRS and number of bands whose values are summed up per field");
    t.add("raster-names", &m_raster_names)
        .group("Statistics of other rasters")
        .help("What the attributes of each begin with; default: the names of the files");
    t.add("raster-crs", &m_raster_crs)
        .group("Statistics of other rasters")
        .help("CRS of these rasters whatever they say");
    declare_calibration(t);
    declare_sites(t);
    t.add("out", &m_out).required().output("GeoPackage").short_name('o').help("GeoPackage to write");
  }

  void check() const override {
    const auto needs = [](bool given, bool there, const char* option, const char* other) {
      if (given && !there) throw geo::UsageError(geo::concat("--", option, " needs --", other));
    };
    const bool scores = !m_options.scores.empty();
    if (!scores && m_rasters.empty()) throw geo::UsageError("give --scores, --raster or both");
    needs(!m_options.entropy.empty(), scores, "entropy", "scores");
    needs(!m_options.risk.empty(), scores, "risk", "scores");
    needs(!m_calibration.empty(), scores, "calibration", "scores");
    needs(!m_reference.empty(), scores, "reference", "scores");
    needs(!m_region.empty(), !m_reference.empty(), "region", "reference");
    needs(!m_calibration_out.empty(), !m_reference.empty(), "calibration-out", "reference");
    needs(!m_calibration_model.empty(), !m_reference.empty(), "calibration-model", "reference");
    needs(!m_reliability_out.empty(), !m_reference.empty(), "reliability-out", "reference");
    needs(!m_reliability_plot.empty(), !m_reference.empty(), "reliability-plot", "reference");
    if (!m_raster_names.empty() && m_raster_names.size() != m_rasters.size()) {
      throw geo::UsageError(geo::concat("--raster-names has ", m_raster_names.size(), " names for ",
                                        m_rasters.size(), " rasters; give one for each"));
    }
  }

  void run(StepContext& context) override {
    if (!m_calibration_model.empty()) (void)segmentation::read_model_spec(m_calibration_model);
    const auto calibration = read_calibration();
    assessment::MapPackage package;
    geo::LayerReadOptions read = m_vector.read_options("--fields-crs", false);
    read.usual_layer = "fields";  // beside which 'delineate' may write rejects
    package.fields = geo::read_layer(m_fields, read);
    if (!m_sites.empty()) {
      package.sites = read_layer_like_sites("sites");
      package.review_queue = read_beside_sites("review_queue");
      package.consensus_fields = read_beside_sites("consensus_fields");
    }
    if (!m_scores_crs.empty()) m_options.scores_crs = geo::Crs::from_user_input(m_scores_crs);
    if (!m_tiles.empty()) package.tiles = read_tiles();
    if (!m_labellers.empty()) package.labellers = table_from_csv(m_labellers, "labellers");
    const assessment::ZonalOptions zonal = zonal_options();
    const Outcome outcome = add_attributes(package.fields, calibration, zonal, context);
    package.run_info = run_info(outcome, zonal);
    assessment::write_map_package(package, m_out, context.overwrite());
    write_calibration(outcome, context);
    context.record("fields", static_cast<std::int64_t>(package.fields.features.size()));
  }

 private:
  /// What became of confidence.
  struct Outcome {
    std::optional<assessment::ConfidenceCalibration> calibration;
    std::optional<assessment::Reliability> reliability;  ///< on fields that the calibration did not see
    std::optional<assessment::Reliability> raw;  ///< of the raw confidence as if it were a probability
  };

  void declare_scores(OptionTable& t) {
    t.add("scores", &m_options.scores).input("raster").help("Score raster: background, interior, boundary");
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
  }

  void declare_calibration(OptionTable& t) {
    const char* group = "Confidence as a probability";
    t.add("calibration", &m_calibration)
        .input("file")
        .excludes("calibration-out")
        .excludes("calibration-model")
        .group(group)
        .help("Calibration to apply: a file that --calibration-out wrote, or a model folder with one");
    t.add("reference", &m_reference)
        .input("vector layer")
        .group(group)
        .help("True fields: confidence is calibrated on them, or with --calibration compared with them");
    t.add("reference-layer", &m_reference_layer)
        .group(group)
        .help("Layer of the file; default: its only polygon layer");
    t.add("reference-crs", &m_reference_crs).group(group).help("CRS of true fields whatever the file says");
    t.add("region", &m_region)
        .input("vector layer")
        .group(group)
        .help("Polygons inside which all fields are in --reference; default: the whole scene");
    t.add("region-crs", &m_region_crs).group(group).help("CRS of the region whatever the file says");
    t.add("calibration-out", &m_calibration_out)
        .output("file")
        .group(group)
        .help("JSON file to write the calibration to");
    t.add("calibration-model", &m_calibration_model)
        .input("model folder")
        .group(group)
        .help("Model folder to store the calibration in (model.json)");
    t.add("reliability-out", &m_reliability_out)
        .output("file")
        .group(group)
        .help("CSV file with predicted and observed shares of matches");
    t.add("reliability-plot", &m_reliability_plot)
        .output("file")
        .group(group)
        .help("The same as a picture (SVG)");
    t.add("block-px", &m_block_px)
        .range(1, 100000)
        .unit("px")
        .group(group)
        .help("Side of the blocks that are held out in turn, and that intervals are made from");
    t.add("bootstrap", &m_draws).range(1, 1000000).group(group).help("Draws of the bootstrap");
    t.add("seed", &m_seed).at_least(0).group(group).help("Seed of the bootstrap");
  }

  void declare_sites(OptionTable& t) {
    const char* group = "Also into the GeoPackage";
    t.add("sites", &m_sites)
        .input("vector layer")
        .group(group)
        .help("Sites with label risk, and layers review_queue and consensus_fields where the file has them");
    t.add("sites-crs", &m_sites_crs).group(group).help("CRS of the sites whatever the file says");
    t.add("labellers", &m_labellers).input("table").group(group).help("Table of labellers (CSV)");
    t.add("tiles", &m_tiles)
        .input("vector layer")
        .group(group)
        .help("Footprints of the images or tiles that the map was made from, as 'tile' writes them");
    t.add("tiles-crs", &m_tiles_crs).group(group).help("CRS of the tiles whatever the file says");
  }

  /// The inputs by their names: whoever opens the map does not have our folders.
  [[nodiscard]] std::map<std::string, std::string> run_info(const Outcome& outcome,
                                                            const assessment::ZonalOptions& zonal) const {
    std::map<std::string, std::string> entries;
    const auto add = [&](const std::string& key, const std::string& path) {
      if (!path.empty()) entries[key] = std::filesystem::path(path).filename().string();
    };
    add("fields", m_fields);
    add("scores", m_options.scores);
    add("entropy", m_options.entropy);
    add("risk", m_options.risk);
    add("sites", m_sites);
    add("labellers", m_labellers);
    add("tiles", m_tiles);
    for (const assessment::ZonalRaster& raster : zonal.rasters) add("raster_" + raster.name, raster.path);
    if (outcome.calibration) {
      add("calibration", m_calibration.empty() ? m_reference : m_calibration);
      entries["calibration_fields"] = geo::concat(outcome.calibration->fields);
    }
    return entries;
  }

  [[nodiscard]] geo::Layer read_tiles() const {
    VectorOptions tiles;
    tiles.crs = m_tiles_crs;
    geo::LayerReadOptions read = tiles.read_options("--tiles-crs");
    read.usual_layer = "chips";
    return geo::read_layer(m_tiles, read);
  }

  [[nodiscard]] std::optional<assessment::ConfidenceCalibration> read_calibration() const {
    if (m_calibration.empty()) return std::nullopt;
    if (!std::filesystem::is_directory(m_calibration))
      return assessment::calibration_from_json(geo::read_text_file(m_calibration), m_calibration);
    const auto block = segmentation::read_confidence(m_calibration);
    if (!block) {
      throw geo::InvalidArgument(geo::concat("model folder ", geo::quoted(m_calibration),
                                             " holds no calibration of confidence; store one with furrow "
                                             "quality --reference FIELDS --calibration-model ",
                                             m_calibration));
    }
    return assessment::calibration_from_json(*block, m_calibration + "/model.json");
  }

  Outcome add_attributes(geo::Layer& fields,
                         const std::optional<assessment::ConfidenceCalibration>& calibration,
                         const assessment::ZonalOptions& zonal, StepContext& context) const {
    Outcome outcome{calibration, std::nullopt, std::nullopt};
    if (fields.features.empty() && m_reference.empty()) return outcome;
    const auto confidences = assessment::add_field_quality(fields, m_options, context.exec());
    if (!m_reference.empty()) compare(known_fields(fields, confidences), outcome);
    if (outcome.calibration)
      assessment::set_match_probabilities(fields, confidences, outcome.calibration->curve);
    assessment::add_zonal_statistics(fields, zonal, context.exec());
    return outcome;
  }

  [[nodiscard]] std::vector<assessment::KnownField> known_fields(
      const geo::Layer& fields, const assessment::FieldConfidences& confidences) const {
    VectorOptions vector = m_vector;
    vector.layer = m_reference_layer;
    vector.crs = m_reference_crs;
    const geo::Layer reference = geo::read_layer(m_reference, vector.read_options("--reference-crs"));
    if (m_region.empty()) return assessment::known_fields(fields, confidences, truth(reference, nullptr));
    vector.layer.clear();
    vector.crs = m_region_crs;
    const geo::Layer region = geo::read_layer(m_region, vector.read_options("--region-crs"));
    return assessment::known_fields(fields, confidences, truth(reference, &region));
  }

  [[nodiscard]] assessment::KnownTruth truth(const geo::Layer& reference, const geo::Layer* region) const {
    return {reference, region, kMinIou, m_block_px};
  }

  /// Fits the calibration unless one was given, and says how far its probabilities are right on fields that
  /// it did not see.
  void compare(const std::vector<assessment::KnownField>& known, Outcome& outcome) const {
    const auto seed = static_cast<std::uint64_t>(m_seed);
    std::vector<double> raw;
    for (const auto& field : known) raw.push_back(field.raw);
    std::vector<double> predicted;
    if (outcome.calibration) {
      for (const double value : raw) predicted.push_back(outcome.calibration->curve.at(value));
    } else {
      outcome.calibration = assessment::fit_confidence(known, kMinIou);
      predicted = assessment::held_out_probabilities(known, kMinIou);
    }
    if (!raw.empty()) outcome.raw = assessment::reliability_of(known, raw, m_draws, seed);
    if (!predicted.empty()) outcome.reliability = assessment::reliability_of(known, predicted, m_draws, seed);
    warn_of_few(outcome);
  }

  static void warn_of_few(const Outcome& outcome) {
    constexpr std::int64_t kFewBlocks = 10;
    if (!outcome.reliability) {
      geo::log_warning(
          "too few fields or blocks to hold some out: how right the calibration is stays unknown");
    } else if (outcome.reliability->blocks < kFewBlocks) {
      geo::log_warning(
          geo::concat("only ", outcome.reliability->blocks,
                      " blocks have fields; intervals are too short (--block-px makes smaller ones)"));
    }
  }

  [[nodiscard]] assessment::ZonalOptions zonal_options() const {
    assessment::ZonalOptions options;
    if (!m_raster_crs.empty()) options.crs = geo::Crs::from_user_input(m_raster_crs);
    for (std::size_t i = 0; i < m_rasters.size(); ++i) {
      const std::string name =
          m_raster_names.empty() ? std::filesystem::path(m_rasters[i]).stem().string() : m_raster_names[i];
      options.rasters.push_back({name, m_rasters[i]});
    }
    return options;
  }

  void write_calibration(const Outcome& outcome, StepContext& context) const {
    if (m_reference.empty()) return;
    const assessment::Reliability* reliability = outcome.reliability ? &*outcome.reliability : nullptr;
    const std::string text = assessment::to_json(*outcome.calibration, reliability);
    if (!m_calibration_out.empty()) geo::write_text_file(m_calibration_out, text, context.overwrite());
    if (!m_calibration_model.empty()) segmentation::store_confidence(text, m_calibration_model);
    write_reliability(outcome, context.overwrite());
    if (reliability != nullptr) {
      context.record("known_fields", reliability->fields);
      context.record("brier", reliability->brier);
      context.record("calibration_error", reliability->ece);
    }
    const Json summary{
        {"calibrated_on", outcome.calibration->fields},
        {m_calibration.empty() ? "held_out" : "compared", reliability_json(outcome.reliability)},
        {"raw", reliability_json(outcome.raw)}};
    context.out() << summary.dump(2) << "\n";
  }

  void write_reliability(const Outcome& outcome, bool overwrite) const {
    std::vector<assessment::NamedReliability> all;
    if (outcome.reliability) all.push_back({"calibrated", *outcome.reliability});
    if (outcome.raw) all.push_back({"raw", *outcome.raw});
    if (!m_reliability_out.empty())
      geo::write_text_file(m_reliability_out, assessment::reliability_csv(all), overwrite);
    if (!m_reliability_plot.empty())
      geo::write_text_file(m_reliability_plot, assessment::reliability_svg(all), overwrite);
  }

  [[nodiscard]] geo::Layer read_layer_like_sites(const std::string& layer) const {
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
    return read_layer_like_sites(name);
  }

  static constexpr double kMinIou = 0.5;

  std::string m_fields;
  VectorOptions m_vector;
  assessment::QualityOptions m_options;
  std::string m_scores_crs;
  std::vector<std::string> m_rasters;
  std::vector<std::string> m_raster_names;
  std::string m_raster_crs;
  std::string m_calibration;
  std::string m_reference;
  std::string m_reference_layer;
  std::string m_reference_crs;
  std::string m_region;
  std::string m_region_crs;
  std::string m_calibration_out;
  std::string m_calibration_model;
  std::string m_reliability_out;
  std::string m_reliability_plot;
  std::int64_t m_block_px = 64;
  std::int64_t m_draws = 1000;
  std::int64_t m_seed = 1;
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
