#include <furrow/labelling/campaign.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/geos.h>
#include <furrow/geo/vector/layer_writer.h>

#include "support.h"

namespace furrow::labelling {
namespace {

using testing::AllOf;
using testing::HasSubstr;

struct DrawnPolygon {
  std::string id;
  std::string category;
  std::string wkt;
};

class CampaignFiles : public testing::Test {
 protected:
  void write_catalogue(const std::string& text) {
    std::ofstream(m_folder / "catalogue.csv") << text;
    m_options.catalogue = (m_folder / "catalogue.csv").string();
  }

  void write_labels(const std::vector<DrawnPolygon>& polygons, const std::string& crs = "EPSG:4326") {
    geo::Layer layer;
    layer.name = "labels";
    layer.crs = geo::Crs::from_user_input(crs);
    layer.fields = {{"assignment_id", geo::FieldType::kString, ""},
                    {"category", geo::FieldType::kString, ""}};
    for (const auto& p : polygons) {
      layer.features.push_back({-1, geo::from_wkt(p.wkt), {geo::Value(p.id), geo::Value(p.category)}});
    }
    geo::write_layer(layer, m_folder / "labels.gpkg", true);
    m_options.labels = (m_folder / "labels.gpkg").string();
  }

  Campaign read() {
    m_problems.clear();
    return read_campaign(m_options, m_problems);
  }

  std::string error() {
    try {
      (void)read();
    } catch (const geo::Error& e) {
      return e.what();
    }
    return "no error";
  }

  test::TemporaryFolder m_folder;
  CampaignOptions m_options;
  std::vector<CampaignProblem> m_problems;
};

const char* const kSquare = "POLYGON ((30 10, 30.001 10, 30.001 10.001, 30 10.001, 30 10))";

TEST_F(CampaignFiles, JoinsRowsPolygonsAndCells) {
  write_catalogue(
      "name,Class,assignment_id,Labeller,status,completion_time,x,y,nflds\n"
      "B1,2,7,east1,Approved,2021-01-02,30.1,10,0\n"
      "A1,1a,100001.0,12,None,NA,30,10,1\n"
      "A1,1C,5,3.0,Approved,,30,10,NA\n");
  write_labels(
      {{"100001", "annualcropland", kSquare}, {"5", "Unsure1", kSquare}, {"5", "treecropland", kSquare}});
  const Campaign campaign = read();
  EXPECT_TRUE(m_problems.empty());
  ASSERT_EQ(campaign.sites.size(), 2U);
  EXPECT_EQ(campaign.sites[0].name, "A1");
  ASSERT_NE(campaign.find_site("B1"), nullptr);
  EXPECT_EQ(campaign.find_site("Z"), nullptr);
  const geo::Box cell = geo::bounds(campaign.find_site("B1")->cell);
  EXPECT_NEAR(cell.min_x, 30.0975, 1e-12);
  EXPECT_NEAR(cell.max_y, 10.0025, 1e-12);

  ASSERT_EQ(campaign.assignments.size(), 3U);
  const auto of_a1 = campaign.assignments_of("A1");
  ASSERT_EQ(of_a1.size(), 2U);
  const Assignment& reference = campaign.assignments[of_a1[0]];
  EXPECT_EQ(reference.id, "100001");
  EXPECT_TRUE(reference.is_reference());
  EXPECT_EQ(reference.status, "");
  const Assignment& drawn = campaign.assignments[of_a1[1]];
  EXPECT_EQ(drawn.site_class, "1c");
  EXPECT_EQ(drawn.labeller, "3");
  ASSERT_EQ(drawn.polygons.size(), 2U);
  EXPECT_TRUE(drawn.polygons[0].unsure);
  EXPECT_FALSE(drawn.polygons[1].unsure);
  EXPECT_TRUE(campaign.assignments[2].polygons.empty());
}

TEST_F(CampaignFiles, CellsFollowTheLabelsCrs) {
  write_catalogue("name,Class,assignment_id,Labeller,x,y\nA1,2,1,x,9.0,54.0\n");
  write_labels({{"1", "f", "POLYGON ((500000 5983500, 500100 5983500, 500100 5983600, 500000 5983500))"}},
               "EPSG:32632");
  const Campaign campaign = read();
  EXPECT_EQ(campaign.crs.epsg(), 32632);
  // 0.005 degrees at 54 N: 328 m by 557 m around the central meridian (x = 500000).
  const geo::Box cell = geo::bounds(campaign.sites[0].cell);
  EXPECT_NEAR(cell.centre().x, 500000.0, 0.1);
  EXPECT_NEAR(cell.width(), 328.0, 1.0);
  EXPECT_NEAR(cell.height(), 556.4, 1.0);
}

TEST_F(CampaignFiles, PolygonsThatAllMissTheirSitesAreInAnotherCrs) {
  write_catalogue("name,Class,assignment_id,Labeller,x,y\nA1,2,1,x,9.0,54.0\n");
  write_labels({{"1", "f", "POLYGON ((9 50, 9.001 50, 9.001 50.001, 9 50))"}});
  EXPECT_THAT(error(),
              AllOf(HasSubstr("none of the 1 polygons"), HasSubstr("EPSG:4326"), HasSubstr("--labels-crs")));
}

TEST_F(CampaignFiles, SiteLayerGivesTheCells) {
  geo::Layer sites = test::layer_of({kSquare}, "EPSG:4326");
  sites.fields = {{"name", geo::FieldType::kString, ""}};
  sites.features[0].values = {geo::Value(std::string("A1"))};
  geo::write_layer(sites, m_folder / "sites.gpkg", false);
  m_options.sites = (m_folder / "sites.gpkg").string();
  write_catalogue("name,Class,assignment_id,Labeller\nA1,2,1,x\nB1,2,2,x\n");
  const Campaign campaign = read();
  ASSERT_EQ(campaign.sites.size(), 1U);
  EXPECT_NEAR(geo::bounds(campaign.sites[0].cell).width(), 0.001, 1e-12);
  ASSERT_EQ(m_problems.size(), 1U);
  EXPECT_THAT(m_problems[0].input, HasSubstr("catalogue.csv:3"));
  EXPECT_THAT(m_problems[0].message, AllOf(HasSubstr("'B1'"), HasSubstr("sites.gpkg")));

  sites.features.push_back(sites.features[0]);
  geo::write_layer(sites, m_folder / "sites.gpkg", true);
  EXPECT_THAT(error(), AllOf(HasSubstr("site 'A1' is twice"), HasSubstr("fid 1 and 2")));
}

TEST_F(CampaignFiles, DuplicateIdNamesBothLines) {
  write_catalogue(
      "name,Class,assignment_id,Labeller,x,y\nA,2,7,x,0,0\nB,2,8,x,1,1\n\"C\nD\",2,9,x,2,2\nE,2,7.0,x,3,3\n");
  EXPECT_THAT(error(), AllOf(HasSubstr("catalogue.csv:6: assignment_id '7' is already at "),
                             HasSubstr("catalogue.csv:2;")));
}

TEST_F(CampaignFiles, MissingColumnIsNamedWithTheNearestOne) {
  write_catalogue("name,Class,assignmentid,Labeller,x,y\nA,2,7,x,0,0\n");
  EXPECT_THAT(error(), AllOf(HasSubstr("catalogue.csv' has no column 'assignment_id'"),
                             HasSubstr("did you mean 'assignmentid'?")));
  write_catalogue("name,Class,assignment_id,Labeller\nA,2,7,x\n");
  EXPECT_THAT(error(), HasSubstr("has no column 'x'"));
}

TEST_F(CampaignFiles, RaggedRowNamesItsLine) {
  write_catalogue("name,Class,assignment_id,Labeller,x,y\nA,2,7,x,0,0\nB,2,8,x,0\n");
  EXPECT_THAT(error(), HasSubstr("catalogue.csv:3: 5 cells where the header has 6"));
}

TEST_F(CampaignFiles, BadRowsAreListedAndTheOthersGoOn) {
  write_catalogue(
      "name,Class,assignment_id,Labeller,x,y,nflds\n"
      "NA,2,1,x,0,0,0\n"
      "A,2,,x,0,0,0\n"
      "A,2,3,,0,0,0\n"
      "A,2,4,x,200,0,0\n"
      "A,2,5,x,30,10,0\n"
      "A,2,6,x,30.1,10,0\n"
      "A,2,7,x,30,10,4\n"
      "A,2,8,x,30,10,many\n");
  write_labels({{"5", "f", kSquare}, {"99", "f", kSquare}, {"99", "f", kSquare}, {"", "f", kSquare}});
  const Campaign campaign = read();
  ASSERT_EQ(campaign.assignments.size(), 1U);
  EXPECT_EQ(campaign.assignments[0].id, "5");
  std::string all;
  for (const auto& p : m_problems) all += p.input + ": " + p.message + "\n";
  EXPECT_THAT(all, HasSubstr("catalogue.csv:2: the row has no site name"));
  EXPECT_THAT(all, HasSubstr("catalogue.csv:3: the row has no assignment_id"));
  EXPECT_THAT(all, HasSubstr("catalogue.csv:4: the row has no Labeller"));
  EXPECT_THAT(all, HasSubstr("catalogue.csv:5: x, y = '200', '0' is no position"));
  EXPECT_THAT(all, HasSubstr("catalogue.csv:7: site 'A' lies elsewhere than at "));
  EXPECT_THAT(all, HasSubstr("catalogue.csv:8: nflds says that assignment '7' has fields"));
  EXPECT_THAT(all, HasSubstr("catalogue.csv:9: nflds is 'many'"));
  EXPECT_THAT(all, HasSubstr("labels.gpkg fid 2: assignment '99' is not in "));
  EXPECT_THAT(all, HasSubstr("its 2 polygons were left out"));
  EXPECT_THAT(all, HasSubstr("labels.gpkg fid 4: the polygon has no assignment_id"));
  EXPECT_EQ(m_problems.size(), 9U);
}

TEST_F(CampaignFiles, NoUsableRowIsAnError) {
  write_catalogue("name,Class,assignment_id,Labeller,x,y\n,2,1,x,0,0\n");
  EXPECT_THAT(error(), AllOf(HasSubstr("has no usable row"), HasSubstr("the row has no site name")));
  write_catalogue("name,Class,assignment_id,Labeller,x,y\n");
  EXPECT_THAT(error(), HasSubstr("has no usable row"));
}

TEST_F(CampaignFiles, InvalidPolygonsFollowThePolicy) {
  write_catalogue("name,Class,assignment_id,Labeller,x,y\nA,2,1,x,30,10\nA,2,2,y,30,10\n");
  const char* const bow_tie = "POLYGON ((30 10, 30.001 10.001, 30.001 10, 30 10.001, 30 10))";
  write_labels({{"1", "f", kSquare}, {"2", "f", bow_tie}});
  EXPECT_THAT(error(), AllOf(HasSubstr("fid 2"), HasSubstr("--invalid repair")));
  m_options.invalid = geo::InvalidGeometry::kRepair;
  EXPECT_EQ(read().assignments.size(), 2U);
  EXPECT_TRUE(m_problems.empty());
  // Left out, assignment 2 has no polygon any more; that is not an empty map.
  m_options.invalid = geo::InvalidGeometry::kSkip;
  EXPECT_EQ(read().assignments.size(), 1U);
  ASSERT_EQ(m_problems.size(), 1U);
  EXPECT_THAT(m_problems[0].message, AllOf(HasSubstr("assignment '2'"), HasSubstr("left out as invalid")));
}

TEST(Assignment, UnfinishedStatesAreNoAnswers) {
  Assignment a;
  EXPECT_TRUE(a.is_finished());
  a.status = "Rejected";
  EXPECT_TRUE(a.is_finished());
  a.status = "returned";
  EXPECT_FALSE(a.is_finished());
}

}  // namespace
}  // namespace furrow::labelling
