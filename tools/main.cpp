#include <string>
#include <vector>

#include "program.h"

int main(int argc, char** argv) {
  return furrow::tools::run_program(std::vector<std::string>(argv + 1, argv + argc));
}
