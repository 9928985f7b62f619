#pragma once

#include <iosfwd>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/workflow/option_table.h>

namespace furrow::workflow {

struct StepExample {
  std::string title;
  std::string command;  ///< a whole command line that works on sample_data/, starting with "furrow "
};

/// The words of a command: they make --help, --json-usage and the head of its page.
struct StepInfo {
  std::string name;     ///< as typed: "tile", "simulate scene"
  std::string summary;  ///< one line, no full stop
  std::string details;  ///< paragraphs: what it does, when not to use it, method and source, limits
  std::vector<StepExample> examples;
};

/// An input that failed while the others went on.
struct FailedInput {
  std::string input;
  std::string message;
};

/// What a step gets to run with. `record` and `fail` may be called from any thread.
class StepContext {
 public:
  StepContext(geo::ExecContext& exec, bool overwrite, std::ostream& out)
      : m_exec(exec), m_overwrite(overwrite), m_out(out) {}

  [[nodiscard]] geo::ExecContext& exec() noexcept { return m_exec; }
  [[nodiscard]] bool overwrite() const noexcept { return m_overwrite; }
  /// Standard output: only the data or report that was asked for.
  [[nodiscard]] std::ostream& out() noexcept { return m_out; }

  /// A figure of the run (counts, means), shown at the end and written to run.json.
  void record(const std::string& key, std::variant<std::int64_t, double, std::string> value);
  /// An input that could not be used; the step goes on, the process ends with exit code 3.
  void fail(std::string input, std::string message);

  [[nodiscard]] const std::map<std::string, std::variant<std::int64_t, double, std::string>>& records()
      const {
    return m_records;
  }
  [[nodiscard]] const std::vector<FailedInput>& failures() const { return m_failures; }

 private:
  geo::ExecContext& m_exec;
  bool m_overwrite;
  std::ostream& m_out;
  std::mutex m_mutex;
  std::map<std::string, std::variant<std::int64_t, double, std::string>> m_records;
  std::vector<FailedInput> m_failures;
};

/// A command: identity, options, and a call into a library. Holds no algorithm.
class Step {
 public:
  virtual ~Step() = default;
  [[nodiscard]] virtual StepInfo info() const = 0;
  /// Declares every option once, bound to members of the step.
  virtual void declare(OptionTable& table) = 0;
  /// Rules between options that the table cannot say. Opens no file.
  /// @throws geo::UsageError with a full sentence
  virtual void check() const {}
  /// Called once after the checks, before there are threads. A step whose input asks for threads and memory
  /// (a workflow file) reads it here; what the command line says goes first.
  [[nodiscard]] virtual geo::ExecOptions prepare(bool overwrite);
  /// What `run` would do (--dry-run), on context.out(). Changes nothing. Default: effective options, inputs,
  /// outputs.
  virtual void plan(const OptionTable& table, StepContext& context);
  /// Does the work, inside the arena. Asks no option question.
  virtual void run(StepContext& context) = 0;
};

}  // namespace furrow::workflow
