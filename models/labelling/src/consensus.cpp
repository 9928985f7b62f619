#include <furrow/labelling/consensus.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/rasterize.h>

namespace furrow::labelling {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kTie = 1e-9;  ///< sums of the same weights in another order differ by less

constexpr FusedVote kNobody{{kNaN, kNaN, kNaN}, geo::kIgnore, kNaN};

void check(std::span<const Vote> votes, std::span<const VoterWeight> weights, const FusionOptions& options) {
  if (votes.size() != weights.size()) {
    throw geo::InvalidArgument(
        geo::concat("there are ", votes.size(), " votes but ", weights.size(), " weights"));
  }
  if (options.classes != 2 && options.classes != 3)
    throw geo::InvalidArgument(geo::concat("a consensus has 2 or 3 classes, not ", options.classes));
  if (options.compatible && options.classes != 2)
    throw geo::InvalidArgument("the compatible consensus has 2 classes, not 3");
}

/// Class that the vote counts for, with the sure polygons first.
unsigned voted_class(Vote vote) {
  return sure_class(vote) != 0 ? sure_class(vote) : unsure_class(vote);
}

bool is_unsure(Vote vote) {
  return sure_class(vote) == 0 && unsure_class(vote) != 0;
}

double weight_of(bool says_field, const VoterWeight& weight) {
  return weight.score * (says_field ? weight.field_skill : weight.nofield_skill);
}

double decision_risk(double heat, bool field) {
  return field ? 1.0 - heat : heat;
}

FusedVote decide_binary(double heat, double threshold) {
  if (std::isnan(heat)) return kNobody;
  const bool field = heat > threshold;
  return {{1.0 - heat, heat, 0.0}, field ? geo::kInterior : geo::kBackground, decision_risk(heat, field)};
}

FusedVote fuse_compatible(std::span<const Vote> votes, std::span<const VoterWeight> weights,
                          double threshold) {
  double numerator = 0.0;
  double denominator = 0.0;
  for (std::size_t i = 0; i < votes.size(); ++i) {
    if (votes[i] == kMissingVote || std::isnan(weights[i].score)) continue;
    const bool sure = sure_class(votes[i]) != 0;
    const double w = weight_of(sure, weights[i]);
    denominator += w;
    if (sure) numerator += w;
    if (unsure_class(votes[i]) != 0) numerator += 0.5 * weight_of(true, weights[i]);
  }
  return decide_binary(numerator / denominator, threshold);
}

/// Weights of the votes by class, and how many votes there are.
struct Tally {
  std::array<double, 3> by_class{};
  double total = 0.0;
  std::size_t votes = 0;
  std::size_t last = 0;  ///< position of the last vote that counted
};

Tally tally(std::span<const Vote> votes, std::span<const VoterWeight> weights, bool equal) {
  Tally result;
  for (std::size_t i = 0; i < votes.size(); ++i) {
    if (votes[i] == kMissingVote) continue;
    const unsigned voted = voted_class(votes[i]);
    const double w = equal ? 1.0 : weight_of(voted != 0, weights[i]);
    if (std::isnan(w)) continue;
    const double share = is_unsure(votes[i]) ? 0.5 : 1.0;
    result.by_class[voted] += share * w;
    result.by_class[0] += (1.0 - share) * w;
    result.total += w;
    ++result.votes;
    result.last = i;
  }
  return result;
}

double ratio_or(double numerator, double denominator, double fallback) {
  const double value = numerator / denominator;
  return std::isfinite(value) ? value : fallback;
}

/// Probability that the only vote is right: Bayes' rule with the prior share of field g.
double probability_right(bool says_field, const VoterWeight& weight, double g) {
  const double s = weight.field_skill;
  const double q = weight.nofield_skill;
  if (std::isnan(s) || std::isnan(q)) return 1.0;
  const double right = says_field ? ratio_or(g * s, g * s + (1.0 - g) * (1.0 - q), 0.5)
                                  : ratio_or((1.0 - g) * q, (1.0 - g) * q + g * (1.0 - s), 0.5);
  return std::clamp(right, 0.5, 1.0);
}

std::array<double, 3> posterior_of_one(Vote vote, const VoterWeight& weight, double prior_field_share) {
  const unsigned voted = voted_class(vote);
  const double right = is_unsure(vote) ? 0.5 : probability_right(voted != 0, weight, prior_field_share);
  std::array<double, 3> posterior{};
  posterior[voted] = right;
  posterior[voted == 0 ? 1 : 0] = 1.0 - right;
  return posterior;
}

FusedVote decide_classes(const std::array<double, 3>& posterior) {
  const double best = std::max({posterior[0], posterior[1], posterior[2]});
  std::uint8_t label = geo::kInterior;
  if (posterior[0] >= best - kTie) {
    label = geo::kBackground;
  } else if (posterior[2] >= best - kTie) {
    label = geo::kBoundary;
  }
  return {posterior, label, std::max(0.0, 1.0 - best)};
}

FusedVote fuse_corrected(std::span<const Vote> votes, std::span<const VoterWeight> weights,
                         const FusionOptions& options) {
  Tally result = tally(votes, weights, false);
  const bool weighted = result.total > 0.0 || result.votes == 1;
  if (!weighted) result = tally(votes, weights, true);
  if (result.votes == 0) return kNobody;
  std::array<double, 3> posterior{};
  if (result.votes == 1) {
    posterior = posterior_of_one(votes[result.last], weights[result.last], options.prior_field_share);
  } else {
    for (std::size_t c = 0; c < 3; ++c) posterior[c] = std::min(1.0, result.by_class[c] / result.total);
  }
  if (options.classes == 3) return decide_classes(posterior);
  return decide_binary(std::min(1.0, posterior[1] + posterior[2]), options.label_threshold);
}

}  // namespace

FusedVote fuse_votes(std::span<const Vote> votes, std::span<const VoterWeight> weights,
                     const FusionOptions& options) {
  check(votes, weights, options);
  return options.compatible ? fuse_compatible(votes, weights, options.label_threshold)
                            : fuse_corrected(votes, weights, options);
}

FusedVote decide_posterior(std::span<const double> posterior, const FusionOptions& options) {
  if (posterior.empty()) return kNobody;
  if (posterior.size() != static_cast<std::size_t>(options.classes)) {
    throw geo::InvalidArgument(
        geo::concat("a posterior of ", posterior.size(), " classes where there are ", options.classes));
  }
  if (options.classes == 2) return decide_binary(posterior[1], options.label_threshold);
  return decide_classes({posterior[0], posterior[1], posterior[2]});
}

std::vector<FusedVote> fuse_patterns(const VotePatterns& patterns, std::span<const VoterWeight> weights,
                                     const FusionOptions& options) {
  std::vector<FusedVote> fused;
  fused.reserve(patterns.size());
  for (std::size_t i = 0; i < patterns.size(); ++i)
    fused.push_back(fuse_votes(patterns.pattern(i), weights, options));
  return fused;
}

}  // namespace furrow::labelling
