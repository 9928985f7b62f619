#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/workflow/registry.h>
#include <furrow/workflow/runner.h>
#include <furrow/workflow/step.h>

namespace furrow::workflow {
namespace {

class Run : public Step {
 public:
  StepInfo info() const override {
    return {
        "run",
        "Run a workflow file",
        "Runs the steps of a TOML file: the same commands with the same option names as on the command line. "
        "Everything is checked before anything runs, and all problems are told at once with file, line and "
        "column. A step that reads what another one writes waits for it; steps that do not depend on each "
        "other "
        "run side by side. After a failure the steps that wait for it do not run and the others are "
        "finished.\n\n"
        "A run.json beside the outputs tells versions, effective options, inputs with checksums, seeds, "
        "figures, "
        "times, outputs and failures.",
        {{"What would happen", "furrow run workflow.toml --dry-run"},
         {"The same with other values",
          "furrow run workflow.toml --set vars.country=kenya --set tile.tile-px=512"}}};
  }

  void declare(OptionTable& t) override {
    t.add("workflow", &m_file)
        .positional()
        .required()
        .input("workflow file")
        .help("TOML file with the steps");
    t.add("set", &m_set)
        .help("Replace a value: step.option=value (repeated: a list), vars.name=value or run.threads=2");
  }

  geo::ExecOptions prepare(bool overwrite) override {
    m_commands.emplace(make_all_steps);
    m_workflow = read_workflow(m_file, *m_commands, {m_set, overwrite, true});
    return m_workflow.resources;
  }

  void plan(const OptionTable& /*table*/, StepContext& context) override {
    context.out() << workflow_plan(m_workflow);
    if (!m_workflow.report.empty()) context.out() << "report: " << m_workflow.report.string() << '\n';
  }

  void run(StepContext& context) override {
    const WorkflowResult result = run_workflow(m_workflow, context.exec(), context.out());
    if (!m_workflow.report.empty()) {
      geo::write_text_file(m_workflow.report, run_report(m_workflow, result, context.exec()), true);
    }
    for (std::size_t i = 0; i < result.steps.size(); ++i) {
      for (const auto& failure : result.steps[i].failures) {
        context.fail(failure.input,
                     geo::concat("step ", geo::quoted(m_workflow.steps[i].id), ": ", failure.message));
      }
    }
    context.record("steps done", static_cast<std::int64_t>(result.count(StepStatus::kDone)));
    throw_if_failed(result);
  }

 private:
  void throw_if_failed(const WorkflowResult& result) const {
    const geo::ExitCode code = result.exit_code();
    if (code == geo::ExitCode::kDone || code == geo::ExitCode::kPartial) return;
    std::string text =
        code == geo::ExitCode::kInterrupted
            ? std::string("interrupted; finished outputs are intact")
            : geo::concat(result.count(StepStatus::kFailed), " of ", result.steps.size(), " steps failed");
    const std::size_t not_run = result.count(StepStatus::kNotRun);
    if (not_run > 0) text += geo::concat(", ", not_run, " not run because of that");
    if (!m_workflow.report.empty()) text += "; see " + geo::quoted(m_workflow.report.string());
    throw geo::Error(text, code);
  }

  std::string m_file;
  std::vector<std::string> m_set;
  std::optional<CommandSet> m_commands;
  Workflow m_workflow;
};

}  // namespace

std::unique_ptr<Step> make_run() {
  return std::make_unique<Run>();
}

}  // namespace furrow::workflow
