#pragma once

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <string_view>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::workflow {

/// Refuses outputs that geo::write_layer would refuse at the end of the work.
/// @param option    for example "--out"
/// @param also_csv  attributes alone are of use
/// @throws geo::UsageError
inline void check_layer_format(const std::string& option, const std::string& path, bool also_csv) {
  constexpr std::array<std::string_view, 5> kKnown{".gpkg", ".geojson", ".json", ".fgb", ".shp"};
  const std::string extension = geo::to_lower(std::filesystem::path(path).extension().string());
  if (std::ranges::find(kKnown, extension) != kKnown.end() || (also_csv && extension == ".csv")) return;
  throw geo::UsageError(geo::concat("cannot tell the format of ", option, " ", geo::quoted(path),
                                    " from its extension; use .gpkg, .geojson, .fgb",
                                    also_csv ? ", .shp or .csv" : " or .shp"));
}

}  // namespace furrow::workflow
