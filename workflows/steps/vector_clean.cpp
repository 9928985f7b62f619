#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/topology/clean.h>
#include <furrow/geo/vector/layer.h>
#include <furrow/geo/vector/layer_writer.h>
#include <furrow/workflow/step.h>

#include "vector_output.h"

namespace furrow::workflow {
namespace {

class VectorClean final : public Step {
 public:
  [[nodiscard]] StepInfo info() const override {
    return {
        "vector clean",
        "Clean anyone's polygon layer: no overlaps, no cracks, shared edges, and a report of what changed",
        "Repairs invalid polygons, drops duplicates, gives every overlap to one polygon, closes gaps "
        "narrower "
        "than a width, merges fields that were cut at tile borders, absorbs slivers and small pieces into "
        "the "
        "neighbour with the longest common edge, and simplifies edges once for both neighbours. Neighbours "
        "share their edges vertex by vertex afterwards. Attributes stay. Lengths are metres on the ground in "
        "any CRS.\n\n"
        "All coordinates are rounded to --precision-m. Wide gaps (roads, rivers) stay. Method: snap rounding "
        "to a planar partition, faces given to one owner each, and dissolved.",
        {{"With a report and what was left out",
          "furrow vector clean sample_data/truth.gpkg --out out/clean.gpkg --rejects out/rejects.gpkg "
          "--report "
          "out/clean.json"},
         {"Fields of a model that cut them at its tiles, simplified",
          "furrow vector clean tiles.gpkg --merge-seams found --min-area-m2 500 --simplify-m 5 --out "
          "fields.gpkg"}}};
  }

  void declare(OptionTable& t) override {
    t.add("polygons", &m_polygons).positional().required().input("vector layer").help("Layer of polygons");
    t.add("layer", &m_layer).help("Layer of the file; default: its only polygon layer");
    t.add("polygons-crs", &m_crs).help("CRS of the polygons whatever the file says, for example EPSG:32632");
    t.add("id", &m_options.id)
        .help("Field that tells polygons apart: the result does not depend on their order then");
    t.add("out", &m_out)
        .required()
        .output("vector layer")
        .short_name('o')
        .help("Layer to write (.gpkg, .geojson, .fgb, .shp)");
    t.add("rejects", &m_rejects)
        .output("vector layer")
        .help("Also write what is not in the result, with a field 'reason'");
    t.add("report", &m_report).output("file").help("Also write the report as JSON");
    declare_topology(t);
    declare_shapes(t);
  }

  void check() const override {
    check_layer_format("--out", m_out, false);
    if (!m_rejects.empty()) check_layer_format("--rejects", m_rejects, false);
    if ((m_seams == "grid") != !m_seam_grid.empty()) {
      throw geo::UsageError(
          "--merge-seams grid and --seam-grid X0 Y0 DX DY go together; give both or neither");
    }
    if (!m_seam_grid.empty() && !(m_seam_grid[2] > 0.0 && m_seam_grid[3] > 0.0)) {
      throw geo::UsageError("--seam-grid needs distances DX and DY above 0");
    }
  }

  void run(StepContext& context) override {
    check_outputs(context.overwrite());
    geo::Layer layer = read();
    const bool is_empty = layer.features.empty();
    if (is_empty)
      geo::log_warning(geo::concat(geo::quoted(m_polygons), " holds no polygon; so does the result"));
    if (!m_seam_grid.empty()) {
      m_options.seam_grid = {m_seam_grid[0], m_seam_grid[1], m_seam_grid[2], m_seam_grid[3]};
    }
    m_options.overlaps = rules().at(m_overlaps);
    m_options.seams = seams().at(m_seams);
    geo::CleanedLayer cleaned;
    if (is_empty) {
      cleaned.layer = layer;
      cleaned.rejects = layer;
    } else {
      cleaned = geo::clean_layer(std::move(layer), m_options, context.exec());
    }
    geo::log_verbose(geo::to_table(cleaned.report));
    write(std::move(cleaned), context);
  }

 private:
  void declare_topology(OptionTable& t) {
    const char* group = "Overlaps, gaps, seams";
    t.add("duplicate-iou", &m_options.duplicate_iou)
        .range(0.01, 2.0)
        .group(group)
        .help(
            "Of polygons with at least this intersection over union only the largest stays; above 1 keeps "
            "all");
    t.add("overlaps", &m_overlaps)
        .choices({"smaller", "larger", "longest-edge", "first"})
        .group(group)
        .help(
            "Who gets ground that several polygons cover: the smaller one, the larger one, the one that lies "
            "along most of the overlap, or the one that comes first");
    t.add("gaps-m", &m_options.gaps_m)
        .range(0.0, 1e6)
        .unit("m")
        .group(group)
        .help("Gaps narrower than this go to the neighbour with the longest common edge; 0 keeps all gaps");
    t.add("merge-seams", &m_seams)
        .choices({"off", "found", "grid"})
        .group(group)
        .help(
            "Merge fields that were cut at tile borders: not at all, at straight lines that look like tile "
            "borders, or at the lines of --seam-grid");
    t.add("seam-grid", &m_seam_grid)
        .count(4)
        .group(group)
        .help("Tile borders x = X0 + i DX and y = Y0 + j DY: four numbers X0 Y0 DX DY in units of the CRS");
  }

  void declare_shapes(OptionTable& t) {
    const char* group = "Sizes and shapes";
    t.add("min-width-m", &m_options.min_width_m)
        .range(0.0, 1e6)
        .unit("m")
        .group(group)
        .help("Pieces narrower than this are absorbed by a neighbour or rejected; 0 keeps them");
    t.add("min-area-m2", &m_options.min_area_m2)
        .at_least(0.0)
        .unit("m2")
        .group(group)
        .help("The same for pieces smaller than this");
    t.add("simplify-m", &m_options.simplify_m)
        .range(0.0, 1e6)
        .unit("m")
        .group(group)
        .help("Tolerance of simplification: no vertex ends up further from the line; 0 keeps all vertices");
    t.add("precision-m", &m_options.precision_m)
        .range(1e-6, 1000.0)
        .unit("m")
        .group(group)
        .help("Coordinates are rounded to a power of ten of the CRS's unit, not above this");
  }

  static const std::map<std::string, geo::OverlapRule>& rules() {
    static const std::map<std::string, geo::OverlapRule> all{{"smaller", geo::OverlapRule::kSmaller},
                                                             {"larger", geo::OverlapRule::kLarger},
                                                             {"longest-edge", geo::OverlapRule::kLongestEdge},
                                                             {"first", geo::OverlapRule::kFirst}};
    return all;
  }
  static const std::map<std::string, geo::SeamMerge>& seams() {
    static const std::map<std::string, geo::SeamMerge> all{
        {"off", geo::SeamMerge::kOff}, {"found", geo::SeamMerge::kFound}, {"grid", geo::SeamMerge::kGrid}};
    return all;
  }

  void check_outputs(bool overwrite) const {
    for (const std::string& path : {m_out, m_rejects, m_report}) {
      if (!path.empty()) geo::check_output_path(path, overwrite);
    }
  }

  [[nodiscard]] geo::Layer read() const {
    geo::LayerReadOptions read;
    read.layer = m_layer;
    if (!m_crs.empty()) read.override_crs = geo::Crs::from_user_input(m_crs);
    read.crs_switch = "--polygons-crs";
    read.accept_empty = true;
    read.invalid = geo::InvalidGeometry::kKeep;
    return geo::read_layer(m_polygons, read);
  }

  void write(geo::CleanedLayer cleaned, StepContext& context) const {
    const geo::CleanReport& report = cleaned.report;
    context.record("features", report.features);
    context.record("repaired", report.repaired.count);
    context.record("overlaps_resolved", report.overlaps.count);
    context.record("gaps_closed", report.gaps.count);
    context.record("merged_at_seams", report.merged.count);
    context.record("pieces_absorbed", report.absorbed.count);
    context.record("pieces_rejected", report.rejected_pieces.count);
    for (const auto& [reason, change] : report.rejected) {
      context.record(geo::concat("rejected: ", reason), change.count);
    }
    context.record("fields", report.fields);
    if (report.fields == 0 && report.features > 0) {
      geo::log_warning(geo::concat("nothing of ", geo::quoted(m_polygons), " is left; the layer is empty"));
    }
    geo::write_layer(std::move(cleaned.layer), m_out, context.overwrite());
    if (!m_rejects.empty()) geo::write_layer(std::move(cleaned.rejects), m_rejects, context.overwrite());
    if (!m_report.empty()) geo::write_text_file(m_report, geo::to_json(report), context.overwrite());
  }

  std::string m_polygons, m_layer, m_crs, m_out, m_rejects, m_report;
  std::string m_overlaps = "smaller";
  std::string m_seams = "off";
  std::vector<double> m_seam_grid;
  geo::CleanOptions m_options;
};

}  // namespace

std::unique_ptr<Step> make_vector_clean() {
  return std::make_unique<VectorClean>();
}

}  // namespace furrow::workflow
