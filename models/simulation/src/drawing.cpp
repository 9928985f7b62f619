#include "drawing.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <optional>

#include <furrow/geo/core/error.h>
#include <furrow/geo/crs/crs.h>
#include <furrow/geo/vector/geos.h>

#include "convex.h"

namespace furrow::simulation::detail {
namespace {

using geo::MultiPolygon;
using geo::Point;
using geo::Polygon;
using geo::Random;
using geo::Ring;

constexpr const char* kCategory = "annualcropland";
constexpr const char* kUnsure = "unsure";
/// Fields are neighbours when they face each other across at most this gap ...
constexpr double kNeighbourGap_m = 10.0;
/// ... along at least this length: corners that meet face each other along two gaps only.
constexpr double kFacing_m = 30.0;
/// How far beyond the cell fields are drawn before they are cut.
constexpr double kReach_m = 100.0;

template <class F>
Polygon map_points(Polygon polygon, F f) {
  for (auto& p : polygon.shell) p = f(p);
  for (auto& hole : polygon.holes) {
    for (auto& p : hole) p = f(p);
  }
  return polygon;
}

/// A field on its way onto the map; `exact` points to the clipped reference while nothing has changed it.
struct Stroke {
  Polygon local;
  const MultiPolygon* exact = nullptr;
};

bool is_rectangle(const MultiPolygon& cell) {
  if (cell.size() != 1 || !cell.front().holes.empty()) return false;
  const geo::Box box = geo::bounds(cell);
  return cell.front().shell.size() == 5 &&
         std::ranges::all_of(cell.front().shell,
                             [&](Point p) {
                               return (p.x == box.min_x || p.x == box.max_x) &&
                                      (p.y == box.min_y || p.y == box.max_y);
                             }) &&
         geo::area(cell) > 0.0;
}

geo::Box grown(const geo::Box& box, double x, double y) {
  return {box.min_x - x, box.min_y - y, box.max_x + x, box.max_y + y};
}

bool inside_box(const geo::Box& inner, const geo::Box& outer) {
  return inner.min_x >= outer.min_x && inner.max_x <= outer.max_x && inner.min_y >= outer.min_y &&
         inner.max_y <= outer.max_y;
}

/// The polygon cut to the cell. Rectangular cells bound every coordinate of the result, without rounding
/// errors.
MultiPolygon clip(const Polygon& polygon, const MultiPolygon& cell, bool is_box) {
  const geo::Box box = geo::bounds(cell);
  const geo::Box own = geo::bounds(polygon);
  if (!own.intersects(box)) return {};
  if (is_box && inside_box(own, box)) return {polygon};
  MultiPolygon parts = geo::intersection({polygon}, cell);
  if (is_box) {
    for (auto& part : parts) {
      part = map_points(std::move(part), [&](Point p) {
        return Point{std::clamp(p.x, box.min_x, box.max_x), std::clamp(p.y, box.min_y, box.max_y)};
      });
    }
  }
  return parts;
}

double outline_length(const MultiPolygon& shape) {
  double total = 0.0;
  for (const auto& polygon : shape) total += geo::length(polygon.shell);
  return total;
}

bool face_each_other(const MultiPolygon& a, const MultiPolygon& b) {
  if (!grown(geo::bounds(a), kNeighbourGap_m, kNeighbourGap_m).intersects(geo::bounds(b))) return false;
  const auto around = geo::geos::to_geos(geo::buffer(a, kNeighbourGap_m));
  const auto outline = geo::geos::outlines(b);
  const auto facing =
      geo::geos::check(GEOSIntersection_r(geo::geos::context(), outline.get(), around.get()), "intersection");
  const double shorter = std::min(outline_length(a), outline_length(b));
  return geo::geos::length(facing.get()) >= std::max(kFacing_m, 0.1 * shorter);
}

/// Two neighbours with the gap between them closed; nothing when that does not make one piece.
std::optional<Polygon> drawn_as_one(const Polygon& a, const Polygon& b) {
  constexpr double kReach = 0.5 * kNeighbourGap_m + 0.5;
  const std::array<MultiPolygon, 2> both{MultiPolygon{a}, MultiPolygon{b}};
  MultiPolygon closed = geo::buffer(geo::buffer(geo::union_all(both), kReach), -kReach);
  if (closed.size() != 1) return std::nullopt;
  return std::move(closed.front());
}

/// The least rectangle round the largest part of a shape.
Extent visible_extent(const MultiPolygon& shape) {
  const auto largest =
      std::ranges::max_element(shape, {}, [](const Polygon& part) { return geo::area(part); });
  const auto whole = geo::geos::to_geos(*largest);
  const auto hull = geo::geos::from_geos(
      geo::geos::check(GEOSConvexHull_r(geo::geos::context(), whole.get()), "convex hull").get());
  return extent({hull.front().shell.begin(), hull.front().shell.end() - 1});
}

/// A field cut in two by a chord across the long side of what is visible of it.
std::vector<Polygon> drawn_as_two(const FieldPart& field, Random& random) {
  const Extent e = visible_extent(field.visible);
  const double cut = e.length * random.uniform(-0.15, 0.15);
  const double tilt = random.uniform(-0.15, 0.15);
  const Point along{e.axis.x * std::cos(tilt) - e.axis.y * std::sin(tilt),
                    e.axis.x * std::sin(tilt) + e.axis.y * std::cos(tilt)};
  const Point middle{e.centre.x + cut * e.axis.x, e.centre.y + cut * e.axis.y};
  const double far = 2.0 * (geo::length(field.local.shell) + e.length);
  std::vector<Polygon> pieces;
  for (const double side : {-1.0, 1.0}) {
    const auto corner = [&](double a, double c) {
      return Point{middle.x + a * along.x - c * along.y, middle.y + a * along.y + c * along.x};
    };
    const Polygon half{{corner(0.0, -far), corner(side * far, -far), corner(side * far, far),
                        corner(0.0, far), corner(0.0, -far)},
                       {}};
    for (auto& piece : geo::intersection({field.local}, {half})) pieces.push_back(std::move(piece));
  }
  return pieces;
}

/// Vertices at most `step` apart.
Ring densified(const Ring& ring, double step) {
  Ring result;
  for (std::size_t i = 1; i < ring.size(); ++i) {
    const Point a = ring[i - 1];
    const Point b = ring[i];
    const auto pieces =
        static_cast<int>(std::clamp(std::ceil(std::hypot(b.x - a.x, b.y - a.y) / step), 1.0, 1000.0));
    for (int k = 0; k < pieces; ++k) {
      const double t = static_cast<double>(k) / pieces;
      result.push_back({a.x + t * (b.x - a.x), a.y + t * (b.y - a.y)});
    }
  }
  result.push_back(result.front());
  return result;
}

/// Periodic Gaussian noise along a ring: squared-exponential covariance of the given length, variance 1.
class RingNoise {
 public:
  RingNoise(double perimeter, double correlation_length, Random& random)
      : m_base(2.0 * std::numbers::pi / perimeter) {
    constexpr double kNegligible = 3.5;  // exp(-3.5^2 / 2) = 0.002 of the strongest wave
    const double waves = std::min(kNegligible / (m_base * correlation_length), 200.0);
    double variance = 0.0;
    for (int k = 0; k <= static_cast<int>(waves); ++k) {
      const double frequency = m_base * k * correlation_length;
      const double power = (k == 0 ? 1.0 : 2.0) * std::exp(-0.5 * frequency * frequency);
      variance += power;
      m_cos.push_back(std::sqrt(power) * random.normal());
      m_sin.push_back(k == 0 ? 0.0 : std::sqrt(power) * random.normal());
    }
    for (auto* terms : {&m_cos, &m_sin}) {
      for (double& term : *terms) term /= std::sqrt(variance);
    }
  }
  [[nodiscard]] double at(double s) const {
    double sum = 0.0;
    for (std::size_t k = 0; k < m_cos.size(); ++k) {
      const double angle = m_base * static_cast<double>(k) * s;
      sum += m_cos[k] * std::cos(angle) + m_sin[k] * std::sin(angle);
    }
    return sum;
  }

 private:
  double m_base;
  std::vector<double> m_cos;
  std::vector<double> m_sin;
};

Ring jittered(const Ring& ring, const LabellerSkill& skill, Random& random) {
  const double perimeter = geo::length(ring);
  if (perimeter <= 0.0) return ring;
  Ring result = densified(ring, 0.5 * skill.jitter_length_m);
  const RingNoise noise_x(perimeter, skill.jitter_length_m, random);
  const RingNoise noise_y(perimeter, skill.jitter_length_m, random);
  double s = 0.0;
  Point before = result.front();
  for (std::size_t i = 0; i + 1 < result.size(); ++i) {
    const Point here = result[i];
    s += std::hypot(here.x - before.x, here.y - before.y);
    before = here;
    result[i] = {here.x + skill.jitter_m * noise_x.at(s), here.y + skill.jitter_m * noise_y.at(s)};
  }
  result.back() = result.front();
  return result;
}

Polygon jittered(Polygon polygon, const LabellerSkill& skill, Random& random) {
  polygon.shell = jittered(polygon.shell, skill, random);
  for (auto& hole : polygon.holes) hole = jittered(hole, skill, random);
  return polygon;
}

std::vector<Stroke> seen_fields(const SiteView& view, const LabellerSkill& skill, Random random,
                                std::vector<bool>& seen) {
  std::vector<Stroke> strokes;
  for (const auto& field : view.fields) {
    seen.push_back(!random.chance(skill.omission(field.area_m2 / 1e4)));
    strokes.push_back({field.local, &field.shapes});
  }
  return strokes;
}

/// Pairs neighbours at random and joins each pair with the labeller's rate: the first takes both, the second
/// goes.
void merge_neighbours(const SiteView& view, const LabellerSkill& skill, Random random,
                      std::vector<Stroke>& strokes, std::vector<bool>& seen, std::vector<bool>& merged) {
  auto pairs = view.neighbours;
  random.shuffle(pairs);
  std::vector<bool> paired(strokes.size(), false);
  for (const auto& [a, b] : pairs) {
    const bool joined = random.chance(skill.merge_rate);
    if (!seen[a] || !seen[b] || paired[a] || paired[b]) continue;
    paired[a] = paired[b] = true;
    if (!joined) continue;
    auto one = drawn_as_one(strokes[a].local, strokes[b].local);
    if (!one) continue;
    strokes[a] = {std::move(*one), nullptr};
    merged[a] = true;
    seen[b] = false;
  }
}

std::vector<Stroke> split_fields(const SiteView& view, const LabellerSkill& skill, Random random,
                                 std::vector<Stroke> strokes, const std::vector<bool>& seen,
                                 const std::vector<bool>& merged) {
  std::vector<Stroke> result;
  for (std::size_t i = 0; i < strokes.size(); ++i) {
    const bool cut = random.chance(skill.split_rate);
    Random cutting(random.bits());  // a field's cut never changes what is drawn for the next
    if (!seen[i]) continue;
    if (cut && !merged[i]) {
      for (auto& piece : drawn_as_two(view.fields[i], cutting)) result.push_back({std::move(piece), nullptr});
    } else {
      result.push_back(std::move(strokes[i]));
    }
  }
  return result;
}

/// Bias, jitter and shift; nothing is touched when the labeller has none of them.
std::vector<Stroke> misplaced(const LabellerSkill& skill, Random random, std::vector<Stroke> strokes) {
  std::vector<Stroke> result;
  const bool moves = skill.shift_x_m != 0.0 || skill.shift_y_m != 0.0;
  for (auto& stroke : strokes) {
    const std::uint64_t own_seed = random.bits();
    MultiPolygon shapes{stroke.local};
    const MultiPolygon* exact = stroke.exact;
    if (skill.bias_m != 0.0) {
      shapes = geo::buffer(shapes, skill.bias_m);
      exact = nullptr;
    }
    Random own(own_seed);
    for (auto& shape : shapes) {
      if (skill.jitter_m > 0.0) shape = jittered(std::move(shape), skill, own);
      if (moves) {
        shape = map_points(std::move(shape), [&](Point p) {
          return Point{p.x + skill.shift_x_m, p.y + skill.shift_y_m};
        });
      }
      result.push_back({std::move(shape), skill.jitter_m > 0.0 || moves ? nullptr : exact});
    }
  }
  return result;
}

int poisson(double mean, Random& random) {
  // Halving keeps exp(-mean) away from zero: the sum of two Poisson numbers is one.
  if (mean > 500.0) return poisson(0.5 * mean, random) + poisson(0.5 * mean, random);
  const double limit = std::exp(-mean);
  int count = 0;
  for (double product = random.uniform(); product > limit; product *= random.uniform()) ++count;
  return count;
}

/// A four-sided patch with uneven corners.
Polygon patch(Point centre, double area_m2, Random& random) {
  const double aspect = random.uniform(1.0, 2.5);
  const double half_long = 0.5 * std::sqrt(area_m2 * aspect);
  const double half_short = half_long / aspect;
  const double angle = random.uniform(0.0, std::numbers::pi);
  Polygon result;
  for (const auto& [a, b] :
       {std::pair{-1.0, -1.0}, std::pair{1.0, -1.0}, std::pair{1.0, 1.0}, std::pair{-1.0, 1.0}}) {
    const double u = a * half_long * random.uniform(0.8, 1.2);
    const double v = b * half_short * random.uniform(0.8, 1.2);
    result.shell.push_back({centre.x + u * std::cos(angle) - v * std::sin(angle),
                            centre.y + u * std::sin(angle) + v * std::cos(angle)});
  }
  result.shell.push_back(result.shell.front());
  return result;
}

double reference_overlap(const SiteView& view, const Polygon& polygon) {
  const geo::Box box = geo::bounds(polygon);
  double overlap = 0.0;
  for (const auto& field : view.fields) {
    if (geo::bounds(field.local).intersects(box)) overlap += geo::intersection_area({field.local}, {polygon});
  }
  return overlap;
}

/// Fields where there are none. A place is looked for at most kTries times; a site full of fields gets fewer.
std::vector<Stroke> false_fields(const SiteView& view, const LabellerSkill& skill, Random random) {
  constexpr int kTries = 40;
  constexpr double kSigma = 0.5;
  std::vector<Stroke> result;
  const geo::Box box = geo::bounds(view.local_cell);
  const int count = poisson(skill.false_fields_per_km2 * geo::area(view.local_cell) / 1e6, random);
  for (int i = 0; i < count; ++i) {
    const double area_m2 = 1e4 * skill.false_field_ha * std::exp(kSigma * random.normal());
    for (int attempt = 0; attempt < kTries; ++attempt) {
      const Point centre{random.uniform(box.min_x, box.max_x), random.uniform(box.min_y, box.max_y)};
      Polygon candidate = patch(centre, area_m2, random);
      if (!geo::contains(view.local_cell, centre) || reference_overlap(view, candidate) > 0.05 * area_m2)
        continue;
      result.push_back({std::move(candidate), nullptr});
      break;
    }
  }
  return result;
}

Polygon rounded(Polygon polygon, double steps_per_unit) {
  return map_points(std::move(polygon), [&](Point p) {
    return Point{std::round(p.x * steps_per_unit) / steps_per_unit,
                 std::round(p.y * steps_per_unit) / steps_per_unit};
  });
}

/// The cell and what lies around it: outlines waver there too before the cell's border cuts them.
MultiPolygon drawing_reach(const SiteView& view) {
  if (!view.is_box) {
    MultiPolygon result;
    for (const auto& part : geo::buffer(view.local_cell, kReach_m)) result.push_back(view.frame.to_crs(part));
    return result;
  }
  const geo::Box box = geo::bounds(view.cell);
  return {
      geo::to_polygon(grown(box, kReach_m / view.frame.metres_per_x, kReach_m / view.frame.metres_per_y))};
}

void add_field(SiteView& view, const Polygon& piece) {
  FieldPart field;
  for (auto& part : clip(piece, view.cell, view.is_box)) {
    Polygon local = view.frame.to_local(part);
    if (geo::area(local) < view.min_part_m2) continue;
    field.area_m2 += geo::area(local);
    field.visible.push_back(std::move(local));
    field.shapes.push_back(std::move(part));
  }
  if (field.shapes.empty()) return;
  field.local = view.frame.to_local(piece);
  view.fields.push_back(std::move(field));
}

/// A stroke as valid polygons inside the cell, without pieces that nobody would draw.
MultiPolygon finished(const SiteView& view, const Stroke& stroke) {
  if (stroke.exact != nullptr) return *stroke.exact;
  MultiPolygon result;
  MultiPolygon shape{rounded(view.frame.to_crs(stroke.local), view.frame.steps_per_unit)};
  if (!geo::check_validity(shape).valid) shape = geo::make_valid(shape);
  for (const auto& part : shape) {
    for (auto& piece : clip(part, view.cell, view.is_box)) {
      if (geo::area(view.frame.to_local(piece)) >= view.min_part_m2 && geo::check_validity({piece}).valid) {
        result.push_back(std::move(piece));
      }
    }
  }
  return result;
}

}  // namespace

LocalFrame LocalFrame::around(Point centre, const geo::Crs& crs) {
  if (crs.empty()) throw geo::CrsError("the reference has no CRS; metres cannot be measured in it");
  if (crs.is_projected()) return {centre, crs.metres_per_unit(), crs.metres_per_unit(), 100.0};
  const geo::GeodesicMeasure measure(crs);
  constexpr double kHalf = 0.001;
  const double x =
      measure.distance_m({centre.x - kHalf, centre.y}, {centre.x + kHalf, centre.y}) / (2.0 * kHalf);
  const double y =
      measure.distance_m({centre.x, centre.y - kHalf}, {centre.x, centre.y + kHalf}) / (2.0 * kHalf);
  return {centre, x, y, 1e7};
}

Polygon LocalFrame::to_local(Polygon polygon) const {
  return map_points(std::move(polygon), [&](Point p) {
    return Point{(p.x - origin.x) * metres_per_x, (p.y - origin.y) * metres_per_y};
  });
}

Polygon LocalFrame::to_crs(Polygon polygon) const {
  return map_points(std::move(polygon), [&](Point p) {
    return Point{origin.x + p.x / metres_per_x, origin.y + p.y / metres_per_y};
  });
}

SiteView view_site(const labelling::Site& site, const std::vector<const MultiPolygon*>& shapes,
                   const geo::Crs& crs, double min_part_m2) {
  SiteView view;
  view.frame = LocalFrame::around(geo::bounds(site.cell).centre(), crs);
  view.cell = site.cell;
  for (const auto& part : site.cell) view.local_cell.push_back(view.frame.to_local(part));
  view.is_box = is_rectangle(site.cell);
  view.min_part_m2 = min_part_m2;
  const MultiPolygon reach = drawing_reach(view);
  for (const auto* shape : shapes) {
    for (const auto& polygon : *shape) {
      for (const auto& piece : clip(polygon, reach, view.is_box)) add_field(view, piece);
    }
  }
  for (std::size_t a = 0; a < view.fields.size(); ++a) {
    for (std::size_t b = a + 1; b < view.fields.size(); ++b) {
      if (face_each_other(view.fields[a].visible, view.fields[b].visible)) view.neighbours.emplace_back(a, b);
    }
  }
  return view;
}

Random error_stream(std::uint64_t seed, const std::string& site, const std::string& labeller,
                    const std::string& kind) {
  return Random(seed, geo::stable_hash(site + '\n' + labeller + '\n' + kind));
}

std::vector<labelling::LabelledPolygon> draw_site(const SiteView& view, const std::string& site,
                                                  const LabellerSkill& skill, std::uint64_t seed) {
  if (skill.spam) return {};
  const auto stream = [&](const char* kind) { return error_stream(seed, site, skill.labeller, kind); };
  std::vector<bool> seen;
  std::vector<Stroke> strokes = seen_fields(view, skill, stream("omission"), seen);
  std::vector<bool> merged(strokes.size(), false);
  merge_neighbours(view, skill, stream("merge"), strokes, seen, merged);
  strokes = split_fields(view, skill, stream("split"), std::move(strokes), seen, merged);
  strokes = misplaced(skill, stream("outline"), std::move(strokes));
  for (auto& stroke : false_fields(view, skill, stream("false"))) strokes.push_back(std::move(stroke));
  Random doubt = stream("unsure");
  std::vector<labelling::LabelledPolygon> polygons;
  for (const auto& stroke : strokes) {
    for (auto& piece : finished(view, stroke)) {
      const bool unsure = doubt.chance(skill.unsure_rate);
      polygons.push_back({{std::move(piece)}, unsure ? kUnsure : kCategory, unsure});
    }
  }
  return polygons;
}

std::vector<labelling::LabelledPolygon> expert_map(const SiteView& view) {
  std::vector<labelling::LabelledPolygon> polygons;
  for (const auto& field : view.fields) {
    for (const auto& shape : field.shapes) polygons.push_back({{shape}, kCategory, false});
  }
  return polygons;
}

}  // namespace furrow::simulation::detail
