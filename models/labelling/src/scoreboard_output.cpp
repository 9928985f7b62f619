#include <furrow/labelling/scoreboard_output.h>

#include <algorithm>
#include <cmath>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/layer_writer.h>

namespace furrow::labelling {
namespace {

using geo::FieldType;
using geo::Value;

Value real(double value) {
  return std::isnan(value) ? Value{} : Value{value};
}

Value text(const std::string& value) {
  return value.empty() ? Value{} : Value{value};
}

Value whole(std::int64_t value) {
  return Value{value};
}

/// Fills a layer row by row; the first row, which is only a pattern, declares the columns.
class Rows {
 public:
  explicit Rows(geo::Layer& layer) : m_layer(layer) {}

  void begin(const geo::MultiPolygon& shape = {}) { m_layer.features.push_back({-1, shape, {}}); }

  /// Ends the pattern row and removes it: a table without rows has its columns too.
  void end_pattern() {
    m_declaring = false;
    m_layer.features.clear();
  }

  void add(const char* name, FieldType type, Value value) {
    if (m_declaring) m_layer.fields.push_back({name, type, ""});
    m_layer.features.back().values.push_back(std::move(value));
  }
  void add(const char* name, double value) { add(name, FieldType::kReal, real(value)); }
  void add(const char* name, const std::string& value) { add(name, FieldType::kString, text(value)); }
  void add(const char* name, std::int64_t value) { add(name, FieldType::kInteger, whole(value)); }
  void add(const char* name, const Measure& m) { add(name, m.value); }

 private:
  geo::Layer& m_layer;
  bool m_declaring = true;
};

std::string status(const Measure& m) {
  return m.defined() ? "defined" : m.reason;
}

void add_corrected(Rows& rows, const AssignmentScore& score) {
  const CorrectedScores s = score.corrected.value_or(CorrectedScores{});
  const bool scored = score.corrected.has_value();
  const auto count = [&](const char* name, std::int64_t value) {
    rows.add(name, FieldType::kInteger, scored ? whole(value) : Value{});
  };
  const auto number = [&](const char* name, double value) {
    rows.add(name, FieldType::kReal, scored ? real(value) : Value{});
  };
  rows.add("EdgeCorrectness", s.edge_correctness);
  rows.add("EdgeCompleteness", s.edge_completeness);
  rows.add("outline_bias_m", s.outline_bias_m);
  rows.add("outline_distance95_m", s.outline_distance95_m);
  count("n_reference", s.reference_fields);
  count("n_labeller", s.labeller_fields);
  count("n_matched", s.matched);
  count("n_splits", s.splits);
  count("n_merges", s.merges);
  number("tp_m2", s.areas.tp_m2);
  number("fp_m2", s.areas.fp_m2);
  number("fn_m2", s.areas.fn_m2);
  number("tn_m2", s.areas.tn_m2);
  number("unsure_share", s.unsure_share);
}

void add_compatible(Rows& rows, const AssignmentScore& score) {
  const CompatibleScores s = score.compatible.value_or(CompatibleScores{});
  const bool scored = score.compatible.has_value();
  const auto number = [&](const char* name, double value) {
    rows.add(name, FieldType::kReal, scored ? real(value) : Value{});
  };
  const auto count = [&](const char* name, std::int64_t value) {
    rows.add(name, FieldType::kInteger, scored ? whole(value) : Value{});
  };
  number("Out", s.out);
  number("Count", s.count);
  number("OldScore", s.old_score);
  count("case", s.kind);
  count("n_reference", s.reference_count);
  count("n_labeller", s.labeller_count);
  count("n_matched", s.matched);
  number("tp_m2", s.inside.tp_m2);
  number("fp_m2", s.inside.fp_m2);
  number("fn_m2", s.inside.fn_m2);
  number("tn_m2", s.inside.tn_m2);
}

void add_assignment(Rows& rows, const Assignment& a, const AssignmentScore& score, ScoreMode mode) {
  rows.add("name", a.site);
  rows.add("assignment_id", a.id);
  rows.add("Labeller", a.labeller);
  rows.add("Class", a.site_class);
  rows.add("status", a.status);
  rows.add("completion_time", a.completion_time);
  rows.add("reference", score.reference);
  const std::pair<const char*, const Measure*> measures[] = {{"Score", &score.score},
                                                             {"N", &score.n},
                                                             {"Edge", &score.edge},
                                                             {"Area", &score.area},
                                                             {"Categorical", &score.category},
                                                             {"Qscore", &score.score},
                                                             {"FieldSkill", &score.field_skill},
                                                             {"NoFieldSkill", &score.nofield_skill}};
  for (const auto& [name, measure] : measures) rows.add(name, *measure);
  for (const auto& [name, measure] : measures) {
    if (std::string(name) != "Qscore") rows.add(geo::concat(name, "_status").c_str(), status(*measure));
  }
  if (mode == ScoreMode::kCorrected) {
    add_corrected(rows, score);
  } else {
    add_compatible(rows, score);
  }
}

geo::Layer assignment_layer(const Campaign& campaign, const Scoreboard& board) {
  geo::Layer layer;
  layer.name = "assignments";
  layer.crs = campaign.crs;
  Rows rows(layer);
  rows.begin();
  add_assignment(rows, {}, {}, board.mode);
  rows.end_pattern();
  for (const auto& score : board.assignments) {
    const Assignment& a = campaign.assignments[score.assignment];
    const Site* site = campaign.find_site(a.site);
    rows.begin(site == nullptr ? geo::MultiPolygon{} : site->cell);
    add_assignment(rows, a, score, board.mode);
  }
  return layer;
}

void add_labeller(Rows& rows, const LabellerScore& l) {
  rows.add("Labeller", l.labeller);
  rows.add("n_assignments", l.assignments);
  rows.add("n_scored", l.scored);
  rows.add("Score", l.score);
  rows.add("FieldSkill", l.field_skill.mean);
  rows.add("FieldSkill_low", l.field_skill.low);
  rows.add("FieldSkill_high", l.field_skill.high);
  rows.add("NoFieldSkill", l.nofield_skill.mean);
  rows.add("NoFieldSkill_low", l.nofield_skill.low);
  rows.add("NoFieldSkill_high", l.nofield_skill.high);
  rows.add("N", l.n);
  rows.add("Edge", l.edge);
  rows.add("Area", l.area);
  rows.add("Categorical", l.category);
}

geo::Layer labeller_table(const Scoreboard& board) {
  geo::Layer table;
  table.name = "labellers";
  Rows rows(table);
  rows.begin();
  add_labeller(rows, {});
  rows.end_pattern();
  for (const auto& labeller : board.labellers) {
    rows.begin();
    add_labeller(rows, labeller);
  }
  return table;
}

geo::CsvTable csv_of(const geo::Layer& layer) {
  geo::CsvTable table;
  for (const auto& field : layer.fields) table.columns.push_back(field.name);
  for (const auto& feature : layer.features) {
    std::vector<std::string> row;
    for (const auto& value : feature.values) {
      row.push_back(std::holds_alternative<std::monostate>(value) ? "NA" : geo::as_text(value));
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace

void write_scoreboard(const Campaign& campaign, const Scoreboard& board, const std::filesystem::path& folder,
                      bool overwrite) {
  const auto assignments_path = folder / "assignments.csv";
  const auto labellers_path = folder / "labellers.csv";
  const auto package_path = folder / "scores.gpkg";
  for (const auto& path : {assignments_path, labellers_path, package_path})
    geo::check_output_path(path, overwrite);
  geo::PackagedLayer assignments{
      assignment_layer(campaign, board),
      "Quality of every assignment against the reference of its site; one site cell per row",
      true,
      {}};
  const geo::PackagedLayer labellers{
      labeller_table(board), "Labellers over all their scored assignments", false, {}};
  geo::write_csv(csv_of(assignments.layer), assignments_path, overwrite);
  geo::write_csv(csv_of(labellers.layer), labellers_path, overwrite);
  geo::write_geopackage({assignments, labellers}, package_path, overwrite);
}

}  // namespace furrow::labelling
