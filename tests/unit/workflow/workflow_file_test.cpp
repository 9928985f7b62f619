#include <furrow/workflow/workflow_file.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_steps.h"
#include "support.h"

namespace furrow::workflow {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

class WorkflowFile : public testing::Test {
 protected:
  Workflow read(const std::string& text, WorkflowSettings settings = {}) {
    geo::write_text_file(m_folder / "w.toml", text, true);
    return read_workflow(m_folder / "w.toml", m_commands, settings);
  }
  std::string problems(const std::string& text, WorkflowSettings settings = {}) {
    try {
      (void)read(text, std::move(settings));
    } catch (const geo::ConfigError& e) {
      EXPECT_EQ(e.exit_code(), geo::ExitCode::kUsage);
      return e.what();
    }
    return "no problem";
  }
  void touch(const std::string& name) const { geo::write_text_file(m_folder / name, "x", true); }

  test::TemporaryFolder m_folder;
  fake::Journal m_journal;
  CommandSet m_commands = fake::fake_commands(m_journal);
};

TEST_F(WorkflowFile, StepsGetTheirValuesAndIds) {
  const Workflow w = read(R"(
version = 1
[[step]]
use = "copy files"
size = 3
name = "n"
out = "o.txt"
)");
  ASSERT_EQ(w.steps.size(), 1U);
  EXPECT_EQ(w.steps[0].id, "copy files");
  EXPECT_THAT(w.steps[0].bound->options.find("size")->value_texts(), ElementsAre("3"));
  EXPECT_THAT(w.steps[0].bound->options.find("out")->value_texts(),
              ElementsAre((m_folder / "o.txt").string()));
  EXPECT_EQ(w.report, m_folder / "run.json");
}

TEST_F(WorkflowFile, EachStepHasValuesOfItsOwn) {
  const Workflow w = read(R"(
version = 1
step = [ { use = "copy files", id = "a", size = 2 }, { use = "copy files", id = "b", size = 9 } ]
)");
  EXPECT_THAT(w.steps[0].bound->options.find("size")->value_texts(), ElementsAre("2"));
  EXPECT_THAT(w.steps[1].bound->options.find("size")->value_texts(), ElementsAre("9"));
  EXPECT_THAT(w.steps[1].waits_for, IsEmpty());
  EXPECT_TRUE(w.report.empty()) << "without outputs there is no place for a report";
}

TEST_F(WorkflowFile, RunSettings) {
  const Workflow w = read(R"(
version = 1
run = { threads = 3, memory = "2 GiB", report = "sub/r.json", checksums = false }
step = [ { use = "copy files" } ]
)");
  EXPECT_EQ(w.resources.threads, 3);
  EXPECT_EQ(w.resources.memory_bytes, std::size_t{2} << 30);
  EXPECT_EQ(w.report, m_folder / "sub/r.json");
  EXPECT_FALSE(w.checksums);
}

TEST_F(WorkflowFile, VariablesAreFilledInAndDoubledBracesStay) {
  const std::string text = R"(
version = 1
vars = { place = "x", count = 3 }
step = [ { use = "copy files", name = "{place}-{count} {{place} {}" } ]
)";
  EXPECT_THAT(read(text).steps[0].bound->options.find("name")->value_texts(), ElementsAre("x-3 {place} {}"));
  EXPECT_THAT(read(text, {{"vars.place=y"}, false, true}).steps[0].bound->options.find("name")->value_texts(),
              ElementsAre("y-3 {place} {}"));
  EXPECT_THAT(
      problems("version = 1\nvars = { place = 1 }\n[[step]]\nuse = \"copy files\"\nname = \"{plase}\"\n"),
      HasSubstr("w.toml:5:8: unknown variable {plase}; did you mean 'place'?"));
}

TEST_F(WorkflowFile, PathsLinkSteps) {
  touch("start");
  const Workflow w = read(R"(
version = 1
step = [
  { id = "last", use = "copy files", in = ["made/part.txt", "b"], out = "c" },
  { id = "folder", use = "folder", out = "made" },
  { id = "b", use = "copy files", in = "start", out = "./b" },
  { id = "all", use = "folder", in = ".", out = "../elsewhere" },
]
)");
  EXPECT_THAT(w.steps[0].waits_for, ElementsAre(1, 2));
  EXPECT_THAT(w.steps[1].waits_for, IsEmpty());
  EXPECT_THAT(w.steps[3].waits_for, ElementsAre(0, 1, 2))
      << "who reads a folder waits for what is written into it";
  EXPECT_THAT(w.order, ElementsAre(1, 2, 0, 3));
}

TEST_F(WorkflowFile, PatternsLinkStepsThroughTheirFolder) {
  const Workflow w = read(R"(
version = 1
step = [ { id = "a", use = "copy files", in = "made/*.tif" }, { id = "b", use = "folder", out = "made" } ]
)");
  EXPECT_THAT(w.steps[0].waits_for, ElementsAre(1));
}

TEST_F(WorkflowFile, AfterAddsWhatNoPathSays) {
  const Workflow w = read(R"(
version = 1
step = [ { id = "a", use = "copy files", after = "b" }, { id = "b", use = "copy files" } ]
)");
  EXPECT_THAT(w.order, ElementsAre(1, 0));
}

TEST_F(WorkflowFile, CyclesAreNamedInOrder) {
  EXPECT_THAT(problems(R"(version = 1
[[step]]
id = "a"
use = "copy files"
after = "c"
[[step]]
id = "b"
use = "copy files"
after = "a"
[[step]]
id = "c"
use = "copy files"
after = "b"
)"),
              HasSubstr("w.toml:2:1: these steps wait for each other: 'a' -> 'b' -> 'c' -> 'a' (1 problem;"));
  EXPECT_THAT(problems("version = 1\n[[step]]\nid = \"a\"\nuse = \"copy files\"\nafter = \"a\"\n"),
              HasSubstr("wait for each other: 'a' -> 'a'"));
}

TEST_F(WorkflowFile, ProblemsComeInTheOrderOfTheFileWithTheirNumber) {
  const std::string text = problems(R"(version = 1
[[step]]
use = "copy files"
size = 11
name = 3
[[step]]
use = "foldr"
)");
  EXPECT_THAT(text,
              HasSubstr("w.toml:4:8: step 'copy files': 'size' must be an integer from 1 to 10, got 11\n"));
  EXPECT_LT(text.find(":4:8:"), text.find(":5:8:"));
  EXPECT_LT(text.find(":5:8:"), text.find(":7:7: step 2: unknown command 'foldr'; did you mean 'folder'?"));
  EXPECT_THAT(text, EndsWith("3 problems; nothing was run"));
}

TEST_F(WorkflowFile, AStepJudgesItsValuesTogether) {
  EXPECT_THAT(problems("version = 1\n[[step]]\nuse = \"copy files\"\nsize = 7\nmode = \"fail\"\n"),
              HasSubstr("w.toml:2:1: step 'copy files': 7 is not allowed with fail"));
}

TEST_F(WorkflowFile, MissingInputsAreProblemsUnlessAStepMakesThem) {
  const std::string text =
      "version = 1\n[[step]]\nuse = \"copy files\"\nin = [\"nowhere\", \"made/x\"]\n[[step]]\nuse = "
      "\"folder\"\nout = "
      "\"made\"\n";
  EXPECT_THAT(problems(text), HasSubstr("w.toml:4:6: step 'copy files': cannot open file '"));
  EXPECT_THAT(problems(text), HasSubstr("1 problem;"));
  EXPECT_EQ(problems(text, {{}, false, false}), "no problem");
}

TEST_F(WorkflowFile, WhatAnUnreadableStepNamesIsNotReportedAsMissing) {
  const std::string text = problems(
      "version = 1\n[[step]]\nuse = \"foldr\"\nout = \"made\"\n[[step]]\nuse = \"copy files\"\nin = "
      "\"made/x\"\n");
  EXPECT_THAT(text, EndsWith("(1 problem; nothing was run)"));
}

TEST_F(WorkflowFile, SetReplacesAndIsChecked) {
  const std::string text = "version = 1\n[[step]]\nid = \"a\"\nuse = \"copy files\"\nsize = 2\n";
  const Workflow w = read(text, {{"a.size=5", "run.threads=2", "a.overwrite=true"}, false, true});
  EXPECT_THAT(w.steps[0].bound->options.find("size")->value_texts(), ElementsAre("5"));
  EXPECT_EQ(w.resources.threads, 2);
  EXPECT_TRUE(w.steps[0].overwrite);
  EXPECT_THAT(problems(text, {{"a.size=50"}, false, true}),
              HasSubstr("--set a.size=50: 'size' must be an integer from 1 to 10, got 50"));
  EXPECT_THAT(problems(text, {{"b.size=5"}, false, true}), HasSubstr("no step 'b'"));
}

TEST_F(WorkflowFile, OutputsThatExistNeedOverwriteOfTheStepOrOfTheRun) {
  touch("o");
  const std::string text = "version = 1\n[[step]]\nuse = \"copy files\"\nout = \"o\"\n";
  EXPECT_THAT(problems(text), HasSubstr("w.toml:4:7: step 'copy files': output"));
  EXPECT_EQ(problems(text + "overwrite = true\n"), "no problem");
  EXPECT_EQ(problems(text, {{}, true, true}), "no problem");
}

TEST_F(WorkflowFile, HostileTextsAreProblemsNotCrashes) {
  for (const char* text : {"", "[", "version = 1", "version = 1\nstep = 3", "version = 1\nstep = [3]",
                           "version = 1\n[step]\nuse = \"a\"", "version = \"1\"\n[[step]]",
                           "version = 1\nrun = 3\nvars = [1]\n[[step]]\nuse = 3",
                           "version = 1\n[[step]]\nuse = \"copy files\"\nin = [[1]]",
                           "version = 1\n[[step]]\nuse = \"folder\"\nout = []",
                           "version = 1\n[[step]]\nuse = \"copy files\"\nsize = 2024-01-01", "\xff\xfe",
                           "version = 1\nvars = { a = {} }"}) {
    EXPECT_THAT(problems(text), HasSubstr("nothing was run")) << text;
  }
}

TEST_F(WorkflowFile, PlanTellsOrderPathsAndWaiting) {
  touch("start");
  const std::string plan = workflow_plan(read(R"(
version = 1
step = [ { id = "b", use = "copy files", in = "x" }, { id = "a", use = "copy files", in = "start", out = "x" } ]
)"));
  EXPECT_LT(plan.find("1. a (copy files)"), plan.find("2. b (copy files)"));
  EXPECT_THAT(plan, HasSubstr("start (1 B)"));
  EXPECT_THAT(plan, HasSubstr("after   a"));
}

TEST_F(WorkflowFile, SchemaHasBoundsChoicesAndRequired) {
  const std::string schema = workflow_schema(m_commands);
  for (const char* part :
       {"\"const\": \"copy files\"", "\"maximum\": 10.0", "\"meet\"", "\"required\": [\n"}) {
    EXPECT_THAT(schema, HasSubstr(part));
  }
}

}  // namespace
}  // namespace furrow::workflow
