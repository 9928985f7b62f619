#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include <furrow/labelling/bayes_consensus.h>
#include <furrow/labelling/vote_table.h>

/// Which sites to map again, and by whom: the risk that one more map is expected to remove, per cost.
namespace furrow::labelling {

/// In the place of a voter: a labeller without votes so far, with the mean skill of the population.
inline constexpr std::uint32_t kAnyoneElse = std::numeric_limits<std::uint32_t>::max();
/// In the place of a voter: an expert, whose map takes the place of the consensus.
inline constexpr std::uint32_t kExpert = kAnyoneElse - 1;

struct ReviewOptions {
  double map_cost = 1.0;      ///< of one more labeller's map; > 0
  double expert_cost = 5.0;   ///< of an expert's map in the same unit; > 0
  double expert_error = 0.0;  ///< share of the items that an expert's map gets wrong, 0..1
  std::int64_t capacity = 0;  ///< most sites that one labeller is asked for; 0 = no limit
  std::int64_t length = 0;    ///< most sites in the queue; 0 = no limit
};

/// What is known of a site besides its votes.
struct ReviewSite {
  bool is_wanted = true;                 ///< false: left out
  double item_area = 1.0;                ///< what one item counts when sites are compared (m2), >= 0
  std::vector<std::uint32_t> not_asked;  ///< voters who are not asked although they have no votes here
};

/// A candidate for one more map.
struct ReviewChoice {
  std::uint32_t voter = kAnyoneElse;  ///< or kExpert
  double removed = 0.0;  ///< mean over the site's items of the risk removed, 0 .. SiteReview::risk
};

/// What one more map is expected to do for a site.
struct SiteReview {
  std::uint32_t group = 0;
  double items = 0.0;
  double item_area = 1.0;
  double risk = 0.0;                    ///< mean over the items of 1 - max P, as it stands
  std::vector<ReviewChoice> labellers;  ///< most removed first, then by voter; those who remove nothing too
  double expert_removed = 0.0;          ///< by an expert's map, as ReviewChoice::removed
};

/// The value of one more map for every site and every labeller who may be asked.
///
/// A labeller who has no votes at a site and is not in its `not_asked` may be asked. Where nobody is left,
/// kAnyoneElse is the one candidate. Silenced voters are never asked. Groups with known truth (an expert
/// mapped them), without items or not wanted are left out.
///
/// Method. For an item with posterior P and best class c*, a map by j answers o with the probability
/// m(o) = sum_c P(c) theta_j[c][o], and the posterior becomes P(.|o) as BayesFit::predict gives it with one
/// vote more (its kappa and calibration included). The value is what changing labels gains:
///   V = sum_o m(o) (max_c P(c|o) - P(c*|o)).
/// Where posteriors before and after belong to one coherent model (no dependence, no calibration) this is
/// exactly R(P) - sum_o m(o) R(P(.|o)) with R = 1 - max P. With dependence it is not the same: one voter more
/// lowers kappa for all votes, and the plain difference would mostly show that (risk would "rise" wherever
/// all agree). A map that cannot change a label has no value. V is at most R(P). The value looks one map
/// ahead: where a second map could outvote what a first cannot, a site counts less than it should.
/// An expert's map leaves the risk expert_error: it removes what lies above that.
///
/// Evaluated once per row of the table and weighted by its count. Runs in parallel; the result does not
/// depend on threads. Memory: 16 bytes per site and labeller. Thread-safe.
/// @param fusion  shares, confusion and posteriors of the fit, one posterior per row of `votes`
/// @param fit     the rest of it; its own member `fusion` is not looked at
/// @param sites   one per group, or empty
/// @throws InvalidArgument  options or areas out of range; lengths that do not fit
/// Source: expected value of sample information (Raiffa and Schlaifer 1961).
[[nodiscard]] std::vector<SiteReview> value_of_maps(const VoteTable& votes, const FusionFit& fusion,
                                                    const BayesFit& fit, std::span<const ReviewSite> sites,
                                                    const ReviewOptions& options);

/// One line of the queue.
struct ReviewItem {
  std::size_t site = 0;  ///< position in the SiteReviews
  ReviewChoice ask;
  double cost = 0.0;
  double removed_area = 0.0;  ///< items x item_area x removed
  double per_cost = 0.0;      ///< removed_area / cost; falls along the queue
  bool has_second = false;
  ReviewChoice second;  ///< the next best per cost who still had room
};

/// Orders sites by what the best candidate removes per cost.
///
/// Greedy: the site and candidate that remove most area per cost come first; a site comes once. With a
/// capacity, a labeller who was asked for so many sites drops out, and the sites that follow fall back on
/// their next best candidate, with less to gain. Experts have no capacity. Sites where nobody removes
/// anything are left out. Ties: the labeller before the expert, then the site that comes first. Thread-safe.
/// @throws InvalidArgument  options out of range
[[nodiscard]] std::vector<ReviewItem> queue_reviews(std::span<const SiteReview> sites,
                                                    const ReviewOptions& options);

}  // namespace furrow::labelling
