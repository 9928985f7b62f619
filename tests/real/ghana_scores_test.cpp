#include <gtest/gtest.h>

#include <map>

#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/layer.h>
#include <furrow/labelling/scoreboard.h>

#include "support.h"

/// Properties that must hold on fields that people really drew: data/ghana_campaign.
namespace furrow::labelling {
namespace {

/// Every map of the campaign as the reference of its own site, and as drawn again, moved by some metres to
/// the east.
Campaign drawn_again(double shift_m) {
  geo::LayerReadOptions read;
  read.invalid = geo::InvalidGeometry::kRepair;
  const geo::Layer layer =
      geo::read_layer(test::shared("data/ghana_campaign/top_label_fields.gpkg").string(), read);
  std::map<std::string, std::vector<LabelledPolygon>> maps;
  for (const auto& feature : layer.features) {
    if (feature.geometry.empty()) continue;
    maps[geo::as_text(feature.values[layer.field("assignment_id")])].push_back(
        {feature.geometry, geo::as_text(feature.values[layer.field("category")]), false});
  }
  const geo::CsvTable sites = geo::read_csv(test::shared("data/ghana_campaign/top_label_site_stats.csv"));
  constexpr double kMetresPerDegree = 111320.0;  // near the equator; the exact figure does not matter here
  const double shift = shift_m / kMetresPerDegree;
  Campaign campaign;
  campaign.crs = layer.crs;
  for (const auto& row : sites.rows) {
    const std::string& id = row[sites.column("assignment_id")];
    double x = 0.0;
    double y = 0.0;
    if (!geo::parse_number(row[sites.column("x")], x) || !geo::parse_number(row[sites.column("y")], y))
      continue;
    const std::string name = row[sites.column("name")] + "-" + id;
    if (campaign.find_site(name) != nullptr || !maps.contains(id)) continue;
    campaign.sites.push_back({name, {geo::to_polygon({x - 0.0025, y - 0.0025, x + 0.0025, y + 0.0025})}});
    std::ranges::sort(campaign.sites, {}, &Site::name);
    Assignment a;
    a.site = name;
    a.id = id;
    a.labeller = "reference";
    a.site_class = "1a";
    a.polygons = maps[id];
    campaign.assignments.push_back(a);
    a.id = id + "-again";
    a.labeller = "again";
    a.site_class = "1c";
    for (auto& polygon : a.polygons) {
      for (auto& part : polygon.shape) {
        for (auto& p : part.shell) p.x += shift;
        for (auto& hole : part.holes) {
          for (auto& p : hole) p.x += shift;
        }
      }
    }
    campaign.assignments.push_back(std::move(a));
  }
  std::ranges::sort(campaign.assignments, [](const Assignment& a, const Assignment& b) {
    return a.site != b.site ? a.site < b.site : a.id < b.id;
  });
  return campaign;
}

/// Scores by site name; only sites with at least a tenth of a hectare of field inside the cell.
std::map<std::string, double> scores(double shift_m) {
  const Campaign campaign = drawn_again(shift_m);
  geo::ExecContext exec;
  const Scoreboard board = score_campaign(campaign, {}, exec);
  EXPECT_TRUE(board.problems.empty());
  std::map<std::string, double> result;
  for (const auto& s : board.assignments) {
    if (!s.corrected || !s.score.defined()) continue;
    if (s.corrected->areas.tp_m2 + s.corrected->areas.fn_m2 < 1000.0) continue;
    result[campaign.assignments[s.assignment].site] = s.score.value;
  }
  return result;
}

TEST(GhanaScores, CopiesScoreExactlyOneAndShiftsCostMoreTheFartherTheyGo) {
  FURROW_NEEDS_SHARED_DATA();
  auto last = scores(0.0);
  EXPECT_GT(last.size(), 300U);
  for (const auto& [site, score] : last) EXPECT_EQ(score, 1.0) << site;
  for (const double shift : {1.0, 2.0, 5.0, 9.0}) {
    const auto moved = scores(shift);
    std::size_t compared = 0;
    std::size_t lower = 0;
    double change = 0.0;
    for (const auto& [site, score] : moved) {
      const auto before = last.find(site);
      if (before == last.end()) continue;
      ++compared;
      lower += score < before->second ? 1U : 0U;
      change += score - before->second;
    }
    EXPECT_GT(compared, 300U);
    EXPECT_LT(change, 0.0) << shift;
    // A corner of a field that leaves the cell can take a mismatch with it, so a few sites gain at large
    // shifts.
    if (shift <= 2.0) {
      EXPECT_EQ(lower, compared) << shift;
    } else {
      EXPECT_GT(static_cast<double>(lower), 0.95 * static_cast<double>(compared)) << shift;
    }
    last = moved;
  }
}

}  // namespace
}  // namespace furrow::labelling
