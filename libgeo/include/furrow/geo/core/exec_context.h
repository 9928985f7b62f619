#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace furrow::geo {

/// Set from a signal handler or another thread to ask running work to stop at the next tile.
class CancelToken {
 public:
  void cancel() noexcept { m_cancelled.store(true, std::memory_order_relaxed); }
  [[nodiscard]] bool cancelled() const noexcept { return m_cancelled.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> m_cancelled{false};
};

/// Where progress is shown. Called from any thread.
class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  virtual void begin(std::string_view label, std::int64_t total) = 0;
  virtual void update(std::string_view label, std::int64_t done, std::int64_t total) = 0;
  virtual void end(std::string_view label, std::int64_t done, std::int64_t total) = 0;
};

struct ExecOptions {
  int threads = 0;               ///< 0 = all that the process may use
  std::size_t memory_bytes = 0;  ///< 0 = half of the machine's memory
};

/// The one place that holds threads, memory budget, cancellation and progress of a process.
///
/// Library functions take it by reference and start oneTBB algorithms directly; `execute` runs them inside
/// the one arena. GDAL's and LibTorch's own threads are held at one inside that arena, so nothing
/// oversubscribes. Thread-safe after construction.
class ExecContext {
 public:
  explicit ExecContext(const ExecOptions& options = {});
  ~ExecContext();
  ExecContext(const ExecContext&) = delete;
  ExecContext& operator=(const ExecContext&) = delete;

  [[nodiscard]] int threads() const noexcept { return m_threads; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept { return m_memory_bytes; }

  /// How many items of `bytes_per_item` a pipeline may hold: at least 1, at most 2 x threads, within the
  /// budget.
  [[nodiscard]] std::size_t tokens(std::size_t bytes_per_item) const noexcept;

  /// Runs `work` inside the arena, isolated from other tasks that wait there. Exceptions come through.
  void execute(const std::function<void()>& work);

  [[nodiscard]] CancelToken& cancel_token() noexcept { return m_cancel; }
  /// @throws Cancelled when the user asked to stop
  void check_cancelled() const;

  /// `sink` must outlive the context; nullptr shows nothing (the default).
  void set_progress_sink(ProgressSink* sink) noexcept { m_sink = sink; }
  [[nodiscard]] ProgressSink* progress_sink() const noexcept { return m_sink; }

 private:
  struct Impl;
  int m_threads;
  std::size_t m_memory_bytes;
  CancelToken m_cancel;
  ProgressSink* m_sink = nullptr;
  std::unique_ptr<Impl> m_impl;
};

/// Progress of one phase. `advance` may be called from any thread.
class Progress {
 public:
  Progress(ExecContext& context, std::string label, std::int64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// @throws Cancelled when the user asked to stop
  void advance(std::int64_t steps = 1);

 private:
  ExecContext& m_context;
  std::string m_label;
  std::int64_t m_total;
  std::atomic<std::int64_t> m_done{0};
};

}  // namespace furrow::geo
