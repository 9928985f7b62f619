#include <furrow/geo/topology/arcs.h>

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

#include "lattice.h"
#include "line_corner.h"
#include "strips.h"

namespace furrow::geo {
namespace {

using detail::is_line;
using Corner = detail::LineCorner;

bool is_node(const Corner& c) {
  return detail::sides_between_regions(c) >= 3;
}

/// Pixels left and right of the side that leaves a corner.
std::pair<std::uint32_t, std::uint32_t> sides(const Corner& c, Direction d) {
  // East: between north-east (left) and south-east (right), and so on clockwise.
  const auto left = (static_cast<std::size_t>(d) + 1) % 4;
  return {c[left], c[(left + 1) % 4]};
}

Arc reversed(Arc arc) {
  std::ranges::reverse(arc.points);
  std::swap(arc.left, arc.right);
  const Direction first = detail::turned(arc.last, 2);
  arc.last = detail::turned(arc.first, 2);
  arc.first = first;
  return arc;
}

/// Where an arc begins, seen from either end: of the two ways to see it, the lower one is traced.
std::pair<std::uint64_t, int> beginning(const Arc& arc) {
  return {detail::lattice_key(arc.points.front()), static_cast<int>(arc.first)};
}
std::pair<std::uint64_t, int> other_beginning(const Arc& arc) {
  return {detail::lattice_key(arc.points.back()), static_cast<int>(detail::turned(arc.last, 2))};
}

}  // namespace

/// The tracer of one strip. Coordinates are those of the whole raster.
class ArcTracer::Strip {
 public:
  /// @param begin, end  rows of the strip
  Strip(const ArcTracer& all, const Raster<std::uint32_t>& instances, std::int64_t begin, std::int64_t end)
      : m_width(all.m_width),
        m_height(all.m_height),
        m_begin(begin),
        m_end(end),
        m_labels(instances.data().data()),
        m_first(begin > 0 ? begin - 1 : 0),
        m_seen(all.m_width, end - begin) {}

  /// Rows of corners that the strip answers for.
  [[nodiscard]] std::int64_t end_corner() const { return is_last() ? m_end + 1 : m_end; }

  /// Arcs that leave the nodes of some rows of corners, each from the lower of its two ends.
  void trace_from_nodes(std::int64_t first_row, std::int64_t end_row, std::vector<Piece>& out) {
    FarEnds far_ends(m_width, first_row, end_row);
    for (std::int64_t y = first_row; y < end_row; ++y) {
      // The side above the strip's first corners is that of the strip before.
      const bool at_top = y == m_begin && !is_first();
      const auto next = [&](std::int64_t x) { return at_top ? x : next_corner(x, y, may_be_node); };
      for (std::int64_t x = next(0); x <= m_width; x = next(x + 1)) {
        const LatticePoint p{static_cast<std::int32_t>(x), static_cast<std::int32_t>(y)};
        const Corner corner = around(p);
        if (!is_node(corner) && !(at_top && is_line(corner[0], corner[1]))) continue;
        for (int d = 0; d < (at_top ? 3 : 4); ++d)
          trace_from(p, corner, static_cast<Direction>(d), far_ends, out);
      }
    }
  }

  /// Arcs that come up from the next strip.
  void trace_from_below(std::vector<Piece>& out) {
    if (is_last()) return;
    FarEnds none(m_width, m_end, m_end);
    for (std::int64_t x = 0; x <= m_width; ++x) {
      const LatticePoint p{static_cast<std::int32_t>(x), static_cast<std::int32_t>(m_end)};
      trace_from(p, around(p), Direction::kNorth, none, out);
    }
  }

  /// Upper left corners of lines that no arc from a node has seen.
  void find_closed(std::int64_t first_row, std::int64_t end_row, std::vector<LatticePoint>& out) const {
    for (std::int64_t y = first_row; y < end_row; ++y) {
      const auto next = [&](std::int64_t x) { return next_corner(x, y, is_upper_left); };
      for (std::int64_t x = next(0); x < m_width; x = next(x + 1)) {
        const LatticePoint p{static_cast<std::int32_t>(x), static_cast<std::int32_t>(y)};
        const Corner c = around(p);
        if (is_upper_left(c[0], c[1], c[2], c[3]) && is_line(c[0], c[2]) && !m_seen.test(in_strip(p)))
          out.push_back(p);
      }
    }
  }

  /// Closed arcs whose uppermost corner lies in some rows, in row-major order of their first corner.
  /// @param starts  what find_closed gave for these rows
  void trace_closed(std::int64_t first_row, const std::vector<LatticePoint>& starts, std::vector<Arc>& out) {
    for (const LatticePoint& p : starts) {
      // Others may go around lines meanwhile, but only around such as reach their own, higher rows.
      if (m_seen.test(in_strip(p))) continue;
      Arc arc = walk(p, Direction::kEast, first_row);
      if (!arc.points.empty()) out.push_back(std::move(arc));
    }
  }

 private:
  /// The ends, in some rows of corners, of arcs that were walked from their other end: so most arcs are
  /// walked once.
  class FarEnds {
   public:
    FarEnds(std::int64_t width, std::int64_t first_row, std::int64_t end_row)
        : m_line(width + 1), m_first(first_row), m_end(end_row) {
      m_ways.resize(static_cast<std::size_t>(m_line * (m_end - m_first)), 0);
    }
    void add(LatticePoint p, Direction direction) {
      if (p.y >= m_first && p.y < m_end) m_ways[place(p)] |= way(direction);
    }
    [[nodiscard]] bool has(LatticePoint p, Direction direction) const {
      return p.y >= m_first && p.y < m_end && (m_ways[place(p)] & way(direction)) != 0;
    }

   private:
    [[nodiscard]] std::size_t place(LatticePoint p) const {
      return static_cast<std::size_t>((p.y - m_first) * m_line + p.x);
    }
    static std::uint8_t way(Direction direction) {
      return static_cast<std::uint8_t>(1U << static_cast<unsigned>(direction));
    }
    std::int64_t m_line;
    std::int64_t m_first;
    std::int64_t m_end;
    std::vector<std::uint8_t> m_ways;  ///< a bit for each direction
  };

  [[nodiscard]] bool is_first() const { return m_begin == 0; }
  [[nodiscard]] bool is_last() const { return m_end == m_height; }
  [[nodiscard]] LatticePoint in_strip(LatticePoint p) const {
    return {p.x, p.y - static_cast<std::int32_t>(m_begin)};
  }
  [[nodiscard]] std::uint32_t label(std::int64_t col, std::int64_t row) const {
    if (col < 0 || row < 0 || col >= m_width || row >= m_height) return kOutsideInstance;
    return m_labels[(row - m_first) * m_width + col];
  }
  [[nodiscard]] Corner around(LatticePoint p) const {
    const std::int64_t x = p.x;
    const std::int64_t y = p.y;
    if (x > 0 && y > 0 && x < m_width && y < m_height) {
      const std::uint32_t* below = m_labels + (y - m_first) * m_width + x;
      const std::uint32_t* above = below - m_width;
      return {above[-1], above[0], below[0], below[-1]};
    }
    return {label(x - 1, y - 1), label(x, y - 1), label(x, y), label(x - 1, y)};
  }
  /// Three sides and more between unlike pixels, which are named clockwise from north-west.
  static bool may_be_node(std::uint32_t nw, std::uint32_t ne, std::uint32_t se, std::uint32_t sw) {
    const bool north = nw != ne;
    const bool east = ne != se;
    const bool south = se != sw;
    const bool west = sw != nw;
    return (north & south & (east | west)) | (east & west & (north | south));
  }
  /// All alike but the one to the south-east.
  static bool is_upper_left(std::uint32_t nw, std::uint32_t ne, std::uint32_t se, std::uint32_t sw) {
    return (nw == ne) & (nw == sw) & (nw != se);
  }

  /// Column of the next corner of a row, from `x` on, that lies on the raster's border or is of some kind;
  /// beyond the width where there is none. Few are, so they are looked at by the dozen.
  template <class Kind>
  [[nodiscard]] std::int64_t next_corner(std::int64_t x, std::int64_t y, const Kind& is_of_kind) const {
    if (x == 0 || x >= m_width || y == 0 || y == m_height) return x;
    constexpr int kAtOnce = 16;
    const std::uint32_t* below = m_labels + (y - m_first) * m_width;
    const std::uint32_t* above = below - m_width;
    const auto is_at = [&](std::int64_t at) {
      return is_of_kind(above[at - 1], above[at], below[at], below[at - 1]);
    };
    while (x + kAtOnce <= m_width) {
      std::uint32_t any = 0;
      for (int i = 0; i < kAtOnce; ++i) any |= is_at(x + i) ? 1U : 0U;
      if (any != 0) break;
      x += kAtOnce;
    }
    while (x < m_width && !is_at(x)) ++x;
    return x;
  }

  /// Whether a turn goes around the upper left corner of the pixel below and to the right of it.
  static bool is_around_upper_left(Direction from, Direction to) {
    return (from == Direction::kNorth && to == Direction::kEast) ||
           (from == Direction::kWest && to == Direction::kSouth);
  }

  void trace_from(LatticePoint p, const Corner& corner, Direction direction, FarEnds& far_ends,
                  std::vector<Piece>& out) {
    const auto [left, right] = sides(corner, direction);
    if (!is_line(left, right) || far_ends.has(p, direction)) return;
    Arc arc = walk(p, direction);
    if (!(beginning(arc) < other_beginning(arc))) return;
    const bool ends_at_node = is_node(around(arc.points.back()));
    if (ends_at_node) far_ends.add(arc.points.back(), detail::turned(arc.last, 2));
    out.push_back({std::move(arc), is_node(corner), ends_at_node});
  }

  /// To the next node, back to the start, or to where the strip ends.
  /// @param top  an arc that reaches a row of corners above comes back without points
  Arc walk(LatticePoint start, Direction direction, std::int64_t top = 0) {
    Arc arc;
    std::tie(arc.left, arc.right) = sides(around(start), direction);
    arc.first = direction;
    arc.points.push_back(start);
    LatticePoint p = start;
    for (;;) {
      p = detail::step(p, direction);
      if (p.y < top) return {};
      arc.last = direction;
      const Corner corner = around(p);
      if (p == start || is_node(corner) || (p.y == m_end && !is_last())) break;
      for (const int turn : {-1, 0, 1}) {
        const Direction candidate = detail::turned(arc.last, turn);
        if (sides(corner, candidate) == std::pair(arc.left, arc.right)) direction = candidate;
      }
      if (p.y == m_begin && direction == Direction::kNorth) break;
      if (direction == arc.last) continue;
      arc.points.push_back(p);
      if (is_around_upper_left(arc.last, direction)) m_seen.set(in_strip(p));
    }
    arc.points.push_back(p);
    return arc;
  }

  std::int64_t m_width;
  std::int64_t m_height;
  std::int64_t m_begin;
  std::int64_t m_end;
  const std::uint32_t* m_labels;
  std::int64_t m_first;        ///< row that begins at m_labels
  detail::LatticeBits m_seen;  ///< the upper left corners that a line has gone around
};

/// Puts pieces together that meet at borders between strips: always two at a corner.
class ArcTracer::Joiner {
 public:
  explicit Joiner(std::vector<Piece>& pieces) : m_pieces(pieces), m_used(pieces.size(), false) {
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      if (!pieces[i].starts_at_node)
        m_ends.emplace_back(detail::lattice_key(pieces[i].arc.points.front()), i);
      if (!pieces[i].ends_at_node) m_ends.emplace_back(detail::lattice_key(pieces[i].arc.points.back()), i);
    }
    std::ranges::sort(m_ends);
  }

  void run(std::vector<Arc>& open, std::vector<Arc>& closed) {
    for (std::size_t i = 0; i < m_pieces.size(); ++i) {
      if (m_used[i] || !(m_pieces[i].starts_at_node || m_pieces[i].ends_at_node)) continue;
      Arc arc = follow(i, m_pieces[i].starts_at_node);
      open.push_back(other_beginning(arc) < beginning(arc) ? reversed(std::move(arc)) : std::move(arc));
    }
    for (std::size_t i = 0; i < m_pieces.size(); ++i) {
      if (!m_used[i]) closed.push_back(from_upper_left(follow(i, true)));
    }
  }

 private:
  /// From one end of a piece, away from it, until nothing follows.
  Arc follow(std::size_t i, bool forwards) {
    m_used[i] = true;
    Arc arc = forwards ? std::move(m_pieces[i].arc) : reversed(std::move(m_pieces[i].arc));
    bool at_node = forwards ? m_pieces[i].ends_at_node : m_pieces[i].starts_at_node;
    while (!at_node) {
      const std::size_t k = partner(detail::lattice_key(arc.points.back()), i);
      if (m_used[k]) break;  // around a closed line
      m_used[k] = true;
      Piece& piece = m_pieces[k];
      const bool starts_here = !piece.starts_at_node && piece.arc.points.front() == arc.points.back();
      at_node = starts_here ? piece.ends_at_node : piece.starts_at_node;
      const Arc next = starts_here ? std::move(piece.arc) : reversed(std::move(piece.arc));
      if (arc.last == next.first) arc.points.pop_back();  // no corner there
      arc.points.insert(arc.points.end(), next.points.begin() + 1, next.points.end());
      arc.last = next.last;
      i = k;
    }
    return arc;
  }

  [[nodiscard]] std::size_t partner(std::uint64_t corner, std::size_t i) const {
    const auto it = std::ranges::lower_bound(m_ends, std::pair(corner, std::size_t{0}));
    return it->second == i ? (it + 1)->second : it->second;
  }

  /// As the tracer sees a closed line: from its uppermost, then leftmost corner towards east.
  static Arc from_upper_left(Arc arc) {
    arc.points.pop_back();
    if (arc.first == arc.last) arc.points.erase(arc.points.begin());  // no corner there
    std::ranges::rotate(arc.points, std::ranges::min_element(arc.points, {}, detail::lattice_key));
    arc.points.push_back(arc.points.front());
    arc.first = Direction::kEast;
    arc.last = Direction::kNorth;
    if (arc.points[1].y == arc.points[0].y) return arc;
    std::ranges::reverse(arc.points);
    std::swap(arc.left, arc.right);
    return arc;
  }

  std::vector<Piece>& m_pieces;
  std::vector<bool> m_used;
  std::vector<std::pair<std::uint64_t, std::size_t>> m_ends;  ///< corner and piece
};

ArcTracer::ArcTracer(std::int64_t width, std::int64_t height) : m_width(width), m_height(height) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max() - 1;
  if (width > kMost || height > kMost) {
    throw InvalidArgument(concat("a raster of ", width, " x ", height, " px is too large to trace"));
  }
}

void ArcTracer::add(const Raster<std::uint32_t>& instances, std::int64_t rows, ExecContext& exec) {
  exec.check_cancelled();
  const std::int64_t begin = m_next_row;
  const std::int64_t end = begin + rows;
  const std::int64_t expected = rows + (begin > 0 ? 1 : 0) + (end < m_height ? 1 : 0);
  if (rows < 1 || end > m_height || instances.width() != m_width || instances.height() != expected) {
    throw InvalidArgument(concat("rows ", begin, " to ", end, " of a raster of ", m_width, " x ", m_height,
                                 " px cannot be traced from ", instances.width(), " x ", instances.height(),
                                 " px"));
  }
  m_next_row = end;
  if (m_width == 0) return;
  Strip tracer(*this, instances, begin, end);
  const auto strips = detail::make_strips(begin, tracer.end_corner());
  std::vector<std::vector<Piece>> found(strips.size() + 1);
  detail::for_each_strip(strips, [&](const detail::Strip& strip) {
    tracer.trace_from_nodes(strip.begin, strip.end, found[static_cast<std::size_t>(strip.index)]);
  });
  tracer.trace_from_below(found.back());
  std::vector<std::vector<LatticePoint>> starts(strips.size());
  detail::for_each_strip(strips, [&](const detail::Strip& strip) {
    tracer.find_closed(strip.begin, strip.end, starts[static_cast<std::size_t>(strip.index)]);
  });
  for (auto& part : found) {
    for (auto& piece : part) {
      if (piece.starts_at_node && piece.ends_at_node) {
        m_open.push_back(std::move(piece.arc));
      } else {
        m_pieces.push_back(std::move(piece));
      }
    }
  }
  std::vector<std::vector<Arc>> closed(strips.size());
  detail::for_each_strip(strips, [&](const detail::Strip& strip) {
    const auto i = static_cast<std::size_t>(strip.index);
    tracer.trace_closed(strip.begin, starts[i], closed[i]);
  });
  for (auto& part : closed) std::ranges::move(part, std::back_inserter(m_closed));
}

std::vector<Arc> ArcTracer::take() {
  std::vector<Arc> arcs = std::exchange(m_open, {});
  std::ranges::move(std::exchange(m_closed, {}), std::back_inserter(arcs));
  return arcs;
}

ArcSet ArcTracer::finish() {
  if (m_next_row != m_height) throw InvalidArgument("the tracer lacks rows");
  Joiner(m_pieces).run(m_open, m_closed);
  m_pieces = {};
  std::ranges::sort(m_open, {}, beginning);
  std::ranges::sort(m_closed, {}, beginning);
  ArcSet set{m_width, m_height, 1, std::move(m_open)};
  std::ranges::move(m_closed, std::back_inserter(set.arcs));
  return set;
}

ArcSet trace_arcs(const Raster<std::uint32_t>& instances, ExecContext& exec) {
  ArcTracer tracer(instances.width(), instances.height());
  if (!instances.empty()) tracer.add(instances, instances.height(), exec);
  return instances.empty() ? ArcSet{instances.width(), instances.height(), 1, {}} : tracer.finish();
}

}  // namespace furrow::geo
