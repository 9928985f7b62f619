#include <furrow/labelling/votes_csv.h>

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>

#include "support.h"

namespace furrow::labelling {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class VotesCsv : public ::testing::Test {
 protected:
  NamedVotes read(const std::string& text) {
    if (m_options.path.empty()) m_options.path = m_folder / "votes.csv";
    geo::write_text_file(m_options.path, text, true);
    return read_votes_csv(m_options);
  }
  std::string error_of(const std::string& text) {
    try {
      (void)read(text);
    } catch (const geo::IoError& e) {
      return e.what();
    }
    return "no error";
  }
  void write_truth(const std::string& text) {
    m_options.truth_path = m_folder / "truth.csv";
    geo::write_text_file(m_options.truth_path, text, true);
  }

  test::TemporaryFolder m_folder;
  VotesCsvOptions m_options;
};

std::vector<VoteEntry> votes_of(const NamedVotes& votes, std::size_t row) {
  const auto span = votes.table.row(row).votes;
  return {span.begin(), span.end()};
}

TEST_F(VotesCsv, SortsNamesAndKeepsWhatIsMissing) {
  const NamedVotes votes = read(
      "worker,item,label\n"
      "w2,p10,field\n"
      "w1,p2,\n"
      "w1,p10, bare \n"
      "w3,p1,NA\n");
  EXPECT_THAT(votes.items, ElementsAre("p1", "p10", "p2"));
  EXPECT_THAT(votes.workers, ElementsAre("w1", "w2", "w3"));
  EXPECT_THAT(votes.labels, ElementsAre("bare", "field"));
  EXPECT_THAT(votes_of(votes, 0), ElementsAre());
  EXPECT_THAT(votes_of(votes, 1), ElementsAre(VoteEntry{0, 0}, VoteEntry{1, 1}));
  EXPECT_EQ(votes.table.voters(), 3U);
  EXPECT_EQ(votes.votes, 2);
  EXPECT_EQ(votes.missing, 2);
}

TEST_F(VotesCsv, RepeatedVotes) {
  const NamedVotes votes = read("item,worker,label\na,x,yes\na,x,yes\na,x,no\na,y,no\nb,y,yes\n");
  EXPECT_THAT(votes.labels, ElementsAre("no", "yes"));
  EXPECT_THAT(votes_of(votes, 0), ElementsAre(VoteEntry{0, 0, 1}, VoteEntry{0, 1, 2}, VoteEntry{1, 0, 1}));
  EXPECT_EQ(votes.votes, 5);
  EXPECT_EQ(votes.repeated, 2);
  EXPECT_EQ(votes.table.rows(), 2U);
}

TEST_F(VotesCsv, OrderOfLinesDoesNotMatter) {
  const NamedVotes one = read("item,worker,label\n2,b,x\n10,a,y\n2,a,y\n1,c,x\n");
  const NamedVotes two = read("item,worker,label\n1,c,x\n2,a,y\n10,a,y\n2,b,x\n");
  EXPECT_THAT(one.items, ElementsAre("1", "2", "10"));  // numbers as numbers
  EXPECT_EQ(one.items, two.items);
  EXPECT_EQ(one.workers, two.workers);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(votes_of(one, i), votes_of(two, i));
}

TEST_F(VotesCsv, LabelsThatAreNumbers) {
  const NamedVotes votes = read("item,worker,label\na,x,10\na,y,2\na,z,2.0\nb,x,02\nb,y,-0\nb,z,0\n");
  EXPECT_THAT(votes.labels, ElementsAre("0", "2", "10"));
  EXPECT_THAT(votes_of(votes, 0), ElementsAre(VoteEntry{0, 2}, VoteEntry{1, 1}, VoteEntry{2, 1}));
  EXPECT_THAT(votes_of(votes, 1), ElementsAre(VoteEntry{0, 1}, VoteEntry{1, 0}, VoteEntry{2, 0}));
}

TEST_F(VotesCsv, ItemsAreToldApartByTheirText) {
  const NamedVotes votes =
      read("item,worker,label\n01,x,0\n1,x,1\n9007199254740993,x,1\n9007199254740992,x,0\n");
  EXPECT_THAT(votes.items, testing::UnorderedElementsAre("01", "1", "9007199254740992", "9007199254740993"));
  EXPECT_EQ(votes.repeated, 0);
}

TEST_F(VotesCsv, ColumnsByName) {
  m_options.item_column = "task";
  m_options.worker_column = "annotator";
  m_options.label_column = "Klasse";
  const NamedVotes votes = read("klasse,lon,TASK,annotator\ncrop,1.5,t1,a\nnon-crop,2.5,t1,b\n");
  EXPECT_THAT(votes.labels, ElementsAre("crop", "non-crop"));
  EXPECT_THAT(votes.class_names(), ElementsAre("crop", "non-crop"));
}

TEST_F(VotesCsv, GivenClassesAndUnsureLabels) {
  m_options.classes = {"field", "background", "water"};
  m_options.unsure = {"unsure"};
  const NamedVotes votes = read("item,worker,label\na,x,background\na,y,unsure\nb,x,background\n");
  EXPECT_THAT(votes.labels, ElementsAre("field", "background", "water", "unsure"));
  EXPECT_EQ(votes.table.classes(), 3);
  EXPECT_EQ(votes.table.outcomes(), 4);
  EXPECT_THAT(votes_of(votes, 0), ElementsAre(VoteEntry{0, 1}, VoteEntry{1, 3}));
}

TEST_F(VotesCsv, TruthFromAColumnAndATable) {
  m_options.truth_column = "expert";
  write_truth("item,truth\nb,no\nelsewhere,yes\nc,\n");
  const NamedVotes votes =
      read("item,worker,label,expert\na,x,yes,\na,y,yes,no\nb,x,yes,\nc,x,maybe,\nc,y,no,NA\n");
  EXPECT_EQ(votes.table.row(0).truth, 1);
  EXPECT_EQ(votes.table.row(1).truth, 1);
  EXPECT_EQ(votes.table.row(2).truth, -1);
  EXPECT_EQ(votes.known, 2);
  EXPECT_EQ(votes.truth_without_votes, 1);
}

TEST_F(VotesCsv, TruthMayNameAClassWithoutVotes) {
  write_truth("item,truth\na,forest\n");
  const NamedVotes votes = read("item,worker,label\na,x,crop\n");
  EXPECT_THAT(votes.labels, ElementsAre("crop", "forest"));
}

TEST_F(VotesCsv, ErrorsNameFileAndLine) {
  EXPECT_THAT(error_of("item,worker,label\na,x,1\n,x,0\n"),
              HasSubstr("votes.csv:3: the column 'item' is empty"));
  EXPECT_THAT(error_of("item,worker,label\na,x,1\nb,nan,0\n"),
              HasSubstr("votes.csv:3: the column 'worker' is empty"));
  EXPECT_THAT(error_of("item,worker,label\n"), HasSubstr("has no vote"));
  EXPECT_THAT(error_of("item,labeller,label\na,x,1\n"),
              AllOf(HasSubstr("no column 'worker'"), HasSubstr("it has: item, labeller, label")));
  EXPECT_THAT(error_of("item,worker,label\na,x,1\nb,y,1\n"), HasSubstr("name one class only"));
  EXPECT_THAT(error_of("item,worker,label\na,x,\n"), HasSubstr("name no class"));
  EXPECT_THAT(error_of("item,worker,label\na,x,1,2\n"), HasSubstr("votes.csv:2: 4 cells"));
  m_options.classes = {"field", "background"};
  EXPECT_THAT(error_of("item,worker,label\na,x,field\nb,x,fields\n"),
              AllOf(HasSubstr("votes.csv:3: the label 'fields' is none of the classes"),
                    HasSubstr("did you mean 'field'")));
  m_options.unsure = {"field"};
  EXPECT_THAT(error_of("item,worker,label\na,x,field\n"), HasSubstr("a class and unsure as well"));
  m_options.unsure.clear();
  m_options.classes = {"1", "1.0"};
  EXPECT_THAT(error_of("item,worker,label\na,x,1\n"), HasSubstr("each its own"));
}

TEST_F(VotesCsv, TwoTruthsForOneItem) {
  m_options.truth_column = "truth";
  EXPECT_THAT(error_of("item,worker,label,truth\na,x,1,1\na,y,1,0\n"),
              HasSubstr("votes.csv:3: item 'a' is '0' here and '1' before"));
  write_truth("item,truth\na,0\n");
  EXPECT_THAT(error_of("item,worker,label,truth\na,x,1,1\na,y,0,\n"), HasSubstr("truth.csv:2: item 'a'"));
}

TEST_F(VotesCsv, AColumnOfSomethingElse) {
  std::string text = "item,worker,label\n";
  for (int i = 0; i < 300; ++i) text += "a,x," + std::to_string(i) + ".5\n";
  EXPECT_THAT(error_of(text), HasSubstr("has 300 different labels; at most 256"));
}

}  // namespace
}  // namespace furrow::labelling
