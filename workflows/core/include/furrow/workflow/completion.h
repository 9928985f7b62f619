#pragma once

#include <string>
#include <vector>

#include <furrow/workflow/command_set.h>

namespace furrow::workflow {

/// Shells that there are completion scripts for.
[[nodiscard]] const std::vector<std::string>& completion_shells();

/// A script that completes commands, options, fixed values and file names of `furrow`.
/// @param shell  one of completion_shells()
[[nodiscard]] std::string completion_script(const std::string& shell, const CommandSet& commands,
                                            const OptionTable& common);

}  // namespace furrow::workflow
