#include "bayes_reference.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <furrow/geo/core/random.h>

namespace furrow::labelling::bayes {
namespace {

std::size_t seats_of(const Rows& rows, std::size_t group) {
  return rows.seat_begin[group + 1] - rows.seat_begin[group];
}

/// Rows of a group, as far as `seats` (ascending) voted on them.
ReferenceView make_view(const VoteTable& table, const Rows& rows, std::size_t group,
                        const std::vector<std::size_t>& members, std::vector<std::size_t> seats) {
  std::map<std::pair<std::int32_t, std::vector<VoteEntry>>, double> counts;
  for (const std::size_t i : members) {
    const VoteRow row = table.row(i);
    std::vector<VoteEntry> votes;
    for (VoteEntry vote : row.votes) {
      const auto at = std::ranges::lower_bound(seats, vote.voter, {},
                                               [&](std::size_t seat) { return rows.seat_voter[seat]; });
      if (at == seats.end() || rows.seat_voter[*at] != vote.voter) continue;
      vote.voter = static_cast<std::uint32_t>(at - seats.begin());
      votes.push_back(vote);
    }
    counts[{row.truth, std::move(votes)}] += row.count;
  }
  ReferenceView view{group, std::move(seats), {}, {}, {0}, {}};
  for (const auto& [key, count] : counts) {
    for (const VoteEntry& vote : key.second)
      view.votes.push_back({vote.voter, vote.outcome, static_cast<double>(vote.times)});
    view.vote_begin.push_back(view.votes.size());
    view.count.push_back(count);
    view.truth.push_back(key.first);
  }
  return view;
}

/// Judges one view of a group.
class ViewPrediction {
 public:
  ViewPrediction(const Rows& rows, const Model& model, const State& state, const std::vector<double>& totals,
                 const ReferenceView& view, double dependence)
      : m_rows(rows), m_model(model), m_view(view), m_scale(model.group_scale[view.group]) {
    weigh_rows(learn_without(state, totals), dependence);
    estimate_shares();
  }

  /// Known rows with at least one vote in the view.
  [[nodiscard]] std::vector<CalibrationSample> samples(double share_of_group) const {
    std::vector<CalibrationSample> result;
    for (std::size_t r = 0; r < m_view.count.size(); ++r) {
      if (m_view.truth[r] < 0 || m_view.count[r] <= 0.0 || m_voters[r] == 0) continue;
      result.push_back({posterior(r), m_shares, m_view.truth[r],
                        m_view.count[r] * m_scale * m_rows.replicas[m_view.group] * share_of_group,
                        static_cast<std::uint32_t>(m_view.group)});
    }
    return result;
  }

 private:
  /// Log confusion of every seat from all other groups. Shape [seats, classes, outcomes].
  [[nodiscard]] std::vector<double> learn_without(const State& state,
                                                  const std::vector<double>& totals) const {
    const std::size_t cells = m_rows.cells();
    std::vector<double> logs(m_view.seats.size() * cells);
    std::vector<double> counts(cells);
    for (std::size_t i = 0; i < m_view.seats.size(); ++i) {
      const std::size_t seat = m_view.seats[i];
      const std::size_t voter = m_rows.seat_voter[seat];
      for (std::size_t cell = 0; cell < cells; ++cell)
        counts[cell] = totals[voter * cells + cell] - state.seat_counts[seat * cells + cell];
      const std::span<double> out(logs.data() + i * cells, cells);
      confusion_from_counts(m_model, m_rows, voter, counts, out);
      for (double& value : out) value = std::log(value);
    }
    return logs;
  }

  /// Log likelihood of each row's votes by class.
  void weigh_rows(const std::vector<double>& log_confusion, double dependence) {
    const std::size_t classes = m_rows.classes;
    m_logs.assign(m_view.count.size() * classes, 0.0);
    m_voters.assign(m_view.count.size(), 0);
    for (std::size_t r = 0; r < m_view.count.size(); ++r) {
      double* logs = m_logs.data() + r * classes;
      std::size_t last = m_view.seats.size();
      for (std::size_t v = m_view.vote_begin[r]; v < m_view.vote_begin[r + 1]; ++v) {
        const SeatVote& vote = m_view.votes[v];
        if (m_model.is_silenced[m_rows.seat_voter[m_view.seats[vote.seat]]] != 0) continue;
        if (vote.seat != last) ++m_voters[r];
        last = vote.seat;
        const double* row = log_confusion.data() + vote.seat * m_rows.cells() + vote.outcome;
        for (std::size_t c = 0; c < classes; ++c) logs[c] += vote.times * row[c * m_rows.outcomes];
      }
      for (std::size_t c = 0; c < classes; ++c) logs[c] *= kappa(m_voters[r], dependence);
    }
  }

  [[nodiscard]] std::vector<double> posterior(std::size_t r) const {
    std::vector<double> values(m_rows.classes);
    for (std::size_t c = 0; c < m_rows.classes; ++c)
      values[c] = m_logs[r * m_rows.classes + c] + std::log(m_shares[c]);
    (void)normalise_logs(values);
    return values;
  }

  /// Shares of the group from the votes alone: the fixed point of run_em with confusions held.
  void estimate_shares() {
    const double prior = std::accumulate(m_model.share_votes.begin(), m_model.share_votes.end(), 0.0);
    for (const double votes : m_model.share_votes) m_shares.push_back(votes / prior);
    constexpr int kSteps = 100;
    for (int step = 0; step < kSteps; ++step) {
      std::vector<double> next = m_model.share_votes;
      for (std::size_t r = 0; r < m_view.count.size(); ++r) {
        const std::vector<double> p = posterior(r);
        for (std::size_t c = 0; c < m_rows.classes; ++c) next[c] += m_view.count[r] * p[c] * m_scale;
      }
      const double total = std::accumulate(next.begin(), next.end(), 0.0);
      double change = 0.0;
      for (std::size_t c = 0; c < m_rows.classes; ++c) {
        next[c] /= total;
        change = std::max(change, std::abs(next[c] - m_shares[c]));
      }
      m_shares = std::move(next);
      if (change < 1e-5) return;
    }
  }

  const Rows& m_rows;
  const Model& m_model;
  const ReferenceView& m_view;
  double m_scale;  ///< independent items per item
  std::vector<double> m_shares;
  std::vector<double> m_logs;         ///< shape [rows of the view, classes]
  std::vector<std::size_t> m_voters;  ///< shape [rows of the view]
};

double log_loss(const std::vector<CalibrationSample>& samples) {
  // A small lapse keeps single rows where everybody is wrong from deciding alone.
  constexpr double kLapse = 0.002;
  double loss = 0.0;
  for (const auto& s : samples) {
    const auto t = static_cast<std::size_t>(s.truth);
    loss -= s.weight * std::log((1.0 - kLapse) * s.posterior[t] + kLapse * s.prior[t]);
  }
  return loss;
}

}  // namespace

std::vector<std::size_t> reference_groups(const Rows& rows) {
  std::vector<std::size_t> groups;
  const std::size_t cells = rows.cells();
  for (std::size_t g = 0; g < rows.groups; ++g) {
    const auto first = rows.known_votes.begin() + static_cast<std::ptrdiff_t>(rows.seat_begin[g] * cells);
    const auto last = rows.known_votes.begin() + static_cast<std::ptrdiff_t>(rows.seat_begin[g + 1] * cells);
    if (rows.replicas[g] > 0.0 && std::any_of(first, last, [](double v) { return v > 0.0; }))
      groups.push_back(g);
  }
  return groups;
}

std::vector<ReferenceView> make_views(const VoteTable& table, const Rows& rows,
                                      const std::vector<std::size_t>& references, std::uint64_t seed) {
  constexpr std::size_t kViews = 4;
  std::vector<std::size_t> sizes;
  for (std::size_t g = 0; g < rows.groups; ++g) {
    if (!std::ranges::binary_search(references, g) && seats_of(rows, g) > 0)
      sizes.push_back(seats_of(rows, g));
  }
  std::vector<std::vector<std::size_t>> members(rows.groups);
  for (std::size_t i = 0; i < table.rows(); ++i) members[table.row(i).group].push_back(i);
  std::vector<ReferenceView> views;
  for (const std::size_t g : references) {
    geo::Random random(seed, g);
    std::vector<std::size_t> order(seats_of(rows, g));
    std::iota(order.begin(), order.end(), rows.seat_begin[g]);
    for (std::size_t i = 0; i < (sizes.empty() ? 1 : kViews); ++i) {
      const std::size_t wanted = sizes.empty() ? order.size() : sizes[random.below(sizes.size())];
      random.shuffle(order);
      std::vector<std::size_t> seats = order;
      seats.resize(std::min(wanted, order.size()));
      std::ranges::sort(seats);
      views.push_back(make_view(table, rows, g, members[g], std::move(seats)));
    }
  }
  return views;
}

std::vector<CalibrationSample> predict_views(const Rows& rows, const Model& model, const State& state,
                                             const std::vector<ReferenceView>& views, double dependence) {
  const std::vector<double> totals = voter_counts(rows, state);
  std::vector<std::size_t> views_of(rows.groups, 0);
  for (const auto& view : views) ++views_of[view.group];
  std::vector<std::vector<CalibrationSample>> parts(views.size());
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, views.size()), [&](const auto& range) {
    for (std::size_t i = range.begin(); i != range.end(); ++i) {
      const ViewPrediction prediction(rows, model, state, totals, views[i], dependence);
      parts[i] = prediction.samples(1.0 / static_cast<double>(views_of[views[i].group]));
    }
  });
  std::vector<CalibrationSample> all;
  for (auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

double calibrate_dependence(const Rows& rows, const Model& model, const State& state,
                            const std::vector<ReferenceView>& views) {
  const auto loss = [&](double dependence) {
    return log_loss(predict_views(rows, model, state, views, dependence));
  };
  // A coarse search, then halves of the step around the best.
  constexpr std::array<double, 7> kCoarse{0.0, 0.05, 0.12, 0.25, 0.5, 0.75, 1.0};
  double best = 0.0;
  double least = loss(0.0);
  for (const double candidate : kCoarse) {
    const double value = candidate == 0.0 ? least : loss(candidate);
    if (value < least) {
      least = value;
      best = candidate;
    }
  }
  for (double step = std::max(0.03, 0.3 * best); step > 0.01; step *= 0.5) {
    for (const double candidate : {best - step, best + step}) {
      if (candidate < 0.0 || candidate > 1.0) continue;
      const double value = loss(candidate);
      if (value >= least) continue;
      least = value;
      best = candidate;
    }
  }
  return best;
}

}  // namespace furrow::labelling::bayes
