#pragma once

#include <furrow/geo/topology/arcs.h>

namespace furrow::geo {

struct SimplifyOptions {
  double tolerance = 1.0;    ///< no traced corner ends up further from the line; 0 = leave all as it is
  double pixel_width = 1.0;  ///< in the tolerance's unit: 1 for pixels, metres for a tolerance in metres
  double pixel_height = 1.0;
};

/// Drops corners of every arc; what two regions share stays shared, nodes stay where they are.
///
/// Corners go in the order of Visvalingam and Whyatt (1993): the one that spans the smallest triangle with
/// its neighbours first (ties: the earlier one). A corner stays when a traced corner between its neighbours
/// would lie further than the tolerance from the new line (the bound of Douglas and Peucker 1973), or when
/// the closed triangle holds a corner of any arc: a traced one of another arc, or a remaining one of its own.
/// The second rule means that no line ever moves over or onto another corner, so that arcs cannot come to
/// cross or touch, and since it asks for the traced corners of other arcs, not for what is left of them, arcs
/// can be simplified in any order, or at once. Closed arcs keep 4 points (3 different ones); an arc whose two
/// nodes are joined by another arc too keeps one corner between them, if it had one.
///
/// @throws InvalidArgument  negative or non-finite tolerance, pixel sizes not above 0
/// @return arcs in the same order with the same ends; `first` and `last` as traced
/// Memory: 1 bit per pixel. Same result for any number of threads.
[[nodiscard]] ArcSet simplify_arcs(const ArcSet& traced, const SimplifyOptions& options, ExecContext& exec);

}  // namespace furrow::geo
