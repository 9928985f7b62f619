#include <furrow/labelling/staple.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/labelling/weighted_vote.h>

#include "fusion_counts.h"

namespace furrow::labelling {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

void check_iterations(double tolerance, int max_iterations) {
  if (!(tolerance >= 0.0) || max_iterations < 1)
    throw geo::InvalidArgument("STAPLE: the tolerance must be 0 or more and max_iterations 1 or more");
}

void check(const VoteTable& votes, const StapleOptions& options) {
  if (votes.classes() != 2)
    throw geo::InvalidArgument(geo::concat("STAPLE has 2 classes, the votes have ", votes.classes()));
  const double share = options.foreground_share.value_or(0.5);
  if (!(share >= 0.0 && share <= 1.0) || !(options.confidence_weight >= 0.0))
    throw geo::InvalidArgument("STAPLE: the prior share must be 0..1 and the confidence weight 0 or more");
  check_iterations(options.tolerance, options.max_iterations);
}

/// Share of every class in all votes for a class; equal shares without votes.
std::vector<double> pooled_shares(const VoteTable& votes) {
  const auto classes = static_cast<std::size_t>(votes.classes());
  std::vector<double> shares(classes, 0.0);
  for (std::size_t i = 0; i < votes.rows(); ++i) {
    const VoteRow row = votes.row(i);
    for (const VoteEntry& vote : row.votes) {
      if (vote.outcome < classes) shares[vote.outcome] += row.count * vote.times;
    }
  }
  normalise_rows(shares, classes);
  return shares;
}

double foreground_share(const VoteTable& votes, const StapleOptions& options) {
  if (options.foreground_share) return *options.foreground_share;
  return std::min(1.0, pooled_shares(votes)[1] * options.confidence_weight);
}

FusionFit empty_fit(const VoteTable& votes, std::vector<double> shares) {
  FusionFit fit;
  fit.classes = votes.classes();
  fit.outcomes = votes.outcomes();
  fit.class_shares = std::move(shares);
  fit.posterior = weighted_vote(votes).posterior;
  return fit;
}

/// M-step: tables from posterior-weighted votes. Outcomes beyond the classes stay 0.
void maximise(const VoteTable& votes, FusionFit& fit) {
  const auto classes = static_cast<std::size_t>(fit.classes);
  const auto outcomes = static_cast<std::size_t>(fit.outcomes);
  fit.confusion = expected_votes(votes, fit.posterior);
  for (std::size_t begin = 0; begin < fit.confusion.size(); begin += outcomes) {
    const auto row = std::span(fit.confusion).subspan(begin, outcomes);
    normalise_rows(row.first(classes), classes);
    std::ranges::fill(row.subspan(classes), 0.0);
  }
}

/// Logarithms of a fit's numbers, so that each is taken once.
struct Logs {
  std::vector<double> shares;  ///< by class
  std::vector<double> tables;  ///< as FusionFit::confusion

  explicit Logs(const FusionFit& fit) : shares(fit.class_shares), tables(fit.confusion) {
    for (double& value : shares) value = std::log(value);
    for (double& value : tables) value = std::log(value);
  }
};

/// log P(class and votes) of a row.
void log_joint(const VoteTable& votes, const VoteRow& row, const Logs& logs, std::span<double> scores) {
  std::ranges::copy(logs.shares, scores.begin());
  for (const VoteEntry& vote : row.votes) {
    if (vote.outcome >= scores.size()) continue;
    for (std::size_t c = 0; c < scores.size(); ++c)
      scores[c] += vote.times * logs.tables[confusion_index(votes, vote.voter, c, vote.outcome)];
  }
}

/// E-step of all rows.
/// @return the log-likelihood
double expect(const VoteTable& votes, FusionFit& fit) {
  const auto classes = static_cast<std::size_t>(fit.classes);
  const Logs logs(fit);
  std::vector<double> scores(classes);
  double log_likelihood = 0.0;
  for (std::size_t i = 0; i < votes.rows(); ++i) {
    const VoteRow row = votes.row(i);
    const auto posterior = std::span(fit.posterior).subspan(i * classes, classes);
    log_joint(votes, row, logs, scores);
    double log_probability = *std::ranges::max_element(scores);
    if (row.truth >= 0) {  // the posterior is there from the start
      log_probability = scores[static_cast<std::size_t>(row.truth)];
    } else if (log_probability == kMinusInfinity) {  // no class can have these votes
      std::ranges::copy(fit.class_shares, posterior.begin());
    } else {
      double sum = 0.0;
      for (std::size_t c = 0; c < classes; ++c) {
        posterior[c] = std::exp(scores[c] - log_probability);
        sum += posterior[c];
      }
      for (double& p : posterior) p /= sum;
      log_probability += std::log(sum);
    }
    if (std::isfinite(log_probability)) log_likelihood += row.count * log_probability;
  }
  return log_likelihood;
}

double largest_change(std::span<const double> before, std::span<const double> now) {
  double change = 0.0;
  for (std::size_t i = 0; i < before.size(); ++i) change = std::max(change, std::abs(now[i] - before[i]));
  return change;
}

/// @param step  one M-step and E-step
template <class Step>
void iterate(FusionFit& fit, const StapleOptions& options, Step step) {
  while (fit.iterations < options.max_iterations && !fit.converged) {
    const std::vector<double> before = std::exchange(fit.confusion, {});
    step();
    ++fit.iterations;
    const double change = largest_change(before, fit.confusion);
    fit.converged = fit.iterations > 1 && change * change <= options.tolerance;
  }
}

/// P(majority | vote) of every voter, laid out as the tables P(vote | truth).
void start_from_majority(const VoteTable& votes, FusionFit& fit) {
  const auto classes = static_cast<std::size_t>(fit.classes);
  std::vector<double> winners(fit.posterior.size(), 0.0);
  for (std::size_t i = 0; i < votes.rows(); ++i) {
    const Decision lowest = decide(fit.posterior_of(i));
    const bool tie = lowest.label != decide(fit.posterior_of(i), TieRule::kHighest).label;
    if (!tie) winners[i * classes + static_cast<std::size_t>(lowest.label)] = 1.0;
  }
  fit.confusion = expected_votes(votes, winners);
  for (std::size_t voter = 0; voter < votes.voters(); ++voter) {
    for (std::size_t k = 0; k < classes; ++k) {
      double sum = 0.0;
      for (std::size_t c = 0; c < classes; ++c) sum += fit.confusion[confusion_index(votes, voter, c, k)];
      if (sum <= 0.0) continue;
      for (std::size_t c = 0; c < classes; ++c) fit.confusion[confusion_index(votes, voter, c, k)] /= sum;
    }
  }
}

/// The pixels of a field, and their E-step.
class Field {
 public:
  Field(const VoteTable& votes, std::span<const std::uint32_t> of_pixel, std::size_t width, double beta)
      : m_votes(votes),
        m_of_pixel(of_pixel),
        m_width(width),
        m_beta(beta),
        m_log_odds(votes.rows()),
        m_pixels(votes.rows(), 0.0) {
    if (width == 0 ? !of_pixel.empty() : of_pixel.size() % width != 0)
      throw geo::InvalidArgument(geo::concat(of_pixel.size(), " pixels are no lines of ", width));
    if (!(beta >= 0.0)) throw geo::InvalidArgument("STAPLE: beta must be 0 or more");
    for (const std::uint32_t row : of_pixel) {
      if (row >= votes.rows())
        throw geo::InvalidArgument(geo::concat("a pixel has votes ", row, " of ", votes.rows()));
      m_pixels[row] += 1.0;
    }
  }

  /// The same combinations of votes with the counts of this field.
  [[nodiscard]] VoteTable counted() const {
    VoteTable table(m_votes.classes(), m_votes.outcomes(), m_votes.voters());
    for (std::size_t i = 0; i < m_votes.rows(); ++i) {
      const VoteRow row = m_votes.row(i);
      table.add(row.votes, m_pixels[i], row.truth, row.group);
    }
    return table;
  }

  [[nodiscard]] std::vector<double> start(const FusionFit& fit) const {
    std::vector<double> foreground(m_of_pixel.size());
    for (std::size_t i = 0; i < foreground.size(); ++i) foreground[i] = fit.posterior[2 * m_of_pixel[i] + 1];
    return foreground;
  }

  /// One E-step: `foreground` of every pixel from its votes and its neighbours of the step before.
  void expect(FusionFit& fit, std::vector<double>& foreground) {
    const Logs logs(fit);
    for (std::size_t i = 0; i < m_votes.rows(); ++i) m_log_odds[i] = log_odds(i, logs);
    const std::vector<double> before = foreground;
    tbb::parallel_for(tbb::blocked_range<std::size_t>(0, m_width == 0 ? 0 : before.size() / m_width),
                      [&](const tbb::blocked_range<std::size_t>& lines) {
                        for (std::size_t line = lines.begin(); line != lines.end(); ++line)
                          expect_line(line, before, foreground);
                      });
    average(foreground, fit);
  }

 private:
  [[nodiscard]] double log_odds(std::size_t row, const Logs& logs) const {
    const VoteRow votes = m_votes.row(row);
    if (votes.truth >= 0) return votes.truth == 1 ? std::numeric_limits<double>::infinity() : kMinusInfinity;
    std::vector<double> scores(2);
    log_joint(m_votes, votes, logs, scores);
    if (scores[0] == kMinusInfinity && scores[1] == kMinusInfinity) return logs.shares[1] - logs.shares[0];
    return scores[1] - scores[0];
  }

  void expect_line(std::size_t line, const std::vector<double>& before, std::vector<double>& now) const {
    const std::size_t lines = before.size() / m_width;
    for (std::size_t column = 0; column < m_width; ++column) {
      const std::size_t pixel = line * m_width + column;
      double neighbours = 0.0;
      if (line > 0) neighbours += 2.0 * before[pixel - m_width] - 1.0;
      if (column > 0) neighbours += 2.0 * before[pixel - 1] - 1.0;
      if (column + 1 < m_width) neighbours += 2.0 * before[pixel + 1] - 1.0;
      if (line + 1 < lines) neighbours += 2.0 * before[pixel + m_width] - 1.0;
      now[pixel] = 1.0 / (1.0 + std::exp(-(m_log_odds[m_of_pixel[pixel]] + m_beta * neighbours)));
    }
  }

  /// Mean over the pixels of every row of votes, which is all that the M-step needs.
  void average(const std::vector<double>& foreground, FusionFit& fit) const {
    std::vector<double> sums(m_votes.rows(), 0.0);
    for (std::size_t i = 0; i < foreground.size(); ++i) sums[m_of_pixel[i]] += foreground[i];
    for (std::size_t i = 0; i < sums.size(); ++i) {
      if (m_pixels[i] <= 0.0) continue;
      fit.posterior[2 * i + 1] = sums[i] / m_pixels[i];
      fit.posterior[2 * i] = 1.0 - fit.posterior[2 * i + 1];
    }
  }

  const VoteTable& m_votes;
  std::span<const std::uint32_t> m_of_pixel;
  std::size_t m_width;
  double m_beta;
  std::vector<double> m_log_odds;  ///< of every row, from its votes alone
  std::vector<double> m_pixels;    ///< of every row
};

}  // namespace

FusionFit staple(const VoteTable& votes, const StapleOptions& options) {
  check(votes, options);
  const double share = foreground_share(votes, options);
  FusionFit fit = empty_fit(votes, {1.0 - share, share});
  iterate(fit, options, [&] {
    maximise(votes, fit);
    fit.objective = expect(votes, fit);
  });
  return fit;
}

FusionFit multi_label_staple(const VoteTable& votes, const MultiLabelStapleOptions& options) {
  check_iterations(options.tolerance, options.max_iterations);
  FusionFit fit = empty_fit(votes, pooled_shares(votes));
  start_from_majority(votes, fit);
  (void)expect(votes, fit);
  while (fit.iterations < options.max_iterations && !fit.converged) {
    const std::vector<double> before = fit.confusion;
    maximise(votes, fit);
    fit.objective = expect(votes, fit);
    ++fit.iterations;
    fit.converged = largest_change(before, fit.confusion) < options.tolerance;
  }
  return fit;
}

StapleField staple_field(const VoteTable& votes, std::span<const std::uint32_t> of_pixel, std::size_t width,
                         double beta, const StapleOptions& options) {
  check(votes, options);
  Field field(votes, of_pixel, width, beta);
  const VoteTable counted = field.counted();
  const double share = foreground_share(counted, options);
  StapleField result;
  result.fit = empty_fit(counted, {1.0 - share, share});
  result.foreground = field.start(result.fit);
  iterate(result.fit, options, [&] {
    maximise(counted, result.fit);
    field.expect(result.fit, result.foreground);
  });
  return result;
}

}  // namespace furrow::labelling
