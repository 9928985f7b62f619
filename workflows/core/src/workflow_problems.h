#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <furrow/workflow/workflow_file.h>

namespace furrow::workflow {

/// Everything that is wrong with a workflow file, so that all of it can be told at once.
class WorkflowProblems {
 public:
  void add(SourcePosition position, std::string message);
  [[nodiscard]] std::size_t size() const noexcept { return m_items.size(); }
  /// @throws geo::ConfigError with all problems, in the order of the file, when there are any
  void throw_if_any(const std::filesystem::path& file) const;

 private:
  struct Item {
    SourcePosition position;
    std::string message;
  };
  std::vector<Item> m_items;
};

/// Finds who waits for whom, the order, and everything that is wrong about files: fills `waits_for` (which
/// holds what `after` asked for) and `order`.
/// @param maybe_made  paths that steps which could not be read name: a missing input may be what they would
/// write
void link_steps(Workflow& workflow, const WorkflowSettings& settings,
                const std::vector<std::filesystem::path>& maybe_made, WorkflowProblems& problems);

}  // namespace furrow::workflow
