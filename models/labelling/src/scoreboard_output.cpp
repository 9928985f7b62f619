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
  return std::isfinite(value) ? Value{value} : Value{};
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

std::string joined(const std::vector<std::string>& texts) {
  return geo::join(texts, "; ");
}

void add_labeller(Rows& rows, const LabellerScore& l, const LabellerReport& r) {
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
  rows.add("Level", r.level.mean);
  rows.add("Level_low", r.level.low);
  rows.add("Level_high", r.level.high);
  rows.add("reliability", r.reliability);
  rows.add("trend_per_100", r.drift.slope_per_100);
  rows.add("trend_p", r.drift_p);
  rows.add("n_field_sites", r.field_sites);
  rows.add("n_empty_maps", r.empty_maps);
  rows.add("spammer_score", r.spammer_score);
  rows.add("flags", joined(r.flags));
}

void add_drift(Rows& rows, const std::string& labeller, const LabellerReport& r) {
  rows.add("Labeller", labeller);
  rows.add("n_scores", r.drift.scores);
  rows.add("first", r.first_order);
  rows.add("last", r.last_order);
  rows.add("mean_first_20", r.drift.first);
  rows.add("mean_later", r.drift.later);
  rows.add("trend_per_100", r.drift.slope_per_100);
  rows.add("trend_p", r.drift.slope_p);
  rows.add("trend_p_adjusted", r.drift_p);
  rows.add("change_at", r.change_at);
  rows.add("mean_before", r.drift.before);
  rows.add("mean_after", r.drift.after);
  rows.add("change", r.drift.after - r.drift.before);
  rows.add("change_p", r.drift.change_p);
  rows.add("change_p_adjusted", r.change_p);
}

void add_pair(Rows& rows, const LabellerPair& p) {
  rows.add("Labeller", p.first);
  rows.add("other", p.second);
  rows.add("n_sites", p.sites);
  rows.add("IoU", p.iou);
  rows.add("kappa", p.kappa);
  rows.add("n_vertices", p.vertices);
  rows.add("same_vertices", p.same_vertices);
  rows.add("n_error_sites", p.error_sites);
  rows.add("shared_errors", p.shared_errors);
  rows.add("shared_errors_p", p.shared_errors_p);
  rows.add("shared_errors_p_adjusted", p.shared_errors_p_adjusted);
}

void add_spread(Rows& rows, const MeasureSpread& s) {
  constexpr double kReliability = 0.8;
  const VarianceComponents& v = s.adjusted;
  rows.add("measure", s.measure);
  rows.add("n_scores", v.scores);
  rows.add("n_labellers", v.labellers);
  rows.add("n_sites", v.sites);
  rows.add("mean", v.mean);
  rows.add("sd_labeller", v.sd_labeller);
  rows.add("sd_site", v.sd_site);
  rows.add("sd_rest", v.sd_rest);
  rows.add("icc", v.intraclass_correlation());
  rows.add("sites_for_80", v.sites_for_reliability(kReliability));
  rows.add("raw_sd_labeller", s.raw.sd_labeller);
  rows.add("raw_sd_rest", s.raw.sd_rest);
  rows.add("raw_icc", s.raw.intraclass_correlation());
  rows.add("raw_sites_for_80", s.raw.sites_for_reliability(kReliability));
  rows.add("note", v.note);
}

void add_stratum(Rows& rows, const StratumSkill& s) {
  rows.add("Labeller", s.labeller);
  rows.add("by", s.by);
  rows.add("stratum", s.stratum);
  rows.add("n_fields", s.fields);
  rows.add("matched", s.matched);
  rows.add("FieldSkill", s.field_skill.mean);
  rows.add("FieldSkill_low", s.field_skill.low);
  rows.add("FieldSkill_high", s.field_skill.high);
}

/// A table with one row per item; `add` fills a row and, given a default item, names the columns.
template <class Item, class Add>
geo::Layer table_of(const char* name, const std::vector<Item>& items, const Add& add) {
  geo::Layer table;
  table.name = name;
  Rows rows(table);
  rows.begin();
  add(rows, Item{});
  rows.end_pattern();
  for (const auto& item : items) {
    rows.begin();
    add(rows, item);
  }
  return table;
}

/// A labeller's scores with what they say about them.
using Labeller = std::pair<LabellerScore, LabellerReport>;

std::vector<Labeller> labellers_of(const Scoreboard& board, const SkillReport& report) {
  std::vector<Labeller> all;
  for (std::size_t i = 0; i < board.labellers.size(); ++i)
    all.emplace_back(board.labellers[i], report.labellers[i]);
  return all;
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

void write_scoreboard(const Campaign& campaign, const Scoreboard& board, const SkillReport& report,
                      const std::filesystem::path& folder, bool overwrite) {
  const auto labellers = labellers_of(board, report);
  const std::vector<geo::PackagedLayer> layers{
      {assignment_layer(campaign, board),
       "Quality of every assignment against the reference of its site; one site cell per row",
       true,
       {}},
      {table_of("labellers", labellers,
                [](Rows& rows, const Labeller& l) { add_labeller(rows, l.first, l.second); }),
       "Labellers over all their scored assignments",
       false,
       {}},
      {table_of("pairs", report.agreement.pairs, add_pair),
       "How far two labellers agree on the sites that both mapped",
       false,
       {}},
      {table_of("drift", labellers,
                [](Rows& rows, const Labeller& l) { add_drift(rows, l.first.labeller, l.second); }),
       "Whether a labeller's scores change, site difficulty taken out",
       false,
       {}},
      {table_of("strata", report.strata, add_stratum),
       "Field skill of every labeller by size and category of the reference's fields",
       false,
       {}},
      {table_of("spread", report.spread, add_spread),
       "How much of the spread of scores lies between labellers and between sites",
       false,
       {}}};
  const auto csv_path = [&](const geo::Layer& layer) { return folder / (layer.name + ".csv"); };
  const auto package_path = folder / "scores.gpkg";
  for (const auto& layer : layers) geo::check_output_path(csv_path(layer.layer), overwrite);
  geo::check_output_path(package_path, overwrite);
  for (const auto& layer : layers) geo::write_csv(csv_of(layer.layer), csv_path(layer.layer), overwrite);
  geo::write_geopackage(layers, package_path, overwrite);
}

}  // namespace furrow::labelling
