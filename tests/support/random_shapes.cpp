#include "random_shapes.h"

#include <algorithm>
#include <cmath>

namespace furrow::test {
namespace {

template <class Move>
void for_each_vertex(geo::MultiPolygon& shape, const Move& move) {
  for (auto& polygon : shape) {
    for (auto& p : polygon.shell) p = move(p);
    for (auto& hole : polygon.holes) {
      for (auto& p : hole) p = move(p);
    }
  }
}

}  // namespace

geo::MultiPolygon star(geo::Random& random, geo::Point centre, double radius, int points) {
  geo::Ring ring;
  for (int i = 0; i < points; ++i) {
    const double angle = 6.283185307179586 * i / points;
    const double r = radius * random.uniform(0.3, 1.0);
    ring.push_back({centre.x + r * std::cos(angle), centre.y + r * std::sin(angle)});
  }
  ring.push_back(ring.front());
  geo::Polygon polygon{ring, {}};
  if (random.chance(0.4)) {
    geo::Ring hole;
    for (const geo::Point& p : ring) {
      hole.push_back({centre.x + 0.4 * (p.x - centre.x), centre.y + 0.4 * (p.y - centre.y)});
    }
    polygon.holes.push_back(hole);
  }
  return {polygon};
}

std::vector<geo::MultiPolygon> random_shapes(geo::Random& random, const geo::Grid& grid) {
  std::vector<geo::MultiPolygon> out;
  const auto count = 1 + random.below(8);
  const double side = static_cast<double>(std::max(grid.width, grid.height));
  for (std::uint64_t i = 0; i < count; ++i) {
    const geo::Point pixel{random.uniform(-0.2, 1.2) * static_cast<double>(grid.width),
                           random.uniform(-0.2, 1.2) * static_cast<double>(grid.height)};
    auto shape =
        star(random, pixel, random.uniform(0.05, 0.6) * side, 3 + static_cast<int>(random.below(12)));
    for_each_vertex(shape, [&](geo::Point p) { return grid.transform.to_world(p); });
    out.push_back(std::move(shape));
  }
  return out;
}

void snap_to_pixels(std::vector<geo::MultiPolygon>& shapes, const geo::Grid& grid, double step) {
  for (auto& shape : shapes) {
    for_each_vertex(shape, [&](geo::Point p) {
      const geo::Point pixel = grid.transform.to_pixel(p);
      return grid.transform.to_world({step * std::round(pixel.x / step), step * std::round(pixel.y / step)});
    });
  }
}

}  // namespace furrow::test
