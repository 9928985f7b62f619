#include <furrow/workflow/help.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/workflow/common_options.h>
#include <furrow/workflow/usage_json.h>

#include "fake_steps.h"

namespace furrow::workflow {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Wrapped, BreaksAtSpacesAndIndents) {
  EXPECT_EQ(wrapped("one two three", 9, 2), "  one two\n  three\n");
  EXPECT_EQ(wrapped("averyverylongword x", 5, 1), " averyverylongword\n x\n");
}

TEST(OptionNotes, TellUnitBoundsDefaultAndRequired) {
  std::int64_t size = 256;
  Option option("tile-px", &size);
  option.unit("px").range(16, 4096);
  EXPECT_THAT(option_notes(option), ElementsAre("px", "16 to 4096", "default 256"));
  bool on = true;
  EXPECT_THAT(option_notes(Option("simplify", &on)),
              ElementsAre("default on; --no-simplify switches it off"));
  std::string out;
  EXPECT_THAT(option_notes(Option("out", &out).required()), ElementsAre("required"));
}

TEST(Synopsis, PositionalFirstThenRequired) {
  std::vector<std::string> scenes;
  std::string out;
  std::string other;
  OptionTable table;
  table.add("out", &out).required().output("folder");
  table.add("scene", &scenes).positional().required().input("raster");
  table.add("other-thing", &other).positional();
  EXPECT_EQ(synopsis({"tile", "", "", {}}, table), "furrow tile SCENE... [OTHER_THING] --out PATH [options]");
}

TEST(Help, OverviewListsEveryCommand) {
  fake::Journal journal;
  CommonOptions common;
  OptionTable table;
  common.declare(table);
  const std::string text = overview_help(fake::fake_commands(journal), table);
  EXPECT_THAT(text, HasSubstr("copy files"));
  EXPECT_THAT(text, HasSubstr("Writes a folder"));
  EXPECT_THAT(text, HasSubstr("--threads"));
  EXPECT_THAT(usage_json(fake::fake_commands(journal), table), HasSubstr("\"name\": \"copy files\""));
}

TEST(CommonOptions, TheCommandLineGoesBeforeTheWorkflow) {
  CommonOptions common;
  EXPECT_EQ(common.resources({3, 1000}).threads, 3);
  EXPECT_EQ(common.resources({3, 1000}).memory_bytes, 1000U);
  common.threads = 2;
  common.memory = "1 MiB";
  EXPECT_EQ(common.resources({3, 1000}).threads, 2);
  EXPECT_EQ(common.resources({3, 1000}).memory_bytes, 1048576U);
  common.memory = "much";
  EXPECT_THROW((void)common.resources({}), geo::UsageError);
}

TEST(CommonOptions, ThreadsComeFromGdalsVariable) {
  const CommonOptions common;
  setenv("GDAL_NUM_THREADS", "2", 1);
  EXPECT_EQ(common.resources({}).threads, 2);
  setenv("GDAL_NUM_THREADS", "ALL_CPUS", 1);
  EXPECT_EQ(common.resources({}).threads, available_threads());
  unsetenv("GDAL_NUM_THREADS");
  EXPECT_EQ(common.resources({}).threads, available_threads());
  EXPECT_GE(available_threads(), 1);
  EXPECT_GT(default_memory_bytes(), std::size_t{1} << 20);
}

}  // namespace
}  // namespace furrow::workflow
