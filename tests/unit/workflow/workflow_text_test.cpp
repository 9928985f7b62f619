#include <furrow/workflow/workflow_text.h>

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_steps.h"
#include "support.h"

#include <furrow/workflow/workflow_file.h>

namespace furrow::workflow {
namespace {

using testing::HasSubstr;

TEST(TomlQuoted, EscapesWhatTomlWouldRead) {
  EXPECT_EQ(toml_quoted("a\"b\\c\n"), "\"a\\\"b\\\\c\\u000a\"");
}

TEST(WorkflowText, ReadsBackAsTheSameValues) {
  const test::TemporaryFolder folder;
  fake::Journal journal;
  const CommandSet commands = fake::fake_commands(journal);
  BoundStep bound(commands.make("copy files"));
  const std::vector<std::string> inputs{(folder / "a b.txt").string(), "/vsicurl/http://host/x"};
  const std::vector<std::string> name{"say \"{x}\" \\"};
  const std::vector<std::string> size{"4"};
  ASSERT_EQ(bound.options.find("in")->assign_texts(inputs), "");
  ASSERT_EQ(bound.options.find("name")->assign_texts(name), "");
  ASSERT_EQ(bound.options.find("size")->assign_texts(size), "");
  geo::write_text_file(folder / "w.toml", workflow_text("copy files", bound.options), true);
  const Workflow workflow = read_workflow(folder / "w.toml", commands, {{}, false, false});
  for (const char* option : {"in", "name", "size", "mode"}) {
    EXPECT_EQ(workflow.steps[0].bound->options.find(option)->value_texts(),
              bound.options.find(option)->value_texts());
  }
}

TEST(WorkflowText, NumbersStayNumbers) {
  double value = 0;
  OptionTable table;
  table.add("x", &value);
  const std::vector<std::string> text{"3"};
  ASSERT_EQ(table.find("x")->assign_texts(text), "");
  EXPECT_THAT(workflow_text("c", table), HasSubstr("x = 3.0\n"));
}

}  // namespace
}  // namespace furrow::workflow
