#include <furrow/labelling/bayes_consensus.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>

#include "bayes_em.h"
#include "bayes_evidence.h"
#include "bayes_gibbs.h"
#include "bayes_information.h"
#include "bayes_reference.h"
#include "dirichlet.h"

namespace furrow::labelling {
namespace {

using bayes::Model;
using bayes::Rows;
using bayes::State;

void require(bool holds, const char* message) {
  if (!holds) throw geo::InvalidArgument(message);
}

bool in_unit(const std::optional<double>& value) {
  return !value || (*value >= 0.0 && *value <= 1.0);
}

bool all_positive(const std::vector<double>& values) {
  return std::ranges::all_of(values, [](double v) { return std::isfinite(v) && v > 0.0; });
}

void check_gibbs(const VoteTable& table, const BayesOptions& options) {
  require(options.unit == InformationUnit::kItem,
          "random draws need independent items; use the mode for pixels of sites");
  require(options.group_weights.empty(), "random draws take no group weights");
  require(options.draws >= 100, "random draws: ask for 100 or more");
  for (std::size_t i = 0; i < table.rows(); ++i)
    require(std::floor(table.row(i).count) == table.row(i).count, "random draws need whole counts");
}

void check(const VoteTable& table, const BayesOptions& options) {
  const auto classes = static_cast<std::size_t>(table.classes());
  if (options.priors) {
    const BayesPriors& priors = *options.priors;
    require(priors.class_votes.size() == classes && all_positive(priors.class_votes),
            "the prior of the class shares needs a number above 0 for each class");
    require(priors.row_votes.size() == classes * static_cast<std::size_t>(table.outcomes()) &&
                all_positive(priors.row_votes),
            "the prior of the confusion rows needs a number above 0 for each class and outcome");
  }
  require(options.usual_rows.empty() ||
              (options.usual_rows.size() == classes * static_cast<std::size_t>(table.outcomes()) &&
               all_positive(options.usual_rows)),
          "a usual labeller needs a number above 0 for each class and outcome");
  require(in_unit(options.site_correlation), "the correlation inside sites must be in 0..1");
  require(in_unit(options.dependence) && in_unit(options.default_dependence),
          "the dependence between labellers must be in 0..1");
  require(options.group_weights.empty() || options.group_weights.size() == table.groups(),
          "there must be one weight per group");
  require(std::ranges::all_of(options.group_weights, [](double w) { return std::isfinite(w) && w >= 0.0; }),
          "weights of groups must be 0 or more");
  require(options.interval > 0.0 && options.interval < 1.0, "the interval must be between 0 and 1");
  require(options.restarts >= 0 && options.max_iterations >= 1 && options.tolerance > 0.0,
          "restarts must be 0 or more, iterations 1 or more, the tolerance above 0");
  if (options.inference == BayesInference::kGibbs) check_gibbs(table, options);
}

/// Largest relative difference between two models.
double distance(const Model& a, const Model& b) {
  double largest = 0.0;
  const auto compare = [&](const std::vector<double>& x, const std::vector<double>& y) {
    for (std::size_t i = 0; i < x.size(); ++i)
      largest = std::max(largest, std::abs(x[i] - y[i]) / std::max(0.05, std::abs(x[i])));
  };
  compare(a.row_votes, b.row_votes);
  compare(a.share_votes, b.share_votes);
  compare(a.correlation, b.correlation);
  return largest;
}

/// Fits model and state to a table.
class Fitter {
 public:
  Fitter(const VoteTable& table, const Rows& rows, const BayesOptions& options)
      : m_rows(rows),
        m_options(options),
        m_limits{options.max_iterations, options.tolerance},
        m_model(bayes::initial_model(rows, options)),
        m_references(bayes::reference_groups(rows)) {
    if (enough_references()) m_views = bayes::make_views(table, rows, m_references, options.seed);
  }

  void run() {
    m_state = bayes::start_from_population(m_rows, m_model);
    bayes::run_em(m_rows, m_model, m_limits, m_state);
    learn();
    if (restart()) learn();
    silence_inverted();
    judge_references();
  }

  [[nodiscard]] const Model& model() const noexcept { return m_model; }
  [[nodiscard]] const State& state() const noexcept { return m_state; }
  [[nodiscard]] std::size_t references() const noexcept { return m_references.size(); }

  [[nodiscard]] double dependence() const noexcept { return m_dependence; }
  [[nodiscard]] const CalibrationReport& calibration() const noexcept { return m_calibration; }

 private:
  [[nodiscard]] bool enough_references() const {
    return m_references.size() >= static_cast<std::size_t>(std::max(1, m_options.min_reference_sites)) &&
           m_options.unit == InformationUnit::kSite;
  }

  /// Alternates between learning what a run holds fixed and runs, until that stands still.
  void learn() {
    constexpr int kRounds = 8;
    for (int round = 0; round < kRounds; ++round) {
      const Model before = m_model;
      bayes::learn_model(m_rows, m_state, m_options, m_model);
      bayes::run_em(m_rows, m_model, m_limits, m_state);
      if (distance(before, m_model) < 0.02) return;
    }
  }

  /// Dependence and calibration, from sites with known truth judged without it.
  void judge_references() {
    const bool by_site = m_options.unit == InformationUnit::kSite;
    m_dependence = m_options.dependence.value_or(by_site ? m_options.default_dependence : 0.0);
    if (m_views.empty()) return;
    const auto evidence = bayes::weigh_views(m_rows, m_model, m_state, m_views);
    if (!m_options.dependence) m_dependence = bayes::calibrate_dependence(m_rows, m_model, m_views, evidence);
    if (m_options.calibrate)
      m_calibration = calibrate_risk(bayes::predict_views(m_rows, m_model, m_views, evidence, m_dependence));
  }

  /// Tries random skills. True where one of them led to a better and sane result.
  bool restart() {
    bool found = false;
    for (int i = 0; i < m_options.restarts; ++i) {
      State state = random_start(static_cast<std::uint64_t>(i));
      bayes::run_em(m_rows, m_model, m_limits, state);
      const double margin = 1e-6 * (1.0 + std::abs(m_state.objective));
      if (state.objective <= m_state.objective + margin || reads_backwards(state)) continue;
      m_state = std::move(state);
      found = true;
    }
    return found;
  }

  [[nodiscard]] State random_start(std::uint64_t stream) const {
    geo::Random random(m_options.seed, stream + 1);
    State state = bayes::start_from_population(m_rows, m_model);
    for (std::size_t row = 0; row < m_rows.voters * m_rows.classes; ++row) {
      double* confusion = state.confusion.data() + row * m_rows.outcomes;
      double total = 0.0;
      for (std::size_t o = 0; o < m_rows.outcomes; ++o) {
        confusion[o] = confusion[o] * 2.0 + random.gamma(1.0);
        total += confusion[o];
      }
      for (std::size_t o = 0; o < m_rows.outcomes; ++o) confusion[o] /= total;
    }
    return state;
  }

  /// More of the votes would be read as their opposite than as they stand, or more labellers than before.
  [[nodiscard]] bool reads_backwards(const State& state) const {
    return inverted_voters(state) > inverted_voters(m_state);
  }

  [[nodiscard]] std::size_t inverted_voters(const State& state) const {
    const std::vector<double> shares = bayes::overall_shares(m_rows, state);
    std::size_t count = 0;
    for (std::size_t v = 0; v < m_rows.voters; ++v)
      count += bayes::is_inverted(state.confusion.data() + v * m_rows.cells(), m_rows, shares) ? 1 : 0;
    return count;
  }

  /// Confusion of every voter from items with known truth alone. Shape [voters, classes, outcomes].
  [[nodiscard]] std::vector<double> known_confusion() const {
    std::vector<double> counts(m_rows.voters * m_rows.cells(), 0.0);
    for (std::size_t seat = 0; seat < m_rows.seats(); ++seat) {
      const std::size_t group = m_rows.seat_group[seat];
      for (std::size_t cell = 0; cell < m_rows.cells(); ++cell) {
        counts[m_rows.seat_voter[seat] * m_rows.cells() + cell] +=
            m_rows.known_votes[seat * m_rows.cells() + cell] * m_model.group_scale[group] *
            m_rows.replicas[group];
      }
    }
    std::vector<double> confusion(counts.size());
    for (std::size_t v = 0; v < m_rows.voters; ++v) {
      bayes::confusion_from_counts(m_model, m_rows, v, {counts.data() + v * m_rows.cells(), m_rows.cells()},
                                   {confusion.data() + v * m_rows.cells(), m_rows.cells()});
    }
    return confusion;
  }

  /// Takes out voters whose votes would count as their opposite without known truth that shows it.
  void silence_inverted() {
    for (std::size_t round = 0; round <= m_rows.voters; ++round) {
      const std::vector<double> known = known_confusion();
      const std::vector<double> shares = bayes::overall_shares(m_rows, m_state);
      bool any = false;
      for (std::size_t v = 0; v < m_rows.voters; ++v) {
        const auto backwards = [&](const std::vector<double>& confusion) {
          return bayes::is_inverted(confusion.data() + v * m_rows.cells(), m_rows, shares);
        };
        if (m_model.is_silenced[v] != 0 || !backwards(m_state.confusion) || backwards(known)) continue;
        m_model.is_silenced[v] = 1;
        any = true;
      }
      if (!any) return;
      bayes::run_em(m_rows, m_model, m_limits, m_state);
      learn();
    }
  }

  const Rows& m_rows;
  const BayesOptions& m_options;
  bayes::RunLimits m_limits;
  Model m_model;
  State m_state;
  std::vector<std::size_t> m_references;
  std::vector<bayes::ReferenceView> m_views;
  double m_dependence = 0.0;
  CalibrationReport m_calibration;
};

double sum_of(const double* values, std::size_t n) {
  return std::accumulate(values, values + n, 0.0);
}

/// Pseudo-votes behind the population's sensitivity: the field classes' strengths weighted by their shares.
double field_strength(const Rows& rows, const std::vector<double>& strength,
                      const std::vector<double>& shares) {
  double sum = 0.0;
  double total = 0.0;
  for (std::size_t c = 1; c < rows.classes; ++c) {
    sum += shares[c] * strength[c];
    total += shares[c];
  }
  return sum / total;
}

void describe_population(const Rows& rows, const Model& model, const BayesOptions& options, BayesFit& fit) {
  fit.population = model.row_votes;
  for (std::size_t c = 0; c < rows.classes; ++c) {
    fit.row_strength.push_back(sum_of(model.row_votes.data() + c * rows.outcomes, rows.outcomes));
    for (std::size_t o = 0; o < rows.outcomes; ++o)
      fit.population[c * rows.outcomes + o] /= fit.row_strength.back();
  }
  const auto& shares = fit.fusion.class_shares;
  fit.population_sensitivity =
      beta_estimate(bayes::sensitivity_of(fit.population.data(), rows, shares),
                    field_strength(rows, fit.row_strength, shares), options.interval);
  fit.population_specificity = beta_estimate(fit.population[0], fit.row_strength[0], options.interval);
  fit.share_strength = sum_of(model.share_votes.data(), rows.classes);
  fit.site_correlation.assign(model.correlation.begin(), model.correlation.end() - 1);
}

/// Right answers of every voter on all classes together. A voter who is good at one class is good at others
/// too, which the rows of the confusion, each drawn on its own, do not know: so accuracies have a population
/// of their own.
void describe_accuracy(const Rows& rows, const bayes::SeatEvidence& of_seats,
                       const std::vector<bayes::AspectEvidence>& evidence, const std::vector<double>& known,
                       double interval, BayesFit& fit) {
  const std::size_t aspects = rows.classes + 1;
  std::vector<double> right(rows.voters, 0.0);
  std::vector<double> votes(rows.voters, 0.0);
  for (std::size_t seat = 0; seat < rows.seats(); ++seat) {
    const std::uint32_t v = rows.seat_voter[seat];
    const double replicas = rows.replicas[rows.seat_group[seat]];
    for (std::size_t c = 0; c < rows.classes; ++c) {
      right[v] += replicas * of_seats.right[seat * aspects + c];
      votes[v] += replicas * of_seats.votes[seat * aspects + c];
    }
  }
  CountRows counts{2, std::vector<double>(2 * rows.voters, 0.0), std::vector<double>(rows.voters, 0.0)};
  for (std::size_t v = 0; v < rows.voters; ++v) {
    if (votes[v] <= 0.0) continue;
    double units = 0.0;
    for (std::size_t c = 0; c < rows.classes; ++c)
      units += evidence[v * aspects + c].independent * known[2 * v + (c == 0 ? 0 : 1)];
    counts.counts[2 * v] = units * right[v] / votes[v];
    counts.counts[2 * v + 1] = units - counts.counts[2 * v];
    counts.weights[v] = 1.0;
  }
  constexpr std::array<double, 2> kUsual{5.6, 2.4};  // 8 votes, 70 % right, as BayesOptions::usual_rows
  const std::vector<double> population = learn_dirichlet(counts, kUsual, 2.0, 1000.0);
  for (std::size_t v = 0; v < rows.voters; ++v) {
    const double a = population[0] + counts.counts[2 * v];
    const double b = population[1] + counts.counts[2 * v + 1];
    fit.skills[v].accuracy = beta_estimate(a / (a + b), a + b, interval);
  }
}

void describe_voters(const Rows& rows, const Model& model, const State& state, const BayesOptions& options,
                     BayesFit& fit) {
  const auto of_seats = bayes::collect_evidence(rows, model, state);
  const auto evidence = bayes::sum_evidence(rows, model, of_seats);
  const auto known = bayes::known_information(rows, model, state, of_seats, evidence);
  const auto& shares = fit.fusion.class_shares;
  const double strength = field_strength(rows, fit.row_strength, shares);
  for (std::size_t v = 0; v < rows.voters; ++v) {
    const auto& background = evidence[v * (rows.classes + 1)];
    const auto& field = evidence[v * (rows.classes + 1) + rows.classes];
    const double* confusion = state.confusion.data() + v * rows.cells();
    VoterSkill skill;
    skill.field_units = field.independent * known[2 * v + 1];
    skill.background_units = background.independent * known[2 * v];
    skill.sensitivity = beta_estimate(bayes::sensitivity_of(confusion, rows, shares),
                                      strength + skill.field_units, options.interval);
    skill.specificity =
        beta_estimate(confusion[0], fit.row_strength[0] + skill.background_units, options.interval);
    skill.effective_sites = std::max(background.effective_sites, field.effective_sites);
    skill.is_silenced = model.is_silenced[v] != 0;
    fit.skills.push_back(skill);
  }
  for (const std::uint32_t voter : rows.seat_voter) ++fit.skills[voter].sites;
  describe_accuracy(rows, of_seats, evidence, known, options.interval, fit);
}

/// Posteriors in the order of the table, calibrated where the truth is not known.
void fill_posteriors(const VoteTable& table, const Rows& rows, const State& state, BayesFit& fit) {
  fit.fusion.posterior.assign(table.rows() * rows.classes, 0.0);
  for (std::size_t i = 0; i < table.rows(); ++i) {
    const std::int32_t truth = table.row(i).truth;
    if (truth >= 0) fit.fusion.posterior[i * rows.classes + static_cast<std::size_t>(truth)] = 1.0;
  }
  for (std::size_t g = 0; g < rows.groups; ++g) {
    for (std::size_t r = rows.group_begin[g]; r < rows.group_begin[g + 1]; ++r) {
      double* to = fit.fusion.posterior.data() + rows.original[r] * rows.classes;
      std::copy_n(state.posterior.begin() + static_cast<std::ptrdiff_t>(r * rows.classes), rows.classes, to);
      fit.calibration.calibration.apply({to, rows.classes},
                                        {state.shares.data() + g * rows.classes, rows.classes});
    }
  }
}

double mean_voters(const Rows& rows, const Model& model) {
  double items = 0.0;
  double voters = 0.0;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    items += rows.count[r];
    voters += rows.count[r] * static_cast<double>(bayes::count_voters(rows, r, model));
  }
  return items > 0.0 ? voters / items : 0.0;
}

}  // namespace

double BayesFit::kappa_of(std::size_t voters) const noexcept {
  return bayes::kappa(voters, dependence);
}

std::vector<double> BayesFit::predict(std::span<const VoteEntry> votes, std::size_t group) const {
  const auto classes = static_cast<std::size_t>(fusion.classes);
  const double* known = group * classes < group_shares.size() ? group_shares.data() + group * classes
                                                              : fusion.class_shares.data();
  const std::vector<double> shares(known, known + classes);
  std::vector<double> posterior(classes, 0.0);
  std::vector<std::uint32_t> voters;
  for (const VoteEntry& vote : votes) {
    require(vote.voter < skills.size() && vote.outcome < fusion.outcomes, "a vote is out of range");
    if (skills[vote.voter].is_silenced) continue;
    voters.push_back(vote.voter);
    for (std::size_t c = 0; c < classes; ++c)
      posterior[c] +=
          vote.times * std::log(fusion.confusion_at(vote.voter, static_cast<int>(c), vote.outcome));
  }
  std::ranges::sort(voters);
  const auto repeated = std::ranges::unique(voters);
  const double k = kappa_of(voters.size() - repeated.size());
  for (std::size_t c = 0; c < classes; ++c) posterior[c] = k * posterior[c] + std::log(shares[c]);
  (void)bayes::normalise_logs(posterior);
  calibration.calibration.apply(posterior, shares);
  return posterior;
}

BayesFit fuse_bayes(const VoteTable& table, const BayesOptions& options) {
  check(table, options);
  const Rows rows = bayes::index_rows(table, options.group_weights);
  Fitter fitter(table, rows, options);
  fitter.run();
  State state = fitter.state();
  BayesFit fit;
  fit.trace = state.trace;
  fit.fusion.objective = state.objective;
  std::vector<Estimate> drawn;
  if (options.inference == BayesInference::kGibbs) {
    auto result = bayes::run_gibbs(rows, fitter.model(), state, options);
    state = std::move(result.state);
    drawn = std::move(result.skills);
  }
  fit.fusion.classes = table.classes();
  fit.fusion.outcomes = table.outcomes();
  fit.fusion.class_shares = bayes::overall_shares(rows, state);
  fit.fusion.confusion = state.confusion;
  fit.fusion.iterations = state.iterations;
  fit.fusion.converged = state.converged;
  fit.group_shares = state.shares;
  fit.reference_groups = fitter.references();
  fit.dependence = fitter.dependence();
  const double voters = mean_voters(rows, fitter.model());
  fit.kappa = voters > 1.0 ? 1.0 / (1.0 + (voters - 1.0) * fit.dependence) : 1.0;
  fit.calibration = fitter.calibration();
  describe_population(rows, fitter.model(), options, fit);
  describe_voters(rows, fitter.model(), state, options, fit);
  for (std::size_t v = 0; v < drawn.size() / 2; ++v) {
    fit.skills[v].sensitivity = drawn[2 * v];
    fit.skills[v].specificity = drawn[2 * v + 1];
  }
  if (options.inference == BayesInference::kMode)
    state.posterior = bayes::dependent_posterior(rows, fitter.model(), state, fit.dependence);
  fill_posteriors(table, rows, state, fit);
  return fit;
}

}  // namespace furrow::labelling
