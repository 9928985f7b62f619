#include "landscape.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include <tbb/parallel_for.h>

#include <furrow/geo/core/random.h>
#include <furrow/geo/vector/box_index.h>
#include <furrow/geo/vector/geos.h>

#include "convex.h"
#include "noise.h"

namespace furrow::simulation::detail {
namespace {

using geo::MultiPolygon;
using geo::Point;
using geo::Polygon;
using geo::Random;
using geo::Ring;

constexpr double kBend_m = 160.0;  ///< how far the bending moves a point at most, rounded up

/// A field as planned, before water, trees and the scene's border take their share.
struct PlannedField {
  Corners corners;
  std::size_t crop = 0;
  Surface surface;
  bool round = false;  ///< a centre pivot: the circle inside
};

/// How the fields of a block look.
struct BlockStyle {
  double field_m2 = 3e4;
  bool strips = false;
  bool pivots = false;   ///< irrigated: part of it in circles
  std::size_t crop = 0;  ///< that most farmers of the block grow
};

/// Bends straight lines as real ones are bent: the same way for everything at a place.
class Bending {
 public:
  explicit Bending(std::uint64_t seed) : m_seed(seed) {}

  [[nodiscard]] Point operator()(Point p) const {
    return {p.x + 110.0 * value_noise(p, 2600.0, m_seed) + 30.0 * value_noise(p, 600.0, m_seed + 1) +
                4.0 * value_noise(p, 150.0, m_seed + 2),
            p.y + 110.0 * value_noise(p, 2600.0, m_seed + 3) + 30.0 * value_noise(p, 600.0, m_seed + 4) +
                4.0 * value_noise(p, 150.0, m_seed + 5)};
  }

  /// The bent outline. Vertices come where edges cross a fixed lattice, so two pieces bend their common edge
  /// alike.
  [[nodiscard]] Polygon apply(const Corners& corners) const {
    constexpr double kStep_m = 20.0;
    Polygon result;
    for (std::size_t i = 0; i < corners.size(); ++i) {
      const Point a = corners[i];
      const Point b = corners[(i + 1) % corners.size()];
      result.shell.push_back((*this)(a));
      const bool flat = std::abs(b.x - a.x) >= std::abs(b.y - a.y);
      const double from = (flat ? a.x : a.y) / kStep_m;
      const double to = (flat ? b.x : b.y) / kStep_m;
      const int step = to > from ? 1 : -1;
      for (double k = step > 0 ? std::floor(from) + 1.0 : std::ceil(from) - 1.0; step > 0 ? k < to : k > to;
           k += step) {
        const double t = (k - from) / (to - from);
        result.shell.push_back((*this)({a.x + t * (b.x - a.x), a.y + t * (b.y - a.y)}));
      }
    }
    for (Point& p : result.shell) p = {std::round(p.x * 100.0) / 100.0, std::round(p.y * 100.0) / 100.0};
    result.shell.push_back(result.shell.front());
    return result;
  }

 private:
  std::uint64_t m_seed;
};

Polygon blob(Point centre, double radius, std::uint64_t seed) {
  constexpr int kCorners = 20;
  Polygon result;
  for (int i = 0; i < kCorners; ++i) {
    const double angle = 2.0 * std::numbers::pi * i / kCorners;
    const Point direction{std::cos(angle), std::sin(angle)};
    const double r = radius * (1.0 + 0.3 * value_noise(direction, 0.9, seed));
    result.shell.push_back({centre.x + r * direction.x, centre.y + r * direction.y});
  }
  result.shell.push_back(result.shell.front());
  return result;
}

/// Divides the land. Everything random comes from one stream in a fixed order.
class Planner {
 public:
  explicit Planner(const LandscapeOptions& options)
      : m_options(options),
        m_random(options.seed, geo::stable_hash("landscape")),
        m_bend(geo::stable_hash("bending", options.seed)),
        m_scene{0.0, 0.0, options.width_m, options.height_m} {}

  void plan() {
    const double half = 0.75 * std::hypot(m_options.width_m, m_options.height_m) + 3.0 * kBend_m;
    const double turn = m_random.uniform(-0.6, 0.6);
    Corners land;
    for (const auto& [a, b] :
         {std::pair{-1.0, -1.0}, std::pair{1.0, -1.0}, std::pair{1.0, 1.0}, std::pair{-1.0, 1.0}}) {
      land.push_back({0.5 * m_options.width_m + half * (a * std::cos(turn) - b * std::sin(turn)),
                      0.5 * m_options.height_m + half * (a * std::sin(turn) + b * std::cos(turn))});
    }
    m_surface_of_all = grass_surface(m_random);
    divide_by_roads(land, 0);
  }

  Surface m_surface_of_all;
  std::vector<Patch> below;
  std::vector<PlannedField> fields;
  MultiPolygon ponds;

  [[nodiscard]] const Bending& bend() const { return m_bend; }

 private:
  [[nodiscard]] bool outside(const Corners& corners) const {
    geo::Box box;
    for (const Point& p : corners) box.expand(p);
    const geo::Box reach{box.min_x - kBend_m, box.min_y - kBend_m, box.max_x + kBend_m, box.max_y + kBend_m};
    return corners.empty() || !reach.intersects(m_scene);
  }

  void paint(const Corners& corners, const Surface& surface) {
    if (!outside(corners)) below.push_back({{m_bend.apply(corners)}, surface});
  }

  /// A cut across the longer side; in squarish pieces sometimes along it.
  Line cut(const Corners& corners, double low, double high, double tilt, bool always_across) {
    const Extent e = extent(corners);
    const bool across = always_across || e.length > 1.35 * e.width || m_random.chance(0.6);
    const double angle = m_random.normal(0.0, tilt);
    const Point n0 = across ? e.axis : Point{-e.axis.y, e.axis.x};
    const Point normal{n0.x * std::cos(angle) - n0.y * std::sin(angle),
                       n0.x * std::sin(angle) + n0.y * std::cos(angle)};
    const double offset = ((across ? e.length : e.width)) * (m_random.uniform(low, high) - 0.5);
    return {{e.centre.x + offset * n0.x, e.centre.y + offset * n0.y}, normal};
  }

  void divide_by_roads(const Corners& piece, int depth) {
    constexpr double kFar = 1e9;
    if (outside(piece)) return;
    const double block_m2 = std::clamp(20.0 * m_options.mean_field_ha, 12.0, 400.0) * 1e4;
    if (depth > 40 || area(piece) < block_m2 * std::exp(m_random.normal(0.0, 0.4)) * 1.5)
      return use_block(piece);
    const bool paved = area(piece) > 3.0 * block_m2;
    const Line line = cut(piece, 0.35, 0.65, 0.10, false);
    const double half_gap = paved ? 7.0 : 3.5;
    const double half_track = paved ? 3.0 : 1.8;
    paint(between(piece, line, -half_gap, half_gap), grass_surface(m_random));
    paint(between(piece, line, -half_track, half_track),
          paved ? road_surface(m_random) : track_surface(m_random));
    if (paved && m_random.chance(0.4))
      paint(between(piece, line, half_gap - 3.5, half_gap + 1.0), trees_surface(m_random));  // avenue
    divide_by_roads(between(piece, line, half_gap, kFar), depth + 1);
    divide_by_roads(between(piece, line, -kFar, -half_gap), depth + 1);
  }

  void use_block(const Corners& block) {
    const double use = m_random.uniform();
    if (use < 0.07) return plant_wood(block);
    if (use < 0.085) return build_village(block);
    paint(block, grass_surface(m_random));
    BlockStyle style;
    style.field_m2 = 1e4 * m_options.mean_field_ha * std::exp(m_random.normal(0.37, 0.45));
    style.strips = m_random.chance(0.2);
    style.pivots = m_random.chance(0.08);
    style.crop = draw_crop(m_random);
    divide_into_fields(block, style, 0);
  }

  /// Woods have frayed edges; what lies behind them is painted later and stays whole.
  void plant_wood(const Corners& piece) {
    if (outside(piece)) return;
    const std::uint64_t seed = m_random.bits();
    Polygon wood = m_bend.apply(piece);
    for (Point& p : wood.shell) {
      p = {p.x + 9.0 * value_noise(p, 45.0, seed), p.y + 9.0 * value_noise(p, 45.0, seed + 1)};
    }
    paint(piece, grass_surface(m_random));
    below.push_back({{std::move(wood)}, trees_surface(m_random)});
  }

  void build_village(const Corners& piece) {
    paint(piece, garden_surface(m_random));
    build(piece, 0);
  }

  void build(const Corners& piece, int depth) {
    constexpr double kFar = 1e9;
    if (outside(piece)) return;
    if (depth > 30 || area(piece) < 900.0 * std::exp(m_random.normal(0.0, 0.5))) return build_house(piece);
    const Line line = cut(piece, 0.4, 0.6, 0.03, false);
    const double half_gap = area(piece) > 8000.0 ? 4.0 : 0.0;
    if (half_gap > 0.0) paint(between(piece, line, -half_gap, half_gap), road_surface(m_random));
    build(between(piece, line, half_gap, kFar), depth + 1);
    build(between(piece, line, -kFar, -half_gap), depth + 1);
  }

  void build_house(const Corners& plot) {
    paint(plot, m_random.chance(0.12) ? trees_surface(m_random) : garden_surface(m_random));
    const Extent e = extent(plot);
    const double half_length = std::min(m_random.uniform(5.0, 9.0), 0.4 * e.length);
    const double half_width = std::min(m_random.uniform(4.0, 6.0), 0.4 * e.width);
    const Point u = e.axis;
    Corners house;
    for (const auto& [a, b] :
         {std::pair{-1.0, -1.0}, std::pair{1.0, -1.0}, std::pair{1.0, 1.0}, std::pair{-1.0, 1.0}}) {
      house.push_back({e.centre.x + a * half_length * u.x - b * half_width * u.y,
                       e.centre.y + a * half_length * u.y + b * half_width * u.x});
    }
    paint(house, roof_surface(m_random));
  }

  void divide_into_fields(const Corners& piece, const BlockStyle& style, int depth) {
    constexpr double kFar = 1e9;
    if (outside(piece)) return;
    const double size = area(piece);
    const Extent e = extent(piece);
    if (style.pivots && size > 6e4 && size < 7e5 && e.length < 1.35 * e.width && m_random.chance(0.5)) {
      return plant(piece, style, true);
    }
    if (size > 3e4 && size < 1.5e5 && m_random.chance(0.012)) return build_village(piece);
    const bool slender = e.length > (style.strips ? 9.0 : 4.5) * e.width;
    const double wanted = style.field_m2 * std::exp(m_random.normal(0.0, 0.35));
    if (depth > 40 || size < (slender ? 0.7 : 1.35) * wanted) return plant(piece, style, false);
    const Line line = cut(piece, 0.30, 0.70, 0.035, style.strips);
    const double half_gap = draw_margin(piece, line, size > 4.0 * style.field_m2);
    const Corners right = between(piece, line, half_gap, kFar);
    const Corners left = between(piece, line, -kFar, -half_gap);
    divide_into_fields(right, style, depth + 1);
    divide_into_fields(left, style, depth + 1);
  }

  /// Paints what divides two pieces; returns half its width.
  double draw_margin(const Corners& piece, const Line& line, bool old_border) {
    const double kind = m_random.uniform();
    if (kind < (old_border ? 0.05 : 0.22)) return 0.0;
    if (kind < 0.62) return 0.5 * m_random.uniform(1.0, 4.0);  // the grass below shows
    if (kind < 0.84) {
      const double half = 0.5 * m_random.uniform(4.0, 9.0);
      paint(between(piece, line, -half, half), trees_surface(m_random));
      return half + 0.5;
    }
    const double half = 0.5 * m_random.uniform(3.0, 4.5);
    paint(between(piece, line, -half, half), track_surface(m_random));
    return half + 0.8;
  }

  void plant(const Corners& piece, const BlockStyle& style, bool round) {
    const double use = m_random.uniform();
    if (!round && use < 0.025) return plant_wood(piece);
    if (!round && use < 0.035 && area(piece) < 2e4) return build_village(piece);  // a farm
    if (!round && use < 0.039) {
      const Extent e = extent(piece);
      ponds.push_back(blob(m_bend(e.centre), 0.35 * e.width, m_random.bits()));
      return paint(piece, grass_surface(m_random));
    }
    PlannedField field{piece, m_random.chance(0.25) ? style.crop : draw_crop(m_random), {}, round};
    field.surface = field_surface(field.crop, m_options.day_of_year, m_random);
    const bool like_the_last = !fields.empty() && m_random.chance(0.10);
    if (like_the_last) {  // the same farmer sowed both on one day
      field.crop = fields.back().crop;
      field.surface.green = fields.back().surface.green;
      field.surface.dry = fields.back().surface.dry;
      field.surface.flowers = fields.back().surface.flowers;
      field.surface.brightness = fields.back().surface.brightness;
    }
    const Extent e = extent(piece);
    field.surface.row_direction = std::atan2(e.axis.y, e.axis.x);
    field.surface.anchor = e.centre;
    if (!outside(piece)) fields.push_back(std::move(field));
  }

  LandscapeOptions m_options;
  Random m_random;
  Bending m_bend;
  geo::Box m_scene;
};

/// A band along a winding line across the scene.
Polygon river(const LandscapeOptions& options, double half_width, std::uint64_t seed) {
  const double turn = 2.0 * std::numbers::pi * unit(mix(1, 0, seed));
  const double reach = 0.75 * std::hypot(options.width_m, options.height_m);
  const Point along{std::cos(turn), std::sin(turn)};
  const Point middle{options.width_m * (0.25 + 0.5 * unit(mix(2, 0, seed))),
                     options.height_m * (0.25 + 0.5 * unit(mix(3, 0, seed)))};
  Ring left;
  Ring right;
  for (double s = -reach; s <= reach; s += 15.0) {
    const double bend = 220.0 * value_noise(s, 1500.0, seed) + 50.0 * value_noise(s, 320.0, seed + 1);
    const double half = half_width * (1.0 + 0.25 * value_noise(s, 90.0, seed + 2));
    const auto at = [&](double across) {
      return Point{middle.x + s * along.x - across * along.y, middle.y + s * along.y + across * along.x};
    };
    left.push_back(at(bend + half));
    right.push_back(at(bend - half));
  }
  Polygon result;
  result.shell = right;
  result.shell.insert(result.shell.end(), left.rbegin(), left.rend());
  result.shell.push_back(result.shell.front());
  return result;
}

struct Scatter {
  MultiPolygon groves;  ///< too large to farm over
  MultiPolygon single_trees;
};

Scatter scatter_trees(const LandscapeOptions& options) {
  constexpr double kCell_m = 220.0;
  Scatter result;
  const std::uint64_t seed = geo::stable_hash("trees", options.seed);
  const auto cols = static_cast<std::int64_t>(std::ceil(options.width_m / kCell_m));
  const auto rows = static_cast<std::int64_t>(std::ceil(options.height_m / kCell_m));
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t col = 0; col < cols; ++col) {
      Random random(seed, mix(col, row, 0));
      const auto place = [&] {
        const double x = random.uniform();
        return Point{kCell_m * (static_cast<double>(col) + x),
                     kCell_m * (static_cast<double>(row) + random.uniform())};
      };
      if (random.chance(0.07))
        result.groves.push_back(blob(place(), random.uniform(10.0, 32.0), random.bits()));
      if (random.chance(0.5))
        result.single_trees.push_back(blob(place(), random.uniform(2.5, 6.0), random.bits()));
    }
  }
  return result;
}

/// What fields have to leave free: water with its banks, and groves.
struct Obstacles {
  std::vector<MultiPolygon> shapes;
  std::vector<Patch> patches;
};

/// Water and groves; none where fields are given. Single trees stand anywhere.
Obstacles place_obstacles(const LandscapeOptions& options, const MultiPolygon& ponds) {
  const bool invented = options.given_fields.empty();
  Obstacles result;
  Random random(options.seed, geo::stable_hash("obstacles"));
  const auto add = [&](Polygon shape, const Surface& surface, bool keeps_fields_off) {
    const MultiPolygon valid =
        geo::check_validity({shape}).valid ? MultiPolygon{std::move(shape)} : geo::make_valid({shape});
    if (keeps_fields_off) result.shapes.push_back(valid);
    result.patches.push_back({valid, surface});
  };
  const std::uint64_t river_seed = geo::stable_hash("river", options.seed);
  if (random.chance(0.6) && invented) {
    const double half_width = random.uniform(5.0, 14.0);
    add(river(options, half_width + 9.0, river_seed), grass_surface(random), true);
    add(river(options, half_width + 4.0, river_seed), trees_surface(random), false);
    add(river(options, half_width, river_seed), water_surface(random), false);
  }
  const Scatter scatter = scatter_trees(options);
  if (invented) {
    for (const auto& pond : ponds) add(pond, water_surface(random), true);
    for (const auto& grove : scatter.groves) add(grove, trees_surface(random), true);
  }
  for (const auto& tree : scatter.single_trees) add(tree, trees_surface(random), false);
  return result;
}

Polygon circle_inside(const PlannedField& field) {
  const Extent e = extent(field.corners);
  Polygon result;
  constexpr int kCorners = 48;
  for (int i = 0; i < kCorners; ++i) {
    const double angle = 2.0 * std::numbers::pi * i / kCorners;
    result.shell.push_back(
        {e.centre.x + 0.46 * e.width * std::cos(angle), e.centre.y + 0.46 * e.width * std::sin(angle)});
  }
  result.shell.push_back(result.shell.front());
  return result;
}

MultiPolygon round_to_centimetres(MultiPolygon shape) {
  for (auto& polygon : shape) {
    const auto each = [](Ring& ring) {
      for (Point& p : ring) p = {std::round(p.x * 100.0) / 100.0, std::round(p.y * 100.0) / 100.0};
    };
    each(polygon.shell);
    for (auto& hole : polygon.holes) each(hole);
  }
  return geo::check_validity(shape).valid ? shape : geo::make_valid(shape);
}

geo::MultiPolygon inside(MultiPolygon shape, const LandscapeOptions& options) {
  const geo::Box scene{0.0, 0.0, options.width_m, options.height_m};
  const geo::Box box = geo::bounds(shape);
  if (!box.intersects(scene)) return {};
  if (box.min_x < 0.0 || box.min_y < 0.0 || box.max_x > scene.max_x || box.max_y > scene.max_y)
    return geo::intersection(shape, {geo::to_polygon(scene)});
  return shape;
}

std::vector<geo::Box> boxes_of(const std::vector<MultiPolygon>& shapes) {
  std::vector<geo::Box> boxes;
  for (const auto& shape : shapes) boxes.push_back(geo::bounds(shape));
  return boxes;
}

/// What earlier shapes leave of shape `i`: bent edges of touching fields differ by centimetres where one has
/// a vertex and the other has none.
MultiPolygon away_from_earlier(const std::vector<MultiPolygon>& shapes, const geo::BoxIndex& index,
                               std::size_t i) {
  MultiPolygon shape = shapes[i];
  if (shape.empty()) return shape;
  for (const std::size_t k : index.query(geo::bounds(shape))) {
    if (k >= i || shapes[k].empty() || shape.empty()) continue;
    if (geo::intersection_area(shape, shapes[k]) > 0.0) shape = geo::difference(shape, shapes[k]);
  }
  return shape;
}

/// Given fields with crops: a tenth of them like the field before.
std::vector<TrueField> sow_given_fields(const LandscapeOptions& options) {
  std::vector<MultiPolygon> shapes;
  for (const MultiPolygon& field : options.given_fields) shapes.push_back(inside(field, options));
  const geo::BoxIndex index(boxes_of(shapes));
  Random random(options.seed, geo::stable_hash("given fields"));
  std::vector<TrueField> result;
  std::size_t crop = 0;
  Surface surface;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const bool like_the_last = random.chance(0.10) && i > 0;
    const std::size_t drawn = draw_crop(random);
    const Surface own = field_surface(drawn, options.day_of_year, random);
    if (!like_the_last) {
      crop = drawn;
      surface = own;
    }
    for (Polygon& part : away_from_earlier(shapes, index, i)) {
      if (geo::area(part) >= options.smallest_field_m2) result.push_back({std::move(part), crop, surface});
    }
  }
  return result;
}

/// Cuts planned fields to the scene, away from obstacles and from each other.
class FieldCutter {
 public:
  FieldCutter(const Planner& plan, const Obstacles& obstacles, const LandscapeOptions& options)
      : m_plan(plan),
        m_obstacles(obstacles),
        m_options(options),
        m_obstacle_index(boxes_of(obstacles.shapes)) {}

  std::vector<TrueField> cut() {
    const auto& fields = m_plan.fields;
    std::vector<MultiPolygon> shapes(fields.size());
    tbb::parallel_for(std::size_t{0}, fields.size(),
                      [&](std::size_t i) { shapes[i] = away_from_obstacles(fields[i]); });
    const geo::BoxIndex index(boxes_of(shapes));
    std::vector<MultiPolygon> disjoint(fields.size());
    tbb::parallel_for(std::size_t{0}, fields.size(),
                      [&](std::size_t i) { disjoint[i] = away_from_earlier(shapes, index, i); });
    std::vector<TrueField> result;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      for (auto& part : disjoint[i]) {
        if (geo::area(part) < m_options.smallest_field_m2) continue;
        result.push_back({std::move(part), fields[i].crop, fields[i].surface});
      }
    }
    return result;
  }

 private:
  [[nodiscard]] MultiPolygon away_from_obstacles(const PlannedField& field) const {
    MultiPolygon shape{field.round ? circle_inside(field) : m_plan.bend().apply(field.corners)};
    if (field.round) {
      for (Point& p : shape.front().shell) p = m_plan.bend()(p);
    }
    if (!geo::check_validity(shape).valid) shape = geo::make_valid(shape);
    shape = inside(std::move(shape), m_options);
    if (shape.empty()) return {};
    for (const std::size_t k : m_obstacle_index.query(geo::bounds(shape)))
      shape = geo::difference(shape, m_obstacles.shapes[k]);
    return round_to_centimetres(std::move(shape));
  }

  const Planner& m_plan;
  const Obstacles& m_obstacles;
  const LandscapeOptions& m_options;
  geo::BoxIndex m_obstacle_index;
};

}  // namespace

Landscape make_landscape(const LandscapeOptions& options) {
  Planner plan(options);
  plan.plan();
  Obstacles obstacles = place_obstacles(options, plan.ponds);
  Landscape land;
  const double far = 2.0 * std::hypot(options.width_m, options.height_m) + 1000.0;
  land.below.push_back({{geo::to_polygon(geo::Box{-far, -far, far, far})}, plan.m_surface_of_all});
  for (auto& patch : plan.below) land.below.push_back(std::move(patch));
  land.fields =
      options.given_fields.empty() ? FieldCutter(plan, obstacles, options).cut() : sow_given_fields(options);
  land.above = std::move(obstacles.patches);
  return land;
}

}  // namespace furrow::simulation::detail
