#include "pieces.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <queue>
#include <tuple>

#include "union_find.h"

namespace furrow::geo::detail {
namespace {

/// Length of the line between two pieces; b may be kNoOwner.
struct CommonEdge {
  std::uint32_t a;
  std::uint32_t b;
  double length_m;
};

/// The shorter side of the rectangle with that area and perimeter; of shapes rounder than a square, the side
/// of the square.
double width_m(double area_m2, double perimeter_m) {
  const double squared = perimeter_m * perimeter_m / 4.0 - 4.0 * area_m2;
  if (squared <= 0.0) return std::sqrt(std::max(0.0, area_m2));
  // The smaller root, without loss of digits for long shapes.
  return 4.0 * area_m2 / (perimeter_m + 2.0 * std::sqrt(squared));
}

class Absorber {
 public:
  Absorber(Pieces pieces, const CleanOptions& options, std::span<const std::uint32_t> precedence)
      : m_pieces(std::move(pieces)),
        m_options(options),
        m_precedence(precedence),
        m_sets(m_pieces.list.size()),
        m_members(m_pieces.list.size()),
        m_perimeter(m_pieces.list.size(), 0.0) {
    for (std::uint32_t p = 0; p < m_members.size(); ++p) m_members[p] = {p};
  }

  void find_edges(const PlanarPartition& partition, const GroundScale& scale) {
    std::vector<CommonEdge> edges;
    for (std::uint32_t h = 0; h < partition.half_edges(); h += 2) {
      const std::uint32_t a = m_pieces.of_face[partition.face(h)];
      const std::uint32_t b = m_pieces.of_face[partition.face(h + 1)];
      if (a == b) continue;
      const double length = scale.length_m(partition.start(h), partition.end(h));
      for (const std::uint32_t p : {a, b}) {
        if (p != kNoOwner) m_perimeter[p] += length;
      }
      if (a != kNoOwner && b != kNoOwner) {
        edges.push_back({a, b, length});
        edges.push_back({b, a, length});
      }
    }
    std::ranges::stable_sort(edges, {}, [](const CommonEdge& e) { return std::pair(e.a, e.b); });
    m_first_edge.assign(m_pieces.list.size() + 1, 0);
    for (const CommonEdge& e : edges) ++m_first_edge[e.a + 1];
    for (std::size_t p = 0; p < m_pieces.list.size(); ++p) m_first_edge[p + 1] += m_first_edge[p];
    m_edges = std::move(edges);
  }

  /// @return roots of what touches no other feature, with what is wrong with it
  std::vector<std::pair<std::uint32_t, bool>> run(ChangeCount& absorbed) {
    for (std::uint32_t p = 0; p < m_pieces.list.size(); ++p) push(p);
    std::vector<std::pair<std::uint32_t, bool>> lost;
    while (!m_queue.empty()) {
      const auto [area, p] = m_queue.top();
      m_queue.pop();
      if (m_sets.root(p) != p || area != m_pieces.list[p].area_m2) continue;
      const auto neighbours = neighbours_of(p);
      const std::uint32_t owner = longest_owner(neighbours);
      if (owner == kNoOwner) {
        lost.emplace_back(p, !is_small(p));
        continue;
      }
      ++absorbed.count;
      absorbed.area_m2 += area;
      m_pieces.list[p].owner = owner;
      std::uint32_t root = p;
      for (const auto& [other, length] : neighbours) {
        if (m_pieces.list[other].owner == owner) root = unite(root, other, length);
      }
      push(root);
    }
    return lost;
  }

  [[nodiscard]] std::uint32_t owner_of_piece(std::uint32_t p) { return m_pieces.list[m_sets.root(p)].owner; }
  [[nodiscard]] std::uint32_t root(std::uint32_t p) { return m_sets.root(p); }
  [[nodiscard]] const Pieces& pieces() const { return m_pieces; }

 private:
  using Entry = std::pair<double, std::uint32_t>;  // area, piece

  [[nodiscard]] bool is_small(std::uint32_t p) const {
    return m_pieces.list[p].area_m2 < m_options.min_area_m2;
  }
  void push(std::uint32_t p) {
    const bool is_sliver = width_m(m_pieces.list[p].area_m2, m_perimeter[p]) < m_options.min_width_m;
    if (is_small(p) || is_sliver) m_queue.emplace(m_pieces.list[p].area_m2, p);
  }

  /// Common edges by root of the neighbour.
  [[nodiscard]] std::map<std::uint32_t, double> neighbours_of(std::uint32_t p) {
    std::map<std::uint32_t, double> lengths;
    for (const std::uint32_t member : m_members[p]) {
      for (std::size_t e = m_first_edge[member]; e < m_first_edge[member + 1]; ++e) {
        const std::uint32_t other = m_sets.root(m_edges[e].b);
        if (other != p) lengths[other] += m_edges[e].length_m;
      }
    }
    return lengths;
  }

  [[nodiscard]] std::uint32_t longest_owner(const std::map<std::uint32_t, double>& neighbours) const {
    std::map<std::uint32_t, double> by_owner;
    for (const auto& [other, length] : neighbours) by_owner[m_pieces.list[other].owner] += length;
    return longest(by_owner, m_precedence);
  }

  std::uint32_t unite(std::uint32_t a, std::uint32_t b, double common_m) {
    const double area = m_pieces.list[a].area_m2 + m_pieces.list[b].area_m2;
    const double perimeter = m_perimeter[a] + m_perimeter[b] - 2.0 * common_m;
    m_sets.unite(a, b);
    const std::uint32_t root = m_sets.root(a);
    const std::uint32_t other = root == a ? b : a;
    m_members[root].swap(m_members[m_members[root].size() < m_members[other].size() ? other : root]);
    m_members[root].insert(m_members[root].end(), m_members[other].begin(), m_members[other].end());
    m_members[other].clear();
    m_pieces.list[root].area_m2 = area;
    m_perimeter[root] = perimeter;
    return root;
  }

  Pieces m_pieces;
  const CleanOptions& m_options;
  std::span<const std::uint32_t> m_precedence;
  UnionFind m_sets;
  std::vector<std::vector<std::uint32_t>> m_members;  // by root
  std::vector<double> m_perimeter;                    // by root
  std::vector<CommonEdge> m_edges;                    // by a, then b
  std::vector<std::size_t> m_first_edge;              // by piece
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> m_queue;
};

}  // namespace

Pieces find_pieces(const PlanarPartition& partition, const FaceOwners& owners,
                   std::span<const double> areas_m2) {
  UnionFind sets(partition.faces());
  for (std::uint32_t h = 0; h < partition.half_edges(); h += 2) {
    const std::uint32_t a = partition.face(h);
    const std::uint32_t b = partition.face(h + 1);
    if (owners[a] != kNoOwner && owners[a] == owners[b]) sets.unite(a, b);
  }
  Pieces pieces;
  pieces.of_face.assign(partition.faces(), kNoOwner);
  for (std::uint32_t face = 0; face < partition.faces(); ++face) {
    if (owners[face] == kNoOwner) continue;
    const std::uint32_t root = sets.root(face);
    if (root == face) {
      pieces.of_face[face] = static_cast<std::uint32_t>(pieces.list.size());
      pieces.list.push_back({owners[face], 0.0, {}});
    }
    pieces.of_face[face] = pieces.of_face[root];
    pieces.list[pieces.of_face[face]].area_m2 += areas_m2[face];
  }
  for (std::uint32_t h = 0; h < partition.half_edges(); ++h) {
    const std::uint32_t p = pieces.of_face[partition.face(h)];
    if (p == kNoOwner) continue;
    const GridPoint at = partition.start(h);
    pieces.list[p].box.expand(Point{static_cast<double>(at.x), static_cast<double>(at.y)});
  }
  return pieces;
}

std::vector<LostPiece> absorb_pieces(const PlanarPartition& partition, const GroundScale& scale,
                                     std::span<const std::uint32_t> precedence,
                                     std::span<const double> areas_m2, const CleanOptions& options,
                                     FaceOwners& owners, ChangeCount& absorbed) {
  Absorber absorber(find_pieces(partition, owners, areas_m2), options, precedence);
  absorber.find_edges(partition, scale);
  const auto lost = absorber.run(absorbed);
  std::map<std::uint32_t, std::size_t> position;
  std::vector<LostPiece> result;
  for (const auto& [root, is_sliver] : lost) {
    position[root] = result.size();
    result.push_back({absorber.owner_of_piece(root), {}, is_sliver});
  }
  for (std::uint32_t face = 0; face < partition.faces(); ++face) {
    const std::uint32_t piece = absorber.pieces().of_face[face];
    if (piece == kNoOwner) continue;
    const auto it = position.find(absorber.root(piece));
    if (it == position.end()) {
      owners[face] = absorber.owner_of_piece(piece);
    } else {
      owners[face] = kNoOwner;
      result[it->second].faces.push_back(face);
    }
  }
  return result;
}

}  // namespace furrow::geo::detail
