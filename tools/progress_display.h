#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <furrow/geo/core/exec_context.h>

namespace furrow::tools {

enum class ProgressStyle { kBar, kLines, kJson };

/// Shows progress on standard error: a bar that is redrawn, one line per 10 %, or one JSON object a line.
/// Safe from any thread.
class ProgressDisplay : public geo::ProgressSink {
 public:
  explicit ProgressDisplay(ProgressStyle style) : m_style(style) {}
  void begin(std::string_view label, std::int64_t total) override;
  void update(std::string_view label, std::int64_t done, std::int64_t total) override;
  void end(std::string_view label, std::int64_t done, std::int64_t total) override;

 private:
  /// Shown when the share reaches the next step: 1 % of a bar, else 10 %.
  void show(const std::string& label, std::int64_t done, std::int64_t total);

  ProgressStyle m_style;
  std::mutex m_mutex;
  std::map<std::string, std::int64_t> m_shown_percent;
};

/// The display that --progress asks for; nullptr = none. `choice` is "auto", "on", "json" or "none"; "auto"
/// means a bar when standard error is a terminal that can redraw a line.
[[nodiscard]] std::unique_ptr<ProgressDisplay> make_progress_display(const std::string& choice, bool quiet);

/// Standard error is a terminal.
[[nodiscard]] bool error_stream_is_terminal();

/// Colour may be used on standard error: a terminal, not TERM=dumb, NO_COLOR empty; or CLICOLOR_FORCE.
[[nodiscard]] bool use_colour();

}  // namespace furrow::tools
