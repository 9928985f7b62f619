#include "whole_program.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/workflow/registry.h>

namespace furrow::tools {

namespace {

/// LibTorch's kernels wait for each other at OpenMP barriers, by default spinning for milliseconds: while
/// other programs use the processors, training is 10 times slower so; without any spinning it is a tenth
/// slower on a quiet machine (docs/performance.md). OpenMP reads the variable before main begins, so it is
/// set for the program to come, unless the user has said how threads wait.
void wait_briefly() {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  setenv("GOMP_SPINCOUNT", "1000", 1);
}

/// A command with a network may share its first word with one without.
bool needs_network(const std::vector<std::string>& arguments) {
  const std::string two = arguments.size() > 1 ? geo::concat(arguments[0], " ", arguments[1]) : "";
  const auto commands = geo::split(FURROW_TORCH_COMMANDS, ',');
  return std::ranges::any_of(commands, [&](const auto& name) { return name == arguments[0] || name == two; });
}

}  // namespace

bool is_quick(const std::vector<std::string>& arguments) {
  if (arguments.empty()) return false;
  // A workflow file names other commands.
  if (std::ranges::any_of(arguments, [](const auto& a) { return geo::to_lower(a).ends_with(".toml"); }))
    return false;
  if (needs_network(arguments)) return false;
  const std::string& first = arguments.front();
  return std::ranges::any_of(workflow::make_all_steps(), [&](const auto& step) {
    const std::string name = step->info().name;
    return name == first || name.starts_with(first + " ");
  });
}

int go_on_as_whole_program(const std::vector<std::string>& arguments, char** argv) {
  namespace fs = std::filesystem;
  if (std::ranges::any_of(arguments, [](const auto& a) { return a == "train" || a == "run"; }))
    wait_briefly();
  std::error_code ec;
  const fs::path here = fs::read_symlink("/proc/self/exe", ec).parent_path();
  const fs::path whole = here.parent_path() / FURROW_LIBEXECDIR / "furrow" / "furrow-torch";
  execv(whole.c_str(), argv);
  geo::set_log_program("furrow");
  geo::log_error(geo::concat("cannot start the part of Furrow that trains and predicts, ",
                             geo::quoted(whole.string()), ": ", std::generic_category().message(errno),
                             "; install Furrow again"));
  return static_cast<int>(geo::ExitCode::kFailed);
}

}  // namespace furrow::tools
