#include <furrow/labelling/review_output.h>

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/labelling/consensus_output.h>

#include "support.h"

namespace furrow::labelling {
namespace {

geo::MultiPolygon box_of(double x0, double y0, double x1, double y1) {
  return {geo::to_polygon({500000.0 + x0, 6000000.0 - y1, 500000.0 + x1, 6000000.0 - y0})};
}

void add_map(Campaign& campaign, int site, const std::string& labeller, const std::string& site_class,
             double field_m, const std::string& status = "") {
  Assignment a;
  a.site = "S" + std::to_string(site);
  a.id = a.site + "/" + labeller;
  a.labeller = labeller;
  a.site_class = site_class;
  a.status = status;
  const double left = 400.0 * site;
  if (field_m > 0.0) a.polygons = {{box_of(left + 50, 50, left + 50 + field_m, 250), "crop", false}};
  campaign.assignments.push_back(std::move(a));
}

/// Eight sites of 300 x 300 m. An expert mapped the first three, nobody the last. "anna" draws every field of
/// 200 x 200 m, "ben" half of each, "cora" sometimes nothing; at S3 all of them, at S4 and S5 only ben and
/// cora, at S6 only ben; anna's map of S5 was rejected.
Campaign make_campaign() {
  Campaign campaign;
  campaign.crs = geo::Crs::from_user_input("EPSG:32632");
  for (int s = 0; s < 8; ++s) {
    const double left = 400.0 * s;
    campaign.sites.push_back({"S" + std::to_string(s), box_of(left, 0, left + 300, 300)});
    const std::string own = s < 3 ? "1c" : "4";
    if (s < 4) add_map(campaign, s, "anna", own, 200);
    if (s == 5) add_map(campaign, s, "anna", own, 100, "Rejected");
    if (s < 7) add_map(campaign, s, "ben", own, 100);
    if (s < 3) add_map(campaign, s, "boss", "1a", 200);
    if (s < 6) add_map(campaign, s, "cora", own, s % 2 == 0 ? 200 : 0);
  }
  return campaign;
}

struct Fused {
  Campaign campaign;
  std::vector<SiteVoters> voters;
  ConsensusResult result;

  explicit Fused(Campaign c, ConsensusMethod method = ConsensusMethod::kBayes) : campaign(std::move(c)) {
    ConsensusOptions options;
    options.method = method;
    options.fusion.classes = 2;
    voters = choose_voters(campaign, {}, options);
    const test::TemporaryFolder folder;
    ConsensusTarget target;
    target.site_px = 30;
    geo::ExecContext exec;
    exec.execute([&] { result = write_consensus(campaign, voters, options, target, folder.path(), exec); });
  }

  [[nodiscard]] std::vector<ReviewedSite> queue(const ReviewOptions& options = {}) const {
    return review_campaign(campaign, voters, *result.votes, *result.joint, result.sites, options);
  }
};

const ReviewedSite* find(const std::vector<ReviewedSite>& queue, std::size_t site) {
  for (const auto& s : queue) {
    if (s.site == site) return &s;
  }
  return nullptr;
}

TEST(ReviewCampaign, AsksForTheMapsThatAreMissing) {
  const Fused fused(make_campaign());
  ReviewOptions options;
  options.expert_cost = 1e6;  // never
  const auto queue = fused.queue(options);
  for (const std::size_t site : {0U, 1U, 2U, 7U}) EXPECT_EQ(find(queue, site), nullptr) << site;
  const ReviewedSite* s4 = find(queue, 4);
  ASSERT_NE(s4, nullptr);
  EXPECT_EQ(s4->ask, "anna");
  EXPECT_EQ(s4->n_labellers, 2);
  EXPECT_NEAR(s4->mean_risk, fused.result.sites[4].mean_risk, 1e-12);
  EXPECT_NEAR(s4->wrong_area_m2, fused.result.sites[4].wrong_area_m2, 1e-6);
  EXPECT_NEAR(s4->expert_removed_m2, s4->wrong_area_m2, 1e-6);
  EXPECT_NEAR(s4->risk_removed_m2, s4->risk_removed * fused.result.sites[4].area_m2, 1e-6);
  EXPECT_THAT(s4->reason, testing::HasSubstr("after 2 maps"));
  EXPECT_THAT(s4->reason, testing::HasSubstr("a map by anna (finds "));
  // Everybody mapped S3; anna's map of S5 was rejected, she is not asked again.
  for (const std::size_t site : {3U, 5U}) {
    const ReviewedSite* s = find(queue, site);
    if (s != nullptr) {
      EXPECT_NE(s->ask, "anna");
      EXPECT_EQ(s->ask.front(), '(');
    }
  }
  for (std::size_t i = 0; i < queue.size(); ++i) {
    EXPECT_EQ(queue[i].rank, static_cast<std::int64_t>(i) + 1);
    EXPECT_LE(queue[i].per_cost, queue[i == 0 ? 0 : i - 1].per_cost);
  }
}

TEST(ReviewCampaign, ExpertsWhenTheyAreCheap) {
  const Fused fused(make_campaign());
  ReviewOptions options;
  options.expert_cost = 0.001;
  const auto queue = fused.queue(options);
  ASSERT_EQ(queue.size(), 4U);
  for (const auto& site : queue) {
    EXPECT_EQ(site.ask, "(expert)");
    EXPECT_NEAR(site.risk_removed_m2, site.wrong_area_m2, 1e-9);
    EXPECT_THAT(site.reason, testing::HasSubstr("a map by an expert should correct"));
  }
  EXPECT_THAT(find(queue, 6)->reason, testing::HasSubstr("after one map"));
}

TEST(ReviewCampaign, TablesAndLayersSayTheSame) {
  const Fused fused(make_campaign());
  const auto queue = fused.queue();
  ASSERT_FALSE(queue.empty());
  const geo::CsvTable table = review_table(fused.campaign, queue);
  const geo::Layer layer = review_layer(fused.campaign, queue);
  ASSERT_EQ(table.rows.size(), queue.size());
  ASSERT_EQ(layer.features.size(), queue.size());
  EXPECT_EQ(layer.name, "review_queue");
  EXPECT_EQ(layer.fields.size(), table.columns.size());
  EXPECT_EQ(table.rows[0][table.column("rank")], "1");
  EXPECT_EQ(table.rows[0][table.column("site")], fused.campaign.sites[queue[0].site].name);
  EXPECT_EQ(table.rows[0][table.column("ask")], queue[0].ask);
  EXPECT_TRUE(geo::bounds(layer.features[0].geometry)
                  .intersects(geo::bounds(fused.campaign.sites[queue[0].site].cell)));
}

TEST(ReviewCampaign, NothingToAskForIsAnEmptyQueue) {
  Campaign campaign = make_campaign();
  campaign.sites.resize(3);
  std::erase_if(campaign.assignments, [](const Assignment& a) { return a.site > "S2"; });
  const Fused experts(campaign);
  EXPECT_TRUE(experts.queue().empty());
  EXPECT_TRUE(review_table(experts.campaign, {}).rows.empty());
  std::erase_if(campaign.assignments, [](const Assignment&) { return true; });
  EXPECT_TRUE(Fused(campaign).queue().empty());
}

TEST(ReviewCampaign, MapsWithoutANameAreNobodyToAsk) {
  Campaign campaign = make_campaign();
  for (auto& a : campaign.assignments) {
    if (a.labeller == "anna") a.labeller.clear();
  }
  const Fused fused(campaign);
  for (const auto& site : fused.queue()) EXPECT_EQ(site.ask.find("assignment"), std::string::npos);
}

TEST(ReviewCampaign, NeedsABayesianFit) {
  const Fused fused(make_campaign(), ConsensusMethod::kDawidSkene);
  EXPECT_THROW((void)fused.queue(), geo::InvalidArgument);
}

}  // namespace
}  // namespace furrow::labelling
