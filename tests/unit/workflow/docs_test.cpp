#include <furrow/workflow/docs.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>

namespace furrow::workflow {
namespace {

using testing::HasSubstr;

TEST(WithGenerated, KeepsWhatIsWrittenByHand) {
  EXPECT_EQ(with_generated("# a\n<!-- generated:begin -->\nold\n<!-- generated:end -->\nby hand\n", "new\n"),
            "# a\n<!-- generated:begin -->\nnew\n<!-- generated:end -->\nby hand\n");
}

TEST(WithGenerated, NeedsBothLines) {
  EXPECT_THROW((void)with_generated("# a\n<!-- generated:end -->\n<!-- generated:begin -->\n", ""),
               geo::InvalidArgument);
  EXPECT_THROW((void)with_generated("# a\n", ""), geo::InvalidArgument);
}

TEST(CommandReference, TableOfOptions) {
  double boundary = 2.0;
  std::string out;
  OptionTable table;
  table.add("boundary-px", &boundary).unit("px").range(0, 9).help("Width of a|b");
  table.add("out", &out).required().short_name('o').output("file").help("File");
  const std::string text = command_reference({"tile it", "Cuts", "", {}}, table);
  EXPECT_THAT(text, HasSubstr("| `--boundary-px` | number, px, 0 to 9 | 2 | Width of a\\|b |\n"));
  EXPECT_THAT(text, HasSubstr("| `--out`, `-o` | path | required | File |\n"));
  EXPECT_THAT(text, HasSubstr("furrow tile it --out PATH [options]"));
  EXPECT_EQ(page_name("tile it"), "tile-it.md");
}

}  // namespace
}  // namespace furrow::workflow
