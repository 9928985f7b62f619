#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/labelling/campaign.h>

/// How far labellers agree with each other, and whether two of them agree suspiciously.
namespace furrow::labelling {

struct PairOptions {
  std::vector<std::string> reference_classes = {"1a"};
  std::int64_t points = 100;     ///< maps are compared at points x points places of each cell; 10..1000
  double vertex_m = 0.1;         ///< corners nearer than this are the same
  std::int64_t least_sites = 4;  ///< shared sites that the test of shared errors needs
};

/// Two labellers over the sites that both mapped; NaN = undefined.
struct LabellerPair {
  std::string first;
  std::string second;
  std::int64_t sites = 0;
  double iou = std::numeric_limits<double>::quiet_NaN();    ///< mean over sites with a field in either map
  double kappa = std::numeric_limits<double>::quiet_NaN();  ///< Cohen's, over all their places
  std::int64_t vertices = 0;                                ///< corners of the map with fewer of them
  double same_vertices = std::numeric_limits<double>::quiet_NaN();  ///< share of those the other map has too
  std::int64_t error_sites = 0;  ///< sites with a truth where both err somewhere
  /// Mean correlation of their errors, given the truth, above that of the other pairs at the same sites: what
  /// is hard at a site misleads everybody.
  double shared_errors = std::numeric_limits<double>::quiet_NaN();
  double shared_errors_p = std::numeric_limits<double>::quiet_NaN();  ///< one-sided t test over sites
  double shared_errors_p_adjusted = std::numeric_limits<double>::quiet_NaN();  ///< over all pairs (Holm)
};

struct PairAgreement {
  std::vector<LabellerPair> pairs;        ///< ordered by names; only pairs with a shared site
  std::optional<double> alpha;            ///< Krippendorff's, of all labellers over all sites
  std::vector<CampaignProblem> problems;  ///< sites that could not be compared
};

/// Compares all maps that were handed in, references aside; of a labeller's several maps of a site the last
/// one. Maps are compared as field or no field (unsure polygons claim none) on a regular grid of places
/// inside the cell. The truth is the reference of the site, or else what most of three or more other
/// labellers say. Corners within 0.25 m of the cell's border do not count: everybody has those.
/// @throws geo::InvalidArgument  options out of range
/// Threads: parallel over sites in the caller's arena; the result does not depend on their number.
[[nodiscard]] PairAgreement compare_labellers(const Campaign& campaign, const PairOptions& options,
                                              geo::ExecContext& exec);

}  // namespace furrow::labelling
