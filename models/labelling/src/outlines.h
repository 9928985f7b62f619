#pragma once

#include <vector>

#include <furrow/geo/vector/box_index.h>
#include <furrow/geo/vector/geos.h>

/// Lengths of outlines near other outlines, exact: no buffer polygon, so no arc approximation.
namespace furrow::labelling {

struct Segment {
  geo::Point a;
  geo::Point b;
};

/// Appends the edges of all rings.
void append_segments(const geo::MultiPolygon& shape, std::vector<Segment>& segments);
/// Appends the edges of all lines in a GEOS geometry of the calling thread; polygons and points are left out.
void append_segments(const GEOSGeometry* geometry, std::vector<Segment>& segments);

[[nodiscard]] double total_length(const std::vector<Segment>& segments);

/// Outlines to measure distances to.
class OutlineIndex {
 public:
  explicit OutlineIndex(std::vector<Segment> segments);

  /// Length of the part of `measured` that is farther than `distance` from every segment of this outline.
  /// Exact to rounding: a point is within `distance` of a segment on one interval of the measured segment.
  [[nodiscard]] double length_beyond(const std::vector<Segment>& measured, double distance) const;
  [[nodiscard]] double length_beyond(const Segment& measured, double distance) const;

 private:
  std::vector<Segment> m_segments;
  geo::BoxIndex m_index;
};

/// The smallest distance (to 0.01) within which at least `share` of both outlines lies of the other one.
[[nodiscard]] double outline_distance(const std::vector<Segment>& first, const OutlineIndex& first_index,
                                      const std::vector<Segment>& second, const OutlineIndex& second_index,
                                      double share);

}  // namespace furrow::labelling
