#include <furrow/workflow/runner.h>

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/log.h>
#include <furrow/geo/core/sha256.h>

#include "fake_steps.h"
#include "support.h"

namespace furrow::workflow {
namespace {

using testing::HasSubstr;

class RunWorkflow : public testing::Test {
 protected:
  RunWorkflow() { geo::set_log_level(geo::LogLevel::kOff); }
  ~RunWorkflow() override { geo::set_log_level(geo::LogLevel::kInfo); }

  WorkflowResult run(const std::string& steps, int threads = 4) {
    geo::write_text_file(m_folder / "w.toml", "version = 1\nstep = [\n" + steps + "]\n", true);
    m_workflow = read_workflow(m_folder / "w.toml", m_commands);
    geo::ExecContext exec({threads, std::size_t{1} << 30});
    WorkflowResult result;
    exec.execute([&] { result = run_workflow(m_workflow, exec, m_out); });
    m_report = run_report(m_workflow, result, exec);
    return result;
  }

  test::TemporaryFolder m_folder;
  fake::Journal m_journal;
  CommandSet m_commands = fake::fake_commands(m_journal);
  Workflow m_workflow;
  std::ostringstream m_out;
  std::string m_report;
};

constexpr const char* kChain = R"(
  { id = "c", use = "copy files", name = "c", in = ["b"], out = "c" },
  { id = "b", use = "copy files", name = "b", in = ["a"], out = "b" },
  { id = "a", use = "copy files", name = "a", out = "a" },
)";

TEST_F(RunWorkflow, WaitsForInputsOnOneAndOnFourThreads) {
  for (const int threads : {1, 4}) {
    m_journal.lines.clear();
    for (const char* name : {"a", "b", "c", "run.json"}) std::filesystem::remove(m_folder / name);
    const WorkflowResult result = run(kChain, threads);
    EXPECT_EQ(result.exit_code(), geo::ExitCode::kDone);
    EXPECT_LT(m_journal.position("end a"), m_journal.position("begin b"));
    EXPECT_LT(m_journal.position("end b"), m_journal.position("begin c"));
    EXPECT_EQ(test::bytes_of(m_folder / "c"), "c");
  }
}

TEST_F(RunWorkflow, IndependentStepsRunSideBySide) {
  // Each waits until the other one runs too.
  const auto result = run(R"(
  { id = "a", use = "copy files", name = "a", mode = "meet" },
  { id = "b", use = "copy files", name = "b", mode = "meet" },
)");
  EXPECT_EQ(result.exit_code(), geo::ExitCode::kDone);
  EXPECT_GE(m_journal.most_running, 2);
}

TEST_F(RunWorkflow, WhatStepsPrintComesInTheOrderOfTheFile) {
  (void)run(kChain);
  EXPECT_EQ(m_out.str(), "said c\nsaid b\nsaid a\n");
}

TEST_F(RunWorkflow, AFailureStopsOnlyWhatWaitsForIt) {
  const auto result = run(R"(
  { id = "bad", use = "copy files", name = "bad", mode = "fail", out = "x" },
  { id = "waits", use = "copy files", name = "waits", in = "x", out = "y" },
  { id = "waits more", use = "copy files", name = "waits more", in = "y" },
  { id = "free", use = "copy files", name = "free", out = "z" },
)");
  EXPECT_EQ(result.exit_code(), geo::ExitCode::kFailed);
  EXPECT_EQ(result.steps[0].status, StepStatus::kFailed);
  EXPECT_EQ(result.steps[0].error, "it was to fail");
  EXPECT_EQ(result.steps[1].status, StepStatus::kNotRun);
  EXPECT_EQ(result.steps[2].status, StepStatus::kNotRun);
  EXPECT_EQ(result.steps[3].status, StepStatus::kDone);
  EXPECT_TRUE(std::filesystem::exists(m_folder / "z"));
}

TEST_F(RunWorkflow, LackOfMemoryIsAFailureWithAdvice) {
  const auto result = run("{ use = \"copy files\", mode = \"memory\" }\n");
  EXPECT_THAT(result.steps[0].error, HasSubstr("--memory"));
}

TEST_F(RunWorkflow, AfterFailedInputsTheNextStepsRunAndTheExitCodeTells) {
  const auto result = run(R"(
  { id = "p", use = "copy files", name = "p", mode = "partial", out = "x" },
  { id = "next", use = "copy files", name = "next", in = "x" },
)");
  EXPECT_EQ(result.exit_code(), geo::ExitCode::kPartial);
  EXPECT_EQ(result.steps[0].status, StepStatus::kPartial);
  ASSERT_EQ(result.steps[0].failures.size(), 1U);
  EXPECT_EQ(result.steps[0].failures[0].input, "input 3");
  EXPECT_EQ(result.steps[1].status, StepStatus::kDone);
}

TEST_F(RunWorkflow, AnInterruptStopsWhatHasNotBegun) {
  const auto result = run(R"(
  { id = "stop", use = "copy files", name = "stop", mode = "cancel", out = "x" },
  { id = "next", use = "copy files", name = "next", in = "x" },
)");
  EXPECT_EQ(result.exit_code(), geo::ExitCode::kInterrupted);
  EXPECT_EQ(result.steps[0].status, StepStatus::kInterrupted);
  EXPECT_EQ(result.steps[1].status, StepStatus::kNotRun);
  EXPECT_FALSE(std::filesystem::exists(m_folder / "x"));
}

TEST_F(RunWorkflow, TheReportTellsOptionsFilesFiguresAndSeeds) {
  geo::write_text_file(m_folder / "in.txt", "abc", true);
  (void)run("{ use = \"copy files\", name = \"n\", in = \"in.txt\", out = \"o\", size = 3 }\n");
  // SHA-256 of "abc" from FIPS 180-2, appendix B.1.
  EXPECT_THAT(m_report, HasSubstr("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
  for (const char* part :
       {"\"schema\": \"furrow/run/1\"", "\"size\": 3", "\"seed\": 4", "\"status\": \"done\"", "\"GDAL\"",
        "\"threads\": 4", "\"exit_code\": 0", "\"bytes\": 3"}) {
    EXPECT_THAT(m_report, HasSubstr(part));
  }
}

TEST_F(RunWorkflow, ManyStepsOnFewThreadsEnd) {
  std::string steps;
  for (int i = 0; i < 60; ++i) {
    const std::string name = std::to_string(i);
    steps +=
        "{ id = \"s" + name + "\", use = \"copy files\", name = \"" + name + "\", out = \"o" + name + "\"";
    if (i >= 3) steps += ", in = [\"o" + std::to_string(i - 3) + "\", \"o" + std::to_string(i / 2) + "\"]";
    steps += " },\n";
  }
  const auto result = run(steps, 2);
  EXPECT_EQ(result.count(StepStatus::kDone), 60U);
  for (int i = 3; i < 60; ++i) {
    EXPECT_LT(m_journal.position("end " + std::to_string(i - 3)),
              m_journal.position("begin " + std::to_string(i)));
  }
}

TEST(RecordFile, AFoldersChecksumIsOverNamesAndContents) {
  const test::TemporaryFolder folder;
  geo::write_text_file(folder / "d/a", "1", true);
  geo::write_text_file(folder / "d/sub/b", "22", true);
  const FileRecord first = record_file((folder / "d").string(), true);
  EXPECT_EQ(first.bytes, 3U);
  EXPECT_EQ(first.files, 2);
  const std::string expected =
      geo::sha256_of(std::string("a") + '\0' + geo::sha256_of("1") + "sub/b" + '\0' + geo::sha256_of("22"));
  EXPECT_EQ(first.sha256, expected);
  std::filesystem::rename(folder / "d/a", folder / "d/c");
  EXPECT_NE(record_file((folder / "d").string(), true).sha256, first.sha256);
  EXPECT_EQ(record_file((folder / "d").string(), false).sha256, "");
  EXPECT_THROW((void)record_file((folder / "nowhere").string(), true), geo::IoError);
}

}  // namespace
}  // namespace furrow::workflow
