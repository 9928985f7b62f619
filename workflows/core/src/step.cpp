#include <furrow/workflow/step.h>

namespace furrow::workflow {

void StepContext::record(const std::string& key, std::variant<std::int64_t, double, std::string> value) {
  const std::scoped_lock lock(m_mutex);
  m_records[key] = std::move(value);
}

void StepContext::fail(std::string input, std::string message) {
  const std::scoped_lock lock(m_mutex);
  m_failures.push_back({std::move(input), std::move(message)});
}

}  // namespace furrow::workflow
