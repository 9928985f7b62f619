#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/labelling/drift.h>
#include <furrow/labelling/labeller_pairs.h>
#include <furrow/labelling/scoreboard.h>
#include <furrow/labelling/strata.h>
#include <furrow/labelling/variance_components.h>

/// What a campaign's scores say about its labellers: levels with intervals, drift, and reasons to look twice.
namespace furrow::labelling {

struct SkillReportOptions {
  DriftOptions drift;
  PairOptions pairs;
  double interval = 0.9;
  double reliability = 0.8;  ///< that "sites needed" is about
  double alarm = 0.01;       ///< adjusted p-values below this raise a flag
  /// A pair raises a flag when its errors are shared this much more than others' (and p is below `alarm`):
  /// people who draw with a like bias reach 0.12 in simulations, copies 0.5 and more.
  double shared_errors = 0.3;
  double same_vertices = 0.5;  ///< a pair with this share of equal corners raises a flag
};

/// Spread of one measure over the campaign.
struct MeasureSpread {
  std::string measure;          ///< "Score", "N", "Edge", "Area", "Categorical", "FieldSkill", "NoFieldSkill"
  VarianceComponents raw;       ///< sites' differences count as chance
  VarianceComponents adjusted;  ///< sites' difficulty taken out
};

/// One labeller; same order as Scoreboard::labellers.
struct LabellerReport {
  SkillEstimate level;                                            ///< Score at a site of average difficulty
  double reliability = std::numeric_limits<double>::quiet_NaN();  ///< of that level, 0..1
  Drift drift;                                                    ///< of the score, site difficulty taken out
  double drift_p = std::numeric_limits<double>::quiet_NaN();      ///< trend, over all labellers (Holm)
  double change_p = std::numeric_limits<double>::quiet_NaN();     ///< change, likewise
  std::string change_at;    ///< time, or assignment_id, of the first score after the change
  std::string first_order;  ///< of the first and last score
  std::string last_order;
  std::int64_t field_sites = 0;  ///< scored sites where the reference maps at least 2 % of the cell
  std::int64_t empty_maps = 0;   ///< of those, handed in without a field
  double spammer_score = std::numeric_limits<double>::quiet_NaN();  ///< (field + no-field skill - 1)^2
  std::vector<std::string> flags;                                   ///< whole reasons
};

struct SkillReport {
  std::vector<MeasureSpread> spread;
  std::vector<LabellerReport> labellers;
  std::vector<StratumSkill> strata;
  PairAgreement agreement;
  bool ordered_by_time = false;  ///< false: some completion_time is missing, so the order is that of the ids
};

/// Levels: random effects of labeller and site (fit_variance) on the scores; undefined ones are left out.
/// Drift: find_drift on scores less their site's effect, in order of completion_time, or of assignment_id
/// when a scored assignment has none. Flags: drift; maps unrelated to the reference (a posterior probability
/// of 90 % that field + no-field skill - 1 is below 0.2); empty maps at sites with fields far more often than
/// others hand them in; errors shared with somebody else; corners equal to somebody else's. A flag is a
/// reason to look, no verdict.
/// @throws geo::InvalidArgument  options out of range
/// Threads: parallel over labellers and sites; the result does not depend on their number.
[[nodiscard]] SkillReport report_skills(const Campaign& campaign, const Scoreboard& board,
                                        const SkillReportOptions& options, geo::ExecContext& exec);

}  // namespace furrow::labelling
