#include <furrow/workflow/command_set.h>

#include <algorithm>

namespace furrow::workflow {

std::vector<std::unique_ptr<Step>> CommandSet::make_all() const {
  auto steps = m_factory();
  std::ranges::sort(steps, {}, [](const auto& step) { return step->info().name; });
  return steps;
}

std::vector<std::string> CommandSet::names() const {
  std::vector<std::string> names;
  for (const auto& step : make_all()) names.push_back(step->info().name);
  return names;
}

std::unique_ptr<Step> CommandSet::make(std::string_view name) const {
  for (auto& step : m_factory()) {
    if (step->info().name == name) return std::move(step);
  }
  return nullptr;
}

}  // namespace furrow::workflow
