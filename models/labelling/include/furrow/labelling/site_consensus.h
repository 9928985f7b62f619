#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/raster/grid.h>
#include <furrow/geo/raster/rasterize.h>
#include <furrow/labelling/bayes_consensus.h>
#include <furrow/labelling/campaign.h>
#include <furrow/labelling/consensus.h>
#include <furrow/labelling/labeller_weights.h>
#include <furrow/labelling/model_labeller.h>

namespace furrow::labelling {

enum class ConsensusMethod {
  kMajority,    ///< one voice each
  kWeighted,    ///< score x skill (see fuse_votes)
  kBayes,       ///< fuse_bayes over all sites together
  kDawidSkene,  ///< dawid_skene over all sites together
  kStaple       ///< staple (two classes) or multi_label_staple over all sites together
};

/// The method learns from all sites together (joint_consensus.h).
[[nodiscard]] constexpr bool is_joint(ConsensusMethod method) noexcept {
  return method != ConsensusMethod::kMajority && method != ConsensusMethod::kWeighted;
}

/// What happens to a labeller without score or skills.
enum class UnknownLabeller {
  kMean,  ///< gets the mean score and mean skills of the labellers that have them
  kDrop   ///< does not vote
};

enum class ExpertUse {
  kUse,    ///< where an expert mapped the site, the expert's map is the consensus
  kIgnore  ///< experts never vote
};

struct ConsensusOptions {
  ConsensusMethod method = ConsensusMethod::kMajority;
  FusionOptions fusion;
  BayesOptions bayes;  ///< kBayes only
  UnknownLabeller unknown = UnknownLabeller::kMean;
  ExpertUse experts = ExpertUse::kUse;
  std::shared_ptr<const ModelLabeller> model;  ///< one more labeller at every site with a map; empty = none
  geo::BoundaryOptions boundary;               ///< three classes only
  double border_px = 0.0;  ///< how near to the cell's border fields are cut by hand (rasterize_votes)
  bool cog = true;  ///< rasters of a whole grid are cloud-optimised; false: plain GeoTIFF, written sooner
  double risk_threshold =
      0.34;  ///< pixels above it are "risky"; 0.34 in the paper, 0.35 and 0.40 in other releases
};

/// Who votes at one site, and with what weight.
struct SiteVoters {
  std::vector<std::size_t> assignments;  ///< positions in Campaign::assignments, ascending
  std::vector<VoterWeight> weights;      ///< one per assignment, then that of the model where it votes
  /// Labellers' maps of a site that an expert mapped: they do not vote, but joint methods learn from them how
  /// good their labellers are. Ascending.
  std::vector<std::size_t> learners;
  bool has_model = false;  ///< the model answers too: it votes, or at an expert's site is compared with it
  bool from_expert = false;
  std::int64_t replaced = 0;  ///< assignments left out because the same labeller mapped the site again later
  std::int64_t unknown = 0;   ///< labellers without score or skills
};

/// Chooses the voters of every site.
///
/// All assignments vote that were handed in (Assignment::is_finished), are not an expert's and have not the
/// status Rejected or Untrusted. Of a labeller's several maps of one site the last one votes (by completion
/// time, then id). With ExpertUse::kUse and an expert's map (class 1a, else 1b) the experts alone vote, one
/// voice each. With kWeighted, weights come from `weights` by labeller name; missing values as
/// ConsensusOptions::unknown says; with FusionOptions::compatible they stay missing. Joint methods give one
/// voice each here; what votes are worth is learned later. ConsensusOptions::model answers wherever there is
/// a map, after the labellers; with kWeighted by the weight of kModelLabeller in `weights`, else the mean
/// one.
/// @return one per site of the campaign, in its order
/// @throws InvalidArgument  kWeighted but no labeller in `weights` has a score and both skills; a negative
/// weight
[[nodiscard]] std::vector<SiteVoters> choose_voters(const Campaign& campaign,
                                                    std::span<const LabellerWeights> weights,
                                                    const ConsensusOptions& options);

/// What one assignment says of every pixel of a grid, row-major.
///
/// Polygons count whole, also where they leave the cell. Where a field was cut at the cell's border, the cut
/// is no boundary: the field goes on. So neighbouring sites fit together without a false boundary between
/// them. An outline is a cut where it runs along the border with the field on its inner side, within 0.05 px;
/// and within `border_px` in a map none of whose polygons leaves the cell by more than that (its labeller
/// cuts by hand instead of drawing whole fields).
/// @param cell     the site's cell, in the CRS of the assignment's polygons
/// @param grid     in the same CRS
/// @param options  classes (3: geo::rasterize_labels; 2: pixel centre inside or not), boundary and border_px
/// are used
[[nodiscard]] std::vector<Vote> rasterize_votes(const Assignment& assignment, const geo::MultiPolygon& cell,
                                                const geo::Grid& grid, const ConsensusOptions& options);

/// Takes away the votes on pixels that lie outside the cell.
/// @param inside  1 where the pixel's centre lies in the cell; as many as votes
[[nodiscard]] std::vector<Vote> keep_inside(std::vector<Vote> votes, std::span<const std::uint8_t> inside);

/// The consensus on one site.
struct SiteConsensus {
  geo::Grid grid;
  VotePatterns patterns;  ///< pixels whose centre lies outside the cell show the pattern without any vote
  std::vector<FusedVote> fused;      ///< one per pattern
  std::vector<std::uint8_t> inside;  ///< 1 where the pixel's centre lies in the cell, row-major

  [[nodiscard]] const FusedVote& at(std::size_t pixel) const { return fused[patterns.of_pixel[pixel]]; }
};

/// Rasterises the voters' maps of one site; nothing is fused yet. Thread-safe.
[[nodiscard]] SiteConsensus collect_patterns(const Campaign& campaign, const Site& site,
                                             const SiteVoters& voters, const geo::Grid& grid,
                                             const ConsensusOptions& options);

/// Fuses one site on a grid in the campaign's CRS by the voters' weights: majority or weighted vote.
/// Thread-safe.
/// @throws InvalidArgument as fuse_votes
[[nodiscard]] SiteConsensus fuse_site(const Campaign& campaign, const Site& site, const SiteVoters& voters,
                                      const geo::Grid& grid, const ConsensusOptions& options);

/// Figures of one site; NaN where there is nothing to measure.
struct SiteStatistics {
  std::string name;
  geo::Point lonlat;  ///< centre of the cell, degrees
  std::int64_t n_labellers = 0;
  bool from_expert = false;
  std::int64_t n_pixels = 0;  ///< pixels with a consensus
  double area_m2 = 0.0;       ///< their area
  double mean_risk = std::numeric_limits<double>::quiet_NaN();
  double risky_share = std::numeric_limits<double>::quiet_NaN();  ///< share of pixels with risk > threshold
  double wrong_area_m2 = 0.0;  ///< pixel area x sum of risk: the area expected to be labelled wrongly
  double field_share =
      std::numeric_limits<double>::quiet_NaN();  ///< share labelled field (interior or boundary)
  double interior_share = std::numeric_limits<double>::quiet_NaN();
  double band_share = std::numeric_limits<double>::quiet_NaN();    ///< share of pixels in the boundary band
  double risk_band = std::numeric_limits<double>::quiet_NaN();     ///< mean risk in the band
  double risk_inside = std::numeric_limits<double>::quiet_NaN();   ///< mean risk in fields, off the band
  double risk_outside = std::numeric_limits<double>::quiet_NaN();  ///< mean risk on background, off the band
};

/// Name, place and voters of every site; nothing measured yet.
/// @return one per site of the campaign, in its order
[[nodiscard]] std::vector<SiteStatistics> describe_sites(const Campaign& campaign,
                                                         std::span<const SiteVoters> voters);

/// Fills in the measured figures of a fused site. The boundary band is everything within 2 px of a boundary
/// pixel or of a pixel whose neighbour (4) has another label: there, risk is mostly the jitter of drawing;
/// off the band it is disagreement about what is a field. Thread-safe.
/// @throws CrsError when the grid has no CRS
void measure_site(const SiteConsensus& consensus, double risk_threshold, SiteStatistics& statistics);

}  // namespace furrow::labelling
