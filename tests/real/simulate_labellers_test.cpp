// Labellers over real parcels: complete ones of Denmark, and tiles with degenerate polygons.
#include <furrow/simulation/labellers.h>

#include <map>

#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/vector/geos.h>

#include "support.h"

namespace furrow::simulation {
namespace {

geo::Layer denmark() {
  return geo::read_layer(test::shared("data/denmark/fields_west.gpkg").string(), {});
}

SimulatedCampaign simulate(const geo::Layer& reference, int threads = 4) {
  LabellerOptions options;
  options.skills = default_skills(5);
  options.expert_share = 1.0;
  geo::ExecContext exec({threads, 0});
  return simulate_labellers(reference, make_cells(reference, {}), options, exec);
}

/// Areas that two maps of a site have in common, and together.
struct Overlap {
  double common = 0.0;
  double total = 0.0;
};

Overlap overlap(const labelling::Assignment& a, const labelling::Assignment& b) {
  const auto whole = [](const labelling::Assignment& assignment) {
    std::vector<geo::MultiPolygon> shapes;
    for (const auto& polygon : assignment.polygons) shapes.push_back(polygon.shape);
    return geo::union_all(shapes);
  };
  const auto u = whole(a);
  const auto v = whole(b);
  const double common = geo::intersection_area(u, v);
  return {common, geo::area(u) + geo::area(v) - common};
}

TEST(SimulateLabellersReal, DanishParcelsGiveAValidCampaignInWhichSkillOrdersLabellers) {
  FURROW_NEEDS_SHARED_DATA();
  const auto simulated = simulate(denmark());
  std::map<std::string, Overlap> overlaps;
  std::map<std::string, const labelling::Assignment*> experts;
  for (const auto& a : simulated.campaign.assignments) {
    if (a.is_reference()) experts[a.site] = &a;
    for (const auto& polygon : a.polygons) EXPECT_TRUE(geo::check_validity(polygon.shape).valid);
  }
  ASSERT_GE(experts.size(), 3U);
  for (const auto& a : simulated.campaign.assignments) {
    if (a.site_class != "1c") continue;
    const Overlap own = overlap(a, *experts[a.site]);
    overlaps[a.labeller].common += own.common;
    overlaps[a.labeller].total += own.total;
  }
  const auto iou = [&](const std::string& labeller) {
    return overlaps[labeller].common / overlaps[labeller].total;
  };
  EXPECT_GT(iou("L01"), 0.9);
  EXPECT_GT(iou("L01"), iou("L03"));
  EXPECT_GT(iou("L03"), iou("L05"));
  EXPECT_GT(iou("L05"), 0.5);
}

TEST(SimulateLabellersReal, PerfectLabellerIsTheExpertOnDanishParcels) {
  FURROW_NEEDS_SHARED_DATA();
  const geo::Layer reference = denmark();
  LabellerOptions options;
  options.skills = {perfect_labeller("ideal")};
  options.expert_share = 1.0;
  geo::ExecContext exec;
  const auto simulated = simulate_labellers(reference, make_cells(reference, {}), options, exec);
  const auto& assignments = simulated.campaign.assignments;
  double area = 0.0;
  for (std::size_t i = 0; i + 1 < assignments.size(); i += 2) {
    ASSERT_EQ(assignments[i].site, assignments[i + 1].site);
    ASSERT_EQ(assignments[i].polygons.size(), assignments[i + 1].polygons.size());
    for (std::size_t k = 0; k < assignments[i].polygons.size(); ++k) {
      EXPECT_EQ(assignments[i].polygons[k].shape.front().shell,
                assignments[i + 1].polygons[k].shape.front().shell);
      area += geo::area(assignments[i].polygons[k].shape);
    }
  }
  double truth = 0.0;
  for (const auto& feature : reference.features) truth += geo::area(feature.geometry);
  EXPECT_NEAR(area / truth, 1.0, 1e-4);  // only pieces under two pixels are missing
}

TEST(SimulateLabellersReal, DegenerateParcelsAreRefusedOrSkipped) {
  FURROW_NEEDS_SHARED_DATA();
  const std::string path = test::shared("data/parcels_us/000001_poly_2022.gpkg").string();
  try {
    static_cast<void>(geo::read_layer(path, {}));
    FAIL() << "the class-0 rows are no valid polygons";
  } catch (const geo::GeometryError& error) {
    EXPECT_NE(std::string(error.what()).find("--invalid skip"), std::string::npos) << error.what();
  }
  geo::LayerReadOptions read;
  read.invalid = geo::InvalidGeometry::kSkip;
  geo::LayerReadReport report;
  const auto reference = geo::read_layer(path, read, &report);
  EXPECT_GT(report.skipped, 0);
  const auto simulated = simulate(reference);
  std::size_t polygons = 0;
  for (const auto& a : simulated.campaign.assignments) polygons += a.polygons.size();
  EXPECT_GT(polygons, 20U);
}

TEST(SimulateLabellersReal, GhanaianFieldsInDegreesWork) {
  FURROW_NEEDS_SHARED_DATA();
  geo::LayerReadOptions read;
  read.invalid = geo::InvalidGeometry::kRepair;
  read.bbox = geo::Box{-2.0, 9.5, -1.5, 10.0};
  const auto reference =
      geo::read_layer(test::shared("data/ghana_campaign/top_label_fields.gpkg").string(), read);
  ASSERT_TRUE(reference.crs.is_geographic());
  const auto one = simulate(reference, 1);
  const auto four = simulate(reference, 4);
  std::size_t polygons = 0;
  ASSERT_EQ(one.campaign.assignments.size(), four.campaign.assignments.size());
  for (std::size_t i = 0; i < one.campaign.assignments.size(); ++i) {
    ASSERT_EQ(one.campaign.assignments[i].polygons.size(), four.campaign.assignments[i].polygons.size());
    polygons += one.campaign.assignments[i].polygons.size();
  }
  EXPECT_GT(polygons, 10U);
}

}  // namespace
}  // namespace furrow::simulation
