#pragma once

#include <cstdint>
#include <vector>

#include <furrow/geo/core/random.h>
#include <furrow/labelling/bayes_consensus.h>

#include "bayes_em.h"

namespace furrow::labelling::bayes {

/// Draws from the posterior of the model with independent items, its priors held fixed.
struct GibbsResult {
  State state;                   ///< posterior means of all that State holds; objective is not set
  std::vector<Estimate> skills;  ///< shape [voters, 2]: sensitivity, specificity
};

/// @param start  from run_em: the labelling that the draws begin with
[[nodiscard]] GibbsResult run_gibbs(const Rows& rows, const Model& model, const State& start,
                                    const BayesOptions& options);

/// Binomial number. Exact: halves the trials at a Beta-distributed order statistic (Devroye 1986, X.4.3), so
/// it takes time proportional to log(trials).
[[nodiscard]] std::uint64_t draw_binomial(geo::Random& random, std::uint64_t trials, double probability);

}  // namespace furrow::labelling::bayes
