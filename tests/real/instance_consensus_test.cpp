// Consensus on whole fields: two people's real drawings, and made-up labellers over real parcels.
#include <furrow/labelling/instance_consensus.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>

#include <gtest/gtest.h>

#include <furrow/geo/vector/geos.h>
#include <furrow/geo/vector/matching.h>
#include <furrow/simulation/labellers.h>

#include "support.h"

namespace furrow::labelling {
namespace {

using Shapes = std::vector<geo::MultiPolygon>;

InstanceConsensus find(const Campaign& campaign, int threads = 4) {
  ConsensusOptions options;
  options.method = ConsensusMethod::kBayes;
  const auto voters = choose_voters(campaign, {}, options);
  geo::ExecContext exec({threads, 0});
  InstanceConsensus found;
  exec.execute([&] { found = find_fields(campaign, voters, {}, exec); });
  return found;
}

void expect_clean(const InstanceConsensus& found) {
  EXPECT_TRUE(found.problems.empty());
  std::map<std::string, Shapes> of_site;
  for (const auto& f : found.fields) {
    EXPECT_TRUE(geo::check_validity(f.shape).valid) << f.id;
    EXPECT_GE(f.p_exists, 0.0);
    EXPECT_LE(f.p_exists, 1.0);
    of_site[f.site].push_back(f.shape);
  }
  for (const auto& [site, shapes] : of_site) {
    for (const auto& pair : geo::overlaps(shapes, shapes)) {
      if (pair.a < pair.b) {
        EXPECT_LT(pair.iou, 1e-8) << site;
      }
    }
  }
}

Assignment map_of(const std::string& labeller, const geo::Layer& layer) {
  Assignment a;
  a.id = a.labeller = labeller;
  a.site = "site";
  a.site_class = "4";
  for (const auto& f : layer.features) a.polygons.push_back({f.geometry, "building", false});
  return a;
}

TEST(InstanceConsensusReal, TwoPeopleWhoDrewTheSameBuildings) {
  FURROW_NEEDS_SHARED_DATA();
  const std::string folder = "data/polygon_raters/two_labellers_buildings/";
  geo::LayerReadOptions read;
  read.invalid = geo::InvalidGeometry::kRepair;
  Campaign campaign;
  for (const char* who : {"labeller_a", "labeller_b"}) {
    const auto layer = geo::read_layer(test::shared(folder + who + ".geojson").string(), read);
    campaign.crs = layer.crs;
    campaign.assignments.push_back(map_of(who, layer));
  }
  geo::Box box;
  for (const auto& a : campaign.assignments) {
    for (const auto& p : a.polygons) box.expand(geo::bounds(p.shape));
  }
  campaign.sites.push_back({"site", {geo::to_polygon(box)}});
  const auto found = find(campaign);
  expect_clean(found);
  Shapes a;
  Shapes b;
  for (const auto& p : campaign.assignments[0].polygons) a.push_back(p.shape);
  for (const auto& p : campaign.assignments[1].polygons) b.push_back(p.shape);
  const auto alike = static_cast<std::int64_t>(geo::match_one_to_one(geo::overlaps(a, b), 0.5).size());
  const auto drawn_by_both = std::ranges::count_if(
      found.fields, [](const ConsensusField& f) { return f.n_votes == 2 && !std::isnan(f.iou_mean); });
  std::cout << alike << " of " << a.size() << " and " << b.size() << " buildings drawn alike, "
            << found.fields.size() << " in the consensus, " << drawn_by_both << " of them by both\n";
  EXPECT_NEAR(static_cast<double>(drawn_by_both), static_cast<double>(alike),
              0.05 * static_cast<double>(alike));
  for (const auto& f : found.fields) {
    if (f.n_votes == 2) {
      EXPECT_GT(f.p_exists, 0.5) << f.id;
    }
  }
}

/// Share of the true fields found one to one and of the found ones that are true, as F1.
double f1(const std::map<std::string, Shapes>& found, const std::map<std::string, Shapes>& truth) {
  double both = 0.0;
  double matched = 0.0;
  for (const auto& [site, reference] : truth) {
    const auto it = found.find(site);
    const Shapes shapes = it == found.end() ? Shapes{} : it->second;
    both += static_cast<double>(shapes.size() + reference.size());
    matched += static_cast<double>(geo::match_one_to_one(geo::overlaps(shapes, reference), 0.5).size());
  }
  return 2.0 * matched / both;
}

bool is_large(const geo::MultiPolygon& shape) {
  return !shape.empty() && geo::area(shape) >= 200.0;
}

TEST(InstanceConsensusReal, BeatsTheBestOfFiveWhoJoinAndDivideFields) {
  FURROW_NEEDS_SHARED_DATA();
  const auto reference = geo::read_layer(test::shared("data/denmark/fields_west.gpkg").string(), {});
  simulation::LabellerOptions options;
  options.skills = simulation::default_skills(5);
  for (auto& skill : options.skills) {
    skill.merge_rate = 0.2;
    skill.split_rate = 0.15;
  }
  options.expert_share = options.single_share = 0.0;
  options.labellers_per_site = 5;
  geo::ExecContext exec;
  const auto campaign =
      simulation::simulate_labellers(reference, simulation::make_cells(reference, {}), options, exec)
          .campaign;
  std::map<std::string, Shapes> truth;
  for (const auto& site : campaign.sites) {
    for (const auto& f : reference.features) {
      auto part = geo::intersection(f.geometry, site.cell);
      if (is_large(part)) truth[site.name].push_back(std::move(part));
    }
  }
  std::map<std::string, std::map<std::string, Shapes>> maps;
  for (const auto& a : campaign.assignments) {
    for (const auto& p : a.polygons) {
      if (is_large(p.shape)) maps[a.labeller][a.site].push_back(p.shape);
    }
  }
  double best = 0.0;
  for (const auto& [labeller, map] : maps) best = std::max(best, f1(map, truth));
  const auto found = find(campaign);
  expect_clean(found);
  std::map<std::string, Shapes> fields;
  for (const auto& f : found.fields) {
    auto part = geo::intersection(f.shape, campaign.find_site(f.site)->cell);
    if (f.in_consensus && is_large(part)) fields[f.site].push_back(std::move(part));
  }
  const double consensus = f1(fields, truth);
  std::cout << "F1 of the best labeller " << best << ", of the consensus " << consensus << "\n";
  EXPECT_GT(best, 0.8);
  EXPECT_GT(consensus, best);
}

}  // namespace
}  // namespace furrow::labelling
