#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/labelling/joint_consensus.h>
#include <furrow/labelling/labeller_weights.h>
#include <furrow/labelling/site_consensus.h>
#include <furrow/labelling/vote_fusion.h>

/// Consensus of plain masks: one raster per labeller, without catalogue and polygons.
namespace furrow::labelling {

/// Masks on one grid (size, position, CRS; no CRS is fine). Values: 0 background, 1 interior (field), with
/// three classes 2 boundary; nodata, NaN, 3 and 255 are no vote.
struct MaskInputs {
  std::vector<std::string> masks;  ///< one per labeller
  std::string truth;               ///< classes that are known, where it has any; empty = none
  /// Squares of this many pixels count as sites (see fuse_bayes); 0 = the whole image is one.
  std::int64_t block_px = 0;
};

/// Names of the labellers: the files' stems; of equal ones the later ones get "_2", "_3" and so on.
[[nodiscard]] std::vector<std::string> mask_names(std::span<const std::string> paths);

struct MaskConsensus {
  /// n_sites counts the blocks with votes; with majority and weighted votes the confusion is counted against
  /// the posterior.
  JointFit fit;
  VoteSummary summary;
  std::int64_t n_pixels = 0;    ///< with a label
  std::int64_t n_patterns = 0;  ///< distinct combinations of votes (per block)
  std::int64_t n_sites = 0;     ///< blocks with a vote or a known truth
  std::int64_t n_unknown = 0;   ///< masks without weights
  bool has_boundary = false;    ///< a mask has the value 2
  double mean_risk = 0.0;       ///< NaN without a labelled pixel
  double field_share = 0.0;     ///< share of them labelled field; NaN likewise
};

/// Fuses masks and writes label.tif, posterior.tif (two classes: heat.tif) and risk.tif into `folder`, which
/// must exist, as write_consensus does with a grid. A pixel that nobody voted on has no label; one with known
/// truth has that.
///
/// The masks are read twice, window by window: first the distinct combinations of votes are counted and the
/// method fitted to them, then the decision on every pixel's combination is written. So time grows with the
/// pixels, the fit with the combinations, and memory with the windows that threads hold (within the budget of
/// `exec`) plus the combinations. The result depends neither on threads nor on windows.
/// @param weights  by mask name; kWeighted only
/// @param options  method, fusion, bayes and unknown are used; bayes.unit is kSite
/// @throws IoError, CrsError  a mask cannot be read, grids differ, a value is no class; the combinations do
///                            not fit the memory budget; writing fails
/// @throws InvalidArgument    no mask; truth with a method that learns nothing; no mask has weights
MaskConsensus write_mask_consensus(const MaskInputs& inputs, std::span<const LabellerWeights> weights,
                                   const ConsensusOptions& options, const std::filesystem::path& folder,
                                   geo::ExecContext& exec);

}  // namespace furrow::labelling
