#include <CLI/CLI.hpp>
#include <furrow/workflow/step.h>
#include <spdlog/spdlog.h>
