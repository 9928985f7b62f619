#include "bayes_em.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

namespace furrow::labelling::bayes {
namespace {

std::vector<double> logs_of(const std::vector<double>& values) {
  std::vector<double> logs(values.size());
  std::ranges::transform(values, logs.begin(), [](double v) { return std::log(v); });
  return logs;
}

/// Sets `logs` to the log likelihood of a row's votes by class.
void sum_log_votes(const Rows& rows, const Model& model, const std::vector<double>& log_confusion,
                   std::size_t r, std::span<double> logs) {
  std::ranges::fill(logs, 0.0);
  for (std::size_t v = rows.vote_begin[r]; v < rows.vote_begin[r + 1]; ++v) {
    const SeatVote& vote = rows.votes[v];
    const std::size_t voter = rows.seat_voter[vote.seat];
    if (model.is_silenced[voter] != 0) continue;
    const double* column = log_confusion.data() + voter * rows.cells() + vote.outcome;
    for (std::size_t c = 0; c < rows.classes; ++c) logs[c] += vote.times * column[c * rows.outcomes];
  }
}

/// The expectation step on one group.
class GroupStep {
 public:
  GroupStep(const Rows& rows, const Model& model, const std::vector<double>& log_confusion,
            const std::vector<double>& log_shares, State& state)
      : m_rows(rows),
        m_model(model),
        m_log_confusion(log_confusion),
        m_log_shares(log_shares),
        m_state(state) {}

  /// Fills posterior and seat counts; returns the group's part of the log likelihood.
  double operator()(std::size_t group) const {
    double sum = known(group);
    for (std::size_t r = m_rows.group_begin[group]; r < m_rows.group_begin[group + 1]; ++r)
      sum += row(group, r);
    return sum * scale(group);
  }

 private:
  [[nodiscard]] double scale(std::size_t group) const {
    return m_rows.replicas[group] * m_model.group_scale[group];
  }

  /// Items with known truth: seat counts start with them.
  double known(std::size_t group) const {
    double sum = 0.0;
    for (std::size_t c = 0; c < m_rows.classes; ++c)
      sum += m_rows.known_items[group * m_rows.classes + c] * m_log_shares[group * m_rows.classes + c];
    for (std::size_t s = m_rows.seat_begin[group]; s < m_rows.seat_begin[group + 1]; ++s) {
      const std::size_t voter = m_rows.seat_voter[s];
      for (std::size_t cell = 0; cell < m_rows.cells(); ++cell) {
        const double votes = m_rows.known_votes[s * m_rows.cells() + cell];
        m_state.seat_counts[s * m_rows.cells() + cell] = votes * scale(group);
        if (m_model.is_silenced[voter] == 0) sum += votes * m_log_confusion[voter * m_rows.cells() + cell];
      }
    }
    return sum;
  }

  double row(std::size_t group, std::size_t r) const {
    const std::span<double> posterior(m_state.posterior.data() + r * m_rows.classes, m_rows.classes);
    sum_log_votes(m_rows, m_model, m_log_confusion, r, posterior);
    for (std::size_t c = 0; c < m_rows.classes; ++c) posterior[c] += m_log_shares[group * m_rows.classes + c];
    const double log_likelihood = normalise_logs(posterior);
    add_counts(group, r, posterior);
    return m_rows.count[r] * log_likelihood;
  }

  void add_counts(std::size_t group, std::size_t r, std::span<const double> posterior) const {
    const double weight = m_rows.count[r] * scale(group);
    for (std::size_t v = m_rows.vote_begin[r]; v < m_rows.vote_begin[r + 1]; ++v) {
      const SeatVote& vote = m_rows.votes[v];
      double* counts = m_state.seat_counts.data() + vote.seat * m_rows.cells() + vote.outcome;
      for (std::size_t c = 0; c < m_rows.classes; ++c)
        counts[c * m_rows.outcomes] += weight * vote.times * posterior[c];
    }
  }

  const Rows& m_rows;
  const Model& m_model;
  const std::vector<double>& m_log_confusion;
  const std::vector<double>& m_log_shares;
  State& m_state;
};

/// Log densities of the confusion rows and shares under their priors, in the softmax basis, up to constants.
double log_prior(const Rows& rows, const Model& model, const std::vector<double>& log_confusion,
                 const std::vector<double>& log_shares) {
  double sum = 0.0;
  for (std::size_t v = 0; v < rows.voters; ++v) {
    if (model.is_silenced[v] != 0) continue;
    for (std::size_t cell = 0; cell < rows.cells(); ++cell) {
      const std::size_t c = cell / rows.outcomes;
      sum += model.row_scale[v * rows.classes + c] * model.row_votes[cell] *
             log_confusion[v * rows.cells() + cell];
    }
  }
  for (std::size_t i = 0; i < log_shares.size(); ++i)
    sum += rows.replicas[i / rows.classes] * model.share_votes[i % rows.classes] * log_shares[i];
  return sum;
}

double expectation(const Rows& rows, const Model& model, State& state) {
  const std::vector<double> log_confusion = logs_of(state.confusion);
  const std::vector<double> log_shares = logs_of(state.shares);
  const GroupStep step(rows, model, log_confusion, log_shares, state);
  std::vector<double> parts(rows.groups, 0.0);
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, rows.groups), [&](const auto& range) {
    for (std::size_t g = range.begin(); g != range.end(); ++g) parts[g] = step(g);
  });
  double sum = log_prior(rows, model, log_confusion, log_shares);
  for (const double part : parts) sum += part;
  return sum;
}

/// Shares of each group: (prior + expected independent items) / sum.
void update_shares(const Rows& rows, const Model& model, State& state) {
  for (std::size_t g = 0; g < rows.groups; ++g) {
    const std::vector<double> items = expected_items(rows, state, g);
    double* shares = state.shares.data() + g * rows.classes;
    double total = 0.0;
    for (std::size_t c = 0; c < rows.classes; ++c) {
      shares[c] = model.share_votes[c] + items[c] * model.group_scale[g];
      total += shares[c];
    }
    for (std::size_t c = 0; c < rows.classes; ++c) shares[c] /= total;
  }
}

void maximisation(const Rows& rows, const Model& model, State& state) {
  const std::vector<double> counts = voter_counts(rows, state);
  for (std::size_t v = 0; v < rows.voters; ++v) {
    confusion_from_counts(model, rows, v, {counts.data() + v * rows.cells(), rows.cells()},
                          {state.confusion.data() + v * rows.cells(), rows.cells()});
  }
  update_shares(rows, model, state);
}

double information(const Rows& rows, const Model& model) {
  double sum = 0.0;
  for (std::size_t g = 0; g < rows.groups; ++g)
    sum += rows.items[g] * rows.replicas[g] * model.group_scale[g];
  return sum;
}

}  // namespace

std::size_t count_voters(const Rows& rows, std::size_t row, const Model& model) {
  std::size_t voters = 0;
  std::size_t last = std::numeric_limits<std::size_t>::max();
  for (std::size_t v = rows.vote_begin[row]; v < rows.vote_begin[row + 1]; ++v) {
    const std::size_t seat = rows.votes[v].seat;
    if (seat == last || model.is_silenced[rows.seat_voter[seat]] != 0) continue;
    last = seat;
    ++voters;
  }
  return voters;
}

double normalise_logs(std::span<double> values) {
  const double highest = std::ranges::max(values);
  double sum = 0.0;
  for (double& v : values) {
    v = std::exp(v - highest);
    sum += v;
  }
  for (double& v : values) v /= sum;
  return highest + std::log(sum);
}

void confusion_from_counts(const Model& model, const Rows& rows, std::size_t voter,
                           std::span<const double> counts, std::span<double> out) {
  for (std::size_t c = 0; c < rows.classes; ++c) {
    const double scale = model.row_scale[voter * rows.classes + c];
    double total = 0.0;
    for (std::size_t o = 0; o < rows.outcomes; ++o) {
      const std::size_t cell = c * rows.outcomes + o;
      out[cell] = scale * model.row_votes[cell] + std::max(0.0, counts[cell]);
      total += out[cell];
    }
    for (std::size_t o = 0; o < rows.outcomes; ++o) out[c * rows.outcomes + o] /= total;
  }
}

std::vector<double> dependent_posterior(const Rows& rows, const Model& model, const State& state,
                                        double dependence) {
  if (dependence == 0.0) return state.posterior;
  const std::vector<double> log_confusion = logs_of(state.confusion);
  std::vector<double> posterior(state.posterior.size());
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, rows.groups), [&](const auto& range) {
    for (std::size_t g = range.begin(); g != range.end(); ++g) {
      for (std::size_t r = rows.group_begin[g]; r < rows.group_begin[g + 1]; ++r) {
        const std::span<double> of_row(posterior.data() + r * rows.classes, rows.classes);
        sum_log_votes(rows, model, log_confusion, r, of_row);
        const double k = kappa(count_voters(rows, r, model), dependence);
        for (std::size_t c = 0; c < rows.classes; ++c)
          of_row[c] = k * of_row[c] + std::log(state.shares[g * rows.classes + c]);
        (void)normalise_logs(of_row);
      }
    }
  });
  return posterior;
}

std::vector<double> expected_items(const Rows& rows, const State& state, std::size_t group) {
  const auto known = rows.known_items.begin() + static_cast<std::ptrdiff_t>(group * rows.classes);
  std::vector<double> items(known, known + static_cast<std::ptrdiff_t>(rows.classes));
  for (std::size_t r = rows.group_begin[group]; r < rows.group_begin[group + 1]; ++r) {
    for (std::size_t c = 0; c < rows.classes; ++c)
      items[c] += rows.count[r] * state.posterior[r * rows.classes + c];
  }
  return items;
}

std::vector<double> voter_counts(const Rows& rows, const State& state) {
  std::vector<double> counts(rows.voters * rows.cells(), 0.0);
  for (std::size_t s = 0; s < rows.seats(); ++s) {
    for (std::size_t cell = 0; cell < rows.cells(); ++cell)
      counts[rows.seat_voter[s] * rows.cells() + cell] += state.seat_counts[s * rows.cells() + cell];
  }
  return counts;
}

State start_from_population(const Rows& rows, const Model& model) {
  State state;
  state.confusion.resize(rows.voters * rows.cells());
  const std::vector<double> none(rows.cells(), 0.0);
  for (std::size_t v = 0; v < rows.voters; ++v)
    confusion_from_counts(model, rows, v, none, {state.confusion.data() + v * rows.cells(), rows.cells()});
  double total = 0.0;
  for (const double votes : model.share_votes) total += votes;
  for (std::size_t g = 0; g < rows.groups; ++g) {
    for (const double votes : model.share_votes) state.shares.push_back(votes / total);
  }
  state.posterior.assign(rows.size() * rows.classes, 0.0);
  state.seat_counts.assign(rows.seats() * rows.cells(), 0.0);
  return state;
}

void run_em(const Rows& rows, const Model& model, const RunLimits& limits, State& state) {
  const double enough = limits.tolerance * std::max(1.0, information(rows, model));
  state.trace.clear();
  state.converged = false;
  for (state.iterations = 0; state.iterations < limits.max_iterations;) {
    const double before = state.objective;
    state.objective = expectation(rows, model, state);
    state.trace.push_back(state.objective);
    ++state.iterations;
    if (state.iterations > 1) {
      assert(state.objective >= before - 1e-9 * (1.0 + std::abs(before)));
      if (state.objective - before <= enough) {
        state.converged = true;
        return;
      }
    }
    maximisation(rows, model, state);
  }
  state.objective = expectation(rows, model, state);
}

}  // namespace furrow::labelling::bayes
