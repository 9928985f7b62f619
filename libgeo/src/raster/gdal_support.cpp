#include "gdal_support.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <string_view>
#include <utility>

#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_http.h>
#include <cpl_vsi.h>
#include <gdal.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/remote.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/layer.h>

#ifdef FURROW_HAS_PARQUET
#include "../vector/parquet_driver.h"
#endif

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

namespace {

bool is_about_disk(const std::string& error) {
  constexpr std::array kWords{"No space left", "disk is full", "disk I/O error", "quota exceeded",
                              "File too large"};
  return std::ranges::any_of(kWords, [&](const char* w) { return error.find(w) != std::string::npos; });
}

}  // namespace

void GdalErrorScope::add(bool is_error, const char* text) {
  std::string line = text;
  std::ranges::replace(line, '\n', ' ');
  if (is_error) {
    // What follows a full disk only says that something could not be written, or is not there.
    if (!is_about_disk(m_error)) m_error = std::move(line);
  } else {
    log_debug("GDAL: " + line);
    if (m_warning.empty()) m_warning = std::move(line);
  }
}

namespace {

/// Set for the whole process unless the user did. A server that does not answer is given up after a while;
/// errors that pass by themselves (429, 502, 503, 504, a lost connection) are tried again.
constexpr std::array<std::pair<const char*, const char*>, 7> kNetworkDefaults{
    {{"GDAL_HTTP_MAX_RETRY", "3"},
     {"GDAL_HTTP_RETRY_DELAY", "1"},
     {"GDAL_HTTP_CONNECTTIMEOUT", "20"},
     {"GDAL_HTTP_TIMEOUT", "300"},
     {"GDAL_HTTP_LOW_SPEED_TIME", "30"},
     {"GDAL_HTTP_LOW_SPEED_LIMIT", "1"},
     {"GDAL_HTTP_MERGE_CONSECUTIVE_RANGES", "YES"}}};

void set_unless_configured(const char* key, const char* value) {
  if (CPLGetConfigOption(key, nullptr) == nullptr) CPLSetConfigOption(key, value);
}

bool has(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

RemoteAccess::RemoteAccess(const std::string& path) {
  if (!is_remote(path)) return;
  const auto set = [&](const char* key, const char* value) {
    if (CPLGetConfigOption(key, nullptr) != nullptr) return;
    CPLSetThreadLocalConfigOption(key, value);
    m_keys.emplace_back(key);
  };
  const std::string lower = to_lower(path);
  const bool tiff = lower.ends_with(".tif") || lower.ends_with(".tiff");
  set("GDAL_DISABLE_READDIR_ON_OPEN", tiff ? "EMPTY_DIR" : "TRUE");
  if (tiff) set("CPL_VSIL_CURL_ALLOWED_EXTENSIONS", ".tif,.tiff,.TIF,.TIFF");
}

RemoteAccess::~RemoteAccess() {
  for (const auto& key : m_keys) CPLSetThreadLocalConfigOption(key.c_str(), nullptr);
}

std::string read_remote_text(const std::string& path) {
  register_gdal();
  const RemoteAccess access(path);
  const GdalErrorScope errors;
  GByte* bytes = nullptr;
  vsi_l_offset size = 0;
  constexpr GIntBig kNoLimit = -1;
  if (VSIIngestFile(nullptr, remote_path(path).c_str(), &bytes, &size, kNoLimit) == 0) {
    throw IoError(why_not_opened(path, "file", errors));
  }
  std::string text(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  VSIFree(bytes);
  return text;
}

namespace {

/// Asks the server once more for one byte, for the sake of a message that says what it answers.
std::string answer_of_server(const std::string& path) {
  const std::string name = remote_path(path);
  if (!name.starts_with("/vsicurl/")) return {};
  const std::string url = name.substr(std::string_view("/vsicurl/").size());
  const GdalErrorScope errors;
  const char* const options[] = {"CUSTOMREQUEST=GET", "HEADERS=Range: bytes=0-0", "MAX_RETRY=0", nullptr};
  CPLHTTPResult* result = CPLHTTPFetch(url.c_str(), options);
  std::string answer;
  if (result == nullptr) return answer;
  if (result->pszErrBuf != nullptr) answer = result->pszErrBuf;
  CPLHTTPDestroyResult(result);
  return answer;
}

/// The HTTP status in a message ("HTTP response code: 404", "HTTP error code : 503"), or 0.
int status_in(const std::string& message) {
  const auto place = message.find(" code");
  if (place == std::string::npos) return 0;
  const auto digits = message.find_first_of("0123456789", place);
  long long status = 0;
  const bool is_number =
      digits != std::string::npos && digits - place < 10 && parse_number(message.substr(digits, 3), status);
  return is_number ? static_cast<int>(status) : 0;
}

/// What a server's answer means and what to do about it.
std::string advice(const std::string& answer) {
  const int status = status_in(answer);
  if (status == 404) return "the server has no such file (404); check the URL";
  if (status == 401 || status == 403) {
    return concat("the server refuses access (", status,
                  "); give GDAL credentials (GDAL_HTTP_HEADERS, AWS_..., GS_..., AZURE_...), or "
                  "AWS_NO_SIGN_REQUEST=YES for an open bucket");
  }
  if (status == 429 || status >= 500)
    return concat("the server fails (", status, "), also when asked again; try again later");
  if (has(answer, "Range downloading not supported")) {
    return "the server only gives whole files (it ignores ranges); copy the file to this machine first";
  }
  if (has(answer, "timed out") || has(answer, "too slow") || has(answer, "Timeout")) {
    return "the server does not answer in time; try again, or allow more with GDAL_HTTP_TIMEOUT and "
           "GDAL_HTTP_LOW_SPEED_TIME (seconds)";
  }
  if (has(answer, "resolve")) return "there is no server of that name; check the URL and the network";
  if (has(answer, "connect to") || has(answer, "Connection refused"))
    return "no connection to the server; check the URL and the network";
  return {};
}

std::string why_not_opened_remote(const std::string& path, const std::string& start,
                                  const GdalErrorScope& errors) {
  std::string meaning = advice(errors.message());
  if (meaning.empty()) meaning = advice(answer_of_server(path));
  if (!meaning.empty()) return start + meaning;
  return concat(start, errors.failed() ? errors.message() : "the server does not give it",
                "; check the URL, and GDAL's credentials for that store");
}

}  // namespace

std::string why_not_read(const std::string& path, const GdalErrorScope& errors) {
  if (!is_remote(path)) return errors.suffix() + "; the file may be damaged or incomplete";
  const std::string meaning = advice(errors.message());
  return concat(errors.suffix(), "; ",
                meaning.empty() ? "the connection broke or the file is damaged; try again, or copy the file "
                                  "to this machine first"
                                : meaning);
}

namespace {

bool is_parquet(const std::string& path) {
  std::array<char, 4> start{};
  VSILFILE* file = VSIFOpenL(path.c_str(), "rb");
  if (file == nullptr) return false;
  const std::size_t got = VSIFReadL(start.data(), 1, start.size(), file);
  VSIFCloseL(file);
  return std::string_view(start.data(), got) == "PAR1";
}

/// How to go on without a reader of Parquet.
std::string parquet_advice(const std::string& path) {
  const std::string converted = std::filesystem::path(path).replace_extension(".gpkg").string();
  return concat(
      "neither this build nor its GDAL reads Parquet; convert it with a GDAL that does (3.5 or newer, "
      "for example conda-forge's with libgdal-arrow-parquet): ogr2ogr -f GPKG ",
      quoted(converted), " ", quoted(path),
      ", or with Python: python3 -c \"import geopandas; "
      "geopandas.read_parquet(",
      quoted(path), ").to_file(", quoted(converted), ")\"");
}

}  // namespace

std::string why_not_opened(const std::string& path, const std::string& kind, const GdalErrorScope& errors) {
  namespace fs = std::filesystem;
  std::error_code ec;
  const std::string start = concat("cannot open ", kind, " ", quoted(path), ": ");
  if (is_remote(path)) return why_not_opened_remote(path, start, errors);
  const bool is_plain = !path.starts_with("/vsi");
  if (is_plain && !fs::exists(path, ec)) {
    if (path.find(':') == std::string::npos) return start + "no such file";
  } else if (is_plain && fs::is_directory(path, ec)) {
    return start + "it is a folder that holds no " + kind;
  } else if (is_plain && fs::is_regular_file(path, ec) && fs::file_size(path, ec) == 0) {
    return start + "the file is empty (0 bytes)";
  }
  if (!can_read_parquet() && is_parquet(path)) return start + parquet_advice(path);
  const bool unknown =
      errors.message().find("not recognized as a supported file format") != std::string::npos;
  if (unknown || !errors.failed()) return concat(start, "it is not a ", kind, " that GDAL can read");
  return start + errors.message();
}

void register_gdal() {
  static std::once_flag once;
  std::call_once(once, [] {
    GDALAllRegister();
#ifdef FURROW_HAS_PARQUET
    register_parquet_driver();
#endif
    for (const auto& [key, value] : kNetworkDefaults) set_unless_configured(key, value);
  });
}

MemoryBudget memory_budget() {
  return {g_memory_bytes.load(), g_threads.load()};
}

void set_memory_budget(const MemoryBudget& budget) {
  g_memory_bytes.store(budget.bytes);
  g_threads.store(budget.threads);
}

}  // namespace furrow::geo
