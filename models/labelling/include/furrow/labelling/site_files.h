#pragma once

#include <string>

#include <furrow/geo/crs/crs.h>
#include <furrow/geo/vector/layer.h>
#include <furrow/labelling/scoreboard.h>

/// One site from three vector files, without a catalogue.
namespace furrow::labelling {

struct SiteLayer {
  std::string path;
  std::string layer;  ///< empty = the only polygon layer
  geo::Crs crs;       ///< overrides the file's; empty = believe it
};

struct SiteMapFiles {
  SiteLayer reference;  ///< polygons of the reference map; switches --reference-crs, --reference-layer
  SiteLayer labels;     ///< of the map to score; --labels-crs, --labels-layer
  SiteLayer cell;       ///< all its polygons together are the site; --cell-crs, --cell-layer
  geo::InvalidGeometry invalid = geo::InvalidGeometry::kError;
};

/// Reads the maps and moves them into one planar frame in metres, chosen as score_campaign does from the CRS
/// of the cell. A layer of fields without any feature is an answer ("no field") and needs no CRS. Categories
/// are read from the field `category` where there is one. Logs a warning when a map lies far from the cell.
/// @throws geo::IoError, geo::CrsError, geo::GeometryError  as geo::read_layer; IoError also for a cell
/// without polygons, GeometryError for one without area
/// Threads: safe to call concurrently.
[[nodiscard]] SiteMaps read_site_maps(const SiteMapFiles& files, ScoreMode mode);

}  // namespace furrow::labelling
