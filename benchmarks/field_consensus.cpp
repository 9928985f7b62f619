// How well the fields of several labellers' consensus match the true ones, against the best of the labellers
// and against fields cut out of the pixel consensus, on made-up labellers over real parcels.
//   field_consensus SHARED_DATA [SEEDS] [LABELLERS]
// SHARED_DATA is the folder with denmark/ and parcels_us/; SEEDS default 3; LABELLERS default 5. Lands: the
// Danish parcels, and one tile of United States parcels (cells of 500 m and 250 m). Every labeller maps
// every site, so labellers can be compared; their skills fall from very good to poor, and on top of that they
// join and divide fields (merge_rate 0.2, split_rate 0.15). No expert. A field is found when it matches a
// true one (cut to the cell) one to one with IoU >= 0.5. Only fields of 0.02 ha and more count.
//   best labeller   the one with the highest F1 over all sites, chosen with knowledge of the truth
//   components      connected interior of the labels of `consensus` (bayes, 3 classes, 250 pixels a side)
//   watershed       `delineate` on the posteriors of the same
//   fields          consensus fields with p_exists >= 0.5, every labeller counts the same
//   fields, skills  the same, labellers count by their skills in the pixel consensus (as the command does)
// Existence: mean p_exists, share of the fields (all that are written) half of whose land is in true fields,
// and the Brier score.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/topology/delineate.h>
#include <furrow/geo/vector/geos.h>
#include <furrow/geo/vector/matching.h>
#include <furrow/labelling/instance_consensus.h>
#include <furrow/labelling/joint_consensus.h>
#include <furrow/simulation/labellers.h>

namespace {

using namespace furrow;
using Shapes = std::vector<geo::MultiPolygon>;

constexpr double kLeastField_m2 = 200.0;
constexpr std::int64_t kPixels = 250;

struct Land {
  const char* name;
  const char* file;
  double cell_m;
};
constexpr Land kLands[] = {{"denmark", "denmark/fields_west.gpkg", 500.0},
                           {"us", "parcels_us/000101_poly_2022.gpkg", 250.0}};

/// Fields that were found, right and wrong.
struct Count {
  double predicted = 0.0, truth = 0.0, matched = 0.0;

  void add(Shapes shapes, Shapes reference) {
    const auto small = [](const geo::MultiPolygon& s) { return geo::area(s) < kLeastField_m2; };
    std::erase_if(shapes, small);
    std::erase_if(reference, small);
    predicted += static_cast<double>(shapes.size());
    truth += static_cast<double>(reference.size());
    matched += static_cast<double>(geo::match_one_to_one(geo::overlaps(shapes, reference), 0.5).size());
  }
  [[nodiscard]] double precision() const { return matched / std::max(1.0, predicted); }
  [[nodiscard]] double recall() const { return matched / truth; }
  [[nodiscard]] double f1() const { return 2.0 * matched / (predicted + truth); }
};

Shapes cut(const Shapes& shapes, const geo::MultiPolygon& cell) {
  Shapes inside;
  for (const auto& shape : shapes) {
    auto part = geo::intersection(shape, cell);
    if (!part.empty()) inside.push_back(std::move(part));
  }
  return inside;
}

std::vector<simulation::LabellerSkill> skills_of(int labellers) {
  auto skills = simulation::default_skills(labellers);
  for (auto& skill : skills) {
    skill.merge_rate = 0.2;
    skill.split_rate = 0.15;
  }
  return skills;
}

/// Scores of one site from the pixel consensus.
geo::ScoreMap scores_of(const labelling::SiteConsensus& site, const std::vector<labelling::FusedVote>& fused,
                        bool labels_only) {
  geo::ScoreMap scores;
  scores.grid = site.grid;
  scores.extent = scores.boundary = scores.valid = {site.grid.width, site.grid.height};
  for (std::size_t p = 0; p < site.patterns.of_pixel.size(); ++p) {
    const auto& vote = fused[site.patterns.of_pixel[p]];
    if (vote.label == geo::kIgnore) continue;
    const auto score = [](double value) { return static_cast<std::uint8_t>(std::lround(200.0 * value)); };
    const auto col = static_cast<std::int64_t>(p) % site.grid.width;
    const auto row = static_cast<std::int64_t>(p) / site.grid.width;
    scores.valid.at(col, row) = 1;
    scores.extent.at(col, row) =
        labels_only ? score(vote.label == 1 ? 1.0 : 0.0) : score(1.0 - vote.posterior[0]);
    scores.boundary.at(col, row) =
        labels_only ? score(vote.label == 2 ? 1.0 : 0.0) : score(vote.posterior[2]);
  }
  return scores;
}

Shapes delineated(const geo::ScoreMap& scores, geo::SplitMode mode, geo::ExecContext& exec) {
  geo::DelineateOptions options;
  options.mode = mode;
  options.min_area_m2 = kLeastField_m2;
  Shapes shapes;
  for (auto& f : geo::delineate(scores, options, exec).fields.features)
    shapes.push_back(std::move(f.geometry));
  return shapes;
}

/// Pixel consensus of all sites, as fields by both ways.
labelling::JointFit pixel_fields(const labelling::Campaign& campaign,
                                 const std::vector<labelling::SiteVoters>& voters,
                                 const std::map<std::string, Shapes>& truth, Count& components,
                                 Count& watershed, geo::ExecContext& exec) {
  labelling::ConsensusOptions options;
  options.method = labelling::ConsensusMethod::kBayes;
  labelling::JointVotes votes(campaign, voters, 3);
  std::vector<geo::Grid> grids;
  for (std::size_t i = 0; i < campaign.sites.size(); ++i) {
    const geo::Box box = geo::bounds(campaign.sites[i].cell);
    const double px = box.width() / static_cast<double>(kPixels);
    grids.push_back({kPixels, kPixels, {box.min_x, px, 0.0, box.max_y, 0.0, -px}, campaign.crs});
    votes.add(i, labelling::collect_votes(campaign, campaign.sites[i], voters[i], grids[i], options));
  }
  const auto fit = labelling::fuse_jointly(votes, options);
  for (std::size_t i = 0; i < campaign.sites.size(); ++i) {
    const auto& site = campaign.sites[i];
    const auto pixels = labelling::collect_patterns(campaign, site, voters[i], grids[i], options);
    const auto fused = labelling::decide_site(votes, fit, i, options.fusion);
    components.add(delineated(scores_of(pixels, fused, true), geo::SplitMode::kComponents, exec),
                   truth.at(site.name));
    watershed.add(delineated(scores_of(pixels, fused, false), geo::SplitMode::kWatershed, exec),
                  truth.at(site.name));
  }
  return fit;
}

struct Existence {
  double n = 0.0, p = 0.0, there = 0.0, brier = 0.0;
};

void consensus_fields(const labelling::Campaign& campaign, const std::vector<labelling::SiteVoters>& voters,
                      const std::map<std::string, Shapes>& truth, const labelling::InstanceOptions& options,
                      Count& fields, Existence& existence, geo::ExecContext& exec) {
  const auto found = labelling::find_fields(campaign, voters, options, exec);
  std::map<std::string, Shapes> shapes;
  for (const auto& field : found.fields) {
    const auto& cell = campaign.find_site(field.site)->cell;
    const auto inside = geo::intersection(field.shape, cell);
    if (field.in_consensus) shapes[field.site].push_back(inside);
    double covered = 0.0;
    for (const auto& t : truth.at(field.site)) covered += geo::intersection_area(inside, t);
    const double there = covered >= 0.5 * geo::area(inside) ? 1.0 : 0.0;
    existence.n += 1.0;
    existence.p += field.p_exists;
    existence.there += there;
    existence.brier += (field.p_exists - there) * (field.p_exists - there);
  }
  for (const auto& site : campaign.sites) fields.add(shapes[site.name], truth.at(site.name));
}

void print(const std::string& land, std::uint64_t seed, const char* what, const Count& count) {
  std::cout << std::left << std::setw(9) << land << std::setw(5) << seed << std::setw(15) << what
            << std::fixed << std::setprecision(3) << std::setw(8) << count.precision() << std::setw(8)
            << count.recall() << std::setw(8) << count.f1() << "\n";
}

void run(const Land& land, const std::filesystem::path& data, std::uint64_t seed, int labellers,
         geo::ExecContext& exec) {
  geo::LayerReadOptions read;
  read.invalid = geo::InvalidGeometry::kSkip;
  const geo::Layer reference = geo::read_layer((data / land.file).string(), read);
  simulation::LabellerOptions options;
  options.skills = skills_of(labellers);
  options.expert_share = 0.0;
  options.single_share = 0.0;
  options.labellers_per_site = labellers;
  options.seed = seed;
  simulation::CellOptions cells;
  cells.cell_m = land.cell_m;
  const auto campaign =
      simulation::simulate_labellers(reference, simulation::make_cells(reference, cells), options, exec)
          .campaign;
  Shapes all;
  for (const auto& f : reference.features) all.push_back(f.geometry);
  std::map<std::string, Shapes> truth;
  for (const auto& site : campaign.sites) truth[site.name] = cut(all, site.cell);
  std::map<std::string, Count> of_labeller;
  for (const auto& a : campaign.assignments) {
    Shapes drawn;
    for (const auto& p : a.polygons) drawn.push_back(p.shape);
    of_labeller[a.labeller].add(drawn, truth[a.site]);
  }
  const auto best = std::ranges::max_element(of_labeller, {}, [](const auto& l) { return l.second.f1(); });
  labelling::ConsensusOptions consensus;
  consensus.method = labelling::ConsensusMethod::kBayes;
  const auto voters = labelling::choose_voters(campaign, {}, consensus);
  Count components;
  Count watershed;
  Count fields;
  Existence existence;
  Count weighted;
  const auto fit = pixel_fields(campaign, voters, truth, components, watershed, exec);
  labelling::InstanceOptions instances;
  consensus_fields(campaign, voters, truth, instances, fields, existence, exec);
  instances.influence = labelling::labeller_influence(campaign, voters, fit);
  existence = {};
  consensus_fields(campaign, voters, truth, instances, weighted, existence, exec);
  print(land.name, seed, "best labeller", best->second);
  print(land.name, seed, "components", components);
  print(land.name, seed, "watershed", watershed);
  print(land.name, seed, "fields", fields);
  print(land.name, seed, "fields, skills", weighted);
  std::cout << "         existence of " << existence.n << " fields: mean p " << existence.p / existence.n
            << ", there " << existence.there / existence.n << ", Brier " << existence.brier / existence.n
            << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "field_consensus SHARED_DATA [SEEDS] [LABELLERS]\n";
    return 2;
  }
  const int seeds = argc > 2 ? std::atoi(argv[2]) : 3;
  const int labellers = argc > 3 ? std::atoi(argv[3]) : 5;
  geo::ExecContext exec;
  std::cout << "land     seed method         precision recall  F1\n";
  for (const Land& land : kLands) {
    for (int seed = 1; seed <= seeds; ++seed) {
      exec.execute([&] { run(land, argv[1], static_cast<std::uint64_t>(seed), labellers, exec); });
    }
  }
  return 0;
}
