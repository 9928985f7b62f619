#include <furrow/labelling/labeller_weights.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include <furrow/geo/core/error.h>

#include "support.h"

namespace furrow::labelling {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class WeightsFile : public testing::Test {
 protected:
  std::vector<LabellerWeights> read(const std::string& text) {
    std::ofstream(m_folder / "labellers.csv") << text;
    return read_labeller_weights(m_folder / "labellers.csv");
  }
  std::string error(const std::string& text) {
    try {
      (void)read(text);
    } catch (const geo::IoError& e) {
      return e.what();
    }
    return "no error";
  }
  test::TemporaryFolder m_folder;
};

TEST_F(WeightsFile, ReadsByNameAndKeepsMissingAsNan) {
  const auto weights =
      read("Score,extra,Labeller,n_scored,NoFieldSkill,FieldSkill\n0.7,q,east1,12,0.9,0.8\nNA,q,9,0,NA,\n");
  ASSERT_EQ(weights.size(), 2U);
  EXPECT_EQ(weights[0].labeller, "east1");
  EXPECT_EQ(weights[0].scored, 12);
  EXPECT_EQ(weights[0].score, 0.7);
  EXPECT_EQ(weights[0].field_skill, 0.8);
  EXPECT_EQ(weights[0].nofield_skill, 0.9);
  EXPECT_TRUE(std::isnan(weights[1].score));
  EXPECT_TRUE(std::isnan(weights[1].field_skill));
}

TEST_F(WeightsFile, ErrorsNameFileLineAndColumn) {
  const std::string head = "Labeller,n_scored,Score,FieldSkill,NoFieldSkill\n";
  EXPECT_THAT(error("Labeller,n_scored,Score,FieldSkill\n"), HasSubstr("has no column 'NoFieldSkill'"));
  EXPECT_THAT(error(head + "a,1,0.5,0.5,0.5\na,1,0.5,0.5,0.5\n"),
              AllOf(HasSubstr("labellers.csv:3: labeller 'a' is already at "), HasSubstr("labellers.csv:2")));
  EXPECT_THAT(error(head + "a,1,1.5,0.5,0.5\n"),
              HasSubstr("labellers.csv:2: Score is '1.5'; it must be a number from 0 to 1"));
  EXPECT_THAT(error(head + "a,1,0.5,abc,0.5\n"), HasSubstr("FieldSkill is 'abc'"));
  EXPECT_THAT(error(head + "a,-1,0.5,0.5,0.5\n"), HasSubstr("n_scored is '-1'"));
  EXPECT_THAT(error(head + ",1,0.5,0.5,0.5\n"), HasSubstr("labellers.csv:2: the row has no Labeller"));
  EXPECT_THROW((void)read_labeller_weights(m_folder / "nowhere.csv"), geo::IoError);
}

}  // namespace
}  // namespace furrow::labelling
