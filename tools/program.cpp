#include "program.h"

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <new>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/core/version.h>
#include <furrow/segmentation/torch_version.h>
#include <furrow/workflow/common_options.h>
#include <furrow/workflow/help.h>
#include <furrow/workflow/path_check.h>
#include <furrow/workflow/registry.h>
#include <furrow/workflow/usage_json.h>
#include <furrow/workflow/workflow_text.h>

#include "command_line.h"
#include "progress_display.h"
#include "signals.h"

namespace furrow::tools {
namespace {

using geo::concat;
using geo::ExitCode;
using workflow::BoundStep;
using workflow::CommandSet;
using workflow::CommonOptions;
using workflow::OptionTable;

int code_of(ExitCode code) {
  return static_cast<int>(code);
}

int usage_errors(const std::vector<std::string>& problems) {
  for (const auto& problem : problems) geo::log_error(problem);
  return code_of(ExitCode::kUsage);
}

std::string version_text() {
  std::string text = concat("furrow ", geo::furrow_version(), '\n');
  for (const auto& [name, version] : geo::library_versions()) text += concat(name, ' ', version, '\n');
  const std::string torch = segmentation::torch_version();
  return text + concat("Torch ", torch.empty() ? "not built in" : torch, '\n');
}

void set_up_messages(const CommonOptions& common, int verbosity) {
  using geo::LogLevel;
  LogLevel level = error_stream_is_terminal() ? LogLevel::kInfo : LogLevel::kWarning;
  if (verbosity == 1) level = LogLevel::kVerbose;
  if (verbosity > 1) level = LogLevel::kDebug;
  if (common.quiet) level = LogLevel::kError;
  geo::set_log_level(level);
  geo::set_log_format(common.log_format == "json" ? geo::LogFormat::kJson : geo::LogFormat::kText);
  if (!common.log_file.empty()) geo::set_log_file(common.log_file);
}

/// Everything that can be known before any file is opened. @return the exit code, or 0
int report_path_problems(const OptionTable& options, bool overwrite) {
  int code = 0;
  for (const auto& problem : workflow::check_paths(options, overwrite)) {
    geo::log_error(problem.message);
    code = std::max(code, code_of(problem.code));
  }
  return code;
}

void log_start(const BoundStep& bound, const geo::ExecContext& exec) {
  std::string text = version_text();
  std::ranges::replace(text, '\n', ' ');
  geo::log_verbose(text);
  geo::log_verbose(concat("threads = ", exec.threads(),
                          ", memory = ", geo::human_bytes(static_cast<double>(exec.memory_bytes()))));
  for (const auto& option : bound.options.options()) {
    const auto values = option->value_texts();
    if (!values.empty()) geo::log_verbose(concat(option->name(), " = ", geo::join(values, ", ")));
  }
}

double peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024.0;
}

/// Failed inputs as errors, figures and time as information. @return the exit code
int report_end(const workflow::StepContext& context, double seconds) {
  for (const auto& [key, value] : context.records()) {
    geo::log_info(std::visit([&](const auto& v) { return concat(key, ": ", v); }, value));
  }
  geo::log_info(concat("done in ", geo::fixed(seconds, 1), " s, peak memory ",
                       geo::human_bytes(peak_memory_bytes()),
                       ", failed inputs: ", context.failures().size()));
  if (context.failures().empty()) return code_of(ExitCode::kDone);
  for (const auto& failure : context.failures()) {
    geo::log_error(concat(geo::quoted(failure.input), " failed: ", failure.message));
  }
  geo::log_error(concat(context.failures().size(), " inputs failed; the others were done"));
  return code_of(ExitCode::kPartial);
}

int run_step(BoundStep& bound, const CommonOptions& common) {
  geo::ExecContext exec(common.resources(bound.step->prepare(common.overwrite)));
  const InterruptGuard guard(exec.cancel_token());
  const auto display = make_progress_display(common.progress, common.quiet);
  exec.set_progress_sink(display.get());
  workflow::StepContext context(exec, common.overwrite, std::cout);
  if (common.dry_run) {
    bound.step->plan(bound.options, context);
    return code_of(ExitCode::kDone);
  }
  log_start(bound, exec);
  const auto start = std::chrono::steady_clock::now();
  exec.execute([&] { bound.step->run(context); });
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  return report_end(context, elapsed.count());
}

/// Messages and saved workflows go into files too; never into an input, which they would spoil.
void check_side_files(const CommonOptions& common, const OptionTable& options) {
  const auto inputs = workflow::used_paths(options, workflow::PathRole::kInput);
  const auto check = [&](const char* option, const std::string& text) {
    if (text.empty()) return;
    const auto path = workflow::comparable_path(text);
    if (std::ranges::none_of(inputs, [&](const auto& input) { return input.path == path; })) return;
    throw geo::UsageError(concat(option, ' ', geo::quoted(text), " is also an input; give it another name"));
  };
  check("--log-file", common.log_file);
  check("--save-workflow", common.save_workflow);
}

int run_command(const std::string& name, const std::vector<std::string>& arguments,
                const CommandSet& commands, CommonOptions& common, OptionTable& common_table, int verbosity) {
  geo::set_log_program("furrow " + name);
  BoundStep bound(commands.make(name));
  ParseResult line = parse_command(arguments, bound.options, common_table);
  if (common.help) {
    std::cout << workflow::command_help(bound.step->info(), bound.options, common_table);
    return code_of(ExitCode::kDone);
  }
  if (common.json_usage) {
    std::cout << workflow::usage_json(bound.step->info(), bound.options);
    return code_of(ExitCode::kDone);
  }
  if (common.version) {
    std::cout << version_text();
    return code_of(ExitCode::kDone);
  }
  check_side_files(common, bound.options);
  set_up_messages(common, std::max(verbosity, line.verbosity));
  // A wrong option first: what is missing may only be a consequence of it.
  if (!line.problems.empty()) return usage_errors(line.problems);
  auto problems = bound.options.problems();
  for (auto& problem : common_table.problems()) problems.push_back(std::move(problem));
  if (!problems.empty()) return usage_errors(problems);
  bound.step->check();
  if (!common.save_workflow.empty()) {
    geo::write_text_file(common.save_workflow, workflow::workflow_text(name, bound.options),
                         common.overwrite);
    return code_of(ExitCode::kDone);
  }
  const int path_code = report_path_problems(bound.options, common.overwrite);
  return path_code != 0 ? path_code : run_step(bound, common);
}

/// glibc hands the memory of a tile back to the system as soon as it is free, which then clears its pages
/// anew for the next tile: up to a tenth of the time of a prediction.
void keep_freed_memory() {
#ifdef __GLIBC__
  constexpr int kLargestInHeap = 32 << 20;  // what glibc itself would come to, at most
  constexpr int kLeastTrimmed = 256 << 20;
  ::mallopt(M_MMAP_THRESHOLD, kLargestInHeap);
  ::mallopt(M_TRIM_THRESHOLD, kLeastTrimmed);
#endif
}

int run_arguments(const std::vector<std::string>& arguments) {
  const CommandSet commands(workflow::make_all_steps);
  CommonOptions common;
  OptionTable common_table;
  common.declare(common_table);
  ParseResult before = parse_before_command(arguments, common_table);
  if (!before.problems.empty()) return usage_errors(before.problems);
  std::vector<std::string> words = std::move(before.rest);
  if (!words.empty() && words.front() == "help") {
    words.erase(words.begin());
    common.help = true;
  }
  if (words.empty() && common.version) {
    std::cout << version_text();
    return code_of(ExitCode::kDone);
  }
  if (words.empty() && common.json_usage) {
    std::cout << workflow::usage_json(commands, common_table);
    return code_of(ExitCode::kDone);
  }
  if (words.empty() && common.help) {
    std::cout << workflow::overview_help(commands, common_table);
    return code_of(ExitCode::kDone);
  }
  const ChosenCommand chosen = choose_command(words, commands);
  if (chosen.name.empty()) return usage_errors({chosen.problem});
  words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(chosen.words));
  return run_command(chosen.name, words, commands, common, common_table, before.verbosity);
}

/// A message of several lines (a list of problems) is printed as it is, so that editors find
/// file:line:column.
void report(const std::string& message) {
  const auto lines = geo::split(message, '\n');
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) std::cerr << lines[i] << '\n';
  geo::log_error(lines.back());
}

}  // namespace

int run_program(const std::vector<std::string>& arguments) {
  geo::set_log_program("furrow");
  keep_freed_memory();
  try {
    const int code = run_arguments(normalised(arguments));
    std::cout.flush();
    if (!std::cout) throw geo::IoError("cannot write to standard output; is the disk full?");
    return code;
  } catch (const geo::Error& e) {
    report(e.what());
    return code_of(e.exit_code());
  } catch (const std::bad_alloc&) {
    geo::log_error(
        "out of memory; give --memory a smaller size, for example --memory 1GiB, or use fewer --threads");
  } catch (const std::exception& e) {
    geo::log_error(concat("unexpected failure: ", e.what()));
  }
  return code_of(ExitCode::kFailed);
}

}  // namespace furrow::tools
