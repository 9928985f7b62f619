#include <furrow/geo/core/version.h>

#include <cstdlib>
#include <ctime>

#include <gdal.h>
#include <oneapi/tbb/version.h>
#include <proj.h>

#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/geos.h>

namespace furrow::geo {

std::string furrow_version() {
  return FURROW_VERSION;
}

std::vector<LibraryVersion> library_versions() {
  return {{"GDAL", GDALVersionInfo("RELEASE_NAME")},
          {"GEOS", GEOSversion()},
          {"PROJ", proj_info().version},
          {"TBB", concat(TBB_runtime_version())}};
}

std::string utc_timestamp() {
  std::time_t now = std::time(nullptr);
  if (const char* epoch = std::getenv("SOURCE_DATE_EPOCH")) {
    long long seconds = 0;
    if (parse_number(epoch, seconds)) now = static_cast<std::time_t>(seconds);
  }
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

}  // namespace furrow::geo
