#include <string>
#include <vector>

#include "program.h"
#include "whole_program.h"

/// The command line as users start it: commands without a network run here, all else in the whole program.
int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (!furrow::tools::is_quick(arguments)) return furrow::tools::go_on_as_whole_program(arguments, argv);
  return furrow::tools::run_program(arguments);
}
