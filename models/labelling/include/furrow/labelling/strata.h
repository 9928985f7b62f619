#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <furrow/labelling/campaign.h>
#include <furrow/labelling/scoreboard.h>

/// Skills by kind of field: who misses small fields, who misses which crop.
namespace furrow::labelling {

/// A labeller on one kind of reference fields.
struct StratumSkill {
  std::string labeller;
  std::string by;                                             ///< "size" or "class"
  std::string stratum;                                        ///< "small, below 0.42 ha", or the category
  std::int64_t fields = 0;                                    ///< reference fields of the scored sites
  double matched = std::numeric_limits<double>::quiet_NaN();  ///< share of them matched one to one
  SkillEstimate field_skill;                                  ///< share of their area that the labeller maps
};

/// Sizes are thirds of the reference fields (each counted once); classes are the categories of the reference.
/// A stratum's skill starts from the labeller's own field skill, moved (on the logit scale) by how much
/// harder the stratum is for everybody, and takes in the labeller's sites there: population, labeller,
/// stratum. Its starting weight is the population's in that stratum (fit_area_skills). The labeller's own
/// skill comes from the same maps, so the intervals are somewhat narrow. Strata with too little data for that
/// are left out, and so is a division into one class only. Corrected mode with estimated skills only; else
/// empty.
/// @return ordered by labeller, size before class, small before large, then by name
/// @throws geo::InvalidArgument  interval out of range. Threads: safe to call concurrently.
[[nodiscard]] std::vector<StratumSkill> stratum_skills(const Campaign& campaign, const Scoreboard& board,
                                                       double interval = 0.9);

}  // namespace furrow::labelling
