#include <algorithm>
#include <cmath>
#include <set>

#include <furrow/geo/core/error.h>
#include <furrow/geo/vector/box_index.h>
#include <furrow/labelling/site_scores.h>

#include "overlay.h"

namespace furrow::labelling {
namespace {

using overlay::Geometry;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
/// The platform's geometry library: segments per quarter circle.
constexpr int kQuadrantSegments = 30;
/// Closes hairline gaps that coordinate rounding leaves, in metres.
constexpr double kClosing_m = 1e-4;
constexpr double kFineClosing_m = 1e-5;

Geometry closing(const Geometry& g, double distance) {
  return overlay::buffer(overlay::buffer(g, distance, kQuadrantSegments), -distance, kQuadrantSegments);
}

/// The polygons that the platform keeps: single-part ones, cleaned by a zero buffer when asked.
struct KeptPolygons {
  std::vector<Geometry> shapes;
  std::vector<std::string> categories;
  std::vector<geo::Box> boxes;

  KeptPolygons(const std::vector<LabelledPolygon>& polygons, bool clean) {
    for (const auto& polygon : polygons) {
      if (polygon.shape.size() != 1) continue;
      Geometry shape = geo::geos::to_geos(polygon.shape);
      shapes.push_back(clean ? overlay::buffer(shape, 0.0, kQuadrantSegments) : std::move(shape));
      categories.push_back(polygon.category);
      boxes.push_back(geo::bounds(polygon.shape));
    }
  }

  /// Union of the polygons of one category; of all of them for nullptr.
  [[nodiscard]] Geometry united(const std::string* category = nullptr) const {
    std::vector<Geometry> parts;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      if (category != nullptr && categories[i] != *category) continue;
      parts.push_back(geo::geos::check(GEOSGeom_clone_r(overlay::context(), shapes[i].get()), "clone"));
    }
    return overlay::unite(std::move(parts));
  }

  [[nodiscard]] geo::Box bounds() const {
    geo::Box box;
    for (const auto& b : boxes) box.expand(b);
    return box;
  }
};

/// Rounds to 2 decimals as R 4 does: the nearer of the two candidates as doubles, ties to the even digit.
double round2(double value) {
  if (!std::isfinite(value)) return value;
  const double low = std::floor(value * 100.0);
  const double high = std::ceil(value * 100.0);
  const double below = value - low / 100.0;
  const double above = high / 100.0 - value;
  if (below == above) return (std::fmod(low, 2.0) == 0.0 ? low : high) / 100.0;
  return (below < above ? low : high) / 100.0;
}

double accuracy(const Confusion& c, PlatformAccuracy which) {
  if (which == PlatformAccuracy::kOverall) {
    return round2((c.tp_m2 + c.tn_m2) / (c.tp_m2 + c.tn_m2 + c.fp_m2 + c.fn_m2));
  }
  double sensitivity = c.tp_m2 / (c.tp_m2 + c.fn_m2);
  if (std::isnan(sensitivity)) sensitivity = 0.0;
  return round2((sensitivity + c.tn_m2 / (c.fp_m2 + c.tn_m2)) / 2.0);
}

/// Confusion of two (already closed) maps in a region; nullptr = no such map.
Confusion confusion(const Geometry* labeller, const Geometry* reference, const Geometry& region) {
  using overlay::area;
  using overlay::difference;
  Confusion c;
  if (reference == nullptr && labeller == nullptr) {
    c.tn_m2 = area(region);
  } else if (reference == nullptr) {
    c.fp_m2 = area(*labeller);
    c.tn_m2 = area(difference(region, *labeller));
  } else {
    const Geometry null_region = closing(difference(region, *reference), kFineClosing_m);
    if (labeller == nullptr) {
      c.fn_m2 = area(*reference);
      c.tn_m2 = area(null_region);
    } else {
      c.tp_m2 = area(overlay::intersection(*reference, *labeller));
      c.fp_m2 = area(difference(*labeller, *reference));
      c.fn_m2 = area(difference(*reference, *labeller));
      c.tn_m2 = area(difference(null_region, *labeller));
    }
  }
  return c;
}

/// Maps, their unions, and the parts inside and outside the cell.
class PlatformSite {
 public:
  PlatformSite(const SiteMaps& maps, const CompatibleOptions& options)
      : m_options(options),
        m_cell(geo::geos::to_geos(maps.cell)),
        m_reference(maps.reference, !maps.labeller.empty()),
        m_labeller(maps.labeller, !maps.reference.empty()),
        m_united_reference(m_reference.united()),
        m_united_labeller(m_labeller.united()) {
    m_bounds = geo::bounds(maps.cell);
    m_bounds.expand(m_reference.bounds());
    m_bounds.expand(m_labeller.bounds());
    m_scores.reference_count = static_cast<std::int64_t>(m_reference.shapes.size());
    m_scores.labeller_count = static_cast<std::int64_t>(m_labeller.shapes.size());
  }

  CompatibleScores score() {
    const bool maps_reference = !m_reference.shapes.empty();
    const bool maps_labeller = !m_labeller.shapes.empty();
    m_scores.kind = maps_reference ? (maps_labeller ? 4 : 3) : (maps_labeller ? 2 : 1);
    if (m_scores.kind == 1) {
      m_scores.inside.tn_m2 = overlay::area(m_cell);
      for (double* v : {&m_scores.new_score, &m_scores.old_score, &m_scores.count, &m_scores.n,
                        &m_scores.edge, &m_scores.in, &m_scores.out, &m_scores.category,
                        &m_scores.field_skill, &m_scores.nofield_skill}) {
        *v = 1.0;
      }
      return m_scores;
    }
    inside();
    outside();
    if (m_scores.kind == 4) {
      geometric();
      category();
      const auto nq = static_cast<double>(m_scores.reference_count);
      const auto nu = static_cast<double>(m_scores.labeller_count);
      m_scores.count = std::min(nq, nu) / std::max(nq, nu);
    }
    combine();
    return m_scores;
  }

 private:
  void inside() {
    const Geometry drawn = overlay::intersection(m_cell, m_united_labeller);
    const Geometry true_fields = closing(overlay::intersection(m_cell, m_united_reference), kClosing_m);
    const Geometry drawn_closed = closing(drawn, kClosing_m);
    Confusion& c = m_scores.inside;
    c = confusion(overlay::is_empty(drawn) ? nullptr : &drawn_closed,
                  m_scores.kind == 2 ? nullptr : &true_fields, m_cell);
    m_scores.in = accuracy(c, m_options.accuracy);
    m_scores.field_skill = m_scores.kind == 4 ? c.tp_m2 / (c.tp_m2 + c.fn_m2) : 0.0;
    m_scores.nofield_skill = m_scores.kind == 3 ? 1.0 : c.tn_m2 / (c.tn_m2 + c.fp_m2);
  }

  void outside() {
    const double distance = m_scores.kind == 2 ? kFineClosing_m : kClosing_m;
    const Geometry drawn = closing(overlay::difference(m_united_labeller, m_cell), distance);
    const Geometry true_fields = closing(overlay::difference(m_united_reference, m_cell), distance);
    const bool any_drawn = !overlay::is_empty(drawn);
    const bool any_true = !overlay::is_empty(true_fields);
    m_out_old = any_drawn || any_true ? 0.0 : 1.0;
    m_scores.out = 1.0;
    if (!any_drawn && !any_true) return;
    const Geometry region = overlay::difference(geo::geos::to_geos(geo::to_polygon(m_bounds)), m_cell);
    Confusion& c = m_scores.outside;
    c = confusion(any_drawn ? &drawn : nullptr, any_true ? &true_fields : nullptr, region);
    if (any_drawn && any_true) m_out_old = c.tp_m2 / (c.tp_m2 + c.fn_m2);
    // With a region held as a table of zero rows the platform's area of "neither" is NA, not 0.
    Confusion as_platform = c;
    const bool region_is_table = m_scores.kind != 4 || (any_drawn && any_true);
    if (region_is_table && c.tn_m2 == 0.0) as_platform.tn_m2 = kNan;
    m_scores.out = accuracy(as_platform, m_options.accuracy);
  }

  /// Fragmentation and edge: the first labeller polygon that shares more than half of both areas.
  void geometric() {
    const geo::BoxIndex index(m_labeller.boxes);
    double edge_sum = 0.0;
    for (std::size_t i = 0; i < m_reference.shapes.size(); ++i) {
      const Geometry& q = m_reference.shapes[i];
      for (const std::size_t j : index.query(m_reference.boxes[i])) {
        const Geometry& u = m_labeller.shapes[j];
        const double shared = overlay::area(overlay::intersection(q, u));
        if (!(shared / overlay::area(q) > 0.5 && shared / overlay::area(u) > 0.5)) continue;
        ++m_scores.matched;
        edge_sum += edge_ratio(q, u);
        break;
      }
    }
    if (m_scores.matched == 0) return;
    m_scores.edge = edge_sum / static_cast<double>(m_scores.matched);
    m_scores.n = static_cast<double>(m_scores.matched) / static_cast<double>(m_reference.shapes.size());
  }

  [[nodiscard]] static Geometry ring(const Geometry& g, double half_width) {
    return overlay::difference(overlay::buffer(g, half_width, kQuadrantSegments),
                               overlay::buffer(g, -half_width, kQuadrantSegments));
  }

  [[nodiscard]] double edge_ratio(const Geometry& q, const Geometry& u) const {
    constexpr double kOutlineHalfWidth_m = 0.1;
    const Geometry wide = ring(q, m_options.edge_buffer_m);
    return overlay::area(overlay::intersection(wide, ring(u, kOutlineHalfWidth_m))) / overlay::area(wide);
  }

  void category() {
    std::vector<std::string> classes = m_options.categories;
    if (classes.empty()) {
      std::set<std::string> found(m_reference.categories.begin(), m_reference.categories.end());
      found.insert(m_labeller.categories.begin(), m_labeller.categories.end());
      found.erase("unsure2");
      classes.assign(found.begin(), found.end());
    }
    double correct = 0.0;
    for (const auto& name : classes) {
      const Geometry q = closing(m_reference.united(&name), kClosing_m);
      const Geometry u = closing(m_labeller.united(&name), kClosing_m);
      correct += overlay::area(overlay::intersection(q, u));
    }
    const Geometry joint = overlay::intersection(closing(m_united_reference, kClosing_m),
                                                 closing(m_united_labeller, kClosing_m));
    m_scores.category = overlay::is_empty(joint) ? 0.0 : correct / overlay::area(joint);
  }

  void combine() {
    const auto& o = m_options;
    auto& s = m_scores;
    s.old_score = s.count * o.old_weight_count + s.in * o.old_weight_in + m_out_old * o.old_weight_out;
    s.new_score = s.in * o.weight_in + s.out * o.weight_out + s.n * o.weight_n + s.edge * o.weight_edge +
                  s.category * o.weight_category;
  }

  const CompatibleOptions& m_options;
  Geometry m_cell;
  KeptPolygons m_reference;
  KeptPolygons m_labeller;
  Geometry m_united_reference;
  Geometry m_united_labeller;
  geo::Box m_bounds;
  double m_out_old = 1.0;
  CompatibleScores m_scores;
};

}  // namespace

CompatibleScores score_compatible(const SiteMaps& maps, const CompatibleOptions& options) {
  if (!(options.edge_buffer_m > 0.0)) throw geo::InvalidArgument("the edge buffer must be above 0 m");
  if (!(geo::area(maps.cell) > 0.0)) throw geo::InvalidArgument("the site's cell has no area");
  return PlatformSite(maps, options).score();
}

}  // namespace furrow::labelling
