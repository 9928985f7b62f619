#pragma once

#include <string>

#include <furrow/workflow/command_set.h>

namespace furrow::workflow {

/// The generated part of a command's page: synopsis, table of options, exit codes (Markdown).
[[nodiscard]] std::string command_reference(const StepInfo& info, const OptionTable& options);

/// The generated part of the list of commands (Markdown): commands and the common options.
[[nodiscard]] std::string command_index(const CommandSet& commands, const OptionTable& common);

/// File name of a command's page: "simulate-scene.md".
[[nodiscard]] std::string page_name(const std::string& command);

/// `page` with what stands between the lines <!-- generated:begin --> and <!-- generated:end --> replaced.
/// @throws geo::InvalidArgument when the two lines are not there
[[nodiscard]] std::string with_generated(const std::string& page, const std::string& generated);

}  // namespace furrow::workflow
