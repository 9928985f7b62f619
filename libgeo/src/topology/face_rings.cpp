#include "face_rings.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace furrow::geo::detail {

Wide doubled_area(const GridRing& ring) {
  Wide area = 0;
  for (std::size_t i = 1; i + 1 < ring.size(); ++i) area += turn(ring[0], ring[i], ring[i + 1]);
  return area;
}

std::vector<GridRing> simple_rings(const GridRing& walk) {
  std::vector<std::pair<GridPoint, std::size_t>> places;
  places.reserve(walk.size());
  for (std::size_t i = 0; i < walk.size(); ++i) places.emplace_back(walk[i], i);
  std::ranges::sort(places);
  std::vector<std::size_t> place(walk.size());  // the first time the walk is at the point
  for (std::size_t i = 0; i < places.size(); ++i) {
    const bool again = i > 0 && places[i].first == places[i - 1].first;
    place[places[i].second] = again ? place[places[i - 1].second] : places[i].second;
  }
  std::vector<GridRing> rings;
  std::vector<std::size_t> open;
  std::vector<bool> is_open(walk.size(), false);
  for (std::size_t i = 0; i < walk.size(); ++i) {
    const std::size_t at = place[i];
    if (is_open[at]) {
      GridRing ring;
      while (open.back() != at) {
        ring.push_back(walk[open.back()]);
        is_open[open.back()] = false;
        open.pop_back();
      }
      ring.push_back(walk[at]);
      std::ranges::reverse(ring);
      if (ring.size() > 2) rings.push_back(std::move(ring));
    } else {
      open.push_back(at);
      is_open[at] = true;
    }
  }
  if (open.size() > 2) {
    GridRing ring;
    for (const std::size_t at : open) ring.push_back(walk[at]);
    rings.push_back(std::move(ring));
  }
  return rings;
}

}  // namespace furrow::geo::detail
