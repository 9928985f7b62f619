#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/vector/layer.h>
#include <furrow/labelling/joint_consensus.h>
#include <furrow/labelling/site_consensus.h>

namespace furrow::labelling {

/// The pixels on which sites are fused.
struct ConsensusTarget {
  /// One raster for all sites: each site owns the pixels whose centre lies in its cell. Where cells overlap,
  /// the first site by name that has a consensus owns the pixel.
  std::optional<geo::Grid> grid;
  /// Without `grid`: the image of each site by name, whose grid is used; a site without one is a problem of
  /// that site.
  std::map<std::string, std::string> images;
  /// Without `grid` and `images`: a north-up grid of site_px x site_px pixels over the cell's bounds.
  std::int64_t site_px = 224;
};

/// Rasters of one site, as file names inside the output folder.
struct SiteFiles {
  std::string name;
  std::string image;  ///< empty = none
  std::string labels;
  std::string posterior;
  std::string risk;
};

struct ConsensusResult {
  std::vector<SiteStatistics> sites;  ///< one per site of the campaign, in its order
  std::vector<SiteFiles> files;       ///< per-site rasters; empty with a grid
  std::vector<CampaignProblem> problems;
  std::optional<JointFit> joint;    ///< what a joint method learned
  std::optional<JointVotes> votes;  ///< and from what
  std::int64_t without_vote = 0;    ///< sites that nobody mapped
  std::int64_t outside = 0;         ///< sites that own no pixel of the grid
};

/// Fuses all sites and writes the rasters into `folder`, which must exist.
///
/// With a grid: label.tif (uint8: 0, 1, 2; nodata 255), posterior.tif (uint8, scale 1/200, nodata 255; bands
/// background, interior, boundary) and risk.tif (uint8, scale 1/200, nodata 255), cloud-optimised. Else per
/// site <name>_label.tif and so on, plain GeoTIFF. With two classes heat.tif (P(field)) takes the place of
/// posterior.tif, and heat and risk are float32 with nodata NaN. Sites run in parallel; with a grid, rows of
/// 512 px are written as soon as their sites are done, so memory grows with the sites along one such strip,
/// not with the grid. Joint methods rasterise twice: the first time only the patterns of votes are kept, one
/// model is fitted to all of them, the second time its decisions are written. The result does not depend on
/// the number of threads.
/// @param voters  from choose_voters, one per site
/// @throws InvalidArgument  site_px < 1
/// @throws IoError   writing fails; no site has a pixel on the grid; two sites would write the same file
ConsensusResult write_consensus(const Campaign& campaign, std::span<const SiteVoters> voters,
                                const ConsensusOptions& options, const ConsensusTarget& target,
                                const std::filesystem::path& folder, geo::ExecContext& exec);

/// Site statistics as a table: name, x, y (degrees), n_labellers, source (labellers, expert, none), n_pixels,
/// area_m2, Risk (mean), Riskprop (share above the threshold), wrong_area_m2, field_share, interior_share,
/// band_share, risk_band, risk_inside, risk_outside. Missing values are NA.
[[nodiscard]] geo::CsvTable site_table(std::span<const SiteStatistics> sites);

/// The same with the cells as polygons, named `sites`.
[[nodiscard]] geo::Layer site_layer(const Campaign& campaign, std::span<const SiteStatistics> sites);

/// name, image (when there are images), labels, posterior, risk; one row per site with rasters.
[[nodiscard]] geo::CsvTable chip_table(std::span<const SiteFiles> files);

/// Reads a table of images by site: columns name and image; relative paths start at the table's folder. Of
/// several images of one site the first counts, with a warning.
/// @throws IoError  file or column missing
[[nodiscard]] std::map<std::string, std::string> read_site_images(const std::filesystem::path& path);

}  // namespace furrow::labelling
