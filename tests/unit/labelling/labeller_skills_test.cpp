#include <furrow/labelling/labeller_skills.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>

namespace furrow::labelling {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

LabelledPolygon box(double x, double y, double width, double height) {
  return {{geo::to_polygon(geo::Box{x, y, x + width, y + height})}, "annualcropland", false};
}

/// Sites of 500 m side by side, each with two fields and a reference; labellers are added by the tests.
class Maker {
 public:
  explicit Maker(int sites) {
    m_campaign.crs = geo::Crs::from_user_input("EPSG:32632");
    for (int i = 0; i < sites; ++i) {
      m_campaign.sites.push_back({name(i), {geo::to_polygon(geo::Box{x(i), 6000000, x(i) + 500, 6000500})}});
      add(i, "expert", "1a", fields(i, 0.0, 0.0));
    }
  }

  static std::string name(int site) {
    const std::string digits = std::to_string(site);
    return "S" + std::string(4 - digits.size(), '0') + digits;
  }
  static double x(int site) { return 500000.0 + 1000.0 * site; }

  /// The two fields, moved.
  static std::vector<LabelledPolygon> fields(int site, double dx, double dy) {
    return {box(x(site) + 50 + dx, 6000050 + dy, 150, 200), box(x(site) + 300 + dx, 6000100 + dy, 120, 300)};
  }

  void add(int site, const std::string& labeller, const std::string& site_class,
           std::vector<LabelledPolygon> polygons) {
    Assignment a;
    a.site = name(site);
    a.id = std::to_string(++m_id);
    a.labeller = labeller;
    a.site_class = site_class;
    a.polygons = std::move(polygons);
    const std::string day = std::to_string(10 + site % 18);
    a.completion_time = "2022-" + std::to_string(10 + site / 18) + "-" + day + "T08:00:00Z";
    m_campaign.assignments.push_back(std::move(a));
  }

  /// Draws every site with a wavering shift.
  void add_usual(const std::string& labeller, double sd_m, std::uint64_t seed) {
    geo::Random random(seed);
    for (int i = 0; i < static_cast<int>(m_campaign.sites.size()); ++i)
      add(i, labeller, "1c", fields(i, random.normal(0.0, sd_m), random.normal(0.0, sd_m)));
  }

  Campaign& campaign() {
    std::ranges::sort(m_campaign.assignments, [](const Assignment& a, const Assignment& b) {
      return a.site != b.site ? a.site < b.site : a.id < b.id;
    });
    return m_campaign;
  }

 private:
  Campaign m_campaign;
  int m_id = 0;
};

struct Reported {
  Scoreboard board;
  SkillReport report;

  [[nodiscard]] const LabellerReport& of(const std::string& name) const {
    for (std::size_t i = 0; i < board.labellers.size(); ++i) {
      if (board.labellers[i].labeller == name) return report.labellers[i];
    }
    throw std::runtime_error("no labeller " + name);
  }
  [[nodiscard]] const LabellerPair& pair(const std::string& a, const std::string& b) const {
    for (const auto& p : report.agreement.pairs) {
      if (p.first == a && p.second == b) return p;
    }
    throw std::runtime_error("no pair " + a + " " + b);
  }
};

Reported report(const Campaign& campaign, int threads = 2) {
  geo::ExecContext exec({.threads = threads});
  Reported r{score_campaign(campaign, {}, exec), {}};
  r.report = report_skills(campaign, r.board, {}, exec);
  return r;
}

TEST(LabellerSkills, GoodWorkRaisesNoFlagAndLevelsFollowTheSkill) {
  Maker maker(24);
  maker.add_usual("steady", 2.0, 1);
  maker.add_usual("rough", 8.0, 2);
  maker.add_usual("wild", 15.0, 3);
  const Reported r = report(maker.campaign());
  EXPECT_GT(r.of("steady").level.mean, r.of("rough").level.mean);
  EXPECT_GT(r.of("rough").level.mean, r.of("wild").level.mean);
  EXPECT_LE(r.of("rough").level.low, r.of("rough").level.mean);
  for (const char* name : {"steady", "rough", "wild"}) EXPECT_THAT(r.of(name).flags, IsEmpty()) << name;
  EXPECT_TRUE(r.report.ordered_by_time);
  EXPECT_EQ(r.report.spread.front().measure, "Score");
  EXPECT_GT(r.of("steady").reliability, 0.5);
}

TEST(LabellerSkills, AFallingLabellerIsFlaggedWithTheDate) {
  Maker maker(40);
  maker.add_usual("steady", 2.0, 1);
  maker.add_usual("rough", 4.0, 2);
  geo::Random random(9);
  for (int i = 0; i < 40; ++i) {
    const double shift = i < 25 ? 2.0 : 25.0;
    maker.add(i, "tired", "1c", Maker::fields(i, shift + random.normal(), random.normal()));
  }
  const Reported r = report(maker.campaign());
  const LabellerReport& tired = r.of("tired");
  EXPECT_LT(tired.change_p, 0.01);
  EXPECT_LT(tired.drift.after, tired.drift.before - 0.1);
  EXPECT_EQ(tired.change_at, "2022-11-17T08:00:00Z");
  EXPECT_THAT(tired.flags, Contains(HasSubstr("scores fell by 0.")));
  EXPECT_THAT(r.of("steady").flags, IsEmpty());
}

TEST(LabellerSkills, WithoutTimesTheOrderOfIdsCounts) {
  Maker maker(30);
  maker.add_usual("steady", 2.0, 1);
  maker.campaign().assignments.back().completion_time.clear();
  const Reported r = report(maker.campaign());
  EXPECT_FALSE(r.report.ordered_by_time);
  EXPECT_EQ(r.of("steady").first_order, "31");
  EXPECT_EQ(r.of("steady").last_order, "60");
}

TEST(LabellerSkills, EmptyMapsAndMapsAtRandomAreFlagged) {
  Maker maker(24);
  maker.add_usual("steady", 2.0, 1);
  maker.add_usual("rough", 6.0, 2);
  geo::Random random(4);
  for (int i = 0; i < 24; ++i) {
    maker.add(i, "sleeper", "1c", i % 2 == 0 ? std::vector<LabelledPolygon>{} : Maker::fields(i, 1.0, 1.0));
    maker.add(
        i, "random", "1c",
        {box(Maker::x(i) + random.uniform(0.0, 300.0), 6000000 + random.uniform(0.0, 300.0), 200, 200)});
  }
  const Reported r = report(maker.campaign());
  EXPECT_EQ(r.of("sleeper").empty_maps, 12);
  EXPECT_EQ(r.of("sleeper").field_sites, 24);
  EXPECT_THAT(r.of("sleeper").flags, Contains(HasSubstr("hands in empty maps: 12 of 24")));
  EXPECT_THAT(r.of("random").flags, Contains(HasSubstr("maps hardly depend on what is there")));
  EXPECT_LT(r.of("random").spammer_score, 0.04);
  EXPECT_THAT(r.of("steady").flags, IsEmpty());
}

TEST(LabellerSkills, CopiesAreFlaggedOnBothSides) {
  Maker maker(12);
  maker.add_usual("steady", 12.0, 1);
  maker.add_usual("honest", 12.0, 2);
  maker.add_usual("other", 12.0, 3);
  maker.add_usual("copier", 12.0, 1);  // the same random shifts as steady
  const Reported r = report(maker.campaign());
  const LabellerPair& copied = r.pair("copier", "steady");
  EXPECT_EQ(copied.sites, 12);
  EXPECT_EQ(copied.iou, 1.0);
  EXPECT_EQ(copied.kappa, 1.0);
  EXPECT_EQ(copied.same_vertices, 1.0);
  EXPECT_EQ(copied.vertices, 12 * 8);
  EXPECT_LT(copied.shared_errors_p_adjusted, 1e-6);
  EXPECT_THAT(r.of("steady").flags, Contains("same corners as copier: 100 % of 96"));
  EXPECT_THAT(r.of("copier").flags, Contains("same errors as steady on 12 sites"));
  EXPECT_THAT(r.of("honest").flags, IsEmpty());
  EXPECT_LT(r.pair("honest", "other").same_vertices, 0.1);
  EXPECT_GT(*r.report.agreement.alpha, 0.6);
}

TEST(LabellerPairs, AgreementByHand) {
  // Two maps of one site: the same field of 100 m by 250 m, and one more of that size in the second map.
  Campaign c;
  c.crs = geo::Crs::from_user_input("EPSG:32632");
  c.sites.push_back({"A", {geo::to_polygon(geo::Box{500000, 6000000, 500500, 6000500})}});
  Assignment a;
  a.site = "A";
  a.id = "1";
  a.labeller = "one";
  a.polygons = {box(500000, 6000000, 100, 250)};
  c.assignments.push_back(a);
  a.id = "2";
  a.labeller = "two";
  a.polygons.push_back(box(500200, 6000100, 100, 250));
  c.assignments.push_back(a);
  geo::ExecContext exec;
  const PairAgreement agreement = compare_labellers(c, {}, exec);
  ASSERT_EQ(agreement.pairs.size(), 1U);
  const LabellerPair& pair = agreement.pairs.front();
  EXPECT_NEAR(pair.iou, 0.5, 1e-12);
  // Shares of field 0.1 and 0.2; agreement 0.9; by chance 0.1 x 0.2 + 0.9 x 0.8 = 0.74.
  EXPECT_NEAR(pair.kappa, (0.9 - 0.74) / 0.26, 1e-12);
  // One corner of the first map is off the cell's border (500100, 6000250).
  EXPECT_EQ(pair.vertices, 1);
  EXPECT_EQ(pair.same_vertices, 1.0);
  EXPECT_EQ(pair.error_sites, 0);
  // Disagreement 0.1, expected 2 x 0.15 x 0.85 x 20000 / 19999.
  EXPECT_NEAR(*agreement.alpha, 1.0 - 0.1 / (2.0 * 0.15 * 0.85 * 20000.0 / 19999.0), 1e-9);
}

TEST(LabellerPairs, WithoutReferencesMostOthersAreTheTruth) {
  Maker maker(8);
  for (const auto& [name, seed] : {std::pair{"a", 1}, {"b", 2}, {"c", 3}, {"d", 4}, {"e", 1}})
    maker.add_usual(name, 12.0, static_cast<std::uint64_t>(seed));
  Campaign c = maker.campaign();
  std::erase_if(c.assignments, [](const Assignment& a) { return a.is_reference(); });
  const Reported r = report(c);
  EXPECT_EQ(r.board.labellers.front().scored, 0);
  EXPECT_EQ(r.pair("a", "e").error_sites, 8);
  EXPECT_LT(r.pair("a", "e").shared_errors_p_adjusted, 0.01);
  EXPECT_THAT(r.of("a").flags, Contains(HasSubstr("same errors as e")));
  EXPECT_EQ(r.report.spread.front().adjusted.note, "there are no scores");
}

TEST(LabellerSkills, SmallAndOddCampaigns) {
  // One labeller, one site.
  Maker one(1);
  one.add(0, "only", "1c", Maker::fields(0, 3.0, 0.0));
  const Reported r = report(one.campaign());
  EXPECT_NEAR(r.of("only").level.mean, r.board.labellers.front().score, 1e-12);
  EXPECT_TRUE(std::isnan(r.of("only").level.low));
  EXPECT_THAT(r.report.agreement.pairs, IsEmpty());
  EXPECT_FALSE(r.report.agreement.alpha.has_value());
  // Nobody at all but the expert.
  Maker none(2);
  const Reported empty = report(none.campaign());
  EXPECT_THAT(empty.report.labellers, IsEmpty());
  // All copies of the reference: all scores equal.
  Maker copies(6);
  copies.add_usual("x", 0.0, 1);
  copies.add_usual("y", 0.0, 2);
  const Reported equal = report(copies.campaign());
  EXPECT_EQ(equal.of("x").level.mean, 1.0);
  EXPECT_EQ(equal.report.spread.front().adjusted.note, "all scores are equal");
}

TEST(LabellerSkills, ManyLabellersAndAnyNumberOfThreads) {
  Maker maker(6);
  for (int j = 0; j < 60; ++j)
    maker.add_usual("L" + std::to_string(j), 12.0 + j % 5, static_cast<std::uint64_t>(j));
  const Reported one = report(maker.campaign(), 1);
  const Reported four = report(maker.campaign(), 4);
  ASSERT_EQ(one.report.agreement.pairs.size(), 60U * 59U / 2U);
  for (std::size_t i = 0; i < one.report.agreement.pairs.size(); ++i) {
    EXPECT_EQ(one.report.agreement.pairs[i].kappa, four.report.agreement.pairs[i].kappa);
    EXPECT_EQ(one.report.agreement.pairs[i].shared_errors, four.report.agreement.pairs[i].shared_errors);
  }
  for (std::size_t j = 0; j < one.report.labellers.size(); ++j)
    EXPECT_EQ(one.report.labellers[j].level.mean, four.report.labellers[j].level.mean);
}

TEST(LabellerSkills, RejectsNonsense) {
  Maker maker(1);
  geo::ExecContext exec;
  const Scoreboard board = score_campaign(maker.campaign(), {}, exec);
  SkillReportOptions options;
  options.pairs.points = 3;
  EXPECT_THROW((void)report_skills(maker.campaign(), board, options, exec), geo::InvalidArgument);
  options = {};
  options.interval = 1.0;
  EXPECT_THROW((void)report_skills(maker.campaign(), board, options, exec), geo::InvalidArgument);
}

}  // namespace
}  // namespace furrow::labelling
