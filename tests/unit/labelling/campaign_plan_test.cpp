#include <furrow/labelling/campaign_plan.h>

#include <cmath>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/core/random.h>

#include "support.h"

namespace furrow::labelling {
namespace {

PlanLabeller exact(double sensitivity, double specificity) {
  return {"x", {sensitivity, sensitivity, sensitivity}, {specificity, specificity, specificity}};
}

PlanOptions independent(double field_share, double budget = 100.0) {
  PlanOptions options;
  options.field_shares = {field_share};
  options.dependence = 0.0;
  options.budget = budget;
  options.teams = 50;
  return options;
}

/// Risk with n labellers of these skills.
double risk_of(const CampaignPlan& plan, int n) {
  return plan.teams[static_cast<std::size_t>(n) - 1].risk.mean;
}

TEST(CampaignPlan, PerfectLabellersLeaveNoRisk) {
  const std::vector<PlanLabeller> labellers{exact(1.0, 1.0)};
  const auto plan = plan_campaign(labellers, independent(0.3));
  for (const auto& team : plan.teams) {
    EXPECT_EQ(team.risk.mean, 0.0);
    EXPECT_EQ(team.risk.high, 0.0);
  }
  EXPECT_NEAR(plan.prior_risk, 0.3, 1e-12);
}

TEST(CampaignPlan, CoinsLeaveThePriorRisk) {
  const std::vector<PlanLabeller> labellers{exact(0.5, 0.5), exact(0.2, 0.8)};
  const auto plan = plan_campaign(labellers, independent(0.3));
  for (const auto& team : plan.teams) EXPECT_NEAR(team.risk.mean, 0.3, 1e-12);
  // Nothing but experts gains anything.
  ASSERT_TRUE(plan.best);
  EXPECT_EQ(plan.rows[*plan.best].labellers, 0);
}

TEST(CampaignPlan, OneLabellerIsTheClosedForm) {
  for (const double g : {0.05, 0.3, 0.5, 0.9}) {
    for (const auto& [s, q] : {std::pair{0.8, 0.9}, {0.99, 0.6}, {0.6, 0.7}}) {
      const std::vector<PlanLabeller> labellers{exact(s, q)};
      const double expected = std::min(g * s, (1.0 - g) * (1.0 - q)) + std::min(g * (1.0 - s), (1.0 - g) * q);
      EXPECT_NEAR(risk_of(plan_campaign(labellers, independent(g)), 1), expected, 1e-12);
    }
  }
}

TEST(CampaignPlan, ThreeEqualLabellersAreTheBinomial) {
  // With g = 1/2 and s = q the majority decides: wrong with 3 (1-s)^2 s + (1-s)^3; two are no better than
  // one.
  const double s = 0.8;
  const std::vector<PlanLabeller> labellers{exact(s, s)};
  const auto plan = plan_campaign(labellers, independent(0.5));
  EXPECT_NEAR(risk_of(plan, 1), 0.2, 1e-12);
  EXPECT_NEAR(risk_of(plan, 2), 0.2, 1e-12);
  EXPECT_NEAR(risk_of(plan, 3), 3 * 0.04 * 0.8 + 0.008, 1e-12);
  double wrong = 0.0;
  for (int k = 0; k <= 4; ++k) {
    double choose = 1.0;
    for (int i = 0; i < k; ++i) choose = choose * (9 - i) / (i + 1);
    wrong += choose * std::pow(s, k) * std::pow(1.0 - s, 9 - k);
  }
  EXPECT_NEAR(risk_of(plan, 9), wrong, 1e-12);
}

TEST(CampaignPlan, EqualsSimulatedLabellers) {
  const std::vector<PlanLabeller> labellers{exact(0.9, 0.95), exact(0.7, 0.9), exact(0.6, 0.99),
                                            exact(0.85, 0.7)};
  PlanOptions options = independent(0.3);
  options.teams = 20000;
  const auto plan = plan_campaign(labellers, options);
  // Draw pixels and their labellers, decide by Bayes' rule, count errors.
  geo::Random random(5);
  constexpr int kPixels = 200000;
  for (const int n : {2, 4}) {
    double wrong = 0.0;
    for (int p = 0; p < kPixels; ++p) {
      const bool field = random.chance(0.3);
      double odds = 0.3 / 0.7;
      for (int i = 0; i < n; ++i) {
        const auto& l = labellers[random.below(4)];
        const double s = l.sensitivity.mean;
        const double q = l.specificity.mean;
        const bool says = random.chance(field ? s : 1.0 - q);
        odds *= says ? s / (1.0 - q) : (1.0 - s) / q;
      }
      wrong += (odds > 1.0) != field ? 1.0 : 0.0;
    }
    EXPECT_NEAR(risk_of(plan, n), wrong / kPixels, 0.003) << n;
  }
}

TEST(CampaignPlan, MoreLabellersNeverHurt) {
  geo::Random random(3);
  for (int i = 0; i < 10; ++i) {
    std::vector<PlanLabeller> labellers;
    for (int j = 0; j < 5; ++j)
      labellers.push_back(exact(random.uniform(0.4, 1.0), random.uniform(0.4, 1.0)));
    PlanOptions options = independent(random.uniform());
    options.field_shares.push_back(random.uniform());
    double risk_of_independent = 0.0;
    for (const double dependence : {0.0, 0.2, 1.0}) {
      options.dependence = dependence;
      const auto plan = plan_campaign(labellers, options);
      double before = plan.prior_risk;
      for (const auto& team : plan.teams) {
        EXPECT_LE(team.risk.mean, before + 1e-12);
        before = team.risk.mean;
      }
      if (dependence == 0.0) risk_of_independent = before;
      EXPECT_GE(before, risk_of_independent - 1e-12);
      if (dependence == 1.0) {
        EXPECT_EQ(risk_of(plan, 9), risk_of(plan, 1));
      }
    }
  }
}

TEST(CampaignPlan, DependenceInterpolatesBetweenWholeNumbers) {
  const std::vector<PlanLabeller> labellers{exact(0.8, 0.8)};
  PlanOptions options = independent(0.5);
  options.dependence = 0.1;  // 3 labellers are worth 2.5, of which 2 leave 0.2 and 3 leave 0.104
  const auto plan = plan_campaign(labellers, options);
  EXPECT_NEAR(plan.teams[2].independent, 2.5, 1e-12);
  EXPECT_NEAR(risk_of(plan, 3), 0.152, 1e-12);
}

TEST(CampaignPlan, IntervalsGrowWithIgnoranceAndHoldTheRisk) {
  std::vector<PlanLabeller> labellers{{"a", {0.8, 0.7, 0.9}, {0.9, 0.85, 0.95}}};
  const auto wide = plan_campaign(labellers, independent(0.4));
  labellers[0].sensitivity = {0.8, 0.79, 0.81};
  labellers[0].specificity = {0.9, 0.89, 0.91};
  const auto narrow = plan_campaign(labellers, independent(0.4));
  for (std::size_t n = 0; n < 9; ++n) {
    const Estimate& w = wide.teams[n].risk;
    const Estimate& s = narrow.teams[n].risk;
    EXPECT_NEAR(w.mean, s.mean, 1e-12);
    EXPECT_LE(w.low, w.mean);
    EXPECT_GE(w.high, w.mean);
    EXPECT_GT(w.high - w.low, 2.0 * (s.high - s.low));
  }
  // One labeller: the error is 0.4 (1 - s) + 0.6 (1 - q), so its sd is that of the two skills.
  const double sd = std::hypot(0.4 * 0.1, 0.6 * 0.05) / 1.645;
  EXPECT_NEAR(wide.teams[0].risk.high - wide.teams[0].risk.low, 2 * 1.645 * sd, 0.02);
}

TEST(CampaignPlan, SpendsTheBudget) {
  const std::vector<PlanLabeller> labellers{exact(0.8, 0.8)};
  PlanOptions options = independent(0.5, 300.0);
  options.expert_cost = 10.0;
  options.expert_shares = {0.0, 0.25, 1.0};
  options.site_area_m2 = 1e4;
  const auto free = plan_campaign(labellers, options);
  ASSERT_EQ(free.rows.size(), 19U);
  EXPECT_EQ(free.rows[2].sites, 100);
  EXPECT_NEAR(free.rows[2].correct_area_m2, 100 * 1e4 * (1 - 0.104), 1e-6);
  EXPECT_NEAR(free.rows[2].wrong_area_m2, 100 * 1e4 * 0.104, 1e-6);
  // A quarter of the sites by experts: 0.75 x 3 + 2.5 = 4.75 a site, risk 0.75 x 0.104.
  EXPECT_NEAR(free.rows[11].site_cost, 4.75, 1e-12);
  EXPECT_EQ(free.rows[11].sites, 63);
  EXPECT_NEAR(free.rows[11].risk.mean, 0.078, 1e-12);
  EXPECT_EQ(free.rows[18].labellers, 0);
  EXPECT_EQ(free.rows[18].sites, 30);
  EXPECT_EQ(free.rows[18].risk.mean, 0.0);
  EXPECT_EQ(*free.best, 0U);  // 300 sites x 0.3
  EXPECT_TRUE(free.rows[0].is_best);
  options.sites = 60;  // 5 labellers fit
  const auto limited = plan_campaign(labellers, options);
  EXPECT_EQ(limited.rows[*limited.best].labellers, 5);
  EXPECT_EQ(limited.rows[*limited.best].expert_share, 0.0);
  options.max_risk = 0.05;
  options.sites = 0;
  const auto careful = plan_campaign(labellers, options);
  EXPECT_LE(careful.rows[*careful.best].risk.mean, 0.05);
  options.budget = 0.5;
  EXPECT_FALSE(plan_campaign(labellers, options).best);
}

TEST(CampaignPlan, ThreadsDoNotMatterAndTheSeedDoes) {
  const std::vector<PlanLabeller> labellers{{"a", {0.9, 0.8, 0.95}, {0.9, 0.85, 0.95}}, exact(0.6, 0.8)};
  std::vector<CampaignPlan> plans;
  for (const int threads : {1, 4}) {
    geo::ExecContext exec({threads, 0});
    exec.execute([&] { plans.push_back(plan_campaign(labellers, independent(0.3))); });
  }
  PlanOptions other = independent(0.3);
  other.seed = 2;
  const auto third = plan_campaign(labellers, other);
  for (std::size_t n = 0; n < 9; ++n) {
    EXPECT_EQ(plans[0].teams[n].risk.mean, plans[1].teams[n].risk.mean);
    EXPECT_EQ(plans[0].teams[n].risk.low, plans[1].teams[n].risk.low);
    EXPECT_NE(plans[0].teams[n].risk.mean, third.teams[n].risk.mean);
  }
}

TEST(CampaignPlan, RefusesWhatMakesNoSense) {
  const std::vector<PlanLabeller> labellers{exact(0.8, 0.8)};
  EXPECT_THROW((void)plan_campaign({}, independent(0.3)), geo::InvalidArgument);
  const auto refused = [&](auto change) {
    PlanOptions options = independent(0.3);
    change(options);
    EXPECT_THROW((void)plan_campaign(labellers, options), geo::InvalidArgument);
  };
  refused([](PlanOptions& o) { o.budget = 0.0; });
  refused([](PlanOptions& o) { o.map_cost = 0.0; });
  refused([](PlanOptions& o) { o.expert_cost = std::numeric_limits<double>::quiet_NaN(); });
  refused([](PlanOptions& o) { o.field_shares = {}; });
  refused([](PlanOptions& o) { o.field_shares = {1.2}; });
  refused([](PlanOptions& o) { o.dependence = -0.1; });
  refused([](PlanOptions& o) { o.max_labellers = 10; });
  refused([](PlanOptions& o) { o.site_area_m2 = 0.0; });
  const std::vector<PlanLabeller> unknown{exact(std::numeric_limits<double>::quiet_NaN(), 0.8)};
  EXPECT_THROW((void)plan_campaign(unknown, independent(0.3)), geo::InvalidArgument);
}

std::filesystem::path write(const test::TemporaryFolder& folder, const std::string& content) {
  const auto path = folder / "table.csv";
  std::ofstream(path) << content;
  return path;
}

TEST(CampaignPlanTables, ReadLabellersWithAndWithoutIntervals) {
  const test::TemporaryFolder folder;
  std::vector<std::string> left_out;
  const auto labellers = read_plan_labellers(
      write(folder,
            "Labeller,FieldSkill,FieldSkill_low,FieldSkill_high,NoFieldSkill,counts\n"
            "a,0.8,0.7,0.9,0.95,1\nb,NA,NA,NA,0.9,1\nc,0.3,0.2,0.4,0.3,0\nd,0.5,NA,NA,0.5,1\n"),
      left_out);
  ASSERT_EQ(labellers.size(), 2U);
  EXPECT_EQ(labellers[0].sensitivity.high, 0.9);
  EXPECT_EQ(labellers[0].specificity.low, 0.95);
  EXPECT_EQ(labellers[1].sensitivity.low, 0.5);
  EXPECT_THAT(left_out, testing::ElementsAre("b", "c"));
}

TEST(CampaignPlanTables, NameWhatIsWrong) {
  const test::TemporaryFolder folder;
  std::vector<std::string> left_out;
  const auto error_of = [&](const std::string& content) -> std::string {
    try {
      (void)read_plan_labellers(write(folder, content), left_out);
    } catch (const geo::IoError& error) {
      return error.what();
    }
    return {};
  };
  EXPECT_THAT(error_of("Labeller,FieldSkill,NoFieldSkill\n"),
              testing::HasSubstr("no labeller with FieldSkill"));
  EXPECT_THAT(error_of("Labeller,FieldSkill,NoFieldSkill\na,NA,NA\n"),
              testing::HasSubstr("score the labellers"));
  EXPECT_THAT(error_of("Labeller,FieldSkill,NoFieldSkill\na,1.5,0.5\n"),
              testing::AllOf(testing::HasSubstr("table.csv:2"), testing::HasSubstr("'1.5'")));
  EXPECT_THAT(
      error_of("Labeller,FieldSkill,FieldSkill_low,FieldSkill_high,NoFieldSkill\na,0.5,0.6,0.4,0.5\n"),
      testing::HasSubstr("FieldSkill_low is above"));
  EXPECT_THAT(error_of("Labeller,FieldSkill\na,0.5\n"), testing::HasSubstr("NoFieldSkill"));
}

TEST(CampaignPlanTables, SitesAreReducedToGroupsOfShares) {
  const test::TemporaryFolder folder;
  std::string content = "name,area_m2,field_share\nempty,0,NA\n";
  for (int i = 0; i < 40; ++i)
    content += "s," + std::to_string(100 + i) + "," + std::to_string(i / 40.0) + "\n";
  const PlanSites sites = read_plan_sites(write(folder, content));
  ASSERT_EQ(sites.field_shares.size(), 20U);
  EXPECT_NEAR(sites.field_shares[0], 0.0125, 1e-9);
  EXPECT_NEAR(sites.site_area_m2, 119.5, 1e-9);
  EXPECT_THROW((void)read_plan_sites(write(folder, "name,area_m2,field_share\na,0,NA\n")), geo::IoError);
  EXPECT_THROW((void)read_plan_sites(write(folder, "name,area_m2,field_share\na,x,0.5\n")), geo::IoError);
}

TEST(CampaignPlanTables, TableHoldsEveryRow) {
  const std::vector<PlanLabeller> labellers{exact(0.8, 0.8)};
  const auto plan = plan_campaign(labellers, independent(0.5));
  const auto table = plan_table(plan);
  EXPECT_EQ(table.rows.size(), plan.rows.size());
  EXPECT_EQ(table.rows[0][table.column("correct_area_m2")], "NA");
  EXPECT_EQ(table.rows[0][table.column("best")], "1");
}

}  // namespace
}  // namespace furrow::labelling
