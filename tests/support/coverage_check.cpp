#include "coverage_check.h"

#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/box_index.h>
#include <furrow/geo/vector/geos.h>

namespace furrow::test {
namespace {

using geo::concat;
using Place = std::pair<std::int64_t, std::int64_t>;

std::vector<const geo::Ring*> rings_of(const geo::MultiPolygon& shape) {
  std::vector<const geo::Ring*> rings;
  for (const auto& polygon : shape) {
    rings.push_back(&polygon.shell);
    for (const auto& hole : polygon.holes) rings.push_back(&hole);
  }
  return rings;
}

bool interiors_meet(const geo::MultiPolygon& a, const geo::MultiPolygon& b) {
  const auto ga = geo::geos::to_geos(a);
  const auto gb = geo::geos::to_geos(b);
  return geo::geos::check(GEOSRelatePattern_r(geo::geos::context(), ga.get(), gb.get(), "2********"),
                          "relate");
}

/// All sides of all rings on the grid; each must be there once in each direction at most, and no vertex may
/// lie between the ends of a side.
std::string edge_problem(std::span<const geo::MultiPolygon> shapes, double steps) {
  std::set<std::pair<Place, Place>> sides;
  std::set<Place> vertices;
  for (const auto& shape : shapes) {
    for (const auto* ring : rings_of(shape)) {
      for (std::size_t i = 0; i + 1 < ring->size(); ++i) {
        const auto on_grid = [&](geo::Point p) {
          return Place(std::llround(p.x * steps), std::llround(p.y * steps));
        };
        const Place a = on_grid((*ring)[i]);
        if (!sides.emplace(a, on_grid((*ring)[i + 1])).second)
          return concat("a side is there twice at ", a.first);
        vertices.insert(a);
      }
    }
  }
  std::vector<geo::Box> boxes;
  const std::vector<Place> list(vertices.begin(), vertices.end());
  for (const Place& p : list) {
    const auto x = static_cast<double>(p.first);
    const auto y = static_cast<double>(p.second);
    boxes.push_back({x, y, x, y});
  }
  const geo::BoxIndex index(boxes);
  for (const auto& [a, b] : sides) {
    geo::Box box;
    for (const Place& p : {a, b})
      box.expand(geo::Point{static_cast<double>(p.first), static_cast<double>(p.second)});
    for (const std::size_t i : index.query(box)) {
      const Place p = list[i];
      const std::int64_t turn =
          (b.first - a.first) * (p.second - a.second) - (p.first - a.first) * (b.second - a.second);
      if (p != a && p != b && turn == 0)
        return concat("a vertex lies on a side at ", p.first, ", ", p.second);
    }
  }
  return {};
}

}  // namespace

geo::CleanedLayer clean(const geo::Layer& layer, const geo::CleanOptions& options, int threads) {
  geo::ExecOptions resources;
  resources.threads = threads;
  geo::ExecContext exec(resources);
  geo::CleanedLayer result;
  exec.execute([&] { result = geo::clean_layer(layer, options, exec); });
  return result;
}

std::vector<geo::MultiPolygon> shapes_of(const geo::Layer& layer) {
  std::vector<geo::MultiPolygon> shapes;
  for (const geo::Feature& feature : layer.features) shapes.push_back(feature.geometry);
  return shapes;
}

std::string coverage_problem(std::span<const geo::MultiPolygon> shapes, double steps) {
  std::vector<geo::Box> boxes;
  for (const auto& shape : shapes) boxes.push_back(geo::bounds(shape));
  const geo::BoxIndex index(boxes);
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    if (shapes[i].empty()) return concat("shape ", i, " is empty");
    const auto validity = geo::check_validity(shapes[i]);
    if (!validity.valid) return concat("shape ", i, ": ", validity.reason);
    for (const std::size_t k : index.query(boxes[i])) {
      if (k > i && interiors_meet(shapes[i], shapes[k])) return concat("shapes ", i, " and ", k, " overlap");
    }
  }
  return edge_problem(shapes, steps);
}

double narrow_gap_area(std::span<const geo::MultiPolygon> shapes, double width) {
  const geo::MultiPolygon all = geo::union_all(shapes);
  const geo::MultiPolygon closed = geo::buffer(geo::buffer(all, 0.5 * width), -0.5 * width);
  double area = 0.0;
  for (const auto& part : geo::difference(closed, all)) {
    const geo::MultiPolygon gap{part};
    if (geo::area(gap) < width * width) continue;
    int touched = 0;
    const geo::MultiPolygon wide = geo::buffer(gap, 0.05 * width);
    for (const auto& shape : shapes) touched += geo::intersection_area(wide, shape) > 0.0 ? 1 : 0;
    if (touched > 1) area += geo::area(gap);
  }
  return area;
}

}  // namespace furrow::test
