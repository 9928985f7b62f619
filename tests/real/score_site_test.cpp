#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include <nlohmann/json.hpp>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/layer.h>
#include <furrow/geo/vector/layer_writer.h>

#include "support.h"

/// `furrow score site` on the published platform's own results: golden/a_site_scores.
namespace furrow {
namespace {

using nlohmann::json;

std::string case_file(const std::string& name) {
  return test::shared("golden/a_site_scores/cases/" + name + ".geojson").string();
}

json score(const std::string& reference, const std::string& labels, const std::string& mode) {
  const auto result = test::furrow(geo::concat("score site --reference ", reference, " --labels ", labels,
                                               " --cell ", case_file("cell"), " --mode ", mode,
                                               " --json --category annualcropland treecropland"));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return json::parse(result.out);
}

TEST(ScoreSite, CompatibleModeEqualsThePlatformOnAllGoldenCases) {
  FURROW_NEEDS_SHARED_DATA();
  const geo::CsvTable table = geo::read_csv(test::shared("golden/a_site_scores/expected_scores.csv"));
  ASSERT_EQ(table.rows.size(), 15U);
  const std::map<std::string, std::pair<std::string, double>> columns{
      {"area", {"in_acc", 1e-6}},
      {"n", {"frag_acc", 1e-6}},
      {"edge", {"edge_acc", 1e-5}},
      {"categorical", {"cate_acc", 1e-6}},
      {"qscore", {"new_score", 1e-6}},
      {"field_skill", {"field_skill", 1e-6}},
      {"nofield_skill", {"nofield_skill", 1e-6}}};
  for (const auto& row : table.rows) {
    const std::string& name = row[table.column("case")];
    const json scores = score(case_file(name + "_reference"), case_file(name + "_labeller"), "compatible");
    for (const auto& [measure, expectation] : columns) {
      const std::string& text = row[table.column(expectation.first)];
      const json& value = scores.at(measure).at("value");
      if (geo::is_missing(text)) {
        EXPECT_TRUE(value.is_null()) << name << ' ' << measure;
        EXPECT_NE(scores[measure]["status"], "defined");
        continue;
      }
      double expected = 0.0;
      ASSERT_TRUE(geo::parse_number(text, expected)) << text;
      ASSERT_FALSE(value.is_null()) << name << ' ' << measure;
      EXPECT_NEAR(value.get<double>(), expected, expectation.second) << name << ' ' << measure;
      EXPECT_EQ(scores[measure]["status"], "defined");
    }
  }
}

TEST(ScoreSite, ACopyGetsExactlyOneAndShiftsLoseTheMoreTheFartherTheyGo) {
  FURROW_NEEDS_SHARED_DATA();
  const test::TemporaryFolder folder;
  for (const std::string name : {"c04_perfect", "c05_shift5m_x", "c16_mosaic"}) {
    const std::string reference = case_file(name + "_reference");
    double last = 2.0;
    for (const double shift_m : {0.0, 1.0, 2.0, 5.0, 9.0}) {
      geo::Layer layer = geo::read_layer(reference);
      for (auto& feature : layer.features) {
        for (auto& part : feature.geometry) {
          for (auto& p : part.shell) p.x += shift_m;
          for (auto& hole : part.holes) {
            for (auto& p : hole) p.x += shift_m;
          }
        }
      }
      const auto path = folder / geo::concat(name, shift_m, ".gpkg");
      geo::write_layer(layer, path, false);
      const json scores = score(reference, path.string(), "corrected");
      const double value = scores.at("qscore").at("value").get<double>();
      if (shift_m == 0.0) {
        EXPECT_EQ(value, 1.0) << name;
      }
      EXPECT_LT(value, last) << name << ' ' << shift_m;
      last = value;
    }
  }
}

}  // namespace
}  // namespace furrow
