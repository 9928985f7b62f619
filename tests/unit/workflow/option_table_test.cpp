#include <furrow/workflow/option_table.h>

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>

namespace furrow::workflow {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string assign(Option& option, const Option::Given& value) {
  const std::vector<Option::Given> values{value};
  return option.assign(values);
}

std::string assign_text(Option& option, const std::vector<std::string>& texts) {
  return option.assign_texts(texts);
}

TEST(Option, DefaultIsWhatTheTargetHoldsWhenDeclared) {
  std::int64_t integer = 256;
  double number = 0.25;
  std::vector<double> list{1, 2.5};
  std::optional<double> unset;
  std::string text;
  EXPECT_EQ(Option("a", &integer).default_text(), "256");
  EXPECT_EQ(Option("a", &number).default_text(), "0.25");
  EXPECT_EQ(Option("a", &list).default_text(), "1,2.5");
  EXPECT_EQ(Option("a", &unset).default_text(), "");
  EXPECT_EQ(Option("a", &text).default_text(), "");
}

TEST(Option, TypeNames) {
  bool flag = false;
  std::vector<std::int64_t> integers;
  std::string text;
  EXPECT_EQ(Option("a", &flag).type_name(), "flag");
  EXPECT_EQ(Option("a", &integers).type_name(), "integer list");
  EXPECT_EQ(Option("a", &text).type_name(), "text");
  EXPECT_EQ(Option("a", &text).input("raster").type_name(), "path");
}

TEST(Option, IntegerKeepsItsBoundsInclusive) {
  std::int64_t value = 5;
  Option option("size", &value);
  option.range(1, 10);
  EXPECT_EQ(assign(option, std::int64_t{1}), "");
  EXPECT_EQ(assign(option, std::int64_t{10}), "");
  EXPECT_EQ(value, 10);
  EXPECT_EQ(assign(option, std::int64_t{0}), "must be an integer from 1 to 10, got 0");
  EXPECT_EQ(assign(option, std::int64_t{11}), "must be an integer from 1 to 10, got 11");
  EXPECT_EQ(value, 10) << "a wrong value must not be stored";
}

TEST(Option, IntegerRefusesOtherTypesAndSaysWhatItGot) {
  std::int64_t value = 5;
  Option option("size", &value);
  option.at_least(1);
  EXPECT_EQ(assign(option, std::string("ten")), "must be an integer >= 1, got text \"ten\"");
  EXPECT_EQ(assign(option, 2.5), "must be an integer >= 1, got number 2.5");
  EXPECT_EQ(assign(option, true), "must be an integer >= 1, got true/false true");
  EXPECT_EQ(assign_text(option, {"1e3"}), "must be an integer >= 1, got number 1000");
  EXPECT_EQ(assign_text(option, {"12x"}), "must be an integer >= 1, got text \"12x\"");
}

TEST(Option, NumberTakesIntegersToo) {
  double value = 0;
  Option option("x", &value);
  EXPECT_EQ(assign(option, std::int64_t{3}), "");
  EXPECT_EQ(value, 3.0);
  EXPECT_EQ(assign_text(option, {"-2.5e-3"}), "");
  EXPECT_EQ(value, -0.0025);
}

TEST(Option, NotANumberIsInNoRange) {
  double value = 0;
  Option bounded("x", &value);
  bounded.range(0, 1);
  EXPECT_EQ(assign_text(bounded, {"nan"}), "must be a number from 0 to 1, got nan");
  Option unbounded("y", &value);
  EXPECT_EQ(assign_text(unbounded, {"nan"}), "must be a number, got nan");
  EXPECT_EQ(assign_text(unbounded, {"inf"}), "must be a number, got inf");
  Option nodata("nodata", &value);
  nodata.nan_allowed();
  EXPECT_EQ(assign_text(nodata, {"inf"}), "must be a number, got inf");
  EXPECT_EQ(assign_text(nodata, {"nan"}), "");
  EXPECT_TRUE(std::isnan(value));
}

TEST(Option, BoundsAreWrittenWithoutExponents) {
  std::int64_t value = 0;
  Option option("epochs", &value);
  option.range(1, 100000);
  EXPECT_EQ(assign_text(option, {"0"}), "must be an integer from 1 to 100000, got 0");
}

TEST(Option, ChoicesSuggestTheNearest) {
  std::string value = "error";
  Option option("invalid", &value);
  option.choices({"error", "repair", "skip"});
  EXPECT_EQ(assign(option, std::string("repiar")),
            "must be one of error, repair, skip, got \"repiar\"; did you mean 'repair'?");
  EXPECT_EQ(assign(option, std::string("skip")), "");
}

TEST(Option, FlagTexts) {
  bool value = false;
  Option option("flag", &value);
  EXPECT_EQ(assign_text(option, {"yes"}), "");
  EXPECT_TRUE(value);
  EXPECT_EQ(assign_text(option, {"OFF"}), "");
  EXPECT_FALSE(value);
  EXPECT_EQ(assign_text(option, {"perhaps"}), "must be true or false, got text \"perhaps\"");
}

TEST(Option, ListsOfNumbersSplitAtCommasPathsDoNot) {
  std::vector<std::int64_t> bands;
  Option numbers("bands", &bands);
  EXPECT_EQ(assign_text(numbers, {"1, 2", "4"}), "");
  EXPECT_THAT(bands, ElementsAre(1, 2, 4));
  std::vector<std::string> paths;
  Option files("in", &paths);
  files.input("raster");
  EXPECT_EQ(assign_text(files, {"a,b.tif", "c.tif"}), "");
  EXPECT_THAT(paths, ElementsAre("a,b.tif", "c.tif"));
}

TEST(Option, NumberOfValues) {
  std::vector<double> box;
  Option option("bbox", &box);
  option.count(4);
  EXPECT_EQ(assign_text(option, {"1,2,3"}), "needs 4 values, got 3");
  EXPECT_EQ(assign_text(option, {"1,2", "3", "4"}), "");
  std::string text;
  Option single("a", &text);
  EXPECT_EQ(assign_text(single, {"x", "y"}), "takes one value, got 2");
}

TEST(Option, PathsAreNotEmptyAndNotNumbers) {
  std::string path;
  Option option("out", &path);
  option.output("file");
  EXPECT_EQ(assign(option, std::string()), "must be a path, got an empty text");
  EXPECT_EQ(assign(option, std::int64_t{3}), "must be a path, got integer 3; put it between quotes");
}

TEST(Option, MapTextsChangesTextsOnly) {
  std::vector<std::string> paths{"a", "b"};
  std::int64_t number = 3;
  Option list("in", &paths);
  Option integer("n", &number);
  const auto change = [](const std::string& text) { return "x/" + text; };
  list.map_texts(change);
  integer.map_texts(change);
  EXPECT_THAT(paths, ElementsAre("x/a", "x/b"));
  EXPECT_EQ(number, 3);
}

TEST(Option, ValuesKeepTheirTypes) {
  std::vector<double> list{1, 2.5};
  std::optional<std::int64_t> unset;
  EXPECT_THAT(Option("a", &list).values(), ElementsAre(Option::Given(1.0), Option::Given(2.5)));
  EXPECT_THAT(Option("a", &unset).values(), IsEmpty());
}

TEST(OptionTable, NamesEveryMissingAndEveryExcludedOption) {
  std::string a;
  std::string b;
  std::string c;
  std::string d;
  OptionTable table;
  table.add("a", &a).required();
  table.add("b", &b).required();
  table.add("c", &c).excludes("d");
  table.add("d", &d);
  EXPECT_THAT(table.problems(), ElementsAre("option 'a' is missing", "option 'b' is missing"));
  ASSERT_EQ(assign(*table.find("a"), std::string("1")), "");
  ASSERT_EQ(assign(*table.find("b"), std::string("1")), "");
  ASSERT_EQ(assign(*table.find("c"), std::string("1")), "");
  EXPECT_THAT(table.problems(), IsEmpty());
  ASSERT_EQ(assign(*table.find("d"), std::string("1")), "");
  EXPECT_THAT(table.problems(), ElementsAre("options 'c' and 'd' exclude each other; give only one"));
}

TEST(OptionTable, RefusesTheSameNameTwice) {
  std::string a;
  OptionTable table;
  table.add("a", &a);
  EXPECT_THROW(table.add("a", &a), geo::InvalidArgument);
  EXPECT_EQ(table.find("b"), nullptr);
}

}  // namespace
}  // namespace furrow::workflow
