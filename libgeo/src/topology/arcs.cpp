#include <furrow/geo/topology/arcs.h>

#include <array>
#include <limits>
#include <tuple>
#include <utility>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

#include "lattice.h"
#include "strips.h"

namespace furrow::geo {
namespace {

/// The four pixels around a corner, clockwise from the north-west one.
using Corner = std::array<std::uint32_t, 4>;

/// The line between two pixels is traced when they differ and one of them is a field.
bool is_line(std::uint32_t a, std::uint32_t b) {
  return a != b && (is_field(a) || is_field(b));
}

class Tracer {
 public:
  explicit Tracer(const Raster<std::uint32_t>& instances)
      : m_width(instances.width()),
        m_height(instances.height()),
        m_labels(instances.data().data()),
        m_seen(instances.width(), instances.height()) {}

  /// Arcs that leave the nodes of some rows of corners, each from the lower of its two ends.
  void trace_from_nodes(std::int64_t first_row, std::int64_t end_row, std::vector<Arc>& out) {
    for (std::int64_t y = first_row; y < end_row; ++y) {
      for (std::int64_t x = 0; x <= m_width; ++x) {
        if (is_plain(x, y)) continue;
        const LatticePoint p{static_cast<std::int32_t>(x), static_cast<std::int32_t>(y)};
        const Corner corner = around(p);
        if (!is_node(corner)) continue;
        for (int d = 0; d < 4; ++d) {
          const auto direction = static_cast<Direction>(d);
          const auto [left, right] = sides(corner, direction);
          if (!is_line(left, right)) continue;
          Arc arc = walk(p, direction);
          const auto from = std::pair(detail::lattice_key(p), d);
          const auto back = std::pair(detail::lattice_key(arc.points.back()),
                                      static_cast<int>(detail::turned(arc.last, 2)));
          if (from < back) out.push_back(std::move(arc));
        }
      }
    }
  }

  /// Upper left corners of lines that no arc from a node has seen.
  void find_closed(std::int64_t first_row, std::int64_t end_row, std::vector<LatticePoint>& out) const {
    for (std::int64_t y = first_row; y < end_row; ++y) {
      for (std::int64_t x = 0; x < m_width; ++x) {
        if (is_plain(x, y)) continue;
        const LatticePoint p{static_cast<std::int32_t>(x), static_cast<std::int32_t>(y)};
        const Corner c = around(p);
        // North-west, north-east and south-west alike, south-east different.
        if (c[0] == c[1] && c[0] == c[3] && is_line(c[0], c[2]) && !m_seen.test(p)) out.push_back(p);
      }
    }
  }

  /// Closed arcs in row-major order of their first corner.
  void trace_closed(const std::vector<LatticePoint>& starts, std::vector<Arc>& out) {
    for (const LatticePoint& p : starts) {
      if (!m_seen.test(p)) out.push_back(walk(p, Direction::kEast));
    }
  }

 private:
  [[nodiscard]] std::uint32_t label(std::int64_t col, std::int64_t row) const {
    if (col < 0 || row < 0 || col >= m_width || row >= m_height) return kOutsideInstance;
    return m_labels[row * m_width + col];
  }
  [[nodiscard]] Corner around(LatticePoint p) const {
    const std::int64_t x = p.x;
    const std::int64_t y = p.y;
    if (x > 0 && y > 0 && x < m_width && y < m_height) {
      const std::uint32_t* below = m_labels + y * m_width + x;
      const std::uint32_t* above = below - m_width;
      return {above[-1], above[0], below[0], below[-1]};
    }
    return {label(x - 1, y - 1), label(x, y - 1), label(x, y), label(x - 1, y)};
  }
  /// Inside the raster, with no line through it: most corners, told quickly.
  [[nodiscard]] bool is_plain(std::int64_t x, std::int64_t y) const {
    if (x == 0 || y == 0 || x == m_width || y == m_height) return false;
    const std::uint32_t* below = m_labels + y * m_width + x;
    const std::uint32_t* above = below - m_width;
    return above[-1] == above[0] && below[-1] == below[0] && above[0] == below[0];
  }
  static bool is_node(const Corner& c) {
    return (c[0] != c[1]) + (c[1] != c[2]) + (c[2] != c[3]) + (c[3] != c[0]) >= 3;
  }
  /// Pixels left and right of the side that leaves a corner.
  static std::pair<std::uint32_t, std::uint32_t> sides(const Corner& c, Direction d) {
    // East: between north-east (left) and south-east (right), and so on clockwise.
    const auto left = (static_cast<std::size_t>(d) + 1) % 4;
    return {c[left], c[(left + 1) % 4]};
  }

  Arc walk(LatticePoint start, Direction direction) {
    Arc arc;
    std::tie(arc.left, arc.right) = sides(around(start), direction);
    arc.first = direction;
    arc.points.push_back(start);
    LatticePoint p = start;
    for (;;) {
      const LatticePoint next = detail::step(p, direction);
      if (direction == Direction::kEast) m_seen.set(p);
      if (direction == Direction::kWest) m_seen.set(next);
      p = next;
      const Corner corner = around(p);
      if (p == start || is_node(corner)) break;
      const Direction old = direction;
      for (const int turn : {-1, 0, 1}) {
        const Direction candidate = detail::turned(old, turn);
        if (sides(corner, candidate) == std::pair(arc.left, arc.right)) direction = candidate;
      }
      if (direction != old) arc.points.push_back(p);
    }
    arc.last = direction;
    arc.points.push_back(p);
    return arc;
  }

  std::int64_t m_width;
  std::int64_t m_height;
  const std::uint32_t* m_labels;
  detail::LatticeBits m_seen;  ///< of the horizontal side east of each corner
};

}  // namespace

ArcSet trace_arcs(const Raster<std::uint32_t>& instances, ExecContext& exec) {
  exec.check_cancelled();
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max() - 1;
  if (instances.width() > kMost || instances.height() > kMost) {
    throw InvalidArgument(
        concat("a raster of ", instances.width(), " x ", instances.height(), " px is too large to trace"));
  }
  ArcSet set{instances.width(), instances.height(), {}};
  if (instances.empty()) return set;
  Tracer tracer(instances);
  const auto strips = detail::make_strips(instances.height() + 1);
  std::vector<std::vector<Arc>> open(strips.size());
  detail::for_each_strip(strips, [&](const detail::Strip& strip) {
    tracer.trace_from_nodes(strip.begin, strip.end, open[static_cast<std::size_t>(strip.index)]);
  });
  std::vector<std::vector<LatticePoint>> starts(strips.size());
  detail::for_each_strip(strips, [&](const detail::Strip& strip) {
    tracer.find_closed(strip.begin, strip.end, starts[static_cast<std::size_t>(strip.index)]);
  });
  for (auto& part : open) {
    for (auto& arc : part) set.arcs.push_back(std::move(arc));
  }
  for (const auto& part : starts) tracer.trace_closed(part, set.arcs);
  return set;
}

}  // namespace furrow::geo
