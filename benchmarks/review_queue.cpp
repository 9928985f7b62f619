// Does one more map correct as much as the review queue expects, and is the order worth anything? And how
// long does the queue of a large campaign take?
//   review_queue REFERENCE [SEEDS]
// REFERENCE is a polygon layer in a projected CRS, such as sample_data/truth.gpkg; SEEDS default 5. Cells of
// 500 m (5 m pixels), 8 made-up labellers from very good to poor; 15 % of the sites mapped by an expert; one
// or two labellers at the others. Then every other labeller's map is added to every site, and the labels are
// compared with the truth before and after. "Plain difference" is the risk before less the expected risk
// after, both as the fit states them.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/core/random.h>
#include <furrow/labelling/joint_consensus.h>
#include <furrow/labelling/review_queue.h>
#include <furrow/simulation/labellers.h>

namespace {

using namespace furrow;
using labelling::Campaign;
using labelling::VoteEntry;

constexpr double kCell_m = 500.0;
constexpr std::int64_t kPixels = 100;
constexpr double kAll = kPixels * kPixels;

std::vector<labelling::Site> cells_of(const geo::Layer& layer) {
  geo::Box box;
  for (const auto& f : layer.features) box.expand(geo::bounds(f.geometry));
  std::vector<labelling::Site> sites;
  for (double y = box.min_y; y + kCell_m <= box.max_y; y += kCell_m) {
    for (double x = box.min_x; x + kCell_m <= box.max_x; x += kCell_m) {
      sites.push_back(
          {"S" + std::to_string(1000 + sites.size()), {geo::to_polygon({x, y, x + kCell_m, y + kCell_m})}});
    }
  }
  return sites;
}

geo::Grid grid_of(const labelling::Site& site, const geo::Crs& crs) {
  const geo::Box box = geo::bounds(site.cell);
  const double px = kCell_m / static_cast<double>(kPixels);
  return {kPixels, kPixels, {box.min_x, px, 0.0, box.max_y, 0.0, -px}, crs};
}

/// Everybody's map of every site, and the truth, in three classes.
struct Maps {
  Campaign campaign;
  std::map<std::string, std::map<std::string, std::vector<labelling::Vote>>> votes;  ///< by site and labeller
};

Maps draw_maps(const geo::Layer& parcels, const std::vector<labelling::Site>& sites, std::uint64_t seed,
               geo::ExecContext& exec) {
  simulation::LabellerOptions options;
  options.skills = simulation::default_skills(8);
  options.skills.push_back(simulation::perfect_labeller("truth"));
  options.expert_share = 0.0;
  options.single_share = 0.0;
  options.labellers_per_site = 9;
  options.seed = seed;
  Maps maps{simulation::simulate_labellers(parcels, sites, options, exec).campaign, {}};
  for (const auto& a : maps.campaign.assignments) {
    const labelling::Site& site = *maps.campaign.find_site(a.site);
    maps.votes[a.site][a.labeller] =
        labelling::rasterize_votes(a, site.cell, grid_of(site, maps.campaign.crs), {});
  }
  return maps;
}

/// Keeps one or two labellers' maps of most sites, and all with the truth as the expert's at the others.
Campaign thin_out(const Maps& maps, std::uint64_t seed) {
  Campaign thin = maps.campaign;
  thin.assignments.clear();
  geo::Random random(seed, 5);
  for (const auto& site : thin.sites) {
    const bool expert = random.chance(0.15);
    auto of_site = maps.campaign.assignments_of(site.name);
    std::erase_if(of_site, [&](std::size_t a) { return maps.campaign.assignments[a].labeller == "truth"; });
    if (!expert) {
      random.shuffle(of_site);
      of_site.resize(random.chance(0.4) ? 1 : 2);
    }
    for (const std::size_t a : maps.campaign.assignments_of(site.name)) {
      labelling::Assignment map = maps.campaign.assignments[a];
      const bool is_truth = map.labeller == "truth";
      if (is_truth ? !expert : std::ranges::find(of_site, a) == of_site.end()) continue;
      map.site_class = is_truth ? "1a" : "4";
      thin.assignments.push_back(std::move(map));
    }
  }
  return thin;
}

/// A site and a labeller who might map it.
struct Offer {
  double expected = 0.0;    ///< share of the site that the queue expects to be corrected
  double difference = 0.0;  ///< plain difference of risks
  double realised = 0.0;    ///< share that the map did correct
};

std::size_t best_of(const std::vector<double>& p) {
  return static_cast<std::size_t>(std::ranges::max_element(p) - p.begin());
}

/// Adds a labeller's map to a site.
Offer add_map(const labelling::JointFit& fit, const std::map<std::string, std::vector<labelling::Vote>>& maps,
              const std::vector<std::uint32_t>& voters, std::uint32_t candidate, std::size_t site) {
  labelling::PatternBuilder builder(maps.at("truth").size());
  for (const auto v : voters) builder.add(maps.at(fit.labellers[v]));
  builder.add(maps.at(fit.labellers[candidate]));
  builder.add(maps.at("truth"));
  const auto patterns = std::move(builder).finish();
  const auto outcome = [](labelling::Vote vote) -> std::uint16_t {
    const bool unsure = labelling::sure_class(vote) == 0 && labelling::unsure_class(vote) != 0;
    return unsure ? 3 : static_cast<std::uint16_t>(labelling::sure_class(vote));
  };
  Offer offer;
  for (std::size_t p = 0; p < patterns.size(); ++p) {
    const auto pattern = patterns.pattern(p);
    const double share = static_cast<double>(patterns.counts[p]) / kAll;
    std::vector<VoteEntry> votes;
    for (std::size_t i = 0; i < voters.size(); ++i) votes.push_back({voters[i], outcome(pattern[i]), 1});
    const auto before = fit.bayes->predict(votes, site);
    votes.push_back({candidate, 0, 1});
    const std::size_t truth = labelling::sure_class(pattern[voters.size() + 1]);
    double after_risk = 0.0;
    for (std::uint16_t o = 0; o < 4; ++o) {
      votes.back().outcome = o;
      const auto after = fit.bayes->predict(votes, site);
      double chance = 0.0;
      for (int c = 0; c < 3; ++c)
        chance += before[static_cast<std::size_t>(c)] * fit.fusion.confusion_at(candidate, c, o);
      after_risk += chance * (1.0 - std::ranges::max(after));
      if (o != outcome(pattern[voters.size()])) continue;
      offer.realised +=
          share * ((best_of(before) != truth ? 1.0 : 0.0) - (best_of(after) != truth ? 1.0 : 0.0));
    }
    offer.difference += share * (1.0 - std::ranges::max(before) - after_risk);
  }
  return offer;
}

std::vector<Offer> run_seed(const geo::Layer& parcels, std::uint64_t seed, geo::ExecContext& exec) {
  const Maps maps = draw_maps(parcels, cells_of(parcels), seed, exec);
  const Campaign campaign = thin_out(maps, seed);
  labelling::ConsensusOptions options;
  options.method = labelling::ConsensusMethod::kBayes;
  const auto voters = labelling::choose_voters(campaign, {}, options);
  labelling::JointVotes votes(campaign, voters, 3);
  for (std::size_t i = 0; i < campaign.sites.size(); ++i) {
    const auto& site = campaign.sites[i];
    votes.add(i, labelling::collect_votes(campaign, site, voters[i], grid_of(site, campaign.crs), options));
  }
  const auto fit = labelling::fuse_jointly(votes, options);
  std::vector<Offer> offers;
  for (const auto& review : labelling::value_of_maps(votes.table(), fit.fusion, *fit.bayes, {}, {})) {
    std::vector<std::uint32_t> present;
    for (std::uint32_t v = 0; v < fit.labellers.size(); ++v) {
      const auto is_v = [v](const auto& choice) { return choice.voter == v; };
      if (std::ranges::none_of(review.labellers, is_v)) present.push_back(v);
    }
    for (const auto& choice : review.labellers) {
      if (voters[review.group].from_expert || choice.voter == labelling::kAnyoneElse) continue;
      const auto& of_site = maps.votes.at(campaign.sites[review.group].name);
      Offer offer = add_map(fit, of_site, present, choice.voter, review.group);
      offer.expected = choice.removed;
      offers.push_back(offer);
    }
  }
  return offers;
}

void print(const std::string& name, std::span<const Offer> offers) {
  Offer mean;
  for (const Offer& o : offers) {
    mean.expected += o.expected / static_cast<double>(offers.size());
    mean.difference += o.difference / static_cast<double>(offers.size());
    mean.realised += o.realised / static_cast<double>(offers.size());
  }
  std::cout << std::left << std::setw(24) << name << std::right << std::fixed << std::setprecision(4)
            << std::setw(8) << offers.size() << std::setw(12) << mean.expected << std::setw(12)
            << mean.realised << std::setw(18) << mean.difference << '\n';
}

/// Time for a campaign of 2000 sites, 300 labellers and 200 patterns a site.
void time_large() {
  geo::Random random(1);
  labelling::VoteTable table(3, 4, 300);
  for (std::uint32_t site = 0; site < 2000; ++site) {
    for (int row = 0; row < 200; ++row) {
      std::vector<VoteEntry> votes;
      for (std::uint32_t v = 0; v < 4; ++v)
        votes.push_back({(site * 7 + v * 31) % 300, static_cast<std::uint16_t>(random.below(4)), 1});
      table.add(votes, 1.0 + static_cast<double>(random.below(500)), -1, site);
    }
  }
  labelling::BayesFit fit = labelling::fuse_bayes(table);
  const auto begin = std::chrono::steady_clock::now();
  const auto reviews = labelling::value_of_maps(table, fit.fusion, fit, {}, {});
  const auto queue = labelling::queue_reviews(reviews, {});
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  std::cout << "2000 sites, 300 labellers, 400000 patterns: " << std::setprecision(2) << seconds.count()
            << " s, " << queue.size() << " sites in the queue\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: review_queue REFERENCE [SEEDS]\n";
    return 2;
  }
  geo::ExecContext exec;
  exec.execute([&] {
    const geo::Layer parcels = geo::read_layer(argv[1], {});
    std::vector<Offer> offers;
    const auto seeds = argc > 2 ? static_cast<std::uint64_t>(std::atoll(argv[2])) : 5;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      const auto of_seed = run_seed(parcels, seed, exec);
      offers.insert(offers.end(), of_seed.begin(), of_seed.end());
    }
    std::ranges::stable_sort(offers, std::greater<>{}, &Offer::expected);
    std::cout << "share of a site corrected     maps    expected    realised  plain difference\n";
    print("all sites and labellers", offers);
    const std::size_t fifth = offers.size() / 5;
    for (std::size_t i = 0; i < 5; ++i)
      print("fifth " + std::to_string(i + 1) + " of the order", std::span(offers).subspan(i * fifth, fifth));
    time_large();
  });
}
