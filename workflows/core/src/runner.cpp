#include <furrow/workflow/runner.h>

#include <algorithm>
#include <chrono>
#include <new>
#include <ostream>
#include <sstream>

#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/task_arena.h>

#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/core/version.h>
#include <furrow/workflow/path_check.h>

namespace fs = std::filesystem;

namespace furrow::workflow {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::vector<FileRecord> record_files(const OptionTable& options, PathRole role, bool checksums) {
  std::vector<FileRecord> records;
  for (const auto& used : used_paths(options, role)) {
    std::error_code ec;
    const bool known = std::ranges::find(records, used.text, &FileRecord::path) != records.end();
    if (!known && fs::exists(used.text, ec)) records.push_back(record_file(used.text, checksums));
  }
  return records;
}

class Runner {
 public:
  Runner(Workflow& workflow, geo::ExecContext& exec) : m_workflow(workflow), m_exec(exec) {
    m_result.steps.resize(workflow.steps.size());
    m_printed.resize(workflow.steps.size());
  }

  void run_all();
  void print(std::ostream& out) const {
    for (const auto& text : m_printed) out << text;
  }
  WorkflowResult take() { return std::move(m_result); }

 private:
  void run_node(std::size_t step);
  void run_step(std::size_t step);
  [[nodiscard]] bool may_run(std::size_t step) const;

  Workflow& m_workflow;
  geo::ExecContext& m_exec;
  WorkflowResult m_result;
  std::vector<std::string> m_printed;
};

bool Runner::may_run(std::size_t step) const {
  return std::ranges::all_of(m_workflow.steps[step].waits_for, [&](std::size_t earlier) {
    const StepStatus status = m_result.steps[earlier].status;
    return status == StepStatus::kDone || status == StepStatus::kPartial;
  });
}

void Runner::run_step(std::size_t index) {
  const WorkflowStep& step = m_workflow.steps[index];
  StepResult& result = m_result.steps[index];
  result.inputs = record_files(step.bound->options, PathRole::kInput, m_workflow.checksums);
  std::ostringstream out;
  StepContext context(m_exec, step.overwrite, out);
  // A thread that waits inside this step must not begin another step.
  const auto keep = [&] {
    result.records = context.records();
    result.failures = context.failures();
    m_printed[index] = out.str();
  };
  try {
    tbb::this_task_arena::isolate([&] { step.bound->step->run(context); });
  } catch (...) {
    keep();
    throw;
  }
  keep();
  result.outputs = record_files(step.bound->options, PathRole::kOutput, m_workflow.checksums);
  result.status = result.failures.empty() ? StepStatus::kDone : StepStatus::kPartial;
}

void Runner::run_node(std::size_t index) {
  const WorkflowStep& step = m_workflow.steps[index];
  StepResult& result = m_result.steps[index];
  if (!may_run(index)) return;
  if (m_exec.cancel_token().cancelled()) {
    result.status = StepStatus::kInterrupted;
    return;
  }
  geo::log_verbose(geo::concat("step ", geo::quoted(step.id), " begins"));
  const auto start = Clock::now();
  result.status = StepStatus::kFailed;
  try {
    run_step(index);
  } catch (const geo::Cancelled&) {
    result.status = StepStatus::kInterrupted;
    result.error = "interrupted";
  } catch (const std::bad_alloc&) {
    result.error = "out of memory; run with a smaller --memory or fewer --threads";
  } catch (const std::exception& e) {
    result.error = e.what();
  }
  result.seconds = seconds_since(start);
  if (result.status == StepStatus::kFailed) {
    geo::log_error(geo::concat("step ", geo::quoted(step.id), " failed: ", result.error));
  } else {
    geo::log_info(geo::concat("step ", geo::quoted(step.id), ": ", status_name(result.status), " after ",
                              geo::fixed(result.seconds, 1), " s"));
  }
}

void Runner::run_all() {
  using Message = tbb::flow::continue_msg;
  using Node = tbb::flow::continue_node<Message>;
  const auto start = Clock::now();
  m_result.started = geo::utc_timestamp();
  tbb::flow::graph graph;
  std::vector<std::unique_ptr<Node>> nodes;
  for (std::size_t i = 0; i < m_workflow.steps.size(); ++i) {
    nodes.push_back(std::make_unique<Node>(graph, [this, i](const Message&) { run_node(i); }));
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (const std::size_t earlier : m_workflow.steps[i].waits_for)
      tbb::flow::make_edge(*nodes[earlier], *nodes[i]);
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (m_workflow.steps[i].waits_for.empty()) nodes[i]->try_put(Message());
  }
  graph.wait_for_all();
  m_result.finished = geo::utc_timestamp();
  m_result.seconds = seconds_since(start);
}

}  // namespace

const char* status_name(StepStatus status) {
  switch (status) {
    case StepStatus::kNotRun:
      return "not run";
    case StepStatus::kDone:
      return "done";
    case StepStatus::kPartial:
      return "partial";
    case StepStatus::kFailed:
      return "failed";
    case StepStatus::kInterrupted:
      break;
  }
  return "interrupted";
}

std::size_t WorkflowResult::count(StepStatus status) const {
  return static_cast<std::size_t>(std::ranges::count(steps, status, &StepResult::status));
}

geo::ExitCode WorkflowResult::exit_code() const {
  if (count(StepStatus::kInterrupted) > 0) return geo::ExitCode::kInterrupted;
  if (count(StepStatus::kFailed) > 0) return geo::ExitCode::kFailed;
  return count(StepStatus::kPartial) > 0 ? geo::ExitCode::kPartial : geo::ExitCode::kDone;
}

WorkflowResult run_workflow(Workflow& workflow, geo::ExecContext& exec, std::ostream& out) {
  Runner runner(workflow, exec);
  runner.run_all();
  runner.print(out);
  return runner.take();
}

}  // namespace furrow::workflow
