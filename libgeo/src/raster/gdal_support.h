#pragma once

#include <cstddef>
#include <string>
#include <vector>

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

  /// The first warning on one line, or empty.
  [[nodiscard]] const std::string& warning() const noexcept { return m_warning; }

  /// For the C callback only.
  void add(bool is_error, const char* text);

 private:
  std::string m_error;
  std::string m_warning;
};

/// Why GDAL could not open a file, for people: missing, a folder, empty, of no known format, or GDAL's own
/// words.
/// @param kind  "raster", "vector file"; what was expected
[[nodiscard]] std::string why_not_opened(const std::string& path, const std::string& kind,
                                         const GdalErrorScope& errors);

/// Registers GDAL's drivers; cheap after the first call.
void register_gdal();

/// While it lives, GDAL opens a remote file in this thread as such a file wants it: no listing of its folder,
/// no probing for side files of a GeoTIFF (its .aux.xml and .ovr are therefore not seen). Does nothing for
/// local files, and nothing to what the user configured. VSI_CACHE stays off: GDAL's network file systems
/// cache by themselves, and that cache asks a server that hangs again for every 32 KiB.
class RemoteAccess {
 public:
  explicit RemoteAccess(const std::string& path);
  ~RemoteAccess();
  RemoteAccess(const RemoteAccess&) = delete;
  RemoteAccess& operator=(const RemoteAccess&) = delete;

 private:
  std::vector<std::string> m_keys;
};

/// Reads a whole remote file.
/// @throws IoError
[[nodiscard]] std::string read_remote_text(const std::string& path);

/// ": <message>; <what to do>" when reading a raster or layer that was open failed, from GDAL's message.
[[nodiscard]] std::string why_not_read(const std::string& path, const GdalErrorScope& errors);

/// What the ExecContext made last may use, for readers whose GDAL blocks must fit it; 0 = unknown.
struct MemoryBudget {
  std::size_t bytes = 0;
  int threads = 1;
};
[[nodiscard]] MemoryBudget memory_budget();
void set_memory_budget(const MemoryBudget& budget);

}  // namespace furrow::geo
