#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <furrow/assessment/analyst_layer.h>
#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/core/version.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/raster/writer.h>
#include <furrow/geo/topology/components.h>
#include <furrow/geo/topology/delineate.h>
#include <furrow/geo/vector/layer_writer.h>
#include <furrow/segmentation/model_spec.h>
#include <furrow/workflow/step.h>

#include "score_options.h"
#include "vector_output.h"

namespace furrow::workflow {
namespace {

/// In pixels, for outlines placed by scores.
constexpr double kPlacedTolerance = 0.2;

class Delineate : public Step {
 public:
  StepInfo info() const override {
    return {
        "delineate",
        "Turn score maps into field polygons with attributes",
        "Splits the extent of fields along ridges of the boundary score (hierarchical watershed, cut by "
        "dynamics), "
        "cleans up what is too small, traces every edge between two fields once, simplifies it once, and "
        "puts valid "
        "polygons together: neighbours share their edges exactly, without gaps and overlaps. No erosion: "
        "each pixel of "
        "the extent belongs to one field, boundary pixels included.\n\n"
        "Scores come from `furrow predict` (background, interior, boundary) or from any other model: one "
        "band (extent), "
        "two (extent, boundary), or any two bands named with --extent-band and --boundary-band.",
        {{"Fields and their instance raster",
          "furrow delineate scores.tif --out fields.gpkg --instances instances.tif"},
         {"Whole fields from a folder of score tiles", "furrow delineate tiles/ --out fields.gpkg"},
         {"Scores of another model, stored as 0..10000",
          "furrow delineate model.tif --extent-band 3 --boundary-band 2 --scale 0.0001 --out fields.gpkg"}}};
  }

  void declare(OptionTable& t) override {
    declare_files(t);
    declare_splitting(t);
    declare_shapes(t);
  }

  void check() const override {
    check_layer_format("--out", m_out, true);
    check_placement();
    if (!m_options.keep_rejects) return;
    if (!is_package()) {
      throw geo::UsageError(geo::concat("--rejects is a second layer, which ", geo::quoted(m_out),
                                        " cannot hold; use .gpkg for --out"));
    }
    if (geo::to_lower(m_options.layer_name) == "rejects") {
      throw geo::UsageError("--rejects takes the name \"rejects\"; choose another --layer-name");
    }
  }

  void run(StepContext& context) override {
    geo::check_output_path(m_out, context.overwrite());
    if (!m_instances.empty()) geo::check_output_path(m_instances, context.overwrite());
    m_options.mode = modes().at(m_mode);
    if (m_simplify_method == "area") m_options.simplify_method = geo::SimplifyMethod::kArea;
    if (m_placement == "score") place_by_score();
    take_from_model(context);
    const std::vector<std::string> paths = m_scores.list();
    const geo::ScoreScene scene =
        m_scores.open(paths, m_options.mode == geo::SplitMode::kInstances ? geo::ScoreContent::kInstances
                                                                          : geo::ScoreContent::kScores);
    const std::string source = paths.size() == 1 ? std::filesystem::path(paths.front()).filename().string()
                                                 : geo::concat(paths.size(), " score rasters");
    geo::StripOptions strips;
    strips.scratch = std::filesystem::absolute(m_out).parent_path();
    std::unique_ptr<geo::RasterWriter> instances;
    if (!m_instances.empty()) instances = open_instances(scene.grid, context.overwrite());
    auto result = geo::delineate_by_strips(
        scene.grid, scene.rows, m_options, strips,
        [&](const geo::Window& rows, const geo::Raster<std::uint32_t>& labels) {
          if (instances) instances->write(rows, labels);
        },
        context.exec());
    const geo::DelineateReport report = result.report;
    if (report.fields == 0) {
      geo::log_warning(geo::concat("no field in ", paths.size() == 1 ? geo::quoted(paths.front()) : source,
                                   ": ", why_no_field(report), "; the layer is empty"));
    }
    if (instances) instances->close();  // one output without the other is of no use
    write_layers(std::move(result), source, context.overwrite());
    if (instances) instances->finish();
    record(report, context);
  }

 private:
  void check_placement() const {
    if (m_placement != "score") return;
    if (m_mode == "instances") {
      throw geo::UsageError(
          "--placement score needs scores, which --mode instances has none of; leave one of them out");
    }
    if (m_simplify_method == "area") {
      throw geo::UsageError(
          "--simplify-method area keeps areas in whole pixels, which --placement score does not have; leave "
          "one of them out");
    }
  }

  /// Lines between pixels have no stairs: the tolerance that takes those away would take what was won.
  void place_by_score() {
    m_options.placement = geo::OutlinePlacement::kScore;
    if (!m_simplify_option->was_set()) m_options.simplify_px = kPlacedTolerance;
  }

  [[nodiscard]] bool is_package() const {
    return geo::to_lower(std::filesystem::path(m_out).extension().string()) == ".gpkg";
  }

  [[nodiscard]] std::string why_no_field(const geo::DelineateReport& report) const {
    if (report.valid_pixels == 0) return "no pixel holds a score";
    if (report.field_pixels == 0) {
      return geo::concat("its highest extent score is ", report.highest_extent, ", under the threshold of ",
                         m_options.extent_threshold);
    }
    return geo::concat("none of ", report.instances, " pieces is large enough, see --min-area-m2");
  }

  /// What was tuned for the model, where the command line says nothing.
  void take_from_model(StepContext& context) {
    if (m_model.empty()) return;
    const segmentation::ModelSpec spec = segmentation::read_model_spec(m_model);
    std::vector<std::string> taken;
    const auto take = [&](const Option* option, double& target, const std::optional<double>& value) {
      if (!value || option->was_set()) return;
      target = *value;
      taken.push_back(geo::concat(option->name(), " ", *value));
    };
    if (m_options.mode != geo::SplitMode::kInstances)
      take(m_extent_option, m_options.extent_threshold, spec.extent_threshold);
    if (m_options.mode == geo::SplitMode::kWatershed) take(m_cut_option, m_options.cut, spec.watershed_cut);
    if (m_options.mode == geo::SplitMode::kComponents)
      take(m_boundary_option, m_options.boundary_threshold, spec.boundary_threshold);
    take(m_area_option, m_options.min_area_m2, spec.min_area_m2);
    const std::string list = taken.empty() ? "nothing" : geo::join(taken, ", ");
    geo::log_info(geo::concat("from model ", geo::quoted(m_model), ": ", list));
    context.record("from_model", list);
  }

  void declare_files(OptionTable& t) {
    m_scores.declare(
        t,
        "Score raster, or tiles of one scene: files, a folder, a pattern, a list (.txt, .csv), a "
        "tile index or STAC");
    t.add("model", &m_model)
        .input("model folder")
        .help(
            "Model folder whose thresholds, as `furrow tune` stores them, are the defaults of "
            "--extent-threshold, --cut, --boundary-threshold and --min-area-m2");
    t.add("out", &m_out)
        .required()
        .output("vector layer")
        .short_name('o')
        .help("Fields to write (.gpkg, .geojson, .fgb, .shp; .csv for attributes only)");
    t.add("layer-name", &m_options.layer_name).help("Name of the layer");
    t.add("instances", &m_instances).output("raster").help("Also write the instance raster (GeoTIFF)");
    t.add("rejects", &m_options.keep_rejects)
        .help("Also write what became no field, with the reason, as the layer rejects of --out (.gpkg)");
  }

  void declare_splitting(OptionTable& t) {
    const char* group = "Splitting";
    t.add("mode", &m_mode)
        .choices({"watershed", "components", "instances"})
        .group(group)
        .help(
            "watershed splits along boundary ridges and keeps boundary pixels; components takes connected "
            "pieces "
            "without boundary pixels; instances takes the fields of a raster of instance numbers");
    m_extent_option = &t.add("extent-threshold", &m_options.extent_threshold)
                           .range(0.0, 1.0)
                           .group(group)
                           .help("Pixels with at least this extent score may belong to a field");
    m_cut_option =
        &t.add("cut", &m_options.cut)
             .range(0.005, 1.0)
             .group(group)
             .help("Least height of a boundary ridge above the calmer side that separates two fields");
    m_boundary_option = &t.add("boundary-threshold", &m_options.boundary_threshold)
                             .range(0.0, 1.0)
                             .group(group)
                             .help("With components: pixels from this boundary score up are boundary");
  }

  void declare_shapes(OptionTable& t) {
    const char* group = "Cleaning and shapes";
    m_area_option = &t.add("min-area-m2", &m_options.min_area_m2)
                         .at_least(0.0)
                         .unit("m2")
                         .group(group)
                         .help("Smaller fields are absorbed or rejected; never less than 5 pixels");
    t.add("min-width-m", &m_options.min_width_m)
        .at_least(0.0)
        .unit("m")
        .group(group)
        .help("Narrower fields (slivers) are absorbed or rejected likewise; 0 = off");
    t.add("absorb-below", &m_options.absorb_below)
        .at_least(0.0)
        .group(group)
        .help(
            "A small or narrow field joins the neighbour with the longest common edge when that edge's mean "
            "boundary "
            "score is "
            "below this, else it is rejected");
    t.add("fill-holes-m2", &m_options.fill_holes_m2)
        .at_least(0.0)
        .unit("m2")
        .group(group)
        .help("Holes smaller than this, enclosed by one field, are filled");
    t.add("placement", &m_placement)
        .choices({"pixel", "score"})
        .group(group)
        .help(
            "pixel draws outlines along pixel sides; score moves their corners, by less than half a pixel, "
            "to where the scores say that the border is: of use where they tell shares of pixels, of little "
            "with most networks");
    m_simplify_option =
        &t.add("simplify-px", &m_options.simplify_px)
             .at_least(0.0)
             .unit("px")
             .group(group)
             .help(geo::concat("Tolerance of simplification; 0 keeps pixel outlines. With --placement score ",
                               "the default is ", kPlacedTolerance));
    t.add("simplify-m", &m_options.simplify_m)
        .at_least(0.0)
        .unit("m")
        .group(group)
        .excludes("simplify-px")
        .help("The same in metres");
    t.add("simplify-method", &m_simplify_method)
        .choices({"distance", "area"})
        .group(group)
        .help(
            "Within the tolerance, distance keeps the fewest corners; area keeps every field's area, in "
            "pixels, "
            "exactly");
  }

  static const std::map<std::string, geo::SplitMode>& modes() {
    static const std::map<std::string, geo::SplitMode> all{{"watershed", geo::SplitMode::kWatershed},
                                                           {"components", geo::SplitMode::kComponents},
                                                           {"instances", geo::SplitMode::kInstances}};
    return all;
  }

  [[nodiscard]] std::unique_ptr<geo::RasterWriter> open_instances(const geo::Grid& grid,
                                                                  bool overwrite) const {
    geo::RasterSpec spec;
    spec.type = geo::PixelType::kUint32;
    spec.nodata = static_cast<double>(geo::kUnknownInstance);
    spec.descriptions = {"instance"};
    spec.overview = geo::Overview::kNearest;
    return std::make_unique<geo::RasterWriter>(m_instances, grid, spec, overwrite);
  }

  void write_layers(geo::DelineatedFields result, const std::string& source, bool overwrite) const {
    if (!is_package()) {
      for (geo::Feature feature; result.features(feature);)
        result.layer.features.push_back(std::move(feature));
      geo::write_layer(std::move(result.layer), m_out, overwrite);
      return;
    }
    const std::string from =
        geo::concat(source, " by furrow ", geo::furrow_version(), "; areas and lengths are geodesic");
    std::vector<geo::PackagedLayer> layers;
    const auto add = [&](geo::Layer layer, geo::FeatureSource features, assessment::AnalystLayer kind,
                         const char* what) {
      layers.push_back(assessment::for_analysts(std::move(layer), kind));
      layers.back().description = geo::concat(what, from);
      layers.back().more = std::move(features);
    };
    add(std::move(result.layer), std::move(result.features), assessment::AnalystLayer::kFields,
        "Fields delineated from ");
    if (m_options.keep_rejects) {
      add(std::move(result.rejects_layer), std::move(result.reject_features),
          assessment::AnalystLayer::kRejects, "What became no field, delineated from ");
    }
    geo::write_geopackage(std::move(layers), m_out, overwrite);
  }

  static void record(const geo::DelineateReport& report, StepContext& context) {
    context.record("valid_pixels", report.valid_pixels);
    context.record("field_pixels", report.field_pixels);
    context.record("instances", report.instances);
    context.record("absorbed", report.absorbed);
    context.record("rejected_small", report.rejected_small);
    context.record("rejected_narrow", report.rejected_narrow);
    context.record("rejected_pixels", report.rejected_pixels);
    context.record("holes_filled", report.holes_filled);
    context.record("holes_filled_pixels", report.holes_filled_pixels);
    context.record("min_area_m2", report.min_area_m2);
    context.record("fields", report.fields);
  }

  ScoreOptions m_scores;
  std::string m_model;
  std::string m_out;
  std::string m_instances;
  std::string m_mode = "watershed";
  std::string m_simplify_method = "distance";
  std::string m_placement = "pixel";
  geo::DelineateOptions m_options;
  // Whether a value was given: the model's counts where none was.
  const Option* m_extent_option = nullptr;
  const Option* m_cut_option = nullptr;
  const Option* m_boundary_option = nullptr;
  const Option* m_area_option = nullptr;
  const Option* m_simplify_option = nullptr;
};

}  // namespace

std::unique_ptr<Step> make_delineate() {
  return std::make_unique<Delineate>();
}

}  // namespace furrow::workflow
