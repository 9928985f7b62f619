#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <furrow/assessment/delineation_tuning.h>
#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/layer.h>
#include <furrow/segmentation/model_spec.h>
#include <furrow/workflow/step.h>

#include "json_number.h"
#include "score_options.h"
#include "vector_options.h"

namespace furrow::workflow {
namespace {

using Json = nlohmann::ordered_json;

class Tune : public Step {
 public:
  StepInfo info() const override {
    return {
        "tune",
        "Choose the thresholds of delineate on fields that are known, without running the network again",
        "Delineates score rasters with many settings (extent threshold, cut or boundary threshold, minimum "
        "area), matches the "
        "fields with the true ones, and takes the setting with the highest object F1 (IoU above 0.5). The "
        "best of many settings "
        "looks better on the fields it was chosen on than on others: the result also says what settings "
        "chosen without a part of the "
        "fields reach on that part, and whether the gain over the default is more than chance.\n\n"
        "Use scores and fields that the network was not trained on.",
        {{"Tune on one scene and keep the result in the model folder",
          "furrow tune scores.tif --reference parcels.gpkg --model model --out tried.csv"},
         {"Use it", "furrow delineate others.tif --model model --out fields.gpkg"}}};
  }

  void declare(OptionTable& t) override {
    m_scores.declare(
        t, "Score rasters, one scene each: files, a folder, a pattern, a list (.txt, .csv) or STAC");
    t.add("reference", &m_reference)
        .required()
        .input("vector layer")
        .help("True field polygons of all scenes");
    m_vector.declare(t, "reference", true);
    t.add("region", &m_region)
        .input("vector layer")
        .help("Polygons inside which all fields are in --reference; default: the whole of each scene");
    t.add("region-crs", &m_region_crs).help("CRS of the region whatever the file says");
    t.add("model", &m_model)
        .input("model folder")
        .help(
            "Model folder that the result is stored in (model.json), and whose thresholds are the setting to "
            "compare with");
    t.add("out", &m_out).output("file").short_name('o').help("CSV file with every setting that was tried");
    declare_values(t);
    declare_rules(t);
  }

  void check() const override {
    const auto within = [](const std::vector<double>& values, double low, double high, const char* option) {
      for (const double v : values) {
        if (!(v >= low && v <= high))
          throw geo::UsageError(geo::concat("--", option, " must lie in ", low, " to ", high, ", got ", v));
      }
    };
    within(m_options.grid.extent_thresholds, 0.0, 1.0, "extent-thresholds");
    within(m_options.grid.cuts, 0.005, 1.0, "cuts");
    within(m_options.grid.boundary_thresholds, 0.0, 1.0, "boundary-thresholds");
    within(m_options.grid.min_areas_m2, 0.0, 1e12, "min-areas-m2");
  }

  void run(StepContext& context) override {
    if (!m_out.empty()) geo::check_output_path(m_out, context.overwrite());
    std::optional<segmentation::ModelSpec> model;
    if (!m_model.empty()) model = segmentation::read_model_spec(m_model);
    m_options.base.mode = m_mode == "components" ? geo::SplitMode::kComponents : geo::SplitMode::kWatershed;
    if (model) compare_with(*model);
    m_options.refinements = static_cast<int>(m_refinements);
    m_options.seed = static_cast<std::uint64_t>(m_seed);
    const std::vector<std::string> paths = m_scores.list();
    const geo::Layer reference = geo::read_layer(m_reference, m_vector.read_options("--reference-crs"));
    std::optional<geo::Layer> region;
    if (!m_region.empty()) region = read_region();
    const auto result = assessment::tune_delineation(
        paths.size(), [&](std::size_t i) { return read_scene(paths[i], reference, region, context.exec()); },
        m_options, context.exec());
    warn_of_few(result);
    if (!m_out.empty()) geo::write_text_file(m_out, table(result), context.overwrite());
    if (model) store(*model, result.tried[result.best].setting);
    context.record("settings", static_cast<std::int64_t>(result.tried.size()));
    context.record("object_f1", result.tried[result.best].counts.f1());
    context.out() << summary(result, paths.size()).dump(2) << "\n";
  }

 private:
  void declare_values(OptionTable& t) {
    const char* group = "Values to try";
    t.add("mode", &m_mode)
        .choices({"watershed", "components"})
        .group(group)
        .help("As in delineate: watershed tunes the cut, components the boundary threshold");
    t.add("extent-thresholds", &m_options.grid.extent_thresholds)
        .group(group)
        .help("Extent thresholds to begin with");
    t.add("cuts", &m_options.grid.cuts).group(group).help("Cuts to begin with (watershed)");
    t.add("boundary-thresholds", &m_options.grid.boundary_thresholds)
        .group(group)
        .help("Boundary thresholds to begin with (components)");
    t.add("min-areas-m2", &m_options.grid.min_areas_m2)
        .unit("m2")
        .group(group)
        .help("Minimum areas to begin with");
    t.add("refinements", &m_refinements)
        .range(0, 5)
        .group(group)
        .help("Rounds of trying what lies between the best values and their neighbours, or beyond");
  }

  void declare_rules(OptionTable& t) {
    const char* group = "Fields and intervals";
    t.add("absorb-below", &m_options.base.absorb_below).at_least(0.0).group(group).help("As in delineate");
    t.add("fill-holes-m2", &m_options.base.fill_holes_m2)
        .at_least(0.0)
        .unit("m2")
        .group(group)
        .help("As in delineate");
    t.add("min-width-m", &m_options.base.min_width_m)
        .at_least(0.0)
        .unit("m")
        .group(group)
        .help("As in delineate");
    t.add("min-iou", &m_options.min_iou)
        .range(0.5, 0.99)
        .group(group)
        .help("A match of two fields needs more than this IoU");
    t.add("block-px", &m_options.block_px)
        .range(1, 100000)
        .unit("px")
        .group(group)
        .help("Side of the blocks that intervals, and held-out figures of a single scene, are made from");
    t.add("bootstrap", &m_options.draws).range(1, 1000000).group(group).help("Draws of the bootstrap");
    t.add("seed", &m_seed).at_least(0).group(group).help("Seed of the bootstrap");
  }

  static void warn_of_few(const assessment::TuneResult& result) {
    constexpr std::int64_t kFew = 30;
    const std::int64_t fields = result.tried[result.best].counts.reference;
    if (fields < kFew)
      geo::log_warning(geo::concat("only ", fields, " true fields count; the best setting may be chance"));
  }

  void compare_with(const segmentation::ModelSpec& model) {
    geo::DelineateOptions& base = m_options.base;
    base.extent_threshold = model.extent_threshold;
    base.cut = model.watershed_cut;
    base.boundary_threshold = model.boundary_threshold.value_or(base.boundary_threshold);
    base.min_area_m2 = model.min_area_m2.value_or(base.min_area_m2);
  }

  void store(segmentation::ModelSpec& model, const assessment::TuneSetting& best) const {
    model.extent_threshold = best.extent_threshold;
    if (m_options.base.mode == geo::SplitMode::kWatershed) {
      model.watershed_cut = best.cut;
    } else {
      model.boundary_threshold = best.boundary_threshold;
    }
    model.min_area_m2 = best.min_area_m2;
    segmentation::store_delineation(model, m_model);
    geo::log_info(geo::concat("stored in ", geo::quoted(m_model)));
  }

  [[nodiscard]] geo::Layer read_region() const {
    VectorOptions vector = m_vector;
    vector.layer.clear();
    vector.crs = m_region_crs;
    return geo::read_layer(m_region, vector.read_options("--region-crs"));
  }

  [[nodiscard]] assessment::TuneScene read_scene(const std::string& path, const geo::Layer& reference,
                                                 const std::optional<geo::Layer>& region,
                                                 geo::ExecContext& exec) const {
    const geo::ScoreScene scene = m_scores.open({path});
    check_memory(path, scene.grid, exec);
    assessment::TuneScene result;
    result.scores = scene.rows(scene.grid.window(), exec);
    result.truth = shapes_on(reference, scene.grid);
    if (region) {
      result.region.emplace();
      for (auto& shape : shapes_on(*region, scene.grid))
        result.region->insert(result.region->end(), shape.begin(), shape.end());
    }
    return result;
  }

  static void check_memory(const std::string& path, const geo::Grid& grid, const geo::ExecContext& exec) {
    constexpr double kBytesPerPixel = 60.0;
    const double needed = kBytesPerPixel * static_cast<double>(grid.width) * static_cast<double>(grid.height);
    const auto budget = static_cast<double>(exec.memory_bytes());
    if (needed <= budget) return;
    throw geo::InvalidArgument(geo::concat("tuning on ", geo::quoted(path), " (", grid.width, " x ",
                                           grid.height, " px) needs ", geo::human_bytes(needed),
                                           ", more than the memory budget of ", geo::human_bytes(budget),
                                           "; cut it with `furrow tile`, or raise --memory"));
  }

  /// The polygons that reach into the grid, in its CRS.
  static std::vector<geo::MultiPolygon> shapes_on(const geo::Layer& layer, const geo::Grid& grid) {
    const geo::CoordinateTransform transform(layer.crs, grid.crs);
    const geo::Box box = grid.bounds();
    std::vector<geo::MultiPolygon> shapes;
    for (const auto& feature : layer.features) {
      if (feature.geometry.empty()) continue;
      geo::MultiPolygon shape = transform.apply(feature.geometry);
      if (geo::bounds(shape).intersects(box)) shapes.push_back(std::move(shape));
    }
    return shapes;
  }

  [[nodiscard]] bool is_watershed() const { return m_options.base.mode == geo::SplitMode::kWatershed; }

  [[nodiscard]] std::string table(const assessment::TuneResult& result) const {
    std::string text =
        geo::concat("extent_threshold,", is_watershed() ? "cut" : "boundary_threshold",
                    ",min_area_m2,object_f1,precision,recall,predicted,correct,reference,found,is\n");
    const auto cell = [](double value) { return std::isnan(value) ? std::string() : geo::concat(value); };
    for (std::size_t i = 0; i < result.tried.size(); ++i) {
      const auto& [setting, counts] = result.tried[i];
      text +=
          geo::concat(setting.extent_threshold, ",",
                      is_watershed() ? setting.cut : setting.boundary_threshold, ",", setting.min_area_m2,
                      ",", cell(counts.f1()), ",", cell(counts.precision()), ",", cell(counts.recall()), ",",
                      counts.predicted, ",", counts.correct, ",", counts.reference, ",", counts.found, ",",
                      i == result.best   ? "best"
                      : i == result.base ? "base"
                                         : "",
                      "\n");
    }
    return text;
  }

  [[nodiscard]] Json setting_json(const assessment::TriedSetting& tried) const {
    const auto& [setting, counts] = tried;
    Json json{{"extent_threshold", setting.extent_threshold}};
    if (is_watershed()) {
      json["cut"] = setting.cut;
    } else {
      json["boundary_threshold"] = setting.boundary_threshold;
    }
    json["min_area_m2"] = setting.min_area_m2;
    json.update(counts_json(counts));
    return json;
  }

  static Json counts_json(const assessment::FieldCounts& counts) {
    return {{"object_f1", number(counts.f1())},
            {"precision", number(counts.precision())},
            {"recall", number(counts.recall())},
            {"predicted", counts.predicted},
            {"reference", counts.reference}};
  }

  [[nodiscard]] Json summary(const assessment::TuneResult& result, std::size_t scenes) const {
    Json json;
    json["best"] = setting_json(result.tried[result.best]);
    json["best"]["object_f1_low"] = number(result.best_f1.low);
    json["best"]["object_f1_high"] = number(result.best_f1.high);
    json["base"] = setting_json(result.tried[result.base]);
    json["gain"] = {
        {"object_f1", number(result.tried[result.best].counts.f1() - result.tried[result.base].counts.f1())},
        {"low", number(result.gain.low)},
        {"high", number(result.gain.high)},
        {"is_clear", result.is_clear()}};
    if (result.folds > 1) {
      json["held_out"] = counts_json(result.held_out);
      json["held_out"]["folds"] = result.folds;
    }
    json["settings"] = result.tried.size();
    json["scenes"] = scenes;
    json["blocks"] = result.blocks;
    return json;
  }

  ScoreOptions m_scores;
  std::string m_reference;
  VectorOptions m_vector;
  std::string m_region;
  std::string m_region_crs;
  std::string m_model;
  std::string m_out;
  std::string m_mode = "watershed";
  std::int64_t m_refinements = 3;
  std::int64_t m_seed = 1;
  assessment::TuneOptions m_options;
};

}  // namespace

std::unique_ptr<Step> make_tune() {
  return std::make_unique<Tune>();
}

}  // namespace furrow::workflow
