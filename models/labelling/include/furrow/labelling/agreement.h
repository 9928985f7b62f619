#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <furrow/labelling/vote_table.h>

/// How far voters agree with each other, with a consensus, and how sure a posterior is. Every outcome of the
/// table, "unsure" too, is a category of its own. Known truths are not looked at. All functions are
/// thread-safe and cost one pass over the rows.
namespace furrow::labelling {

/// Krippendorff's alpha for nominal data: 1 = full agreement, 0 = as by chance, below 0 = worse than chance.
/// alpha = 1 - observed / expected disagreement over all pairs of votes on the same item; a pair on an item
/// of m votes weighs 1/(m - 1). Missing votes need no care; repeated votes are votes of their own.
/// @return nothing where no item has two votes, or all votes name the same outcome: chance is undefined then
/// Reference: Krippendorff 2011, Computing Krippendorff's Alpha-Reliability.
[[nodiscard]] std::optional<double> krippendorff_alpha(const VoteTable& votes);

/// Fleiss' kappa: the mean share of agreeing pairs of votes on an item, against that expected from the shares
/// of the outcomes. Items with fewer than two votes are left out; items of unequal numbers of votes weigh the
/// same.
/// @return nothing where no item has two votes, or all votes name the same outcome
/// Reference: Fleiss 1971, Psychological Bulletin 76(5).
[[nodiscard]] std::optional<double> fleiss_kappa(const VoteTable& votes);

/// Cohen's kappa of two voters on the items that both voted on. A voter's repeated votes on an item share it.
/// @return nothing without such items, or where both always name the same outcome
/// @throws InvalidArgument  no such voter
/// Reference: Cohen 1960, Educational and Psychological Measurement 20(1).
[[nodiscard]] std::optional<double> cohen_kappa(const VoteTable& votes, std::size_t first,
                                                std::size_t second);

/// Cohen's kappa of a voter with the labels of a consensus.
/// @param labels  one class per row; -1 = none, the row is left out
[[nodiscard]] std::optional<double> kappa_with_labels(const VoteTable& votes, std::size_t voter,
                                                      std::span<const std::int32_t> labels);

/// Share of a voter's votes that name the label.
/// @return nothing without votes on labelled rows
[[nodiscard]] std::optional<double> agreement_with_labels(const VoteTable& votes, std::size_t voter,
                                                          std::span<const std::int32_t> labels);

/// The posterior when every voter is right with a given probability and errs evenly, and all classes are
/// equally probable beforehand. Outcomes beyond the classes say nothing. Voters who are certain and
/// contradict each other leave all classes equally probable.
/// @param accuracy  one per voter, 0..1
/// @return shape [rows, classes]
/// @throws InvalidArgument
[[nodiscard]] std::vector<double> posterior_from_accuracy(const VoteTable& votes,
                                                          std::span<const double> accuracy);

/// The mean, over the votes on a row, of what one vote says alone under the same assumptions. It says how
/// mixed the votes are, where posterior_from_accuracy says what follows from them.
/// @return shape [rows, classes]; equal shares for a row without votes
[[nodiscard]] std::vector<double> mean_vote(const VoteTable& votes, std::span<const double> accuracy);

/// Mean over the items of the probability of the most probable class ("consistency"). Rows without votes and
/// known truth are left out; nothing where no row remains.
/// @param posterior  shape [rows, classes]
[[nodiscard]] std::optional<double> mean_top_posterior(const VoteTable& votes,
                                                       std::span<const double> posterior);

/// Entropy of one posterior in nats: 0 = certain, log(classes) = nothing known.
[[nodiscard]] double entropy(std::span<const double> posterior);

/// Mean entropy over the items ("uncertainty"), of the same rows as mean_top_posterior.
[[nodiscard]] std::optional<double> mean_entropy(const VoteTable& votes, std::span<const double> posterior);

}  // namespace furrow::labelling
