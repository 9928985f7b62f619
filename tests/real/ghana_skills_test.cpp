#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/labelling/drift.h>
#include <furrow/labelling/variance_components.h>

#include "support.h"

/// The spread of published scores of a real campaign: data/ghana_campaign, every other site of the whole set.
namespace furrow::labelling {
namespace {

struct Published {
  std::string labeller;
  std::string site;
  double score = 0.0;
  long long assignment = 0;
};

/// Scores of labellers with 30 scores and more, in order of assignments.
std::vector<Published> published() {
  const geo::CsvTable table = geo::read_csv(test::shared("data/ghana_campaign/assignment_scores.csv"));
  std::vector<Published> rows;
  std::map<std::string, int> count;
  for (const auto& row : table.rows) {
    Published p{row[table.column("id")], row[table.column("name")], 0.0, 0};
    EXPECT_TRUE(geo::parse_number(row[table.column("score")], p.score));
    EXPECT_TRUE(geo::parse_number(row[table.column("assignment_id")], p.assignment));
    ++count[p.labeller];
    rows.push_back(p);
  }
  std::erase_if(rows, [&](const Published& p) { return count[p.labeller] < 3; });
  std::ranges::stable_sort(rows, {}, &Published::assignment);
  return rows;
}

struct Indexed {
  std::vector<std::string> labellers;
  std::size_t sites = 0;
  std::vector<CrossedScore> scores;
};

Indexed indexed(const std::vector<Published>& rows) {
  std::map<std::string, std::size_t> labellers;
  std::map<std::string, std::size_t> sites;
  Indexed result;
  for (const auto& row : rows) {
    const auto [labeller, is_new] = labellers.emplace(row.labeller, labellers.size());
    if (is_new) result.labellers.push_back(row.labeller);
    const auto site = sites.emplace(row.site, sites.size()).first;
    result.scores.push_back({labeller->second, site->second, row.score});
  }
  result.sites = sites.size();
  return result;
}

TEST(GhanaSkills, SpreadOfScoresIsThatOfTheWholeSet) {
  FURROW_NEEDS_SHARED_DATA();
  const Indexed data = indexed(published());
  VarianceOptions one_way;
  one_way.sites = false;
  const auto raw = fit_variance(data.scores, data.labellers.size(), data.sites, one_way);
  const auto crossed = fit_variance(data.scores, data.labellers.size(), data.sites);
  const double total = crossed.sd_labeller * crossed.sd_labeller + crossed.sd_site * crossed.sd_site +
                       crossed.sd_rest * crossed.sd_rest;
  // In brackets: all sites of the campaign.
  EXPECT_EQ(data.labellers.size(), 18U);
  EXPECT_NEAR(raw.sd_rest, 0.1135, 0.0005);                                      // (0.118)
  EXPECT_NEAR(raw.sd_labeller, 0.0378, 0.0005);                                  // (0.036)
  EXPECT_NEAR(raw.intraclass_correlation(), 0.100, 0.002);                       // (0.087)
  EXPECT_NEAR(raw.sites_for_reliability(0.8), 36.0, 1.0);                        // (42)
  EXPECT_NEAR(crossed.sd_rest, 0.0985, 0.0005);                                  // (0.099)
  EXPECT_NEAR(crossed.sd_labeller, 0.0382, 0.0005);                              // (0.035)
  EXPECT_NEAR(crossed.intraclass_correlation(), 0.131, 0.002);                   // (0.111)
  EXPECT_NEAR(crossed.sites_for_reliability(0.8), 26.6, 0.5);                    // (32)
  EXPECT_NEAR(crossed.sd_site * crossed.sd_site / total, 0.227, 0.005);          // (0.28)
  EXPECT_NEAR(crossed.sd_labeller * crossed.sd_labeller / total, 0.101, 0.003);  // (0.08)
}

/// The whole campaign has six labellers with a trend at p < 0.01, five up and one down; so has this half.
TEST(GhanaSkills, SixOfEighteenLabellersDrift) {
  FURROW_NEEDS_SHARED_DATA();
  const Indexed data = indexed(published());
  const auto fit = fit_variance(data.scores, data.labellers.size(), data.sites);
  int up = 0;
  int down = 0;
  for (std::size_t j = 0; j < data.labellers.size(); ++j) {
    std::vector<double> adjusted;
    for (const auto& s : data.scores) {
      if (s.labeller == j) adjusted.push_back(s.value - fit.site_effects[s.site]);
    }
    const Drift drift = find_drift(adjusted, geo::stable_hash(data.labellers[j]));
    if (!drift.tested || drift.slope_p >= 0.01) continue;
    (drift.slope_per_100 > 0.0 ? up : down) += 1;
  }
  EXPECT_EQ(up, 5);
  EXPECT_EQ(down, 1);
}

}  // namespace
}  // namespace furrow::labelling
