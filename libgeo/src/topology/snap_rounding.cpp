#include "snap_rounding.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <tuple>
#include <utility>

#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_sort.h>

#include <furrow/geo/vector/box_index.h>

namespace furrow::geo::detail {
namespace {

/// A segment from its lower to its upper end with one of the features it belongs to.
struct Piece {
  GridPoint a;
  GridPoint b;
  std::uint32_t feature = kNoFeature;
  std::int32_t winding = 0;

  friend bool operator<(const Piece& p, const Piece& q) {
    return std::tie(p.a, p.b, p.feature, p.winding) < std::tie(q.a, q.b, q.feature, q.winding);
  }
  [[nodiscard]] bool same_line(const Piece& other) const { return a == other.a && b == other.b; }
};

Piece directed(GridPoint from, GridPoint to, std::uint32_t feature, std::int32_t winding) {
  return from < to ? Piece{from, to, feature, winding} : Piece{to, from, feature, -winding};
}

Box box_of(GridPoint a, GridPoint b, double margin) {
  Box box;
  box.expand(Point{static_cast<double>(a.x), static_cast<double>(a.y)});
  box.expand(Point{static_cast<double>(b.x), static_cast<double>(b.y)});
  return {box.min_x - margin, box.min_y - margin, box.max_x + margin, box.max_y + margin};
}

std::int64_t floor_div(Wide a, Wide b) {
  const Wide q = a / b;
  return static_cast<std::int64_t>((a % b != 0 && (a < 0) != (b < 0)) ? q - 1 : q);
}

/// start + delta x num / den, rounded to the pixel [v - 1/2, v + 1/2) that holds it; den > 0.
std::int64_t rounded(std::int64_t start, std::int64_t delta, Wide num, Wide den) {
  return start + floor_div(2 * Wide{delta} * num + den, 2 * den);
}

/// Adds the pixel in which two segments cross between their ends.
void add_crossing(const Piece& s, const Piece& t, std::vector<GridPoint>& found) {
  const Wide ta = turn(s.a, s.b, t.a);
  const Wide tb = turn(s.a, s.b, t.b);
  if (sign(ta) * sign(tb) >= 0) return;
  const Wide sa = turn(t.a, t.b, s.a);
  const Wide sb = turn(t.a, t.b, s.b);
  if (sign(sa) * sign(sb) >= 0) return;
  const Wide num = sa < 0 ? -sa : sa;
  const Wide den = num + (sb < 0 ? -sb : sb);
  found.push_back({rounded(s.a.x, s.b.x - s.a.x, num, den), rounded(s.a.y, s.b.y - s.a.y, num, den)});
}

/// First pieces of each line; pieces are sorted.
std::vector<std::size_t> line_starts(const std::vector<Piece>& pieces) {
  std::vector<std::size_t> starts;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (i == 0 || !pieces[i].same_line(pieces[i - 1])) starts.push_back(i);
  }
  starts.push_back(pieces.size());
  return starts;
}

template <class T>
void sort_unique(std::vector<T>& list) {
  tbb::parallel_sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

class SnapRounder {
 public:
  explicit SnapRounder(std::vector<Piece> pieces) : m_active(std::move(pieces)) {}

  std::vector<Piece> run(ExecContext& exec) {
    tbb::parallel_sort(m_active.begin(), m_active.end());
    m_starts = line_starts(m_active);
    find_hot_pixels();
    while (!m_active.empty()) {
      exec.check_cancelled();
      lead_through_hot_pixels();
      tbb::parallel_sort(m_active.begin(), m_active.end());
      m_starts = line_starts(m_active);
    }
    tbb::parallel_sort(m_done.begin(), m_done.end());
    return std::move(m_done);
  }

 private:
  [[nodiscard]] std::size_t lines() const { return m_starts.size() - 1; }
  [[nodiscard]] const Piece& line(std::size_t i) const { return m_active[m_starts[i]]; }

  void find_hot_pixels() {
    std::vector<Box> boxes(lines());
    for (std::size_t i = 0; i < lines(); ++i) boxes[i] = box_of(line(i).a, line(i).b, 0.0);
    const BoxIndex index(boxes);
    tbb::enumerable_thread_specific<std::vector<GridPoint>> found;
    tbb::parallel_for(std::size_t{0}, lines(), [&](std::size_t i) {
      auto& local = found.local();
      for (const std::size_t j : index.query(boxes[i])) {
        if (j > i) add_crossing(line(i), line(j), local);
      }
    });
    for (const auto& local : found) m_hot.insert(m_hot.end(), local.begin(), local.end());
    for (std::size_t i = 0; i < lines(); ++i) {
      m_hot.push_back(line(i).a);
      m_hot.push_back(line(i).b);
    }
    sort_unique(m_hot);
    boxes.resize(m_hot.size());
    for (std::size_t i = 0; i < m_hot.size(); ++i) boxes[i] = box_of(m_hot[i], m_hot[i], 0.0);
    m_index = std::make_unique<BoxIndex>(boxes);
  }

  /// The hot pixels on the way from a to b, both included.
  [[nodiscard]] std::vector<GridPoint> way(const Piece& s) const {
    std::vector<std::pair<Wide, GridPoint>> stops;
    for (const std::size_t k : m_index->query(box_of(s.a, s.b, 0.0))) {
      const GridPoint p = m_hot[k];
      if (!passes_through(s.a, s.b, p)) continue;
      const Wide along = Wide{p.x - s.a.x} * (s.b.x - s.a.x) + Wide{p.y - s.a.y} * (s.b.y - s.a.y);
      stops.emplace_back(along, p);
    }
    std::ranges::sort(stops);
    std::vector<GridPoint> points;
    for (const auto& stop : stops) points.push_back(stop.second);
    return points;
  }

  /// Lines without a stop between their ends are done; the pieces of the others are looked at again.
  void lead_through_hot_pixels() {
    std::vector<std::vector<GridPoint>> ways(lines());
    tbb::parallel_for(std::size_t{0}, lines(), [&](std::size_t i) {
      ways[i] = way(line(i));
      if (ways[i].size() <= 2) ways[i] = {};
    });
    std::vector<Piece> again;
    for (std::size_t i = 0; i < lines(); ++i) {
      for (std::size_t k = m_starts[i]; k < m_starts[i + 1]; ++k) {
        if (ways[i].empty()) m_done.push_back(m_active[k]);
        for (std::size_t p = 0; p + 1 < ways[i].size(); ++p) {
          again.push_back(directed(ways[i][p], ways[i][p + 1], m_active[k].feature, m_active[k].winding));
        }
      }
    }
    m_active = std::move(again);
  }

  std::vector<Piece> m_active;  ///< sorted
  std::vector<std::size_t> m_starts;
  std::vector<Piece> m_done;
  std::vector<GridPoint> m_hot;  ///< sorted
  std::unique_ptr<BoxIndex> m_index;
};

/// One edge per line; a feature that lies on both sides of it does not cross it.
NodedLines merged(const std::vector<Piece>& pieces) {
  NodedLines lines;
  const auto starts = line_starts(pieces);
  for (std::size_t i = 0; i + 1 < starts.size(); ++i) {
    const std::size_t first = lines.crossings.size();
    bool divides = false;
    for (std::size_t k = starts[i]; k < starts[i + 1]; ++k) {
      const Piece& piece = pieces[k];
      divides |= piece.feature == kNoFeature;
      if (piece.feature == kNoFeature) continue;
      if (lines.crossings.size() == first || lines.crossings.back().feature != piece.feature) {
        lines.crossings.push_back({piece.feature, 0});
      }
      lines.crossings.back().winding += piece.winding;
    }
    const auto begin = lines.crossings.begin() + static_cast<std::ptrdiff_t>(first);
    lines.crossings.erase(
        std::remove_if(begin, lines.crossings.end(), [](const Crossing& c) { return c.winding == 0; }),
        lines.crossings.end());
    const std::size_t count = lines.crossings.size() - first;
    if (count > 0 || divides) lines.edges.push_back({pieces[starts[i]].a, pieces[starts[i]].b, first, count});
  }
  return lines;
}

}  // namespace

bool passes_through(GridPoint a, GridPoint b, GridPoint pixel) {
  if (b < a) std::swap(a, b);
  if (pixel.x < a.x || pixel.x > b.x) return false;
  if (pixel.y < std::min(a.y, b.y) || pixel.y > std::max(a.y, b.y)) return false;
  const GridPoint from{2 * a.x, 2 * a.y};
  const GridPoint to{2 * b.x, 2 * b.y};
  bool left = false;
  bool right = false;
  for (const int dx : {-1, 1}) {
    for (const int dy : {-1, 1}) {
      const Wide side = turn(from, to, {2 * pixel.x + dx, 2 * pixel.y + dy});
      if (side == 0 && dx < 0 && dy < 0) return true;
      left |= side > 0;
      right |= side < 0;
    }
  }
  return left && right;
}

NodedLines snap_round(const std::vector<OutlineSegment>& segments, ExecContext& exec) {
  std::vector<Piece> pieces;
  pieces.reserve(segments.size());
  for (const OutlineSegment& s : segments) {
    if (s.from != s.to) pieces.push_back(directed(s.from, s.to, s.feature, 1));
  }
  return merged(SnapRounder(std::move(pieces)).run(exec));
}

}  // namespace furrow::geo::detail
