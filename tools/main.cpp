#include <algorithm>
#include <string>
#include <vector>

#include <furrow/segmentation/torch_version.h>

#include "openmp_waiting.h"
#include "program.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const bool trains =
      std::ranges::any_of(arguments, [](const auto& a) { return a == "train" || a == "run"; });
  if (trains && !furrow::segmentation::torch_version().empty()) furrow::tools::wait_passively(argv);
  return furrow::tools::run_program(arguments);
}
