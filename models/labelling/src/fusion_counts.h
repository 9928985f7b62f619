#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <furrow/labelling/vote_table.h>

namespace furrow::labelling {

/// Position of a number in FusionFit::confusion.
inline std::size_t confusion_index(const VoteTable& votes, std::size_t voter, std::size_t truth,
                                   std::size_t outcome) {
  return (voter * static_cast<std::size_t>(votes.classes()) + truth) *
             static_cast<std::size_t>(votes.outcomes()) +
         outcome;
}

/// Expected votes of every voter by truth and outcome: the posterior-weighted counts, laid out as
/// FusionFit::confusion.
[[nodiscard]] std::vector<double> expected_votes(const VoteTable& votes, std::span<const double> posterior);

/// Makes every row of such a table sum to 1; a row of zeros becomes equal shares.
void normalise_rows(std::span<double> table, std::size_t row_length);

/// Mean of the posterior over the items of the rows that have a vote or a known truth, plus `pseudo_items` of
/// each class; equal shares where that is nothing.
[[nodiscard]] std::vector<double> class_shares(const VoteTable& votes, std::span<const double> posterior,
                                               double pseudo_items = 0.0);

}  // namespace furrow::labelling
