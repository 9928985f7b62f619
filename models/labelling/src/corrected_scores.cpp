#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/matching.h>
#include <furrow/labelling/site_scores.h>

#include "outlines.h"
#include "overlay.h"

namespace furrow::labelling {
namespace {

using overlay::Geometry;

/// Areas and lengths below these are rounding, not maps.
constexpr double kNoArea_m2 = 0.01;
constexpr double kNoLength_m = 0.01;
/// Outlines this near the cell border run along it.
constexpr double kBorder_m = 0.25;

/// A polygon inside the cell.
struct Field {
  geo::MultiPolygon shape;
  std::string category;  ///< lower case
  double area_m2 = 0.0;
  bool whole = false;  ///< nothing was cut off
};

Geometry unite(const std::vector<Field>& fields, const std::string* category = nullptr,
               bool categorised = false) {
  std::vector<Geometry> parts;
  for (const auto& field : fields) {
    if (category != nullptr && field.category != *category) continue;
    if (categorised && field.category.empty()) continue;
    parts.push_back(geo::geos::to_geos(field.shape));
  }
  return overlay::unite(std::move(parts));
}

/// The cell, and the part of it in which outlines are measured.
class Cell {
 public:
  explicit Cell(const geo::MultiPolygon& shape)
      : m_shape(geo::geos::to_geos(shape)),
        m_prepared(geo::geos::prepare(m_shape.get())),
        m_area_m2(geo::area(shape)) {
    constexpr int kMitre = GEOSBUF_JOIN_MITRE;
    m_inner = geo::geos::check(GEOSBufferWithStyle_r(overlay::context(), m_shape.get(), -kBorder_m, 8,
                                                     GEOSBUF_CAP_FLAT, kMitre, 5.0),
                               "buffer");
  }

  [[nodiscard]] double area_m2() const { return m_area_m2; }
  [[nodiscard]] const Geometry& shape() const { return m_shape; }
  [[nodiscard]] const Geometry& inner() const { return m_inner; }

  [[nodiscard]] Field clip(const LabelledPolygon& polygon) const {
    Field field;
    field.category = geo::to_lower(geo::trim(polygon.category));
    const Geometry shape = geo::geos::to_geos(polygon.shape);
    field.whole =
        geo::geos::check(GEOSPreparedCovers_r(overlay::context(), m_prepared.get(), shape.get()), "covers");
    field.shape =
        field.whole ? polygon.shape : geo::geos::from_geos(overlay::intersection(shape, m_shape).get());
    field.area_m2 = geo::area(field.shape);
    return field;
  }

  [[nodiscard]] std::vector<Field> clip(const std::vector<LabelledPolygon>& polygons, bool unsure) const {
    std::vector<Field> fields;
    for (const auto& polygon : polygons) {
      if (polygon.unsure != unsure || polygon.shape.empty()) continue;
      Field field = clip(polygon);
      if (field.area_m2 >= kNoArea_m2) fields.push_back(std::move(field));
    }
    return fields;
  }

 private:
  Geometry m_shape;
  geo::geos::Prepared m_prepared;
  Geometry m_inner;
  double m_area_m2;
};

class CorrectedSite {
 public:
  CorrectedSite(const SiteMaps& maps, const CorrectedOptions& options)
      : m_options(options),
        m_cell(maps.cell),
        m_reference(m_cell.clip(maps.reference, false)),
        m_labeller(m_cell.clip(maps.labeller, false)),
        m_united_reference(unite(m_reference)),
        m_united_labeller(unite(m_labeller)) {
    exclude_unknown(maps);
  }

  CorrectedScores score() {
    area();
    fields();
    outlines();
    category();
    combine();
    return m_scores;
  }

 private:
  /// Takes the places where only the reference is unsure out of the evaluation; measures the labeller's
  /// unsure share.
  void exclude_unknown(const SiteMaps& maps) {
    m_evaluated_m2 = m_cell.area_m2();
    const auto unsure = m_cell.clip(maps.labeller, true);
    if (!unsure.empty()) {
      m_scores.unsure_share =
          overlay::area(overlay::difference(unite(unsure), m_united_labeller)) / m_cell.area_m2();
    }
    const auto unknown = m_cell.clip(maps.reference, true);
    if (unknown.empty()) return;
    m_unknown = overlay::difference(unite(unknown), m_united_reference);
    m_evaluated_m2 = overlay::area(overlay::difference(m_cell.shape(), m_unknown));
    m_united_labeller = overlay::difference(m_united_labeller, m_unknown);
    std::erase_if(m_labeller, [&](const Field& field) {
      const Geometry shape = geo::geos::to_geos(field.shape);
      return overlay::area(overlay::intersection(shape, m_unknown)) > 0.5 * field.area_m2;
    });
  }

  void area() {
    if (m_evaluated_m2 < kNoArea_m2) {
      const auto all_unsure = Measure::undefined("the reference is unsure of the whole cell");
      m_scores.area = m_scores.field_skill = m_scores.nofield_skill = all_unsure;
      return;
    }
    Confusion& c = m_scores.areas;
    const double reference_m2 = overlay::area(m_united_reference);
    c.fn_m2 = overlay::area(overlay::difference(m_united_reference, m_united_labeller));
    c.fp_m2 = overlay::area(overlay::difference(m_united_labeller, m_united_reference));
    c.tp_m2 = std::max(reference_m2 - c.fn_m2, 0.0);
    const double nofield_m2 = std::max(m_evaluated_m2 - reference_m2, 0.0);
    c.tn_m2 = std::max(nofield_m2 - c.fp_m2, 0.0);
    // Written from the errors, so that a copy gives 1 to the last bit.
    m_scores.area = Measure::of(std::max(1.0 - (c.fp_m2 + c.fn_m2) / m_evaluated_m2, 0.0));
    m_scores.field_skill = reference_m2 < kNoArea_m2
                               ? Measure::undefined("the reference maps no field in the cell")
                               : Measure::of(std::max(1.0 - c.fn_m2 / reference_m2, 0.0));
    m_scores.nofield_skill = nofield_m2 < kNoArea_m2
                                 ? Measure::undefined("the reference maps the whole cell as field")
                                 : Measure::of(std::max(1.0 - c.fp_m2 / nofield_m2, 0.0));
  }

  [[nodiscard]] std::vector<geo::MultiPolygon> counted(const std::vector<Field>& fields) const {
    std::vector<geo::MultiPolygon> shapes;
    for (const auto& field : fields) {
      if (field.area_m2 >= m_options.min_field_m2) shapes.push_back(field.shape);
    }
    return shapes;
  }

  void fields() {
    const auto reference = counted(m_reference);
    const auto labeller = counted(m_labeller);
    m_scores.reference_fields = static_cast<std::int64_t>(reference.size());
    m_scores.labeller_fields = static_cast<std::int64_t>(labeller.size());
    if (reference.empty() && labeller.empty()) {
      m_scores.n = Measure::undefined("neither map has a field in the cell");
      m_scores.outline_bias_m = Measure::undefined("no field is matched");
      return;
    }
    const auto pairs = geo::overlaps(reference, labeller);
    const auto matched = geo::match_one_to_one(pairs, m_options.min_iou);
    m_scores.matched = static_cast<std::int64_t>(matched.size());
    m_scores.n = Measure::of(2.0 * static_cast<double>(matched.size()) /
                             static_cast<double>(reference.size() + labeller.size()));
    m_scores.splits = several_to_one(pairs, reference, labeller, true);
    m_scores.merges = several_to_one(pairs, labeller, reference, false);
    bias(matched, reference, labeller);
  }

  /// Wholes that are at least half covered by two or more parts of the other map, each mostly inside.
  static std::int64_t several_to_one(const std::vector<geo::OverlapPair>& pairs,
                                     const std::vector<geo::MultiPolygon>& wholes,
                                     const std::vector<geo::MultiPolygon>& parts, bool whole_is_a) {
    std::vector<int> count(wholes.size(), 0);
    std::vector<double> covered(wholes.size(), 0.0);
    for (const auto& pair : pairs) {
      const std::size_t whole = whole_is_a ? pair.a : pair.b;
      const std::size_t part = whole_is_a ? pair.b : pair.a;
      if (pair.intersection <= 0.5 * geo::area(parts[part])) continue;
      ++count[whole];
      covered[whole] += pair.intersection;
    }
    std::int64_t found = 0;
    for (std::size_t i = 0; i < wholes.size(); ++i) {
      if (count[i] >= 2 && covered[i] >= 0.5 * geo::area(wholes[i])) ++found;
    }
    return found;
  }

  /// Area gained over the length of the outline: how far matched outlines lie outside the reference's on
  /// average.
  void bias(const std::vector<geo::OverlapPair>& matched, const std::vector<geo::MultiPolygon>& reference,
            const std::vector<geo::MultiPolygon>& labeller) {
    double gained_m2 = 0.0;
    double length_m = 0.0;
    for (const auto& pair : matched) {
      gained_m2 += geo::area(labeller[pair.b]) - geo::area(reference[pair.a]);
      length_m += geo::perimeter(reference[pair.a]);
    }
    m_scores.outline_bias_m =
        matched.empty() ? Measure::undefined("no field is matched") : Measure::of(gained_m2 / length_m);
  }

  /// Outlines in the evaluated interior of the cell.
  [[nodiscard]] std::vector<Segment> interior_outlines(const std::vector<Field>& fields) const {
    const Geometry region =
        m_unknown ? overlay::difference(m_cell.inner(), m_unknown)
                  : geo::geos::check(GEOSGeom_clone_r(overlay::context(), m_cell.inner().get()), "clone");
    const auto prepared = geo::geos::prepare(region.get());
    std::vector<Segment> segments;
    for (const auto& field : fields) {
      const Geometry lines = geo::geos::outlines(field.shape);
      if (field.whole &&
          geo::geos::check(GEOSPreparedCovers_r(overlay::context(), prepared.get(), lines.get()), "covers")) {
        append_segments(field.shape, segments);
      } else {
        append_segments(overlay::intersection(lines, region).get(), segments);
      }
    }
    return segments;
  }

  /// All outlines, those along the cell border too: what a map is measured against.
  static OutlineIndex all_outlines(const std::vector<Field>& fields) {
    std::vector<Segment> segments;
    for (const auto& field : fields) append_segments(field.shape, segments);
    return OutlineIndex(std::move(segments));
  }

  void outlines() {
    const auto reference = interior_outlines(m_reference);
    const auto labeller = interior_outlines(m_labeller);
    const double reference_m = total_length(reference);
    const double labeller_m = total_length(labeller);
    const bool any_reference = reference_m >= kNoLength_m;
    const bool any_labeller = labeller_m >= kNoLength_m;
    const std::string reason = any_labeller    ? "the reference has no outline inside the cell"
                               : any_reference ? "the labeller's map has no outline inside the cell"
                                               : "neither map has an outline inside the cell";
    m_scores.edge_correctness = m_scores.edge_completeness = m_scores.outline_distance95_m = m_scores.edge =
        Measure::undefined(reason);
    if (!any_reference && !any_labeller) return;
    const OutlineIndex reference_index = all_outlines(m_reference);
    const OutlineIndex labeller_index = all_outlines(m_labeller);
    const double b = m_options.edge_buffer_m;
    if (any_labeller) {
      m_scores.edge_correctness = Measure::of(1.0 - reference_index.length_beyond(labeller, b) / labeller_m);
    }
    if (any_reference) {
      m_scores.edge_completeness =
          Measure::of(1.0 - labeller_index.length_beyond(reference, b) / reference_m);
    }
    const double p = any_labeller ? m_scores.edge_correctness.value : 0.0;
    const double r = any_reference ? m_scores.edge_completeness.value : 0.0;
    m_scores.edge = Measure::of(p + r > 0.0 ? 2.0 * p * r / (p + r) : 0.0);
    if (any_reference && any_labeller) {
      m_scores.outline_distance95_m =
          Measure::of(outline_distance(reference, reference_index, labeller, labeller_index, 0.95));
    }
  }

  void category() {
    std::set<std::string> names;
    bool uncategorised = false;
    for (const auto* fields : {&m_reference, &m_labeller}) {
      for (const auto& field : *fields) {
        if (field.category.empty())
          uncategorised = true;
        else
          names.insert(field.category);
      }
    }
    if (names.empty()) {
      m_scores.category = Measure::undefined("no polygon has a category");
      return;
    }
    if (m_scores.areas.tp_m2 < kNoArea_m2) {
      m_scores.category = Measure::undefined("no area is mapped by both");
      return;
    }
    if (names.size() == 1 && !uncategorised) {
      m_scores.category = Measure::of(1.0);
      return;
    }
    const Geometry joint =
        overlay::intersection(unite(m_reference, nullptr, true), unite(m_labeller, nullptr, true));
    const double joint_m2 = overlay::area(joint);
    if (joint_m2 < kNoArea_m2) {
      m_scores.category = Measure::undefined("no area has a category in both maps");
      return;
    }
    std::vector<Geometry> agreed;
    for (const auto& name : names) {
      agreed.push_back(overlay::intersection(unite(m_reference, &name), unite(m_labeller, &name)));
    }
    const double disagreed_m2 = overlay::area(overlay::difference(joint, overlay::unite(std::move(agreed))));
    m_scores.category = Measure::of(std::max(1.0 - disagreed_m2 / joint_m2, 0.0));
  }

  void combine() {
    double sum = 0.0;
    double weights = 0.0;
    const auto add = [&](const Measure& measure, double weight) {
      if (!measure.defined()) return;
      sum += weight * measure.value;
      weights += weight;
    };
    add(m_scores.area, m_options.weight_area);
    add(m_scores.n, m_options.weight_n);
    add(m_scores.edge, m_options.weight_edge);
    add(m_scores.category, m_options.weight_category);
    m_scores.score = weights > 0.0 ? Measure::of(sum / weights) : Measure::undefined("no measure is defined");
  }

  const CorrectedOptions& m_options;
  Cell m_cell;
  std::vector<Field> m_reference;
  std::vector<Field> m_labeller;
  Geometry m_united_reference;
  Geometry m_united_labeller;
  Geometry m_unknown;  ///< only the reference is unsure there; null = nowhere
  double m_evaluated_m2 = 0.0;
  CorrectedScores m_scores;
};

}  // namespace

CorrectedScores score_corrected(const SiteMaps& maps, const CorrectedOptions& options) {
  if (!(options.edge_buffer_m > 0.0)) throw geo::InvalidArgument("the edge buffer must be above 0 m");
  for (const double w :
       {options.weight_area, options.weight_n, options.weight_edge, options.weight_category}) {
    if (!(w >= 0.0)) throw geo::InvalidArgument("weights of measures must not be negative");
  }
  if (!(geo::area(maps.cell) > 0.0)) throw geo::InvalidArgument("the site's cell has no area");
  return CorrectedSite(maps, options).score();
}

}  // namespace furrow::labelling
