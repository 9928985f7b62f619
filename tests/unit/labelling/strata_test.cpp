#include <furrow/labelling/strata.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include <furrow/geo/core/random.h>

namespace furrow::labelling {
namespace {

using testing::IsEmpty;
using testing::StartsWith;

/// A small, a medium and a large field a site; the small one has trees.
std::vector<LabelledPolygon> fields(double x, double shift, bool with_small) {
  const auto box = [&](double dx, double dy, double size, const char* category) {
    const geo::Box b{x + dx + shift, 6000000 + dy, x + dx + shift + size, 6000000 + dy + size};
    return LabelledPolygon{{geo::to_polygon(b)}, category, false};
  };
  std::vector<LabelledPolygon> all{box(50, 50, 200, "annual"), box(300, 50, 100, "annual")};
  if (with_small) all.push_back(box(50, 350, 50, "trees"));
  return all;
}

Campaign campaign(int sites) {
  Campaign c;
  c.crs = geo::Crs::from_user_input("EPSG:32632");
  int id = 0;
  geo::Random random(2);
  for (int i = 0; i < sites; ++i) {
    const double x = 500000.0 + 1000.0 * i;
    const std::string name = "S" + std::to_string(100 + i);
    c.sites.push_back({name, {geo::to_polygon(geo::Box{x, 6000000, x + 500, 6000500})}});
    const auto add = [&](const char* labeller, const char* site_class,
                         std::vector<LabelledPolygon> polygons) {
      Assignment a;
      a.site = name;
      a.id = std::to_string(++id);
      a.labeller = labeller;
      a.site_class = site_class;
      a.polygons = std::move(polygons);
      c.assignments.push_back(a);
    };
    add("expert", "1a", fields(x, 0.0, true));
    add("exact", "1c", fields(x, random.uniform(0.0, 2.0), true));
    add("hasty", "1c", fields(x, random.uniform(0.0, 2.0), i % 8 == 0));
    add("usual", "1c", fields(x, random.uniform(0.0, 6.0), i % 3 != 0));
  }
  std::ranges::sort(c.assignments, [](const Assignment& a, const Assignment& b) {
    return a.site != b.site ? a.site < b.site : a.id < b.id;
  });
  return c;
}

TEST(Strata, SayWhoMissesSmallFieldsAndWhichClass) {
  const Campaign c = campaign(24);
  geo::ExecContext exec;
  const Scoreboard board = score_campaign(c, {}, exec);
  ASSERT_TRUE(board.field.estimated) << board.field.note;
  const auto skills = stratum_skills(c, board);
  ASSERT_EQ(skills.size(), 3U * 5U);
  EXPECT_EQ(skills[0].labeller, "exact");
  EXPECT_EQ(skills[0].by, "size");
  // 24 fields of each of three sizes: the limits are the sizes themselves.
  EXPECT_EQ(skills[0].stratum, "small, below 1.00 ha");
  EXPECT_THAT(skills[2].stratum, StartsWith("large, from 4.00 ha"));
  EXPECT_EQ(skills[3].by, "class");
  EXPECT_EQ(skills[3].stratum, "annual");
  EXPECT_EQ(skills[4].stratum, "trees");
  const StratumSkill& small = skills[5];
  EXPECT_EQ(small.labeller, "hasty");
  EXPECT_EQ(small.fields, 24);
  EXPECT_NEAR(small.matched, 3.0 / 24.0, 1e-12);
  EXPECT_LT(small.field_skill.high, 0.5);
  EXPECT_GT(skills[7].field_skill.low, 0.8);
  EXPECT_LT(skills[9].field_skill.high, 0.5);
  for (const auto& s : skills) {
    EXPECT_LE(s.field_skill.low, s.field_skill.mean);
    EXPECT_GE(s.field_skill.high, s.field_skill.mean);
  }
}

TEST(Strata, TooLittleDataGivesNone) {
  const Campaign c = campaign(2);
  geo::ExecContext exec;
  EXPECT_THAT(stratum_skills(c, score_campaign(c, {}, exec)), IsEmpty());
  ScoreboardOptions fixed;
  fixed.site_effective_size = 15.0;
  const Campaign many = campaign(24);
  EXPECT_THAT(stratum_skills(many, score_campaign(many, fixed, exec)), IsEmpty());
}

}  // namespace
}  // namespace furrow::labelling
