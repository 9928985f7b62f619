#include "bayes_gibbs.h"

#include <algorithm>
#include <cmath>

#include "bayes_evidence.h"

namespace furrow::labelling::bayes {
namespace {

/// Dirichlet draw with these pseudo-counts; every share > 0.
void draw_shares(geo::Random& random, std::span<const double> votes, std::span<double> out) {
  double total = 0.0;
  for (std::size_t k = 0; k < votes.size(); ++k) {
    out[k] = std::max(1e-300, random.gamma(votes[k]));
    total += out[k];
  }
  for (double& share : out) share = std::max(1e-300, share / total);
}

/// The chain: truths given skills and shares, then skills and shares given truths.
class Chain {
 public:
  Chain(const Rows& rows, const Model& model, const State& start, std::uint64_t seed)
      : m_rows(rows), m_model(model), m_state(start), m_random(seed, 0x61bb5) {}

  [[nodiscard]] const State& state() const noexcept { return m_state; }

  void step() {
    draw_truths();
    const std::vector<double> counts = voter_counts(m_rows, m_state);
    std::vector<double> votes(m_rows.outcomes);
    for (std::size_t row = 0; row < m_rows.voters * m_rows.classes; ++row) {
      const std::size_t c = row % m_rows.classes;
      for (std::size_t o = 0; o < m_rows.outcomes; ++o)
        votes[o] = m_model.row_votes[c * m_rows.outcomes + o] + counts[row * m_rows.outcomes + o];
      draw_shares(m_random, votes, {m_state.confusion.data() + row * m_rows.outcomes, m_rows.outcomes});
    }
    for (std::size_t g = 0; g < m_rows.groups; ++g) {
      draw_shares(m_random, {m_group_votes.data() + g * m_rows.classes, m_rows.classes},
                  {m_state.shares.data() + g * m_rows.classes, m_rows.classes});
    }
  }

 private:
  void draw_truths() {
    m_group_votes = m_rows.known_items;
    for (std::size_t i = 0; i < m_group_votes.size(); ++i)
      m_group_votes[i] += m_model.share_votes[i % m_rows.classes];
    m_state.seat_counts = m_rows.known_votes;
    for (std::size_t g = 0; g < m_rows.groups; ++g) {
      for (std::size_t r = m_rows.group_begin[g]; r < m_rows.group_begin[g + 1]; ++r) draw_row(g, r);
    }
  }

  void draw_row(std::size_t g, std::size_t r) {
    const std::size_t classes = m_rows.classes;
    const std::span<double> posterior(m_state.posterior.data() + r * classes, classes);
    for (std::size_t c = 0; c < classes; ++c) posterior[c] = log_probability(g, r, c);
    (void)normalise_logs(posterior);
    auto left = static_cast<std::uint64_t>(m_rows.count[r]);
    double remaining = 1.0;
    for (std::size_t c = 0; c < classes && left > 0; ++c) {
      const double p = c + 1 == classes ? 1.0 : std::clamp(posterior[c] / remaining, 0.0, 1.0);
      const std::uint64_t drawn = draw_binomial(m_random, left, p);
      remaining = std::max(1e-300, remaining - posterior[c]);
      left -= drawn;
      if (drawn > 0) add(g, r, c, static_cast<double>(drawn));
    }
  }

  [[nodiscard]] double log_probability(std::size_t g, std::size_t r, std::size_t c) const {
    double sum = std::log(m_state.shares[g * m_rows.classes + c]);
    for (std::size_t v = m_rows.vote_begin[r]; v < m_rows.vote_begin[r + 1]; ++v) {
      const SeatVote& vote = m_rows.votes[v];
      const std::size_t voter = m_rows.seat_voter[vote.seat];
      sum += vote.times *
             std::log(m_state.confusion[voter * m_rows.cells() + c * m_rows.outcomes + vote.outcome]);
    }
    return sum;
  }

  void add(std::size_t g, std::size_t r, std::size_t c, double items) {
    m_group_votes[g * m_rows.classes + c] += items;
    for (std::size_t v = m_rows.vote_begin[r]; v < m_rows.vote_begin[r + 1]; ++v) {
      const SeatVote& vote = m_rows.votes[v];
      m_state.seat_counts[vote.seat * m_rows.cells() + c * m_rows.outcomes + vote.outcome] +=
          items * vote.times;
    }
  }

  const Rows& m_rows;
  const Model& m_model;
  State m_state;
  geo::Random m_random;
  std::vector<double> m_group_votes;  ///< shape [groups, classes]
};

void add_to(std::vector<double>& sum, const std::vector<double>& values) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += values[i];
}

Estimate estimate_from(std::vector<double> draws, double interval) {
  std::ranges::sort(draws);
  double sum = 0.0;
  for (const double d : draws) sum += d;
  const auto quantile = [&](double p) {
    const double at = p * static_cast<double>(draws.size() - 1);
    const auto low = static_cast<std::size_t>(at);
    const std::size_t high = std::min(low + 1, draws.size() - 1);
    return draws[low] + (at - static_cast<double>(low)) * (draws[high] - draws[low]);
  };
  const double tail = 0.5 * (1.0 - interval);
  return {sum / static_cast<double>(draws.size()), quantile(tail), quantile(1.0 - tail)};
}

}  // namespace

std::uint64_t draw_binomial(geo::Random& random, std::uint64_t trials, double probability) {
  if (probability <= 0.0) return 0;
  if (probability >= 1.0) return trials;
  std::uint64_t successes = 0;
  constexpr std::uint64_t kFew = 16;
  while (trials >= kFew) {
    const std::uint64_t middle = trials / 2 + 1;
    const double value = random.beta(static_cast<double>(middle), static_cast<double>(trials + 1 - middle));
    if (value <= probability) {
      successes += middle;
      probability = std::clamp((probability - value) / (1.0 - value), 0.0, 1.0);
      trials -= middle;
    } else {
      probability = std::clamp(probability / value, 0.0, 1.0);
      trials = middle - 1;
    }
  }
  for (std::uint64_t i = 0; i < trials; ++i) successes += random.chance(probability) ? 1 : 0;
  return successes;
}

GibbsResult run_gibbs(const Rows& rows, const Model& model, const State& start, const BayesOptions& options) {
  Chain chain(rows, model, start, options.seed);
  for (int i = 0; i < options.draws / 4; ++i) chain.step();
  GibbsResult result;
  State& mean = result.state;
  mean.confusion.assign(start.confusion.size(), 0.0);
  mean.shares.assign(start.shares.size(), 0.0);
  mean.posterior.assign(start.posterior.size(), 0.0);
  mean.seat_counts.assign(start.seat_counts.size(), 0.0);
  std::vector<std::vector<double>> skills(2 * rows.voters);
  for (int i = 0; i < options.draws; ++i) {
    chain.step();
    const State& drawn = chain.state();
    add_to(mean.confusion, drawn.confusion);
    add_to(mean.shares, drawn.shares);
    add_to(mean.posterior, drawn.posterior);
    add_to(mean.seat_counts, drawn.seat_counts);
    const std::vector<double> shares = overall_shares(rows, drawn);
    for (std::size_t v = 0; v < rows.voters; ++v) {
      const double* confusion = drawn.confusion.data() + v * rows.cells();
      skills[2 * v].push_back(sensitivity_of(confusion, rows, shares));
      skills[2 * v + 1].push_back(confusion[0]);
    }
  }
  const double n = static_cast<double>(options.draws);
  for (auto* values : {&mean.confusion, &mean.shares, &mean.posterior, &mean.seat_counts}) {
    for (double& v : *values) v /= n;
  }
  for (auto& draws : skills) result.skills.push_back(estimate_from(std::move(draws), options.interval));
  mean.iterations = options.draws;
  mean.converged = true;
  return result;
}

}  // namespace furrow::labelling::bayes
