#include <furrow/labelling/site_consensus.h>

#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/vector/geos.h>

#include "support.h"

namespace furrow::labelling {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Assignment map_of(const std::string& id, const std::string& labeller, const std::vector<std::string>& wkts,
                  const std::string& site = "A", const std::string& site_class = "4") {
  Assignment a;
  a.id = id;
  a.site = site;
  a.labeller = labeller;
  a.site_class = site_class;
  a.status = "Approved";
  for (const auto& wkt : wkts) a.polygons.push_back({geo::from_wkt(wkt), "annualcropland", false});
  return a;
}

/// A square as WKT, in pixels of 10 m from the grid's upper left corner.
std::string square(double col, double row, double end_col, double end_row) {
  geo::Box box;
  box.expand(geo::Point{500000.0 + 10.0 * col, 6000000.0 - 10.0 * row});
  box.expand(geo::Point{500000.0 + 10.0 * end_col, 6000000.0 - 10.0 * end_row});
  return geo::to_wkt({geo::to_polygon(box)});
}

Campaign campaign_of(std::vector<Assignment> assignments, const std::string& cell = square(0, 0, 12, 8)) {
  Campaign campaign;
  campaign.crs = geo::Crs::from_user_input("EPSG:32632");
  campaign.sites = {{"A", geo::from_wkt(cell)}};
  campaign.assignments = std::move(assignments);
  return campaign;
}

geo::Raster<std::uint8_t> labels(const SiteConsensus& consensus) {
  geo::Raster<std::uint8_t> raster(consensus.grid.width, consensus.grid.height);
  for (std::size_t p = 0; p < raster.data().size(); ++p) raster.data()[p] = consensus.at(p).label;
  return raster;
}

std::vector<std::string> voters_of(const Campaign& campaign, const ConsensusOptions& options = {},
                                   const std::vector<LabellerWeights>& weights = {}) {
  std::vector<std::string> ids;
  const auto voters = choose_voters(campaign, weights, options).at(0);
  for (const std::size_t i : voters.assignments) ids.push_back(campaign.assignments[i].id);
  return ids;
}

TEST(ChooseVoters, LeavesOutRejectedUnfinishedAndExperts) {
  auto campaign = campaign_of({map_of("1", "anna", {}), map_of("2", "ben", {}), map_of("3", "carl", {}),
                               map_of("4", "dora", {}), map_of("5", "emil", {}), map_of("6", "fred", {}),
                               map_of("7", "gina", {}, "A", "1b")});
  campaign.assignments[1].status = "rejected";
  campaign.assignments[2].status = "Untrusted";
  campaign.assignments[3].status = "Abandoned";
  campaign.assignments[4].status = "Assigned";
  campaign.assignments[5].status = "";
  ConsensusOptions options;
  options.experts = ExpertUse::kIgnore;
  EXPECT_THAT(voters_of(campaign, options), testing::ElementsAre("1", "6"));
}

TEST(ChooseVoters, ReferenceBeforeOtherExpertsBeforeLabellers) {
  auto campaign = campaign_of(
      {map_of("1", "anna", {}), map_of("2", "eva", {}, "A", "1b"), map_of("3", "ole", {}, "A", "1a")});
  EXPECT_THAT(voters_of(campaign), testing::ElementsAre("3"));
  EXPECT_TRUE(choose_voters(campaign, {}, {}).at(0).from_expert);
  campaign.assignments[2].status = "Rejected";
  EXPECT_THAT(voters_of(campaign), testing::ElementsAre("2"));
  campaign.assignments[1].status = "Rejected";
  EXPECT_THAT(voters_of(campaign), testing::ElementsAre("1"));
  EXPECT_FALSE(choose_voters(campaign, {}, {}).at(0).from_expert);
}

TEST(ChooseVoters, LastMapOfALabellerVotes) {
  auto campaign = campaign_of({map_of("1", "anna", {}), map_of("2", "anna", {}), map_of("3", "ben", {})});
  campaign.assignments[0].completion_time = "2023-06-01T00:00:00Z";
  campaign.assignments[1].completion_time = "2023-05-01T00:00:00Z";
  EXPECT_THAT(voters_of(campaign), testing::ElementsAre("1", "3"));
  EXPECT_EQ(choose_voters(campaign, {}, {}).at(0).replaced, 1);
  campaign.assignments[0].completion_time.clear();
  campaign.assignments[1].completion_time.clear();
  EXPECT_THAT(voters_of(campaign), testing::ElementsAre("2", "3"));
}

TEST(ChooseVoters, UnknownLabellersGetTheMeanOrDrop) {
  const auto campaign = campaign_of(
      {map_of("1", "anna", {}), map_of("2", "ben", {}), map_of("3", "new", {}), map_of("4", "odd", {})});
  const std::vector<LabellerWeights> weights{
      {"anna", 9, 0.8, 0.9, 0.7}, {"ben", 9, 0.6, 0.7, 0.9}, {"odd", 1, 0.5, kNaN, 0.5}};
  ConsensusOptions options;
  options.method = ConsensusMethod::kWeighted;
  const auto mean = choose_voters(campaign, weights, options).at(0);
  ASSERT_EQ(mean.weights.size(), 4U);
  EXPECT_DOUBLE_EQ(mean.weights[0].score, 0.8);
  EXPECT_DOUBLE_EQ(mean.weights[2].score, 0.7);
  EXPECT_DOUBLE_EQ(mean.weights[2].field_skill, 0.8);
  EXPECT_DOUBLE_EQ(mean.weights[2].nofield_skill, 0.8);
  EXPECT_DOUBLE_EQ(mean.weights[3].score, 0.5);
  EXPECT_DOUBLE_EQ(mean.weights[3].field_skill, 0.8);
  EXPECT_EQ(mean.unknown, 2);
  options.unknown = UnknownLabeller::kDrop;
  EXPECT_THAT(voters_of(campaign, options, weights), testing::ElementsAre("1", "2"));
  options.fusion.compatible = true;
  const auto published = choose_voters(campaign, weights, options).at(0);
  ASSERT_EQ(published.weights.size(), 4U);
  EXPECT_TRUE(std::isnan(published.weights[2].score));
  EXPECT_TRUE(std::isnan(published.weights[3].field_skill));
}

TEST(ChooseVoters, WeightedNeedsSomebodyKnown) {
  const auto campaign = campaign_of({map_of("1", "anna", {})});
  ConsensusOptions options;
  options.method = ConsensusMethod::kWeighted;
  EXPECT_THROW((void)choose_voters(campaign, {}, options), geo::InvalidArgument);
  const std::vector<LabellerWeights> negative{{"anna", 9, -0.1, 0.9, 0.9}};
  EXPECT_THROW((void)choose_voters(campaign, negative, options), geo::InvalidArgument);
}

TEST(FuseSite, MajorityKeepsNeighboursApart) {
  const std::vector<std::string> two{square(1, 1, 6, 7), square(6, 1, 11, 7)};
  const auto campaign = campaign_of(
      {map_of("1", "anna", two), map_of("2", "ben", two), map_of("3", "carl", {square(1, 1, 11, 7)})});
  const auto voters = choose_voters(campaign, {}, {}).at(0);
  const auto consensus = fuse_site(campaign, campaign.sites[0], voters, test::utm_grid(12, 8), {});
  EXPECT_EQ(test::picture(labels(consensus)), test::picture(test::draw(R"(
    222222222222
    222222222222
    221112211122
    221112211122
    221112211122
    221112211122
    222222222222
    222222222222)")));
}

TEST(FuseSite, RiskAndPosteriorOfTheDisputedPart) {
  const auto campaign = campaign_of({map_of("1", "anna", {square(2, 2, 10, 6)}), map_of("2", "ben", {}),
                                     map_of("3", "carl", {square(2, 2, 10, 6)})});
  const auto voters = choose_voters(campaign, {}, {}).at(0);
  const auto consensus = fuse_site(campaign, campaign.sites[0], voters, test::utm_grid(12, 8), {});
  EXPECT_EQ(consensus.at(0).risk, 0.0);
  const auto& middle = consensus.at(3 * 12 + 6);
  EXPECT_EQ(middle.label, 1);
  EXPECT_NEAR(middle.risk, 1.0 / 3.0, 1e-15);
  EXPECT_LE(consensus.patterns.size(), 3U);
}

TEST(FuseSite, UnsureFieldOfOneIsOutvoted) {
  auto campaign =
      campaign_of({map_of("1", "anna", {square(2, 2, 10, 6)}), map_of("2", "ben", {square(2, 2, 10, 6)})});
  campaign.assignments[1].polygons[0].unsure = true;
  const auto voters = choose_voters(campaign, {}, {}).at(0);
  const auto consensus = fuse_site(campaign, campaign.sites[0], voters, test::utm_grid(12, 8), {});
  const auto& middle = consensus.at(3 * 12 + 6);
  EXPECT_EQ(middle.label, 1);
  EXPECT_NEAR(middle.posterior[1], 0.75, 1e-15);
}

TEST(FuseSite, OnlyPixelsOfTheCellHaveALabel) {
  const auto campaign = campaign_of({map_of("1", "anna", {square(0, 0, 12, 8)})}, square(2, 1, 9, 7));
  const auto voters = choose_voters(campaign, {}, {}).at(0);
  const auto consensus = fuse_site(campaign, campaign.sites[0], voters, test::utm_grid(12, 8), {});
  const auto label = labels(consensus);
  for (std::int64_t row = 0; row < 8; ++row) {
    for (std::int64_t col = 0; col < 12; ++col) {
      const bool inside = col >= 2 && col < 9 && row >= 1 && row < 7;
      EXPECT_EQ(label.at(col, row) == 255, !inside) << col << " " << row;
    }
  }
}

TEST(FuseSite, CutAtTheCellBorderIsNoBoundary) {
  // The field goes on beyond the cell's left and upper border: cut there, and drawn whole, it must look the
  // same.
  const std::string cell = square(2, 2, 12, 8);
  const auto fuse = [&](const std::string& field) {
    const auto campaign = campaign_of({map_of("1", "anna", {field})}, cell);
    const auto voters = choose_voters(campaign, {}, {}).at(0);
    return test::picture(labels(fuse_site(campaign, campaign.sites[0], voters, test::utm_grid(14, 10), {})));
  };
  EXPECT_EQ(fuse(square(2, 2, 8, 6)), fuse(square(-10, -10, 8, 6)));
  EXPECT_EQ(fuse(square(2, 3, 8, 6)), fuse(square(-10, 3, 8, 6)));
  EXPECT_EQ(fuse(square(5, 3, 12, 8)), fuse(square(5, 3, 30, 30)));
  // A field that fills the cell has no boundary in it at all.
  EXPECT_THAT(fuse(cell), testing::Not(testing::HasSubstr("2")));
  // One that ends well inside keeps its outline.
  EXPECT_THAT(fuse(square(5, 4.5, 9, 5.5)), testing::HasSubstr("2"));
}

TEST(FuseSite, CutByHandIsNoBoundaryUnlessTheLabellerDrawsPastTheBorder) {
  const std::string cell = square(0, 0, 20, 20);
  const auto fuse = [&](const std::vector<std::string>& fields, double border_px) {
    const auto campaign = campaign_of({map_of("1", "anna", fields)}, cell);
    ConsensusOptions options;
    options.border_px = border_px;
    const auto voters = choose_voters(campaign, {}, options).at(0);
    return labels(fuse_site(campaign, campaign.sites[0], voters, test::utm_grid(20, 20), options));
  };
  // The left side is 1.2 px inside the cell, the top one 0.3 px outside.
  const std::string wavering = square(1.2, -0.3, 9, 9);
  const auto open = fuse({wavering}, 2.0);
  EXPECT_EQ(open.at(0, 4), 1);
  EXPECT_EQ(open.at(4, 0), 1);
  EXPECT_EQ(open.at(9, 4), 2);
  EXPECT_EQ(open.at(9, 0), 2);
  const auto exact = fuse({wavering}, 0.0);
  EXPECT_EQ(exact.at(1, 4), 2);
  EXPECT_EQ(exact.at(4, 0), 2);
  // The same field, beside one that was drawn whole across the border.
  const auto whole = fuse({wavering, square(12, 12, 25, 18)}, 2.0);
  EXPECT_EQ(whole.at(1, 4), 2);
  EXPECT_EQ(whole.at(19, 15), 1);
}

TEST(FuseSite, NarrowFieldAlongTheBorderIsNotLost) {
  const auto campaign = campaign_of({map_of("1", "anna", {square(0, 0, 1.5, 20)})}, square(0, 0, 20, 20));
  const auto voters = choose_voters(campaign, {}, {}).at(0);
  const auto label = labels(fuse_site(campaign, campaign.sites[0], voters, test::utm_grid(20, 20), {}));
  EXPECT_NE(label.at(0, 10), 0);
  EXPECT_EQ(label.at(1, 10), 2);
  EXPECT_EQ(label.at(4, 10), 0);
}

TEST(FuseSite, OrderOfAssignmentsDoesNotMatter) {
  const std::vector<Assignment> maps{map_of("1", "anna", {square(1, 1, 6, 7)}),
                                     map_of("2", "ben", {square(2, 1, 7, 7)}),
                                     map_of("3", "carl", {square(1, 2, 6, 6), square(6, 2, 11, 6)})};
  const auto forward = campaign_of(maps);
  const auto backward = campaign_of({maps[2], maps[1], maps[0]});
  const auto fuse = [](const Campaign& campaign) {
    const auto voters = choose_voters(campaign, {}, {}).at(0);
    return fuse_site(campaign, campaign.sites[0], voters, test::utm_grid(12, 8), {});
  };
  const auto a = fuse(forward);
  const auto b = fuse(backward);
  EXPECT_EQ(test::picture(labels(a)), test::picture(labels(b)));
  for (std::size_t p = 0; p < 96; ++p) EXPECT_NEAR(a.at(p).risk, b.at(p).risk, 1e-15);
}

TEST(MeasureSite, HandComputed) {
  // 12 x 8 pixels; two of three drew a field of 8 x 4, so all of its 10 x 6 pixels have risk 1/3, the rest 0.
  const auto campaign = campaign_of({map_of("1", "anna", {square(2, 2, 10, 6)}), map_of("2", "ben", {}),
                                     map_of("3", "carl", {square(2, 2, 10, 6)})});
  const auto voters = choose_voters(campaign, {}, {});
  const auto consensus = fuse_site(campaign, campaign.sites[0], voters[0], test::utm_grid(12, 8), {});
  auto s = describe_sites(campaign, voters).at(0);
  measure_site(consensus, 0.3, s);
  EXPECT_EQ(s.name, "A");
  EXPECT_EQ(s.n_labellers, 3);
  EXPECT_EQ(s.n_pixels, 96);
  EXPECT_NEAR(s.lonlat.x, 9.0, 0.01);
  const auto counted =
      static_cast<double>(std::ranges::count_if(labels(consensus).data(), [](int v) { return v != 0; }));
  EXPECT_NEAR(s.field_share, counted / 96.0, 1e-12);
  EXPECT_NEAR(s.mean_risk, counted / 96.0 / 3.0, 1e-12);
  EXPECT_NEAR(s.risky_share, counted / 96.0, 1e-12);
  // At 9 degrees east UTM 32 shrinks lengths by 0.9996.
  EXPECT_NEAR(s.area_m2, 9600.0 / (0.9996 * 0.9996), 1.0);
  EXPECT_NEAR(s.wrong_area_m2, s.area_m2 * s.mean_risk, 1e-6);
  measure_site(consensus, 0.34, s);
  EXPECT_EQ(s.risky_share, 0.0);
}

TEST(MeasureSite, BandAndInsideTogetherAreTheWhole) {
  const auto campaign = campaign_of({map_of("1", "anna", {square(8, 8, 32, 32)}),
                                     map_of("2", "ben", {square(10, 8, 32, 32)}), map_of("3", "carl", {})},
                                    square(0, 0, 40, 40));
  const auto voters = choose_voters(campaign, {}, {});
  const auto consensus = fuse_site(campaign, campaign.sites[0], voters[0], test::utm_grid(40, 40), {});
  auto s = describe_sites(campaign, voters).at(0);
  measure_site(consensus, 0.34, s);
  EXPECT_NEAR(s.risk_inside, 1.0 / 3.0, 1e-12);
  EXPECT_GT(s.risk_band, 0.0);
  EXPECT_GT(s.risk_band, s.risk_outside);
  EXPECT_GT(s.band_share, 0.1);
  EXPECT_LT(s.band_share, 0.6);
}

TEST(MeasureSite, WithoutVotesNothingIsMeasured) {
  const auto campaign = campaign_of({});
  const auto voters = choose_voters(campaign, {}, {});
  const auto consensus = fuse_site(campaign, campaign.sites[0], voters[0], test::utm_grid(12, 8), {});
  auto s = describe_sites(campaign, voters).at(0);
  measure_site(consensus, 0.34, s);
  EXPECT_EQ(s.n_pixels, 0);
  EXPECT_EQ(s.wrong_area_m2, 0.0);
  EXPECT_TRUE(std::isnan(s.mean_risk));
  EXPECT_TRUE(std::isnan(s.risk_band));
}

TEST(RasterizeVotes, SouthUpGridsGiveTheSameVotes) {
  const auto assignment = map_of("1", "anna", {square(2, 2, 10, 5)});
  const auto cell = geo::from_wkt(square(0, 0, 12, 8));
  const auto north = test::utm_grid(12, 8);
  auto south = north;
  south.transform.y0 = north.transform.y0 - 80.0;
  south.transform.dy = 10.0;
  const auto a = rasterize_votes(assignment, cell, north, {});
  const auto b = rasterize_votes(assignment, cell, south, {});
  for (std::size_t row = 0; row < 8; ++row) {
    for (std::size_t col = 0; col < 12; ++col) EXPECT_EQ(a[row * 12 + col], b[(7 - row) * 12 + col]);
  }
}

}  // namespace
}  // namespace furrow::labelling
