#include "gap_bridges.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <tuple>

#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/vector/box_index.h>

namespace furrow::geo::detail {
namespace {

Point to_point(GridPoint p) {
  return {static_cast<double>(p.x), static_cast<double>(p.y)};
}

/// The point of a segment that is nearest to p on the ground.
Point nearest_point(GridPoint p, const OutlineSegment& s, StepLength step) {
  const double ax = static_cast<double>(s.from.x - p.x) * step.x;
  const double ay = static_cast<double>(s.from.y - p.y) * step.y;
  const double dx = static_cast<double>(s.to.x - s.from.x) * step.x;
  const double dy = static_cast<double>(s.to.y - s.from.y) * step.y;
  const double t = std::clamp(-(ax * dx + ay * dy) / (dx * dx + dy * dy), 0.0, 1.0);
  return {static_cast<double>(s.from.x) + t * static_cast<double>(s.to.x - s.from.x),
          static_cast<double>(s.from.y) + t * static_cast<double>(s.to.y - s.from.y)};
}

GridPoint rounded(Point p) {
  return {static_cast<std::int64_t>(std::floor(p.x + 0.5)), static_cast<std::int64_t>(std::floor(p.y + 0.5))};
}

/// Where a bridge to that point of a segment ends: on a corner where one is so near that a new vertex would
/// only make a sliver.
GridPoint bridge_end(Point p, const OutlineSegment& s) {
  constexpr std::int64_t kNear = 2;
  const GridPoint end = rounded(p);
  for (const GridPoint corner : {s.from, s.to}) {
    if (std::abs(corner.x - end.x) <= kNear && std::abs(corner.y - end.y) <= kNear) return corner;
  }
  return end;
}

/// The middle of a-b lies in the shape (by winding).
bool covers_middle(const GridShape& shape, GridPoint a, GridPoint b) {
  const GridPoint m{a.x + b.x, a.y + b.y};
  int winding = 0;
  for (const auto& ring : shape.rings) {
    for (std::size_t i = 0; i < ring.size(); ++i) {
      const GridPoint p{2 * ring[i].x, 2 * ring[i].y};
      const GridPoint& after = ring[(i + 1) % ring.size()];
      const GridPoint q{2 * after.x, 2 * after.y};
      if ((p.y <= m.y) == (q.y <= m.y)) continue;
      const int side = sign(turn(p, q, m));
      if (p.y <= m.y && side > 0) ++winding;
      if (q.y <= m.y && side < 0) --winding;
    }
  }
  return winding != 0;
}

struct Bridge {
  std::optional<GridPoint> end;
  bool touches = false;  ///< the point lies on another feature

  [[nodiscard]] bool is_near() const { return end.has_value() || touches; }
};

class Bridges {
 public:
  Bridges(std::span<const GridShape> shapes, const std::vector<OutlineSegment>& outlines,
          const GroundScale& scale, double width_m)
      : m_shapes(shapes),
        m_outlines(outlines),
        m_scale(scale),
        m_width(width_m),
        m_end_width(kEndShare * width_m) {
    std::vector<Box> boxes(outlines.size());
    for (std::size_t i = 0; i < outlines.size(); ++i) {
      boxes[i].expand(to_point(outlines[i].from));
      boxes[i].expand(to_point(outlines[i].to));
    }
    m_segments.emplace(boxes);
    boxes.clear();
    for (const GridShape& shape : shapes) boxes.push_back(shape.box);
    m_features.emplace(boxes);
  }

  /// The bridge from a point on an outline.
  /// @param own  the piece of outline on which the point lies
  [[nodiscard]] Bridge from(GridPoint v, const OutlineSegment& own, double width_m) const {
    const StepLength step = m_scale.at(v);
    const Point p = to_point(v);
    const double reach_x = width_m / step.x + 1.0;
    const double reach_y = width_m / step.y + 1.0;
    const auto near = m_segments->query({p.x - reach_x, p.y - reach_y, p.x + reach_x, p.y + reach_y});
    std::vector<Candidate> candidates;
    Bridge bridge;
    for (const std::size_t i : near) {
      const OutlineSegment& s = m_outlines[i];
      if (s.feature == own.feature) continue;
      const GridPoint end = bridge_end(nearest_point(v, s, step), s);
      const double away =
          std::hypot(static_cast<double>(end.x - v.x) * step.x, static_cast<double>(end.y - v.y) * step.y);
      bridge.touches |= end == v;
      if (end != v && away <= width_m) candidates.push_back({away, end, i});
    }
    std::ranges::sort(candidates, {},
                      [](const Candidate& c) { return std::tuple(c.away, c.end, c.segment); });
    for (const Candidate& c : candidates) {
      if (!is_free(v, own, c, near)) continue;
      bridge.end = c.end;
      break;
    }
    return bridge;
  }

  /// The furthest point from v towards u whose bridge is not too long, when it is worth it.
  [[nodiscard]] std::optional<GridPoint> last_bridged(GridPoint v, GridPoint u,
                                                      const OutlineSegment& own) const {
    double low = 0.0;
    double high = 1.0;
    const auto between = [&](double t) {
      return rounded({static_cast<double>(v.x) + t * static_cast<double>(u.x - v.x),
                      static_cast<double>(v.y) + t * static_cast<double>(u.y - v.y)});
    };
    const double worth = 0.5 * m_width / std::max(m_scale.length_m(v, u), 1e-9);
    if (worth >= 1.0 || !from(between(worth), own, m_end_width).end) return std::nullopt;
    low = worth;
    constexpr int kHalvings = 24;
    for (int i = 0; i < kHalvings && between(low) != between(high); ++i) {
      const double middle = 0.5 * (low + high);
      (from(between(middle), own, m_end_width).end ? low : high) = middle;
    }
    return between(low);
  }

 private:
  struct Candidate {
    double away;
    GridPoint end;
    std::size_t segment;
  };

  static bool same_line(const OutlineSegment& s, const OutlineSegment& t) {
    return (s.from == t.from && s.to == t.to) || (s.from == t.to && s.to == t.from);
  }

  /// No outline lies between the two ends, and the ground between them is uncovered.
  [[nodiscard]] bool is_free(GridPoint v, const OutlineSegment& own, const Candidate& c,
                             const std::vector<std::size_t>& near) const {
    for (const std::size_t i : near) {
      const OutlineSegment& s = m_outlines[i];
      if (same_line(s, own) || same_line(s, m_outlines[c.segment])) continue;
      if (s.from == v || s.to == v || s.from == c.end || s.to == c.end) continue;
      const int a = sign(turn(v, c.end, s.from)) * sign(turn(v, c.end, s.to));
      const int b = sign(turn(s.from, s.to, v)) * sign(turn(s.from, s.to, c.end));
      if (a <= 0 && b < 0) return false;
    }
    const Box middle{0.5 * static_cast<double>(v.x + c.end.x), 0.5 * static_cast<double>(v.y + c.end.y),
                     0.5 * static_cast<double>(v.x + c.end.x), 0.5 * static_cast<double>(v.y + c.end.y)};
    return std::ranges::none_of(m_features->query(middle),
                                [&](std::size_t f) { return covers_middle(m_shapes[f], v, c.end); });
  }

  std::span<const GridShape> m_shapes;
  const std::vector<OutlineSegment>& m_outlines;
  const GroundScale& m_scale;
  /// The end of a gap that opens is looked for at this part of the width: of a gap that is as wide as allowed
  /// all along, rounding would find another end each time.
  static constexpr double kEndShare = 0.95;

  double m_width;
  double m_end_width;
  std::optional<BoxIndex> m_segments;
  std::optional<BoxIndex> m_features;
};

/// First outline segment of each ring; rings lie one behind the other.
std::vector<std::size_t> ring_starts(std::span<const GridShape> shapes) {
  std::vector<std::size_t> starts{0};
  for (const GridShape& shape : shapes) {
    for (const auto& ring : shape.rings) starts.push_back(starts.back() + ring.size());
  }
  return starts;
}

}  // namespace

std::vector<OutlineSegment> gap_bridges(std::span<const GridShape> shapes,
                                        const std::vector<OutlineSegment>& outlines, const GroundScale& scale,
                                        double width_m, ExecContext& exec) {
  const Bridges bridges(shapes, outlines, scale, width_m);
  std::vector<Bridge> ends(outlines.size());
  tbb::parallel_for(std::size_t{0}, outlines.size(),
                    [&](std::size_t i) { ends[i] = bridges.from(outlines[i].from, outlines[i], width_m); });
  exec.check_cancelled();
  std::vector<std::vector<OutlineSegment>> found(outlines.size());
  const auto starts = ring_starts(shapes);
  tbb::parallel_for(std::size_t{0}, starts.size() - 1, [&](std::size_t r) {
    for (std::size_t i = starts[r]; i < starts[r + 1]; ++i) {
      const std::size_t after = i + 1 == starts[r + 1] ? starts[r] : i + 1;
      if (ends[i].end) found[i].push_back({outlines[i].from, *ends[i].end, kNoFeature});
      if (ends[i].is_near() == ends[after].is_near()) continue;
      const GridPoint near = ends[i].is_near() ? outlines[i].from : outlines[i].to;
      const GridPoint far = ends[i].is_near() ? outlines[i].to : outlines[i].from;
      const auto last = bridges.last_bridged(near, far, outlines[i]);
      if (!last) continue;
      if (const auto end = bridges.from(*last, outlines[i], width_m).end)
        found[i].push_back({*last, *end, kNoFeature});
    }
  });
  std::vector<OutlineSegment> all;
  for (const auto& some : found) all.insert(all.end(), some.begin(), some.end());
  return all;
}

}  // namespace furrow::geo::detail
