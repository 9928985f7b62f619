#include "outlines.h"

#include <algorithm>
#include <cmath>

#include <furrow/geo/core/error.h>

namespace furrow::labelling {
namespace {

/// Outlines exactly `distance` apart must not fall to either side by rounding of large coordinates.
constexpr double kRounding_m = 1e-6;

struct Interval {
  double from = 0.0;
  double to = -1.0;
  void add(double f, double t) {
    if (f > t) return;
    if (from > to) {
      from = f;
      to = t;
    } else {
      from = std::min(from, f);
      to = std::max(to, t);
    }
  }
};

double length_of(const Segment& s) {
  return std::hypot(s.b.x - s.a.x, s.b.y - s.a.y);
}

/// Narrows [from, to] to where low <= c + k t <= high.
void narrow(double c, double k, double low, double high, double& from, double& to) {
  if (k == 0.0) {
    if (c < low || c > high) to = from - 1.0;
    return;
  }
  const double t1 = (low - c) / k;
  const double t2 = (high - c) / k;
  from = std::max(from, std::min(t1, t2));
  to = std::min(to, std::max(t1, t2));
}

/// Where the point at arc length t of `measured` is within `distance` of `target`.
/// The points within a distance of a segment form a convex shape (a rectangle and two discs), so this is one
/// interval.
Interval within(const Line& measured, const Line& target, double distance) {
  const geo::Point p = measured.start;
  const geo::Point u = measured.direction;
  Interval result;
  const auto disc = [&](geo::Point centre) {
    const double dx = centre.x - p.x;
    const double dy = centre.y - p.y;
    const double along = dx * u.x + dy * u.y;
    const double across = dx * u.y - dy * u.x;
    const double half_squared = distance * distance - across * across;
    if (half_squared < 0.0) return;
    const double half = std::sqrt(half_squared);
    result.add(along - half, along + half);
  };
  disc(target.start);
  disc(target.end);
  if (target.length > 0.0) {
    const geo::Point v = target.direction;
    const geo::Point offset{p.x - target.start.x, p.y - target.start.y};
    double from = -std::numeric_limits<double>::infinity();
    double to = std::numeric_limits<double>::infinity();
    narrow(offset.x * v.x + offset.y * v.y, u.x * v.x + u.y * v.y, 0.0, target.length, from, to);
    narrow(offset.x * v.y - offset.y * v.x, u.x * v.y - u.y * v.x, -distance, distance, from, to);
    result.add(std::max(from, 0.0), std::min(to, measured.length));
  }
  return result;
}

geo::Box box_of(const Segment& s) {
  geo::Box box;
  box.expand(s.a);
  box.expand(s.b);
  return box;
}

std::vector<geo::Box> boxes_of(const std::vector<Segment>& segments) {
  std::vector<geo::Box> boxes;
  boxes.reserve(segments.size());
  for (const auto& s : segments) boxes.push_back(box_of(s));
  return boxes;
}

void append_points(const geo::Ring& points, std::vector<Segment>& segments) {
  for (std::size_t i = 0; i + 1 < points.size(); ++i) {
    if (!(points[i] == points[i + 1])) segments.push_back({points[i], points[i + 1]});
  }
}

}  // namespace

void append_segments(const geo::MultiPolygon& shape, std::vector<Segment>& segments) {
  for (const auto& polygon : shape) {
    append_points(polygon.shell, segments);
    for (const auto& hole : polygon.holes) append_points(hole, segments);
  }
}

void append_segments(const GEOSGeometry* geometry, std::vector<Segment>& segments) {
  const auto context = geo::geos::context();
  const int type = GEOSGeomTypeId_r(context, geometry);
  if (type == GEOS_LINESTRING || type == GEOS_LINEARRING) {
    const GEOSCoordSequence* sequence = GEOSGeom_getCoordSeq_r(context, geometry);
    unsigned size = 0;
    if (sequence == nullptr || GEOSCoordSeq_getSize_r(context, sequence, &size) == 0) {
      throw geo::GeometryError("geometry operation getCoordSeq failed");
    }
    geo::Ring points(size);
    if (size > 0) GEOSCoordSeq_copyToBuffer_r(context, sequence, &points.front().x, 0, 0);
    append_points(points, segments);
  } else if (type == GEOS_MULTILINESTRING || type == GEOS_GEOMETRYCOLLECTION) {
    const int parts = GEOSGetNumGeometries_r(context, geometry);
    for (int i = 0; i < parts; ++i) append_segments(GEOSGetGeometryN_r(context, geometry, i), segments);
  }
}

double total_length(const std::vector<Segment>& segments) {
  double total = 0.0;
  for (const auto& s : segments) total += length_of(s);
  return total;
}

Line::Line(const Segment& segment) : start(segment.a), end(segment.b), length(length_of(segment)) {
  if (length > 0.0) direction = {(end.x - start.x) / length, (end.y - start.y) / length};
}

OutlineIndex::OutlineIndex(const std::vector<Segment>& segments)
    : m_lines(segments.begin(), segments.end()), m_index(boxes_of(segments)) {}

double OutlineIndex::length_beyond(const std::vector<Segment>& measured, double distance) const {
  double total = 0.0;
  for (const auto& segment : measured) total += length_beyond(Line(segment), distance);
  return total;
}

std::vector<std::size_t> OutlineIndex::near(const Line& measured, double distance) const {
  const double reach = distance + kRounding_m;
  const geo::Box box = box_of({measured.start, measured.end});
  return m_index.query({box.min_x - reach, box.min_y - reach, box.max_x + reach, box.max_y + reach});
}

double OutlineIndex::length_beyond(const Line& measured, double distance) const {
  return length_beyond(measured, distance, near(measured, distance));
}

double OutlineIndex::length_beyond(const Line& measured, double distance,
                                   const std::vector<std::size_t>& candidates) const {
  const double length = measured.length;
  const double reach = distance + kRounding_m;
  std::vector<Interval> covered;
  covered.reserve(candidates.size());
  for (const std::size_t i : candidates) {
    const Interval interval = within(measured, m_lines[i], reach);
    if (interval.from > interval.to || interval.to < 0.0 || interval.from > length) continue;
    if (interval.from <= 0.0 && interval.to >= length) return 0.0;
    covered.push_back({std::max(interval.from, 0.0), std::min(interval.to, length)});
  }
  std::ranges::sort(covered, {}, &Interval::from);
  double beyond = 0.0;
  double reached = 0.0;
  for (const auto& interval : covered) {
    if (interval.from > reached) beyond += interval.from - reached;
    reached = std::max(reached, interval.to);
  }
  return beyond + std::max(length - reached, 0.0);
}

namespace {

/// The part of an outline that was not yet within the distances tried.
class Remaining {
 public:
  Remaining(const std::vector<Segment>& segments, const OutlineIndex& target) : m_target(target) {
    m_pieces.reserve(segments.size());
    for (const auto& segment : segments) m_pieces.push_back({Line(segment), {}});
  }

  /// Length beyond `distance`; remembers which segments have any.
  double beyond(double distance) {
    double total = 0.0;
    m_candidates.clear();
    for (std::size_t i = 0; i < m_pieces.size(); ++i) {
      const Piece& piece = m_pieces[i];
      const double length = m_bounded ? m_target.length_beyond(piece.line, distance, piece.near)
                                      : m_target.length_beyond(piece.line, distance);
      if (length > 0.0) m_candidates.push_back(i);
      total += length;
    }
    return total;
  }

  /// Larger distances follow: segments wholly within the last one stay so.
  void keep_candidates() {
    for (std::size_t i = 0; i < m_candidates.size(); ++i) {
      if (m_candidates[i] != i) m_pieces[i] = std::move(m_pieces[m_candidates[i]]);
    }
    m_pieces.erase(m_pieces.begin() + static_cast<std::ptrdiff_t>(m_candidates.size()), m_pieces.end());
  }

  /// No distance above `high` follows: what is near is looked up once.
  void bound(double high) {
    for (auto& piece : m_pieces) piece.near = m_target.near(piece.line, high);
    m_bounded = true;
  }

 private:
  struct Piece {
    Line line;
    std::vector<std::size_t> near;  ///< once bounded
  };

  std::vector<Piece> m_pieces;
  std::vector<std::size_t> m_candidates;
  const OutlineIndex& m_target;
  bool m_bounded = false;
};

}  // namespace

double outline_distance(const std::vector<Segment>& first, const OutlineIndex& first_index,
                        const std::vector<Segment>& second, const OutlineIndex& second_index, double share) {
  constexpr double kResolution_m = 0.01;
  const double allowed = (1.0 - share) * (total_length(first) + total_length(second));
  Remaining from_first(first, second_index);
  Remaining from_second(second, first_index);
  const auto within = [&](double distance) {
    if (from_first.beyond(distance) + from_second.beyond(distance) <= allowed) return true;
    from_first.keep_candidates();
    from_second.keep_candidates();
    return false;
  };
  if (within(0.0)) return 0.0;
  double low = 0.0;
  double high = 1.0;
  while (!within(high)) {
    low = high;
    high *= 2.0;
  }
  from_first.bound(high);
  from_second.bound(high);
  while (high - low > kResolution_m) {
    const double middle = 0.5 * (low + high);
    (within(middle) ? high : low) = middle;
  }
  return high;
}

}  // namespace furrow::labelling
