// How often the 90 % intervals of labellers' skills hold the truth, on campaigns drawn from the model itself:
// labellers around a population, their rates at a site around their own, pixels around those.
//   skill_intervals [campaigns per case]
// 16 labellers, 40 sites of 200 pixels, 4 of them with known truth (everybody maps them), 5 labellers at the
// others, correlation 0.06 inside sites, unless the case says otherwise.
#include <array>
#include <cmath>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include <furrow/geo/core/random.h>
#include <furrow/labelling/bayes_consensus.h>

namespace {

using namespace furrow;

struct Case {
  std::string name;
  std::size_t voters = 16;
  std::uint32_t sites = 40;
  std::uint32_t known = 4;
  std::size_t voters_per_site = 5;
  int pixels = 200;
  double correlation = 0.06;
  double strength = 25.0;  ///< of the population: a labeller's skill is Beta(strength x mean, ...)
};

struct Skills {
  std::vector<double> sensitivity;
  std::vector<double> specificity;
};

Skills draw_skills(geo::Random& random, const Case& of) {
  Skills skills;
  for (std::size_t v = 0; v < of.voters; ++v) {
    skills.sensitivity.push_back(random.beta(0.85 * of.strength, 0.15 * of.strength));
    skills.specificity.push_back(random.beta(0.92 * of.strength, 0.08 * of.strength));
  }
  return skills;
}

void add_site(geo::Random& random, const Case& of, const Skills& skills, std::uint32_t site,
              labelling::VoteTable& table) {
  const bool known = site < of.known;
  std::vector<std::uint32_t> voters(of.voters);
  std::iota(voters.begin(), voters.end(), 0U);
  random.shuffle(voters);
  if (!known) voters.resize(std::min(of.voters, of.voters_per_site));
  const double unit = 1.0 / of.correlation - 1.0;
  std::vector<std::array<double, 2>> says_field;  // by truth
  for (const auto v : voters) {
    const double s = skills.sensitivity[v];
    const double q = skills.specificity[v];
    says_field.push_back(
        {1.0 - random.beta(q * unit, (1.0 - q) * unit), random.beta(s * unit, (1.0 - s) * unit)});
  }
  const double share = random.beta(1.2, 2.0);
  std::map<std::pair<std::int32_t, std::vector<labelling::VoteEntry>>, double> counts;
  for (int p = 0; p < of.pixels; ++p) {
    const std::int32_t truth = random.chance(share) ? 1 : 0;
    std::vector<labelling::VoteEntry> votes;
    for (std::size_t i = 0; i < voters.size(); ++i) {
      const bool field = random.chance(says_field[i][static_cast<std::size_t>(truth)]);
      votes.push_back({voters[i], static_cast<std::uint16_t>(field ? 1 : 0)});
    }
    counts[{known ? truth : -1, std::move(votes)}] += 1.0;
  }
  for (const auto& [key, count] : counts) table.add(key.second, count, key.first, site);
}

struct Coverage {
  double inside = 0.0, all = 0.0, width = 0.0, squares = 0.0;
  void add(const labelling::Estimate& e, double truth) {
    inside += truth >= e.low && truth <= e.high ? 1.0 : 0.0;
    width += e.high - e.low;
    squares += (e.mean - truth) * (e.mean - truth);
    all += 1.0;
  }
  void print() const {
    std::cout << std::setw(8) << inside / all << std::setw(8) << width / all << std::setw(8)
              << std::sqrt(squares / all);
  }
};

void run(const Case& of, std::uint64_t campaigns) {
  Coverage sensitivity;
  Coverage specificity;
  double correlation = 0.0;
  for (std::uint64_t seed = 1; seed <= campaigns; ++seed) {
    geo::Random random(seed, 1000);
    const Skills skills = draw_skills(random, of);
    labelling::VoteTable table(2, 2, of.voters);
    for (std::uint32_t s = 0; s < of.sites; ++s) add_site(random, of, skills, s, table);
    const labelling::BayesFit fit = labelling::fuse_bayes(table);
    correlation += fit.site_correlation[1] / static_cast<double>(campaigns);
    for (std::size_t v = 0; v < of.voters; ++v) {
      sensitivity.add(fit.skills[v].sensitivity, skills.sensitivity[v]);
      specificity.add(fit.skills[v].specificity, skills.specificity[v]);
    }
  }
  std::cout << std::left << std::setw(34) << of.name << std::right << std::fixed << std::setprecision(3);
  sensitivity.print();
  specificity.print();
  std::cout << std::setw(8) << correlation << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  const auto campaigns = argc > 1 ? static_cast<std::uint64_t>(std::atoll(argv[1])) : 150;
  std::cout
      << "                                   sensitivity             specificity           correlation\n"
      << "case                                 inside  width   error   inside  width   error   found\n";
  for (const Case& of :
       std::vector<Case>{{.name = "as above"},
                         {.name = "no known truth", .known = 0},
                         {.name = "half of the sites known", .known = 20},
                         {.name = "2 labellers a site", .voters_per_site = 2},
                         {.name = "1 labeller a site, 8 sites known", .known = 8, .voters_per_site = 1},
                         {.name = "3 a site, no known truth", .known = 0, .voters_per_site = 3},
                         {.name = "150 sites", .sites = 150},
                         {.name = "2500 pixels a site", .pixels = 2500},
                         {.name = "20 pixels a site", .pixels = 20},
                         {.name = "correlation 0.002", .correlation = 0.002},
                         {.name = "correlation 0.2", .correlation = 0.2},
                         {.name = "labellers differ more", .strength = 8.0},
                         {.name = "5 labellers, 20 sites", .voters = 5, .sites = 20}})
    run(of, campaigns);
}
