#include <furrow/workflow/common_options.h>

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>

#include <oneapi/tbb/info.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::workflow {
namespace {

/// The quota of a control group in processors (version 2, then version 1), or 0 when there is none.
int quota_threads() {
  double quota = 0.0;
  double period = 0.0;
  if (std::ifstream v2("/sys/fs/cgroup/cpu.max"); !(v2 >> quota >> period)) {
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") >> quota;
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_period_us") >> period;
  }
  return quota > 0.0 && period > 0.0 ? std::max(1, static_cast<int>(std::ceil(quota / period))) : 0;
}

double group_memory_bytes() {
  for (const char* file : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    double bytes = 0.0;
    if (std::ifstream in(file); in >> bytes && bytes > 0.0) return bytes;
  }
  return 0.0;
}

/// GDAL_NUM_THREADS as GDAL reads it, or 0 when it says nothing.
int threads_from_environment() {
  const char* text = std::getenv("GDAL_NUM_THREADS");
  long long number = 0;
  if (text == nullptr || !geo::parse_number(text, number)) return 0;
  return static_cast<int>(std::clamp<long long>(number, 0, 1024));
}

}  // namespace

int available_threads() {
  const int affinity = tbb::info::default_concurrency();
  const int quota = quota_threads();
  return quota > 0 ? std::min(affinity, quota) : affinity;
}

std::size_t default_memory_bytes() {
  double bytes = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
  const double group = group_memory_bytes();
  if (group > 0.0) bytes = std::min(bytes, group);
  return static_cast<std::size_t>(bytes / 2.0);
}

void CommonOptions::declare(OptionTable& table) {
  const auto add = [&table](const char* name, Option::Target target) -> Option& {
    return table.add(name, target).group(kGroup);
  };
  add("threads", &threads)
      .short_name('j')
      .range(1, 1024)
      .help("Threads to use; default: GDAL_NUM_THREADS, else all processors that the process may use");
  add("memory", &memory)
      .help("Memory to stay within, for example 4GiB; default: half of what the process may use");
  add("overwrite", &overwrite).help("Replace outputs that exist");
  add("dry-run", &dry_run).help("Say what would be read and written, and do nothing");
  add("progress", &progress)
      .choices({"auto", "on", "json", "none"})
      .help("Show progress on standard error; json: one object a line. Default: a bar when it is a terminal");
  add("quiet", &quiet).short_name('q').excludes("verbose").help("Print errors only");
  add("verbose", &verbose)
      .short_name('v')
      .help("Print effective options and a summary; -vv also debug messages");
  add("log-file", &log_file).help("Also append messages to this file");
  add("log-format", &log_format)
      .choices({"text", "json"})
      .help("Messages as plain text or one JSON object a line");
  add("save-workflow", &save_workflow).help("Write this command as a workflow file instead of running it");
  add("json-usage", &json_usage).help("Print all options as JSON");
  add("version", &version).help("Print the versions of furrow and of its libraries");
  add("help", &help).short_name('h').help("Print this help");
}

geo::ExecOptions CommonOptions::resources(const geo::ExecOptions& wanted) const {
  geo::ExecOptions options = wanted;
  if (threads > 0) options.threads = static_cast<int>(threads);
  if (options.threads == 0) options.threads = threads_from_environment();
  if (options.threads == 0) options.threads = available_threads();
  if (!memory.empty()) {
    try {
      options.memory_bytes = geo::parse_bytes(memory);
    } catch (const geo::InvalidArgument& e) {
      throw geo::UsageError(geo::concat("'--memory': ", e.what()));
    }
    if (options.memory_bytes == 0) throw geo::UsageError("'--memory' must be more than 0");
  }
  if (options.memory_bytes == 0) options.memory_bytes = default_memory_bytes();
  return options;
}

}  // namespace furrow::workflow
