#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/raster/grid.h>
#include <furrow/labelling/site_consensus.h>

namespace furrow::labelling {

/// The labels of one labeller on a grid.
struct LabellerRaster {
  std::string labeller;
  std::string file;  ///< inside the output folder
};

/// Writes what each labeller drew as a label raster of its own (labels_<labeller>.tif, uint8: 0, 1, 2; 255 =
/// unsure, or a site that this labeller did not map; nodata 255; plain GeoTIFF), to train on labels by
/// labeller.
///
/// Pixels belong to sites as in write_consensus; votes as rasterize_votes gives them. Experts count as
/// labellers; of a labeller's several maps of a site the last one counts. One labeller at a time, in strips
/// of 512 rows, parallel over the sites of a strip: memory for one strip. The result does not depend on
/// threads.
/// @param voters  from choose_voters with ExpertUse::kUse, one per site
/// @return ordered by labeller; without those who have no pixel on the grid
/// @throws InvalidArgument  a number of classes other than 3
/// @throws IoError          writing fails; two labellers would write the same file
[[nodiscard]] std::vector<LabellerRaster> write_labeller_rasters(
    const Campaign& campaign, std::span<const SiteVoters> voters, const ConsensusOptions& options,
    const geo::Grid& grid, const std::filesystem::path& folder, geo::ExecContext& exec);

}  // namespace furrow::labelling
