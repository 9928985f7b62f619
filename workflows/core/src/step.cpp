#include <furrow/workflow/step.h>

#include <ostream>

#include <furrow/geo/core/text.h>

namespace furrow::workflow {

void StepContext::record(const std::string& key, std::variant<std::int64_t, double, std::string> value) {
  const std::scoped_lock lock(m_mutex);
  m_records[key] = std::move(value);
}

void StepContext::fail(std::string input, std::string message) {
  const std::scoped_lock lock(m_mutex);
  m_failures.push_back({std::move(input), std::move(message)});
}

geo::ExecOptions Step::prepare(bool /*overwrite*/) {
  return {};
}

void Step::plan(const OptionTable& table, StepContext& context) {
  context.out() << info().name << '\n';
  for (const auto& option : table.options()) {
    const auto values = option->value_texts();
    if (values.empty()) continue;
    const char* verb = option->role() == PathRole::kInput    ? "  reads   "
                       : option->role() == PathRole::kOutput ? "  writes  "
                                                             : "  with    ";
    context.out() << verb << option->name() << " = " << geo::join(values, ", ") << '\n';
  }
}

}  // namespace furrow::workflow
