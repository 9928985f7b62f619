#pragma once

#include <string>
#include <vector>

namespace furrow::tools {

/// True when this program has the command that the arguments name and needs no other command for it.
[[nodiscard]] bool is_quick(const std::vector<std::string>& arguments);

/// Goes on as the program with all commands, `libexec/furrow/furrow-torch` beside this program's folder.
/// Loading LibTorch takes half a second; commands without a network do without.
/// @return only when it cannot be started: the exit code, after a message
[[nodiscard]] int go_on_as_whole_program(const std::vector<std::string>& arguments, char** argv);

}  // namespace furrow::tools
