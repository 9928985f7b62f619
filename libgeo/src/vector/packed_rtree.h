#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace furrow::geo {

/// A box with the id of its feature, as SQLite's R-tree stores it.
struct IndexedBox {
  std::int64_t id = 0;
  float min_x = 0.0F;
  float max_x = 0.0F;
  float min_y = 0.0F;
  float max_y = 0.0F;
};

/// Bounds in single precision that contain those given.
[[nodiscard]] IndexedBox rounded_outward(std::int64_t id, double min_x, double min_y, double max_x,
                                         double max_y);

struct PackedNode {
  std::int64_t number = 0;
  std::int64_t parent = 0;  ///< 0: the root
  bool is_leaf = false;
  std::vector<IndexedBox> members;  ///< boxes of features (leaf), or of nodes with their numbers
};

/// An R-tree packed in one go by sort-tile-recursive (Leutenegger et al. 1997): nodes are full but for the
/// last of each slice. Nodes in ascending number; the root has number 1.
struct PackedRtree {
  int depth = 0;  ///< levels above the leaves
  std::vector<PackedNode> nodes;
};

/// Same boxes, in any order, give the same tree. An empty list gives an empty root.
/// @param capacity  members of a node, at least 2
[[nodiscard]] PackedRtree pack_rtree(std::vector<IndexedBox> boxes, std::size_t capacity);

}  // namespace furrow::geo
