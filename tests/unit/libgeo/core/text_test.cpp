#include <furrow/geo/core/text.h>

#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>

namespace furrow::geo {

TEST(Text, SuggestsANameThatIsNear) {
  const std::vector<std::string> names{"min-pixels", "layer", "overlap"};
  EXPECT_EQ(nearest_name("min-pixel", names), "min-pixels");
  EXPECT_EQ(nearest_name("overlpa", names), "overlap");
  EXPECT_EQ(nearest_name("zzzzzz", names), "");
}

TEST(Text, QuotesNamesTheSameWayWhateverTheirType) {
  const std::string name = "a b";
  std::string changeable = name;
  EXPECT_EQ(concat(quoted(name), quoted(changeable), quoted(name + "c"), quoted(std::string_view("d")),
                   quoted("e")),
            "'a b''a b''a bc''d''e'");
}

TEST(Text, ReadsSizes) {
  EXPECT_EQ(parse_bytes("2 GiB"), std::size_t{2} << 30);
  EXPECT_EQ(parse_bytes("500MB"), 500000000U);
  EXPECT_EQ(parse_bytes("42"), 42U);
  EXPECT_THROW((void)parse_bytes("many"), InvalidArgument);
}

TEST(Text, ReadsWholeNumbersOnly) {
  double d = 0.0;
  EXPECT_TRUE(parse_number(" 1.5e3 ", d));
  EXPECT_EQ(d, 1500.0);
  EXPECT_FALSE(parse_number("1.5x", d));
  EXPECT_FALSE(parse_number("", d));
}

TEST(Text, WritesTheShortestNumberThatReadsBack) {
  EXPECT_EQ(shortest(0.1), "0.1");
  EXPECT_EQ(shortest(600000.0), "600000");
  EXPECT_EQ(shortest(0.0001), "0.0001");
  EXPECT_EQ(shortest(1e-7), "1e-07");
  EXPECT_EQ(shortest(0.0), "0");
  EXPECT_EQ(fixed(2.0 / 3.0, 3), "0.667");
}

}  // namespace furrow::geo
