#include "clean_groups.h"

#include <algorithm>
#include <array>
#include <utility>

#include <furrow/geo/vector/box_index.h>

#include "union_find.h"

namespace furrow::geo::detail {
namespace {

Box grown(const Box& box, double x, double y) {
  return {box.min_x - x, box.min_y - y, box.max_x + x, box.max_y + y};
}

/// Sides of a shape that reach into a box, in metres from a place.
std::vector<std::array<Point, 2>> sides_in(const GridShape& shape, const Box& box, GridPoint place,
                                           StepLength step) {
  std::vector<std::array<Point, 2>> sides;
  const auto metres = [&](GridPoint p) {
    return Point{static_cast<double>(p.x - place.x) * step.x, static_cast<double>(p.y - place.y) * step.y};
  };
  for (const GridRing& ring : shape.rings) {
    for (std::size_t i = 0; i < ring.size(); ++i) {
      const GridPoint a = ring[i];
      const GridPoint b = ring[i + 1 == ring.size() ? 0 : i + 1];
      Box side;
      side.expand(Point{static_cast<double>(a.x), static_cast<double>(a.y)});
      side.expand(Point{static_cast<double>(b.x), static_cast<double>(b.y)});
      if (side.intersects(box)) sides.push_back({metres(a), metres(b)});
    }
  }
  return sides;
}

double squared_distance(Point p, const std::array<Point, 2>& side) {
  const double x = side[1].x - side[0].x, y = side[1].y - side[0].y;
  const double length = x * x + y * y;
  const double along = (p.x - side[0].x) * x + (p.y - side[0].y) * y;
  const double t = length > 0.0 ? std::clamp(along / length, 0.0, 1.0) : 0.0;
  const double dx = p.x - side[0].x - t * x, dy = p.y - side[0].y - t * y;
  return dx * dx + dy * dy;
}

bool cross(const std::array<Point, 2>& s, const std::array<Point, 2>& t) {
  const auto turn_of = [](Point a, Point b, Point c) {
    return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
  };
  return turn_of(s[0], s[1], t[0]) * turn_of(s[0], s[1], t[1]) < 0.0 &&
         turn_of(t[0], t[1], s[0]) * turn_of(t[0], t[1], s[1]) < 0.0;
}

bool holds(const GridShape& shape, GridPoint p) {
  bool inside = false;
  for (const GridRing& ring : shape.rings) {
    for (std::size_t i = 0; i < ring.size(); ++i) {
      GridPoint a = ring[i];
      GridPoint b = ring[i + 1 == ring.size() ? 0 : i + 1];
      if ((a.y > p.y) == (b.y > p.y)) continue;
      if (a.y > b.y) std::swap(a, b);
      if (turn(a, b, p) > 0) inside = !inside;  // left of a side that runs upwards
    }
  }
  return inside;
}

bool are_near(const GridShape& a, const GridShape& b, StepLength step, double reach_m) {
  const GridPoint place = a.rings.front().front();
  const double x = reach_m / step.x, y = reach_m / step.y;
  const auto sides = sides_in(a, grown(b.box, x, y), place, step);
  for (const auto& other : sides_in(b, grown(a.box, x, y), place, step)) {
    for (const auto& side : sides) {
      const double nearest = std::min({squared_distance(side[0], other), squared_distance(side[1], other),
                                       squared_distance(other[0], side), squared_distance(other[1], side)});
      if (nearest <= reach_m * reach_m || cross(side, other)) return true;
    }
  }
  return holds(a, b.rings.front().front()) || holds(b, a.rings.front().front());
}

UnionFind clusters_of(std::span<const GridShape> shapes, const GroundScale& scale, double reach_m) {
  std::vector<Box> boxes;
  for (const GridShape& shape : shapes) boxes.push_back(shape.box);
  const BoxIndex index(boxes);
  UnionFind clusters(shapes.size());
  for (std::uint32_t s = 0; s < shapes.size(); ++s) {
    if (shapes[s].rings.empty()) continue;
    const StepLength step = scale.at(shapes[s].rings.front().front());
    const double far_m = reach_m + 2.0 * std::max(step.x, step.y);  // rounding may move either end by a step
    for (const std::size_t i : index.query(grown(boxes[s], far_m / step.x, far_m / step.y))) {
      const auto other = static_cast<std::uint32_t>(i);
      if (other <= s || clusters.root(s) == clusters.root(other)) continue;
      if (are_near(shapes[s], shapes[other], step, far_m)) clusters.unite(s, other);
    }
  }
  return clusters;
}

std::size_t vertices_in(const GridShape& shape) {
  std::size_t count = 0;
  for (const GridRing& ring : shape.rings) count += ring.size();
  return count;
}

}  // namespace

std::vector<std::vector<std::uint32_t>> groups_apart(std::span<const GridShape> shapes,
                                                     const GroundScale& scale, double reach_m,
                                                     std::size_t least_vertices) {
  UnionFind clusters = clusters_of(shapes, scale, reach_m);
  std::vector<std::size_t> vertices(shapes.size(), 0);  // by root
  for (std::uint32_t s = 0; s < shapes.size(); ++s) vertices[clusters.root(s)] += vertices_in(shapes[s]);
  std::vector<std::size_t> list_of(shapes.size(), 0);  // by root
  std::vector<std::vector<std::uint32_t>> lists;
  std::size_t in_list = least_vertices;
  for (std::uint32_t s = 0; s < shapes.size(); ++s) {
    const std::uint32_t root = clusters.root(s);
    if (root == s) {  // roots are the lowest, so they come first
      if (in_list >= least_vertices) {
        lists.emplace_back();
        in_list = 0;
      }
      list_of[s] = lists.size() - 1;
      in_list += vertices[s];
    }
    lists[list_of[root]].push_back(s);
  }
  return lists;
}

}  // namespace furrow::geo::detail
