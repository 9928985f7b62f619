#pragma once

#include <cstdint>
#include <span>

#include <furrow/labelling/vote_table.h>

namespace furrow::labelling {

/// The vote of all labellers on every row: P(c) = sum of the weights of the votes for c / sum of the weights
/// of all votes for a class. With equal weights it is the plain majority.
///
/// Outcomes beyond the classes ("unsure") count for none. A row with a known truth has that truth. A row that
/// nobody voted on, or only with weight 0, gets the class shares, that is the mean of the other rows; without
/// any other row all classes are equally probable. The shares of votes are no calibrated probabilities: they
/// do not know how often a labeller is right. `confusion` is counted against the posterior; `objective` is 0.
///
/// @param weights  one per voter, >= 0 and finite; empty = all 1
/// @throws InvalidArgument
/// Cost: one pass over the rows. Thread-safe.
[[nodiscard]] FusionFit weighted_vote(const VoteTable& votes, std::span<const double> weights = {});

/// Which of several equally probable classes is taken. Programs differ, so both are there: crowd-kit's
/// majority for segmentation makes a tie field (kHighest), its EM makes it background (kLowest), as Furrow
/// does.
enum class TieRule { kLowest, kHighest };

/// A class and the probability that it is wrong.
struct Decision {
  std::int32_t label = 0;
  double risk = 0.0;  ///< 1 - its probability, at most 1 - 1/classes
};

/// The most probable class. Probabilities closer than 1e-9 are equal: sums of the same weights in another
/// order differ by less.
[[nodiscard]] Decision decide(std::span<const double> posterior, TieRule ties = TieRule::kLowest);

}  // namespace furrow::labelling
