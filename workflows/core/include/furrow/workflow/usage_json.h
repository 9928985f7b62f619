#pragma once

#include <string>

#include <furrow/workflow/command_set.h>

namespace furrow::workflow {

/// One command as JSON: name, summary, examples and every option with type, unit, bounds, choices and
/// default.
[[nodiscard]] std::string usage_json(const StepInfo& info, const OptionTable& options);

/// The whole tool: version, commands, common options, exit codes.
[[nodiscard]] std::string usage_json(const CommandSet& commands, const OptionTable& common);

}  // namespace furrow::workflow
