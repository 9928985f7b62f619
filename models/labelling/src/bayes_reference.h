#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <furrow/labelling/bayes_consensus.h>

#include "bayes_em.h"

namespace furrow::labelling::bayes {

/// A site with known truth seen through some of its labellers. Rows on which these labellers say the same are
/// one.
struct ReferenceView {
  std::size_t group = 0;
  std::vector<std::size_t> seats;
  std::vector<double> count;            ///< items of each row
  std::vector<std::int32_t> truth;      ///< of each row, or -1
  std::vector<std::size_t> vote_begin;  ///< first vote of each row, one more than rows
  std::vector<SeatVote> votes;          ///< SeatVote::seat is a position in `seats`
};

/// Groups that have rows with known truth and votes.
[[nodiscard]] std::vector<std::size_t> reference_groups(const Rows& rows);

/// Views of the reference groups with as many labellers as the other groups have (drawn at random), so that
/// what is calibrated on them holds there. One view with everybody where a group has no more labellers than
/// that, or where all groups are reference.
[[nodiscard]] std::vector<ReferenceView> make_views(const VoteTable& table, const Rows& rows,
                                                    const std::vector<std::size_t>& references,
                                                    std::uint64_t seed);

/// What the votes of a view say, as if the truth of its group were unknown and had taught nothing: its votes
/// are taken out of the labellers' skills, its shares are estimated from votes.
struct ViewEvidence {
  std::vector<double> logs;         ///< shape [rows, classes]: log likelihood of the votes
  std::vector<std::size_t> voters;  ///< shape [rows]
  std::vector<double> shares;       ///< shape [classes]
};

[[nodiscard]] std::vector<ViewEvidence> weigh_views(const Rows& rows, const Model& model, const State& state,
                                                    const std::vector<ReferenceView>& views);

/// Posteriors of the known rows with votes of all views.
[[nodiscard]] std::vector<CalibrationSample> predict_views(const Rows& rows, const Model& model,
                                                           const std::vector<ReferenceView>& views,
                                                           const std::vector<ViewEvidence>& evidence,
                                                           double dependence);

/// The dependence with the least log loss on the views, in [0, 1].
[[nodiscard]] double calibrate_dependence(const Rows& rows, const Model& model,
                                          const std::vector<ReferenceView>& views,
                                          const std::vector<ViewEvidence>& evidence);

}  // namespace furrow::labelling::bayes
