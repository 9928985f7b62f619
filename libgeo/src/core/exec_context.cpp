#include <furrow/geo/core/exec_context.h>

#include <unistd.h>

#include <algorithm>

#include <cpl_conv.h>
#include <cpl_error.h>
#include <gdal.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_scheduler_observer.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>

#include "../raster/gdal_support.h"

namespace furrow::geo {
namespace {

/// Holds GDAL's own threads at one in every thread that works in the arena (the setting is thread-local).
class SingleThreadedGdal : public tbb::task_scheduler_observer {
 public:
  explicit SingleThreadedGdal(tbb::task_arena& arena) : tbb::task_scheduler_observer(arena) { observe(true); }
  ~SingleThreadedGdal() override { observe(false); }
  void on_scheduler_entry(bool /*is_worker*/) override {
    CPLSetThreadLocalConfigOption("GDAL_NUM_THREADS", "1");
  }
  void on_scheduler_exit(bool /*is_worker*/) override {
    CPLSetThreadLocalConfigOption("GDAL_NUM_THREADS", nullptr);
  }
};

/// What GDAL says outside of a GdalErrorScope goes where all messages go, instead of straight to stderr.
void log_gdal_message(CPLErr level, CPLErrorNum /*number*/, const char* text) {
  const LogLevel to = level >= CE_Failure   ? LogLevel::kWarning
                      : level == CE_Warning ? LogLevel::kVerbose
                                            : LogLevel::kDebug;
  log(to, concat("GDAL: ", text));
}

std::size_t physical_memory() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page = sysconf(_SC_PAGE_SIZE);
  if (pages <= 0 || page <= 0) return std::size_t{4} << 30;
  return static_cast<std::size_t>(pages) * static_cast<std::size_t>(page);
}

}  // namespace

struct ExecContext::Impl {
  tbb::global_control limit;
  tbb::task_arena arena;
  SingleThreadedGdal gdal;

  explicit Impl(int threads)
      : limit(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads)),
        arena(threads),
        gdal(arena) {}
};

ExecContext::ExecContext(const ExecOptions& options)
    : m_threads(options.threads > 0 ? options.threads : tbb::info::default_concurrency()),
      m_memory_bytes(options.memory_bytes > 0 ? options.memory_bytes : physical_memory() / 2),
      m_impl(std::make_unique<Impl>(m_threads)) {
  CPLSetErrorHandler(log_gdal_message);
  GDALAllRegister();
  // GDAL's own block cache is part of the budget, not beside it.
  GDALSetCacheMax64(static_cast<GIntBig>(
      std::clamp<std::size_t>(m_memory_bytes / 8, std::size_t{16} << 20, std::size_t{2} << 30)));
  set_memory_budget({m_memory_bytes, m_threads});
}

ExecContext::~ExecContext() = default;

std::size_t ExecContext::tokens(std::size_t bytes_per_item) const noexcept {
  const auto most = static_cast<std::size_t>(2 * m_threads);
  if (bytes_per_item == 0) return most;
  return std::clamp<std::size_t>(m_memory_bytes / bytes_per_item, 1, most);
}

void ExecContext::execute(const std::function<void()>& work) {
  m_impl->arena.execute([&] { tbb::this_task_arena::isolate(work); });
}

void ExecContext::check_cancelled() const {
  if (m_cancel.cancelled()) throw Cancelled();
}

Progress::Progress(ExecContext& context, std::string label, std::int64_t total)
    : m_context(context), m_label(std::move(label)), m_total(total) {
  if (auto* sink = m_context.progress_sink()) sink->begin(m_label, m_total);
}

Progress::~Progress() {
  if (auto* sink = m_context.progress_sink()) sink->end(m_label, m_done.load(), m_total);
}

void Progress::advance(std::int64_t steps) {
  const std::int64_t done = m_done.fetch_add(steps) + steps;
  if (auto* sink = m_context.progress_sink()) sink->update(m_label, done, m_total);
  m_context.check_cancelled();
}

}  // namespace furrow::geo
