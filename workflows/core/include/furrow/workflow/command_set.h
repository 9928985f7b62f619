#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <furrow/workflow/step.h>

namespace furrow::workflow {

using StepFactory = std::function<std::vector<std::unique_ptr<Step>>()>;

/// The commands of a program: gives fresh steps by name. Copies share nothing.
class CommandSet {
 public:
  explicit CommandSet(StepFactory factory) : m_factory(std::move(factory)) {}

  /// Sorted.
  [[nodiscard]] std::vector<std::string> names() const;
  /// A fresh step, or nullptr when there is no such command.
  [[nodiscard]] std::unique_ptr<Step> make(std::string_view name) const;
  /// Fresh steps of all commands, sorted by name.
  [[nodiscard]] std::vector<std::unique_ptr<Step>> make_all() const;

 private:
  StepFactory m_factory;
};

/// A step together with its options, which are bound to the step's members.
struct BoundStep {
  std::unique_ptr<Step> step;
  OptionTable options;

  explicit BoundStep(std::unique_ptr<Step> made) : step(std::move(made)) { step->declare(options); }
};

}  // namespace furrow::workflow
