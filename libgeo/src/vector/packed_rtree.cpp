#include "packed_rtree.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <oneapi/tbb/parallel_sort.h>

namespace furrow::geo {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

float rounded_down(double value) {
  const auto rounded = static_cast<float>(value);
  return static_cast<double>(rounded) > value ? std::nextafter(rounded, -kInfinity) : rounded;
}

float rounded_up(double value) {
  const auto rounded = static_cast<float>(value);
  return static_cast<double>(rounded) < value ? std::nextafter(rounded, kInfinity) : rounded;
}

std::size_t slices_of(std::size_t count, std::size_t capacity) {
  const std::size_t nodes = (count + capacity - 1) / capacity;
  return static_cast<std::size_t>(std::ceil(std::sqrt(static_cast<double>(nodes))));
}

/// Order in which boxes are cut into nodes: vertical slices from left to right, from bottom to top in each.
void sort_tiles(std::vector<IndexedBox>& boxes, std::size_t capacity) {
  const auto by_x = [](const IndexedBox& a, const IndexedBox& b) {
    return std::pair(a.min_x + a.max_x, a.id) < std::pair(b.min_x + b.max_x, b.id);
  };
  const auto by_y = [](const IndexedBox& a, const IndexedBox& b) {
    return std::pair(a.min_y + a.max_y, a.id) < std::pair(b.min_y + b.max_y, b.id);
  };
  tbb::parallel_sort(boxes.begin(), boxes.end(), by_x);
  const std::size_t slices = slices_of(boxes.size(), capacity);
  const std::size_t nodes = (boxes.size() + capacity - 1) / capacity;
  const std::size_t slice = (nodes + slices - 1) / slices * capacity;
  for (std::size_t begin = 0; begin < boxes.size(); begin += slice) {
    const auto end = boxes.begin() + static_cast<std::ptrdiff_t>(std::min(begin + slice, boxes.size()));
    tbb::parallel_sort(boxes.begin() + static_cast<std::ptrdiff_t>(begin), end, by_y);
  }
}

IndexedBox bounds_of(const PackedNode& node) {
  IndexedBox bounds = node.members.front();
  bounds.id = node.number;
  for (const IndexedBox& member : node.members) {
    bounds.min_x = std::min(bounds.min_x, member.min_x);
    bounds.max_x = std::max(bounds.max_x, member.max_x);
    bounds.min_y = std::min(bounds.min_y, member.min_y);
    bounds.max_y = std::max(bounds.max_y, member.max_y);
  }
  return bounds;
}

}  // namespace

IndexedBox rounded_outward(std::int64_t id, double min_x, double min_y, double max_x, double max_y) {
  return {id, rounded_down(min_x), rounded_up(max_x), rounded_down(min_y), rounded_up(max_y)};
}

PackedRtree pack_rtree(std::vector<IndexedBox> boxes, std::size_t capacity) {
  PackedRtree tree;
  std::int64_t next_number = 2;  // 1 is the root
  for (bool leaf = true;; leaf = false) {
    if (boxes.size() <= capacity) {
      tree.nodes.push_back({1, 0, leaf, std::move(boxes)});
      break;
    }
    sort_tiles(boxes, capacity);
    std::vector<IndexedBox> bounds;
    for (std::size_t i = 0; i < boxes.size(); i += capacity) {
      const auto first = boxes.begin() + static_cast<std::ptrdiff_t>(i);
      const auto last = boxes.begin() + static_cast<std::ptrdiff_t>(std::min(i + capacity, boxes.size()));
      tree.nodes.push_back({next_number++, 0, leaf, {first, last}});
      bounds.push_back(bounds_of(tree.nodes.back()));
    }
    boxes = std::move(bounds);
    ++tree.depth;
  }
  for (const PackedNode& node : tree.nodes) {
    if (node.is_leaf) continue;
    // Nodes stand in ascending number from 2; the root is the last.
    for (const IndexedBox& member : node.members)
      tree.nodes[static_cast<std::size_t>(member.id - 2)].parent = node.number;
  }
  std::ranges::rotate(tree.nodes, std::prev(tree.nodes.end()));
  return tree;
}

}  // namespace furrow::geo
