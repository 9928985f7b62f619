#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/labelling/campaign_plan.h>
#include <furrow/workflow/step.h>

#include "json_number.h"

namespace furrow::workflow {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

class ConsensusPlan final : public Step {
 public:
  [[nodiscard]] StepInfo info() const override {
    return {
        "consensus plan",
        "How many labellers per site, and how many expert sites, a budget is best spent on",
        "Reads what is known of the labellers, as 'consensus' or 'score' writes it, and says for every "
        "number "
        "of labellers per site and share of expert sites how many sites the budget pays for and how much of "
        "them will be labelled wrongly.\n\n"
        "The labellers of a site are drawn from those in the table. For each draw every combination of their "
        "answers is enumerated, field or not; the expected risk is the share of pixels that the best "
        "decision "
        "gets wrong. Labellers who repeat each other's errors count for less (--dependence). The interval "
        "says how far the labellers' skills are known.\n\n"
        "The best choice is the one with the most area put right by its maps. Without a limit, many sites "
        "mapped once mostly win: say with --sites how many sites there are, or with --max-risk how good "
        "labels must be.",
        {{"500 sites and a budget of 1500 maps, after a first campaign",
          "furrow consensus plan out/consensus --budget 1500 --sites 500"},
         {"From the table of labellers alone; an expert's map costs 8, a labeller's 1.5",
          "furrow consensus plan out/scores/labellers.csv --field-share 0.3 --budget 3000 --map-cost 1.5 "
          "--expert-cost 8 --expert-share 0 0.1 0.2 --max-risk 0.08 --out out/plan.csv"}}};
  }

  void declare(OptionTable& t) override {
    t.add("skills", &m_skills)
        .help("Folder of 'consensus', or a table labellers.csv")
        .input("folder or table")
        .positional()
        .required();
    t.add("budget", &m_options.budget)
        .help("What may be spent, in the unit of the costs")
        .range(1e-9, 1e15)
        .required();
    t.add("map-cost", &m_options.map_cost).help("Cost of one labeller's map").range(1e-9, 1e12);
    t.add("expert-cost", &m_options.expert_cost).help("Cost of an expert's map").range(1e-9, 1e12);
    t.add("expert-error", &m_options.expert_error)
        .help("Share of an expert's map that is wrong")
        .range(0.0, 1.0);
    t.add("expert-share", &m_options.expert_shares)
        .help("Shares of the sites that experts map, to compare")
        .range(0.0, 1.0);
    t.add("max-labellers", &m_max_labellers).help("Most labellers per site").range(1, 9);
    t.add("sites", &m_options.sites).help("Sites that there are; 0 = no limit").range(0, 1e15);
    t.add("max-risk", &m_options.max_risk).help("Mean risk that the best choice may have").range(0.0, 1.0);
    t.add("field-share", &m_field_shares)
        .help("Share of field at a site, or several typical ones; default: those in sites.csv of the folder")
        .range(0.0, 1.0)
        .group("Sites to come");
    t.add("site-ha", &m_site_ha)
        .help("Area of a site; default: the mean in sites.csv of the folder")
        .unit("ha")
        .range(1e-9, 1e9)
        .group("Sites to come");
    t.add("dependence", &m_options.dependence)
        .help("How much labellers repeat each other's errors, 0 to 1; 'consensus' reports it")
        .range(0.0, 1.0)
        .group("Method");
    t.add("teams", &m_teams).help("Draws of a site's labellers").range(1, 1'000'000).group("Method");
    t.add("seed", &m_seed).help("Seed of the draws").at_least(0).group("Method");
    t.add("json", &m_json).help("Print JSON");
    t.add("out", &m_out).help("Also write the table as CSV").output("table").short_name('o');
  }

  void run(StepContext& context) override {
    const bool is_folder = fs::is_directory(m_skills);
    std::vector<std::string> left_out;
    const auto labellers = labelling::read_plan_labellers(
        is_folder ? fs::path(m_skills) / "labellers.csv" : fs::path(m_skills), left_out);
    if (!left_out.empty()) {
      geo::log_warning(
          geo::concat("left out, for want of skills or because their votes do not count: ", left_out.size(),
                      " of the table's labellers, for example ", geo::quoted(left_out.front())));
    }
    describe_sites(is_folder);
    m_options.max_labellers = static_cast<int>(m_max_labellers);
    m_options.teams = static_cast<int>(m_teams);
    m_options.seed = static_cast<std::uint64_t>(m_seed);
    const labelling::CampaignPlan plan = labelling::plan_campaign(labellers, m_options);
    if (!m_out.empty()) geo::write_csv(labelling::plan_table(plan), m_out, context.overwrite());
    if (m_json) {
      context.out() << to_json(plan).dump(2) << '\n';
    } else {
      print(plan, context.out());
    }
    record(context, plan, labellers.size());
  }

 private:
  /// Shares of field and area from the options, else from the folder.
  void describe_sites(bool is_folder) {
    const fs::path table = fs::path(m_skills) / "sites.csv";
    const bool given = !m_field_shares.empty() && m_site_ha;
    if (is_folder && !given && fs::exists(table)) {
      const labelling::PlanSites sites = labelling::read_plan_sites(table);
      m_options.field_shares = sites.field_shares;
      m_options.site_area_m2 = sites.site_area_m2;
    } else if (m_field_shares.empty()) {
      throw geo::IoError(geo::concat(geo::quoted(m_skills), " does not say how much field sites have",
                                     " (no sites.csv); give --field-share, for example 0.3"));
    }
    if (!m_field_shares.empty()) m_options.field_shares = m_field_shares;
    if (m_site_ha) m_options.site_area_m2 = *m_site_ha * 1e4;
  }

  [[nodiscard]] Json row_json(const labelling::PlanRow& row) const {
    return {{"labellers", row.labellers},
            {"expert_share", row.expert_share},
            {"site_cost", row.site_cost},
            {"sites", row.sites},
            {"cost", row.cost},
            {"risk", row.risk.mean},
            {"risk_low", row.risk.low},
            {"risk_high", row.risk.high},
            {"correct_area_m2", number(row.correct_area_m2)},
            {"wrong_area_m2", number(row.wrong_area_m2)},
            {"gained_sites", row.gained_sites},
            {"best", row.is_best}};
  }

  [[nodiscard]] Json to_json(const labelling::CampaignPlan& plan) const {
    Json teams = Json::array();
    for (const auto& team : plan.teams) {
      teams.push_back({{"labellers", team.labellers},
                       {"independent", team.independent},
                       {"risk", team.risk.mean},
                       {"risk_low", team.risk.low},
                       {"risk_high", team.risk.high}});
    }
    Json rows = Json::array();
    for (const auto& row : plan.rows) rows.push_back(row_json(row));
    return {{"budget", m_options.budget},    {"dependence", m_options.dependence},
            {"prior_risk", plan.prior_risk}, {"teams", std::move(teams)},
            {"choices", std::move(rows)},    {"best", plan.best ? row_json(plan.rows[*plan.best]) : Json()}};
  }

  static std::string padded(const std::string& text, std::size_t width) {
    return std::string(text.size() < width ? width - text.size() : 0, ' ') + text;
  }

  static void print(const labelling::CampaignPlan& plan, std::ostream& out) {
    constexpr std::array<std::size_t, 7> kWidths{9, 14, 10, 12, 8, 16, 13};
    const auto line = [&](const std::array<std::string, 7>& cells) {
      std::string text;
      for (std::size_t i = 0; i < cells.size(); ++i) text += padded(cells[i], kWidths[i]);
      return text;
    };
    out << line({"labellers", "expert sites", "sites", "cost", "risk", "90 % interval", "correct ha"})
        << '\n';
    for (const auto& row : plan.rows) {
      const double correct = row.correct_area_m2;
      out << line({row.labellers == 0 ? "-" : std::to_string(row.labellers),
                   geo::concat(geo::fixed(100.0 * row.expert_share, 0), " %"), std::to_string(row.sites),
                   geo::fixed(row.cost, 1), geo::fixed(row.risk.mean, 4),
                   geo::concat(geo::fixed(row.risk.low, 4), "-", geo::fixed(row.risk.high, 4)),
                   correct == correct ? geo::fixed(correct / 1e4, 1) : "NA"})
          << (row.is_best ? "  <- best" : "") << '\n';
    }
    if (!plan.best) out << "no choice is affordable, good enough and better than no maps at all\n";
  }

  static void record(StepContext& context, const labelling::CampaignPlan& plan, std::size_t labellers) {
    context.record("labellers", static_cast<std::int64_t>(labellers));
    context.record("prior_risk", plan.prior_risk);
    if (!plan.best) return;
    const labelling::PlanRow& best = plan.rows[*plan.best];
    context.record("best_labellers_per_site", std::int64_t{best.labellers});
    context.record("best_expert_share", best.expert_share);
    context.record("best_sites", best.sites);
    context.record("best_risk", best.risk.mean);
  }

  labelling::PlanOptions m_options;
  std::string m_skills, m_out;
  std::vector<double> m_field_shares;
  std::optional<double> m_site_ha;
  std::int64_t m_max_labellers = labelling::PlanOptions{}.max_labellers;
  std::int64_t m_teams = labelling::PlanOptions{}.teams;
  std::int64_t m_seed = static_cast<std::int64_t>(labelling::PlanOptions{}.seed);
  bool m_json = false;
};

}  // namespace

std::unique_ptr<Step> make_consensus_plan() {
  return std::make_unique<ConsensusPlan>();
}

}  // namespace furrow::workflow
