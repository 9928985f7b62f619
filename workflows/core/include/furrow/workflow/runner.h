#pragma once

#include <cstdint>
#include <iosfwd>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/exec_context.h>
#include <furrow/workflow/step.h>
#include <furrow/workflow/workflow_file.h>

namespace furrow::workflow {

enum class StepStatus {
  kNotRun,  ///< a step that it waits for failed
  kDone,
  kPartial,  ///< done, but some inputs failed
  kFailed,
  kInterrupted  ///< the user asked to stop before or while it ran
};

/// "not run", "done", ...
[[nodiscard]] const char* status_name(StepStatus status);

/// A file or folder that a step read or wrote.
struct FileRecord {
  std::string path;
  std::uint64_t bytes = 0;
  std::int64_t files = 1;  ///< in a folder, below it
  std::string
      sha256;  ///< of a folder: over names and checksums of its files, sorted; empty without checksums
};

struct StepResult {
  StepStatus status = StepStatus::kNotRun;
  std::string error;
  double seconds = 0.0;
  std::vector<FileRecord> inputs;   ///< as they were before the step ran
  std::vector<FileRecord> outputs;  ///< those that exist afterwards
  std::map<std::string, std::variant<std::int64_t, double, std::string>> records;
  std::vector<FailedInput> failures;
};

struct WorkflowResult {
  std::string started;   ///< UTC
  std::string finished;  ///< UTC
  double seconds = 0.0;
  std::vector<StepResult> steps;  ///< in the order of the file

  [[nodiscard]] std::size_t count(StepStatus status) const;
  /// Interrupted before failed before partial.
  [[nodiscard]] geo::ExitCode exit_code() const;
};

/// Runs all steps: those that wait for nothing side by side, each isolated from the others' tasks, inside the
/// arena of `exec` (call it from exec.execute). After a failure, steps that wait for it do not run; the
/// others are finished. What steps print comes out in the order of the file. Throws nothing that a step
/// threw: see the result.
[[nodiscard]] WorkflowResult run_workflow(Workflow& workflow, geo::ExecContext& exec, std::ostream& out);

/// run.json (schema "furrow/run/1"): versions, machine settings, and per step the effective options, seeds,
/// files with checksums, figures, failures and times.
[[nodiscard]] std::string run_report(const Workflow& workflow, const WorkflowResult& result,
                                     const geo::ExecContext& exec);

/// A file, or a folder with everything below it.
/// @throws geo::IoError when it cannot be read
[[nodiscard]] FileRecord record_file(const std::string& path, bool checksum);

}  // namespace furrow::workflow
