#pragma once

#include <string>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/crs/crs.h>
#include <furrow/geo/vector/layer.h>

namespace furrow::assessment {

/// A raster whose values are summed up for every polygon.
struct ZonalRaster {
  std::string name;  ///< begins the names of the attributes: a letter or _, then letters, digits, _
  std::string path;
};

struct ZonalOptions {
  std::vector<ZonalRaster> rasters;
  geo::Crs crs;  ///< of all rasters whatever they say; empty = as they say; switch --raster-crs
};

/// Adds statistics of rasters to every polygon. A pixel counts by the exact share of its area inside the
/// polygon (geo::covered_runs); nodata, masked and not finite pixels are left out. Values are stored * scale
/// + offset. Of a raster with one band:
///
/// | attribute | meaning |
/// |---|---|
/// | NAME_mean | mean |
/// | NAME_std | standard deviation of the population |
/// | NAME_min, NAME_max | over the pixels covered at least half; without any, of the one covered most |
/// | NAME_coverage | share of the polygon's area with valid pixels, 0..1 |
///
/// Of one with more bands NAME_1_mean, NAME_2_mean, ... (bands count from 1). Unset without a valid pixel
/// (NAME_coverage is 0 then). An attribute that is there already is replaced; text under such a name is set
/// aside as <name>_1.
/// @param layer  polygons in any CRS; their vertices are moved to each raster's CRS, edges are straight there
/// @throws geo::InvalidArgument  a name that is no name, or given twice, or that makes an attribute of
///                               add_field_quality; bands for more than 1500 attributes
/// @throws geo::IoError, geo::CrsError
/// Reads the polygon's window of each raster in pieces along the file's blocks, and only those that the
/// polygon touches: memory does not grow with the polygon (8 MB, or one row of blocks).
/// Parallel over polygons; the same for any number of threads.
void add_zonal_statistics(geo::Layer& layer, const ZonalOptions& options, geo::ExecContext& exec);

}  // namespace furrow::assessment
