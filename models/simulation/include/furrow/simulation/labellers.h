#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/vector/layer.h>
#include <furrow/labelling/campaign.h>
#include <furrow/simulation/labeller_skill.h>

namespace furrow::simulation {

/// Square cells over a reference layer.
struct CellOptions {
  double cell_m = 500.0;                ///< side, for a reference in a projected CRS
  double cell_degrees = 0.005;          ///< side, for a reference in degrees
  std::int64_t most_sites = 9'999'999;  ///< more cells than this are refused; a name has seven digits
  std::string prefix = "XX";            ///< two letters before the seven digits of a site's name
};

/// Cells of one size, with borders at multiples of it, that cover the bounds of all polygons; whole cells,
/// row by row from the south-west, named prefix + seven digits. Cells without any field belong to it.
/// @throws InvalidArgument  no polygon, side not > 0, or more cells than `most_sites`
[[nodiscard]] std::vector<labelling::Site> make_cells(const geo::Layer& reference,
                                                      const CellOptions& options);

/// The features of a layer as sites: names from its field `name`, else prefix + number; in the layer's CRS.
/// @throws IoError  a name is empty or doubled
[[nodiscard]] std::vector<labelling::Site> sites_from_layer(const geo::Layer& layer,
                                                            const std::string& prefix);

/// Only the sites that lie wholly inside `box` (in their CRS). Names stay.
[[nodiscard]] std::vector<labelling::Site> sites_inside(std::vector<labelling::Site> sites,
                                                        const geo::Box& box);

struct LabellerOptions {
  std::vector<LabellerSkill> skills;  ///< the labellers
  double expert_share = 0.1;   ///< share of sites with an expert's reference (class 1a); at least 3 sites
  double single_share = 0.3;   ///< share of the others that one labeller maps (class 2)
  int labellers_per_site = 3;  ///< who maps the rest (class 4)
  std::string image_date = "2016-05-15";  ///< ISO date written to the catalogue
  double pixel_m = 3.0;                   ///< of the image; pieces of fields below two pixels are not drawn
  std::uint64_t seed = 1;
};

/// What `simulate_labellers` made.
struct SimulatedCampaign {
  labelling::Campaign campaign;           ///< in the reference's CRS
  std::vector<double> label_minutes;      ///< per assignment
  std::vector<std::string> site_classes;  ///< per site: 1a, 2 or 4
  std::vector<LabellerSkill> skills;
};

/// A labelling campaign over `sites` in which every labeller draws the reference polygons with his or her own
/// errors.
///
/// Expert (1a) sites: the reference cut to the cell, and every labeller maps them too (class 1c), so each
/// labeller can be scored. Other sites: class 2 (one labeller) or 4 (several). Cells cut fields; pieces under
/// two pixels are dropped. Errors are drawn in this order: omission, merging, splitting, bias, jitter, shift,
/// then false fields; the result is cut to the cell and valid. Polygons of one labeller may overlap by about
/// their jitter, as hand-drawn ones do. A labeller without errors reproduces the clipped reference coordinate
/// by coordinate; other coordinates are rounded to 1 cm (or 1e-7 degrees). Outline jitter: a periodic
/// Gaussian process along each ring with squared-exponential covariance.
///
/// @param reference  valid polygons in a projected or geographic CRS; overlaps are allowed
/// @param sites      in the reference's CRS, unique names
/// @throws InvalidArgument  no labeller, doubled names, shares outside 0..1, image_date that is no date, no
/// site
/// @throws CrsError         the reference has no CRS
/// Every random number comes from (seed, site name, labeller name, kind of error): the drawing of a site by a
/// labeller does not depend on threads, on the order of sites, on other sites or on other labellers. Memory:
/// the campaign itself. Threads: one site at a time per worker.
[[nodiscard]] SimulatedCampaign simulate_labellers(const geo::Layer& reference,
                                                   const std::vector<labelling::Site>& sites,
                                                   const LabellerOptions& options, geo::ExecContext& exec);

/// Writes catalogue.csv (the published columns in the published order; missing = NA), labels.gpkg (layer
/// `labels`), sites.gpkg (layer `sites`) and true_skills.csv into a folder that appears whole or not at all.
/// @throws IoError
void write_campaign(const SimulatedCampaign& simulated, const std::filesystem::path& folder, bool overwrite);

}  // namespace furrow::simulation
