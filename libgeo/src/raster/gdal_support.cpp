#include "gdal_support.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>

#include <cpl_error.h>
#include <gdal.h>

#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>

namespace furrow::geo {
namespace {
std::atomic<std::size_t> g_memory_bytes{0};
std::atomic<int> g_threads{1};

void CPL_STDCALL collect(CPLErr level, CPLErrorNum /*number*/, const char* text) {
  auto* scope = static_cast<GdalErrorScope*>(CPLGetErrorHandlerUserData());
  if (scope != nullptr) scope->add(level == CE_Failure || level == CE_Fatal, text);
}
}  // namespace

GdalErrorScope::GdalErrorScope() {
  CPLPushErrorHandlerEx(collect, this);
}
GdalErrorScope::~GdalErrorScope() {
  CPLPopErrorHandler();
}

void GdalErrorScope::add(bool is_error, const char* text) {
  std::string line = text;
  std::ranges::replace(line, '\n', ' ');
  if (is_error) {
    // What follows a full disk only says that something could not be written.
    const bool says_why = m_error.find("No space left") != std::string::npos;
    if (!says_why) m_error = std::move(line);
  } else {
    log_debug("GDAL: " + line);
  }
}

std::string why_not_opened(const std::string& path, const std::string& kind, const GdalErrorScope& errors) {
  namespace fs = std::filesystem;
  std::error_code ec;
  const std::string start = concat("cannot open ", kind, " ", quoted(path), ": ");
  const bool is_plain = !path.starts_with("/vsi");
  if (is_plain && !fs::exists(path, ec)) {
    if (path.find(':') == std::string::npos) return start + "no such file";
  } else if (is_plain && fs::is_directory(path, ec)) {
    return start + "it is a folder that holds no " + kind;
  } else if (is_plain && fs::is_regular_file(path, ec) && fs::file_size(path, ec) == 0) {
    return start + "the file is empty (0 bytes)";
  }
  const bool unknown =
      errors.message().find("not recognized as a supported file format") != std::string::npos;
  if (unknown || !errors.failed()) return concat(start, "it is not a ", kind, " that GDAL can read");
  return start + errors.message();
}

void register_gdal() {
  static std::once_flag once;
  std::call_once(once, [] { GDALAllRegister(); });
}

MemoryBudget memory_budget() {
  return {g_memory_bytes.load(), g_threads.load()};
}

void set_memory_budget(const MemoryBudget& budget) {
  g_memory_bytes.store(budget.bytes);
  g_threads.store(budget.threads);
}

}  // namespace furrow::geo
