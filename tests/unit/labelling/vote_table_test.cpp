#include <furrow/labelling/vote_table.h>

#include <array>
#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>

namespace furrow::labelling {
namespace {

using Votes = std::vector<VoteEntry>;

TEST(VoteTable, KeepsVotesInOrderAndSumsRepeatedOnes) {
  VoteTable table(2, 3, 4);
  table.add(Votes{{3, 1}, {0, 2}, {3, 1}, {3, 0}}, 5.0, 1, 2);
  ASSERT_EQ(table.rows(), 1U);
  const VoteRow row = table.row(0);
  EXPECT_THAT(row.votes, testing::ElementsAre(VoteEntry{0, 2, 1}, VoteEntry{3, 0, 1}, VoteEntry{3, 1, 2}));
  EXPECT_EQ(row.count, 5.0);
  EXPECT_EQ(row.truth, 1);
  EXPECT_EQ(row.group, 2U);
  EXPECT_EQ(table.groups(), 3U);
}

TEST(VoteTable, JoinsRowsOfTheSameVotesTruthAndGroup) {
  VoteTable table(2, 2, 2);
  table.add(Votes{{0, 1}, {1, 0}}, 2.0);
  table.add(Votes{{0, 1}}, 1.0);
  table.add(Votes{{1, 0}, {0, 1}}, 3.0);
  table.add(Votes{{0, 1}, {1, 0}}, 4.0, 1);
  table.add(Votes{{0, 1}, {1, 0}}, 8.0, -1, 1);
  std::vector<std::size_t> row_of;
  const VoteTable grouped = table.grouped(&row_of);
  EXPECT_EQ(grouped.rows(), 4U);
  EXPECT_THAT(row_of, testing::ElementsAre(0, 1, 0, 2, 3));
  EXPECT_EQ(grouped.row(0).count, 5.0);
  EXPECT_EQ(grouped.items(), table.items());
  EXPECT_EQ(grouped.groups(), 2U);
}

TEST(VoteTable, RefusesWhatIsOutOfRange) {
  EXPECT_THROW(VoteTable(1, 1, 1), geo::InvalidArgument);
  EXPECT_THROW(VoteTable(3, 2, 1), geo::InvalidArgument);
  VoteTable table(2, 2, 1);
  EXPECT_THROW(table.add(Votes{{1, 0}}), geo::InvalidArgument);
  EXPECT_THROW(table.add(Votes{{0, 2}}), geo::InvalidArgument);
  EXPECT_THROW(table.add(Votes{{0, 0}}, -1.0), geo::InvalidArgument);
  EXPECT_THROW(table.add(Votes{{0, 0}}, std::numeric_limits<double>::quiet_NaN()), geo::InvalidArgument);
  EXPECT_THROW(table.add(Votes{{0, 0}}, 1.0, 2), geo::InvalidArgument);
  EXPECT_THROW(table.add(Votes{{0, 0, 65535}, {0, 0, 1}}), geo::InvalidArgument);
  EXPECT_EQ(table.rows(), 0U);
}

}  // namespace
}  // namespace furrow::labelling
