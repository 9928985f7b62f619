#pragma once

#include <string>
#include <vector>

#include <furrow/workflow/command_set.h>

namespace furrow::workflow {

/// Words for the exit codes, in order, for --help and the command pages.
struct ExitCodeText {
  int code;
  const char* meaning;
};
[[nodiscard]] const std::vector<ExitCodeText>& exit_code_texts();

/// What stands for an option's value: "PATH", "INTEGER", "NUMBER", "TEXT"; empty for a flag.
[[nodiscard]] std::string value_word(const Option& option);

/// Unit, bounds, number of values, and default, as short texts: {"px", "1 to 4096", "default 256"}.
[[nodiscard]] std::vector<std::string> option_notes(const Option& option);

/// "1 to 4096", ">= 1", "<= 9", or empty.
[[nodiscard]] std::string bounds_note(const Option& option);

/// "furrow tile SCENE --out PATH [options]"
[[nodiscard]] std::string synopsis(const StepInfo& info, const OptionTable& options);

/// Everything that `furrow COMMAND --help` prints.
[[nodiscard]] std::string command_help(const StepInfo& info, const OptionTable& options,
                                       const OptionTable& common);

/// What `furrow --help` prints: the commands with one line each, and the common options.
[[nodiscard]] std::string overview_help(const CommandSet& commands, const OptionTable& common);

/// A paragraph broken at spaces so that no line is longer than `width`, each line after `indent` spaces.
[[nodiscard]] std::string wrapped(const std::string& text, std::size_t width, std::size_t indent);

}  // namespace furrow::workflow
