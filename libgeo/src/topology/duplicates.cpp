#include "duplicates.h"

#include <algorithm>

#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/vector/box_index.h>
#include <furrow/geo/vector/geos.h>

namespace furrow::geo::detail {
namespace {

double common_area(const Box& a, const Box& b) {
  const double width = std::min(a.max_x, b.max_x) - std::max(a.min_x, b.min_x);
  const double height = std::min(a.max_y, b.max_y) - std::max(a.min_y, b.min_y);
  return std::max(0.0, width) * std::max(0.0, height);
}

}  // namespace

std::vector<std::uint8_t> find_duplicates(std::span<const MultiPolygon> shapes, double min_iou,
                                          ExecContext& exec) {
  std::vector<Box> boxes;
  std::vector<double> areas;
  for (const MultiPolygon& shape : shapes) {
    boxes.push_back(bounds(shape));
    areas.push_back(area(shape));
  }
  const BoxIndex index(boxes);
  std::vector<std::vector<std::size_t>> alike(shapes.size());  // earlier ones
  tbb::parallel_for(std::size_t{0}, shapes.size(), [&](std::size_t i) {
    for (const std::size_t j : index.query(boxes[i])) {
      if (j >= i) break;
      // The intersection is at least min_iou times the larger of the two, and lies in both boxes.
      const auto [small, large] = std::minmax(areas[i], areas[j]);
      if (small < min_iou * large || common_area(boxes[i], boxes[j]) < min_iou * large) continue;
      const double common = intersection_area(shapes[i], shapes[j]);
      if (common >= min_iou * (areas[i] + areas[j] - common)) alike[i].push_back(j);
    }
  });
  exec.check_cancelled();
  std::vector<std::uint8_t> dropped(shapes.size(), 0);
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    dropped[i] = std::ranges::any_of(alike[i], [&](std::size_t j) { return dropped[j] == 0; }) ? 1 : 0;
  }
  return dropped;
}

}  // namespace furrow::geo::detail
