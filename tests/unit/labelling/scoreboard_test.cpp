#include <furrow/labelling/scoreboard.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/vector/geos.h>
#include <furrow/labelling/labeller_weights.h>
#include <furrow/labelling/scoreboard_output.h>

#include "support.h"

namespace furrow::labelling {
namespace {

using testing::HasSubstr;

LabelledPolygon box(double x, double y, double width, double height) {
  return {{geo::to_polygon(geo::Box{x, y, x + width, y + height})}, "annualcropland", false};
}

/// Two sites of 500 m with a reference, one without, all in UTM.
Campaign campaign() {
  Campaign c;
  c.crs = geo::Crs::from_user_input("EPSG:32632");
  for (const auto& [name, x] : {std::pair{"A", 500000.0}, {"B", 510000.0}, {"C", 520000.0}}) {
    c.sites.push_back({name, {geo::to_polygon(geo::Box{x, 6000000, x + 500, 6000500})}});
  }
  const auto add = [&](const char* site, const char* id, const char* labeller, const char* klass,
                       std::vector<LabelledPolygon> polygons) {
    Assignment a;
    a.site = site;
    a.id = id;
    a.labeller = labeller;
    a.site_class = klass;
    a.polygons = std::move(polygons);
    c.assignments.push_back(a);
  };
  add("A", "1", "expert", "1a", {box(500100, 6000100, 100, 100)});
  add("A", "2", "good", "1c", {box(500100, 6000100, 100, 100)});
  add("A", "3", "bad", "1c", {box(500120, 6000100, 100, 100)});
  add("B", "4", "expert", "1a", {});
  add("B", "5", "good", "1c", {});
  add("B", "6", "bad", "1c", {box(510000, 6000000, 250, 500)});
  add("C", "7", "good", "2", {box(520000, 6000000, 250, 500)});
  add("C", "8", "other", "2", {});
  return c;
}

const LabellerScore& labeller(const Scoreboard& board, const std::string& name) {
  for (const auto& l : board.labellers) {
    if (l.labeller == name) return l;
  }
  throw std::runtime_error("no labeller " + name);
}

Scoreboard score(const Campaign& c, const ScoreboardOptions& options = {}, int threads = 2) {
  geo::ExecContext exec({.threads = threads});
  return score_campaign(c, options, exec);
}

TEST(Scoreboard, ScoresAgainstTheReferenceAndSaysWhyNot) {
  const Scoreboard board = score(campaign());
  ASSERT_EQ(board.assignments.size(), 8U);
  EXPECT_THAT(board.assignments[0].unscorable, HasSubstr("it is a reference (class 1a)"));
  EXPECT_FALSE(board.assignments[0].score.defined());
  EXPECT_EQ(board.assignments[1].score.value, 1.0);
  EXPECT_EQ(board.assignments[1].reference, "1");
  EXPECT_NEAR(board.assignments[2].area.value, 246000.0 / 250000.0, 1e-9);
  EXPECT_EQ(board.assignments[4].score.value, 1.0);
  EXPECT_EQ(board.assignments[6].unscorable, "its site has no reference");
  EXPECT_EQ(board.assignments[6].score.reason, "its site has no reference");
  EXPECT_TRUE(board.problems.empty());
}

TEST(Scoreboard, PoolsSkillsByHand) {
  const Scoreboard board = score(campaign());
  ASSERT_EQ(board.labellers.size(), 3U);
  const auto& bad = labeller(board, "bad");
  EXPECT_EQ(bad.assignments, 2);
  EXPECT_EQ(bad.scored, 2);
  // A: TP 8000, FN 2000, FP 2000, TN 238000; B: FP 125000, TN 125000, each of 250000 m2 worth 15 looks.
  const double unit = 15.0 / 250000.0;
  EXPECT_NEAR(bad.field_skill.mean, (2 + unit * 8000) / (3 + unit * 10000), 1e-9);
  EXPECT_NEAR(bad.nofield_skill.mean, (2 + unit * 363000) / (3 + unit * 490000), 1e-9);
  EXPECT_LT(bad.nofield_skill.low, bad.nofield_skill.mean);
  EXPECT_GT(bad.nofield_skill.high, bad.nofield_skill.mean);
  EXPECT_NEAR(bad.score, 0.5 * (board.assignments[2].score.value + board.assignments[5].score.value), 1e-12);
  // N is defined at both sites: 1 and 0.
  EXPECT_NEAR(bad.n, 0.5, 1e-12);
  // Category only at A.
  EXPECT_EQ(bad.category, 1.0);
  // Somebody without a scored site has the prior and no score.
  const auto& other = labeller(board, "other");
  EXPECT_EQ(other.assignments, 1);
  EXPECT_EQ(other.scored, 0);
  EXPECT_TRUE(std::isnan(other.score));
  EXPECT_NEAR(other.field_skill.mean, 2.0 / 3.0, 1e-12);
}

TEST(Scoreboard, CompatibleModeTakesPlainMeans) {
  ScoreboardOptions options;
  options.mode = ScoreMode::kCompatible;
  const Scoreboard board = score(campaign(), options);
  const auto& bad = labeller(board, "bad");
  EXPECT_NEAR(bad.field_skill.mean, 0.5 * (0.8 + 0.0), 1e-6);
  EXPECT_NEAR(bad.nofield_skill.mean, 0.5 * (238.0 / 240.0 + 0.5), 1e-6);
  EXPECT_TRUE(std::isnan(bad.field_skill.low));
  EXPECT_TRUE(std::isnan(labeller(board, "other").field_skill.mean));
  // 0.9 + the saturated edge.
  EXPECT_NEAR(board.assignments[1].score.value, 0.9011, 5e-4);
}

TEST(Scoreboard, BetaQuantilesByHand) {
  // Beta(2, 1): P(x) = x^2. Beta(1, 1): uniform.
  EXPECT_NEAR(beta_quantile(2, 1, 0.05), std::sqrt(0.05), 1e-12);
  EXPECT_NEAR(beta_quantile(1, 1, 0.3), 0.3, 1e-12);
  EXPECT_NEAR(beta_quantile(1, 2, 0.95), 1.0 - std::sqrt(0.05), 1e-12);
  // Symmetry, large counts: near the normal approximation.
  EXPECT_NEAR(beta_quantile(5000, 5000, 0.95), 0.5 + 1.6448536 * 0.5 / std::sqrt(10001.0), 1e-5);
  EXPECT_EQ(beta_quantile(3, 4, 0.0), 0.0);
  EXPECT_THROW((void)beta_quantile(0, 1, 0.5), geo::InvalidArgument);
}

TEST(Scoreboard, UsesTheLatestOfSeveralReferences) {
  Campaign c = campaign();
  c.assignments[0].completion_time = "2021-01-01";
  Assignment later = c.assignments[0];
  later.id = "9";
  later.completion_time = "2021-06-01";
  later.polygons.clear();
  c.assignments.insert(c.assignments.begin() + 3, later);
  const Scoreboard board = score(c);
  EXPECT_EQ(board.assignments[1].reference, "9");
  ASSERT_EQ(board.notes.size(), 1U);
  EXPECT_THAT(board.notes[0], HasSubstr("site A has 2 references; 9, the latest, is used"));
}

TEST(Scoreboard, UnfinishedAssignmentsAndReferencesDoNotCount) {
  Campaign c = campaign();
  c.assignments[1].status = "Returned";
  c.assignments[3].status = "Abandoned";
  const Scoreboard board = score(c);
  EXPECT_THAT(board.assignments[1].unscorable, HasSubstr("its status is Returned"));
  EXPECT_EQ(board.assignments[4].unscorable, "its site has no reference");
}

TEST(Scoreboard, AssignmentsThatFailAreListedAndTheOthersGoOn) {
  Campaign c = campaign();
  c.assignments[2].polygons = {{{geo::Polygon{{{0, 0}, {1, 1}}, {}}}, "", false}};
  const Scoreboard board = score(c);
  EXPECT_FALSE(board.assignments[2].unscorable.empty());
  ASSERT_EQ(board.problems.size(), 1U);
  EXPECT_THAT(board.problems[0].input, HasSubstr("assignment 3 of site A"));
  EXPECT_EQ(board.assignments[1].score.value, 1.0);
}

/// The same fields in another CRS score the same: measured on the ground, not in the CRS's units.
TEST(Scoreboard, ScoresDoNotDependOnTheCrs) {
  const Campaign utm = campaign();
  const Scoreboard expected = score(utm);
  for (const char* crs : {"EPSG:4326", "EPSG:3857", "EPSG:3035"}) {
    Campaign other = utm;
    other.crs = geo::Crs::from_user_input(crs);
    const geo::CoordinateTransform move(utm.crs, other.crs);
    for (auto& site : other.sites) site.cell = move.apply(site.cell);
    for (auto& a : other.assignments) {
      for (auto& p : a.polygons) p.shape = move.apply(p.shape);
    }
    const Scoreboard board = score(other);
    for (const std::size_t i : {1U, 2U, 4U, 5U}) {
      EXPECT_NEAR(board.assignments[i].score.value, expected.assignments[i].score.value, 1e-3)
          << crs << " " << i;
    }
    EXPECT_EQ(board.assignments[1].score.value, 1.0) << crs;
  }
}

TEST(Scoreboard, FeetAreConvertedToMetres) {
  Campaign feet = campaign();
  feet.crs = geo::Crs::from_user_input("+proj=utm +zone=32 +datum=WGS84 +units=ft +no_defs");
  const geo::CoordinateTransform move(campaign().crs, feet.crs);
  for (auto& site : feet.sites) site.cell = move.apply(site.cell);
  for (auto& a : feet.assignments) {
    for (auto& p : a.polygons) p.shape = move.apply(p.shape);
  }
  const Scoreboard board = score(feet);
  EXPECT_NEAR(board.assignments[2].corrected->areas.tp_m2, 8000.0, 0.01);
  EXPECT_NEAR(board.assignments[2].edge.value, score(campaign()).assignments[2].edge.value, 1e-6);
}

TEST(Scoreboard, RejectsOptionsOutOfRange) {
  ScoreboardOptions options;
  options.site_effective_size = 0.0;
  EXPECT_THROW((void)score(campaign(), options), geo::InvalidArgument);
  options = {};
  options.interval = 1.0;
  EXPECT_THROW((void)score(campaign(), options), geo::InvalidArgument);
  options = {};
  options.reference_classes.clear();
  EXPECT_THROW((void)score(campaign(), options), geo::InvalidArgument);
}

void write(const Campaign& c, const Scoreboard& board, const std::filesystem::path& folder, bool overwrite) {
  geo::ExecContext exec({.threads = 2});
  write_scoreboard(c, board, report_skills(c, board, {}, exec), folder, overwrite);
}

TEST(ScoreboardOutput, TablesReadBackAndAreTheSameForAnyNumberOfThreads) {
  const test::TemporaryFolder folder;
  const Campaign c = campaign();
  write(c, score(c, {}, 1), folder / "one", false);
  write(c, score(c, {}, 4), folder / "four", false);
  for (const char* name : {"assignments.csv", "labellers.csv"}) {
    EXPECT_EQ(test::bytes_of((folder / "one") / name), test::bytes_of((folder / "four") / name)) << name;
  }
  const auto weights = read_labeller_weights(folder / "one" / "labellers.csv");
  ASSERT_EQ(weights.size(), 3U);
  EXPECT_EQ(weights[1].labeller, "good");
  EXPECT_EQ(weights[1].score, 1.0);
  EXPECT_TRUE(std::isnan(weights[2].score));
  const geo::CsvTable table = geo::read_csv(folder / "one" / "assignments.csv");
  ASSERT_EQ(table.rows.size(), 8U);
  EXPECT_EQ(table.rows[6][table.column("Score")], "NA");
  EXPECT_EQ(table.rows[6][table.column("Score_status")], "its site has no reference");
  EXPECT_EQ(table.rows[1][table.column("Score")], "1");
  EXPECT_EQ(table.rows[1][table.column("Edge_status")], "defined");
  geo::LayerReadOptions read;
  read.layer = "assignments";
  EXPECT_EQ(geo::read_layer((folder / "one" / "scores.gpkg").string(), read).features.size(), 8U);
  EXPECT_THROW(write(c, score(c), folder / "one", false), geo::IoError);
  write(c, score(c), folder / "one", true);
}

TEST(ScoreboardOutput, ATableWithoutLabellersKeepsItsColumns) {
  const test::TemporaryFolder folder;
  Campaign c = campaign();
  std::erase_if(c.assignments, [](const Assignment& a) { return !a.is_reference(); });
  write(c, score(c), folder / "out", false);
  EXPECT_TRUE(read_labeller_weights(folder / "out" / "labellers.csv").empty());
}

}  // namespace
}  // namespace furrow::labelling
