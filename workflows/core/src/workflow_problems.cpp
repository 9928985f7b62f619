#include "workflow_problems.h"

#include <algorithm>
#include <tuple>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::workflow {

void WorkflowProblems::add(SourcePosition position, std::string message) {
  m_items.push_back({position, std::move(message)});
}

void WorkflowProblems::throw_if_any(const std::filesystem::path& file) const {
  if (m_items.empty()) return;
  auto items = m_items;
  std::ranges::stable_sort(
      items, {}, [](const Item& item) { return std::tuple(item.position.line, item.position.column); });
  std::string text;
  for (const auto& [position, message] : items) {
    if (position.line > 0) text += geo::concat(file.string(), ':', position.line, ':', position.column, ": ");
    text += message + (items.size() == 1 ? " (" : "\n");
  }
  throw geo::ConfigError(items.size() == 1 ? text + "1 problem; nothing was run)"
                                           : geo::concat(text, items.size(), " problems; nothing was run"));
}

}  // namespace furrow::workflow
