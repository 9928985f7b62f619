#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <furrow/assessment/block_accuracy.h>
#include <furrow/assessment/object_accuracy.h>
#include <furrow/assessment/pixel_accuracy.h>
#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/vector/layer.h>
#include <furrow/workflow/step.h>

#include "box_option.h"
#include "json_number.h"
#include "vector_options.h"

namespace furrow::workflow {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const assessment::BinaryAccuracy& a) {
  return {{"iou", number(a.iou())},
          {"f1", number(a.f1())},
          {"precision", number(a.precision())},
          {"recall", number(a.recall())},
          {"true_positive", a.true_positive},
          {"false_positive", a.false_positive},
          {"false_negative", a.false_negative},
          {"true_negative", a.true_negative}};
}

Json to_json(const assessment::PixelAccuracy& a) {
  return {{"pixels", a.pixels},
          {"overall_accuracy", number(a.overall_accuracy())},
          {"extent", to_json(a.extent)},
          {"background", to_json(a.classes[0])},
          {"interior", to_json(a.classes[1])},
          {"boundary", to_json(a.classes[2])}};
}

Json to_json(const assessment::ObjectAccuracy& a, double min_iou) {
  return {{"min_iou", min_iou},
          {"precision", number(a.precision())},
          {"recall", number(a.recall())},
          {"f1", number(a.f1())},
          {"mean_matched_iou", number(a.mean_matched_iou)},
          {"reference", a.reference},
          {"predicted", a.predicted},
          {"found", a.found},
          {"correct", a.correct}};
}

struct NamedFigure {
  const char* name;
  double (*value)(const assessment::BlockCounts&);
};

constexpr NamedFigure kFigures[]{
    {"extent_iou", [](const assessment::BlockCounts& b) { return b.extent.iou(); }},
    {"extent_f1", [](const assessment::BlockCounts& b) { return b.extent.f1(); }},
    {"boundary_f1", [](const assessment::BlockCounts& b) { return b.boundary_f1(); }},
    {"object_f1", [](const assessment::BlockCounts& b) { return b.object_f1(); }},
    {"ece", [](const assessment::BlockCounts& b) { return b.ece(); }},
    {"brier", [](const assessment::BlockCounts& b) { return b.brier(); }}};

/// Every figure with its 95 % interval.
Json intervals(const std::vector<assessment::BlockCounts>& blocks, std::int64_t draws, std::uint64_t seed) {
  assessment::BlockCounts sum;
  for (const auto& block : blocks) sum += block;
  std::vector<std::function<double(const assessment::BlockCounts&)>> functions;
  for (const NamedFigure& figure : kFigures) functions.emplace_back(figure.value);
  const auto ranges = assessment::bootstrap_blocks(blocks, functions, draws, seed);
  Json result;
  for (std::size_t i = 0; i < std::size(kFigures); ++i) {
    result[kFigures[i].name] = {{"value", number(kFigures[i].value(sum))},
                                {"low", number(ranges[i].low)},
                                {"high", number(ranges[i].high)}};
  }
  return result;
}

std::vector<geo::MultiPolygon> shapes_of(geo::Layer& layer) {
  std::vector<geo::MultiPolygon> shapes;
  for (auto& feature : layer.features) {
    if (!feature.geometry.empty()) shapes.push_back(std::move(feature.geometry));
  }
  return shapes;
}

class Assess : public Step {
 public:
  StepInfo info() const override {
    return {"assess",
            "Compare a map with reference fields: pixels, classes and whole fields",
            "Compares field polygons, or a label raster, with reference polygons. Pixels: IoU, F1, precision "
            "and recall of the "
            "field extent and of the classes background, interior and boundary, on the grid of --grid. "
            "Fields: precision, recall "
            "and F1 of one-to-one matches with an IoU above --min-iou.\n\n"
            "With --bbox or --region only what lies there counts: pixels by their centre, fields when at "
            "least half of their "
            "area is inside. Invalid pixels of the grid raster do not count. A label raster has no separate "
            "fields, so only "
            "pixels are compared.",
            {{"A map against the parcels of the same place",
              "furrow assess fields.gpkg --reference parcels.gpkg --grid image.tif --out assess.json"}}};
  }

  void declare(OptionTable& t) override {
    t.add("fields", &m_fields).positional().input("vector layer").help("Field polygons of the map");
    t.add("labels", &m_labels)
        .input("raster")
        .excludes("fields")
        .help("Label raster of the map (0, 1, 2; 255 = unknown)");
    t.add("layer", &m_layer).help("Layer of the map; default: its only polygon layer");
    t.add("fields-crs", &m_fields_crs).help("CRS of the map's polygons whatever the file says");
    t.add("reference", &m_reference).required().input("vector layer").help("Reference field polygons");
    m_vector.declare(t, "reference", true);
    t.add("grid", &m_grid)
        .input("raster")
        .help("Raster whose grid the pixels are compared on; without it only fields are");
    t.add("grid-crs", &m_grid_crs)
        .help("CRS of --grid and --labels whatever they say, for example EPSG:32632");
    t.add("boundary-px", &m_boundary_px)
        .range(0, 1000)
        .unit("px")
        .help("Width of the boundary class, half on each side");
    t.add("min-iou", &m_min_iou).range(0.01, 0.99).help("A match of two fields needs more than this IoU");
    t.add("bbox", &m_bbox)
        .count(4)
        .excludes("region")
        .help("Only inside xmin,ymin,xmax,ymax, in the CRS of the reference");
    t.add("region", &m_region).input("vector layer").help("Only inside these polygons");
    t.add("region-crs", &m_region_crs).help("CRS of the region whatever the file says");
    declare_blocks(t);
    t.add("out", &m_out)
        .output("file")
        .short_name('o')
        .help("JSON file to write; without it the JSON goes to the screen");
  }

  void check() const override {
    if (m_fields.empty() && m_labels.empty())
      throw geo::UsageError("give the map: field polygons, or a label raster with --labels");
    if (m_block_px > 0 && m_grid.empty() && m_labels.empty())
      throw geo::UsageError("--block-px needs --grid: blocks are squares of its pixels");
    if (m_block_px == 0 && !(m_scores.empty() && m_blocks_out.empty()))
      throw geo::UsageError("--scores and --blocks-out need --block-px, for example --block-px 64");
    check_bbox(m_bbox);
  }

  void run(StepContext& context) override {
    geo::Layer reference = geo::read_layer(m_reference, m_vector.read_options("--reference-crs"));
    const std::string grid_path = m_grid.empty() ? m_labels : m_grid;
    std::optional<geo::RasterReader> grid;
    if (!grid_path.empty()) grid.emplace(grid_path, grid_options());
    const geo::Crs crs = grid ? grid->grid().crs : planar_crs(reference);
    const auto region = region_in(reference.crs, crs);
    const auto reference_shapes = in_crs(reference, crs);

    Json result;
    std::vector<geo::MultiPolygon> shapes;
    std::optional<geo::RasterReader> labels;
    assessment::LabelSource map;
    if (m_labels.empty()) {
      shapes = read_map(crs);
      if (grid) map = assessment::polygon_source(shapes, grid->grid(), {m_boundary_px, {}});
    } else {
      labels.emplace(m_labels, grid_options());
      check_on_grid(*labels, *grid);
      map = assessment::raster_source(*labels);
    }
    if (grid) result["pixels"] = compare_pixels(map, reference_shapes, *grid, region, context);
    if (m_labels.empty()) {
      const auto objects = assessment::assess_objects(shapes, reference_shapes, {m_min_iou, region});
      context.record("object_f1", objects.f1());
      result["fields"] = to_json(objects, m_min_iou);
    }
    if (m_block_px > 0)
      result["blocks"] =
          compare_blocks({map, {}, nullptr, shapes, reference_shapes, region, nullptr}, *grid, context);
    const std::string text = result.dump(2) + "\n";
    if (m_out.empty()) {
      context.out() << text;
    } else {
      geo::write_text_file(m_out, text, context.overwrite());
    }
  }

 private:
  void declare_blocks(OptionTable& t) {
    const char* group = "Intervals";
    t.add("block-px", &m_block_px)
        .range(0, 100000)
        .unit("px")
        .group(group)
        .help("Side of the blocks for 95 % intervals by a spatial block bootstrap; 0 = no intervals");
    t.add("bootstrap", &m_bootstrap).range(1, 1000000).group(group).help("Draws of the bootstrap");
    t.add("seed", &m_seed).at_least(0).group(group).help("Seed of the bootstrap");
    t.add("boundary-tolerance-px", &m_tolerance)
        .range(0, 20)
        .unit("px")
        .group(group)
        .help("A boundary pixel is right when one of the other map lies as near as this");
    t.add("scores", &m_scores)
        .input("raster")
        .group(group)
        .help("Class scores of the map, for calibration: bands background, interior, boundary");
    t.add("blocks-out", &m_blocks_out)
        .output("file")
        .group(group)
        .help("CSV with the counts of every block, to compare maps block by block");
  }

  [[nodiscard]] std::vector<geo::MultiPolygon> read_map(const geo::Crs& crs) const {
    VectorOptions vector = m_vector;
    vector.layer = m_layer;
    vector.crs = m_fields_crs;
    geo::Layer fields = geo::read_layer(m_fields, vector.read_options("--fields-crs", false));
    return fields.features.empty() ? std::vector<geo::MultiPolygon>{} : in_crs(fields, crs);
  }

  static void check_on_grid(const geo::RasterReader& raster, const geo::RasterReader& grid) {
    if (raster.grid().same_as(grid.grid())) return;
    throw geo::InvalidArgument(geo::concat("raster ", geo::quoted(raster.path()),
                                           " does not have the grid of ", geo::quoted(grid.path())));
  }

  Json compare_blocks(assessment::BlockInputs inputs, const geo::RasterReader& grid,
                      StepContext& context) const {
    inputs.reference = assessment::polygon_source(inputs.reference_fields, grid.grid(), {m_boundary_px, {}});
    if (m_labels.empty())
      inputs.valid = &grid;
    else
      inputs.reference_fields = {};
    std::optional<geo::RasterReader> scores;
    if (!m_scores.empty()) {
      scores.emplace(m_scores, grid_options());
      check_on_grid(*scores, grid);
      inputs.scores = &*scores;
    }
    const auto blocks =
        assessment::count_blocks(inputs, grid.grid(), {m_block_px, m_tolerance, m_min_iou}, context.exec());
    if (!m_blocks_out.empty()) assessment::write_blocks(blocks, m_blocks_out, context.overwrite());
    Json result{{"block_px", m_block_px},
                {"blocks", blocks.size()},
                {"bootstrap", m_bootstrap},
                {"seed", m_seed},
                {"boundary_tolerance_px", m_tolerance}};
    result.update(intervals(blocks, m_bootstrap, static_cast<std::uint64_t>(m_seed)));
    return result;
  }

  [[nodiscard]] geo::RasterReadOptions grid_options() const {
    geo::RasterReadOptions options;
    options.crs_switch = "--grid-crs";
    if (!m_grid_crs.empty()) options.override_crs = geo::Crs::from_user_input(m_grid_crs);
    return options;
  }

  /// Areas need a planar CRS: the layer's own when it is projected, else equal-area around its centre.
  static geo::Crs planar_crs(const geo::Layer& layer) {
    if (!layer.crs.is_geographic()) return layer.crs;
    geo::Box box;
    for (const auto& feature : layer.features) box.expand(geo::bounds(feature.geometry));
    return geo::Crs::local_equal_area(box.centre().x, box.centre().y);
  }

  static std::vector<geo::MultiPolygon> in_crs(geo::Layer& layer, const geo::Crs& crs) {
    const geo::CoordinateTransform transform(layer.crs, crs);
    auto shapes = shapes_of(layer);
    for (auto& shape : shapes) shape = transform.apply(std::move(shape));
    return shapes;
  }

  [[nodiscard]] std::optional<geo::MultiPolygon> region_in(const geo::Crs& reference,
                                                           const geo::Crs& crs) const {
    if (!m_bbox.empty()) {
      const geo::MultiPolygon box{geo::to_polygon(bbox_of(m_bbox))};
      return geo::CoordinateTransform(reference, crs).apply(box);
    }
    if (m_region.empty()) return std::nullopt;
    VectorOptions vector = m_vector;
    vector.layer.clear();
    vector.crs = m_region_crs;
    geo::LayerReadOptions options = vector.read_options("--region-crs");
    options.target_crs = crs;
    const geo::Layer layer = geo::read_layer(m_region, options);
    geo::MultiPolygon all;
    for (const auto& feature : layer.features)
      all.insert(all.end(), feature.geometry.begin(), feature.geometry.end());
    return all;
  }

  Json compare_pixels(const assessment::LabelSource& map, const std::vector<geo::MultiPolygon>& reference,
                      const geo::RasterReader& grid, const std::optional<geo::MultiPolygon>& region,
                      StepContext& context) const {
    const auto truth = assessment::polygon_source(reference, grid.grid(), {m_boundary_px, {}});
    const auto accuracy = assessment::assess_pixels(map, truth, grid.grid(), region,
                                                    m_labels.empty() ? &grid : nullptr, context.exec());
    if (accuracy.pixels == 0)
      geo::log_warning("no pixel could be compared: the grid has no valid pixel there");
    context.record("extent_iou", accuracy.extent.iou());
    context.record("extent_f1", accuracy.extent.f1());
    return to_json(accuracy);
  }

  std::string m_fields;
  std::string m_labels;
  std::string m_layer;
  std::string m_fields_crs;
  std::string m_reference;
  VectorOptions m_vector;
  std::string m_grid;
  double m_boundary_px = 2.0;
  double m_min_iou = 0.5;
  std::vector<double> m_bbox;
  std::string m_grid_crs;
  std::string m_region;
  std::string m_region_crs;
  std::int64_t m_block_px = 0;
  std::int64_t m_bootstrap = 1000;
  std::int64_t m_seed = 1;
  double m_tolerance = 1.0;
  std::string m_scores;
  std::string m_blocks_out;
  std::string m_out;
};

}  // namespace

std::unique_ptr<Step> make_assess() {
  return std::make_unique<Assess>();
}

}  // namespace furrow::workflow
