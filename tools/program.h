#pragma once

#include <string>
#include <vector>

namespace furrow::tools {

/// Runs `furrow` with the given arguments (without the program's name). Never throws.
/// @return the exit code
[[nodiscard]] int run_program(const std::vector<std::string>& arguments);

}  // namespace furrow::tools
