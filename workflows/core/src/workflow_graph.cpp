#include <algorithm>
#include <optional>
#include <set>

#include <furrow/geo/core/text.h>
#include <furrow/workflow/path_check.h>

#include "workflow_problems.h"

namespace fs = std::filesystem;

namespace furrow::workflow {
namespace {

using geo::concat;
using geo::quoted;

struct StepPath {
  std::size_t step;
  UsedPath used;
};

/// A pattern ("chips/*.tif") stands for its folder.
std::vector<UsedPath> inputs_of(const OptionTable& table) {
  auto inputs = used_paths(table, PathRole::kInput);
  for (const auto& option : table.options()) {
    if (option->role() != PathRole::kInput) continue;
    for (const auto& text : option->value_texts()) {
      const auto mark = text.find_first_of("*?[");
      if (mark == std::string::npos || text.find(':') != std::string::npos) continue;
      const std::string folder = fs::path(text.substr(0, mark) + "x").parent_path().string();
      inputs.push_back({option.get(), text, comparable_path(folder.empty() ? "." : folder)});
    }
  }
  return inputs;
}

class Linker {
 public:
  Linker(Workflow& workflow, const WorkflowSettings& settings, const std::vector<fs::path>& maybe_made,
         WorkflowProblems& problems)
      : m_workflow(workflow), m_settings(settings), m_maybe_made(maybe_made), m_problems(problems) {
    for (std::size_t i = 0; i < workflow.steps.size(); ++i) {
      const OptionTable& options = workflow.steps[i].bound->options;
      for (auto& used : inputs_of(options)) m_inputs.push_back({i, std::move(used)});
      for (auto& used : used_paths(options, PathRole::kOutput)) m_outputs.push_back({i, std::move(used)});
    }
  }

  void link() {
    find_clashes();
    find_edges();
    if (m_settings.check_files) check_files();
    find_order();
  }

 private:
  [[nodiscard]] SourcePosition position_of(std::size_t step, const std::string& option) const {
    const auto& positions = m_workflow.steps[step].option_positions;
    const auto found = positions.find(option);
    return found == positions.end() ? m_workflow.steps[step].position : found->second;
  }
  [[nodiscard]] std::string name_of(std::size_t step) const { return quoted(m_workflow.steps[step].id); }

  void find_clashes();
  void find_edges();
  void check_files();
  void find_order();
  void report_cycle(const std::vector<bool>& done);
  [[nodiscard]] bool is_made(const fs::path& path, std::size_t reader) const;
  [[nodiscard]] std::string suggestion(const std::string& text) const;

  Workflow& m_workflow;
  const WorkflowSettings& m_settings;
  const std::vector<fs::path>& m_maybe_made;
  WorkflowProblems& m_problems;
  std::vector<StepPath> m_inputs;
  std::vector<StepPath> m_outputs;
};

void Linker::find_clashes() {
  for (std::size_t i = 0; i < m_outputs.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const StepPath& a = m_outputs[j];
      const StepPath& b = m_outputs[i];
      if (a.step == b.step || a.used.option->output_may_exist() || b.used.option->output_may_exist())
        continue;
      if (a.used.path == b.used.path) {
        m_problems.add(position_of(b.step, b.used.option->name()),
                       concat("step ", name_of(b.step), " writes ", quoted(b.used.text), ", which step ",
                              name_of(a.step), " writes too"));
      } else if (lies_in(a.used.path, b.used.path) || lies_in(b.used.path, a.used.path)) {
        m_problems.add(
            position_of(b.step, b.used.option->name()),
            concat("step ", name_of(b.step), " writes ", quoted(b.used.text), " and step ", name_of(a.step),
                   " writes ", quoted(a.used.text), "; one lies inside the other, which is replaced whole"));
      }
    }
  }
}

void Linker::find_edges() {
  for (const auto& input : m_inputs) {
    for (const auto& output : m_outputs) {
      if (input.step == output.step) continue;
      if (lies_in(input.used.path, output.used.path) || lies_in(output.used.path, input.used.path)) {
        m_workflow.steps[input.step].waits_for.push_back(output.step);
      }
    }
  }
  for (auto& step : m_workflow.steps) {
    std::ranges::sort(step.waits_for);
    const auto [first, last] = std::ranges::unique(step.waits_for);
    step.waits_for.erase(first, last);
  }
}

bool Linker::is_made(const fs::path& path, std::size_t reader) const {
  const auto makes = [&](const fs::path& made) { return lies_in(path, made) || lies_in(made, path); };
  return std::ranges::any_of(m_maybe_made, makes) ||
         std::ranges::any_of(m_outputs, [&](const StepPath& output) {
           return output.step != reader && makes(output.used.path);
         });
}

/// The output of a step with nearly the name of a missing input.
std::string Linker::suggestion(const std::string& text) const {
  std::vector<std::string> outputs;
  for (const auto& output : m_outputs) outputs.push_back(output.used.text);
  const std::string near = geo::nearest_name(text, outputs);
  if (near.empty()) return {};
  const auto made = std::ranges::find(outputs, near) - outputs.begin();
  return concat("; did you mean ", quoted(near), ", which step ",
                name_of(m_outputs[static_cast<std::size_t>(made)].step), " writes?");
}

void Linker::check_files() {
  for (std::size_t i = 0; i < m_workflow.steps.size(); ++i) {
    const WorkflowStep& step = m_workflow.steps[i];
    for (const auto& problem : check_inputs(step.bound->options)) {
      if (is_made(problem.path, i)) continue;
      const auto used = std::ranges::find_if(m_inputs, [&](const StepPath& input) {
        return input.step == i && input.used.path == problem.path;
      });
      m_problems.add(position_of(i, problem.option),
                     concat("step ", name_of(i), ": ", problem.message, suggestion(used->used.text)));
    }
    for (const auto& problem : check_outputs(step.bound->options, step.overwrite)) {
      m_problems.add(position_of(i, problem.option), concat("step ", name_of(i), ": ", problem.message));
    }
  }
}

/// Always the first step, in the order of the file, that waits for nothing that is left.
void Linker::find_order() {
  const auto& steps = m_workflow.steps;
  std::vector<bool> done(steps.size(), false);
  while (m_workflow.order.size() < steps.size()) {
    std::optional<std::size_t> next;
    for (std::size_t i = 0; i < steps.size() && !next; ++i) {
      const bool ready =
          std::ranges::all_of(steps[i].waits_for, [&](std::size_t earlier) { return done[earlier]; });
      if (!done[i] && ready) next = i;
    }
    if (!next) {
      report_cycle(done);
      return;
    }
    done[*next] = true;
    m_workflow.order.push_back(*next);
  }
}

void Linker::report_cycle(const std::vector<bool>& done) {
  // From any step that is left, going to what it waits for never ends: where it comes back is a cycle.
  auto at = static_cast<std::size_t>(std::ranges::find(done, false) - done.begin());
  std::vector<std::size_t> path;
  while (std::ranges::find(path, at) == path.end()) {
    path.push_back(at);
    const auto& waits_for = m_workflow.steps[at].waits_for;
    at = *std::ranges::find_if(waits_for, [&](std::size_t earlier) { return !done[earlier]; });
  }
  path.erase(path.begin(), std::ranges::find(path, at));
  std::string text = name_of(at);
  for (auto step = path.rbegin(); step != path.rend(); ++step) text += concat(" -> ", name_of(*step));
  const std::size_t first = *std::ranges::min_element(path);
  m_problems.add(m_workflow.steps[first].position, concat("these steps wait for each other: ", text));
}

}  // namespace

void link_steps(Workflow& workflow, const WorkflowSettings& settings, const std::vector<fs::path>& maybe_made,
                WorkflowProblems& problems) {
  Linker(workflow, settings, maybe_made, problems).link();
}

std::string workflow_plan(const Workflow& workflow) {
  std::string text = concat("workflow ", workflow.file.string(), ": ", workflow.steps.size(), " steps\n");
  std::size_t number = 0;
  for (const std::size_t i : workflow.order) {
    const WorkflowStep& step = workflow.steps[i];
    text +=
        concat(++number, ". ", step.id, step.id == step.command ? "" : concat(" (", step.command, ")"), '\n');
    std::vector<std::string> before;
    for (const std::size_t earlier : step.waits_for) before.push_back(workflow.steps[earlier].id);
    if (!before.empty()) text += concat("   after   ", geo::join(before, ", "), '\n');
    for (const auto& option : step.bound->options.options()) {
      const char* verb = option->role() == PathRole::kInput ? "reads" : "writes";
      if (option->role() == PathRole::kNone) continue;
      for (const auto& value : option->value_texts()) {
        std::error_code ec;
        const auto bytes = fs::is_regular_file(value, ec) ? fs::file_size(value, ec) : 0;
        const bool sized = bytes > 0 && option->role() == PathRole::kInput;
        text += concat("   ", verb, std::string(8 - std::string_view(verb).size(), ' '), value,
                       sized ? concat(" (", geo::human_bytes(static_cast<double>(bytes)), ")") : "", '\n');
      }
    }
  }
  return text;
}

}  // namespace furrow::workflow
