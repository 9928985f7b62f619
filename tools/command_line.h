#pragma once

#include <string>
#include <vector>

#include <furrow/workflow/command_set.h>

namespace furrow::tools {

/// Spellings that people use, as the parser knows them: underscores in option names, --progress without a
/// value,
/// --no-progress. Everything after "--" stays.
[[nodiscard]] std::vector<std::string> normalised(const std::vector<std::string>& arguments);

/// What a parse left.
struct ParseResult {
  std::vector<std::string> problems;  ///< whole sentences
  std::vector<std::string> rest;      ///< what no option took
  int verbosity = 0;                  ///< how often -v was given
};

/// Takes the common options that stand before the command; `rest` begins with the command.
[[nodiscard]] ParseResult parse_before_command(const std::vector<std::string>& arguments,
                                               workflow::OptionTable& common);

/// Assigns a command's arguments to its own options and to the common ones. Does not check that required
/// options are there (OptionTable::problems does).
[[nodiscard]] ParseResult parse_command(const std::vector<std::string>& arguments,
                                        workflow::OptionTable& options, workflow::OptionTable& common);

/// The command that the words begin with.
struct ChosenCommand {
  std::string name;  ///< empty when there is none
  std::size_t words = 0;
  std::string problem;  ///< set when `name` is empty
};
[[nodiscard]] ChosenCommand choose_command(const std::vector<std::string>& words,
                                           const workflow::CommandSet& commands);

}  // namespace furrow::tools
