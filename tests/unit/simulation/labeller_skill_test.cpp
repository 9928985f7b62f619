#include <furrow/simulation/labeller_skill.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>

#include "support.h"

namespace furrow::simulation {
namespace {

using ::testing::HasSubstr;

std::string error_of(const std::string& csv) {
  const test::TemporaryFolder folder;
  geo::write_text_file(folder / "skills.csv", csv, false);
  try {
    static_cast<void>(read_skills(folder / "skills.csv"));
  } catch (const geo::IoError& error) {
    return error.what();
  }
  return "no error";
}

TEST(LabellerSkill, OmissionIsHalfWayAtTheStatedSizeAndEndsAtTheFloor) {
  LabellerSkill skill;
  skill.omission_floor = 0.1;
  skill.omission_50_ha = 0.5;
  skill.omission_slope = 2.0;
  EXPECT_DOUBLE_EQ(skill.omission(0.5), 0.1 + 0.9 * 0.5);
  EXPECT_DOUBLE_EQ(skill.omission(1.0), 0.1 + 0.9 * 0.2);  // (1 / 0.5)^2 = 4
  EXPECT_NEAR(skill.omission(1000.0), 0.1, 1e-6);
  EXPECT_NEAR(skill.omission(1e-9), 1.0, 1e-6);
  skill.omission_50_ha = 0.0;
  EXPECT_EQ(skill.omission(1e-9), 0.1);
}

TEST(LabellerSkill, DefaultsFallFromGoodToPoor) {
  const auto skills = default_skills(5);
  ASSERT_EQ(skills.size(), 5U);
  EXPECT_EQ(skills.front().labeller, "L01");
  for (std::size_t i = 1; i < skills.size(); ++i) {
    EXPECT_GT(skills[i].omission(0.3), skills[i - 1].omission(0.3));
    EXPECT_GT(skills[i].jitter_m, skills[i - 1].jitter_m);
    EXPECT_GT(skills[i].merge_rate, skills[i - 1].merge_rate);
  }
  EXPECT_EQ(default_skills(1).size(), 1U);
  EXPECT_THROW(static_cast<void>(default_skills(0)), geo::InvalidArgument);
}

TEST(LabellerSkill, TableReadsBackAsTheSameSkills) {
  auto skills = default_skills(3);
  skills[1].spam = true;
  const test::TemporaryFolder folder;
  geo::write_csv(skills_table(skills), folder / "skills.csv", false);
  const auto again = read_skills(folder / "skills.csv");
  EXPECT_EQ(skills_table(again).rows, skills_table(skills).rows);
  EXPECT_EQ(again[2].shift_x_m, skills[2].shift_x_m);
  EXPECT_TRUE(again[1].spam);
}

TEST(LabellerSkill, MissingColumnsAndCellsTakeTheDefaults) {
  const test::TemporaryFolder folder;
  geo::write_text_file(folder / "skills.csv", "Labeller,merge_rate,jitter_m\nanna,0.5,NA\n", false);
  const auto skills = read_skills(folder / "skills.csv");
  ASSERT_EQ(skills.size(), 1U);
  EXPECT_EQ(skills[0].labeller, "anna");
  EXPECT_EQ(skills[0].merge_rate, 0.5);
  EXPECT_EQ(skills[0].jitter_m, LabellerSkill{}.jitter_m);
  EXPECT_EQ(skills[0].split_rate, LabellerSkill{}.split_rate);
}

TEST(LabellerSkill, SaysWhatIsWrongInTheTable) {
  EXPECT_THAT(error_of("labeller,merge_rate\nanna,-0.1\n"),
              ::testing::AllOf(HasSubstr("row 1, column 'merge_rate'"),
                               HasSubstr("must be a number >= 0 and <= 1, got '-0.1'")));
  EXPECT_THAT(error_of("labeller,jitter_m\nanna,wide\n"), HasSubstr("must be a number >= 0, got 'wide'"));
  EXPECT_THAT(error_of("labeller,merge_rat\nanna,0.1\n"), HasSubstr("did you mean 'merge_rate'?"));
  EXPECT_THAT(error_of("labeller\nanna\nanna\n"), HasSubstr("'anna' is there twice"));
  EXPECT_THAT(error_of("labeller,spam\n,0\n"), HasSubstr("every labeller needs a name"));
  EXPECT_THAT(error_of("labeller,spam\nanna,maybe\n"), HasSubstr("must be 0 or 1"));
  EXPECT_THAT(error_of("labeller\n"), HasSubstr("names no labeller"));
  EXPECT_THAT(error_of("spam\n1\n"), HasSubstr("has no column 'labeller'"));
}

}  // namespace
}  // namespace furrow::simulation
