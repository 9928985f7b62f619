#include <furrow/labelling/area_skills.h>

#include <gtest/gtest.h>

#include <cmath>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/labelling/scoreboard.h>

namespace furrow::labelling {
namespace {

/// Labellers' skills from Beta(16, 4); a site's share from a Beta of that mean and likeness rho.
std::vector<AreaShare> simulated(std::size_t labellers, int sites, double rho, std::uint64_t seed,
                                 std::vector<double>& skills) {
  geo::Random random(seed);
  std::vector<AreaShare> shares;
  skills.clear();
  for (std::size_t j = 0; j < labellers; ++j) {
    skills.push_back(random.beta(16.0, 4.0));
    for (int i = 0; i < sites; ++i) {
      const double strength = 1.0 / rho - 1.0;
      const double share = random.beta(skills[j] * strength, (1.0 - skills[j]) * strength);
      shares.push_back({j, 1e5 * share, 1e5 * (1.0 - share)});
    }
  }
  return shares;
}

TEST(AreaSkills, FindsLikenessAndPopulationAndCoversTheTruth) {
  double rho = 0.0;
  double mean = 0.0;
  int covered = 0;
  int all = 0;
  constexpr int kRuns = 20;
  for (std::uint64_t run = 0; run < kRuns; ++run) {
    std::vector<double> skills;
    const auto fit = fit_area_skills(simulated(20, 15, 0.1, 70 + run, skills), 20);
    ASSERT_TRUE(fit.estimated) << fit.note;
    rho += fit.overdispersion / kRuns;
    mean += fit.prior_a / (fit.prior_a + fit.prior_b) / kRuns;
    for (std::size_t j = 0; j < skills.size(); ++j) {
      covered += fit.skills[j].low <= skills[j] && skills[j] <= fit.skills[j].high ? 1 : 0;
      ++all;
    }
  }
  EXPECT_NEAR(rho, 0.1, 0.015);
  EXPECT_NEAR(mean, 0.8, 0.02);
  EXPECT_NEAR(static_cast<double>(covered) / all, 0.9, 0.06);
}

TEST(AreaSkills, ALabellerWithoutSitesGetsThePopulation) {
  std::vector<double> skills;
  const auto fit = fit_area_skills(simulated(10, 10, 0.1, 3, skills), 11);
  EXPECT_NEAR(fit.skills[10].mean, fit.prior_a / (fit.prior_a + fit.prior_b), 1e-12);
  EXPECT_NEAR(fit.skills[10].low, beta_quantile(fit.prior_a, fit.prior_b, 0.05), 1e-12);
  EXPECT_GT(fit.skills[10].high - fit.skills[10].low, fit.skills[0].high - fit.skills[0].low);
}

TEST(AreaSkills, PosteriorByHand) {
  // With the fitted likeness r, a site of 1000 looks is worth 1000 / (1 + 999 r).
  std::vector<double> skills;
  const auto shares = simulated(5, 8, 0.2, 4, skills);
  const auto fit = fit_area_skills(shares, 5);
  double right = 0.0;
  double worth = 0.0;
  for (const auto& s : shares) {
    if (s.labeller != 2) continue;
    const double w = 1000.0 / (1.0 + 999.0 * fit.overdispersion);
    worth += w;
    right += w * s.right_m2 / (s.right_m2 + s.wrong_m2);
  }
  EXPECT_NEAR(fit.skills[2].mean, (fit.prior_a + right) / (fit.prior_a + fit.prior_b + worth), 1e-9);
}

TEST(AreaSkills, TooLittleDataIsSaid) {
  EXPECT_FALSE(fit_area_skills({}, 3).estimated);
  EXPECT_FALSE(fit_area_skills({}, 3).note.empty());
  std::vector<double> skills;
  EXPECT_FALSE(fit_area_skills(simulated(2, 30, 0.1, 1, skills), 2).estimated);
  EXPECT_FALSE(fit_area_skills(simulated(4, 3, 0.1, 1, skills), 4).estimated);
  std::vector<AreaShare> perfect;
  for (std::size_t j = 0; j < 5; ++j) {
    for (int i = 0; i < 10; ++i) perfect.push_back({j, 1000.0, 0.0});
  }
  EXPECT_EQ(fit_area_skills(perfect, 5).note, "all areas are right, or all are wrong");
  // Sites without such area say nothing.
  std::vector<AreaShare> none(50, AreaShare{0, 0.0, 0.0});
  EXPECT_FALSE(fit_area_skills(none, 1).estimated);
}

TEST(AreaSkills, RejectsNonsense) {
  const std::vector<AreaShare> outside{{3, 1.0, 1.0}};
  EXPECT_THROW((void)fit_area_skills(outside, 3), geo::InvalidArgument);
  EXPECT_THROW((void)fit_area_skills({}, 3, {1.5, 100.0}), geo::InvalidArgument);
}

}  // namespace
}  // namespace furrow::labelling
