#include <furrow/labelling/site_scores.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/vector/geos.h>

namespace furrow::labelling {
namespace {

using testing::HasSubstr;
using Map = std::vector<LabelledPolygon>;

LabelledPolygon box(double x, double y, double width, double height,
                    const std::string& category = "annualcropland", bool unsure = false) {
  return {{geo::to_polygon(geo::Box{x, y, x + width, y + height})}, category, unsure};
}

/// A cell of 500 m with its lower left corner at (0, 0).
SiteMaps site(Map reference, Map labeller) {
  return {{geo::to_polygon(geo::Box{0, 0, 500, 500})}, std::move(reference), std::move(labeller)};
}

Map moved(Map map, double dx, double dy) {
  for (auto& polygon : map) {
    for (auto& part : polygon.shape) {
      for (auto& p : part.shell) p = {p.x + dx, p.y + dy};
      for (auto& hole : part.holes) {
        for (auto& p : hole) p = {p.x + dx, p.y + dy};
      }
    }
  }
  return map;
}

/// Fields with slanted sides, a hole, a field over the cell border, two neighbours that share a side.
Map fields() {
  return {box(50, 50, 120, 80),
          {geo::from_wkt("POLYGON ((60.3 250.7, 180.1 270.2, 170.9 360.4, 50.6 340.8, 60.3 250.7), "
                         "(100 290, 100 300, 120 300, 120 290, 100 290))"),
           "treecropland", false},
          box(200, 60, 100, 100),
          box(300, 60, 90, 100),
          box(450, 400, 130, 60)};
}

TEST(CorrectedScores, APerfectCopyScoresExactlyOne) {
  for (const Map& map :
       {fields(), Map{box(-10, -10, 600, 600)}, Map{box(100, 100, 50, 50), box(120, 120, 60, 60, "tree")},
        Map{box(10, 10, 300, 7)}, Map{}}) {
    const auto s = score_corrected(site(map, map));
    ASSERT_TRUE(s.score.defined());
    EXPECT_EQ(s.score.value, 1.0);
    EXPECT_EQ(s.area.value, 1.0);
  }
  const auto s = score_corrected(site(fields(), fields()));
  for (const Measure* m : {&s.n, &s.edge, &s.category, &s.field_skill, &s.nofield_skill})
    EXPECT_EQ(m->value, 1.0);
  EXPECT_EQ(s.outline_distance95_m.value, 0.0);
  EXPECT_EQ(s.outline_bias_m.value, 0.0);
  EXPECT_EQ(s.matched, 5);
  EXPECT_EQ(s.splits + s.merges, 0);
}

TEST(CorrectedScores, ShiftsCostMoreTheFartherTheyGo) {
  double last = 1.0;
  for (const double shift : {1.0, 2.0, 5.0, 9.0, 15.0}) {
    const auto s = score_corrected(site(fields(), moved(fields(), shift, 0.0)));
    EXPECT_LT(s.score.value, last) << shift;
    last = s.score.value;
  }
}

TEST(CorrectedScores, AreasByHand) {
  // 100 x 100 against the same moved by 20 in x: 80 x 100 shared.
  const auto s = score_corrected(site({box(100, 100, 100, 100)}, {box(120, 100, 100, 100)}));
  EXPECT_NEAR(s.areas.tp_m2, 8000.0, 1e-6);
  EXPECT_NEAR(s.areas.fp_m2, 2000.0, 1e-6);
  EXPECT_NEAR(s.areas.fn_m2, 2000.0, 1e-6);
  EXPECT_NEAR(s.areas.tn_m2, 238000.0, 1e-6);
  EXPECT_NEAR(s.area.value, 246000.0 / 250000.0, 1e-12);
  EXPECT_NEAR(s.field_skill.value, 0.8, 1e-12);
  EXPECT_NEAR(s.nofield_skill.value, 238.0 / 240.0, 1e-12);
  EXPECT_EQ(s.n.value, 1.0);  // IoU 8/12
  EXPECT_EQ(s.category.value, 1.0);
}

TEST(CorrectedScores, EdgeByHand) {
  // Both horizontal sides of the labeller lie on the reference's lines y = 100 and y = 200: of the 100 m, 80
  // m lie on the reference's side and 9 m more within the buffer of its corner. The left side (x = 120) is 20
  // m from the nearest outline but for its ends, 9 m at each near the horizontal sides; the right side (x =
  // 220) is beyond the reference everywhere.
  const auto s = score_corrected(site({box(100, 100, 100, 100)}, {box(120, 100, 100, 100)}));
  const double share = (2 * 89.0 + 2 * 9.0) / 400.0;
  EXPECT_NEAR(s.edge_correctness.value, share, 1e-6);
  EXPECT_NEAR(s.edge_completeness.value, share, 1e-6);
  EXPECT_NEAR(s.edge.value, share, 1e-6);
  EXPECT_NEAR(s.outline_bias_m.value, 0.0, 1e-12);
  // Drawn 3 m too large on every side.
  const auto larger = score_corrected(site({box(100, 100, 100, 100)}, {box(97, 97, 106, 106)}));
  EXPECT_EQ(larger.edge.value, 1.0);
  EXPECT_NEAR(larger.outline_bias_m.value, (106.0 * 106.0 - 1e4) / 400.0, 1e-9);
  EXPECT_NEAR(larger.outline_distance95_m.value, 3.0, 0.02);
  CorrectedOptions narrow;
  narrow.edge_buffer_m = 2.9;
  EXPECT_EQ(score_corrected(site({box(100, 100, 100, 100)}, {box(97, 97, 106, 106)}), narrow).edge.value,
            0.0);
  narrow.edge_buffer_m = 3.0;
  EXPECT_NEAR(score_corrected(site({box(100, 100, 100, 100)}, {box(97, 97, 106, 106)}), narrow)
                  .edge_completeness.value,
              1.0, 1e-9);
}

TEST(CorrectedScores, EmptyMapsAreDefinedOrSayWhyNot) {
  const auto both = score_corrected(site({}, {}));
  EXPECT_EQ(both.score.value, 1.0);
  EXPECT_EQ(both.nofield_skill.value, 1.0);
  EXPECT_FALSE(both.n.defined());
  EXPECT_THAT(both.n.reason, HasSubstr("neither map has a field"));
  EXPECT_THAT(both.edge.reason, HasSubstr("neither map has an outline"));
  EXPECT_THAT(both.category.reason, HasSubstr("no polygon has a category"));
  EXPECT_THAT(both.field_skill.reason, HasSubstr("the reference maps no field"));

  const auto invented = score_corrected(site({}, {box(0, 0, 100, 100)}));
  EXPECT_EQ(invented.n.value, 0.0);
  EXPECT_EQ(invented.edge.value, 0.0);
  EXPECT_FALSE(invented.category.defined());
  EXPECT_FALSE(invented.field_skill.defined());
  EXPECT_NEAR(invented.nofield_skill.value, 0.96, 1e-12);
  EXPECT_NEAR(invented.score.value, 0.55 * 0.96 / 0.875, 1e-12);

  const auto missed = score_corrected(site({box(0, 0, 100, 100)}, {}));
  EXPECT_EQ(missed.field_skill.value, 0.0);
  EXPECT_EQ(missed.nofield_skill.value, 1.0);
  EXPECT_NEAR(missed.score.value, 0.55 * 0.96 / 0.875, 1e-12);

  const auto full = score_corrected(site({box(-50, -50, 600, 600)}, {box(-50, -50, 600, 600)}));
  EXPECT_FALSE(full.nofield_skill.defined());
  EXPECT_THAT(full.nofield_skill.reason, HasSubstr("whole cell"));
  EXPECT_FALSE(full.edge.defined());
}

TEST(CorrectedScores, ReasonsReadWell) {
  EXPECT_EQ(score_corrected(site({}, {})).edge.reason, "neither map has an outline inside the cell");
  EXPECT_EQ(score_corrected(site({}, {box(9, 9, 99, 99)})).edge_completeness.reason,
            "the reference has no outline inside the cell");
}

TEST(CorrectedScores, TrimmingAtTheCellBorderCostsNothing) {
  const Map whole{box(-80, 100, 200, 90), box(300, 450, 100, 100)};
  const Map trimmed{box(0, 100, 120, 90), box(300, 450, 100, 50)};
  const auto s = score_corrected(site(whole, trimmed));
  EXPECT_EQ(s.score.value, 1.0);
  EXPECT_EQ(score_corrected(site(trimmed, whole)).score.value, 1.0);
  EXPECT_EQ(s.matched, 2);
  // Whatever lies outside the cell does not count.
  EXPECT_EQ(
      score_corrected(site(trimmed, {box(0, 100, 120, 90), box(300, 450, 100, 50), box(600, 0, 50, 50)}))
          .score.value,
      1.0);
}

TEST(CorrectedScores, CornersOfFieldsBelowTheLimitAreNotCountedAsFields) {
  const Map reference{box(100, 100, 100, 100), box(499, 300, 200, 20)};  // 1 m x 20 m inside
  const auto s = score_corrected(site(reference, {box(100, 100, 100, 100)}));
  EXPECT_EQ(s.reference_fields, 1);
  EXPECT_EQ(s.n.value, 1.0);
  EXPECT_NEAR(s.areas.fn_m2, 20.0, 1e-6);
}

TEST(CorrectedScores, SplitsAndMergesAreCounted) {
  const Map three{box(100, 100, 50, 60), box(152, 100, 50, 60), box(204, 100, 50, 60)};
  const Map one{box(100, 100, 154, 60)};
  const auto merged = score_corrected(site(three, one));
  EXPECT_EQ(merged.merges, 1);
  EXPECT_EQ(merged.splits, 0);
  EXPECT_EQ(merged.n.value, 0.0);
  const auto split = score_corrected(site(one, three));
  EXPECT_EQ(split.splits, 1);
  EXPECT_EQ(split.merges, 0);
}

TEST(CorrectedScores, NTakesTheOptimalMatchingAndCountsFalseFields) {
  const auto s = score_corrected(site({box(0, 0, 100, 100)}, {box(0, 0, 100, 100), box(200, 200, 50, 50)}));
  EXPECT_NEAR(s.n.value, 2.0 / 3.0, 1e-12);
  // The same field drawn twice is one match.
  EXPECT_NEAR(score_corrected(site({box(0, 0, 100, 100)}, {box(0, 0, 100, 100), box(0, 0, 100, 90)})).n.value,
              2.0 / 3.0, 1e-12);
}

TEST(CorrectedScores, CategoryIsTheAgreeingShareOfTheJointArea) {
  const Map reference{box(0, 0, 100, 100, "annual"), box(200, 0, 100, 100, "tree")};
  const Map labeller{box(0, 0, 100, 100, "Annual "), box(200, 0, 100, 50, "annual"),
                     box(200, 50, 100, 50, "tree")};
  EXPECT_NEAR(score_corrected(site(reference, labeller)).category.value, 0.75, 1e-12);
  // Overlapping classes never give more than 1.
  const Map overlapping{box(0, 0, 100, 100, "annual"), box(50, 0, 100, 100, "tree")};
  EXPECT_EQ(score_corrected(site(overlapping, overlapping)).category.value, 1.0);
  EXPECT_THAT(score_corrected(site({box(0, 0, 9, 9, "")}, {box(0, 0, 9, 9, "")})).category.reason,
              HasSubstr("no polygon has a category"));
  EXPECT_THAT(score_corrected(site({box(0, 0, 9, 9, "")}, {box(0, 0, 9, 9, "annual")})).category.reason,
              HasSubstr("no area has a category in both maps"));
  EXPECT_THAT(score_corrected(site({box(0, 0, 9, 9)}, {box(90, 0, 9, 9)})).category.reason,
              HasSubstr("no area is mapped by both"));
}

TEST(CorrectedScores, UnsureReferencePlacesAreLeftOut) {
  const Map reference{box(0, 0, 100, 100), box(200, 0, 100, 100, "unsure1", true)};
  for (const Map& labeller :
       {Map{box(0, 0, 100, 100)}, Map{box(0, 0, 100, 100), box(205, 5, 80, 80)}, reference}) {
    const auto s = score_corrected(site(reference, labeller));
    EXPECT_EQ(s.score.value, 1.0);
    EXPECT_NEAR(s.areas.tn_m2, 250000.0 - 20000.0, 1e-6);
  }
}

TEST(CorrectedScores, TheLabellersUnsurePolygonsClaimNoField) {
  const Map reference{box(0, 0, 100, 100), box(200, 0, 100, 100)};
  const auto s =
      score_corrected(site(reference, {box(0, 0, 100, 100), box(200, 0, 100, 100, "unsure1", true)}));
  EXPECT_NEAR(s.field_skill.value, 0.5, 1e-12);
  EXPECT_NEAR(s.unsure_share, 0.04, 1e-12);
  EXPECT_NEAR(s.n.value, 2.0 / 3.0, 1e-12);
  const auto unknown = score_corrected(site({box(0, 0, 500, 500, "unsure2", true)}, {}));
  EXPECT_FALSE(unknown.score.defined());
  EXPECT_THAT(unknown.area.reason, HasSubstr("unsure of the whole cell"));
}

TEST(CorrectedScores, HolesCountAsNoField) {
  const Map ring{{geo::from_wkt("POLYGON ((100 100, 200 100, 200 200, 100 200, 100 100), "
                                "(120 120, 120 180, 180 180, 180 120, 120 120))"),
                  "f", false}};
  const auto s = score_corrected(site(ring, {box(100, 100, 100, 100, "f")}));
  EXPECT_NEAR(s.areas.fp_m2, 3600.0, 1e-6);
  // The hole's outline (240 m of 640 m) is missed but for nothing: it is 20 m from the shell.
  EXPECT_NEAR(s.edge_completeness.value, 400.0 / 640.0, 1e-9);
  EXPECT_EQ(s.edge_correctness.value, 1.0);
}

TEST(CorrectedScores, RejectsWrongOptionsAndCells) {
  CorrectedOptions options;
  options.edge_buffer_m = 0.0;
  EXPECT_THROW((void)score_corrected(site({}, {}), options), geo::InvalidArgument);
  options = {};
  options.weight_n = -1.0;
  EXPECT_THROW((void)score_corrected(site({}, {}), options), geo::InvalidArgument);
  EXPECT_THROW((void)score_corrected({}), geo::InvalidArgument);
  EXPECT_THROW((void)score_compatible({}), geo::InvalidArgument);
}

/// A random map of quadrilaterals that may overlap each other and the cell border.
Map random_map(std::uint64_t stream) {
  geo::Random random(5, stream);
  Map map;
  const std::uint64_t count = random.below(14);
  for (std::uint64_t i = 0; i < count; ++i) {
    const double x = random.uniform(-40, 480);
    const double y = random.uniform(-40, 480);
    const double w = random.uniform(10, 120);
    const double h = random.uniform(10, 120);
    const geo::Ring ring{{x, y}, {x + w, y + 5}, {x + w - 4, y + h}, {x + 3, y + h - 2}, {x, y}};
    map.push_back({{geo::Polygon{ring, {}}}, random.chance(0.6) ? "annual" : "tree", random.chance(0.15)});
  }
  return map;
}

/// The labeller's map: the reference's, disturbed.
Map disturbed(const Map& map, std::uint64_t stream) {
  geo::Random random(6, stream);
  Map result;
  for (const auto& polygon : map) {
    if (random.chance(0.15)) continue;
    result.push_back(moved({polygon}, random.normal(0, 6), random.normal(0, 6)).front());
    if (random.chance(0.2)) result.back().category = "other";
  }
  return result;
}

void expect_near(const Measure& a, const Measure& b, const char* what) {
  EXPECT_EQ(a.reason, b.reason) << what;
  if (a.defined() && b.defined()) {
    EXPECT_NEAR(a.value, b.value, 2e-7) << what;
  }
}

void expect_same(const CorrectedScores& a, const CorrectedScores& b) {
  expect_near(a.score, b.score, "score");
  expect_near(a.area, b.area, "area");
  expect_near(a.n, b.n, "n");
  expect_near(a.edge, b.edge, "edge");
  expect_near(a.category, b.category, "category");
  expect_near(a.field_skill, b.field_skill, "field skill");
  expect_near(a.nofield_skill, b.nofield_skill, "no-field skill");
  EXPECT_EQ(a.splits, b.splits);
  EXPECT_EQ(a.merges, b.merges);
}

TEST(CorrectedScoresProperty, TranslationAndOrderDoNotMatterAndScoresStayInRange) {
  for (std::uint64_t round = 0; round < 60; ++round) {
    SCOPED_TRACE(round);
    const SiteMaps maps = site(random_map(round), disturbed(random_map(round), round));
    const auto scores = score_corrected(maps);
    for (const Measure* m :
         {&scores.score, &scores.area, &scores.n, &scores.edge, &scores.category, &scores.field_skill,
          &scores.nofield_skill, &scores.edge_correctness, &scores.edge_completeness}) {
      if (!m->defined()) continue;
      EXPECT_GE(m->value, 0.0);
      EXPECT_LE(m->value, 1.0);
    }
    SiteMaps far = maps;
    far.cell = {geo::to_polygon(geo::Box{500000, 8300000, 500500, 8300500})};
    far.reference = moved(maps.reference, 500000, 8300000);
    far.labeller = moved(maps.labeller, 500000, 8300000);
    expect_same(score_corrected(far), scores);
    SiteMaps shuffled = maps;
    geo::Random random(9, round);
    random.shuffle(shuffled.labeller);
    random.shuffle(shuffled.reference);
    expect_same(score_corrected(shuffled), scores);
  }
}

TEST(CorrectedScoresProperty, EdgeAgreesWithPointsAlongTheOutlines) {
  // Slow independent reference: points every 0.05 m, distance to every segment of the other map.
  const Map reference{box(100, 100, 100, 80), box(220, 120, 60, 90)};
  const Map labeller = moved({box(104, 92, 110, 80), box(230, 118, 40, 120)}, 0.3, 0.7);
  const auto segments = [](const Map& map) {
    std::vector<std::pair<geo::Point, geo::Point>> list;
    for (const auto& p : map) {
      const auto& ring = p.shape[0].shell;
      for (std::size_t i = 0; i + 1 < ring.size(); ++i) list.emplace_back(ring[i], ring[i + 1]);
    }
    return list;
  };
  const auto distance = [](geo::Point p, geo::Point a, geo::Point b) {
    const double l2 = (b.x - a.x) * (b.x - a.x) + (b.y - a.y) * (b.y - a.y);
    const double t = std::clamp(((p.x - a.x) * (b.x - a.x) + (p.y - a.y) * (b.y - a.y)) / l2, 0.0, 1.0);
    return std::hypot(p.x - a.x - t * (b.x - a.x), p.y - a.y - t * (b.y - a.y));
  };
  const auto share = [&](const Map& measured, const Map& target) {
    double near = 0.0;
    double all = 0.0;
    for (const auto& [a, b] : segments(measured)) {
      const double length = std::hypot(b.x - a.x, b.y - a.y);
      for (double t = 0.025; t < length; t += 0.05) {
        const geo::Point p{a.x + t / length * (b.x - a.x), a.y + t / length * (b.y - a.y)};
        double nearest = 1e9;
        for (const auto& [c, d] : segments(target)) nearest = std::min(nearest, distance(p, c, d));
        near += nearest <= 9.0 ? 1.0 : 0.0;
        all += 1.0;
      }
    }
    return near / all;
  };
  const auto s = score_corrected(site(reference, labeller));
  EXPECT_NEAR(s.edge_correctness.value, share(labeller, reference), 1e-3);
  EXPECT_NEAR(s.edge_completeness.value, share(reference, labeller), 1e-3);
}

TEST(CorrectedScoresProperty, SameForOneAndFourThreads) {
  Map many;
  for (int i = 0; i < 20; ++i) {
    for (int j = 0; j < 20; ++j) many.push_back(box(i * 25, j * 25, 22, 22));
  }
  const SiteMaps maps = site(many, moved(many, 2.5, 1.5));
  CorrectedScores one;
  CorrectedScores four;
  geo::ExecContext({.threads = 1}).execute([&] { one = score_corrected(maps); });
  geo::ExecContext({.threads = 4}).execute([&] { four = score_corrected(maps); });
  EXPECT_EQ(one.score.value, four.score.value);
  EXPECT_EQ(one.edge.value, four.edge.value);
  EXPECT_EQ(one.outline_distance95_m.value, four.outline_distance95_m.value);
}

TEST(CompatibleScores, EmptyMapsFollowTheCases) {
  EXPECT_EQ(score_compatible(site({}, {})).new_score, 1.0);
  const auto invented = score_compatible(site({}, {box(0, 0, 100, 100)}));
  EXPECT_EQ(invented.kind, 2);
  EXPECT_EQ(invented.in, 0.96);
  EXPECT_NEAR(invented.new_score, 0.55 * 0.96, 1e-12);
  const auto missed = score_compatible(site({box(0, 0, 100, 100)}, {}));
  EXPECT_EQ(missed.kind, 3);
  EXPECT_EQ(missed.nofield_skill, 1.0);
}

TEST(CompatibleScores, ShapesOfSeveralPartsAreDropped) {
  LabelledPolygon two = box(0, 0, 100, 100);
  two.shape.push_back(box(200, 200, 10, 10).shape[0]);
  const auto s = score_compatible(site({box(0, 0, 100, 100)}, {two}));
  EXPECT_EQ(s.kind, 3);
}

TEST(CompatibleScores, BalancedAccuracyAveragesTheRates) {
  CompatibleOptions options;
  options.accuracy = PlatformAccuracy::kBalanced;
  // Sensitivity 0.8, specificity 238/240.
  const auto s = score_compatible(site({box(100, 100, 100, 100)}, {box(120, 100, 100, 100)}), options);
  EXPECT_NEAR(s.in, 0.90, 1e-12);
}

TEST(CompatibleScores, ACategoryNamedUnsure2IsNoClassByDefault) {
  const Map map{box(0, 0, 100, 100, "unsure2")};
  EXPECT_EQ(score_compatible(site(map, map)).category, 0.0);
  CompatibleOptions options;
  options.categories = {"unsure2"};
  EXPECT_NEAR(score_compatible(site(map, map), options).category, 1.0, 1e-9);
}

}  // namespace
}  // namespace furrow::labelling
