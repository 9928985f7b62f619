#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <furrow/labelling/bayes_consensus.h>

/// What the Bayesian consensus needs of Dirichlet and Beta distributions.
namespace furrow::labelling {

/// Rows of counts, each drawn from shares of its own that come from one common Dirichlet distribution.
struct CountRows {
  std::size_t classes = 0;
  std::vector<double> counts;   ///< shape [rows, classes], >= 0; need not be whole
  std::vector<double> weights;  ///< shape [rows]: how often the row counts
};

/// The common distribution's pseudo-counts with the highest marginal likelihood.
///
/// `prior` acts as `prior_rows` further rows whose shares come from Dirichlet(prior), so that the result is
/// finite and sensible for few rows. Method: expectation-maximisation over the rows' shares; each M-step is a
/// guarded Newton step (Minka 2000, Estimating a Dirichlet distribution).
/// @param max_strength  upper limit of the sum
/// @return  shape [classes], each >= 1e-3
[[nodiscard]] std::vector<double> learn_dirichlet(const CountRows& rows, std::span<const double> prior,
                                                  double prior_rows, double max_strength);

/// Mean and central interval of the Beta distribution with this mean and this sum of its two parameters.
[[nodiscard]] Estimate beta_estimate(double mean, double strength, double interval);

}  // namespace furrow::labelling
