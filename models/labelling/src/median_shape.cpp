#include <algorithm>
#include <cmath>

#include <furrow/geo/core/error.h>
#include <furrow/geo/vector/geos.h>
#include <furrow/labelling/field_partition.h>

#include "faces.h"
#include "overlay.h"

namespace furrow::labelling {
namespace {

using overlay::Geometry;

bool is_same(const geo::MultiPolygon& a, const geo::MultiPolygon& b) {
  return std::ranges::equal(a, b, [](const geo::Polygon& p, const geo::Polygon& q) {
    return p.shell == q.shell && p.holes == q.holes;
  });
}

}  // namespace

geo::MultiPolygon median_shape(std::span<const geo::MultiPolygon> shapes, std::span<const double> weights,
                               std::size_t typical) {
  if (shapes.empty() || weights.size() != shapes.size() || typical >= shapes.size())
    throw geo::InvalidArgument("a median shape needs shapes with one weight each");
  const auto equals_first = [&](const geo::MultiPolygon& s) { return is_same(s, shapes.front()); };
  if (std::ranges::all_of(shapes, equals_first)) return shapes.front();
  std::vector<geo::Box> boxes;
  double half = 0.0;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    boxes.push_back(geo::bounds(shapes[i]));
    half += 0.5 * weights[i];
  }
  const double rounding = 1e-9 * half;
  const auto is_inside = [&](geo::Point p) {
    const auto covers = [&](std::size_t i) { return boxes[i].contains(p) && geo::contains(shapes[i], p); };
    double sum = 0.0;
    for (std::size_t i = 0; i < shapes.size(); ++i) sum += covers(i) ? weights[i] : 0.0;
    return std::abs(sum - half) <= rounding ? covers(typical) : sum > half;
  };
  std::vector<Geometry> kept;
  for (auto& face : faces_of(shapes)) {
    if (is_inside(point_in(face))) kept.push_back(std::move(face));
  }
  return geo::geos::from_geos(overlay::unite(std::move(kept)).get());
}

}  // namespace furrow::labelling
