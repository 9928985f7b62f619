#pragma once

#include <string>
#include <vector>

namespace furrow::geo {

struct LibraryVersion {
  std::string name;
  std::string version;
};

/// The suite's own version, for example "0.1.0".
[[nodiscard]] std::string furrow_version();

/// Versions of GDAL, GEOS, PROJ and TBB as found at run time.
[[nodiscard]] std::vector<LibraryVersion> library_versions();

/// Now in UTC as "2024-05-01T12:00:00Z", or the time in SOURCE_DATE_EPOCH when that is set (reproducible
/// outputs).
[[nodiscard]] std::string utc_timestamp();

}  // namespace furrow::geo
