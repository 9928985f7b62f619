#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <furrow/geo/core/exec_context.h>

#include "planar_grid.h"
#include "snap_rounding.h"

namespace furrow::geo::detail {

class EdgeFinder;

/// The plane divided by noded edges, as half-edges: number 2e runs from the lower end of edge e to the upper,
/// 2e + 1 back; each has its face on the left. Face 0 is the outside. Numbers depend on the places of the
/// edges only, not on the order of the features or on threads.
class PlanarPartition {
 public:
  /// @param lines  as snap_round gives them
  PlanarPartition(const NodedLines& lines, ExecContext& exec);

  [[nodiscard]] std::size_t edges() const { return m_ends.size(); }
  [[nodiscard]] std::size_t half_edges() const { return 2 * m_ends.size(); }
  [[nodiscard]] std::size_t faces() const { return m_cover.size(); }
  [[nodiscard]] const std::vector<GridPoint>& nodes() const { return m_nodes; }

  [[nodiscard]] static std::uint32_t twin(std::uint32_t half_edge) { return half_edge ^ 1U; }
  /// Node where a half-edge starts.
  [[nodiscard]] std::uint32_t origin(std::uint32_t h) const { return m_ends[h / 2][h % 2]; }
  [[nodiscard]] GridPoint start(std::uint32_t h) const { return m_nodes[origin(h)]; }
  [[nodiscard]] GridPoint end(std::uint32_t h) const { return m_nodes[origin(twin(h))]; }
  /// The half-edge that follows along the same face.
  [[nodiscard]] std::uint32_t next(std::uint32_t h) const { return m_next[h]; }
  [[nodiscard]] std::uint32_t face(std::uint32_t h) const { return m_face[h]; }
  /// Half-edges that leave a node, counter-clockwise.
  [[nodiscard]] std::span<const std::uint32_t> leaving(std::uint32_t node) const {
    return std::span(m_leaving).subspan(m_first_leaving[node],
                                        m_first_leaving[node + 1] - m_first_leaving[node]);
  }
  /// Features that cover a face, ascending.
  [[nodiscard]] const std::vector<std::uint32_t>& cover(std::uint32_t face) const { return m_cover[face]; }
  /// One half-edge of each outline of a face: first the outer one (faces but 0), then those of holes.
  [[nodiscard]] const std::vector<std::uint32_t>& outlines(std::uint32_t face) const {
    return m_outlines[face];
  }

 private:
  void connect(const NodedLines& lines);
  void order_round_nodes();
  void find_outlines();
  void place_holes();
  void find_cover(const NodedLines& lines);
  /// The half-edge that sees the lowest node of a piece of linework from the left; kNone: nothing does.
  [[nodiscard]] std::uint32_t seen_from_left(GridPoint p, const EdgeFinder& finder) const;

  static constexpr std::uint32_t kNone = 0xFFFFFFFFU;

  std::vector<GridPoint> m_nodes;                    // sorted
  std::vector<std::array<std::uint32_t, 2>> m_ends;  // by edge
  std::vector<std::size_t> m_first_leaving;          // by node
  std::vector<std::uint32_t> m_leaving;
  std::vector<std::uint32_t> m_next;                   // by half-edge
  std::vector<std::uint32_t> m_face;                   // by half-edge
  std::vector<std::uint32_t> m_hole_outlines;          // of each connected piece: leaves its lowest node
  std::vector<std::vector<std::uint32_t>> m_outlines;  // by face
  std::vector<std::vector<std::uint32_t>> m_cover;     // by face
};

}  // namespace furrow::geo::detail
