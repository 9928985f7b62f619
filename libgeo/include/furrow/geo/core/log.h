#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace furrow::geo {

enum class LogLevel { kDebug, kVerbose, kInfo, kWarning, kError, kOff };

/// Writes one line to stderr (and to the log file) when `level` is switched on. Safe from any thread.
void log(LogLevel level, std::string_view message);

inline void log_debug(std::string_view message) {
  log(LogLevel::kDebug, message);
}
inline void log_verbose(std::string_view message) {
  log(LogLevel::kVerbose, message);
}
inline void log_info(std::string_view message) {
  log(LogLevel::kInfo, message);
}
inline void log_warning(std::string_view message) {
  log(LogLevel::kWarning, message);
}
inline void log_error(std::string_view message) {
  log(LogLevel::kError, message);
}

/// What begins warnings and errors in the text format, for example "furrow tile"; empty = nothing (the
/// default).
void set_log_program(const std::string& name);

/// The lowest level that is written. Default: kInfo.
void set_log_level(LogLevel level);
[[nodiscard]] LogLevel log_level();

enum class LogFormat { kText, kJson };

/// How lines look on stderr and in the log file: plain text, or one JSON object a line.
void set_log_format(LogFormat format);

/// Also appends every line, from kVerbose up, to a file.
/// @throws IoError when the file cannot be opened
void set_log_file(const std::filesystem::path& path);

}  // namespace furrow::geo
