#include <furrow/labelling/joint_consensus.h>

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/labelling/consensus_output.h>

#include "support.h"

namespace furrow::labelling {
namespace {

geo::MultiPolygon box_of(double x0, double y0, double x1, double y1) {
  return {geo::to_polygon({500000.0 + x0, 6000000.0 - y1, 500000.0 + x1, 6000000.0 - y0})};
}

Assignment map_of(const std::string& site, const std::string& labeller, const std::string& site_class,
                  std::vector<LabelledPolygon> polygons) {
  Assignment a;
  a.id = site + "/" + labeller;
  a.site = site;
  a.labeller = labeller;
  a.site_class = site_class;
  a.polygons = std::move(polygons);
  return a;
}

/// Six sites of 30 x 30 px in a row, each with one field in the middle. An expert mapped the first two.
/// Labeller "good" draws the field, "narrow" only its left half, "unsure" the whole as unsure.
Campaign make_campaign() {
  Campaign campaign;
  campaign.crs = geo::Crs::from_user_input("EPSG:32632");
  for (int s = 0; s < 6; ++s) {
    const std::string name = "S" + std::to_string(s);
    const double left = 300.0 * s;
    campaign.sites.push_back({name, box_of(left, 0, left + 300, 300)});
    const auto field = box_of(left + 50, 50, left + 250, 250);
    const auto half = box_of(left + 50, 50, left + 150, 250);
    const bool expert = s < 2;
    if (expert) campaign.assignments.push_back(map_of(name, "boss", "1a", {{field, "crop", false}}));
    const std::string own = expert ? "1c" : "4";
    campaign.assignments.push_back(map_of(name, "good", own, {{field, "crop", false}}));
    campaign.assignments.push_back(map_of(name, "narrow", own, {{half, "crop", false}}));
    campaign.assignments.push_back(map_of(name, "unsure", own, {{field, "unsure1", true}}));
  }
  return campaign;
}

ConsensusOptions options_of(ConsensusMethod method, int classes = 2) {
  ConsensusOptions options;
  options.method = method;
  options.fusion.classes = classes;
  return options;
}

JointVotes collect_all(const Campaign& campaign, const std::vector<SiteVoters>& voters,
                       const ConsensusOptions& options) {
  JointVotes votes(campaign, voters, options.fusion.classes);
  for (std::size_t s = 0; s < campaign.sites.size(); ++s) {
    geo::Grid grid = test::utm_grid(32, 32);  // two pixels beyond the cell
    grid.transform = {500000.0 + 300.0 * static_cast<double>(s), 10.0, 0.0, 6000000.0, 0.0, -10.0};
    votes.add(s, collect_votes(campaign, campaign.sites[s], voters[s], grid, options));
  }
  return votes;
}

TEST(JointConsensus, TableHoldsEveryPixelOfEverySiteOnce) {
  const Campaign campaign = make_campaign();
  const ConsensusOptions options = options_of(ConsensusMethod::kBayes);
  const auto voters = choose_voters(campaign, {}, options);
  EXPECT_EQ(voters[0].learners.size(), 3U);
  EXPECT_EQ(voters[2].learners.size(), 0U);
  const JointVotes votes = collect_all(campaign, voters, options);
  EXPECT_THAT(votes.labellers(), testing::ElementsAre("good", "narrow", "unsure"));
  // 900 pixels inside each cell; those beyond it are no items.
  EXPECT_EQ(votes.table().items(), 6 * 900.0);
  EXPECT_EQ(votes.table().outcomes(), 3);
  double known = 0.0;
  double unsure = 0.0;
  for (std::size_t i = 0; i < votes.table().rows(); ++i) {
    const VoteRow row = votes.table().row(i);
    if (row.truth >= 0) {
      known += row.count;
      EXPECT_LT(row.group, 2U);
      // The expert's field is what "good" drew.
      EXPECT_EQ(row.votes[0].outcome, row.truth);
    }
    for (const auto& vote : row.votes) {
      if (vote.voter == 2 && vote.outcome == 2) unsure += row.count;
    }
  }
  EXPECT_EQ(known, 2 * 900.0);
  EXPECT_EQ(unsure, 6 * 400.0);
}

TEST(JointConsensus, ExpertsWhoDisagreeTeachNothingThere) {
  Campaign campaign = make_campaign();
  campaign.assignments.push_back(map_of("S0", "chief", "1a", {{box_of(50, 50, 150, 250), "crop", false}}));
  const ConsensusOptions options = options_of(ConsensusMethod::kBayes);
  const auto voters = choose_voters(campaign, {}, options);
  const SiteVotes votes =
      collect_votes(campaign, campaign.sites[0], voters[0], test::utm_grid(30, 30), options);
  double unknown = 0.0;
  for (std::size_t i = 0; i < votes.patterns.size(); ++i) {
    if (votes.truth[i] < 0) unknown += static_cast<double>(votes.patterns.counts[i]);
  }
  EXPECT_EQ(unknown, 200.0);
}

TEST(JointConsensus, EveryMethodLearnsWhoMissesFields) {
  const Campaign campaign = make_campaign();
  for (const auto method :
       {ConsensusMethod::kBayes, ConsensusMethod::kDawidSkene, ConsensusMethod::kStaple}) {
    SCOPED_TRACE(static_cast<int>(method));
    const ConsensusOptions options = options_of(method);
    const auto voters = choose_voters(campaign, {}, options);
    const JointVotes votes = collect_all(campaign, voters, options);
    const JointFit fit = fuse_jointly(votes, options);
    EXPECT_GT(fit.fusion.confusion_at(0, 1, 1), fit.fusion.confusion_at(1, 1, 1) + 0.2);
    const auto fused = decide_site(votes, fit, 3, options.fusion);
    const std::size_t first = *votes.first_row(3);
    for (std::size_t p = 0; p < fused.size(); ++p) {
      const VoteRow row = votes.table().row(first + p);
      if (row.votes.empty()) {
        EXPECT_EQ(fused[p].label, 255);
      } else {
        EXPECT_EQ(fused[p].label, row.votes[0].outcome);  // "good" is right
        EXPECT_NEAR(fused[p].risk, std::min(fused[p].posterior[0], fused[p].posterior[1]), 1e-12);
      }
    }
    const geo::CsvTable table = labeller_table(fit);
    EXPECT_EQ(table.rows.size(), 3U);
    EXPECT_EQ(table.rows[1][table.column("Labeller")], "narrow");
    EXPECT_EQ(table.rows[1][table.column("n_sites")], "6");
    const bool intervals = table.rows[1][table.column("FieldSkill_low")] != "NA";
    EXPECT_EQ(intervals, method == ConsensusMethod::kBayes);
    EXPECT_NEAR(std::stod(table.rows[1][table.column("field_as_field")]), fit.fusion.confusion_at(1, 1, 1),
                1e-12);
  }
  EXPECT_THROW((void)fuse_jointly(JointVotes(campaign, choose_voters(campaign, {}, {}), 2),
                                  options_of(ConsensusMethod::kMajority)),
               geo::InvalidArgument);
}

ConsensusResult write(const Campaign& campaign, const ConsensusTarget& target,
                      const ConsensusOptions& options, const std::filesystem::path& folder, int threads) {
  geo::ExecContext exec({threads, 0});
  const auto voters = choose_voters(campaign, {}, options);
  ConsensusResult result;
  exec.execute([&] { result = write_consensus(campaign, voters, options, target, folder, exec); });
  return result;
}

std::vector<std::uint8_t> read(const std::filesystem::path& path) {
  const geo::RasterReader reader(path.string());
  return reader.read<std::uint8_t>(reader.grid().window()).data();
}

TEST(JointConsensus, RastersAreTheSameForAnyThreadsAndForSitesOrMosaic) {
  const Campaign campaign = make_campaign();
  const ConsensusOptions options = options_of(ConsensusMethod::kBayes, 3);
  ConsensusTarget mosaic;
  mosaic.grid = test::utm_grid(180, 30);
  ConsensusTarget sites;
  sites.site_px = 30;
  const test::TemporaryFolder one;
  const test::TemporaryFolder four;
  const test::TemporaryFolder apart;
  const auto result = write(campaign, mosaic, options, one.path(), 1);
  (void)write(campaign, mosaic, options, four.path(), 4);
  (void)write(campaign, sites, options, apart.path(), 4);
  ASSERT_TRUE(result.joint && result.joint->bayes);
  for (const char* name : {"label.tif", "posterior.tif", "risk.tif"})
    EXPECT_EQ(read(one / name), read(four / name)) << name;
  const auto label = read(one / "label.tif");
  const auto risk = read(one / "risk.tif");
  const auto site = read(apart / "S4_label.tif");
  for (std::size_t row = 0; row < 30; ++row) {
    for (std::size_t col = 0; col < 30; ++col) {
      EXPECT_EQ(label[row * 180 + 120 + col], site[row * 30 + col]);
      EXPECT_EQ(risk[row * 180 + col], 0);  // the expert's map is the consensus
    }
  }
  EXPECT_EQ(label[15 * 180 + 15], 1);
  EXPECT_EQ(label[15 * 180 + 140], 1);  // the right half, which "narrow" missed
  EXPECT_GT(risk[15 * 180 + 140], 0);
  EXPECT_GT(result.sites[3].mean_risk, 0.0);
  EXPECT_TRUE(result.sites[0].from_expert);
}

TEST(JointConsensus, WorksWithoutAnyExpert) {
  const Campaign campaign = make_campaign();
  ConsensusOptions options = options_of(ConsensusMethod::kBayes, 3);
  options.experts = ExpertUse::kIgnore;
  ConsensusTarget target;
  target.site_px = 30;
  const test::TemporaryFolder folder;
  const auto result = write(campaign, target, options, folder.path(), 2);
  ASSERT_TRUE(result.joint && result.joint->bayes);
  EXPECT_EQ(result.joint->bayes->reference_groups, 0U);
  EXPECT_EQ(result.files.size(), 6U);
  EXPECT_TRUE(reliability_table(result.joint->bayes->calibration).rows.empty());
}

TEST(JointConsensus, AnyVotesAtASiteCanBeJudged) {
  const Campaign campaign = make_campaign();
  const ConsensusOptions options = options_of(ConsensusMethod::kBayes);
  const JointVotes votes = collect_all(campaign, choose_voters(campaign, {}, options), options);
  const JointFit fit = fuse_jointly(votes, options);
  for (std::size_t i = 0; i < votes.table().rows(); ++i) {
    const VoteRow row = votes.table().row(i);
    if (row.truth >= 0) continue;
    const auto predicted = fit.bayes->predict(row.votes, row.group);
    EXPECT_NEAR(predicted[1], fit.fusion.posterior_of(i)[1], 1e-12) << i;
  }
  // A site never seen has the overall shares.
  const auto elsewhere = fit.bayes->predict({}, 99);
  EXPECT_NEAR(elsewhere[1], fit.fusion.class_shares[1], 1e-12);
}

TEST(DecidePosterior, FollowsTheRulesOfVotes) {
  FusionOptions three;
  EXPECT_EQ(decide_posterior(std::vector<double>{0.4, 0.4, 0.2}, three).label, 0);
  EXPECT_EQ(decide_posterior(std::vector<double>{0.2, 0.4, 0.4}, three).label, 2);
  EXPECT_NEAR(decide_posterior(std::vector<double>{0.1, 0.7, 0.2}, three).risk, 0.3, 1e-12);
  FusionOptions two;
  two.classes = 2;
  EXPECT_EQ(decide_posterior(std::vector<double>{0.5, 0.5}, two).label, 0);
  EXPECT_EQ(decide_posterior(std::vector<double>{0.4, 0.6}, two).label, 1);
  EXPECT_EQ(decide_posterior({}, two).label, 255);
  EXPECT_THROW((void)decide_posterior(std::vector<double>{0.4, 0.6}, three), geo::InvalidArgument);
}

/// Nothing tells how good one person is whom nobody can be compared with: the risk is that of a usual
/// labeller.
TEST(JointConsensus, OneLabellerWithoutExpertIsTakenForAUsualOne) {
  Campaign campaign = make_campaign();
  std::erase_if(campaign.assignments, [](const Assignment& a) { return a.labeller != "good"; });
  for (auto& a : campaign.assignments) a.site_class = "2";
  for (const int classes : {2, 3}) {
    SCOPED_TRACE(classes);
    const ConsensusOptions options = options_of(ConsensusMethod::kBayes, classes);
    const auto voters = choose_voters(campaign, {}, options);
    const JointVotes votes = collect_all(campaign, voters, options);
    const JointFit fit = fuse_jointly(votes, options);
    const VoterSkill& skill = fit.bayes->skills[0];
    EXPECT_NEAR(skill.sensitivity.mean, 0.8, 0.05);
    EXPECT_NEAR(skill.specificity.mean, 0.9, 0.05);
    EXPECT_GT(skill.sensitivity.high - skill.sensitivity.low, 0.2);
    // The labels are the labeller's, and the risk follows from the skill by Bayes' rule.
    const std::size_t first = *votes.first_row(0);
    const auto fused = decide_site(votes, fit, 0, options.fusion);
    for (std::size_t p = 0; p < fused.size(); ++p) {
      const VoteRow row = votes.table().row(first + p);
      if (row.votes.empty() || (classes == 3 && row.votes[0].outcome == 2)) continue;
      EXPECT_EQ(fused[p].label, row.votes[0].outcome);
      EXPECT_GT(fused[p].risk, 0.03);
      EXPECT_LT(fused[p].risk, 0.35);
    }
  }
}

}  // namespace
}  // namespace furrow::labelling
