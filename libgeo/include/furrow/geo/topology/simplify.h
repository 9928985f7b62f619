#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <furrow/geo/topology/arcs.h>

namespace furrow::geo {

/// What simplification aims at, within the tolerance.
enum class SimplifyMethod {
  kDistance,  ///< few corners, each an extreme one: round outlines lose area
  kArea       ///< fewest bends with the area on either side of each arc exactly as it was
};

struct SimplifyOptions {
  /// No traced corner ends up further from the line; 0 = leave all as it is. The stairs of a straight edge
  /// lie within 1 px of a line when it runs along an axis or a diagonal, within sqrt(2) px at any slope;
  /// round outlines lose area as the tolerance grows (a circle 25 px wide: 1 % at 1 px, 4 % at 1.5 px).
  double tolerance = 1.0;
  double pixel_width = 1.0;  ///< in the tolerance's unit: 1 for pixels, metres for a tolerance in metres
  double pixel_height = 1.0;
  SimplifyMethod method = SimplifyMethod::kDistance;
};

/// Drops corners of every arc; what two regions share stays shared, nodes stay where they are.
///
/// Which corners stay: those that Douglas and Peucker (1973) would keep, so that no traced corner ends up
/// further than the tolerance from the line. The others go in the order of Visvalingam and Whyatt (1993): the
/// one that spans the smallest triangle with its neighbours first (ties: the earlier one), but only while the
/// closed triangle holds no corner of any arc: no traced one of another arc, no remaining one of its own. So
/// no line ever moves over or onto another corner, and arcs cannot come to cross or touch; and since the rule
/// asks for the traced corners of other arcs, not for what is left of them, arcs can be simplified in any
/// order, or at once. Where corners that must stay bend the line out of the tolerance, the arc starts again,
/// and a corner goes only when the bound holds after it.
///
/// Closed arcs keep 4 points (3 different ones). Of the arcs that join the same two nodes, two beside the
/// same field never both become straight, so that no field vanishes; background between two fields may, where
/// it is a pixel wide.
///
/// With SimplifyMethod::kArea a line may bend at any pixel corner along the traced line, turn or not. Of all
/// lines along which gains and losses of area cancel out exactly, the one with the fewest bends is taken
/// (ties: the shortest). So every region keeps its area in pixels to the last digit, and since a field's area
/// is above 0 none can vanish. A straight line from i to k is allowed when no traced corner between them lies
/// further from it than the tolerance, and when the corners between can go one after the other, from i on, by
/// the rule of triangles above; it spans at most 64 pixel sides. Found by dynamic programming over (corner,
/// area exchanged so far): the shortcut graph of Imai and Iri (1988), with areas as in Daneshpajouh, Ghodsi
/// and Zarei, "Computing polygonal path simplification under area measures" (2012). Arcs are looked at in
/// pieces of 512 pixel sides. Takes about seven times as long as kDistance, and leaves a fifth to a half more
/// corners.
///
/// @throws InvalidArgument  negative or non-finite tolerance, pixel sizes not above 0
/// @return arcs in the same order with the same ends; `first` and `last` as traced
/// Memory: 1 bit per pixel. Same result for any number of threads.
[[nodiscard]] ArcSet simplify_arcs(ArcSet arcs, const SimplifyOptions& options, ExecContext& exec);

namespace detail {
class ArcStore;
class CornerMoves;
}  // namespace detail

/// `simplify_arcs` for more traced arcs than should be in memory with all their corners at once: they are
/// packed until all are known.
///
/// Memory: 40 bytes per arc and about one per corner, then 1 bit per pixel. Not thread-safe; uses threads
/// inside.
class PackedArcSimplifier {
 public:
  /// @throws InvalidArgument  as simplify_arcs
  explicit PackedArcSimplifier(const SimplifyOptions& options);
  ~PackedArcSimplifier();
  PackedArcSimplifier(const PackedArcSimplifier&) = delete;
  PackedArcSimplifier& operator=(const PackedArcSimplifier&) = delete;

  /// In any order.
  void add(const std::vector<Arc>& traced);

  /// The arcs by their first point, simplified as simplify_arcs does; call one of these once.
  /// @param width, height  of the raster, px
  [[nodiscard]] ArcSet finish(std::int64_t width, std::int64_t height, ExecContext& exec);

  /// The same with every pixel corner along the traced lines moved and smoothed first, in parts of a pixel
  /// (ArcSet::units); SimplifyMethod::kDistance whatever the options say. The tolerance counts from the moved
  /// line.
  /// @param moves  of all corners that the arcs run through
  [[nodiscard]] ArcSet finish(std::int64_t width, std::int64_t height, const detail::CornerMoves& moves,
                              ExecContext& exec);

 private:
  SimplifyOptions m_options;
  std::unique_ptr<detail::ArcStore> m_store;
};

}  // namespace furrow::geo
