#include <algorithm>
#include <memory>
#include <ostream>
#include <string>

#include <nlohmann/json.hpp>

#include <furrow/geo/core/text.h>
#include <furrow/labelling/site_files.h>
#include <furrow/workflow/step.h>

#include "json_number.h"
#include "vector_options.h"

namespace furrow::workflow {
namespace {

using Json = nlohmann::ordered_json;

struct NamedMeasure {
  const char* name;
  const labelling::Measure* measure;
};

std::vector<NamedMeasure> measures_of(const labelling::AssignmentScore& s) {
  return {{"area", &s.area},
          {"n", &s.n},
          {"edge", &s.edge},
          {"categorical", &s.category},
          {"qscore", &s.score},
          {"field_skill", &s.field_skill},
          {"nofield_skill", &s.nofield_skill}};
}

Json to_json(const labelling::Measure& m) {
  return {{"value", m.defined() ? number(m.value) : Json(nullptr)},
          {"status", m.defined() ? "defined" : m.reason}};
}

Json details(const labelling::CorrectedScores& s) {
  return {{"reference_fields", s.reference_fields},
          {"labeller_fields", s.labeller_fields},
          {"matched", s.matched},
          {"splits", s.splits},
          {"merges", s.merges},
          {"edge_correctness", to_json(s.edge_correctness)},
          {"edge_completeness", to_json(s.edge_completeness)},
          {"outline_bias_m", to_json(s.outline_bias_m)},
          {"outline_distance95_m", to_json(s.outline_distance95_m)},
          {"tp_m2", s.areas.tp_m2},
          {"fp_m2", s.areas.fp_m2},
          {"fn_m2", s.areas.fn_m2},
          {"tn_m2", s.areas.tn_m2},
          {"unsure_share", s.unsure_share}};
}

Json details(const labelling::CompatibleScores& s) {
  return {{"case", s.kind},
          {"old_score", number(s.old_score)},
          {"count", number(s.count)},
          {"out", number(s.out)},
          {"reference_fields", s.reference_count},
          {"labeller_fields", s.labeller_count},
          {"matched", s.matched},
          {"tp_m2", s.inside.tp_m2},
          {"fp_m2", s.inside.fp_m2},
          {"fn_m2", s.inside.fn_m2},
          {"tn_m2", s.inside.tn_m2}};
}

class ScoreSite final : public Step {
 public:
  [[nodiscard]] StepInfo info() const override {
    return {"score site",
            "Measure one map against the reference of its site",
            "Scores one site from three vector files, without a catalogue: the reference map, the map to "
            "score, and the cell of the site. The measures are those of 'score'; each comes with its status, "
            "'defined' or why it has no value. A layer of fields without features is an answer (no field); a "
            "cell without polygons is an error. Files may have different CRSs: distances and areas are taken "
            "on the ground.\n\n"
            "--mode compatible repeats the published platform's measures with their peculiarities, to "
            "compare with published figures.",
            {{"One map, on the screen", "furrow score site reference.gpkg labels.gpkg cell.gpkg"},
             {"As JSON for a program",
              "furrow score site --reference reference.gpkg --labels labels.gpkg --cell cell.gpkg --json"}}};
  }

  void declare(OptionTable& t) override {
    t.add("reference", &m_reference)
        .required()
        .positional()
        .input("vector layer")
        .help("Polygons of the reference map");
    t.add("labels", &m_labels)
        .required()
        .positional()
        .input("vector layer")
        .help("Polygons of the map to score, with a field category where there is one");
    t.add("cell", &m_cell)
        .required()
        .positional()
        .input("vector layer")
        .help("The site: one polygon, or several that are taken together");
    t.add("json", &m_json).help("Print JSON");
    m_reference_options.declare(t, "reference", true);
    m_labels_options.declare(t, "labels", true);
    m_cell_options.declare(t, "cell", true);
    t.add("mode", &m_mode)
        .choices({"corrected", "compatible"})
        .group("Scoring")
        .help("Furrow's measures, or those of the published platform");
    t.add("edge-buffer-m", &m_options.compatible.edge_buffer_m)
        .range(0.01, 1000.0)
        .unit("m")
        .group("Scoring")
        .help("Outlines nearer than this agree");
    t.add("category", &m_options.compatible.categories)
        .group("Scoring")
        .help("Classes of the category measure in compatible mode; default: all but unsure2");
  }

  void run(StepContext& context) override {
    m_options.mode =
        m_mode == "compatible" ? labelling::ScoreMode::kCompatible : labelling::ScoreMode::kCorrected;
    m_options.corrected.edge_buffer_m = m_options.compatible.edge_buffer_m;
    const labelling::SiteMapFiles files{source(m_reference, m_reference_options),
                                        source(m_labels, m_labels_options), source(m_cell, m_cell_options),
                                        m_reference_options.read_options("").invalid};
    const auto score = labelling::score_maps(labelling::read_site_maps(files, m_options.mode), m_options);
    if (m_json) {
      print_json(score, context.out());
    } else {
      print_table(score, context.out());
    }
  }

 private:
  static labelling::SiteLayer source(const std::string& path, const VectorOptions& options) {
    return {path, options.layer, options.crs.empty() ? geo::Crs() : geo::Crs::from_user_input(options.crs)};
  }

  void print_json(const labelling::AssignmentScore& score, std::ostream& out) const {
    Json json{{"mode", m_mode}};
    for (const auto& [name, measure] : measures_of(score)) json[name] = to_json(*measure);
    json["details"] = score.corrected ? details(*score.corrected) : details(*score.compatible);
    out << json.dump(2) << '\n';
  }

  static void print_table(const labelling::AssignmentScore& score, std::ostream& out) {
    constexpr std::size_t kNameWidth = 15;
    constexpr std::size_t kValueWidth = 10;
    for (const auto& [name, measure] : measures_of(score)) {
      const std::string value = measure->defined() ? geo::fixed(measure->value, 4) : "NA";
      std::string line = name + std::string(kNameWidth - std::string_view(name).size(), ' ') + value;
      if (!measure->defined()) {
        line += std::string(kValueWidth - std::min(value.size(), kValueWidth), ' ') + measure->reason;
      }
      out << line << '\n';
    }
  }

  labelling::ScoreboardOptions m_options;
  VectorOptions m_reference_options;
  VectorOptions m_labels_options;
  VectorOptions m_cell_options;
  std::string m_reference;
  std::string m_labels;
  std::string m_cell;
  std::string m_mode = "corrected";
  bool m_json = false;
};

}  // namespace

std::unique_ptr<Step> make_score_site() {
  return std::make_unique<ScoreSite>();
}

}  // namespace furrow::workflow
