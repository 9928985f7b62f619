#pragma once

#include <vector>

#include <furrow/geo/vector/box_index.h>
#include <furrow/geo/vector/geos.h>

/// Lengths of outlines near other outlines, exact: no buffer polygon, so no arc approximation.
namespace furrow::labelling {

/// Outlines this near the border of a cell run along it.
constexpr double kCellBorder_m = 0.25;

struct Segment {
  geo::Point a;
  geo::Point b;
};

/// Appends the edges of all rings.
void append_segments(const geo::MultiPolygon& shape, std::vector<Segment>& segments);
/// Appends the edges of all lines in a GEOS geometry of the calling thread; polygons and points are left out.
void append_segments(const GEOSGeometry* geometry, std::vector<Segment>& segments);

[[nodiscard]] double total_length(const std::vector<Segment>& segments);

/// A segment with what distances to it, or along it, need.
struct Line {
  explicit Line(const Segment& segment);

  geo::Point start;
  geo::Point end;
  geo::Point direction;  ///< unit vector; (0, 0) when the length is 0
  double length = 0.0;
};

/// Outlines to measure distances to.
class OutlineIndex {
 public:
  explicit OutlineIndex(const std::vector<Segment>& segments);

  /// Length of the part of `measured` that is farther than `distance` from every segment of this outline.
  /// Exact to rounding: a point is within `distance` of a segment on one interval of the measured segment.
  [[nodiscard]] double length_beyond(const std::vector<Segment>& measured, double distance) const;
  [[nodiscard]] double length_beyond(const Line& measured, double distance) const;

  /// Positions of the segments that can lie within `distance` of `measured`.
  [[nodiscard]] std::vector<std::size_t> near(const Line& measured, double distance) const;
  /// length_beyond with the answer of `near` for this distance or a larger one.
  [[nodiscard]] double length_beyond(const Line& measured, double distance,
                                     const std::vector<std::size_t>& candidates) const;

 private:
  std::vector<Line> m_lines;
  geo::BoxIndex m_index;
};

/// The smallest distance (to 0.01) within which at least `share` of both outlines lies of the other one.
[[nodiscard]] double outline_distance(const std::vector<Segment>& first, const OutlineIndex& first_index,
                                      const std::vector<Segment>& second, const OutlineIndex& second_index,
                                      double share);

}  // namespace furrow::labelling
