#pragma once

#include <cstdint>
#include <string>

#include <furrow/geo/core/exec_context.h>
#include <furrow/workflow/option_table.h>

namespace furrow::workflow {

/// The options that every command has.
struct CommonOptions {
  std::int64_t threads = 0;
  std::string memory;
  std::string progress = "auto";
  std::string log_file;
  std::string log_format = "text";
  std::string save_workflow;
  bool overwrite = false;
  bool dry_run = false;
  bool quiet = false;
  bool verbose = false;
  bool help = false;
  bool json_usage = false;
  bool version = false;

  /// Heading of these options in --help.
  static constexpr const char* kGroup = "Common options";

  void declare(OptionTable& table);

  /// Threads and memory to run with; `wanted` fills in what the command line leaves open. Without either,
  /// threads come from GDAL_NUM_THREADS, else from the processors that the process may use.
  /// @throws geo::UsageError when --memory is not a size
  [[nodiscard]] geo::ExecOptions resources(const geo::ExecOptions& wanted) const;
};

/// Processors that this process may use: affinity mask and the processor quota of its control group.
[[nodiscard]] int available_threads();

/// Half of the memory that this process may use: the machine's, or its control group's when that is less.
[[nodiscard]] std::size_t default_memory_bytes();

}  // namespace furrow::workflow
