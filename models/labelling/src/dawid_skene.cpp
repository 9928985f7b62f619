#include <furrow/labelling/dawid_skene.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <tbb/parallel_for.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/labelling/weighted_vote.h>

#include "fusion_counts.h"

namespace furrow::labelling {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();
/// Sums of many logarithms are right to about this share; an objective that falls by more is a defect.
constexpr double kRounding = 1e-10;

void check(const DawidSkeneOptions& options) {
  for (const double value : {options.pseudo_items, options.pseudo_right, options.pseudo_wrong,
                             options.tolerance, options.table_tolerance}) {
    if (!std::isfinite(value) || value < 0.0)
      throw geo::InvalidArgument("Dawid-Skene: pseudo-counts and tolerances must be finite and 0 or more");
  }
  if (options.restarts < 0 || options.max_iterations < 1)
    throw geo::InvalidArgument("Dawid-Skene: restarts must be 0 or more and max_iterations 1 or more");
}

/// The term a log(x) of a prior with a pseudo-counts, which is 0 for a = 0 whatever x is.
double prior_term(double pseudo, double probability) {
  return pseudo > 0.0 ? pseudo * std::log(probability) : 0.0;
}

double largest_change(const std::vector<double>& before, const std::vector<double>& now) {
  double change = 0.0;
  for (std::size_t i = 0; i < before.size(); ++i) change = std::max(change, std::abs(now[i] - before[i]));
  return change;
}

/// Fits one table from one start at a time.
class Fitter {
 public:
  Fitter(const VoteTable& votes, const DawidSkeneOptions& options)
      : m_votes(votes),
        m_options(options),
        m_classes(static_cast<std::size_t>(votes.classes())),
        m_outcomes(static_cast<std::size_t>(votes.outcomes())) {}

  /// @param start  0 = from the votes, else a random one
  [[nodiscard]] FusionFit fit(int start) const {
    FusionFit fit;
    fit.classes = m_votes.classes();
    fit.outcomes = m_votes.outcomes();
    if (start == 0) {
      fit.posterior = weighted_vote(m_votes).posterior;
    } else {
      draw(fit, geo::Random(m_options.seed, static_cast<std::uint64_t>(start)));
      fit.posterior.assign(m_votes.rows() * m_classes, 0.0);
      expect(fit);
    }
    double objective = kMinusInfinity;
    while (fit.iterations < m_options.max_iterations && !fit.converged) {
      const std::vector<double> shares = fit.class_shares;
      const std::vector<double> tables = fit.confusion;
      maximise(fit);
      fit.objective = expect(fit) + log_prior(fit);
      ++fit.iterations;
      check_rise(objective, fit.objective);
      fit.converged = fit.objective - objective <= m_options.tolerance * (1.0 + std::abs(fit.objective)) &&
                      std::max(largest_change(shares, fit.class_shares),
                               largest_change(tables, fit.confusion)) <= m_options.table_tolerance;
      objective = fit.objective;
    }
    return fit;
  }

  /// Renames the classes so that the votes agree with them most, where nothing else tells them apart.
  void rename_classes(FusionFit& fit) const {
    if (names_are_known() || (m_options.one_coin && m_classes > 2)) return;
    const std::vector<double> counts = expected_votes(m_votes, fit.posterior);
    std::vector<double> votes_for(m_classes * m_classes, 0.0);  // by class and outcome
    for (std::size_t voter = 0; voter < m_votes.voters(); ++voter) {
      for (std::size_t c = 0; c < m_classes; ++c) {
        for (std::size_t k = 0; k < m_classes; ++k)
          votes_for[c * m_classes + k] += counts[confusion_index(m_votes, voter, c, k)];
      }
    }
    std::vector<std::size_t> from(m_classes);  // class `name` of the result is class from[name] of the fit
    for (std::size_t c = 0; c < m_classes; ++c) from[c] = c;
    const auto agreement = [&](std::size_t name, std::size_t c) { return votes_for[c * m_classes + name]; };
    for (bool swapped = true; swapped;) {
      swapped = false;
      for (std::size_t a = 0; a < m_classes; ++a) {
        for (std::size_t b = a + 1; b < m_classes; ++b) {
          const double now = agreement(a, from[a]) + agreement(b, from[b]);
          const double then = agreement(a, from[b]) + agreement(b, from[a]);
          if (then <= now + kRounding * (1.0 + std::abs(now))) continue;
          std::swap(from[a], from[b]);
          swapped = true;
        }
      }
    }
    rename(fit, from);
  }

 private:
  [[nodiscard]] bool names_are_known() const {
    if (m_options.pseudo_right != m_options.pseudo_wrong) return true;
    for (std::size_t i = 0; i < m_votes.rows(); ++i) {
      if (m_votes.row(i).truth >= 0) return true;
    }
    return false;
  }

  void rename(FusionFit& fit, const std::vector<std::size_t>& from) const {
    const FusionFit old = fit;
    for (std::size_t c = 0; c < m_classes; ++c) {
      fit.class_shares[c] = old.class_shares[from[c]];
      for (std::size_t i = 0; i < m_votes.rows(); ++i)
        fit.posterior[i * m_classes + c] = old.posterior[i * m_classes + from[c]];
      for (std::size_t voter = 0; voter < m_votes.voters(); ++voter) {
        for (std::size_t k = 0; k < m_outcomes; ++k) {
          fit.confusion[confusion_index(m_votes, voter, c, k)] =
              old.confusion[confusion_index(m_votes, voter, from[c], k)];
        }
      }
    }
  }

  /// Shares and tables from flat Dirichlet distributions.
  void draw(FusionFit& fit, geo::Random random) const {
    fit.class_shares.resize(m_classes);
    fit.confusion.assign(m_votes.voters() * m_classes * m_outcomes, 0.0);
    for (double& share : fit.class_shares) share = random.gamma(1.0);
    normalise_rows(fit.class_shares, m_classes);
    if (m_options.one_coin) {
      for (std::size_t voter = 0; voter < m_votes.voters(); ++voter)
        set_accuracy(fit, voter, random.uniform());
      return;
    }
    for (double& probability : fit.confusion) probability = random.gamma(1.0);
    normalise_rows(fit.confusion, m_outcomes);
  }

  void set_accuracy(FusionFit& fit, std::size_t voter, double accuracy) const {
    for (std::size_t c = 0; c < m_classes; ++c) {
      for (std::size_t k = 0; k < m_classes; ++k) {
        fit.confusion[confusion_index(m_votes, voter, c, k)] =
            k == c ? accuracy : (1.0 - accuracy) / static_cast<double>(m_classes - 1);
      }
    }
  }

  /// M-step.
  void maximise(FusionFit& fit) const {
    fit.class_shares = class_shares(m_votes, fit.posterior, m_options.pseudo_items);
    fit.confusion = expected_votes(m_votes, fit.posterior);
    if (m_options.one_coin) {
      for (std::size_t voter = 0; voter < m_votes.voters(); ++voter) maximise_accuracy(fit, voter);
      return;
    }
    for (std::size_t voter = 0; voter < m_votes.voters(); ++voter) {
      for (std::size_t c = 0; c < m_classes; ++c) {
        for (std::size_t k = 0; k < m_outcomes; ++k) {
          fit.confusion[confusion_index(m_votes, voter, c, k)] +=
              k == c ? m_options.pseudo_right : m_options.pseudo_wrong;
        }
      }
    }
    normalise_rows(fit.confusion, m_outcomes);
  }

  void maximise_accuracy(FusionFit& fit, std::size_t voter) const {
    double right = m_options.pseudo_right;
    double all = right + m_options.pseudo_wrong * static_cast<double>(m_classes - 1);
    for (std::size_t c = 0; c < m_classes; ++c) {
      right += fit.confusion[confusion_index(m_votes, voter, c, c)];
      for (std::size_t k = 0; k < m_classes; ++k) all += fit.confusion[confusion_index(m_votes, voter, c, k)];
      for (std::size_t k = m_classes; k < m_outcomes; ++k)
        fit.confusion[confusion_index(m_votes, voter, c, k)] = 0.0;
    }
    set_accuracy(fit, voter, all > 0.0 ? std::min(1.0, right / all) : 1.0 / static_cast<double>(m_classes));
  }

  /// E-step.
  /// @return the log-likelihood under the present tables
  double expect(FusionFit& fit) const {
    const std::vector<double> log_tables = logs_by_outcome(fit);
    std::vector<double> log_shares(m_classes);
    for (std::size_t c = 0; c < m_classes; ++c) log_shares[c] = std::log(fit.class_shares[c]);
    const std::size_t says = m_options.one_coin ? m_classes : m_outcomes;
    std::vector<double> scores(m_classes);
    double log_likelihood = 0.0;
    for (std::size_t i = 0; i < m_votes.rows(); ++i) {
      const VoteRow row = m_votes.row(i);
      scores = log_shares;
      for (const VoteEntry& vote : row.votes) {
        if (vote.outcome >= says) continue;
        const double* logs = log_tables.data() + (vote.voter * m_outcomes + vote.outcome) * m_classes;
        for (std::size_t c = 0; c < m_classes; ++c) scores[c] += vote.times * logs[c];
      }
      const auto posterior = std::span(fit.posterior).subspan(i * m_classes, m_classes);
      const double log_probability = posterior_of(scores, row.truth, fit.class_shares, posterior);
      if (row.count > 0.0) log_likelihood += row.count * log_probability;
    }
    return log_likelihood;
  }

  /// Logarithms of the tables as [voter, outcome, class], so that a vote's classes lie side by side.
  [[nodiscard]] std::vector<double> logs_by_outcome(const FusionFit& fit) const {
    std::vector<double> logs(fit.confusion.size());
    for (std::size_t voter = 0; voter < m_votes.voters(); ++voter) {
      for (std::size_t c = 0; c < m_classes; ++c) {
        for (std::size_t k = 0; k < m_outcomes; ++k) {
          logs[(voter * m_outcomes + k) * m_classes + c] =
              std::log(fit.confusion[confusion_index(m_votes, voter, c, k)]);
        }
      }
    }
    return logs;
  }

  /// @param scores  log P(class and votes)
  /// @return log P(votes), or log P(truth and votes)
  static double posterior_of(const std::vector<double>& scores, std::int32_t truth,
                             const std::vector<double>& class_shares, std::span<double> posterior) {
    if (truth >= 0) {
      std::ranges::fill(posterior, 0.0);
      posterior[static_cast<std::size_t>(truth)] = 1.0;
      return scores[static_cast<std::size_t>(truth)];
    }
    const double top = *std::ranges::max_element(scores);
    if (top == kMinusInfinity) {  // votes on a row of no items that never occur elsewhere
      std::ranges::copy(class_shares, posterior.begin());
      return 0.0;
    }
    double sum = 0.0;
    for (std::size_t c = 0; c < scores.size(); ++c) {
      posterior[c] = std::exp(scores[c] - top);
      sum += posterior[c];
    }
    for (double& p : posterior) p /= sum;
    return top + std::log(sum);
  }

  [[nodiscard]] double log_prior(const FusionFit& fit) const {
    double sum = 0.0;
    for (const double share : fit.class_shares) sum += prior_term(m_options.pseudo_items, share);
    // One coin has one accuracy per voter, the same in every class: its pseudo-votes count once.
    const std::size_t classes = m_options.one_coin ? 1 : m_classes;
    const std::size_t outcomes = m_options.one_coin ? m_classes : m_outcomes;
    for (std::size_t voter = 0; voter < m_votes.voters(); ++voter) {
      for (std::size_t c = 0; c < classes; ++c) {
        for (std::size_t k = 0; k < outcomes; ++k) {
          sum += prior_term(k == c ? m_options.pseudo_right : m_options.pseudo_wrong,
                            fit.confusion[confusion_index(m_votes, voter, c, k)]);
        }
      }
    }
    return sum;
  }

  static void check_rise(double before, double now) {
    if (now >= before - kRounding * (1.0 + std::abs(before))) return;
    throw geo::Error(geo::concat("Dawid-Skene: the objective fell from ", before, " to ", now,
                                 "; this is a defect, please report it with the votes"));
  }

  const VoteTable& m_votes;
  const DawidSkeneOptions& m_options;
  std::size_t m_classes;
  std::size_t m_outcomes;
};

/// The start with the highest objective; the earliest of those that differ by rounding only.
int best_start(const Fitter& fitter, int restarts) {
  std::vector<double> objectives(static_cast<std::size_t>(restarts) + 1);
  tbb::parallel_for(std::size_t{0}, objectives.size(),
                    [&](std::size_t i) { objectives[i] = fitter.fit(static_cast<int>(i)).objective; });
  const double best = *std::ranges::max_element(objectives);
  const auto first = std::ranges::find_if(
      objectives, [best](double objective) { return objective >= best - 1e-9 * (1.0 + std::abs(best)); });
  return static_cast<int>(first - objectives.begin());
}

}  // namespace

FusionFit dawid_skene(const VoteTable& votes, const DawidSkeneOptions& options) {
  check(options);
  const Fitter fitter(votes, options);
  const int start = options.restarts > 0 ? best_start(fitter, options.restarts) : 0;
  FusionFit fit = fitter.fit(start);
  fitter.rename_classes(fit);
  return fit;
}

}  // namespace furrow::labelling
