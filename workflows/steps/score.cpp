#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/labelling/scoreboard_output.h>
#include <furrow/workflow/step.h>

namespace furrow::workflow {
namespace {

class Score final : public Step {
 public:
  [[nodiscard]] StepInfo info() const override {
    return {"score",
            "Measure every labeller's map against the reference of its site",
            "Joins a catalogue of assignments with the polygons that were drawn, scores every assignment of "
            "a site "
            "that has a reference (class 1a), and sums up per labeller: mean scores, and the skills that "
            "'consensus' "
            "weighs votes with, each with a 90 % interval.\n\n"
            "Measures of an assignment: Area (share of the cell on which both maps agree), N (fields matched "
            "one to "
            "one), Edge (outlines within a buffer of each other) and Categorical (same category where both "
            "map a field); "
            "Score = 0.55 Area + 0.225 N + 0.1 Edge + 0.125 Categorical over the defined ones. A measure "
            "without a "
            "meaning at a site is NA, with the reason beside it. Assignments that cannot be scored are "
            "listed with the "
            "reason too; nobody gets a score for free. --mode compatible repeats the published platform's "
            "measures "
            "with their peculiarities, to compare with published figures.",
            {{"Scores of the sample campaign",
              "furrow score --catalogue sample_data/campaign/catalogue.csv --labels "
              "sample_data/campaign/labels.gpkg --sites sample_data/campaign/sites.gpkg --out out/scores"}}};
  }

  void declare(OptionTable& t) override {
    t.add("catalogue", &m_campaign.catalogue)
        .required()
        .positional()
        .input("table")
        .help("Table of assignments: name, Class, assignment_id, Labeller, and x, y without --sites");
    t.add("labels", &m_campaign.labels)
        .required()
        .input("vector layer")
        .help("Polygons with a field assignment_id, and category where there is one");
    t.add("sites", &m_campaign.sites)
        .input("vector layer")
        .help("Site cells with a field name; default: squares around x, y of the catalogue");
    t.add("out", &m_out)
        .required()
        .output("folder")
        .short_name('o')
        .help(
            "Folder for assignments.csv, labellers.csv, pairs.csv, drift.csv, strata.csv, spread.csv and "
            "scores.gpkg");
    t.add("layer", &m_campaign.labels_layer)
        .group("Input")
        .help("Layer of the labels; default: the only polygon layer");
    t.add("labels-crs", &m_labels_crs)
        .group("Input")
        .help("CRS of the labels whatever the file says, for example EPSG:4326");
    t.add("sites-crs", &m_sites_crs)
        .group("Input")
        .help("CRS of the site cells whatever the file says, for example EPSG:4326");
    t.add("invalid", &m_invalid)
        .choices({"error", "repair", "skip"})
        .group("Input")
        .help("What to do with polygons that cross themselves");
    t.add("cell-degrees", &m_campaign.cell_degrees)
        .range(1e-5, 10.0)
        .unit("degrees")
        .group("Input")
        .excludes("sites")
        .help("Side of the square cells around x, y");
    declare_scoring(t);
  }

  void run(StepContext& context) override {
    geo::AtomicFolder folder(m_out, context.overwrite());
    if (!m_labels_crs.empty()) m_campaign.labels_crs = geo::Crs::from_user_input(m_labels_crs);
    if (!m_sites_crs.empty()) m_campaign.sites_crs = geo::Crs::from_user_input(m_sites_crs);
    m_campaign.invalid = m_invalid == "repair" ? geo::InvalidGeometry::kRepair
                         : m_invalid == "skip" ? geo::InvalidGeometry::kSkip
                                               : geo::InvalidGeometry::kError;
    std::vector<labelling::CampaignProblem> problems;
    const labelling::Campaign campaign = labelling::read_campaign(m_campaign, problems);
    m_options.mode =
        m_mode == "compatible" ? labelling::ScoreMode::kCompatible : labelling::ScoreMode::kCorrected;
    for (auto& name : m_options.reference_classes) name = geo::to_lower(name);
    m_options.corrected.edge_buffer_m = m_options.compatible.edge_buffer_m;
    const auto board = labelling::score_campaign(campaign, m_options, context.exec());
    m_report.pairs.reference_classes = m_options.reference_classes;
    const auto report = labelling::report_skills(campaign, board, m_report, context.exec());
    labelling::write_scoreboard(campaign, board, report, folder.temporary(), false);
    folder.commit();
    for (const auto& note : board.notes) geo::log_warning(note);
    for (const auto& p : problems) context.fail(p.input, p.message);
    for (const auto& p : board.problems) context.fail(p.input, p.message);
    for (const auto& p : report.agreement.problems) context.fail(p.input, p.message);
    record(context, board, report);
  }

 private:
  void declare_scoring(OptionTable& t) {
    t.add("mode", &m_mode)
        .choices({"corrected", "compatible"})
        .group("Scoring")
        .help("Furrow's measures, or those of the published platform");
    t.add("edge-buffer-m", &m_options.compatible.edge_buffer_m)
        .range(0.01, 1000.0)
        .unit("m")
        .group("Scoring")
        .help("Outlines nearer than this agree");
    t.add("reference-class", &m_options.reference_classes)
        .group("Scoring")
        .help("Classes whose maps are the reference of their site");
    t.add("site-effective-size", &m_options.site_effective_size)
        .range(0.1, 1e6)
        .group("Scoring")
        .help(
            "Independent looks that one whole cell is worth in the skills (corrected mode); default: "
            "estimated, 15 where there is too little data");
    t.add("category", &m_options.compatible.categories)
        .group("Scoring")
        .help("Classes of the category measure in compatible mode; default: all but unsure2");
  }

  static void record(StepContext& context, const labelling::Scoreboard& board,
                     const labelling::SkillReport& report) {
    std::int64_t scored = 0;
    for (const auto& score : board.assignments) scored += score.unscorable.empty() ? 1 : 0;
    std::int64_t flagged = 0;
    for (const auto& labeller : report.labellers) flagged += labeller.flags.empty() ? 0 : 1;
    context.record("assignments", static_cast<std::int64_t>(board.assignments.size()));
    context.record("scored", scored);
    context.record("labellers", static_cast<std::int64_t>(board.labellers.size()));
    context.record("labellers with flags", flagged);
    if (report.agreement.alpha)
      context.record("Krippendorff alpha", std::round(1000.0 * *report.agreement.alpha) / 1000.0);
    const double needed = report.spread.front().adjusted.sites_for_reliability(0.8);
    if (std::isfinite(needed))
      context.record("scored sites needed for reliability 0.8", static_cast<std::int64_t>(std::ceil(needed)));
    if (scored == 0) geo::log_warning("no assignment could be scored; assignments.csv says why for each");
    summarise(board, report);
  }

  /// The table of labellers for people, with -v.
  static void summarise(const labelling::Scoreboard& board, const labelling::SkillReport& report) {
    std::map<std::string, int> reasons;
    for (const auto& score : board.assignments) {
      if (!score.unscorable.empty()) ++reasons[score.unscorable];
    }
    for (const auto& [reason, count] : reasons) geo::log_verbose(geo::concat(count, " not scored: ", reason));
    if (!report.ordered_by_time && scored_any(board))
      geo::log_verbose(
          "drift: some scored assignment has no completion_time; the order of assignment_ids is used");
    for (std::size_t i = 0; i < board.labellers.size(); ++i) {
      const auto& l = board.labellers[i];
      const auto& r = report.labellers[i];
      const std::string flags = r.flags.empty() ? "" : "; look at: " + geo::join(r.flags, "; ");
      if (l.scored == 0) {
        geo::log_verbose(geo::concat(l.labeller, ": nothing scored yet", flags));
        continue;
      }
      const std::string interval =
          std::isnan(r.level.low)
              ? " (interval unknown)"
              : geo::concat(" (", geo::fixed(r.level.low, 2), " to ", geo::fixed(r.level.high, 2), ')');
      geo::log_verbose(geo::concat(l.labeller, ": ", l.scored, " scored, level ", geo::fixed(r.level.mean, 2),
                                   interval, ", field skill ", geo::fixed(l.field_skill.mean, 2),
                                   ", no-field skill ", geo::fixed(l.nofield_skill.mean, 2), flags));
    }
  }

  static bool scored_any(const labelling::Scoreboard& board) {
    return std::ranges::any_of(board.assignments, [](const auto& s) { return s.unscorable.empty(); });
  }

  labelling::CampaignOptions m_campaign;
  labelling::ScoreboardOptions m_options;
  labelling::SkillReportOptions m_report;
  std::string m_labels_crs;
  std::string m_sites_crs;
  std::string m_invalid = "error";
  std::string m_mode = "corrected";
  std::string m_out;
};

}  // namespace

std::unique_ptr<Step> make_score() {
  return std::make_unique<Score>();
}

}  // namespace furrow::workflow
