#include <furrow/labelling/weighted_vote.h>

#include <algorithm>
#include <cmath>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

#include "fusion_counts.h"

namespace furrow::labelling {
namespace {

constexpr double kTie = 1e-9;

void check(const VoteTable& votes, std::span<const double> weights) {
  if (!weights.empty() && weights.size() != votes.voters()) {
    throw geo::InvalidArgument(
        geo::concat("there are ", weights.size(), " weights for ", votes.voters(), " voters"));
  }
  for (const double weight : weights) {
    if (!std::isfinite(weight) || weight < 0.0)
      throw geo::InvalidArgument(geo::concat("a voter's weight is ", weight, "; it must be 0 or more"));
  }
}

/// Writes the shares of a row.
/// @return false when no vote for a class has a weight
bool vote_on(const VoteRow& row, std::span<const double> weights, std::span<double> posterior) {
  std::ranges::fill(posterior, 0.0);
  if (row.truth >= 0) {
    posterior[static_cast<std::size_t>(row.truth)] = 1.0;
    return true;
  }
  double total = 0.0;
  for (const VoteEntry& vote : row.votes) {
    if (vote.outcome >= posterior.size()) continue;
    const double weight = (weights.empty() ? 1.0 : weights[vote.voter]) * vote.times;
    posterior[vote.outcome] += weight;
    total += weight;
  }
  if (total <= 0.0) return false;
  for (double& p : posterior) p /= total;
  return true;
}

}  // namespace

FusionFit weighted_vote(const VoteTable& votes, std::span<const double> weights) {
  check(votes, weights);
  const auto classes = static_cast<std::size_t>(votes.classes());
  FusionFit fit;
  fit.classes = votes.classes();
  fit.outcomes = votes.outcomes();
  fit.converged = true;
  fit.class_shares.assign(classes, 0.0);
  fit.posterior.assign(votes.rows() * classes, 0.0);
  std::vector<std::size_t> without;
  for (std::size_t i = 0; i < votes.rows(); ++i) {
    const std::span<double> posterior = std::span(fit.posterior).subspan(i * classes, classes);
    const VoteRow row = votes.row(i);
    if (!vote_on(row, weights, posterior)) {
      without.push_back(i);
      continue;
    }
    for (std::size_t c = 0; c < classes; ++c) fit.class_shares[c] += row.count * posterior[c];
  }
  normalise_rows(fit.class_shares, classes);
  for (const std::size_t i : without) {
    std::ranges::copy(fit.class_shares, fit.posterior.begin() + static_cast<std::ptrdiff_t>(i * classes));
  }
  fit.confusion = expected_votes(votes, fit.posterior);
  normalise_rows(fit.confusion, static_cast<std::size_t>(votes.outcomes()));
  return fit;
}

Decision decide(std::span<const double> posterior, TieRule ties) {
  const double best = *std::ranges::max_element(posterior);
  Decision decision{0, 1.0 - best};
  for (std::size_t c = 0; c < posterior.size(); ++c) {
    if (posterior[c] < best - kTie) continue;
    decision.label = static_cast<std::int32_t>(c);
    if (ties == TieRule::kLowest) break;
  }
  decision.risk = std::max(0.0, 1.0 - posterior[static_cast<std::size_t>(decision.label)]);
  return decision;
}

}  // namespace furrow::labelling
