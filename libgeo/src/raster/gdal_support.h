#pragma once

#include <string>

namespace furrow::geo {

/// Collects the messages that GDAL raises in the calling thread while it lives, instead of printing them.
/// GDAL and OGR calls that can fail sit in one of these; the thrower puts `message()` into its own line.
class GdalErrorScope {
 public:
  GdalErrorScope();
  ~GdalErrorScope();
  GdalErrorScope(const GdalErrorScope&) = delete;
  GdalErrorScope& operator=(const GdalErrorScope&) = delete;

  /// The last error on one line, or empty.
  [[nodiscard]] const std::string& message() const noexcept { return m_error; }
  [[nodiscard]] bool failed() const noexcept { return !m_error.empty(); }
  /// ": <message>", or empty.
  [[nodiscard]] std::string suffix() const { return m_error.empty() ? "" : ": " + m_error; }

  /// For the C callback only.
  void add(bool is_error, const char* text);

 private:
  std::string m_error;
};

/// Registers GDAL's drivers; cheap after the first call.
void register_gdal();

}  // namespace furrow::geo
