#include <furrow/geo/core/csv.h>

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>

#include "support.h"

namespace furrow::geo {
namespace {

using test::TemporaryFolder;
using testing::ElementsAre;
using testing::HasSubstr;

CsvTable parsed(const std::string& text) {
  const TemporaryFolder folder;
  std::ofstream(folder / "t.csv", std::ios::binary) << text;
  return read_csv(folder / "t.csv");
}

std::string error_of(const std::string& text) {
  try {
    (void)parsed(text);
  } catch (const IoError& e) {
    return e.what();
  }
  return "no error";
}

TEST(Csv, QuotesCommasAndLineBreaksInCells) {
  const auto table = parsed("name,note\n\"a, b\",\"say \"\"hi\"\"\"\n\"two\nlines\",\n");
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_THAT(table.rows[0], ElementsAre("a, b", "say \"hi\""));
  EXPECT_THAT(table.rows[1], ElementsAre("two\nlines", ""));
}

TEST(Csv, WindowsLineEndsByteOrderMarkAndMissingLastLineEnd) {
  const auto table = parsed("\xEF\xBB\xBFname, score\r\na,1\r\n\r\nb,2");
  EXPECT_THAT(table.columns, ElementsAre("name", "score"));
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_THAT(table.rows[1], ElementsAre("b", "2"));
}

TEST(Csv, HeaderAloneIsAnEmptyTable) {
  EXPECT_TRUE(parsed("a,b\n").rows.empty());
  EXPECT_THAT(error_of(""), HasSubstr("is empty"));
}

TEST(Csv, RaggedRowIsNamedByItsLine) {
  // The quoted line break counts as a line of the file.
  EXPECT_THAT(error_of("a,b\n\"x\ny\",1\n1,2,3\n"), HasSubstr("t.csv:4: 3 cells where the header has 2"));
  EXPECT_THAT(error_of("a,b\n1\n"), HasSubstr("t.csv:2: 1 cells"));
  EXPECT_THAT(error_of("a,b\n1,\"open\n"), HasSubstr("t.csv:2: a quoted cell is never closed"));
  EXPECT_THAT(error_of(std::string("a,b\n1,\0\n", 8)), HasSubstr("is not a text file"));
}

TEST(Csv, ColumnsAreFoundWithoutCaseAndTypingErrorsHelped) {
  const auto table = parsed("Name,Score\nx,1\n");
  EXPECT_EQ(table.column("score"), 1U);
  EXPECT_EQ(table.find_column("nothing"), -1);
  EXPECT_EQ(parsed("Name,name\nx,1\n").column("name"), 1U);
  EXPECT_THAT(error_of("a,b,a\n1,2,3\n"), HasSubstr("has two columns 'a'"));
  try {
    (void)table.column("scor");
    FAIL() << "no error";
  } catch (const IoError& e) {
    EXPECT_THAT(e.what(), testing::AllOf(HasSubstr("did you mean 'Score'"), HasSubstr("Name, Score")));
  }
}

TEST(Csv, WhatIsWrittenReadsBack) {
  const TemporaryFolder folder;
  CsvTable table;
  table.columns = {"plain", "odd,name"};
  table.rows = {{"", ""}, {"a\"b", "c\nd"}, {" spaces ", "e\r"}, {"\xC3\xA6", "-1.5"}};
  write_csv(table, folder / "t.csv", false);
  const auto back = read_csv(folder / "t.csv");
  EXPECT_EQ(back.columns, table.columns);
  EXPECT_EQ(back.rows, table.rows);
  CsvTable narrow;
  narrow.columns = {"only"};
  narrow.rows = {{"x"}, {""}, {"y"}};
  write_csv(narrow, folder / "narrow.csv", false);
  EXPECT_EQ(read_csv(folder / "narrow.csv").rows, narrow.rows);
}

TEST(Csv, WaysToWriteMissing) {
  for (const char* cell : {"", "NA", "nan", "NULL", " None "}) EXPECT_TRUE(is_missing(cell)) << cell;
  for (const char* cell : {"0", "-", "nano"}) EXPECT_FALSE(is_missing(cell)) << cell;
}

}  // namespace
}  // namespace furrow::geo
