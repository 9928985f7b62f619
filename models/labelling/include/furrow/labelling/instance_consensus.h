#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/vector/layer.h>
#include <furrow/labelling/bayes_consensus.h>
#include <furrow/labelling/campaign.h>
#include <furrow/labelling/joint_consensus.h>
#include <furrow/labelling/site_consensus.h>

/// The consensus on whole fields: which fields there are, where their outlines run, and how sure that is.
namespace furrow::labelling {

struct InstanceOptions {
  double min_iou = 0.5;        ///< two polygons this alike are the same field
  double min_field_m2 = 25.0;  ///< polygons with less than this inside the cell are left out
  double threshold = 0.5;      ///< fields at least this probable are in the consensus
  double border_m = 1.0;       ///< a map no polygon of which leaves the cell by more than this is cut by hand
  int items_per_class = 150;   ///< fields needed for each class of size
  int max_size_classes = 3;
  BayesOptions bayes;  ///< of the fit of the fields' existence; restarts and usual_rows are set here
  /// What labellers count for where fields are divided and outlines drawn, by name, >= 0; others count 1.
  std::map<std::string, double> influence;
};

/// A field of the consensus, or one that some labeller drew and the consensus doubts.
struct ConsensusField {
  std::string site;
  std::string id;           ///< site, "_", number from north-west to south-east
  geo::MultiPolygon shape;  ///< in the campaign's CRS; valid, shares no area with the site's other fields
  double p_exists = 0.0;    ///< posterior probability that there is a field
  std::int64_t n_labellers = 0;  ///< who mapped the site
  std::int64_t n_votes = 0;      ///< of them, mapped at least half of the field's land as field
  std::int64_t n_unsure = 0;     ///< at least half of it only together with unsure polygons
  std::int64_t split_votes = 0;  ///< drew it as several
  std::int64_t merge_votes = 0;  ///< drew it joined with another field of this list
  double iou_mean = std::numeric_limits<double>::quiet_NaN();  ///< of the members' polygons with the outline
  double outline_spread_m = std::numeric_limits<double>::quiet_NaN();    ///< mean distance of their outlines
  double outline_spread95_m = std::numeric_limits<double>::quiet_NaN();  ///< 95 % lie within this distance
  double area_ha = 0.0;                                                  ///< geodesic, of the whole outline
  bool in_consensus = false;                                             ///< p_exists >= threshold
  bool from_expert = false;
};

/// What was learned about fields of one class of size.
struct SizeClassFit {
  double up_to_ha = std::numeric_limits<double>::infinity();  ///< largest field of the class
  std::int64_t fields = 0;                                    ///< candidates that taught it
  double place_ha = 0.0;  ///< land that counts as one place without a field
  Estimate detection;     ///< P(a labeller maps a field)
  Estimate rejection;     ///< P(a labeller maps no field in a place without one)
  double dependence = 0.0;
  std::size_t reference_sites = 0;
};

struct InstanceConsensus {
  std::vector<ConsensusField> fields;      ///< by site, then number
  std::vector<SizeClassFit> size_classes;  ///< by size
  std::vector<CampaignProblem> problems;   ///< sites that could not be done
};

/// Groups the labellers' polygons of every site into fields.
///
/// Division. The voters' polygons, cut to the cell, are grouped by partition_fields: a field that most of
/// those who mapped its land drew as one stays one, else it becomes its parts. Unsure polygons take part.
///
/// Outline. Inside the cell the median_shape of the members. Beyond it that of those members whose maps draw
/// whole fields (some polygon leaves the cell by more than border_m); a labeller who stops at the border says
/// nothing about what lies beyond. Of more than 41 members the 41 most like the typical one are used. Holes
/// under min_field_m2 are filled, parts under min_field_m2 or narrower than 1 m are dropped. Land that two
/// outlines share goes, piece by piece, to the field with more weight of members there (a tie: to the smaller
/// field). So fields touch but never share area.
///
/// Existence. Every labeller who mapped the site votes on every field: "yes" where at least half of its land
/// is in sure polygons (in whatever pieces), "unsure" where that needs unsure polygons, else "no"; who did
/// not map the site has no vote. The land of the cell that no field covers counts as (its area / mean field
/// area) places that nobody mapped, so that rates of detection and of false fields are seen in full, not only
/// where somebody drew. fuse_bayes learns every labeller's rates and the shares of fields of every site over
/// all sites, around a usual labeller who finds 80 % of the fields and draws a false one in 4 % of the places
/// (8 observations, worth two labellers). Omission depends on size: fields are fitted in up to
/// max_size_classes classes of equal numbers, by area, if there are items_per_class for each. At sites that
/// an expert mapped, the expert's fields are known ones and what the learners drew besides is known to be
/// none; dependence and calibration are learned there (see fuse_bayes).
///
/// Expert sites: the experts' fields, p_exists = share of the experts who map it (unsure counts half); a
/// single expert's sure fields have 1. Votes are the experts'.
///
/// Source: object existence by votes as Dawid and Skene 1979 on objects; rates by size as in detection
/// without ground truth (Smyth et al. 1995). The whole is this project's own: published consensus of field
/// polygons unites each labeller's polygons and loses the fields.
///
/// @param voters  from choose_voters, one per site
/// @throws InvalidArgument  options out of range, another number of voters
/// @throws CrsError         the campaign has no CRS
/// A site whose overlay fails is a problem and the others go on. Memory: all fields and the votes on them.
/// Sites run in parallel; the result does not depend on the number of threads, nor on the order of
/// assignments and polygons.
[[nodiscard]] InstanceConsensus find_fields(const Campaign& campaign, std::span<const SiteVoters> voters,
                                            const InstanceOptions& options, geo::ExecContext& exec);

/// What labellers count for: joint methods give sensitivity + specificity - 1 on pixels, at least 0.05; the
/// weighted vote gives score x field skill. Labellers without a map of a site, and other methods, are left
/// out.
[[nodiscard]] std::map<std::string, double> labeller_influence(const Campaign& campaign,
                                                               std::span<const SiteVoters> voters,
                                                               const std::optional<JointFit>& joint);

/// The fields as a layer `consensus_fields`: site, id, p_exists, n_votes, n_labellers, n_unsure, split_votes,
/// merge_votes, iou_mean, outline_spread_m, outline_spread95_m, area_ha, in_consensus, from_expert.
[[nodiscard]] geo::Layer consensus_field_layer(const Campaign& campaign,
                                               std::span<const ConsensusField> fields);

}  // namespace furrow::labelling
