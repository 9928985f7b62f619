#include "progress_display.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <nlohmann/json.hpp>

#include <furrow/geo/core/text.h>

namespace furrow::tools {
namespace {

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

bool terminal_is_dumb() {
  const char* term = std::getenv("TERM");
  return term == nullptr || std::string_view(term) == "dumb";
}

std::int64_t percent_of(std::int64_t done, std::int64_t total) {
  return total <= 0 ? 0 : std::clamp<std::int64_t>(100 * done / total, 0, 100);
}

std::string bar_line(const std::string& label, std::int64_t percent) {
  constexpr std::int64_t kCells = 30;
  const auto filled = static_cast<std::size_t>(percent * kCells / 100);
  const std::string bar =
      std::string(filled, '=') + std::string(static_cast<std::size_t>(kCells) - filled, ' ');
  const std::string cells = use_colour() ? geo::concat("\033[32m", bar, "\033[0m") : bar;
  return geo::concat("\r\033[K[", cells, "] ", percent, " % ", label);
}

}  // namespace

void ProgressDisplay::begin(std::string_view label, std::int64_t total) {
  const std::scoped_lock lock(m_mutex);
  m_shown_percent[std::string(label)] = -1;
  show(std::string(label), 0, total);
}

void ProgressDisplay::update(std::string_view label, std::int64_t done, std::int64_t total) {
  const std::scoped_lock lock(m_mutex);
  show(std::string(label), done, total);
}

void ProgressDisplay::end(std::string_view label, std::int64_t done, std::int64_t total) {
  const std::scoped_lock lock(m_mutex);
  show(std::string(label), done, total);
  if (m_style == ProgressStyle::kBar) std::fputc('\n', stderr);
  m_shown_percent.erase(std::string(label));
}

void ProgressDisplay::show(const std::string& label, std::int64_t done, std::int64_t total) {
  const std::int64_t step = m_style == ProgressStyle::kBar ? 1 : 10;
  const std::int64_t percent = percent_of(done, total);
  const auto found = m_shown_percent.find(label);
  if (found == m_shown_percent.end()) return;
  if (found->second >= 0 && percent / step <= found->second / step) return;
  found->second = percent;
  std::string line;
  switch (m_style) {
    case ProgressStyle::kBar:
      line = bar_line(label, percent);
      break;
    case ProgressStyle::kLines:
      line = geo::concat(label, ": ", percent / step * step, " %\n");
      break;
    case ProgressStyle::kJson:
      line =
          nlohmann::json{{"progress", label}, {"done", done}, {"total", total}, {"percent", percent}}.dump() +
          '\n';
      break;
  }
  std::fputs(line.c_str(), stderr);
  std::fflush(stderr);
}

bool error_stream_is_terminal() {
  return isatty(STDERR_FILENO) == 1;
}

bool use_colour() {
  if (is_set("NO_COLOR")) return false;
  if (is_set("CLICOLOR_FORCE")) return true;
  return error_stream_is_terminal() && !terminal_is_dumb();
}

std::unique_ptr<ProgressDisplay> make_progress_display(const std::string& choice, bool quiet) {
  if (quiet || choice == "none") return nullptr;
  if (choice == "json") return std::make_unique<ProgressDisplay>(ProgressStyle::kJson);
  if (error_stream_is_terminal() && !terminal_is_dumb())
    return std::make_unique<ProgressDisplay>(ProgressStyle::kBar);
  return choice == "on" ? std::make_unique<ProgressDisplay>(ProgressStyle::kLines) : nullptr;
}

}  // namespace furrow::tools
