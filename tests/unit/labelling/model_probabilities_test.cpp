#include <furrow/labelling/model_probabilities.h>

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>

#include "support.h"

namespace furrow::labelling {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

NamedVotes two_items() {
  NamedVotes votes{VoteTable(2, 3, 1), {"p2", "p10"}, {"ann"}, {"no", "yes", "unsure"}};
  votes.table.add({});
  votes.table.add({});
  return votes;
}

std::vector<double> read(const std::string& text) {
  const test::TemporaryFolder folder;
  std::ofstream(folder / "model.csv") << text;
  return read_model_probabilities(folder / "model.csv", "item", two_items());
}

std::string message_of(const std::string& text) {
  try {
    (void)read(text);
  } catch (const geo::IoError& e) {
    return e.what();
  }
  return {};
}

TEST(ModelProbabilities, ComeInTheOrderOfTheVotes) {
  EXPECT_THAT(read("item,p_yes,p_no\np10,0.25,0.75\nelsewhere,1,1\np2,0.9,0.1\n"),
              ElementsAre(0.1, 0.9, 0.75, 0.25));
  EXPECT_THAT(read("Item,No,Yes\np2,1,2\np10,0,3\n"), ElementsAre(1, 2, 0, 3));
}

TEST(ModelProbabilities, EveryMistakeHasItsPlace) {
  EXPECT_THAT(message_of("item,p_yes\np2,1\n"), HasSubstr("p_no"));
  EXPECT_THAT(message_of("item,no,yes\np2,0.5,0.5\n"),
              testing::AllOf(HasSubstr("1 of the 2 items"), HasSubstr("'p10'")));
  EXPECT_THAT(message_of("item,no,yes\np2,0.5,0.5\np2,0.5,0.5\n"),
              testing::AllOf(HasSubstr("model.csv:3"), HasSubstr("twice")));
  EXPECT_THAT(message_of("item,no,yes\np2,-0.5,1.5\n"),
              testing::AllOf(HasSubstr("model.csv:2"), HasSubstr("'-0.5'")));
  EXPECT_THAT(message_of("item,no,yes\np2,nan,1\n"), HasSubstr("no probability"));
  EXPECT_THAT(message_of("item,no,yes\np2,0,0\n"), HasSubstr("all 0"));
}

}  // namespace
}  // namespace furrow::labelling
