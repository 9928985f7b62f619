#pragma once

#include <cstddef>
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

/// Why GDAL could not open a file, for people: missing, a folder, empty, of no known format, or GDAL's own
/// words.
/// @param kind  "raster", "vector file"; what was expected
[[nodiscard]] std::string why_not_opened(const std::string& path, const std::string& kind,
                                         const GdalErrorScope& errors);

/// Registers GDAL's drivers; cheap after the first call.
void register_gdal();

/// What the ExecContext made last may use, for readers whose GDAL blocks must fit it; 0 = unknown.
struct MemoryBudget {
  std::size_t bytes = 0;
  int threads = 1;
};
[[nodiscard]] MemoryBudget memory_budget();
void set_memory_budget(const MemoryBudget& budget);

}  // namespace furrow::geo
