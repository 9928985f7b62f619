#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/labelling/area_skills.h>
#include <furrow/labelling/campaign.h>
#include <furrow/labelling/site_scores.h>
#include <furrow/labelling/variance_components.h>

/// Scores of a whole campaign, per assignment and per labeller.
namespace furrow::labelling {

enum class ScoreMode {
  kCorrected,  ///< score_corrected: the default
  kCompatible  ///< score_compatible: as the published platform
};

struct ScoreboardOptions {
  ScoreMode mode = ScoreMode::kCorrected;
  CorrectedOptions corrected;
  CompatibleOptions compatible;
  /// Classes whose maps are the reference of their site.
  std::vector<std::string> reference_classes = {"1a"};
  /// How many independent looks at field or no field a whole cell is worth. Pixels of a site are far from
  /// independent. Empty: estimated from the spread between sites (fit_area_skills) where the data allow it,
  /// else 15: within-labeller standard deviation 0.118 at a mean score of 0.70 (labels.md fact 6) makes
  /// 0.7 x 0.3 / 0.118^2 = 15.
  std::optional<double> site_effective_size;
  /// Prior of both skills, Beta(a, b): two agreements and one error before anything is seen.
  double prior_a = 2.0;
  double prior_b = 1.0;
  double interval = 0.9;  ///< probability inside the skill intervals
};

/// One assignment's measures. All undefined, with the same reason, when it cannot be scored.
struct AssignmentScore {
  std::size_t assignment = 0;  ///< position in Campaign::assignments
  std::string reference;       ///< assignment_id of the reference; empty = none
  std::string unscorable;      ///< why it was not scored; empty = it was
  Measure score;
  Measure n;
  Measure edge;
  Measure area;
  Measure category;
  Measure field_skill;
  Measure nofield_skill;
  std::optional<CorrectedScores> corrected;    ///< everything, in that mode
  std::optional<CompatibleScores> compatible;  ///< likewise
};

/// A labeller over all scored assignments; NaN = undefined.
struct LabellerScore {
  std::string labeller;
  std::int64_t assignments = 0;  ///< all but the references
  std::int64_t scored = 0;
  double score = std::numeric_limits<double>::quiet_NaN();  ///< means over the sites where defined
  double n = std::numeric_limits<double>::quiet_NaN();
  double edge = std::numeric_limits<double>::quiet_NaN();
  double area = std::numeric_limits<double>::quiet_NaN();
  double category = std::numeric_limits<double>::quiet_NaN();
  SkillEstimate field_skill;
  SkillEstimate nofield_skill;
};

struct Scoreboard {
  ScoreMode mode = ScoreMode::kCorrected;
  std::vector<AssignmentScore> assignments;  ///< one per assignment of the campaign, same order
  std::vector<LabellerScore> labellers;   ///< ordered by name; people who only drew references are left out
  std::vector<CampaignProblem> problems;  ///< assignments whose geometry operations failed
  std::vector<std::string> notes;         ///< sites with several references, and which one was used
  AreaSkills field;                       ///< how the field skills were estimated (corrected mode)
  AreaSkills nofield;                     ///< likewise
};

/// One map against the reference map of its site, in the mode of the options; `assignment` and `reference`
/// stay unset. What the platform gives no number for is undefined.
/// @throws as score_corrected, score_compatible. Threads: safe to call concurrently.
[[nodiscard]] AssignmentScore score_maps(const SiteMaps& maps, const ScoreboardOptions& options);

/// Scores every assignment against the reference of its site and sums up per labeller.
///
/// Not scored, with the reason: references themselves, sites without a reference, unfinished assignments
/// (returned, abandoned), unfinished references. A site with several references uses the latest completed one
/// (ties: the lower assignment_id). CRS: corrected scores are computed in a local equal-area CRS at the
/// site's centre when the campaign is geographic, or when its projection distorts areas there by more than 1
/// %; else in the campaign's own CRS, in metres. Compatible scores use Africa Albers (ESRI:102022) for
/// geographic campaigns, as the platform does everywhere. Skills, corrected: TP and FN for the field
/// skill, TN and FP for the no-field skill; mean and central interval. Beta-binomial (fit_area_skills), or,
/// with a given site_effective_size or too little data, a Beta posterior of pooled areas to which a site adds
/// that size x share of the evaluated area. Labellers without a scored site keep the prior. Skills,
/// compatible: plain means of the sites' ratios, undefined ones left out, no interval.
/// @throws geo::InvalidArgument  options out of range
/// @throws geo::CrsError         a shape cannot be projected
/// Threads: parallel over sites in the caller's arena; the result does not depend on the number of threads.
[[nodiscard]] Scoreboard score_campaign(const Campaign& campaign, const ScoreboardOptions& options,
                                        geo::ExecContext& exec);

/// Quantile of the Beta distribution (inverse regularised incomplete beta function, Boost.Math).
/// @throws geo::InvalidArgument  a, b <= 0 or p outside 0..1
[[nodiscard]] double beta_quantile(double a, double b, double p);

}  // namespace furrow::labelling
