#pragma once

#include <stdexcept>
#include <string>

namespace furrow::geo {

/// What a process answers to the shell. Every command page repeats these.
enum class ExitCode : int {
  kDone = 0,          ///< everything was done
  kFailed = 1,        ///< processing failed
  kUsage = 2,         ///< the command line or the workflow file is wrong; nothing was written
  kPartial = 3,       ///< finished, but some inputs failed; they were listed
  kInterrupted = 130  ///< stopped by the user; finished outputs are intact
};

/// Base of everything the libraries throw. A message is one line: what, which file, what to do.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, ExitCode code = ExitCode::kFailed)
      : std::runtime_error(message), m_exit_code(code) {}
  [[nodiscard]] ExitCode exit_code() const noexcept { return m_exit_code; }

 private:
  ExitCode m_exit_code;
};

/// The command line is wrong: unknown or missing option, value out of range, options that exclude each other.
class UsageError : public Error {
 public:
  explicit UsageError(const std::string& message) : Error(message, ExitCode::kUsage) {}
};

/// A workflow or configuration file is wrong; the message starts with file:line:column.
class ConfigError : public Error {
 public:
  explicit ConfigError(const std::string& message) : Error(message, ExitCode::kUsage) {}
};

/// A library function was called with values outside its contract.
class InvalidArgument : public Error {
 public:
  using Error::Error;
};

/// A file cannot be read or written, or holds something else than expected.
class IoError : public Error {
 public:
  using Error::Error;
};

/// A coordinate reference system is missing, unknown, or does not fit; the message names the switch that
/// settles it.
class CrsError : public Error {
 public:
  using Error::Error;
};

/// A geometry is invalid or an operation on it failed; the message names the feature.
class GeometryError : public Error {
 public:
  using Error::Error;
};

/// A model does not fit its input, or its files disagree with each other.
class ModelError : public Error {
 public:
  using Error::Error;
};

/// The user asked to stop.
class Cancelled : public Error {
 public:
  Cancelled() : Error("interrupted", ExitCode::kInterrupted) {}
};

}  // namespace furrow::geo
