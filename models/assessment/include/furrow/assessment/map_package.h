#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include <furrow/geo/vector/layer.h>

namespace furrow::assessment {

/// What goes into the GeoPackage that an analyst opens.
struct MapPackage {
  geo::Layer fields;                           ///< becomes layer `fields`
  std::optional<geo::Layer> sites;             ///< becomes layer `sites` (label risk per site)
  std::optional<geo::Layer> labellers;         ///< becomes table `labellers`
  std::optional<geo::Layer> review_queue;      ///< becomes layer `review_queue` (sites worth another map)
  std::optional<geo::Layer> consensus_fields;  ///< becomes layer `consensus_fields` (what labellers drew)
  std::optional<geo::Layer> tiles;             ///< becomes layer `tiles` (footprints of what was mapped)
  std::map<std::string, std::string>
      run_info;  ///< becomes table `run_info` (key, value), with the versions added
};

/// Writes layers and tables with titles, descriptions and QGIS styles (see for_analysts), and says in the
/// file's metadata what made it.
/// Whole or not at all; identical bytes for identical input when SOURCE_DATE_EPOCH is set.
/// @throws geo::IoError, geo::CrsError
void write_map_package(const MapPackage& package, const std::filesystem::path& path, bool overwrite);

}  // namespace furrow::assessment
