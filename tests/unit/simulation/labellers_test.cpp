#include <furrow/simulation/labellers.h>

#include <cmath>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/geos.h>

#include "support.h"

namespace furrow::simulation {
namespace {

using geo::MultiPolygon;
using geo::Point;
using ::testing::HasSubstr;

geo::MultiPolygon square(double x, double y, double side) {
  return {geo::to_polygon(geo::Box{x, y, x + side, y + side})};
}

geo::Layer layer_in(const std::string& crs) {
  geo::Layer layer;
  layer.name = "fields";
  layer.source = "fields.gpkg";
  layer.crs = geo::Crs::from_user_input(crs);
  return layer;
}

void add(geo::Layer& layer, MultiPolygon shape) {
  layer.features.push_back({static_cast<std::int64_t>(layer.features.size()) + 1, std::move(shape), {}});
}

/// n x n squares, every one 50 m from the border of a 200 m lattice square: no neighbours, none cut by 1 km
/// cells.
geo::Layer lone_squares(int n, double side = 100.0) {
  geo::Layer layer = layer_in("EPSG:32632");
  for (int row = 0; row < n; ++row) {
    for (int col = 0; col < n; ++col)
      add(layer, square(500000 + 200 * col + 50, 6000000 + 200 * row + 50, side));
  }
  return layer;
}

/// Pairs of 60 m x 100 m fields, 5 m apart.
geo::Layer pairs(int n) {
  geo::Layer layer = layer_in("EPSG:32632");
  for (int row = 0; row < n; ++row) {
    for (int col = 0; col < n; ++col) {
      const double x = 500000 + 200 * col + 30;
      const double y = 6000000 + 200 * row + 50;
      add(layer, {geo::to_polygon(geo::Box{x, y, x + 60, y + 100})});
      add(layer, {geo::to_polygon(geo::Box{x + 65, y, x + 125, y + 100})});
    }
  }
  return layer;
}

std::vector<labelling::Site> kilometre_cells(const geo::Layer& layer) {
  CellOptions options;
  options.cell_m = 1000.0;
  return make_cells(layer, options);
}

LabellerOptions one_labeller(const LabellerSkill& skill) {
  LabellerOptions options;
  options.skills = {skill};
  options.expert_share = 0.0;
  options.single_share = 1.0;
  return options;
}

SimulatedCampaign simulate(const geo::Layer& reference, const std::vector<labelling::Site>& sites,
                           const LabellerOptions& options, int threads = 2) {
  geo::ExecContext exec({threads, 0});
  return simulate_labellers(reference, sites, options, exec);
}

std::vector<labelling::LabelledPolygon> drawn_by(const LabellerSkill& skill, const geo::Layer& reference) {
  const auto simulated = simulate(reference, kilometre_cells(reference), one_labeller(skill));
  std::vector<labelling::LabelledPolygon> polygons;
  for (const auto& assignment : simulated.campaign.assignments) {
    for (const auto& polygon : assignment.polygons) polygons.push_back(polygon);
  }
  return polygons;
}

/// Five standard deviations of a binomial share: the seed is fixed, so this never fails by chance.
double tolerance(double p, double n) {
  return 5.0 * std::sqrt(p * (1.0 - p) / n);
}

std::string text_of(const SimulatedCampaign& simulated) {
  std::string text;
  for (const auto& a : simulated.campaign.assignments) {
    text += geo::concat(a.site, " ", a.id, " ", a.labeller, " ", a.site_class, " ", a.completion_time, "\n");
    for (const auto& p : a.polygons) text += p.category + " " + geo::to_wkt(p.shape) + "\n";
  }
  return text;
}

const labelling::Assignment& find(const SimulatedCampaign& simulated, const std::string& site,
                                  const std::string& labeller) {
  for (const auto& a : simulated.campaign.assignments) {
    if (a.site == site && a.labeller == labeller) return a;
  }
  throw std::runtime_error("no assignment of " + labeller + " at " + site);
}

TEST(SimulateLabellers, PerfectLabellerReproducesTheReferenceExactly) {
  geo::Layer reference = lone_squares(20);
  add(reference, geo::from_wkt("POLYGON((500990.123 6000500.456,501011.7 6000500.1,501010.3 "
                               "6000520.9,500988.8 6000521.2,500990.123 6000500.456))"));
  LabellerOptions options;
  options.skills = {perfect_labeller("ideal")};
  options.expert_share = 1.0;
  const auto simulated = simulate(reference, kilometre_cells(reference), options);
  ASSERT_EQ(simulated.campaign.assignments.size(), 2U * 16U);
  std::size_t equal_to_reference = 0;
  double area = 0.0;
  for (const auto& site : simulated.campaign.sites) {
    const auto& own = find(simulated, site.name, "ideal").polygons;
    const auto& expert = find(simulated, site.name, "expert1").polygons;
    ASSERT_EQ(own.size(), expert.size());
    for (std::size_t i = 0; i < own.size(); ++i) {
      EXPECT_EQ(own[i].shape.front().shell, expert[i].shape.front().shell);
      area += geo::area(own[i].shape);
      for (const auto& feature : reference.features) {
        if (feature.geometry.front().shell == own[i].shape.front().shell) ++equal_to_reference;
      }
    }
  }
  EXPECT_EQ(equal_to_reference, 400U);  // all but the one that a cell border cuts in two
  double expected = 0.0;
  for (const auto& feature : reference.features) expected += geo::area(feature.geometry);
  EXPECT_NEAR(area, expected, 1e-3);
}

TEST(SimulateLabellers, OmissionReachesTheStatedRate) {
  LabellerSkill skill = perfect_labeller("a");
  skill.omission_floor = 0.2;
  skill.omission_50_ha = 1.0;  // the squares have 1 ha: 0.2 + 0.8 / 2
  const auto drawn = drawn_by(skill, lone_squares(60));
  EXPECT_NEAR(1.0 - static_cast<double>(drawn.size()) / 3600.0, 0.6, tolerance(0.6, 3600));
  const auto small = drawn_by(skill, lone_squares(60, 50.0));  // 0.25 ha: 0.2 + 0.8 / (1 + 1/16)
  const double expected = 0.2 + 0.8 / (1.0 + 1.0 / 16.0);
  EXPECT_NEAR(1.0 - static_cast<double>(small.size()) / 3600.0, expected, tolerance(expected, 3600));
}

TEST(SimulateLabellers, MergingReachesTheStatedRateAndClosesTheGap) {
  LabellerSkill skill = perfect_labeller("a");
  skill.merge_rate = 0.3;
  const auto drawn = drawn_by(skill, pairs(40));
  int merged = 0;
  for (const auto& polygon : drawn) {
    const double area = geo::area(polygon.shape);
    if (area < 6001.0) continue;
    ++merged;
    EXPECT_NEAR(area, 12500.0, 25.0);  // both fields and the 5 m between them
  }
  EXPECT_EQ(drawn.size(), 3200U - static_cast<std::size_t>(merged));
  EXPECT_NEAR(merged / 1600.0, 0.3, tolerance(0.3, 1600));
  skill.merge_rate = 1.0;
  EXPECT_EQ(drawn_by(skill, lone_squares(10)).size(), 100U);  // nobody to merge with
}

TEST(SimulateLabellers, SplittingReachesTheStatedRateAndKeepsTheArea) {
  LabellerSkill skill = perfect_labeller("a");
  skill.split_rate = 0.25;
  const auto drawn = drawn_by(skill, lone_squares(40));
  EXPECT_NEAR((static_cast<double>(drawn.size()) - 1600.0) / 1600.0, 0.25, tolerance(0.25, 1600));
  double area = 0.0;
  for (const auto& polygon : drawn) {
    area += geo::area(polygon.shape);
    EXPECT_GT(geo::area(polygon.shape), 2000.0);  // no slivers: cuts stay near the middle
  }
  EXPECT_NEAR(area, 1600.0 * 10000.0, 1600.0);
}

TEST(SimulateLabellers, ShiftMovesEverythingByTheStatedMetres) {
  LabellerSkill skill = perfect_labeller("a");
  skill.shift_x_m = 7.25;
  skill.shift_y_m = -3.5;
  const geo::Layer reference = lone_squares(10);
  const auto drawn = drawn_by(skill, reference);
  ASSERT_EQ(drawn.size(), reference.features.size());
  Point mean;
  for (const auto& polygon : drawn) {
    mean.x += geo::centroid(polygon.shape).x / 100.0;
    mean.y += geo::centroid(polygon.shape).y / 100.0;
  }
  EXPECT_NEAR(mean.x, 501000.0 + 7.25, 1e-6);
  EXPECT_NEAR(mean.y, 6001000.0 - 3.5, 1e-6);
}

TEST(SimulateLabellers, DistancesAreMetresInAnyUnit) {
  geo::Layer reference = layer_in("EPSG:2263");  // US survey feet
  add(reference, square(1000000, 200000, 500));
  LabellerSkill skill = perfect_labeller("a");
  skill.shift_x_m = 10.0;
  CellOptions cells;
  cells.cell_m = 1000.0;
  const auto sites = make_cells(reference, cells);
  EXPECT_NEAR(geo::bounds(sites.front().cell).width(), 1000.0 / 0.3048006096, 1e-3);
  const auto simulated = simulate(reference, sites, one_labeller(skill));
  double right = 0.0;
  for (const auto& a : simulated.campaign.assignments) {
    for (const auto& p : a.polygons) right = std::max(right, geo::bounds(p.shape).max_x);
  }
  EXPECT_NEAR(right, 1000500.0 + 10.0 / 0.3048006096, 0.01);
}

TEST(SimulateLabellers, BiasGrowsAndShrinksOutlines) {
  LabellerSkill skill = perfect_labeller("a");
  skill.bias_m = 4.0;
  for (const auto& polygon : drawn_by(skill, lone_squares(3))) {
    EXPECT_NEAR(geo::area(polygon.shape), 10000.0 + 4 * 400.0 + 3.14159 * 16.0, 1.0);
  }
  skill.bias_m = -4.0;
  for (const auto& polygon : drawn_by(skill, lone_squares(3)))
    EXPECT_NEAR(geo::area(polygon.shape), 92.0 * 92.0, 0.5);
}

TEST(SimulateLabellers, JitterHasTheStatedSpreadAndIsSmoothAlongTheOutline) {
  LabellerSkill skill = perfect_labeller("a");
  skill.jitter_m = 3.0;
  skill.jitter_length_m = 20.0;
  geo::Layer reference = layer_in("EPSG:32632");
  for (int i = 0; i < 400; ++i)
    add(reference, square(500000 + 1000 * (i % 20) + 300, 6000000 + 1000 * (i / 20) + 300, 400));
  const auto drawn = drawn_by(skill, reference);
  ASSERT_EQ(drawn.size(), 400U);
  double sum = 0.0, squares = 0.0, products = 0.0;
  double count = 0.0, neighbours = 0.0;
  for (const auto& polygon : drawn) {
    double before = std::nan("");
    for (const Point& p : polygon.shape.front().shell) {
      const double x =
          std::fmod(p.x, 1000.0) - 500.0;  // the southern edge runs at y = 300 from x = -200 to 200
      const double y = std::fmod(p.y, 1000.0) - 300.0;
      if (std::abs(x) > 180.0 || std::abs(y) > 60.0) {
        before = std::nan("");
        continue;
      }
      sum += y;
      squares += y * y;
      count += 1.0;
      if (!std::isnan(before)) {
        products += y * before;
        neighbours += 1.0;
      }
      before = y;
    }
  }
  ASSERT_GT(count, 10000.0);
  EXPECT_NEAR(sum / count, 0.0, 0.2);
  EXPECT_NEAR(std::sqrt(squares / count), 3.0, 0.15);
  // Vertices are half a correlation length apart: exp(-0.5 * 0.5^2) = 0.88.
  EXPECT_NEAR(products / neighbours / (squares / count), 0.88, 0.03);
}

TEST(SimulateLabellers, CellBordersCutOutlinesWithoutWavering) {
  LabellerSkill skill = perfect_labeller("a");
  skill.jitter_m = 5.0;
  skill.bias_m = -3.0;
  skill.shift_x_m = 8.0;
  geo::Layer reference = layer_in("EPSG:32632");
  add(reference, square(500000, 6000000, 3000));  // 3 x 3 cells, the middle one without a border of the field
  const auto simulated = simulate(reference, kilometre_cells(reference), one_labeller(skill));
  ASSERT_EQ(simulated.campaign.assignments.size(), 9U);
  const auto& middle = simulated.campaign.assignments[4].polygons;
  ASSERT_EQ(middle.size(), 1U);
  EXPECT_DOUBLE_EQ(geo::area(middle[0].shape), 1e6);
  const auto& corner = simulated.campaign.assignments[0].polygons;
  ASSERT_EQ(corner.size(), 1U);
  EXPECT_LT(geo::area(corner[0].shape), 0.999e6);
}

TEST(SimulateLabellers, FalseFieldsReachTheStatedDensity) {
  LabellerSkill skill = perfect_labeller("a");
  skill.false_fields_per_km2 = 3.0;
  geo::Layer reference = layer_in("EPSG:32632");
  add(reference, square(500010, 6000010, 20));
  add(reference, square(519970, 6019970, 20));  // 20 km x 20 km between them
  const auto drawn = drawn_by(skill, reference);
  const double expected = 3.0 * 400.0;
  EXPECT_NEAR(static_cast<double>(drawn.size()) - 2.0, expected, 5.0 * std::sqrt(expected));
}

TEST(SimulateLabellers, FalseFieldsKeepOffTheReference) {
  LabellerSkill skill = perfect_labeller("a");
  skill.omission_floor = 1.0;
  skill.false_fields_per_km2 = 20.0;
  skill.false_field_ha = 0.3;
  const geo::Layer reference = lone_squares(10);
  const auto drawn = drawn_by(skill, reference);
  ASSERT_GT(drawn.size(), 20U);
  for (const auto& polygon : drawn) {
    double overlap = 0.0;
    for (const auto& feature : reference.features)
      overlap += geo::intersection_area(feature.geometry, polygon.shape);
    EXPECT_LT(overlap, 0.08 * 0.3e4 * 5.0);
  }
}

TEST(SimulateLabellers, UnsurePolygonsReachTheStatedShare) {
  LabellerSkill skill = perfect_labeller("a");
  skill.unsure_rate = 0.4;
  const auto drawn = drawn_by(skill, lone_squares(40));
  const auto unsure = std::ranges::count_if(drawn, [](const auto& p) { return p.unsure; });
  EXPECT_NEAR(static_cast<double>(unsure) / 1600.0, 0.4, tolerance(0.4, 1600));
  for (const auto& p : drawn) EXPECT_EQ(p.category, p.unsure ? "unsure" : "annualcropland");
}

TEST(SimulateLabellers, SpamHandsInEmptyMaps) {
  LabellerSkill skill;
  skill.labeller = "spam";
  skill.spam = true;
  const geo::Layer reference = lone_squares(10);
  const auto simulated = simulate(reference, kilometre_cells(reference), one_labeller(skill));
  ASSERT_EQ(simulated.campaign.assignments.size(), 4U);
  for (const auto& a : simulated.campaign.assignments) EXPECT_TRUE(a.polygons.empty());
}

TEST(SimulateLabellers, ChangingOneRateLeavesTheOtherErrorsAlone) {
  LabellerSkill skill = default_skills(3)[2];
  skill.merge_rate = skill.split_rate = skill.false_fields_per_km2 = 0.0;
  const geo::Layer reference = lone_squares(20);
  const auto before = drawn_by(skill, reference).size();
  skill.jitter_m = 0.0;
  skill.bias_m = 0.0;
  EXPECT_EQ(drawn_by(skill, reference).size(), before);
}

geo::Layer mixed_reference() {
  geo::Layer reference = pairs(15);
  add(reference,
      geo::from_wkt("POLYGON((500100 6003100,502900 6003150,502800 6003900,500200 6003800,500100 6003100),"
                    "(500900 6003300,501500 6003300,501500 6003600,500900 6003600,500900 6003300))"));
  add(reference, geo::from_wkt("MULTIPOLYGON(((503100 6000100,503400 6000100,503400 6000900,503100 6000100)),"
                               "((503500 6000100,503900 6000100,503900 6000400,503500 6000100)))"));
  return reference;
}

LabellerOptions poor_labellers() {
  LabellerOptions options;
  options.skills = default_skills(5);
  for (auto& skill : options.skills) {
    skill.jitter_m *= 3.0;
    skill.jitter_length_m = 10.0;
    skill.split_rate = 0.4;
    skill.merge_rate = 0.5;
  }
  return options;
}

TEST(SimulateLabellers, PolygonsAreValidAndInsideTheirCell) {
  const geo::Layer reference = mixed_reference();
  CellOptions cells;
  cells.cell_m = 430.0;
  const auto simulated = simulate(reference, make_cells(reference, cells), poor_labellers());
  std::size_t count = 0;
  for (const auto& a : simulated.campaign.assignments) {
    const auto cell =
        std::ranges::find_if(simulated.campaign.sites, [&](const auto& s) { return s.name == a.site; });
    const geo::Box box = geo::bounds(cell->cell);
    for (const auto& p : a.polygons) {
      ++count;
      EXPECT_TRUE(geo::check_validity(p.shape).valid) << geo::to_wkt(p.shape);
      EXPECT_GE(geo::area(p.shape), 18.0);  // two pixels of 3 m
      const geo::Box own = geo::bounds(p.shape);
      EXPECT_TRUE(own.min_x >= box.min_x && own.max_x <= box.max_x && own.min_y >= box.min_y &&
                  own.max_y <= box.max_y);
    }
  }
  EXPECT_GT(count, 500U);
}

TEST(SimulateLabellers, ThreadsAndOrderOfSitesDoNotMatter) {
  const geo::Layer reference = mixed_reference();
  auto sites = kilometre_cells(reference);
  const auto one = simulate(reference, sites, poor_labellers(), 1);
  const auto four = simulate(reference, sites, poor_labellers(), 4);
  EXPECT_EQ(text_of(one), text_of(four));
  std::ranges::reverse(sites);
  EXPECT_EQ(text_of(simulate(reference, sites, poor_labellers(), 4)), text_of(one));
  auto other = poor_labellers();
  other.seed = 2;
  EXPECT_NE(text_of(simulate(reference, sites, other)), text_of(one));
}

TEST(SimulateLabellers, AnotherSiteChangesNoDrawing) {
  const geo::Layer reference = mixed_reference();
  auto sites = kilometre_cells(reference);
  LabellerOptions options = poor_labellers();
  options.labellers_per_site = 5;
  options.single_share = 0.0;
  const auto all = simulate(reference, sites, options);
  sites.erase(sites.begin());
  const auto fewer = simulate(reference, sites, options);
  for (const auto& site : sites) {
    for (const auto& skill : options.skills) {
      const auto& a = find(all, site.name, skill.labeller);
      const auto& b = find(fewer, site.name, skill.labeller);
      ASSERT_EQ(a.polygons.size(), b.polygons.size());
      for (std::size_t i = 0; i < a.polygons.size(); ++i)
        EXPECT_EQ(geo::to_wkt(a.polygons[i].shape), geo::to_wkt(b.polygons[i].shape));
      EXPECT_EQ(a.completion_time, b.completion_time);
    }
  }
}

TEST(SimulateLabellers, EveryLabellerIsScoredOnAtLeastThreeSites) {
  const geo::Layer reference = lone_squares(20);  // 16 sites; a tenth would be one or two
  LabellerOptions options;
  options.skills = default_skills(5);
  const auto simulated = simulate(reference, kilometre_cells(reference), options);
  std::map<std::string, int> scored;
  std::map<std::string, int> rows;
  for (const auto& a : simulated.campaign.assignments) {
    ++rows[a.site];
    if (a.site_class == "1c") ++scored[a.labeller];
    EXPECT_EQ(a.is_expert(), std::stoll(a.id) >= 100001);
  }
  for (const auto& skill : options.skills) EXPECT_GE(scored[skill.labeller], 3);
  for (std::size_t i = 0; i < simulated.campaign.sites.size(); ++i) {
    const auto& name = simulated.campaign.sites[i].name;
    const auto& site_class = simulated.site_classes[i];
    EXPECT_EQ(rows[name], site_class == "1a" ? 6 : site_class == "2" ? 1 : 3) << site_class;
  }
  options.expert_share = 0.0;
  for (const auto& a : simulate(reference, kilometre_cells(reference), options).campaign.assignments)
    EXPECT_FALSE(a.is_expert());
}

TEST(SimulateLabellers, WorksInDegrees) {
  geo::Layer reference = layer_in("EPSG:4326");
  for (int i = 0; i < 100; ++i)
    add(reference, square(-1.5 + 0.002 * (i % 10) + 0.0002, 60.0 + 0.002 * (i / 10) + 0.0002, 0.0015));
  LabellerSkill skill = perfect_labeller("a");
  skill.shift_x_m = 20.0;
  skill.shift_y_m = 20.0;
  CellOptions cells;
  cells.cell_degrees = 0.1;
  const auto sites = make_cells(reference, cells);
  ASSERT_EQ(sites.size(), 1U);
  const auto simulated = simulate(reference, sites, one_labeller(skill));
  const auto& polygons = simulated.campaign.assignments.front().polygons;
  ASSERT_EQ(polygons.size(), 100U);
  const Point before = geo::centroid(reference.features[55].geometry);
  const Point after = geo::centroid(polygons[55].shape);
  const geo::GeodesicMeasure measure(reference.crs);
  EXPECT_NEAR(measure.distance_m(before, {after.x, before.y}), 20.0, 0.05);
  EXPECT_NEAR(measure.distance_m(before, {before.x, after.y}), 20.0, 0.05);
}

TEST(SimulateLabellers, CellsWithoutFieldsGiveEmptyAnswers) {
  geo::Layer reference = layer_in("EPSG:32632");
  add(reference, square(500100, 6000100, 100));
  add(reference, square(502100, 6000100, 100));
  LabellerOptions options = one_labeller(perfect_labeller("a"));
  const auto simulated = simulate(reference, kilometre_cells(reference), options);
  ASSERT_EQ(simulated.campaign.assignments.size(), 3U);
  EXPECT_EQ(simulated.campaign.assignments[1].polygons.size(), 0U);
  const test::TemporaryFolder folder;
  write_campaign(simulated, folder / "campaign", false);
  const auto table = geo::read_csv(folder / "campaign/catalogue.csv");
  EXPECT_EQ(table.rows[1][table.column("nflds")], "0");
  EXPECT_EQ(table.rows[1][table.column("farea")], "NA");
  EXPECT_EQ(table.rows[0][table.column("nflds")], "1");
  EXPECT_NEAR(std::stod(table.rows[0][table.column("farea")]), 1.0, 0.002);
}

TEST(MakeCells, AlignToMultiplesOfTheirSizeAndCoverTheReference) {
  geo::Layer reference = layer_in("EPSG:32632");
  add(reference, square(500250, 6000000, 500));  // touches, but does not reach below, y = 6,000,000
  CellOptions options;
  options.cell_m = 500.0;
  options.prefix = "DE";
  const auto cells = make_cells(reference, options);
  ASSERT_EQ(cells.size(), 2U);
  EXPECT_EQ(cells[0].name, "DE0000001");
  EXPECT_EQ(cells[1].name, "DE0000002");
  EXPECT_EQ(geo::bounds(cells[0].cell), (geo::Box{500000, 6000000, 500500, 6000500}));
  EXPECT_EQ(geo::bounds(cells[1].cell), (geo::Box{500500, 6000000, 501000, 6000500}));
  const auto inside = sites_inside(cells, {500500, 0, 501000, 1e7});
  ASSERT_EQ(inside.size(), 1U);
  EXPECT_EQ(inside[0].name, "DE0000002");
  options.cell_m = 0.01;
  EXPECT_THROW(static_cast<void>(make_cells(reference, options)), geo::InvalidArgument);
  EXPECT_THROW(static_cast<void>(make_cells(layer_in("EPSG:32632"), CellOptions{})), geo::InvalidArgument);
}

TEST(SitesFromLayer, TakesNamesAndRefusesDoubles) {
  geo::Layer layer = layer_in("EPSG:32632");
  layer.add_field({"name", geo::FieldType::kString, ""});
  layer.features.push_back({1, square(0, 0, 10), {std::string("north")}});
  layer.features.push_back({2, square(20, 0, 10), {std::string("south")}});
  EXPECT_EQ(sites_from_layer(layer, "XX")[1].name, "south");
  layer.features[1].values[0] = std::string("north");
  EXPECT_THROW(static_cast<void>(sites_from_layer(layer, "XX")), geo::IoError);
  geo::Layer unnamed = layer_in("EPSG:32632");
  add(unnamed, square(0, 0, 10));
  EXPECT_EQ(sites_from_layer(unnamed, "AB")[0].name, "AB0000001");
}

TEST(SimulateLabellers, CutsToCellsOfAnyShape) {
  geo::Layer reference = layer_in("EPSG:32632");
  add(reference, square(500000, 6000000, 100));
  const std::vector<labelling::Site> sites{
      {"half", geo::from_wkt("POLYGON((500000 6000000,500100 6000000,500100 6000100,500000 6000000))")}};
  const auto simulated = simulate(reference, sites, one_labeller(perfect_labeller("a")));
  ASSERT_EQ(simulated.campaign.assignments[0].polygons.size(), 1U);
  EXPECT_NEAR(geo::area(simulated.campaign.assignments[0].polygons[0].shape), 5000.0, 1e-6);
}

TEST(SimulateLabellers, RefusesWhatMakesNoSense) {
  const geo::Layer reference = lone_squares(5);
  const auto sites = kilometre_cells(reference);
  LabellerOptions options = one_labeller(perfect_labeller("a"));
  const auto message = [&](const LabellerOptions& o, const std::vector<labelling::Site>& s) -> std::string {
    try {
      static_cast<void>(simulate(reference, s, o));
    } catch (const geo::Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(message(options, {}), HasSubstr("there is no site"));
  options.image_date = "2021-02-30";
  EXPECT_THAT(message(options, sites), HasSubstr("'2021-02-30' is not a date"));
  options = one_labeller(perfect_labeller("a"));
  options.expert_share = -0.1;
  EXPECT_THAT(message(options, sites), HasSubstr("must be between 0 and 1, got -0.1"));
  options.expert_share = 0.0;
  options.skills.push_back(options.skills.front());
  EXPECT_THAT(message(options, sites), HasSubstr("two labellers are called 'a'"));
  geo::Layer nowhere = reference;
  nowhere.crs = {};
  EXPECT_THROW(static_cast<void>(simulate(nowhere, sites, one_labeller(perfect_labeller("a")))),
               geo::CrsError);
}

TEST(WriteCampaign, FilesHaveThePublishedColumnsAndReadBack) {
  const geo::Layer reference = lone_squares(20);
  LabellerOptions options;
  options.skills = default_skills(5);
  const auto simulated = simulate(reference, kilometre_cells(reference), options);
  const test::TemporaryFolder folder;
  write_campaign(simulated, folder / "campaign", false);
  const std::string text = test::bytes_of(folder / "campaign/catalogue.csv");
  EXPECT_EQ(text.substr(0, text.find('\n')),
            "name,Class,assignment_id,Labeller,completion_time,label_time,status,Score,N,Edge,Area,"
            "FieldSkill,NoFieldSkill,"
            "Categorical,rscore,rscore2,Qscore,QN,Rscore,x,y,farea,nflds,tile,image_date,chip");
  const auto table = geo::read_csv(folder / "campaign/catalogue.csv");
  EXPECT_EQ(table.rows.size(), simulated.campaign.assignments.size());
  EXPECT_EQ(table.rows[0][table.column("Score")], "NA");
  const auto labels = geo::read_layer((folder / "campaign/labels.gpkg").string(), {});
  EXPECT_EQ(labels.name, "labels");
  std::size_t polygons = 0;
  for (const auto& a : simulated.campaign.assignments) polygons += a.polygons.size();
  EXPECT_EQ(labels.features.size(), polygons);
  std::map<std::string, int> per_assignment;
  for (const auto& f : labels.features)
    ++per_assignment[geo::as_text(f.values[labels.field("assignment_id")])];
  for (const auto& row : table.rows)
    EXPECT_EQ(per_assignment[row[table.column("assignment_id")]], std::stoi(row[table.column("nflds")]));
  const auto sites = geo::read_layer((folder / "campaign/sites.gpkg").string(), {});
  EXPECT_EQ(sites.features.size(), 16U);
  EXPECT_EQ(sites_from_layer(sites, "")[0].name, "XX0000001");
  EXPECT_EQ(read_skills(folder / "campaign/true_skills.csv").size(), 5U);
  EXPECT_THROW(write_campaign(simulated, folder / "campaign", false), geo::IoError);
  write_campaign(simulated, folder / "campaign", true);
}

TEST(WriteCampaign, ReadsBackAsTheSameCampaign) {
  const geo::Layer reference = lone_squares(20);
  LabellerOptions options;
  options.skills = default_skills(5);
  options.skills[4].spam = true;
  const auto simulated = simulate(reference, kilometre_cells(reference), options);
  const test::TemporaryFolder folder;
  write_campaign(simulated, folder / "campaign", false);
  labelling::CampaignOptions read;
  read.catalogue = (folder / "campaign/catalogue.csv").string();
  read.labels = (folder / "campaign/labels.gpkg").string();
  read.sites = (folder / "campaign/sites.gpkg").string();
  std::vector<labelling::CampaignProblem> problems;
  const auto campaign = labelling::read_campaign(read, problems);
  for (const auto& problem : problems) ADD_FAILURE() << problem.input << ": " << problem.message;
  ASSERT_EQ(campaign.sites.size(), simulated.campaign.sites.size());
  ASSERT_EQ(campaign.assignments.size(), simulated.campaign.assignments.size());
  std::map<std::string, const labelling::Assignment*> by_id;
  for (const auto& a : campaign.assignments) by_id[a.id] = &a;
  for (const auto& a : simulated.campaign.assignments) {
    ASSERT_EQ(by_id.count(a.id), 1U) << a.id;
    const auto& b = *by_id[a.id];
    EXPECT_EQ(b.site, a.site);
    EXPECT_EQ(b.labeller, a.labeller);
    EXPECT_EQ(b.site_class, a.site_class);
    ASSERT_EQ(b.polygons.size(), a.polygons.size());
    for (std::size_t i = 0; i < a.polygons.size(); ++i) {
      EXPECT_NEAR(geo::area(b.polygons[i].shape), geo::area(a.polygons[i].shape), 1e-6);
      EXPECT_EQ(b.polygons[i].unsure, a.polygons[i].unsure);
    }
  }
}

TEST(WriteCampaign, CampaignWithoutAnyPolygonIsWritten) {
  geo::Layer reference = lone_squares(5);
  LabellerSkill skill;
  skill.labeller = "spam";
  skill.spam = true;
  const test::TemporaryFolder folder;
  write_campaign(simulate(reference, kilometre_cells(reference), one_labeller(skill)), folder / "campaign",
                 false);
  geo::LayerReadOptions options;
  options.require_polygons = false;
  const auto labels = geo::read_layer((folder / "campaign/labels.gpkg").string(), options);
  EXPECT_TRUE(labels.features.empty());
  EXPECT_EQ(labels.crs.epsg(), 32632);
}

}  // namespace
}  // namespace furrow::simulation
