#include "disjoint_parts.h"

#include <numeric>

#include <furrow/geo/vector/box_index.h>

#include "overlay.h"

namespace furrow::labelling {
namespace {

using overlay::Geometry;

constexpr double kRounding_m2 = 1e-6;

/// Groups of positions; the lowest position stands for its group.
class Groups {
 public:
  explicit Groups(std::size_t size) : m_parent(size) { std::iota(m_parent.begin(), m_parent.end(), 0U); }

  [[nodiscard]] std::size_t find(std::size_t i) const {
    while (m_parent[i] != i) i = m_parent[i];
    return i;
  }
  void join(std::size_t i, std::size_t j) {
    i = find(i);
    j = find(j);
    m_parent[std::max(i, j)] = std::min(i, j);
  }

 private:
  std::vector<std::size_t> m_parent;
};

/// Joins polygon i with those after it that share area with it.
void join_overlapping(std::size_t i, const std::vector<geo::MultiPolygon>& shapes,
                      const std::vector<std::size_t>& candidates, Groups& groups) {
  Geometry first;
  geo::geos::Prepared prepared;
  for (const std::size_t j : candidates) {
    if (j <= i) continue;
    if (!first) {
      first = geo::geos::to_geos(shapes[i]);
      prepared = geo::geos::prepare(first.get());
    }
    const Geometry second = geo::geos::to_geos(shapes[j]);
    if (geo::geos::check(GEOSPreparedIntersects_r(overlay::context(), prepared.get(), second.get()),
                         "intersects") &&
        overlay::area(overlay::intersection(first, second)) > kRounding_m2) {
      groups.join(i, j);
    }
  }
}

}  // namespace

DisjointParts disjoint_parts(const std::vector<geo::MultiPolygon>& shapes) {
  std::vector<geo::Box> boxes;
  boxes.reserve(shapes.size());
  for (const auto& shape : shapes) boxes.push_back(geo::bounds(shape));
  const geo::BoxIndex index(boxes);
  Groups groups(shapes.size());
  for (std::size_t i = 0; i < shapes.size(); ++i) join_overlapping(i, shapes, index.query(boxes[i]), groups);

  std::vector<std::vector<std::size_t>> members(shapes.size());
  for (std::size_t i = 0; i < shapes.size(); ++i) members[groups.find(i)].push_back(i);
  DisjointParts parts;
  parts.single.assign(shapes.size(), false);
  for (const auto& group : members) {
    if (group.empty()) continue;
    if (group.size() == 1) {
      parts.single[group.front()] = true;
      parts.singles.push_back(shapes[group.front()]);
      continue;
    }
    std::vector<Geometry> pieces;
    for (const std::size_t i : group) pieces.push_back(geo::geos::to_geos(shapes[i]));
    parts.united.push_back(geo::geos::from_geos(overlay::unite(std::move(pieces)).get()));
  }
  return parts;
}

}  // namespace furrow::labelling
