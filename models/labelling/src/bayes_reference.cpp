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

/// Log confusion of every seat of a view from all other groups. Shape [seats, classes, outcomes].
std::vector<double> learn_without(const Rows& rows, const Model& model, const State& state,
                                  const std::vector<double>& totals, const ReferenceView& view) {
  const std::size_t cells = rows.cells();
  std::vector<double> logs(view.seats.size() * cells);
  std::vector<double> counts(cells);
  for (std::size_t i = 0; i < view.seats.size(); ++i) {
    const std::size_t voter = rows.seat_voter[view.seats[i]];
    for (std::size_t cell = 0; cell < cells; ++cell)
      counts[cell] = totals[voter * cells + cell] - state.seat_counts[view.seats[i] * cells + cell];
    const std::span<double> out(logs.data() + i * cells, cells);
    confusion_from_counts(model, rows, voter, counts, out);
    for (double& value : out) value = std::log(value);
  }
  return logs;
}

void weigh_rows(const Rows& rows, const Model& model, const ReferenceView& view,
                const std::vector<double>& log_confusion, ViewEvidence& evidence) {
  evidence.logs.assign(view.count.size() * rows.classes, 0.0);
  evidence.voters.assign(view.count.size(), 0);
  for (std::size_t r = 0; r < view.count.size(); ++r) {
    double* logs = evidence.logs.data() + r * rows.classes;
    std::size_t last = view.seats.size();
    for (std::size_t v = view.vote_begin[r]; v < view.vote_begin[r + 1]; ++v) {
      const SeatVote& vote = view.votes[v];
      if (model.is_silenced[rows.seat_voter[view.seats[vote.seat]]] != 0) continue;
      if (vote.seat != last) ++evidence.voters[r];
      last = vote.seat;
      const double* column = log_confusion.data() + vote.seat * rows.cells() + vote.outcome;
      for (std::size_t c = 0; c < rows.classes; ++c) logs[c] += vote.times * column[c * rows.outcomes];
    }
  }
}

std::vector<double> posterior_of(const ViewEvidence& evidence, std::size_t r, double dependence) {
  const std::size_t classes = evidence.shares.size();
  const double k = kappa(evidence.voters[r], dependence);
  std::vector<double> values(classes);
  for (std::size_t c = 0; c < classes; ++c)
    values[c] = k * evidence.logs[r * classes + c] + std::log(evidence.shares[c]);
  (void)normalise_logs(values);
  return values;
}

/// Shares of the group from the votes alone: the fixed point of run_em with confusions held.
void estimate_shares(const Model& model, const ReferenceView& view, ViewEvidence& evidence) {
  const double prior = std::accumulate(model.share_votes.begin(), model.share_votes.end(), 0.0);
  evidence.shares.clear();
  for (const double votes : model.share_votes) evidence.shares.push_back(votes / prior);
  constexpr int kSteps = 100;
  for (int step = 0; step < kSteps; ++step) {
    std::vector<double> next = model.share_votes;
    for (std::size_t r = 0; r < view.count.size(); ++r) {
      const std::vector<double> p = posterior_of(evidence, r, 0.0);
      for (std::size_t c = 0; c < next.size(); ++c)
        next[c] += view.count[r] * p[c] * model.group_scale[view.group];
    }
    const double total = std::accumulate(next.begin(), next.end(), 0.0);
    double change = 0.0;
    for (std::size_t c = 0; c < next.size(); ++c) {
      next[c] /= total;
      change = std::max(change, std::abs(next[c] - evidence.shares[c]));
    }
    evidence.shares = std::move(next);
    if (change < 1e-5) return;
  }
}

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

std::vector<ViewEvidence> weigh_views(const Rows& rows, const Model& model, const State& state,
                                      const std::vector<ReferenceView>& views) {
  const std::vector<double> totals = voter_counts(rows, state);
  std::vector<ViewEvidence> evidence(views.size());
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, views.size()), [&](const auto& range) {
    for (std::size_t i = range.begin(); i != range.end(); ++i) {
      weigh_rows(rows, model, views[i], learn_without(rows, model, state, totals, views[i]), evidence[i]);
      estimate_shares(model, views[i], evidence[i]);
    }
  });
  return evidence;
}

std::vector<CalibrationSample> predict_views(const Rows& rows, const Model& model,
                                             const std::vector<ReferenceView>& views,
                                             const std::vector<ViewEvidence>& evidence, double dependence) {
  std::vector<double> views_of(rows.groups, 0.0);
  for (const auto& view : views) views_of[view.group] += 1.0;
  std::vector<CalibrationSample> samples;
  for (std::size_t i = 0; i < views.size(); ++i) {
    const ReferenceView& view = views[i];
    const double scale = model.group_scale[view.group] * rows.replicas[view.group] / views_of[view.group];
    for (std::size_t r = 0; r < view.count.size(); ++r) {
      if (view.truth[r] < 0 || view.count[r] <= 0.0 || evidence[i].voters[r] == 0) continue;
      samples.push_back({posterior_of(evidence[i], r, dependence), evidence[i].shares, view.truth[r],
                         view.count[r] * scale, static_cast<std::uint32_t>(view.group)});
    }
  }
  return samples;
}

double calibrate_dependence(const Rows& rows, const Model& model, const std::vector<ReferenceView>& views,
                            const std::vector<ViewEvidence>& evidence) {
  const auto loss = [&](double dependence) {
    return log_loss(predict_views(rows, model, views, evidence, dependence));
  };
  // A coarse search, then halves of the step around the best.
  constexpr std::array<double, 6> kCoarse{0.05, 0.12, 0.25, 0.5, 0.75, 1.0};
  double best = 0.0;
  double least = loss(0.0);
  const auto consider = [&](double candidate) {
    const double value = loss(candidate);
    if (value >= least) return;
    least = value;
    best = candidate;
  };
  for (const double candidate : kCoarse) consider(candidate);
  for (double step = std::max(0.03, 0.3 * best); step > 0.01; step *= 0.5) {
    const double centre = best;
    consider(std::max(0.0, centre - step));
    consider(std::min(1.0, centre + step));
  }
  return best;
}

}  // namespace furrow::labelling::bayes
