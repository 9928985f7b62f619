#include <furrow/geo/core/log.h>

#include <atomic>
#include <mutex>

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::geo {
namespace {

struct Loggers {
  std::mutex mutex;
  std::shared_ptr<spdlog::logger> console;
  std::shared_ptr<spdlog::logger> file;
  std::atomic<LogLevel> level{LogLevel::kInfo};
  LogFormat format = LogFormat::kText;
  std::string program;

  Loggers()
      : console(
            std::make_shared<spdlog::logger>("furrow", std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
    console->set_level(spdlog::level::trace);
    console->set_pattern("%v");
  }
};

Loggers& loggers() {
  static Loggers instance;
  return instance;
}

const char* name_of(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kVerbose:
      return "verbose";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
    case LogLevel::kOff:
      break;
  }
  return "off";
}

std::string json_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      static constexpr char kHex[] = "0123456789abcdef";
      out += "\\u00";
      out += kHex[(c >> 4) & 15];
      out += kHex[c & 15];
    } else {
      out += c;
    }
  }
  return out;
}

std::string decorated(LogLevel level, std::string_view message, const Loggers& l) {
  if (l.format == LogFormat::kJson) {
    return concat("{\"level\":\"", name_of(level), "\",\"message\":\"", json_escaped(message), "\"}");
  }
  if (level == LogLevel::kWarning || level == LogLevel::kError) {
    return concat(l.program, l.program.empty() ? "" : ": ", name_of(level), ": ", message);
  }
  return std::string(message);
}

}  // namespace

void log(LogLevel level, std::string_view message) {
  Loggers& l = loggers();
  const std::scoped_lock lock(l.mutex);
  if (level >= l.level.load() && level != LogLevel::kOff) {
    l.console->log(spdlog::level::info, decorated(level, message, l));
    l.console->flush();
  }
  if (l.file && level >= LogLevel::kVerbose) l.file->log(spdlog::level::info, decorated(level, message, l));
}

void set_log_level(LogLevel level) {
  loggers().level.store(level);
}
LogLevel log_level() {
  return loggers().level.load();
}

void set_log_program(const std::string& name) {
  const std::scoped_lock lock(loggers().mutex);
  loggers().program = name;
}

void set_log_format(LogFormat format) {
  const std::scoped_lock lock(loggers().mutex);
  loggers().format = format;
}

void set_log_file(const std::filesystem::path& path) {
  try {
    auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path.string());
    auto logger = std::make_shared<spdlog::logger>("furrow-file", std::move(sink));
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %v");
    logger->flush_on(spdlog::level::trace);
    const std::scoped_lock lock(loggers().mutex);
    loggers().file = std::move(logger);
  } catch (const spdlog::spdlog_ex& e) {
    throw IoError(concat("cannot open log file ", quoted(path.string()), ": ", e.what()));
  }
}

}  // namespace furrow::geo
