// Two people who mapped the same buildings without knowing of each other: data/polygon_raters.
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/layer.h>
#include <furrow/geo/vector/layer_writer.h>

#include "support.h"

namespace furrow {
namespace {

using nlohmann::json;

std::string map_of(const std::string& labeller) {
  return test::shared("data/polygon_raters/two_labellers_buildings/labeller_" + labeller + ".geojson")
      .string();
}

/// One site around both maps.
std::string write_cell(const test::TemporaryFolder& folder) {
  geo::Layer cell = test::layer_of(
      {"POLYGON((90.2741 23.9216,90.2858 23.9216,90.2858 23.9228,90.2741 23.9228,90.2741 23.9216))"},
      "EPSG:4326");
  cell.fields = {{"name", geo::FieldType::kString, ""}};
  cell.features[0].values = {std::string("site")};
  geo::write_layer(cell, folder / "cell.gpkg", false);
  return (folder / "cell.gpkg").string();
}

/// Both maps as a campaign: polygons with the id of their assignment.
std::string write_campaign(const test::TemporaryFolder& folder) {
  std::ofstream(folder / "catalogue.csv") << "name,Class,assignment_id,Labeller,x,y,status\n"
                                             "site,4,1,a,90.28,23.9222,Approved\n"
                                             "site,4,2,b,90.28,23.9222,Approved\n";
  geo::Layer both = geo::read_layer(map_of("a"));
  const std::size_t n_a = both.features.size();
  geo::Layer second = geo::read_layer(map_of("b"));
  for (auto& feature : second.features) both.features.push_back(std::move(feature));
  both.fields = {{"assignment_id", geo::FieldType::kInteger, ""}};
  for (std::size_t i = 0; i < both.features.size(); ++i)
    both.features[i].values = {std::int64_t{i < n_a ? 1 : 2}};
  geo::write_layer(both, folder / "labels.gpkg", false);
  return geo::concat(" ", (folder / "catalogue.csv").string(), " --labels ",
                     (folder / "labels.gpkg").string());
}

TEST(PolygonRaters, UnionsOverlapAsPublished) {
  FURROW_NEEDS_SHARED_DATA();
  const test::TemporaryFolder folder;
  const auto result =
      test::furrow(geo::concat("score site --reference ", map_of("a"), " --labels ", map_of("b"), " --cell ",
                               write_cell(folder), " --invalid repair --json"));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json scores = json::parse(result.out);
  const json& details = scores.at("details");
  const double tp = details.at("tp_m2");
  const double either = tp + details.at("fp_m2").get<double>() + details.at("fn_m2").get<double>();
  EXPECT_NEAR(tp / either, 0.600, 0.0005);
  // Of 169 and 162 buildings those of at least 25 m2 count.
  EXPECT_EQ(details.at("reference_fields"), 160);
  EXPECT_EQ(details.at("labeller_fields"), 157);
}

TEST(PolygonRaters, ConsensusOfTwoWithoutAnExpert) {
  FURROW_NEEDS_SHARED_DATA();
  const test::TemporaryFolder folder;
  const auto result = test::furrow(
      geo::concat("consensus", write_campaign(folder), " --sites ", write_cell(folder),
                  " --invalid repair --classes 2 --site-px 1000 --out ", (folder / "out").string()));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const geo::CsvTable labellers = geo::read_csv(folder / "out/labellers.csv");
  ASSERT_EQ(labellers.rows.size(), 2U);
  for (const auto& row : labellers.rows) {
    const auto number = [&](const char* column) {
      double value = -1.0;
      EXPECT_TRUE(geo::parse_number(row[labellers.column(column)], value)) << column;
      return value;
    };
    // Nobody knows who is right: both come out alike, good, and with wide intervals.
    EXPECT_GT(number("FieldSkill"), 0.6);
    EXPECT_GT(number("NoFieldSkill"), 0.8);
    EXPECT_LT(number("FieldSkill_low"), number("FieldSkill"));
    EXPECT_GT(number("FieldSkill_high") - number("FieldSkill_low"), 0.1);
  }
  const geo::CsvTable sites = geo::read_csv(folder / "out/sites.csv");
  double risk = 0.0;
  ASSERT_TRUE(geo::parse_number(sites.rows[0][sites.column("Risk")], risk));
  EXPECT_GT(risk, 0.01);
  EXPECT_LT(risk, 0.2);
}

}  // namespace
}  // namespace furrow
