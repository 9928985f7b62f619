#pragma once

#include <limits>
#include <string>
#include <vector>

#include <furrow/assessment/isotonic.h>
#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/crs/crs.h>
#include <furrow/geo/raster/grid.h>
#include <furrow/geo/vector/layer.h>

namespace furrow::assessment {

struct QualityOptions {
  std::string scores;      ///< score raster: 3 bands background, interior, boundary; scale from its metadata;
                           ///< empty = none: what needs it keeps the value it has, or stays unset
  std::string entropy;     ///< entropy raster in nats; empty = computed from the three scores
  std::string risk;        ///< risk raster, 0..1; empty = risk_mean stays unset
  double scale = 0.0;      ///< score = stored value * scale; 0 = from the metadata of the score raster
  std::string image_date;  ///< ISO 8601; empty = TIFFTAG_DATETIME of the score raster, else unset
  geo::Crs
      scores_crs{};  ///< of all three rasters whatever they say; empty = as they say; switch --scores-crs
};

/// What calibration needs to know of one field.
struct FieldConfidence {
  /// Geometric mean of p_field_mean, boundary_strength and 1 - entropy_mean / ln 3, 0..1; NaN without data.
  double raw = std::numeric_limits<double>::quiet_NaN();
  bool whole = false;  ///< cut neither by the raster's edge nor by nodata
  geo::Point centre;   ///< in the CRS of the score raster
};

struct FieldConfidences {
  geo::Grid grid;                       ///< of the score raster
  std::vector<FieldConfidence> fields;  ///< one per feature; empty without score raster
};

/// Adds to every field how far to trust it. Fields may come from anywhere; attributes that are there already
/// keep their value only when they are not among those below.
///
/// | attribute | meaning |
/// |---|---|
/// | id | kept; made from the polygon's own coordinates when missing |
/// | area_ha, perimeter_m | geodesic |
/// | compactness | 4 pi area / perimeter^2, 1 = circle |
/// | shape_index | perimeter / (2 sqrt(pi area)), 1 = circle |
/// | p_field_mean | mean field score (1 - background), 0..1 |
/// | p_field_min | least field score over the pixels covered at least half |
/// | boundary_strength | mean along the outline (a sample every half pixel) of the highest boundary score in
/// the 3 x 3 pixels around |
/// | entropy_mean | mean entropy of the class scores, nats |
/// | risk_mean | mean label risk over those of the field's pixels that have one |
/// | weakest_shared_edge | least mean boundary score along the edge with one neighbour; unset without one |
/// | n_pixels | valid pixels covered at least half; 1 when there is none but one is covered less |
/// | touches_edge, cut_by_nodata | 1 when a pixel covered at least half lies at the raster's border, or
/// beside nodata | | image_date | date of the image | | confidence | 0..100: 100 x FieldConfidence::raw, not
/// a probability; see set_match_probabilities | | p_match | unset here | | flag | what to look at: edge,
/// nodata, weak_boundary, low_score, no_data; joined by ";" |
///
/// Means weigh every pixel by the share of its area inside the field (geo::covered_runs). A field that covers
/// no pixel to the half has the one that it covers most in place of those covered at least half.
/// @param fields  polygons in any CRS; moved to the raster's CRS for the look-ups only
/// @throws geo::IoError, geo::CrsError; geo::InvalidArgument when the score raster does not have three bands,
/// a score or risk lies outside 0..1, or the image date is no date
/// Reads one window a field, in parallel; the same for any number of threads.
FieldConfidences add_field_quality(geo::Layer& fields, const QualityOptions& options, geo::ExecContext& exec);

/// Sets `p_match` to the curve's value for the raw confidence, and `confidence` to 100 x that, rounded.
/// @param fields  as add_field_quality left them
/// @param curve   from raw confidence to the probability that the field matches a true one
void set_match_probabilities(geo::Layer& fields, const FieldConfidences& confidences,
                             const MonotoneCurve& curve);

}  // namespace furrow::assessment
