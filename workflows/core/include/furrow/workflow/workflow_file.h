#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/workflow/command_set.h>

namespace furrow::workflow {

/// 1-based; line 0 = not from the file (a --set).
struct SourcePosition {
  unsigned line = 0;
  unsigned column = 0;
};

struct WorkflowStep {
  std::string id;
  std::string command;
  SourcePosition position;
  std::map<std::string, SourcePosition> option_positions;
  std::unique_ptr<BoundStep>
      bound;  ///< a step of its own, with all values assigned; paths lead from the working folder
  bool overwrite = false;
  std::vector<std::size_t> waits_for;  ///< positions of steps that must end before; sorted
};

/// A workflow that was checked as a whole.
struct Workflow {
  std::filesystem::path file;
  geo::ExecOptions resources;    ///< of [run]; 0 where it says nothing
  std::filesystem::path report;  ///< run.json; empty = none
  bool checksums = true;         ///< inputs and outputs get a checksum in the report
  std::vector<WorkflowStep> steps;
  std::vector<std::size_t> order;  ///< of execution on one thread
};

struct WorkflowSettings {
  std::vector<std::string> set;  ///< "step.option=value", "vars.name=value", "run.threads=2"
  bool overwrite = false;        ///< all steps may replace their outputs
  bool check_files = true;       ///< false: whether inputs and outputs exist does not matter
};

/// Reads and checks a workflow file. Touches no data.
///
/// Steps depend on each other through paths: who reads a path, a file inside a folder, or a folder with a
/// file in it that another step writes, waits for that step; `after` adds more.
/// @throws geo::IoError      the file cannot be read
/// @throws geo::ConfigError  with everything that is wrong, one "file:line:column: ..." a line, and their
/// number
[[nodiscard]] Workflow read_workflow(const std::filesystem::path& file, const CommandSet& commands,
                                     const WorkflowSettings& settings = {});

/// The steps in order with what each reads, writes and waits for.
[[nodiscard]] std::string workflow_plan(const Workflow& workflow);

/// A JSON Schema (draft 2020-12) of workflow files with these commands, for editors.
[[nodiscard]] std::string workflow_schema(const CommandSet& commands);

}  // namespace furrow::workflow
