#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <furrow/geo/vector/geometry.h>

namespace furrow::labelling {

/// One polygon that one of several labellers drew.
struct DrawnPolygon {
  geo::MultiPolygon shape;     ///< valid, planar, metres
  std::uint32_t labeller = 0;  ///< 0 .. number of weights - 1
};

/// A field that one labeller or several drew alike.
struct CandidateField {
  std::size_t typical = 0;  ///< the polygon that agrees best with the others, a position in the input
  std::vector<std::size_t> members;  ///< polygons of this field, at most one per labeller; with `typical`
  double gain = 0.0;                 ///< see partition_fields; m4 x weight
  bool is_chosen = false;            ///< belongs to the best division of the land
};

/// Which fields did several labellers mean, where some drew one field and others several?
///
/// Candidates. The polygon p whose agreement sum_j w_j IoU(p, best polygon of labeller j with IoU >= min_iou)
/// is highest becomes the typical shape of a field, with those polygons as members; then the same among the
/// polygons that are left, until none is.
///
/// Choice. Candidates that share more than half of the smaller one's area exclude each other. Among the sets
/// without such a pair the one with the highest sum of gains is chosen. The gain of a field c compares it
/// with every labeller over all pairs of points inside c: pairs in one polygon of the labeller count for it,
/// pairs in two different polygons, or of which one is in a polygon and the other in none, count against it;
/// pairs outside all polygons do not count (whether there is a field at all is another question):
///   gain(c) = sum_j w_j (2 sum_u |c n u|^2 - m^2 - 2 m (|c| - m)),  m = min(|c|, sum_u |c n u|).
/// That is the median of the labellers' divisions of the land under the distance of Mirkin (1996), restricted
/// to the candidates as blocks: one field drawn by a labellers against its parts drawn by b others is chosen
/// exactly when a > b, whatever the parts' sizes. Equal sums: more fields. Search: branch and bound in each
/// connected component of exclusions; after 200,000 steps in one component the best found so far stands.
///
/// @param polygons  of all labellers; their order does not matter for what is chosen
/// @param weights   one per labeller, >= 0
/// @param min_iou   two polygons this alike are the same field, > 0
/// @return  every polygon is a member of exactly one candidate; candidates from west to east (least x)
/// @throws InvalidArgument  a labeller without weight, a weight negative or not finite, min_iou outside 0..1
/// @throws GeometryError    an overlay failed
/// Source: Mirkin, Mathematical Classification and Clustering (1996); median partitions: Barthelemy and
/// Monjardet 1981. Threads: safe to call concurrently; the result does not depend on their number.
[[nodiscard]] std::vector<CandidateField> partition_fields(std::span<const DrawnPolygon> polygons,
                                                           std::span<const double> weights,
                                                           double min_iou = 0.5);

/// The region that more than half of the weight includes; where it is exactly half, what the typical shape
/// says. Method: all outlines are cut at their crossings (coordinates on a grid of 0.1 mm), and each face is
/// judged as a whole. Equal shapes come back as they are.
/// @param shapes   valid, planar, metres; an empty shape counts against everything
/// @param weights  one per shape, >= 0
/// @param typical  position in `shapes`
/// @throws InvalidArgument  no shape, or another number of weights
/// @throws GeometryError    an overlay failed
[[nodiscard]] geo::MultiPolygon median_shape(std::span<const geo::MultiPolygon> shapes,
                                             std::span<const double> weights, std::size_t typical);

}  // namespace furrow::labelling
