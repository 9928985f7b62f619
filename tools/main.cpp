#include "program.h"

int main(int argc, char** argv) {
  return furrow::tools::run_program({argv + 1, argv + argc});
}
