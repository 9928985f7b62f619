// How well the methods of `consensus` find the truth and know their own risk, on made-up labellers over real
// parcels.
//   consensus_methods SHARED_DATA [SEEDS] [COPY]
// SHARED_DATA is the folder with denmark/ and parcels_us/; SEEDS default 5; COPY (default 0) is the share of
// maps that are taken over from another labeller of the site, so that labellers err together. 200 sites
// (cells of 500 m in 5 m pixels; Denmark 36 of them), 8 labellers from very good to poor, 10 % of the sites
// mapped by an expert; 3 labellers at most other sites, 1 at the rest. Truth of a pixel: the rasterised
// reference. Figures are over the sites without an expert. Coverage: share of the labellers' skills over all
// sites, had they mapped all of them, that lie in the 90 % interval.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iomanip>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/core/random.h>
#include <furrow/labelling/joint_consensus.h>
#include <furrow/simulation/labellers.h>

namespace {

using namespace furrow;
using labelling::Assignment;
using labelling::Campaign;
using labelling::ConsensusMethod;
using labelling::ConsensusOptions;

constexpr std::size_t kSites = 200;
constexpr double kCell_m = 500.0;
constexpr std::int64_t kPixels = 100;
constexpr int kLabellers = 8;

/// All parcels in one CRS, and the cells that they fill.
struct Land {
  geo::Layer parcels;
  std::vector<labelling::Site> sites;
};

geo::Layer read_parcels(const std::filesystem::path& path, const geo::Crs& crs) {
  geo::LayerReadOptions read;
  read.target_crs = crs;
  read.invalid = geo::InvalidGeometry::kSkip;
  geo::LayerReadReport report;
  geo::Layer layer = geo::read_layer(path.string(), read, &report);
  std::erase_if(layer.features,
                [](const geo::Feature& f) { return std::abs(geo::area(f.geometry)) < 200.0; });
  return layer;
}

geo::MultiPolygon square(double x, double y, double side) {
  geo::Polygon cell;
  cell.shell = {{x, y}, {x + side, y}, {x + side, y + side}, {x, y + side}, {x, y}};
  return {cell};
}

/// Cells inside the bounds of a layer.
void add_land(const geo::Layer& layer, const std::string& prefix, Land& land) {
  geo::Box box;
  for (const auto& f : layer.features) box.expand(geo::bounds(f.geometry));
  if (land.parcels.features.empty()) land.parcels = geo::Layer{"parcels", "", layer.crs, {}, {}};
  for (const auto& f : layer.features) land.parcels.features.push_back({-1, f.geometry, {}});
  int number = 0;
  for (double y = box.min_y; y + kCell_m <= box.max_y; y += kCell_m) {
    for (double x = box.min_x; x + kCell_m <= box.max_x; x += kCell_m)
      land.sites.push_back({prefix + std::to_string(100 + number++), square(x, y, kCell_m)});
  }
}

Land read_land(const std::filesystem::path& data) {
  Land land;
  const geo::Crs albers = geo::Crs::from_user_input("EPSG:5070");
  std::vector<std::filesystem::path> tiles;
  for (const auto& entry : std::filesystem::directory_iterator(data / "parcels_us")) {
    if (entry.path().filename().string().find("_poly_") != std::string::npos) tiles.push_back(entry.path());
  }
  std::ranges::sort(tiles);
  for (const auto& tile : tiles) {
    try {
      add_land(read_parcels(tile, albers), "US" + tile.filename().string().substr(0, 6) + "_", land);
    } catch (const geo::GeometryError&) {
      // A tile without any field holds one degenerate polygon.
    }
  }
  // Denmark, moved far off the American coast: only shapes and sizes matter.
  geo::Layer denmark = read_parcels(data / "denmark/fields_west.gpkg", {});
  denmark.crs = albers;
  for (auto& f : denmark.features) {
    for (auto& polygon : f.geometry) {
      for (auto& p : polygon.shell) p = {p.x + 3e6, p.y - 5e6};
      for (auto& hole : polygon.holes) {
        for (auto& p : hole) p = {p.x + 3e6, p.y - 5e6};
      }
    }
  }
  add_land(denmark, "DK", land);
  return land;
}

std::vector<labelling::Site> draw_sites(const Land& land, std::uint64_t seed) {
  std::vector<labelling::Site> sites = land.sites;
  geo::Random random(seed, 77);
  random.shuffle(sites);
  sites.resize(std::min(kSites, sites.size()));
  std::ranges::sort(sites, {}, &labelling::Site::name);
  return sites;
}

Campaign simulate(const Land& land, const std::vector<labelling::Site>& sites,
                  std::vector<simulation::LabellerSkill> skills, double expert_share, double single_share,
                  int per_site, std::uint64_t seed, geo::ExecContext& exec) {
  simulation::LabellerOptions options;
  options.skills = std::move(skills);
  options.expert_share = expert_share;
  options.single_share = single_share;
  options.labellers_per_site = per_site;
  options.seed = seed;
  return simulation::simulate_labellers(land.parcels, sites, options, exec).campaign;
}

/// A share of the maps becomes that of a labeller whom everybody copies from.
void copy_maps(const Campaign& source, double share, std::uint64_t seed, Campaign& campaign) {
  std::map<std::string, const Assignment*> maps;
  for (const auto& a : source.assignments) {
    if (!a.is_expert()) maps[a.site] = &a;
  }
  for (auto& a : campaign.assignments) {
    if (a.is_expert()) continue;
    geo::Random random(seed, geo::stable_hash(a.site + "/" + a.labeller));
    if (random.chance(share)) a.polygons = maps.at(a.site)->polygons;
  }
}

geo::Grid grid_of(const labelling::Site& site, const geo::Crs& crs) {
  const geo::Box box = geo::bounds(site.cell);
  const double px = kCell_m / static_cast<double>(kPixels);
  return {kPixels, kPixels, {box.min_x, px, 0.0, box.max_y, 0.0, -px}, crs};
}

simulation::LabellerSkill average_labeller() {
  simulation::LabellerSkill skill;
  skill.labeller = "average";
  return skill;
}

using Pixels = std::vector<labelling::Vote>;

/// Classes of every pixel of every site by one labeller who mapped all of them.
std::map<std::string, Pixels> rasterize_all(const Campaign& campaign, const std::string& labeller) {
  std::map<std::string, Pixels> maps;
  for (const auto& a : campaign.assignments) {
    if (a.labeller != labeller) continue;
    const labelling::Site& site = *campaign.find_site(a.site);
    maps[a.site] = labelling::rasterize_votes(a, site.cell, grid_of(site, campaign.crs), {});
  }
  return maps;
}

/// A campaign with its votes and, for the sites without an expert, how many pixels of each pattern are what.
struct Experiment {
  Campaign campaign;
  std::vector<labelling::SiteVoters> voters;
  std::vector<labelling::SiteVotes> votes;
  std::vector<std::vector<std::array<double, 3>>> truth;  ///< per site and pattern
};

Experiment collect(Campaign campaign, const std::map<std::string, Pixels>& truth) {
  ConsensusOptions options;
  options.method = ConsensusMethod::kBayes;
  Experiment e;
  e.campaign = std::move(campaign);
  e.voters = labelling::choose_voters(e.campaign, {}, options);
  for (std::size_t i = 0; i < e.campaign.sites.size(); ++i) {
    const auto& site = e.campaign.sites[i];
    const geo::Grid grid = grid_of(site, e.campaign.crs);
    e.votes.push_back(labelling::collect_votes(e.campaign, site, e.voters[i], grid, options));
    auto& counts = e.truth.emplace_back();
    if (e.voters[i].from_expert || e.voters[i].assignments.empty()) continue;
    const auto pixels = labelling::collect_patterns(e.campaign, site, e.voters[i], grid, options).patterns;
    counts.assign(pixels.size(), {});
    const Pixels& map = truth.at(site.name);
    for (std::size_t p = 0; p < map.size(); ++p)
      counts[pixels.of_pixel[p]][labelling::sure_class(map[p])] += 1.0;
  }
  return e;
}

struct Figures {
  double pixels = 0.0, wrong = 0.0, field_wrong = 0.0, risk = 0.0, brier = 0.0;
  std::array<double, 20> bin_pixels{}, bin_risk{}, bin_wrong{};
  double inside = 0.0, intervals = 0.0, dependence = 0.0, kappa = 0.0, lapse = 0.0, power = 0.0, fits = 0.0;

  void add(const labelling::FusedVote& fused, const std::array<double, 3>& truth) {
    for (std::size_t c = 0; c < 3; ++c) {
      const bool is_wrong = fused.label != c;
      pixels += truth[c];
      risk += truth[c] * fused.risk;
      wrong += is_wrong ? truth[c] : 0.0;
      field_wrong += (fused.label > 0) != (c > 0) ? truth[c] : 0.0;
      const double miss = fused.risk - (is_wrong ? 1.0 : 0.0);
      brier += truth[c] * miss * miss;
      const auto bin = std::min<std::size_t>(19, static_cast<std::size_t>(fused.risk * 20.0));
      bin_pixels[bin] += truth[c];
      bin_risk[bin] += truth[c] * fused.risk;
      bin_wrong[bin] += is_wrong ? truth[c] : 0.0;
    }
  }

  [[nodiscard]] double ece() const {
    double sum = 0.0;
    for (std::size_t i = 0; i < 20; ++i) sum += std::abs(bin_risk[i] - bin_wrong[i]);
    return sum / pixels;
  }
};

/// Rates of right answers about field and background.
struct Rates {
  double field = 0.0, field_right = 0.0, background = 0.0, background_right = 0.0;

  /// What becomes of them when a share of the maps is another labeller's. Both mapped the same sites.
  void mix(const Rates& other, double share) {
    field_right += share * (other.field_right - field_right);
    background_right += share * (other.background_right - background_right);
  }
};

using TrueSkills = std::map<std::string, Rates>;

TrueSkills true_skills(const Campaign& everybody, const std::map<std::string, Pixels>& truth) {
  TrueSkills skills;
  for (const auto& a : everybody.assignments) {
    if (a.is_expert()) continue;
    const labelling::Site& site = *everybody.find_site(a.site);
    const Pixels map = labelling::rasterize_votes(a, site.cell, grid_of(site, everybody.crs), {});
    Rates& rates = skills[a.labeller];
    const Pixels& right = truth.at(a.site);
    for (std::size_t p = 0; p < map.size(); ++p) {
      const bool says_field = labelling::sure_class(map[p]) > 0;
      const bool says_nothing = map[p] == 0;
      if (labelling::sure_class(right[p]) > 0) {
        rates.field += 1.0;
        rates.field_right += says_field ? 1.0 : 0.0;
      } else {
        rates.background += 1.0;
        rates.background_right += says_nothing ? 1.0 : 0.0;
      }
    }
  }
  return skills;
}

void add_coverage(const labelling::JointFit& fit, const TrueSkills& skills, Figures& figures) {
  for (std::size_t v = 0; v < fit.labellers.size(); ++v) {
    const Rates& rates = skills.at(fit.labellers[v]);
    const auto check = [&](const labelling::Estimate& e, double truth) {
      figures.inside += truth >= e.low && truth <= e.high ? 1.0 : 0.0;
      figures.intervals += 1.0;
    };
    check(fit.bayes->skills[v].sensitivity, rates.field_right / rates.field);
    check(fit.bayes->skills[v].specificity, rates.background_right / rates.background);
  }
  figures.dependence += fit.bayes->dependence;
  figures.kappa += fit.bayes->kappa;
  figures.power += fit.bayes->calibration.calibration.power;
  figures.lapse += fit.bayes->calibration.calibration.lapse;
  figures.fits += 1.0;
}

void run_joint(const Experiment& e, const ConsensusOptions& options, bool blind, const TrueSkills& skills,
               Figures& figures) {
  labelling::JointVotes votes(e.campaign, e.voters, 3);
  for (std::size_t i = 0; i < e.votes.size(); ++i) {
    labelling::SiteVotes of_site = e.votes[i];
    if (blind) std::ranges::fill(of_site.truth, -1);
    votes.add(i, of_site);
  }
  const labelling::JointFit fit = labelling::fuse_jointly(votes, options);
  for (std::size_t i = 0; i < e.votes.size(); ++i) {
    if (e.truth[i].empty()) continue;
    const auto fused = labelling::decide_site(votes, fit, i, options.fusion);
    for (std::size_t p = 0; p < fused.size(); ++p) figures.add(fused[p], e.truth[i][p]);
  }
  if (fit.bayes) add_coverage(fit, skills, figures);
}

/// Weights from the expert sites: overall accuracy as the score, with both skills.
std::map<std::string, labelling::VoterWeight> weights_of(const Experiment& e) {
  std::map<std::string, std::array<double, 4>> sums;  // field, right, background, right
  for (std::size_t i = 0; i < e.votes.size(); ++i) {
    if (!e.voters[i].from_expert) continue;
    for (std::size_t p = 0; p < e.votes[i].patterns.size(); ++p) {
      if (e.votes[i].truth[p] < 0) continue;
      const auto pattern = e.votes[i].patterns.pattern(p);
      const auto n = static_cast<double>(e.votes[i].patterns.counts[p]);
      for (std::size_t v = 0; v < pattern.size(); ++v) {
        auto& s = sums[e.campaign.assignments[e.voters[i].learners[v]].labeller];
        const bool field = e.votes[i].truth[p] > 0;
        const bool right = (labelling::sure_class(pattern[v]) > 0) == field;
        s[field ? 0 : 2] += n;
        if (right) s[field ? 1 : 3] += n;
      }
    }
  }
  std::map<std::string, labelling::VoterWeight> weights;
  for (const auto& [name, s] : sums)
    weights[name] = {(s[1] + s[3]) / (s[0] + s[2]), s[1] / s[0], s[3] / s[2]};
  return weights;
}

void run_vote(const Experiment& e, bool weighted, Figures& figures) {
  const auto weights = weights_of(e);
  for (std::size_t i = 0; i < e.votes.size(); ++i) {
    if (e.truth[i].empty()) continue;
    std::vector<labelling::VoterWeight> of_site;
    for (const std::size_t a : e.voters[i].assignments) {
      of_site.push_back(weighted ? weights.at(e.campaign.assignments[a].labeller) : labelling::VoterWeight{});
    }
    const auto fused = labelling::fuse_patterns(e.votes[i].patterns, of_site, {});
    for (std::size_t p = 0; p < fused.size(); ++p) {
      if (e.truth[i][p][0] + e.truth[i][p][1] + e.truth[i][p][2] > 0.0) figures.add(fused[p], e.truth[i][p]);
    }
  }
}

struct Method {
  std::string name;
  std::function<void(const Experiment&, const TrueSkills&, Figures&)> run;
};

std::vector<Method> methods() {
  const auto joint = [](ConsensusMethod method, bool blind,
                        const std::function<void(ConsensusOptions&)>& change) {
    return [=](const Experiment& e, const TrueSkills& skills, Figures& figures) {
      ConsensusOptions options;
      options.method = method;
      change(options);
      run_joint(e, options, blind, skills, figures);
    };
  };
  const auto as_is = [](ConsensusOptions&) {};
  const auto raw = [](double dependence) {
    return [dependence](ConsensusOptions& o) {
      o.bayes.dependence = dependence;
      o.bayes.calibrate = false;
    };
  };
  return {
      {"majority", [](const auto& e, const auto&, auto& f) { run_vote(e, false, f); }},
      {"weighted", [](const auto& e, const auto&, auto& f) { run_vote(e, true, f); }},
      {"dawid-skene", joint(ConsensusMethod::kDawidSkene, false, as_is)},
      {"staple", joint(ConsensusMethod::kStaple, false, as_is)},
      {"bayes", joint(ConsensusMethod::kBayes, false, as_is)},
      {"bayes, kappa 1, uncalibrated", joint(ConsensusMethod::kBayes, false, raw(0.0))},
      {"bayes, kappa learned, uncalibrated",
       joint(ConsensusMethod::kBayes, false, [](ConsensusOptions& o) { o.bayes.calibrate = false; })},
      {"bayes, no expert, dependence 0", joint(ConsensusMethod::kBayes, true, raw(0.0))},
      {"bayes, no expert, dependence 0.2", joint(ConsensusMethod::kBayes, true, raw(0.2))},
      {"bayes, no expert, dependence 0.5", joint(ConsensusMethod::kBayes, true, raw(0.5))},
  };
}

void print(const std::string& name, const Figures& f) {
  std::cout << std::left << std::setw(36) << name << std::right << std::fixed << std::setprecision(4)
            << std::setw(8) << f.wrong / f.pixels << std::setw(8) << f.field_wrong / f.pixels << std::setw(8)
            << f.risk / f.pixels << std::setw(8) << f.ece() << std::setw(8) << f.brier / f.pixels;
  if (f.fits > 0.0) {
    std::cout << std::setprecision(2) << std::setw(8) << f.inside / f.intervals << std::setw(8)
              << f.dependence / f.fits << std::setw(8) << f.kappa / f.fits << std::setw(8) << f.power / f.fits
              << std::setw(8) << f.lapse / f.fits;
  }
  std::cout << '\n';
}

void run(const std::filesystem::path& data, std::uint64_t seeds, double copy, geo::ExecContext& exec) {
  const Land land = read_land(data);
  const auto all = methods();
  std::vector<Figures> figures(all.size());
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const auto sites = draw_sites(land, seed);
    const auto skills = simulation::default_skills(kLabellers);
    const Campaign reference =
        simulate(land, sites, {simulation::perfect_labeller("truth")}, 0.0, 1.0, 1, seed, exec);
    const auto truth = rasterize_all(reference, "truth");
    const Campaign everybody = simulate(land, sites, skills, 0.0, 0.0, kLabellers, seed + 1000, exec);
    Campaign campaign = simulate(land, sites, skills, 0.1, 0.3, 3, seed, exec);
    const Campaign source = simulate(land, sites, {average_labeller()}, 0.0, 1.0, 1, seed + 2000, exec);
    copy_maps(source, copy, seed, campaign);
    const Experiment e = collect(std::move(campaign), truth);
    TrueSkills of_labellers = true_skills(everybody, truth);
    for (auto& [name, rates] : of_labellers) rates.mix(true_skills(source, truth).at("average"), copy);
    for (std::size_t m = 0; m < all.size(); ++m) all[m].run(e, of_labellers, figures[m]);
  }
  std::cout << land.sites.size() << " cells, " << std::min(kSites, land.sites.size()) << " sites, " << seeds
            << " seeds, share of copied maps " << copy << "\n"
            << "method                                wrong  f.wrong   risk    ECE     Brier   cover   dep.  "
               " kappa "
               "  power   lapse\n";
  for (std::size_t m = 0; m < all.size(); ++m) print(all[m].name, figures[m]);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: consensus_methods SHARED_DATA [SEEDS] [COPY]\n";
    return 2;
  }
  const auto seeds = argc > 2 ? static_cast<std::uint64_t>(std::atoll(argv[2])) : 5;
  const double copy = argc > 3 ? std::atof(argv[3]) : 0.0;
  geo::ExecContext exec;
  exec.execute([&] { run(argv[1], seeds, copy, exec); });
}
