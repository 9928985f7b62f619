#include <furrow/geo/vector/box_index.h>

#include <algorithm>
#include <iterator>

#include <boost/geometry/geometries/box.hpp>
#include <boost/geometry/geometries/point_xy.hpp>
#include <boost/geometry/index/rtree.hpp>

namespace furrow::geo {
namespace bg = boost::geometry;
namespace {
using BoostPoint = bg::model::d2::point_xy<double>;
using BoostBox = bg::model::box<BoostPoint>;
using Entry = std::pair<BoostBox, std::size_t>;

BoostBox to_boost(const Box& box) {
  return {{box.min_x, box.min_y}, {box.max_x, box.max_y}};
}

std::vector<Entry> entries(std::span<const Box> boxes) {
  std::vector<Entry> list;
  list.reserve(boxes.size());
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    if (!boxes[i].empty()) list.emplace_back(to_boost(boxes[i]), i);
  }
  return list;
}
}  // namespace

struct BoxIndex::Impl {
  bg::index::rtree<Entry, bg::index::rstar<16>> tree;
  explicit Impl(const std::vector<Entry>& list) : tree(list.begin(), list.end()) {}
};

BoxIndex::BoxIndex(std::span<const Box> boxes) : m_impl(std::make_unique<Impl>(entries(boxes))) {}
BoxIndex::~BoxIndex() = default;
BoxIndex::BoxIndex(BoxIndex&&) noexcept = default;
BoxIndex& BoxIndex::operator=(BoxIndex&&) noexcept = default;

std::vector<std::size_t> BoxIndex::query(const Box& query) const {
  std::vector<std::size_t> found;
  if (query.empty()) return found;
  std::vector<Entry> hits;
  m_impl->tree.query(bg::index::intersects(to_boost(query)), std::back_inserter(hits));
  found.reserve(hits.size());
  for (const auto& hit : hits) found.push_back(hit.second);
  std::ranges::sort(found);
  return found;
}

}  // namespace furrow::geo
