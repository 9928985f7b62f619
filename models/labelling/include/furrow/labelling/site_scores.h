#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <furrow/geo/vector/geometry.h>
#include <furrow/labelling/campaign.h>

/// How well one assignment maps its site, measured against a reference map of the same site.
namespace furrow::labelling {

/// A measure that may have no value for a site, with the reason.
struct Measure {
  double value = std::numeric_limits<double>::quiet_NaN();
  std::string reason = "not computed";  ///< why it is undefined; empty = defined

  [[nodiscard]] bool defined() const { return reason.empty(); }
  [[nodiscard]] static Measure of(double value) { return {value, {}}; }
  [[nodiscard]] static Measure undefined(std::string why) {
    return {std::numeric_limits<double>::quiet_NaN(), std::move(why)};
  }
};

/// One labeller's map and the reference map of a site. All shapes valid, in one planar CRS in metres.
struct SiteMaps {
  geo::MultiPolygon cell;
  std::vector<LabelledPolygon> reference;
  std::vector<LabelledPolygon> labeller;
};

/// Areas by what reference and labeller say, in m2.
struct Confusion {
  double tp_m2 = 0.0;  ///< both field
  double fp_m2 = 0.0;  ///< only the labeller
  double fn_m2 = 0.0;  ///< only the reference
  double tn_m2 = 0.0;  ///< neither
};

struct CorrectedOptions {
  double edge_buffer_m = 9.0;  ///< outlines nearer than this agree; > 0
  double min_iou = 0.5;        ///< two polygons this alike are the same field
  /// Polygons with less than this inside the cell are not counted as fields (they still count as area):
  /// whether somebody draws the corner of a field that reaches into the cell is chance.
  double min_field_m2 = 25.0;
  double weight_area = 0.55;
  double weight_n = 0.225;
  double weight_edge = 0.1;
  double weight_category = 0.125;
};

/// One counted reference field and what became of it.
struct ReferenceField {
  std::string category;     ///< lower case; may be empty
  double area_m2 = 0.0;     ///< inside the cell
  double covered_m2 = 0.0;  ///< of that, mapped as field by the labeller
  bool matched = false;     ///< one to one, see CorrectedScores::n
};

/// Everything is inside the cell: shapes are clipped to it first.
struct CorrectedScores {
  Confusion areas;           ///< without the places where the reference is unsure
  Measure score;             ///< weighted mean of the defined ones of area, n, edge, category; 0..1
  Measure area;              ///< share of the area on which both agree
  Measure n;                 ///< 2 m / (reference fields + labeller's fields), m = optimal one-to-one matches
  Measure edge;              ///< F1 of the two shares below
  Measure category;          ///< share of the jointly mapped area with the same category
  Measure field_skill;       ///< sensitivity: TP / (TP + FN)
  Measure nofield_skill;     ///< specificity: TN / (TN + FP)
  Measure edge_correctness;  ///< share of the labeller's outlines within the buffer of a reference outline
  Measure edge_completeness;  ///< share of the reference's outlines within the buffer of a labeller's outline
  Measure outline_bias_m;     ///< mean offset of matched outlines, positive = drawn too large
  Measure
      outline_distance95_m;  ///< 95 % of all outlines, both ways, lie within this distance of the other map's
  std::int64_t reference_fields = 0;
  std::int64_t labeller_fields = 0;
  std::int64_t matched = 0;
  std::int64_t splits = 0;             ///< reference fields that the labeller drew as several
  std::int64_t merges = 0;             ///< labeller's polygons that join several reference fields
  double unsure_share = 0.0;           ///< share of the cell that only the labeller's unsure polygons cover
  std::vector<ReferenceField> fields;  ///< those that `reference_fields` counts, in their order
};

/// Quality of an assignment, every measure defined or undefined with the reason.
///
/// Unsure polygons: where only the reference is unsure, the truth is unknown, and area, outlines and
/// labeller's polygons that lie mostly there are left out of every measure. The labeller's unsure polygons
/// claim no field (else marking everything unsure would cost nothing); their extent is reported as
/// `unsure_share`. Area: 1 - (FP + FN) / evaluated area. N: polygons with IoU >= min_iou matched one to one
/// (Hungarian). A split is a reference field at least half covered by two or more labeller's polygons that
/// each lie mostly in it; a merge is the same the other way round. Edge: exact lengths (no arc
/// approximation); pieces of outline within 0.25 m of the cell border do not count, so that trimming at the
/// border costs nothing. Category: overlaps of categories count once; polygons without category are left out;
/// names compare without case. A copy of the reference scores exactly 1. Source: labels.md section 3
/// (scores).
/// @throws geo::InvalidArgument  edge_buffer_m <= 0, weights negative, cell without area
/// @throws geo::GeometryError    an overlay failed (invalid polygons)
/// Units: metres. Threads: safe to call concurrently; the result does not depend on the number of threads.
[[nodiscard]] CorrectedScores score_corrected(const SiteMaps& maps, const CorrectedOptions& options = {});

/// Which accuracy the published platform's switch selects.
enum class PlatformAccuracy { kOverall, kBalanced };

struct CompatibleOptions {
  double edge_buffer_m = 9.0;
  /// Classes of the category measure; empty = every category on the site but 'unsure2', as in production.
  std::vector<std::string> categories;
  PlatformAccuracy accuracy = PlatformAccuracy::kOverall;
  double weight_in = 0.55;
  double weight_out = 0.0;
  double weight_n = 0.225;
  double weight_edge = 0.1;
  double weight_category = 0.125;
  double old_weight_in = 0.7;
  double old_weight_out = 0.2;
  double old_weight_count = 0.1;
};

/// NaN where the platform gives NaN or NA.
struct CompatibleScores {
  int kind = 0;  ///< 1 both empty, 2 only the labeller maps, 3 only the reference maps, 4 both map
  double new_score = 0.0;
  double old_score = 0.0;
  double count = 0.0;  ///< min / max of the numbers of polygons
  double n = 0.0;      ///< matched reference polygons / reference polygons
  double edge = 0.0;
  double in = 0.0;   ///< accuracy inside the cell, 2 decimals
  double out = 0.0;  ///< accuracy outside, 2 decimals
  double category = 0.0;
  double field_skill = 0.0;
  double nofield_skill = 0.0;
  Confusion inside;
  Confusion outside;
  std::int64_t reference_count = 0;
  std::int64_t labeller_count = 0;
  std::int64_t matched = 0;
};

/// The measures of the published labelling platform, step by step as it computes them (labels.md 1.2
/// and 1.3), with its peculiarities: In and Out rounded to 2 decimals; N takes the first polygon of the
/// labeller that shares more than half of both areas and is not clipped to the cell; Edge is a ratio of ring
/// areas that saturates near 0.0112; Category can exceed 1; an empty map of a site with few fields scores
/// high. NaN where the platform gives NaN or NA: Category when the maps only touch; field skill when the
/// reference lies outside the cell; no-field skill when the reference fills the cell; Out (and so the new
/// score, although its weight is 0) when nothing outside is left unmapped although one of cases 2, 3 or both
/// maps reach outside. Shapes of several parts are dropped; unsure polygons count as any other. For
/// comparison with published figures only.
/// @throws geo::InvalidArgument, geo::GeometryError  as score_corrected
/// Units: metres. Threads: safe to call concurrently.
[[nodiscard]] CompatibleScores score_compatible(const SiteMaps& maps, const CompatibleOptions& options = {});

}  // namespace furrow::labelling
