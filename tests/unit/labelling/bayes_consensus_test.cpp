#include <furrow/labelling/bayes_consensus.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/core/random.h>

namespace furrow::labelling {
namespace {

using Votes = std::vector<VoteEntry>;

/// A campaign drawn from the model: labellers around a population, sites around labellers, pixels around
/// sites.
struct Simulation {
  std::size_t voters = 16;
  std::size_t sites = 40;
  std::size_t known = 4;  ///< sites with known truth; everybody votes there
  std::size_t voters_per_site = 5;
  int pixels = 200;
  double correlation = 0.06;  ///< of a labeller's errors inside a site
  double copy = 0.0;          ///< chance that a labeller takes over the first labeller's map of the site
  double sensitivity = 0.85;  ///< of the population
  double specificity = 0.92;
  double strength = 25.0;  ///< of the population
};

struct Simulated {
  VoteTable table{2, 2, 0};
  std::vector<double> sensitivity;
  std::vector<double> specificity;
  std::vector<std::vector<std::int32_t>> truth;  ///< per row: items by class, whatever the table knows
};

/// Mean and intraclass correlation of a Beta distribution.
double draw_rate(geo::Random& random, double mean, double correlation) {
  const double strength = 1.0 / correlation - 1.0;
  return random.beta(mean * strength, (1.0 - mean) * strength);
}

std::vector<std::uint32_t> draw_voters(geo::Random& random, std::size_t voters, std::size_t wanted) {
  std::vector<std::uint32_t> all(voters);
  std::iota(all.begin(), all.end(), 0U);
  random.shuffle(all);
  all.resize(std::min(wanted, voters));
  std::ranges::sort(all);
  return all;
}

void add_site(geo::Random& random, const Simulation& sim, std::uint32_t site, Simulated& out) {
  const bool known = site < sim.known;
  const auto voters = draw_voters(random, sim.voters, known ? sim.voters : sim.voters_per_site);
  const double share = random.beta(1.2, 2.0);
  std::vector<double> s;
  std::vector<double> q;
  std::vector<bool> copies;
  for (const auto v : voters) {
    s.push_back(draw_rate(random, out.sensitivity[v], sim.correlation));
    q.push_back(draw_rate(random, out.specificity[v], sim.correlation));
    copies.push_back(v != voters.front() && random.chance(sim.copy));
  }
  std::map<std::vector<std::uint16_t>, std::array<std::int32_t, 2>> patterns;
  for (int p = 0; p < sim.pixels; ++p) {
    const bool field = random.chance(share);
    std::vector<std::uint16_t> votes;
    for (std::size_t i = 0; i < voters.size(); ++i) {
      const bool says = field ? random.chance(s[i]) : !random.chance(q[i]);
      votes.push_back(copies[i] ? votes.front() : static_cast<std::uint16_t>(says));
    }
    ++patterns[votes][field ? 1 : 0];
  }
  for (const auto& [pattern, counts] : patterns) {
    Votes votes;
    for (std::size_t i = 0; i < voters.size(); ++i) votes.push_back({voters[i], pattern[i]});
    for (int c = 0; c < 2; ++c) {
      const auto n = counts[static_cast<std::size_t>(c)];
      if (n == 0 || (!known && c == 1)) continue;
      const auto total = known ? n : counts[0] + counts[1];
      if (known) {
        out.table.add(votes, total, c, site);
        out.truth.push_back({c == 0 ? n : 0, c == 1 ? n : 0});
      }
    }
    if (known) continue;
    out.table.add(votes, counts[0] + counts[1], -1, site);
    out.truth.push_back({counts[0], counts[1]});
  }
}

Simulated simulate(const Simulation& sim, std::uint64_t seed) {
  geo::Random random(seed);
  Simulated out;
  out.table = VoteTable(2, 2, sim.voters);
  for (std::size_t v = 0; v < sim.voters; ++v) {
    out.sensitivity.push_back(
        random.beta(sim.sensitivity * sim.strength, (1 - sim.sensitivity) * sim.strength));
    out.specificity.push_back(
        random.beta(sim.specificity * sim.strength, (1 - sim.specificity) * sim.strength));
  }
  for (std::uint32_t s = 0; s < sim.sites; ++s) add_site(random, sim, s, out);
  return out;
}

/// Random votes of three classes and "unsure" on items in two sites.
VoteTable random_table(std::uint64_t seed) {
  geo::Random random(seed);
  VoteTable table(3, 4, 4);
  for (int item = 0; item < 120; ++item) {
    const auto truth = static_cast<std::int32_t>(random.below(3));
    Votes votes;
    for (std::uint32_t v = 0; v < 4; ++v) {
      if (random.chance(0.2)) continue;
      const bool right = random.chance(0.75);
      votes.push_back(
          {v, static_cast<std::uint16_t>(right ? static_cast<std::uint64_t>(truth) : random.below(4))});
    }
    table.add(votes, 1.0 + static_cast<double>(random.below(5)), item % 10 == 0 ? truth : -1,
              static_cast<std::uint32_t>(item % 2));
  }
  return table.grouped();
}

BayesOptions plain() {
  BayesOptions options;
  options.calibrate = false;
  options.default_dependence = 0.0;
  return options;
}

TEST(BayesConsensus, PosteriorIsBayesRuleOverEveryTruth) {
  for (const double dependence : {0.0, 0.3}) {
    const VoteTable table = random_table(1);
    BayesOptions options = plain();
    options.dependence = dependence;
    const BayesFit fit = fuse_bayes(table, options);
    for (std::size_t i = 0; i < table.rows(); ++i) {
      const VoteRow row = table.row(i);
      // The joint probability of truth and votes, multiplied out.
      std::vector<double> joint(3);
      const double k =
          row.votes.empty() ? 1.0 : 1.0 / (1.0 + dependence * (static_cast<double>(row.votes.size()) - 1.0));
      for (std::size_t c = 0; c < 3; ++c) {
        double likelihood = 1.0;
        for (const auto& vote : row.votes)
          likelihood *=
              std::pow(fit.fusion.confusion_at(vote.voter, static_cast<int>(c), vote.outcome), vote.times);
        joint[c] = fit.group_shares[row.group * 3 + c] * std::pow(likelihood, k);
      }
      const double total = joint[0] + joint[1] + joint[2];
      const auto predicted = fit.predict(row.votes, row.group);
      for (std::size_t c = 0; c < 3; ++c) {
        EXPECT_NEAR(predicted[c], joint[c] / total, 1e-12);
        const double known = static_cast<std::int32_t>(c) == row.truth ? 1.0 : 0.0;
        EXPECT_NEAR(fit.fusion.posterior_of(i)[c], row.truth >= 0 ? known : joint[c] / total, 1e-12);
      }
    }
  }
}

TEST(BayesConsensus, SkillsAreTheMeanOfPriorAndExpectedVotes) {
  // Two labellers, all truth known, fixed priors: the posterior is known in closed form.
  VoteTable table(2, 2, 2);
  table.add(Votes{{0, 1}, {1, 0}}, 6.0, 1);
  table.add(Votes{{0, 1}, {1, 1}}, 3.0, 1);
  table.add(Votes{{0, 0}, {1, 0}}, 10.0, 0);
  BayesOptions options = plain();
  options.unit = InformationUnit::kItem;
  options.priors = BayesPriors{{1.0, 1.0}, {1.0, 1.0, 1.0, 1.0}};
  const BayesFit fit = fuse_bayes(table, options);
  EXPECT_NEAR(fit.skills[0].sensitivity.mean, 10.0 / 11.0, 1e-12);
  EXPECT_NEAR(fit.skills[1].sensitivity.mean, 4.0 / 11.0, 1e-12);
  EXPECT_NEAR(fit.skills[1].specificity.mean, 11.0 / 12.0, 1e-12);
  EXPECT_NEAR(fit.fusion.class_shares[1], 10.0 / 21.0, 1e-12);
  // Quantiles of Beta(10, 1): p^(1/10).
  EXPECT_NEAR(fit.skills[0].sensitivity.low, std::pow(0.05, 0.1), 1e-9);
  EXPECT_NEAR(fit.skills[0].sensitivity.high, std::pow(0.95, 0.1), 1e-9);
}

TEST(BayesConsensus, ObjectiveNeverDecreases) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const BayesFit fit = fuse_bayes(random_table(seed), plain());
    EXPECT_TRUE(fit.fusion.converged);
    for (std::size_t i = 1; i < fit.trace.size(); ++i)
      EXPECT_GE(fit.trace[i], fit.trace[i - 1] - 1e-9 * std::abs(fit.trace[i - 1])) << seed << ' ' << i;
  }
}

TEST(BayesConsensus, DoesNotDependOnThreads) {
  Simulation sim;
  sim.known = 8;
  const Simulated data = simulate(sim, 3);
  std::vector<BayesFit> fits;
  for (const int threads : {1, 4}) {
    geo::ExecContext exec({threads, 0});
    exec.execute([&] { fits.push_back(fuse_bayes(data.table)); });
  }
  EXPECT_EQ(fits[0].fusion.posterior, fits[1].fusion.posterior);
  EXPECT_EQ(fits[0].fusion.confusion, fits[1].fusion.confusion);
  EXPECT_EQ(fits[0].dependence, fits[1].dependence);
  EXPECT_EQ(fits[0].skills[3].sensitivity.low, fits[1].skills[3].sensitivity.low);
}

/// Share of 90 % intervals of skills that hold the truth.
struct Coverage {
  double inside = 0.0;
  double all = 0.0;
  void add(const Estimate& e, double truth) {
    inside += truth >= e.low && truth <= e.high ? 1.0 : 0.0;
    all += 1.0;
  }
  [[nodiscard]] double rate() const { return inside / all; }
};

TEST(BayesConsensus, IntervalsHoldTheTruthAsOftenAsTheySay) {
  Coverage sensitivity;
  Coverage specificity;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Simulated data = simulate({}, seed);
    const BayesFit fit = fuse_bayes(data.table);
    for (std::size_t v = 0; v < fit.skills.size(); ++v) {
      sensitivity.add(fit.skills[v].sensitivity, data.sensitivity[v]);
      specificity.add(fit.skills[v].specificity, data.specificity[v]);
    }
  }
  RecordProperty("sensitivity", std::to_string(sensitivity.rate()));
  RecordProperty("specificity", std::to_string(specificity.rate()));
  EXPECT_GE(sensitivity.rate(), 0.86);
  EXPECT_LE(sensitivity.rate(), 0.94);
  EXPECT_GE(specificity.rate(), 0.86);
  EXPECT_LE(specificity.rate(), 0.94);
}

/// Mean stated risk and share of wrong labels over the items whose truth the table does not know.
std::pair<double, double> risk_and_error(const Simulated& data, const BayesFit& fit) {
  double risk = 0.0;
  double wrong = 0.0;
  double items = 0.0;
  for (std::size_t i = 0; i < data.table.rows(); ++i) {
    if (data.table.row(i).truth >= 0) continue;
    const auto p = fit.fusion.posterior_of(i);
    const std::size_t label = p[1] > p[0] ? 1 : 0;
    const double n = data.truth[i][0] + data.truth[i][1];
    items += n;
    risk += n * (1.0 - p[label]);
    wrong += data.truth[i][1 - label];
  }
  return {risk / items, wrong / items};
}

TEST(BayesConsensus, RiskIsHowOftenTheLabelIsWrong) {
  for (const std::size_t known : {std::size_t{0}, std::size_t{10}}) {
    Simulation sim;
    sim.known = known;
    sim.sites = 80;
    const Simulated data = simulate(sim, 11);
    BayesOptions options;
    options.default_dependence = 0.0;  // as the labellers were drawn
    const auto [risk, wrong] = risk_and_error(data, fuse_bayes(data.table, options));
    EXPECT_NEAR(risk, wrong, 0.006) << known;
  }
}

TEST(BayesConsensus, DependenceIsFoundWhereLabellersCopy) {
  Simulation sim;
  sim.known = 20;
  sim.sites = 80;
  const Simulated apart = simulate(sim, 5);
  sim.copy = 0.6;
  const Simulated copied = simulate(sim, 5);
  const BayesFit free = fuse_bayes(apart.table);
  const BayesFit bound = fuse_bayes(copied.table);
  EXPECT_LT(free.dependence, 0.1);
  EXPECT_GT(bound.dependence, 0.15);
  EXPECT_NEAR(bound.kappa, bound.kappa_of(5), 1e-12);
  EXPECT_EQ(bound.reference_groups, 20U);
  // And the risk is honest with it, not without.
  BayesOptions blind = plain();
  blind.dependence = 0.0;
  const auto [risk, wrong] = risk_and_error(copied, bound);
  const auto [bold_risk, bold_wrong] = risk_and_error(copied, fuse_bayes(copied.table, blind));
  EXPECT_LT(std::abs(risk - wrong), 0.5 * std::abs(bold_risk - bold_wrong));
  EXPECT_LE(wrong, bold_wrong + 0.002);
}

TEST(BayesConsensus, OneLabellerHasTheRiskOfHisSkill) {
  // Skill known from four reference sites; two further sites that only he mapped.
  VoteTable table(2, 2, 1);
  for (std::uint32_t site = 0; site < 4; ++site) {
    table.add(Votes{{0, 1}}, 80.0, 1, site);
    table.add(Votes{{0, 0}}, 20.0, 1, site);
    table.add(Votes{{0, 0}}, 95.0, 0, site);
    table.add(Votes{{0, 1}}, 5.0, 0, site);
  }
  table.add(Votes{{0, 1}}, 40.0, -1, 4);
  table.add(Votes{{0, 0}}, 60.0, -1, 4);
  const BayesFit fit = fuse_bayes(table, plain());
  const auto p = fit.fusion.posterior_of(16);
  EXPECT_GT(p[1], 0.8);
  EXPECT_LT(p[1], 0.99);
  EXPECT_GT(fit.fusion.posterior_of(17)[1], 0.02);
  EXPECT_GT(fit.skills[0].sensitivity.high - fit.skills[0].sensitivity.low, 0.05);
}

TEST(BayesConsensus, AWeightOfTwoIsASecondSite) {
  const auto make = [](bool twice) {
    VoteTable table(2, 2, 3);
    for (std::uint32_t site = 0; site < 4; ++site) {
      for (int again = 0; again < (twice && site == 1 ? 2 : 1); ++again) {
        const std::uint32_t group = again == 0 ? site : 4;
        table.add(Votes{{0, 1}, {1, 1}, {2, 0}}, 10.0 + site, -1, group);
        table.add(Votes{{0, 0}, {1, 0}, {2, 0}}, 20.0, -1, group);
        table.add(Votes{{0, 0}, {1, 1}}, 5.0, -1, group);
      }
    }
    return table;
  };
  BayesOptions options = plain();
  options.site_correlation = 0.05;
  options.restarts = 0;
  options.tolerance = 1e-13;
  const BayesFit two = fuse_bayes(make(true), options);
  options.group_weights = {1.0, 2.0, 1.0, 1.0};
  const BayesFit weighted = fuse_bayes(make(false), options);
  for (std::size_t i = 0; i < weighted.fusion.confusion.size(); ++i)
    EXPECT_NEAR(weighted.fusion.confusion[i], two.fusion.confusion[i], 0.001) << i;
  EXPECT_NEAR(weighted.skills[0].field_units, two.skills[0].field_units, 0.005 * two.skills[0].field_units);
}

/// Labellers 0 .. honest - 1 are good, the rest say the opposite of the truth.
VoteTable with_liars(std::uint32_t honest, std::uint32_t liars, bool known) {
  geo::Random random(9);
  VoteTable table(2, 2, honest + liars);
  for (std::uint32_t item = 0; item < 400; ++item) {
    const auto truth = static_cast<std::uint16_t>(random.below(2));
    Votes votes;
    for (std::uint32_t v = 0; v < honest + liars; ++v) {
      const bool flip = random.chance(v < honest ? 0.1 : 0.9);
      votes.push_back({v, static_cast<std::uint16_t>(flip ? 1 - truth : truth)});
    }
    table.add(votes, 1.0, known && item < 200 ? truth : -1, item / 40);
  }
  return table.grouped();
}

TEST(BayesConsensus, NobodysVotesAreTurnedRoundWithoutKnownTruth) {
  const BayesFit fit = fuse_bayes(with_liars(4, 1, false), plain());
  EXPECT_TRUE(fit.skills[4].is_silenced);
  EXPECT_FALSE(fit.skills[0].is_silenced);
  // The liar's vote changes nothing.
  EXPECT_EQ(fit.predict(Votes{{0, 1}, {1, 1}}, 0), fit.predict(Votes{{0, 1}, {1, 1}, {4, 0}}, 0));
  EXPECT_LT(fit.skills[4].sensitivity.mean, 0.4);
}

TEST(BayesConsensus, KnownTruthShowsThatVotesMeanTheOpposite) {
  const BayesFit fit = fuse_bayes(with_liars(2, 1, true), plain());
  EXPECT_FALSE(fit.skills[2].is_silenced);
  EXPECT_GT(fit.predict(Votes{{2, 0}}, 0)[1], fit.predict(Votes{{2, 1}}, 0)[1]);
}

TEST(BayesConsensus, MostLabellersAreBelievedWhoeverTheyAre) {
  // Reference-free, the majority is right by definition; the fit must not end with labels swapped.
  const Simulated data = simulate({.known = 0}, 2);
  const auto [risk, wrong] = risk_and_error(data, fuse_bayes(data.table));
  EXPECT_LT(wrong, 0.1);
}

TEST(BayesConsensus, UnsureIsAnAnswerThatIsLearned) {
  // Labeller 0 says "unsure" mostly on field. The others are good.
  geo::Random random(4);
  VoteTable table(2, 3, 4);
  for (std::uint32_t item = 0; item < 600; ++item) {
    const auto truth = static_cast<std::uint16_t>(random.below(2));
    Votes votes{{0, static_cast<std::uint16_t>(truth == 1 && random.chance(0.6) ? 2 : truth)}};
    for (std::uint32_t v = 1; v < 4; ++v)
      votes.push_back({v, static_cast<std::uint16_t>(random.chance(0.1) ? 1 - truth : truth)});
    table.add(votes, 1.0, -1, item / 30);
  }
  const BayesFit fit = fuse_bayes(table.grouped(), plain());
  EXPECT_NEAR(fit.fusion.confusion_at(0, 1, 2), 0.6, 0.08);
  EXPECT_NEAR(fit.skills[0].sensitivity.mean, 0.4, 0.08);
  EXPECT_GT(fit.predict(Votes{{0, 2}}, 0)[1], 0.8);
}

void expect_sane(const VoteTable& table, const BayesFit& fit) {
  const auto in_unit = testing::Each(testing::AllOf(testing::Ge(0.0), testing::Le(1.0)));
  EXPECT_THAT(fit.fusion.posterior, in_unit);
  EXPECT_THAT(fit.fusion.confusion, in_unit);
  EXPECT_THAT(fit.group_shares, in_unit);
  EXPECT_TRUE(std::isfinite(fit.fusion.objective));
  EXPECT_EQ(fit.skills.size(), table.voters());
  for (const auto& skill : fit.skills) {
    for (const Estimate& e : {skill.sensitivity, skill.specificity}) {
      EXPECT_GE(e.low, 0.0);
      EXPECT_LE(e.low, e.mean);
      EXPECT_LE(e.mean, e.high);
      EXPECT_LE(e.high, 1.0);
    }
  }
  for (std::size_t i = 0; i < table.rows(); ++i) {
    const auto p = fit.fusion.posterior_of(i);
    EXPECT_NEAR(std::accumulate(p.begin(), p.end(), 0.0), 1.0, 1e-12);
  }
}

TEST(BayesConsensus, ExtremeTablesHaveFiniteResults) {
  const auto check = [](const VoteTable& table) {
    for (const auto unit : {InformationUnit::kSite, InformationUnit::kItem}) {
      BayesOptions options;
      options.unit = unit;
      expect_sane(table, fuse_bayes(table, options));
      if (unit == InformationUnit::kSite) continue;
      options.inference = BayesInference::kGibbs;
      options.draws = 100;
      expect_sane(table, fuse_bayes(table, options));
    }
  };
  check(VoteTable(2, 2, 0));
  check(VoteTable(3, 4, 2));
  VoteTable background(2, 2, 3);
  background.add(Votes{{0, 0}, {1, 0}, {2, 0}}, 50000.0);
  check(background);
  VoteTable field(3, 4, 3);
  field.add(Votes{{0, 1}, {1, 1}, {2, 1}}, 50000.0);
  check(field);
  VoteTable one(2, 2, 1);
  one.add(Votes{{0, 0}}, 10.0);
  one.add(Votes{{0, 1}}, 10.0);
  check(one);
  VoteTable apart(2, 2, 3);  // no two labellers share an item; the third never votes
  apart.add(Votes{{0, 0}}, 10.0, -1, 0);
  apart.add(Votes{{1, 1}}, 10.0, -1, 1);
  check(apart);
  VoteTable known(2, 2, 2);
  known.add(Votes{{0, 0}, {1, 1}}, 10.0, 0);
  known.add(Votes{}, 10.0, 1);
  check(known);
  VoteTable nothing(2, 2, 2);  // items without votes, counts of zero
  nothing.add(Votes{}, 10.0);
  nothing.add(Votes{{0, 1}}, 0.0, -1, 3);
  check(nothing);
}

TEST(BayesConsensus, ThreeHundredLabellers) {
  Simulation sim;
  sim.voters = 300;
  sim.sites = 120;
  sim.known = 0;
  const Simulated data = simulate(sim, 8);
  const BayesFit fit = fuse_bayes(data.table, plain());
  expect_sane(data.table, fit);
  const auto [risk, wrong] = risk_and_error(data, fit);
  EXPECT_NEAR(risk, wrong, 0.01);
  // Who has not voted has the population's skill.
  const auto idle = std::ranges::find(fit.skills, std::size_t{0}, &VoterSkill::sites);
  if (idle != fit.skills.end()) {
    EXPECT_NEAR(idle->sensitivity.mean, fit.population_sensitivity.mean, 1e-12);
    EXPECT_NEAR(idle->sensitivity.low, fit.population_sensitivity.low, 1e-9);
  }
}

TEST(BayesConsensus, MoreSitesNarrowTheInterval) {
  Simulation sim;
  sim.known = 0;
  sim.sites = 20;
  const auto width = [](const BayesFit& fit) {
    double sum = 0.0;
    for (const auto& s : fit.skills) sum += s.sensitivity.high - s.sensitivity.low;
    return sum / static_cast<double>(fit.skills.size());
  };
  const double few = width(fuse_bayes(simulate(sim, 6).table));
  sim.sites = 160;
  const double many = width(fuse_bayes(simulate(sim, 6).table));
  EXPECT_LT(many, 0.7 * few);
  // More pixels on the same number of sites tell little more.
  sim.sites = 20;
  sim.pixels = 2000;
  EXPECT_GT(width(fuse_bayes(simulate(sim, 6).table)), 0.75 * few);
}

TEST(BayesConsensus, RefusesOptionsThatMakeNoSense) {
  const VoteTable table = random_table(1);
  const auto refuses = [&](const auto& change) {
    BayesOptions options;
    change(options);
    EXPECT_THROW((void)fuse_bayes(table, options), geo::InvalidArgument);
  };
  refuses([](BayesOptions& o) { o.dependence = 1.5; });
  refuses([](BayesOptions& o) { o.site_correlation = -0.1; });
  refuses([](BayesOptions& o) { o.group_weights = {1.0}; });
  refuses([](BayesOptions& o) { o.group_weights = {1.0, -1.0}; });
  refuses([](BayesOptions& o) { o.priors = BayesPriors{{1.0, 1.0}, {}}; });
  refuses([](BayesOptions& o) { o.interval = 1.0; });
  refuses([](BayesOptions& o) { o.inference = BayesInference::kGibbs; });
  refuses([](BayesOptions& o) { o.max_iterations = 0; });
}

}  // namespace
}  // namespace furrow::labelling
