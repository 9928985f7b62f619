#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bayes_rows.h"

namespace furrow::labelling::bayes {

/// What a run of expectation-maximisation holds fixed.
struct Model {
  std::vector<double> row_votes;          ///< shape [classes, outcomes]: pseudo-votes of the population
  std::vector<double> share_votes;        ///< shape [classes]: pseudo-items of a group's shares
  std::vector<double> row_scale;          ///< shape [voters, classes]: factor on row_votes
  std::vector<double> group_scale;        ///< shape [groups]: independent items per item
  std::vector<double> correlation;        ///< shape [classes + 1]: inside a site; last: of all field classes
  std::vector<std::uint8_t> is_silenced;  ///< shape [voters]
};

/// What a run finds.
struct State {
  std::vector<double> confusion;    ///< shape [voters, classes, outcomes]
  std::vector<double> shares;       ///< shape [groups, classes]
  std::vector<double> posterior;    ///< shape [rows, classes], in the order of Rows
  std::vector<double> seat_counts;  ///< shape [seats, classes, outcomes]: independent votes by expected truth
  double objective = 0.0;
  int iterations = 0;
  bool converged = false;
  std::vector<double> trace;  ///< objective after each iteration
};

struct RunLimits {
  int max_iterations = 500;
  double tolerance = 1e-9;  ///< gain per unit of information at which a run ends
};

/// Weight of the votes of an item that n labellers voted on.
[[nodiscard]] inline double kappa(std::size_t voters, double dependence) noexcept {
  return voters < 2 ? 1.0 : 1.0 / (1.0 + static_cast<double>(voters - 1) * dependence);
}

/// Number of different voters of a row who are not silenced.
[[nodiscard]] std::size_t count_voters(const Rows& rows, std::size_t row, const Model& model);

/// Turns log values into probabilities in place; returns the log of their sum.
double normalise_logs(std::span<double> values);

/// Confusion rows of one voter from the votes counted so far: (prior + counts) / sum.
/// @param counts  shape [classes, outcomes]
/// @param out     the same shape
void confusion_from_counts(const Model& model, const Rows& rows, std::size_t voter,
                           std::span<const double> counts, std::span<double> out);

/// Votes of every voter by expected truth, summed over seats. Shape [voters, classes, outcomes].
[[nodiscard]] std::vector<double> voter_counts(const Rows& rows, const State& state);

/// Posteriors with the votes of n voters weighed by kappa(n, dependence); skills and shares stay. Shape
/// [rows, classes].
[[nodiscard]] std::vector<double> dependent_posterior(const Rows& rows, const Model& model,
                                                      const State& state, double dependence);

/// Items of a group by known or expected truth, not scaled. Shape [classes].
[[nodiscard]] std::vector<double> expected_items(const Rows& rows, const State& state, std::size_t group);

/// Every voter has the population's confusion, every group the overall shares.
[[nodiscard]] State start_from_population(const Rows& rows, const Model& model);

/// Iterates from `state.confusion` and `state.shares` until the objective stands still. The objective is the
/// log likelihood of the votes, each group scaled, plus the log prior densities in the softmax basis; it
/// never decreases.
void run_em(const Rows& rows, const Model& model, const RunLimits& limits, State& state);

}  // namespace furrow::labelling::bayes
