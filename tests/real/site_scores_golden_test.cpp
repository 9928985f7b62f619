#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/geos.h>
#include <furrow/geo/vector/layer.h>
#include <furrow/labelling/site_scores.h>

#include "support.h"

/// The published platform's scores, made by its own code: golden/a_site_scores.
namespace furrow::labelling {
namespace {

std::vector<LabelledPolygon> read_map(const std::string& name) {
  geo::LayerReadOptions options;
  options.require_polygons = false;
  const auto path = test::shared("golden/a_site_scores/cases/" + name + ".geojson").string();
  std::vector<LabelledPolygon> polygons;
  const geo::Layer layer = geo::read_layer(path, options);
  for (const auto& feature : layer.features) {
    polygons.push_back({feature.geometry, geo::as_text(feature.values[layer.field("category")]), false});
  }
  return polygons;
}

SiteMaps read_case(const std::string& name) {
  return {read_map("cell").front().shape, read_map(name + "_reference"), read_map(name + "_labeller")};
}

class Expected {
 public:
  Expected() : m_table(geo::read_csv(test::shared("golden/a_site_scores/expected_scores.csv"))) {}
  [[nodiscard]] std::size_t rows() const { return m_table.rows.size(); }
  [[nodiscard]] std::string name(std::size_t row) const { return m_table.rows[row][m_table.column("case")]; }
  [[nodiscard]] double value(std::size_t row, const std::string& column) const {
    double number = std::nan("");
    const std::string& text = m_table.rows[row][m_table.column(column)];
    EXPECT_TRUE(geo::is_missing(text) || geo::parse_number(text, number)) << text;
    return number;
  }

 private:
  geo::CsvTable m_table;
};

void expect_same(double actual, double expected, double tolerance, const std::string& what) {
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(actual)) << what << ": " << actual << " instead of NaN";
  } else {
    EXPECT_NEAR(actual, expected, tolerance) << what;
  }
}

TEST(SiteScoresGolden, CompatibleScoresEqualThePlatforms) {
  FURROW_NEEDS_SHARED_DATA();
  const Expected expected;
  ASSERT_EQ(expected.rows(), 15U);
  for (std::size_t row = 0; row < expected.rows(); ++row) {
    const std::string name = expected.name(row);
    CompatibleOptions options;
    options.categories = {"annualcropland", "treecropland"};
    const SiteMaps maps = read_case(name);
    const CompatibleScores s = score_compatible(maps, options);
    const std::map<std::string, std::pair<double, double>> checks{
        {"kind", {static_cast<double>(s.kind), 0.0}},
        {"new_score", {s.new_score, 1e-6}},
        {"old_score", {s.old_score, 1e-6}},
        {"count_acc", {s.count, 1e-12}},
        {"frag_acc", {s.n, 1e-12}},
        {"edge_acc", {s.edge, 1e-5}},
        {"in_acc", {s.in, 1e-12}},
        {"out_acc", {s.out, 1e-12}},
        {"cate_acc", {s.category, 1e-6}},
        {"user_count", {static_cast<double>(s.labeller_count), 0.0}},
        {"field_skill", {s.field_skill, 1e-6}},
        {"nofield_skill", {s.nofield_skill, 1e-6}},
        {"n_ref", {static_cast<double>(s.reference_count), 0.0}},
        {"n_match", {static_cast<double>(s.matched), 0.0}},
        {"cell_area", {geo::area(maps.cell), 1e-3}},
        {"tp_in", {s.inside.tp_m2, 1e-3}},
        {"fp_in", {s.inside.fp_m2, 1e-3}},
        {"fn_in", {s.inside.fn_m2, 1e-3}},
        {"tn_in", {s.inside.tn_m2, 1e-3}},
        {"tp_out", {s.outside.tp_m2, 1e-3}},
        {"fp_out", {s.outside.fp_m2, 1e-3}},
        {"fn_out", {s.outside.fn_m2, 1e-3}},
    };
    for (const auto& [column, check] : checks) {
      expect_same(check.first, expected.value(row, column), check.second, name + " " + column);
    }
    // Without a list of classes, every category but unsure2 counts: the same here.
    expect_same(score_compatible(maps).new_score, expected.value(row, "new_score"), 1e-6,
                name + " default classes");
  }
}

TEST(SiteScoresGolden, PolygonsCsvHoldsTheSameShapes) {
  FURROW_NEEDS_SHARED_DATA();
  const geo::CsvTable table = geo::read_csv(test::shared("golden/a_site_scores/cases/polygons.csv"));
  std::map<std::string, SiteMaps> sites;
  for (const auto& row : table.rows) {
    SiteMaps& site = sites[row[table.column("case")]];
    const std::string role = row[table.column("role")];
    const geo::MultiPolygon shape = geo::from_wkt(row[table.column("wkt")]);
    const std::string& category = row[table.column("category")];
    if (role == "cell") site.cell = shape;
    if (role == "reference") site.reference.push_back({shape, category, false});
    if (role == "labeller") site.labeller.push_back({shape, category, false});
  }
  ASSERT_EQ(sites.size(), 15U);
  for (const auto& [name, site] : sites) {
    const CompatibleScores from_table = score_compatible(site);
    const CompatibleScores from_files = score_compatible(read_case(name));
    expect_same(from_table.new_score, from_files.new_score, 1e-12, name);
  }
}

}  // namespace
}  // namespace furrow::labelling
