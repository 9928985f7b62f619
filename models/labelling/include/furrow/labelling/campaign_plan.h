#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/core/csv.h>
#include <furrow/labelling/bayes_consensus.h>

/// Planning a campaign before it is paid for: few careful sites or many quick ones?
namespace furrow::labelling {

/// A labeller of whom a campaign has shown something; the next campaign's labellers are drawn from these.
struct PlanLabeller {
  std::string name;
  Estimate sensitivity;  ///< P(says field | field), with its 90 % interval; low = high = mean: exactly known
  Estimate specificity;  ///< P(says background | background)
};

struct PlanOptions {
  /// Shares of field that sites have, each in 0..1 and equally frequent.
  std::vector<double> field_shares{0.5};
  double dependence = 0.2;                 ///< between labellers, 0..1, as BayesOptions::dependence
  int max_labellers = 9;                   ///< per site, 1..9
  std::vector<double> expert_shares{0.0};  ///< of the sites, each in 0..1
  double map_cost = 1.0;                   ///< of one labeller's map, > 0
  double expert_cost = 5.0;                ///< of an expert's map, > 0
  double expert_error = 0.0;               ///< share of an expert's map that is wrong, 0..1
  double budget = 0.0;                     ///< in the same unit, > 0
  std::int64_t sites = 0;                  ///< that there are to map; 0 = as many as the budget pays for
  double max_risk = 1.0;                   ///< mean risk that the best choice may have
  double site_area_m2 = std::numeric_limits<double>::quiet_NaN();  ///< of one site; NaN = not known
  int teams = 2000;  ///< draws of a site's labellers, 1..1000000
  std::uint64_t seed = 1;
};

/// What a number of labellers per site achieves.
struct TeamRisk {
  int labellers = 0;
  double independent = 0.0;  ///< independent labellers that they are worth: n / (1 + (n - 1) dependence)
  /// Expected share of wrong pixels; the 90 % interval says how far labellers' skills are known.
  Estimate risk;
};

/// One choice.
struct PlanRow {
  int labellers = 0;             ///< at a site without an expert; 0: experts map everything
  double expert_share = 0.0;     ///< of the sites
  double site_cost = 0.0;        ///< mean over the sites
  std::int64_t sites = 0;        ///< that the budget pays for, at most PlanOptions::sites
  double cost = 0.0;             ///< of them
  Estimate risk;                 ///< mean over their pixels
  double correct_area_m2 = 0.0;  ///< expected; NaN without PlanOptions::site_area_m2
  double wrong_area_m2 = 0.0;    ///< expected; NaN likewise
  double gained_sites = 0.0;     ///< sites x (prior risk - risk): what the maps add, in whole sites put right
  bool is_best = false;
};

struct CampaignPlan {
  double prior_risk = 0.0;          ///< of calling every site by its more frequent class, unmapped
  std::vector<TeamRisk> teams;      ///< 1 .. max_labellers
  std::vector<PlanRow> rows;        ///< by expert share, then labellers; last: experts only
  std::optional<std::size_t> best;  ///< row; nothing when no choice is affordable, good enough and any gain
};

/// Expected risk of every choice, and the best one for the budget.
///
/// Two classes, field or not. A site's n labellers are drawn from `labellers` with replacement (they stand
/// for the population that the next ones come from). For each of `teams` draws every combination of answers
/// is enumerated, 2^n of them: with the probabilities p1, p0 of a combination given field and background and
/// the share g, its pixels are wrong with min(g p1, (1 - g) p0). The draws for fewer labellers are the first
/// ones of the same team, so risk never rises with their number. One labeller of skill s, q: min(g s,
/// (1-g)(1-q)) + min(g (1-s), (1-g) q).
///
/// Risk and error. Answers of different labellers multiply, so the expectation over uncertain skills is
/// reached by their means: the risk that the consensus states is the error to expect. The interval is that of
/// the error when skills are drawn from their own intervals while decisions rest on the means (200 draws).
///
/// Dependence. As in fuse_bayes, n labellers of dependence d count as n kappa = n / (1 + (n - 1) d)
/// independent ones; between whole numbers the risk is interpolated. With d = 1 more labellers are no use.
///
/// Best: the most gained sites, that is the area that is right thanks to the maps, not by calling everything
/// background; of equal ones the cheaper, then the first. Without a limit of sites, many sites mapped once
/// mostly win; give `sites` or `max_risk` where that is not what is wanted.
///
/// Memory: small. The result depends on the seed, not on threads. Thread-safe.
/// @throws InvalidArgument  no labeller; skills outside 0..1; options out of range
[[nodiscard]] CampaignPlan plan_campaign(std::span<const PlanLabeller> labellers, const PlanOptions& options);

/// Labellers of a table as `score` and `consensus` write it: Labeller, FieldSkill and NoFieldSkill, and when
/// there _low, _high, and counts (0: left out).
/// @param left_out  labellers without skills, or whose votes do not count, are added to it
/// @throws IoError  file or column missing; a value that is no share; nobody left
[[nodiscard]] std::vector<PlanLabeller> read_plan_labellers(const std::filesystem::path& path,
                                                            std::vector<std::string>& left_out);

/// What a table of sites says of the sites to come.
struct PlanSites {
  std::vector<double> field_shares;  ///< at most 20: means of as many groups of sites, ordered by share
  double site_area_m2 = 0.0;         ///< mean
};

/// From sites.csv as `consensus` writes it: field_share and area_m2 of the sites that have them.
/// @throws IoError  file or column missing; a value that makes no sense; no site with a share of field
[[nodiscard]] PlanSites read_plan_sites(const std::filesystem::path& path);

/// labellers, expert_share, site_cost, sites, cost, risk, risk_low, risk_high, correct_area_m2,
/// wrong_area_m2, gained_sites, best (1 or 0). Missing values are NA.
[[nodiscard]] geo::CsvTable plan_table(const CampaignPlan& plan);

}  // namespace furrow::labelling
