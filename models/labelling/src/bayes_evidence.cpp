#include "bayes_evidence.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include "dirichlet.h"

namespace furrow::labelling::bayes {
namespace {

constexpr double kUsualCorrelation = 0.05;
constexpr double kLowestCorrelation = 0.002;
constexpr double kHighestCorrelation = 0.9;
constexpr double kUsualRight = 0.7;     ///< share of right answers of a pseudo-labeller
constexpr double kUsualStrength = 8.0;  ///< pseudo-votes per confusion row (as in the R package rater)
constexpr double kPseudoRows = 2.0;     ///< pseudo-labellers and pseudo-sites behind what is learned
constexpr double kHighestStrength = 300.0;

bool is_right(std::size_t aspect, std::uint16_t outcome, const Rows& rows) {
  return aspect < rows.classes ? outcome == aspect : outcome >= 1 && outcome < rows.classes;
}

double aspect_probability(std::span<const double> posterior, std::size_t aspect) {
  return aspect < posterior.size() ? posterior[aspect] : 1.0 - posterior[0];
}

/// Adds votes on items that are of an aspect with probability `t`.
void add_votes(double votes, double units, double t, bool is_known, bool right, double skill, std::size_t at,
               SeatEvidence& evidence) {
  const double slope = right ? 1.0 / skill : 1.0 / (1.0 - skill);
  evidence.votes[at] += votes * t;
  if (right) evidence.right[at] += votes * t;
  evidence.units[at] += units * t;
  evidence.complete[at] += units * t * slope * slope;
  if (!is_known) evidence.missing[at] += units * t * (1.0 - t) * slope * slope;
}

void collect_row(const Rows& rows, const Model& model, const State& state,
                 const std::vector<double>& skill_of, std::size_t group, std::size_t r,
                 SeatEvidence& evidence) {
  const std::span<const double> posterior(state.posterior.data() + r * rows.classes, rows.classes);
  for (std::size_t v = rows.vote_begin[r]; v < rows.vote_begin[r + 1]; ++v) {
    const SeatVote& vote = rows.votes[v];
    const double votes = rows.count[r] * vote.times;
    for (std::size_t a = 0; a < evidence.aspects; ++a) {
      add_votes(votes, votes * model.group_scale[group], aspect_probability(posterior, a), false,
                is_right(a, vote.outcome, rows), skill_of[rows.seat_voter[vote.seat] * evidence.aspects + a],
                vote.seat * evidence.aspects + a, evidence);
    }
  }
}

void collect_known(const Rows& rows, const Model& model, const std::vector<double>& skill_of,
                   std::size_t seat, SeatEvidence& evidence) {
  const double scale = model.group_scale[rows.seat_group[seat]];
  for (std::size_t cell = 0; cell < rows.cells(); ++cell) {
    const double votes = rows.known_votes[seat * rows.cells() + cell];
    if (votes <= 0.0) continue;
    const std::size_t truth = cell / rows.outcomes;
    for (std::size_t a = 0; a < evidence.aspects; ++a) {
      const bool applies = a == truth || (a == rows.classes && truth > 0);
      if (!applies) continue;
      add_votes(votes, votes * scale, 1.0, true,
                is_right(a, static_cast<std::uint16_t>(cell % rows.outcomes), rows),
                skill_of[rows.seat_voter[seat] * evidence.aspects + a], seat * evidence.aspects + a,
                evidence);
    }
  }
}

/// Seats of every voter. Shape [voters] of lists.
std::vector<std::vector<std::size_t>> seats_by_voter(const Rows& rows) {
  std::vector<std::vector<std::size_t>> seats(rows.voters);
  for (std::size_t s = 0; s < rows.seats(); ++s) seats[rows.seat_voter[s]].push_back(s);
  return seats;
}

/// Sums of one voter for Kleinman's moments.
struct Moments {
  double squares = 0.0;  ///< sum of weights x squared distance of a site's rate from the voter's
  double between = 0.0;  ///< its expectation is pq (between x rho + within x (1 - rho))
  double within = 0.0;
  double freedom = 0.0;  ///< sites less one
};

Moments moments_of_voter(const std::vector<std::size_t>& seats, const SeatEvidence& evidence,
                         std::size_t aspect, double rho) {
  constexpr double kMostMissing = 0.3;
  struct Rate {
    double weight, votes, rate;
  };
  std::vector<Rate> rates;
  double total = 0.0;
  double mean = 0.0;
  for (const std::size_t seat : seats) {
    const std::size_t at = seat * evidence.aspects + aspect;
    const double n = evidence.votes[at];
    if (n < 1.0 || evidence.missing[at] > kMostMissing * evidence.complete[at]) continue;
    rates.push_back({n / (1.0 + (n - 1.0) * rho), n, evidence.right[at] / n});
    total += rates.back().weight;
    mean += rates.back().weight * rates.back().rate;
  }
  if (rates.size() < 2) return {};
  mean /= total;
  Moments m;
  double variance = 0.0;  // of the mean, in units of pq
  for (const Rate& r : rates) {
    const double spread = r.weight * (1.0 - r.weight / total);
    m.squares += r.weight * (r.rate - mean) * (r.rate - mean);
    m.between += spread;
    m.within += spread / r.votes;
    variance += r.weight * r.weight / (total * total) * (rho + (1.0 - rho) / r.votes);
  }
  // mean (1 - mean) is short of pq by the variance of the mean.
  const double pq = mean * (1.0 - mean) / std::max(0.2, 1.0 - variance);
  m.between *= pq;
  m.within *= pq;
  m.freedom = static_cast<double>(rates.size() - 1);
  return m;
}

double estimate_aspect(const std::vector<std::vector<std::size_t>>& seats, const SeatEvidence& evidence,
                       std::size_t aspect, double start) {
  constexpr double kPriorFreedom = 10.0;
  double rho = start;
  for (int step = 0; step < 10; ++step) {
    Moments sum;
    for (const auto& of_voter : seats) {
      const Moments m = moments_of_voter(of_voter, evidence, aspect, rho);
      sum.squares += m.squares;
      sum.between += m.between;
      sum.within += m.within;
      sum.freedom += m.freedom;
    }
    const double slope = sum.between - sum.within;
    if (sum.freedom < 1.0 || slope <= 0.0) return kUsualCorrelation;
    const double prior = kPriorFreedom * slope / sum.freedom;
    rho = (sum.squares - sum.within + prior * kUsualCorrelation) / (slope + prior);
    rho = std::clamp(rho, kLowestCorrelation, kHighestCorrelation);
  }
  return rho;
}

std::vector<double> usual_rows(const Rows& rows, const BayesOptions& options) {
  if (!options.usual_rows.empty()) return options.usual_rows;
  std::vector<double> votes(rows.cells());
  const double wrong = kUsualStrength * (1.0 - kUsualRight) / static_cast<double>(rows.outcomes - 1);
  for (std::size_t cell = 0; cell < votes.size(); ++cell)
    votes[cell] = cell / rows.outcomes == cell % rows.outcomes ? kUsualStrength * kUsualRight : wrong;
  return votes;
}

void learn_rows(const Rows& rows, const State& state, const std::vector<AspectEvidence>& evidence,
                const BayesOptions& options, Model& model) {
  const std::vector<double> usual = usual_rows(rows, options);
  const std::vector<double> counts = voter_counts(rows, state);
  std::vector<double> learned;
  for (std::size_t c = 0; c < rows.classes; ++c) {
    CountRows of_class{rows.outcomes, {}, {}};
    for (std::size_t v = 0; v < rows.voters; ++v) {
      const AspectEvidence& e = evidence[v * (rows.classes + 1) + c];
      if (model.is_silenced[v] != 0 || e.units < 1e-6) continue;
      const double scale = e.independent * e.known_share / e.units;
      for (std::size_t o = 0; o < rows.outcomes; ++o)
        of_class.counts.push_back(scale * counts[v * rows.cells() + c * rows.outcomes + o]);
      of_class.weights.push_back(1.0);
    }
    const auto votes = learn_dirichlet(of_class, {usual.data() + c * rows.outcomes, rows.outcomes},
                                       kPseudoRows, kHighestStrength);
    learned.insert(learned.end(), votes.begin(), votes.end());
  }
  // A population that is worse than guessing is never learned: it would turn all labels round.
  std::vector<double> mean = learned;
  for (std::size_t c = 0; c < rows.classes; ++c) {
    const auto begin = mean.begin() + static_cast<std::ptrdiff_t>(c * rows.outcomes);
    const auto end = begin + static_cast<std::ptrdiff_t>(rows.outcomes);
    const double total = std::accumulate(begin, end, 0.0);
    std::for_each(begin, end, [total](double& v) { v /= total; });
  }
  if (!is_inverted(mean.data(), rows, overall_shares(rows, state))) model.row_votes = learned;
}

/// Where votes alone cannot tell a rare class from a poor labeller, shares as the votes have them are the
/// better guess than equal ones: one pseudo-item a class on average.
std::vector<double> usual_shares(const Rows& rows) {
  constexpr double kLeastShare = 0.05;
  std::vector<double> shares(rows.classes, 0.0);
  for (std::size_t g = 0; g < rows.groups; ++g) {
    for (std::size_t c = 0; c < rows.classes; ++c)
      shares[c] += rows.replicas[g] * rows.known_items[g * rows.classes + c];
    for (std::size_t r = rows.group_begin[g]; r < rows.group_begin[g + 1]; ++r) {
      double given = 0.0;
      for (std::size_t v = rows.vote_begin[r]; v < rows.vote_begin[r + 1]; ++v)
        given += rows.votes[v].outcome < rows.classes ? rows.votes[v].times : 0.0;
      for (std::size_t v = rows.vote_begin[r]; v < rows.vote_begin[r + 1]; ++v) {
        const SeatVote& vote = rows.votes[v];
        if (vote.outcome < rows.classes)
          shares[vote.outcome] += rows.replicas[g] * rows.count[r] * vote.times / given;
      }
    }
  }
  const double total = std::accumulate(shares.begin(), shares.end(), 0.0);
  const auto classes = static_cast<double>(rows.classes);
  for (double& s : shares) s = total > 0.0 ? classes * std::max(kLeastShare, s / total) : 1.0;
  return shares;
}

void learn_shares(const Rows& rows, const State& state, Model& model) {
  CountRows of_groups{rows.classes, {}, {}};
  for (std::size_t g = 0; g < rows.groups; ++g) {
    if (rows.items[g] <= 0.0 || rows.replicas[g] <= 0.0) continue;
    for (const double items : expected_items(rows, state, g))
      of_groups.counts.push_back(items * model.group_scale[g]);
    of_groups.weights.push_back(rows.replicas[g]);
  }
  model.share_votes = learn_dirichlet(of_groups, usual_shares(rows), kPseudoRows, kHighestStrength);
}

}  // namespace

std::vector<double> skills_of(const Rows& rows, const State& state) {
  const std::vector<double> shares = overall_shares(rows, state);
  std::vector<double> skills;
  for (std::size_t v = 0; v < rows.voters; ++v) {
    const double* confusion = state.confusion.data() + v * rows.cells();
    for (std::size_t c = 0; c < rows.classes; ++c) skills.push_back(confusion[c * rows.outcomes + c]);
    skills.push_back(sensitivity_of(confusion, rows, shares));
  }
  for (double& skill : skills) skill = std::clamp(skill, 1e-6, 1.0 - 1e-6);
  return skills;
}

SeatEvidence collect_evidence(const Rows& rows, const Model& model, const State& state) {
  SeatEvidence evidence;
  evidence.aspects = rows.classes + 1;
  const std::size_t size = rows.seats() * evidence.aspects;
  for (auto* values :
       {&evidence.votes, &evidence.right, &evidence.units, &evidence.complete, &evidence.missing})
    values->assign(size, 0.0);
  const std::vector<double> skills = skills_of(rows, state);
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, rows.groups), [&](const auto& range) {
    for (std::size_t g = range.begin(); g != range.end(); ++g) {
      for (std::size_t r = rows.group_begin[g]; r < rows.group_begin[g + 1]; ++r)
        collect_row(rows, model, state, skills, g, r, evidence);
      for (std::size_t seat = rows.seat_begin[g]; seat < rows.seat_begin[g + 1]; ++seat)
        collect_known(rows, model, skills, seat, evidence);
    }
  });
  return evidence;
}

std::vector<AspectEvidence> sum_evidence(const Rows& rows, const Model& model, const SeatEvidence& evidence) {
  constexpr double kLeastKnown = 0.02;
  struct Sums {
    double variance = 0.0, squares = 0.0, complete = 0.0, missing = 0.0;
  };
  std::vector<AspectEvidence> all(rows.voters * evidence.aspects);
  std::vector<Sums> sums(all.size());
  for (std::size_t s = 0; s < rows.seats(); ++s) {
    const double replicas = rows.replicas[rows.seat_group[s]];
    for (std::size_t a = 0; a < evidence.aspects; ++a) {
      const std::size_t from = s * evidence.aspects + a;
      const std::size_t to = rows.seat_voter[s] * evidence.aspects + a;
      const double units = evidence.units[from];
      if (units <= 0.0) continue;
      const double rho = model.correlation[a];
      all[to].units += replicas * units;
      sums[to].variance += replicas * units * units * (rho + (1.0 - rho) / evidence.votes[from]);
      sums[to].squares += replicas * units * units;
      sums[to].complete += replicas * evidence.complete[from];
      sums[to].missing += replicas * evidence.missing[from];
    }
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (sums[i].variance <= 0.0) continue;
    all[i].independent = all[i].units * all[i].units / sums[i].variance;
    all[i].effective_sites = all[i].units * all[i].units / sums[i].squares;
    all[i].known_share = std::max(kLeastKnown, 1.0 - sums[i].missing / sums[i].complete);
  }
  return all;
}

std::vector<double> estimate_correlation(const Rows& rows, const SeatEvidence& evidence,
                                         const std::vector<double>& before) {
  const auto seats = seats_by_voter(rows);
  std::vector<double> correlation;
  for (std::size_t a = 0; a < evidence.aspects; ++a)
    correlation.push_back(estimate_aspect(seats, evidence, a, before[a]));
  return correlation;
}

void scale_groups(const Rows& rows, Model& model) {
  double total = 0.0;
  double rho = 0.0;
  for (std::size_t c = 0; c < rows.classes; ++c) {
    total += model.share_votes[c];
    rho += model.share_votes[c] * model.correlation[c];
  }
  rho /= total;
  for (std::size_t g = 0; g < rows.groups; ++g)
    model.group_scale[g] = 1.0 / (1.0 + std::max(0.0, rows.items[g] - 1.0) * rho);
}

Model initial_model(const Rows& rows, const BayesOptions& options) {
  Model model;
  model.row_votes = options.priors ? options.priors->row_votes : usual_rows(rows, options);
  model.share_votes = options.priors ? options.priors->class_votes : usual_shares(rows);
  model.row_scale.assign(rows.voters * rows.classes, 1.0);
  model.group_scale.assign(rows.groups, 1.0);
  model.is_silenced.assign(rows.voters, 0);
  const bool by_site = options.unit == InformationUnit::kSite;
  model.correlation.assign(rows.classes + 1,
                           by_site ? options.site_correlation.value_or(kUsualCorrelation) : 0.0);
  if (by_site) scale_groups(rows, model);
  return model;
}

void learn_model(const Rows& rows, const State& state, const BayesOptions& options, Model& model) {
  const SeatEvidence evidence = collect_evidence(rows, model, state);
  const bool by_site = options.unit == InformationUnit::kSite;
  if (by_site && !options.site_correlation)
    model.correlation = estimate_correlation(rows, evidence, model.correlation);
  const std::vector<AspectEvidence> sums = sum_evidence(rows, model, evidence);
  if (!options.priors) {
    learn_rows(rows, state, sums, options, model);
    learn_shares(rows, state, model);
  }
  if (!by_site) return;
  for (std::size_t v = 0; v < rows.voters; ++v) {
    for (std::size_t c = 0; c < rows.classes; ++c) {
      const AspectEvidence& e = sums[v * (rows.classes + 1) + c];
      model.row_scale[v * rows.classes + c] = e.independent > 0.0 ? e.units / e.independent : 1.0;
    }
  }
  scale_groups(rows, model);
}

double sensitivity_of(const double* confusion, const Rows& rows, const std::vector<double>& shares) {
  double right = 0.0;
  double total = 0.0;
  for (std::size_t c = 1; c < rows.classes; ++c) {
    total += shares[c];
    for (std::size_t o = 1; o < rows.classes; ++o) right += shares[c] * confusion[c * rows.outcomes + o];
  }
  return right / total;
}

bool is_inverted(const double* confusion, const Rows& rows, const std::vector<double>& shares) {
  double diagonal = 0.0;
  std::vector<double> named(confusion, confusion + rows.cells());
  for (std::size_t c = 0; c < rows.classes; ++c) {
    double sum = 0.0;
    for (std::size_t o = 0; o < rows.classes; ++o) sum += confusion[c * rows.outcomes + o];
    for (std::size_t o = 0; o < rows.classes; ++o) named[c * rows.outcomes + o] /= sum;
    diagonal += named[c * rows.outcomes + c];
  }
  return diagonal < 1.0 || named[0] + sensitivity_of(named.data(), rows, shares) < 1.0;
}

std::vector<double> overall_shares(const Rows& rows, const State& state) {
  std::vector<double> shares(rows.classes, 0.0);
  double total = 0.0;
  for (std::size_t g = 0; g < rows.groups; ++g) {
    const double items = rows.items[g] * rows.replicas[g];
    total += items;
    for (std::size_t c = 0; c < rows.classes; ++c) shares[c] += items * state.shares[g * rows.classes + c];
  }
  for (double& s : shares) s = total > 0.0 ? s / total : 1.0 / static_cast<double>(rows.classes);
  return shares;
}

}  // namespace furrow::labelling::bayes
