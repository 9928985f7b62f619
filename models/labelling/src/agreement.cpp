#include <furrow/labelling/agreement.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::labelling {
namespace {

/// Votes on an item by outcome.
struct OutcomeCounts {
  std::vector<double> by_outcome;
  double total = 0.0;

  explicit OutcomeCounts(const VoteTable& votes)
      : by_outcome(static_cast<std::size_t>(votes.outcomes()), 0.0) {}

  void count(const VoteRow& row) {
    std::ranges::fill(by_outcome, 0.0);
    total = 0.0;
    for (const VoteEntry& vote : row.votes) {
      by_outcome[vote.outcome] += vote.times;
      total += vote.times;
    }
  }
  /// Ordered pairs of votes that agree.
  [[nodiscard]] double agreeing_pairs() const {
    double pairs = 0.0;
    for (const double n : by_outcome) pairs += n * (n - 1.0);
    return pairs;
  }
};

double sum_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

/// kappa = (observed - expected) / (1 - expected) of a square table of joint answers.
std::optional<double> kappa_of(const std::vector<double>& joint, std::size_t outcomes) {
  const double total = sum_of(joint);
  if (total <= 0.0) return std::nullopt;
  double observed = 0.0;
  double expected = 0.0;
  for (std::size_t k = 0; k < outcomes; ++k) {
    double row = 0.0;
    double column = 0.0;
    for (std::size_t l = 0; l < outcomes; ++l) {
      row += joint[k * outcomes + l];
      column += joint[l * outcomes + k];
    }
    observed += joint[k * outcomes + k] / total;
    expected += row / total * (column / total);
  }
  if (expected >= 1.0) return std::nullopt;
  return (observed - expected) / (1.0 - expected);
}

/// Entries of one voter in a row, which lie side by side.
std::span<const VoteEntry> votes_of(const VoteRow& row, std::size_t voter) {
  const auto range = std::ranges::equal_range(row.votes, voter, {},
                                              [](const VoteEntry& vote) { return std::size_t{vote.voter}; });
  return {range.begin(), range.end()};
}

double times_of(std::span<const VoteEntry> votes) {
  double times = 0.0;
  for (const VoteEntry& vote : votes) times += vote.times;
  return times;
}

void check_voter(const VoteTable& votes, std::size_t voter) {
  if (voter >= votes.voters())
    throw geo::InvalidArgument(geo::concat("there is no voter ", voter, " among ", votes.voters()));
}

void check_labels(const VoteTable& votes, std::size_t voter, std::span<const std::int32_t> labels) {
  check_voter(votes, voter);
  if (labels.size() != votes.rows())
    throw geo::InvalidArgument(
        geo::concat("there are ", labels.size(), " labels for ", votes.rows(), " rows"));
}

void check_posterior(const VoteTable& votes, std::span<const double> posterior) {
  const std::size_t wanted = votes.rows() * static_cast<std::size_t>(votes.classes());
  if (posterior.size() != wanted)
    throw geo::InvalidArgument(geo::concat("a posterior has ", posterior.size(), " numbers, not ", wanted));
}

void check_accuracy(const VoteTable& votes, std::span<const double> accuracy) {
  if (accuracy.size() != votes.voters()) {
    throw geo::InvalidArgument(
        geo::concat("there are ", accuracy.size(), " accuracies for ", votes.voters(), " voters"));
  }
  for (const double a : accuracy) {
    if (!(a >= 0.0 && a <= 1.0))
      throw geo::InvalidArgument(geo::concat("a voter's accuracy is ", a, "; it must be from 0 to 1"));
  }
}

/// Mean of value(row) over the items of rows with votes or a known truth.
template <class Value>
std::optional<double> mean_over_items(const VoteTable& votes, Value value) {
  double sum = 0.0;
  double items = 0.0;
  for (std::size_t i = 0; i < votes.rows(); ++i) {
    const VoteRow row = votes.row(i);
    if ((row.votes.empty() && row.truth < 0) || row.count <= 0.0) continue;
    sum += row.count * value(i);
    items += row.count;
  }
  if (items <= 0.0) return std::nullopt;
  return sum / items;
}

/// exp(scores), scaled to sum to 1; equal shares where every score is minus infinity.
void to_probabilities(std::span<double> scores) {
  const double top = *std::ranges::max_element(scores);
  if (top == -std::numeric_limits<double>::infinity()) {
    std::ranges::fill(scores, 1.0 / static_cast<double>(scores.size()));
    return;
  }
  for (double& score : scores) score = std::exp(score - top);
  const double sum = sum_of(scores);
  for (double& score : scores) score /= sum;
}

}  // namespace

std::optional<double> krippendorff_alpha(const VoteTable& votes) {
  OutcomeCounts counts(votes);
  std::vector<double> totals(counts.by_outcome.size(), 0.0);
  double disagreement = 0.0;
  for (std::size_t i = 0; i < votes.rows(); ++i) {
    const VoteRow row = votes.row(i);
    counts.count(row);
    if (counts.total < 2.0) continue;
    for (std::size_t k = 0; k < totals.size(); ++k) totals[k] += row.count * counts.by_outcome[k];
    const double pairs = counts.total * (counts.total - 1.0);
    disagreement += row.count * (pairs - counts.agreeing_pairs()) / (counts.total - 1.0);
  }
  const double all = sum_of(totals);
  double expected = all * all;
  for (const double n : totals) expected -= n * n;
  if (all <= 1.0 || expected <= 0.0) return std::nullopt;
  return 1.0 - (all - 1.0) * disagreement / expected;
}

std::optional<double> fleiss_kappa(const VoteTable& votes) {
  OutcomeCounts counts(votes);
  std::vector<double> totals(counts.by_outcome.size(), 0.0);
  double agreement = 0.0;
  double items = 0.0;
  for (std::size_t i = 0; i < votes.rows(); ++i) {
    const VoteRow row = votes.row(i);
    counts.count(row);
    if (counts.total < 2.0) continue;
    for (std::size_t k = 0; k < totals.size(); ++k) totals[k] += row.count * counts.by_outcome[k];
    agreement += row.count * counts.agreeing_pairs() / (counts.total * (counts.total - 1.0));
    items += row.count;
  }
  if (items <= 0.0) return std::nullopt;
  const double all = sum_of(totals);
  double expected = 0.0;
  for (const double n : totals) expected += n / all * (n / all);
  if (expected >= 1.0) return std::nullopt;
  return (agreement / items - expected) / (1.0 - expected);
}

std::optional<double> cohen_kappa(const VoteTable& votes, std::size_t first, std::size_t second) {
  check_voter(votes, first);
  check_voter(votes, second);
  const auto outcomes = static_cast<std::size_t>(votes.outcomes());
  std::vector<double> joint(outcomes * outcomes, 0.0);
  for (std::size_t i = 0; i < votes.rows(); ++i) {
    const VoteRow row = votes.row(i);
    const auto a = votes_of(row, first);
    const auto b = votes_of(row, second);
    const double pairs = times_of(a) * times_of(b);
    for (const VoteEntry& x : a) {
      for (const VoteEntry& y : b)
        joint[x.outcome * outcomes + y.outcome] += row.count * x.times * y.times / pairs;
    }
  }
  return kappa_of(joint, outcomes);
}

std::optional<double> kappa_with_labels(const VoteTable& votes, std::size_t voter,
                                        std::span<const std::int32_t> labels) {
  check_labels(votes, voter, labels);
  const auto outcomes = static_cast<std::size_t>(votes.outcomes());
  std::vector<double> joint(outcomes * outcomes, 0.0);
  for (std::size_t i = 0; i < votes.rows(); ++i) {
    if (labels[i] < 0) continue;
    const VoteRow row = votes.row(i);
    const auto own = votes_of(row, voter);
    const double times = times_of(own);
    for (const VoteEntry& vote : own)
      joint[vote.outcome * outcomes + static_cast<std::size_t>(labels[i])] += row.count * vote.times / times;
  }
  return kappa_of(joint, outcomes);
}

std::optional<double> agreement_with_labels(const VoteTable& votes, std::size_t voter,
                                            std::span<const std::int32_t> labels) {
  check_labels(votes, voter, labels);
  double same = 0.0;
  double all = 0.0;
  for (std::size_t i = 0; i < votes.rows(); ++i) {
    if (labels[i] < 0) continue;
    const VoteRow row = votes.row(i);
    for (const VoteEntry& vote : votes_of(row, voter)) {
      all += row.count * vote.times;
      if (vote.outcome == labels[i]) same += row.count * vote.times;
    }
  }
  if (all <= 0.0) return std::nullopt;
  return same / all;
}

std::vector<double> posterior_from_accuracy(const VoteTable& votes, std::span<const double> accuracy) {
  check_accuracy(votes, accuracy);
  const auto classes = static_cast<std::size_t>(votes.classes());
  std::vector<double> posterior(votes.rows() * classes, 0.0);
  for (std::size_t i = 0; i < votes.rows(); ++i) {
    const auto scores = std::span(posterior).subspan(i * classes, classes);
    for (const VoteEntry& vote : votes.row(i).votes) {
      if (vote.outcome >= classes) continue;
      const double right = std::log(accuracy[vote.voter]);
      const double wrong = std::log((1.0 - accuracy[vote.voter]) / static_cast<double>(classes - 1));
      for (std::size_t c = 0; c < classes; ++c) scores[c] += vote.times * (c == vote.outcome ? right : wrong);
    }
    to_probabilities(scores);
  }
  return posterior;
}

std::vector<double> mean_vote(const VoteTable& votes, std::span<const double> accuracy) {
  check_accuracy(votes, accuracy);
  const auto classes = static_cast<std::size_t>(votes.classes());
  std::vector<double> shares(votes.rows() * classes, 0.0);
  for (std::size_t i = 0; i < votes.rows(); ++i) {
    const auto row = std::span(shares).subspan(i * classes, classes);
    double times = 0.0;
    for (const VoteEntry& vote : votes.row(i).votes) {
      if (vote.outcome >= classes) continue;
      const double right = accuracy[vote.voter];
      const double wrong = (1.0 - right) / static_cast<double>(classes - 1);
      for (std::size_t c = 0; c < classes; ++c) row[c] += vote.times * (c == vote.outcome ? right : wrong);
      times += vote.times;
    }
    for (double& share : row) share = times > 0.0 ? share / times : 1.0 / static_cast<double>(classes);
  }
  return shares;
}

std::optional<double> mean_top_posterior(const VoteTable& votes, std::span<const double> posterior) {
  check_posterior(votes, posterior);
  const auto classes = static_cast<std::size_t>(votes.classes());
  return mean_over_items(votes, [&](std::size_t i) {
    return *std::ranges::max_element(posterior.subspan(i * classes, classes));
  });
}

double entropy(std::span<const double> posterior) {
  double sum = 0.0;
  for (const double p : posterior) {
    if (p > 0.0) sum -= p * std::log(p);
  }
  return sum;
}

std::optional<double> mean_entropy(const VoteTable& votes, std::span<const double> posterior) {
  check_posterior(votes, posterior);
  const auto classes = static_cast<std::size_t>(votes.classes());
  return mean_over_items(votes,
                         [&](std::size_t i) { return entropy(posterior.subspan(i * classes, classes)); });
}

}  // namespace furrow::labelling
