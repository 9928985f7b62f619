// How long the Bayesian consensus takes on a vote table of many sites, restarts and calibration included.
//   fuse_bayes [sites] [pixels a site] [share of expert sites]
// 20 labellers, five at each site (all of them at an expert's), three classes and "unsure".
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/core/random.h>
#include <furrow/labelling/bayes_consensus.h>

namespace {

using namespace furrow;
using labelling::VoteEntry;

constexpr std::uint32_t kLabellers = 20;

void add_site(geo::Random& random, std::uint32_t site, bool expert, int pixels, labelling::VoteTable& table) {
  std::vector<std::uint32_t> voters(kLabellers);
  for (std::uint32_t v = 0; v < kLabellers; ++v) voters[v] = v;
  if (!expert) {
    random.shuffle(voters);
    voters.resize(5);
  }
  std::vector<double> right;  // of each labeller at this site
  for (const auto v : voters)
    right.push_back(random.beta(20.0 * (0.95 - 0.015 * v), 20.0 * (0.05 + 0.015 * v)));
  const double field = random.beta(2.0, 2.0);
  std::map<std::pair<std::int32_t, std::vector<VoteEntry>>, double> counts;
  for (int p = 0; p < pixels; ++p) {
    const std::uint16_t truth = random.chance(field) ? (random.chance(0.2) ? 2 : 1) : 0;
    std::vector<VoteEntry> votes;
    for (std::size_t i = 0; i < voters.size(); ++i) {
      const auto wrong = static_cast<std::uint16_t>(random.below(4));
      votes.push_back({voters[i], random.chance(right[i]) ? truth : wrong});
    }
    counts[{expert ? truth : -1, std::move(votes)}] += 1.0;
  }
  for (const auto& [key, count] : counts) table.add(key.second, count, key.first, site);
}

double argument(int argc, char** argv, int index, double fallback) {
  return index < argc ? std::atof(argv[index]) : fallback;
}

}  // namespace

int main(int argc, char** argv) {
  const auto sites = static_cast<std::uint32_t>(argument(argc, argv, 1, 1000));
  const int pixels = static_cast<int>(argument(argc, argv, 2, 2500));
  const auto experts = static_cast<std::uint32_t>(argument(argc, argv, 3, 0.1) * sites);
  geo::Random random(1);
  labelling::VoteTable table(3, 4, kLabellers);
  for (std::uint32_t s = 0; s < sites; ++s) add_site(random, s, s < experts, pixels, table);
  for (const int threads : {1, 4}) {
    geo::ExecContext exec({threads, 0});
    const auto start = std::chrono::steady_clock::now();
    labelling::BayesFit fit;
    exec.execute([&] { fit = labelling::fuse_bayes(table); });
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::cout << sites << " sites, " << table.rows() << " rows, " << threads
              << " threads: " << seconds.count() << " s, last run " << fit.fusion.iterations
              << " iterations, dependence " << fit.dependence << '\n';
  }
}
