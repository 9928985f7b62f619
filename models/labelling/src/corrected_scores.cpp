#include <algorithm>
#include <cmath>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/matching.h>
#include <furrow/labelling/site_scores.h>

#include "disjoint_parts.h"
#include "outlines.h"
#include "overlay.h"

namespace furrow::labelling {
namespace {

using overlay::Geometry;

/// Areas and lengths below these are rounding, not maps.
constexpr double kNoArea_m2 = 0.01;
constexpr double kNoLength_m = 0.01;

/// A polygon inside the cell.
struct Field {
  geo::MultiPolygon shape;
  std::string category;  ///< lower case
  double area_m2 = 0.0;
  bool inside = false;  ///< surely away from the cell border
};

Geometry unite(const std::vector<Field>& fields) {
  std::vector<Geometry> parts;
  for (const auto& field : fields) parts.push_back(geo::geos::to_geos(field.shape));
  return overlay::unite(std::move(parts));
}

Geometry unite_categorised(std::vector<Field> fields) {
  std::erase_if(fields, [](const Field& field) { return field.category.empty(); });
  return unite(fields);
}

/// A quick answer for the usual cell, a convex ring without holes: is a shape inside, at least `margin` from
/// the border?
class ConvexCell {
 public:
  explicit ConvexCell(const geo::MultiPolygon& cell) {
    if (cell.size() != 1 || !cell.front().holes.empty()) return;
    geo::Ring ring = cell.front().shell;
    if (geo::signed_area(ring) < 0.0) std::ranges::reverse(ring);
    for (std::size_t i = 0; i + 1 < ring.size(); ++i) {
      const double length = std::hypot(ring[i + 1].x - ring[i].x, ring[i + 1].y - ring[i].y);
      if (length == 0.0) continue;
      // Unit normal pointing inwards.
      m_sides.push_back(
          {ring[i], {(ring[i].y - ring[i + 1].y) / length, (ring[i + 1].x - ring[i].x) / length}});
    }
    // Not convex: some corner lies outside another side.
    if (!std::ranges::all_of(ring, [this](geo::Point p) { return inside(p, -1e-6); })) m_sides.clear();
  }

  /// False also means "not known".
  [[nodiscard]] bool surely_contains(const geo::MultiPolygon& shape, double margin) const {
    return !m_sides.empty() && std::ranges::all_of(shape, [&](const geo::Polygon& polygon) {
      return std::ranges::all_of(polygon.shell, [&](geo::Point p) { return inside(p, margin); });
    });
  }

 private:
  struct Side {
    geo::Point start;
    geo::Point normal;
  };

  [[nodiscard]] bool inside(geo::Point p, double margin) const {
    return std::ranges::all_of(m_sides, [&](const Side& side) {
      return (p.x - side.start.x) * side.normal.x + (p.y - side.start.y) * side.normal.y >= margin;
    });
  }

  std::vector<Side> m_sides;
};

/// The cell, and the part of it in which outlines are measured.
class Cell {
 public:
  explicit Cell(const geo::MultiPolygon& shape)
      : m_convex(shape),
        m_shape(geo::geos::to_geos(shape)),
        m_prepared(geo::geos::prepare(m_shape.get())),
        m_area_m2(geo::area(shape)) {
    constexpr int kMitre = GEOSBUF_JOIN_MITRE;
    m_inner = geo::geos::check(GEOSBufferWithStyle_r(overlay::context(), m_shape.get(), -kCellBorder_m, 8,
                                                     GEOSBUF_CAP_FLAT, kMitre, 5.0),
                               "buffer");
  }

  [[nodiscard]] double area_m2() const { return m_area_m2; }
  [[nodiscard]] const Geometry& shape() const { return m_shape; }
  [[nodiscard]] const Geometry& inner() const { return m_inner; }

  [[nodiscard]] Field clip(const LabelledPolygon& polygon) const {
    Field field;
    field.category = geo::to_lower(geo::trim(polygon.category));
    field.inside = m_convex.surely_contains(polygon.shape, kCellBorder_m);
    field.shape = polygon.shape;
    if (!field.inside) {
      const Geometry shape = geo::geos::to_geos(polygon.shape);
      if (!geo::geos::check(GEOSPreparedCovers_r(overlay::context(), m_prepared.get(), shape.get()),
                            "covers")) {
        field.shape = geo::geos::from_geos(overlay::intersection(shape, m_shape).get());
      }
    }
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
  ConvexCell m_convex;
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
        m_labeller(m_cell.clip(maps.labeller, false)) {
    exclude_unknown(maps);
    m_pairs = geo::overlaps(shapes_of(m_reference), shapes_of(m_labeller));
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
          overlay::area(overlay::difference(unite(unsure), unite(m_labeller))) / m_cell.area_m2();
    }
    const auto unknown = m_cell.clip(maps.reference, true);
    if (unknown.empty()) return;
    m_unknown = overlay::difference(unite(unknown), unite(m_reference));
    m_evaluated_m2 = overlay::area(overlay::difference(m_cell.shape(), m_unknown));
    m_known_labeller = overlay::difference(unite(m_labeller), m_unknown);
    std::erase_if(m_labeller, [&](const Field& field) {
      const Geometry shape = geo::geos::to_geos(field.shape);
      return overlay::area(overlay::intersection(shape, m_unknown)) > 0.5 * field.area_m2;
    });
  }

  /// Areas of the two maps and of what they share, places covered twice counted once.
  struct Covered {
    double reference_m2 = 0.0;
    double labeller_m2 = 0.0;
    double shared_m2 = 0.0;
  };

  static double total_m2(const std::vector<geo::MultiPolygon>& shapes) {
    double sum = 0.0;
    for (const auto& shape : shapes) sum += geo::area(shape);
    return sum;
  }

  /// Neither list overlaps itself.
  static double shared_m2(const std::vector<geo::MultiPolygon>& a, const std::vector<geo::MultiPolygon>& b) {
    double sum = 0.0;
    for (const auto& pair : geo::overlaps(a, b)) sum += pair.intersection;
    return sum;
  }

  [[nodiscard]] Covered covered() const {
    if (m_unknown) {
      const Geometry reference = unite(m_reference);
      return {overlay::area(reference), overlay::area(m_known_labeller),
              overlay::area(overlay::intersection(reference, m_known_labeller))};
    }
    const DisjointParts reference = disjoint_parts(shapes_of(m_reference));
    const DisjointParts labeller = disjoint_parts(shapes_of(m_labeller));
    Covered sum;
    sum.reference_m2 = total_m2(reference.singles) + total_m2(reference.united);
    sum.labeller_m2 = total_m2(labeller.singles) + total_m2(labeller.united);
    for (const auto& pair : m_pairs) {
      if (reference.single[pair.a] && labeller.single[pair.b]) sum.shared_m2 += pair.intersection;
    }
    sum.shared_m2 += shared_m2(reference.united, labeller.singles) +
                     shared_m2(reference.singles, labeller.united) +
                     shared_m2(reference.united, labeller.united);
    return sum;
  }

  /// What one area has more than another; less than a square millimetre is rounding.
  static double excess(double area_m2, double part_m2) {
    constexpr double kRounding_m2 = 1e-6;
    return area_m2 - part_m2 < kRounding_m2 ? 0.0 : area_m2 - part_m2;
  }

  void area() {
    if (m_evaluated_m2 < kNoArea_m2) {
      const auto all_unsure = Measure::undefined("the reference is unsure of the whole cell");
      m_scores.area = m_scores.field_skill = m_scores.nofield_skill = all_unsure;
      return;
    }
    Confusion& c = m_scores.areas;
    const auto [reference_m2, labeller_m2, both_m2] = covered();
    c.tp_m2 = both_m2;
    c.fn_m2 = excess(reference_m2, both_m2);
    c.fp_m2 = excess(labeller_m2, both_m2);
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

  static std::vector<geo::MultiPolygon> shapes_of(const std::vector<Field>& fields) {
    std::vector<geo::MultiPolygon> shapes;
    shapes.reserve(fields.size());
    for (const auto& field : fields) shapes.push_back(field.shape);
    return shapes;
  }

  [[nodiscard]] bool counts(const Field& field) const { return field.area_m2 >= m_options.min_field_m2; }

  void fields() {
    const auto is_counted = [this](const Field& field) { return counts(field); };
    m_scores.reference_fields = std::ranges::count_if(m_reference, is_counted);
    m_scores.labeller_fields = std::ranges::count_if(m_labeller, is_counted);
    std::vector<geo::OverlapPair> pairs = m_pairs;
    std::erase_if(pairs, [this](const geo::OverlapPair& p) {
      return !counts(m_reference[p.a]) || !counts(m_labeller[p.b]);
    });
    const auto matched = geo::match_one_to_one(pairs, m_options.min_iou);
    const std::int64_t both = m_scores.reference_fields + m_scores.labeller_fields;
    m_scores.matched = static_cast<std::int64_t>(matched.size());
    m_scores.n = both == 0
                     ? Measure::undefined("neither map has a field in the cell")
                     : Measure::of(2.0 * static_cast<double>(matched.size()) / static_cast<double>(both));
    m_scores.splits = several_to_one(pairs, m_reference, m_labeller, true);
    m_scores.merges = several_to_one(pairs, m_labeller, m_reference, false);
    bias(matched);
    reference_fields(pairs, matched);
  }

  void reference_fields(const std::vector<geo::OverlapPair>& pairs,
                        const std::vector<geo::OverlapPair>& matched) {
    std::vector<ReferenceField> all;
    for (const auto& field : m_reference) all.push_back({field.category, field.area_m2, 0.0, false});
    for (const auto& pair : pairs) all[pair.a].covered_m2 += pair.intersection;
    for (const auto& pair : matched) all[pair.a].matched = true;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (!counts(m_reference[i])) continue;
      all[i].covered_m2 = std::min(all[i].covered_m2, all[i].area_m2);
      m_scores.fields.push_back(std::move(all[i]));
    }
  }

  /// Wholes that are at least half covered by two or more parts of the other map, each mostly inside.
  static std::int64_t several_to_one(const std::vector<geo::OverlapPair>& pairs,
                                     const std::vector<Field>& wholes, const std::vector<Field>& parts,
                                     bool whole_is_a) {
    std::vector<int> count(wholes.size(), 0);
    std::vector<double> covered(wholes.size(), 0.0);
    for (const auto& pair : pairs) {
      const std::size_t whole = whole_is_a ? pair.a : pair.b;
      const std::size_t part = whole_is_a ? pair.b : pair.a;
      if (pair.intersection <= 0.5 * parts[part].area_m2) continue;
      ++count[whole];
      covered[whole] += pair.intersection;
    }
    std::int64_t found = 0;
    for (std::size_t i = 0; i < wholes.size(); ++i) {
      if (count[i] >= 2 && covered[i] >= 0.5 * wholes[i].area_m2) ++found;
    }
    return found;
  }

  /// Area gained over the length of the outline: how far matched outlines lie outside the reference's on
  /// average.
  void bias(const std::vector<geo::OverlapPair>& matched) {
    double gained_m2 = 0.0;
    double length_m = 0.0;
    for (const auto& pair : matched) {
      gained_m2 += m_labeller[pair.b].area_m2 - m_reference[pair.a].area_m2;
      length_m += geo::perimeter(m_reference[pair.a].shape);
    }
    m_scores.outline_bias_m =
        matched.empty() ? Measure::undefined("no field is matched") : Measure::of(gained_m2 / length_m);
  }

  /// Outlines in the evaluated interior of the cell.
  [[nodiscard]] std::vector<Segment> interior_outlines(const std::vector<Field>& fields) const {
    const Geometry region =
        m_unknown ? overlay::difference(m_cell.inner(), m_unknown)
                  : geo::geos::check(GEOSGeom_clone_r(overlay::context(), m_cell.inner().get()), "clone");
    std::vector<Segment> segments;
    for (const auto& field : fields) {
      if (field.inside && !m_unknown) {
        append_segments(field.shape, segments);
      } else {
        append_segments(overlay::intersection(geo::geos::outlines(field.shape), region).get(), segments);
      }
    }
    return segments;
  }

  /// All outlines, those along the cell border too: what a map is measured against.
  static OutlineIndex all_outlines(const std::vector<Field>& fields) {
    std::vector<Segment> segments;
    for (const auto& field : fields) append_segments(field.shape, segments);
    return OutlineIndex(segments);
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
    bool categorised = false;
    bool uncategorised = false;
    for (const auto* fields : {&m_reference, &m_labeller}) {
      for (const auto& field : *fields) {
        (field.category.empty() ? uncategorised : categorised) = true;
      }
    }
    if (!categorised) {
      m_scores.category = Measure::undefined("no polygon has a category");
      return;
    }
    if (m_scores.areas.tp_m2 < kNoArea_m2) {
      m_scores.category = Measure::undefined("no area is mapped by both");
      return;
    }
    const double joint_m2 = uncategorised
                                ? overlay::area(overlay::intersection(unite_categorised(m_reference),
                                                                      unite_categorised(m_labeller)))
                                : m_scores.areas.tp_m2;
    m_scores.category = joint_m2 < kNoArea_m2
                            ? Measure::undefined("no area has a category in both maps")
                            : Measure::of(std::max(1.0 - excess(disagreed_m2(), 0.0) / joint_m2, 0.0));
  }

  /// Area where both maps have a category and no two polygons of the same category meet: a place that
  /// polygons of one map cover twice counts in favour of the labeller.
  [[nodiscard]] double disagreed_m2() const {
    std::vector<Geometry> disagreed;
    std::vector<geo::Box> places;
    for (const auto& pair : m_pairs) {
      const std::string& q = m_reference[pair.a].category;
      const std::string& u = m_labeller[pair.b].category;
      if (q.empty() || u.empty() || q == u) continue;
      disagreed.push_back(shared(pair));
      places.push_back(geo::bounds(m_reference[pair.a].shape));
    }
    if (disagreed.empty()) return 0.0;
    const geo::BoxIndex index(places);
    std::vector<Geometry> agreed;
    for (const auto& pair : m_pairs) {
      const auto& q = m_reference[pair.a];
      if (!q.category.empty() && q.category == m_labeller[pair.b].category &&
          !index.query(geo::bounds(q.shape)).empty()) {
        agreed.push_back(shared(pair));
      }
    }
    return overlay::area(
        overlay::difference(overlay::unite(std::move(disagreed)), overlay::unite(std::move(agreed))));
  }

  [[nodiscard]] Geometry shared(const geo::OverlapPair& pair) const {
    return overlay::intersection(geo::geos::to_geos(m_reference[pair.a].shape),
                                 geo::geos::to_geos(m_labeller[pair.b].shape));
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
  Geometry m_unknown;         ///< only the reference is unsure there; null = nowhere
  Geometry m_known_labeller;  ///< the labeller's fields elsewhere, united; null without m_unknown
  double m_evaluated_m2 = 0.0;
  std::vector<geo::OverlapPair> m_pairs;  ///< of all polygons, small ones too
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
