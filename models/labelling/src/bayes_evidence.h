#pragma once

#include <cstddef>
#include <vector>

#include <furrow/labelling/bayes_consensus.h>

#include "bayes_em.h"

namespace furrow::labelling::bayes {

/// What the votes of each seat say about an "aspect" of skill: the chance of a right answer where the truth
/// is class c (aspects 0 .. classes - 1), or any field class (aspect `classes`; answers of any field class
/// are right). All by expected truth.
struct SeatEvidence {
  std::size_t aspects = 0;
  // shape [seats, aspects] each
  std::vector<double> votes;     ///< answers given, items not scaled
  std::vector<double> right;     ///< of these right
  std::vector<double> units;     ///< answers scaled to independent ones
  std::vector<double> complete;  ///< information if the truth were known
  std::vector<double> missing;   ///< part of it that is missing because the truth is
};

[[nodiscard]] SeatEvidence collect_evidence(const Rows& rows, const Model& model, const State& state);

/// What all seats of a voter say about an aspect.
struct AspectEvidence {
  double units = 0.0;        ///< sum of the seats' units: what the expectation-maximisation counts
  double independent = 0.0;  ///< independent observations with the same variance of the mean
  double known_share = 1.0;  ///< part of the information that is there although the truth is not
  double effective_sites = 0.0;
};

/// All voters and aspects. Shape [voters, classes + 1].
[[nodiscard]] std::vector<AspectEvidence> sum_evidence(const Rows& rows, const Model& model,
                                                       const SeatEvidence& evidence);

/// Intraclass correlation of right answers inside sites, one per aspect, from the differences between the
/// sites of each voter. Kleinman's weighted moments pooled over voters, towards 0.05 where there is little to
/// go by. In [0.002, 0.9].
[[nodiscard]] std::vector<double> estimate_correlation(const Rows& rows, const SeatEvidence& evidence,
                                                       const std::vector<double>& before);

/// Independent items per item of every group: 1 / (1 + (n - 1) rho), rho the classes' mean correlation.
void scale_groups(const Rows& rows, Model& model);

/// Learns the population's confusion rows and the groups' shares from what a run found.
/// @param options  given priors and correlation stay
void learn_model(const Rows& rows, const State& state, const BayesOptions& options, Model& model);

/// The model before anything is learned.
[[nodiscard]] Model initial_model(const Rows& rows, const BayesOptions& options);

/// Sensitivity of a confusion table [classes, outcomes]: classes >= 1 are field, weighted by `shares`.
[[nodiscard]] double sensitivity_of(const double* confusion, const Rows& rows,
                                    const std::vector<double>& shares);

/// The table is worse than guessing: sum of the diagonal below one, or sensitivity + specificity below one,
/// answers that name no class left out.
[[nodiscard]] bool is_inverted(const double* confusion, const Rows& rows, const std::vector<double>& shares);

/// Overall shares of the classes, items weighted by their group's replicas. Shape [classes].
[[nodiscard]] std::vector<double> overall_shares(const Rows& rows, const State& state);
/// Chance of a right answer by voter and aspect (the classes, then sensitivity), off zero and one.
[[nodiscard]] std::vector<double> skills_of(const Rows& rows, const State& state);

}  // namespace furrow::labelling::bayes
