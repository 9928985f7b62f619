#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/core/csv.h>
#include <furrow/geo/vector/layer.h>
#include <furrow/labelling/joint_consensus.h>
#include <furrow/labelling/review_queue.h>

/// The review queue of a campaign as tables and layers.
namespace furrow::labelling {

/// A site that is worth another map.
struct ReviewedSite {
  std::size_t site = 0;   ///< position in the campaign
  std::int64_t rank = 0;  ///< from 1
  std::int64_t n_labellers = 0;
  double mean_risk = 0.0;
  double wrong_area_m2 = 0.0;    ///< expected to be labelled wrongly now
  double risk_removed_m2 = 0.0;  ///< of it, by the map asked for
  double risk_removed = 0.0;     ///< the same as mean risk
  std::string ask;  ///< labeller; "(expert)", or "(another labeller)" where all known ones mapped it
  double cost = 0.0;
  double per_cost = 0.0;      ///< risk_removed_m2 / cost
  std::string second_choice;  ///< as `ask`; empty = nobody else removes anything
  double second_removed_m2 = std::numeric_limits<double>::quiet_NaN();
  double expert_removed_m2 = 0.0;
  std::string reason;  ///< in plain words
};

/// Which sites of a campaign to map again, and by whom (value_of_maps, queue_reviews).
///
/// Sites that an expert mapped, and sites without any map, are left out: the first are settled, of the
/// second nothing is known that could be weighed. Not asked is a labeller with any assignment at the site,
/// whatever became of it (rejected, still pending, given back), and who is known by no name.
/// @param voters      from choose_voters, one per site
/// @param votes, fit  of ConsensusMethod::kBayes; see ConsensusResult
/// @param statistics  of the sites, for their areas
/// @return ascending rank; empty when nothing is worth another map
/// @throws InvalidArgument  the fit is not of kBayes; lengths that do not fit; options out of range
[[nodiscard]] std::vector<ReviewedSite> review_campaign(const Campaign& campaign,
                                                        std::span<const SiteVoters> voters,
                                                        const JointVotes& votes, const JointFit& fit,
                                                        std::span<const SiteStatistics> statistics,
                                                        const ReviewOptions& options);

/// rank, site, n_labellers, mean_risk, wrong_area_m2, risk_removed_m2, risk_removed, ask, cost,
/// removed_per_cost, second_choice, second_removed_m2, expert_risk_removed_m2, reason. Missing values are NA.
[[nodiscard]] geo::CsvTable review_table(const Campaign& campaign, std::span<const ReviewedSite> queue);

/// The same with the cells as polygons, named `review_queue`.
[[nodiscard]] geo::Layer review_layer(const Campaign& campaign, std::span<const ReviewedSite> queue);

}  // namespace furrow::labelling
