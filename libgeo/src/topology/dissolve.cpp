#include "dissolve.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <optional>
#include <utility>

#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/vector/box_index.h>

#include "arc_simplifier.h"
#include "face_rings.h"
#include "pieces.h"

namespace furrow::geo::detail {
namespace {

constexpr std::uint32_t kNone = 0xFFFFFFFFU;

/// The line between two owners from one node to the next.
struct OwnerArc {
  std::vector<std::uint32_t> nodes;
  std::uint32_t first = kNone;  ///< half-edge that leaves the first node
  std::uint32_t last = kNone;   ///< half-edge that arrives at the last one
};

/// The edges between different owners as a graph of arcs.
class OwnerArcs {
 public:
  OwnerArcs(const PlanarPartition& partition, const FaceOwners& owners)
      : m_partition(partition), m_owners(owners), m_degree(partition.nodes().size(), 0) {
    for (std::uint32_t h = 0; h < partition.half_edges(); ++h) {
      if (is_border(h)) ++m_degree[partition.origin(h)];
    }
    std::vector<bool> seen(partition.edges(), false);
    for (const bool open_ones : {true, false}) {
      for (std::uint32_t node = 0; node < m_degree.size(); ++node) {
        if (m_degree[node] == 0 || (open_ones && m_degree[node] == 2)) continue;
        for (const std::uint32_t h : partition.leaving(node)) {
          if (is_border(h) && !seen[h / 2]) trace(h, seen);
        }
      }
    }
  }

  [[nodiscard]] std::vector<OwnerArc>& arcs() { return m_arcs; }
  [[nodiscard]] std::uint32_t left(std::uint32_t h) const { return m_owners[m_partition.face(h)]; }
  [[nodiscard]] std::uint32_t degree(std::uint32_t node) const { return m_degree[node]; }

  /// The border half-edge that goes on along the same owner.
  [[nodiscard]] std::uint32_t next(std::uint32_t h) const {
    std::uint32_t to = m_partition.next(h);
    while (!is_border(to)) to = m_partition.next(PlanarPartition::twin(to));
    return to;
  }

 private:
  [[nodiscard]] bool is_border(std::uint32_t h) const { return left(h) != left(PlanarPartition::twin(h)); }

  /// From a node of the graph to the next; round a closed line from its lowest point.
  void trace(std::uint32_t h, std::vector<bool>& seen) {
    OwnerArc arc;
    arc.first = h;
    arc.nodes.push_back(m_partition.origin(h));
    while (true) {
      seen[h / 2] = true;
      const std::uint32_t to = m_partition.origin(PlanarPartition::twin(h));
      arc.nodes.push_back(to);
      if (m_degree[to] != 2 || to == arc.nodes.front()) break;
      h = next(h);
    }
    arc.last = h;
    m_arcs.push_back(std::move(arc));
  }

  const PlanarPartition& m_partition;
  const FaceOwners& m_owners;
  std::vector<std::uint32_t> m_degree;  // border edges, by node
  std::vector<OwnerArc> m_arcs;
};

/// Corners of all arcs, seen from the first point of one.
class NodeCorners {
 public:
  NodeCorners(const BoxIndex& index, const std::vector<GridPoint>& nodes, GridPoint origin)
      : m_index(index), m_nodes(nodes), m_origin(origin) {}

  [[nodiscard]] LatticePoint local(GridPoint p) const {
    return {static_cast<std::int32_t>(p.x - m_origin.x), static_cast<std::int32_t>(p.y - m_origin.y)};
  }

  /// Corners in the pixels of the new line a-c count too: cut again, it would be led through them.
  template <class Test>
  bool any_in_triangle(LatticePoint a, LatticePoint b, LatticePoint c, const Test& test) const {
    Box box;
    for (const LatticePoint p : {a, b, c}) {
      const GridPoint at = global(p);
      box.expand(Point{static_cast<double>(at.x), static_cast<double>(at.y)});
    }
    return std::ranges::any_of(m_index.query(box), [&](std::size_t node) {
      const LatticePoint p = local(m_nodes[node]);
      return (in_triangle(a, b, c, p) || passes_through(global(a), global(c), m_nodes[node])) && test(p);
    });
  }

 private:
  [[nodiscard]] GridPoint global(LatticePoint p) const { return {m_origin.x + p.x, m_origin.y + p.y}; }

  const BoxIndex& m_index;
  const std::vector<GridPoint>& m_nodes;
  GridPoint m_origin;
};

class NodeArcSimplifier {
 public:
  NodeArcSimplifier(const PlanarPartition& partition, OwnerArcs& arcs, const std::vector<bool>& is_corner,
                    const GroundScale& scale, const DissolveOptions& options)
      : m_partition(partition), m_arcs(arcs), m_is_corner(is_corner), m_scale(scale), m_options(options) {}

  void run() {
    std::vector<OwnerArc>& arcs = m_arcs.arcs();
    if (std::ranges::none_of(arcs, [&](const OwnerArc& arc) { return can_lose(arc); })) return;
    const auto& nodes = m_partition.nodes();
    std::vector<Box> boxes(nodes.size());
    for (std::uint32_t n = 0; n < nodes.size(); ++n) {
      if (m_arcs.degree(n) == 0) continue;
      boxes[n].expand(Point{static_cast<double>(nodes[n].x), static_cast<double>(nodes[n].y)});
    }
    const BoxIndex index(boxes);
    const std::vector<std::uint8_t> keep = fewest_points();
    tbb::parallel_for(std::size_t{0}, arcs.size(), [&](std::size_t i) {
      if (can_lose(arcs[i]) && arcs[i].nodes.size() > keep[i]) simplify(arcs[i], keep[i], index);
    });
  }

 private:
  [[nodiscard]] bool can_lose(const OwnerArc& arc) const {
    if (m_options.simplify_m > 0.0) return arc.nodes.size() > 2;
    return std::any_of(arc.nodes.begin() + 1, arc.nodes.end() - 1,
                       [&](std::uint32_t node) { return !m_is_corner[node]; });
  }

  [[nodiscard]] std::vector<std::uint8_t> fewest_points() const {
    std::vector<ArcEnds> ends;
    for (const OwnerArc& arc : m_arcs.arcs()) {
      // Instance numbers: 0 is background.
      ends.push_back({arc.nodes.front(), arc.nodes.back(), m_arcs.left(arc.first) + 1,
                      m_arcs.left(PlanarPartition::twin(arc.first)) + 1, arc.nodes.size() == 2});
    }
    return points_to_keep(ends);
  }

  void simplify(OwnerArc& arc, std::size_t keep, const BoxIndex& index) const {
    const auto& nodes = m_partition.nodes();
    const GridPoint origin = nodes[arc.nodes.front()];
    constexpr std::int64_t kFar = std::int64_t{1} << 29;  // products of differences stay within 64 bits
    const NodeCorners corners(index, nodes, origin);
    std::vector<LatticePoint> points;
    std::vector<bool> pinned(arc.nodes.size(), false);
    for (std::size_t i = 0; i < arc.nodes.size(); ++i) {
      const GridPoint p = nodes[arc.nodes[i]];
      if (std::abs(p.x - origin.x) > kFar || std::abs(p.y - origin.y) > kFar) return;
      points.push_back(corners.local(p));
      pinned[i] = m_options.simplify_m == 0.0 && m_is_corner[arc.nodes[i]];
    }
    SimplifyOptions options;  // one step of the grid
    if (m_options.simplify_m > 0.0) {
      const StepLength step = m_scale.at(origin);
      options = {m_options.simplify_m, step.x, step.y};
    }
    const auto kept = ArcSimplifier(points, keep, options, corners, pinned).run();
    std::vector<std::uint32_t> left;
    for (std::size_t i = 0; i < points.size() && left.size() < kept.size(); ++i) {
      if (points[i] == kept[left.size()]) left.push_back(arc.nodes[i]);
    }
    arc.nodes = std::move(left);
  }

  const PlanarPartition& m_partition;
  OwnerArcs& m_arcs;
  const std::vector<bool>& m_is_corner;
  const GroundScale& m_scale;
  const DissolveOptions& m_options;
};

/// Rings of one connected piece.
struct PieceRings {
  GridRing shell;
  std::vector<GridRing> holes;
};

class RingBuilder {
 public:
  RingBuilder(const PlanarPartition& partition, OwnerArcs& arcs)
      : m_partition(partition), m_graph(arcs), m_at(partition.half_edges(), kNone) {
    const auto& list = arcs.arcs();
    for (std::uint32_t i = 0; i < list.size(); ++i) {
      m_at[list[i].first] = 2 * i;
      m_at[PlanarPartition::twin(list[i].last)] = 2 * i + 1;
    }
  }

  /// @param pieces  of the owners
  [[nodiscard]] std::vector<PieceRings> build(const Pieces& pieces) {
    std::vector<PieceRings> result(pieces.list.size());
    std::vector<bool> done(2 * m_graph.arcs().size(), false);
    for (std::uint32_t start = 0; start < done.size(); ++start) {
      const std::uint32_t h = leaving(start);
      if (done[start] || m_graph.left(h) == kNoOwner) continue;
      PieceRings& rings = result[pieces.of_face[m_partition.face(h)]];
      for (GridRing& ring : simple_rings(walk(start, done))) {
        const auto lowest = std::ranges::min_element(ring);
        std::rotate(ring.begin(), lowest, ring.end());
        if (doubled_area(ring) > 0) {
          rings.shell = std::move(ring);
        } else {
          rings.holes.push_back(std::move(ring));
        }
      }
    }
    for (PieceRings& rings : result) std::ranges::sort(rings.holes);
    return result;
  }

 private:
  /// Arcs have numbers 2i forwards, 2i + 1 backwards.
  [[nodiscard]] std::uint32_t leaving(std::uint32_t directed) const {
    const OwnerArc& arc = m_graph.arcs()[directed / 2];
    return directed % 2 == 0 ? arc.first : PlanarPartition::twin(arc.last);
  }
  [[nodiscard]] std::uint32_t arriving(std::uint32_t directed) const {
    const OwnerArc& arc = m_graph.arcs()[directed / 2];
    return directed % 2 == 0 ? arc.last : PlanarPartition::twin(arc.first);
  }

  [[nodiscard]] GridRing walk(std::uint32_t start, std::vector<bool>& done) const {
    GridRing points;
    std::uint32_t directed = start;
    do {
      done[directed] = true;
      const auto& nodes = m_graph.arcs()[directed / 2].nodes;
      for (std::size_t i = 0; i + 1 < nodes.size(); ++i) {
        points.push_back(m_partition.nodes()[directed % 2 == 0 ? nodes[i] : nodes[nodes.size() - 1 - i]]);
      }
      directed = m_at[m_graph.next(arriving(directed))];
    } while (directed != start);
    return points;
  }

  const PlanarPartition& m_partition;
  OwnerArcs& m_graph;
  std::vector<std::uint32_t> m_at;  // directed arc that starts with a half-edge
};

}  // namespace

std::vector<GridShape> dissolve(const PlanarPartition& partition, const FaceOwners& owners, std::size_t count,
                                const std::vector<bool>& is_corner, const GroundScale& scale,
                                const DissolveOptions& options, ExecContext& exec) {
  OwnerArcs arcs(partition, owners);
  exec.check_cancelled();
  NodeArcSimplifier(partition, arcs, is_corner, scale, options).run();
  exec.check_cancelled();
  const Pieces pieces = find_pieces(partition, owners, std::vector<double>(partition.faces(), 0.0));
  std::vector<PieceRings> rings = RingBuilder(partition, arcs).build(pieces);
  std::vector<std::size_t> order(rings.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t p) { return std::pair(rings[p].shell.front(), p); });
  std::vector<GridShape> shapes(count);
  for (const std::size_t p : order) {
    GridShape& shape = shapes[pieces.list[p].owner];
    for (const GridPoint& at : rings[p].shell) {
      shape.box.expand(Point{static_cast<double>(at.x), static_cast<double>(at.y)});
    }
    shape.rings.push_back(std::move(rings[p].shell));
    std::ranges::move(rings[p].holes, std::back_inserter(shape.rings));
  }
  return shapes;
}

}  // namespace furrow::geo::detail
