#pragma once

#include <string>

#include <furrow/workflow/option_table.h>

namespace furrow::workflow {

/// A workflow file with one step: the command with the options that were set. Relative paths become absolute,
/// because a workflow file reads them from its own folder.
[[nodiscard]] std::string workflow_text(const std::string& command, const OptionTable& options);

/// `text` as a TOML string, quotes included.
[[nodiscard]] std::string toml_quoted(const std::string& text);

}  // namespace furrow::workflow
