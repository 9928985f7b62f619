#include <furrow/geo/topology/simplify.h>

#include <algorithm>
#include <cmath>

#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/core/error.h>

#include "arc_simplifier.h"
#include "arc_store.h"
#include "keep_area.h"
#include "lattice.h"
#include "lattice_triangle.h"
#include "moved_corners.h"

namespace furrow::geo {
namespace {

/// Corners as bits of the raster's lattice.
struct RasterCorners {
  const detail::LatticeBits& bits;

  template <class Test>
  bool any_in_triangle(LatticePoint a, LatticePoint b, LatticePoint c, const Test& test) const {
    return detail::any_in_triangle(a, b, c, [&](LatticePoint p) { return bits.test(p) && test(p); });
  }
};

void check(const SimplifyOptions& options) {
  if (!(options.tolerance >= 0.0) || !std::isfinite(options.tolerance)) {
    throw InvalidArgument("the tolerance of simplification must be a number >= 0");
  }
  if (!(options.pixel_width > 0.0) || !(options.pixel_height > 0.0)) {
    throw InvalidArgument("simplification needs pixel sizes above 0");
  }
}

/// Corners of a traced line that no other line may move over: all that may be left of it.
void mark(const std::vector<LatticePoint>& traced, const SimplifyOptions& options,
          detail::LatticeBits& corners) {
  if (options.method == SimplifyMethod::kArea) {
    for (const LatticePoint& p : detail::pixel_corners(traced)) corners.set(p);
  } else {
    for (const LatticePoint& p : traced) corners.set(p);
  }
}

void simplify(Arc& arc, std::size_t keep, const SimplifyOptions& options,
              const detail::LatticeBits& corners) {
  if (options.method == SimplifyMethod::kArea) {
    arc.points = detail::simplify_keeping_area(arc.points, options, corners);
  } else if (arc.points.size() > keep) {
    arc.points = detail::ArcSimplifier(arc.points, keep, options, RasterCorners{corners}).run();
  }
}

/// Takes out what alternates from corner to corner, where each was placed by its own few pixels: means of
/// five corners that leave straight and evenly bent lines as they are (the fourth difference over 16 is taken
/// off). No corner goes further than it may. Ends stay, which may be nodes though the arc is closed; on open
/// arcs so do the two corners next to them.
/// @param traced  pixel corners of the arc
void smooth(const std::vector<LatticePoint>& traced, std::vector<LatticePoint>& moved) {
  const std::vector<LatticePoint> before = moved;
  const bool closed = traced.front() == traced.back();
  const std::size_t last = moved.size() - 1;
  const auto mean = [&](std::size_t i, std::int32_t LatticePoint::*axis) {
    const auto at = [&](std::size_t k) { return std::int64_t{before[closed ? k % last : k].*axis}; };
    const std::size_t k = closed ? i + last : i;
    const std::int64_t sum = 10 * at(k) + 4 * (at(k - 1) + at(k + 1)) - (at(k - 2) + at(k + 2));
    const std::int32_t centre = traced[i].*axis * detail::kMoveUnits;
    return std::clamp(static_cast<std::int32_t>((sum + 8) / 16), centre - detail::kLargestMove,
                      centre + detail::kLargestMove);
  };
  const std::size_t kept = closed ? 1 : 3;
  for (std::size_t i = kept; i + kept <= last; ++i)
    moved[i] = {mean(i, &LatticePoint::x), mean(i, &LatticePoint::y)};
}

/// Puts the corners of an arc, those between its turns too, where they go, and drops what the tolerance
/// allows.
void move_and_simplify(Arc& arc, std::size_t keep, const SimplifyOptions& options,
                       const detail::CornerMoves& moves) {
  const std::vector<LatticePoint> traced = detail::pixel_corners(arc.points);
  std::vector<LatticePoint> moved;
  moved.reserve(traced.size());
  for (const LatticePoint& p : traced) moved.push_back(moves.place(p));
  // Nothing moves at the raster's border and beside missing data.
  if (arc.left < kOutsideInstance && arc.right < kOutsideInstance) smooth(traced, moved);
  if (options.tolerance == 0.0 || moved.size() <= keep) {
    arc.points = std::move(moved);
    return;
  }
  SimplifyOptions in_units = options;
  in_units.pixel_width /= detail::kMoveUnits;
  in_units.pixel_height /= detail::kMoveUnits;
  const detail::MovedCorners corners(moves, traced, moved);
  arc.points = detail::ArcSimplifier(moved, keep, in_units, corners).run();
}

/// Positions of packed arcs, by their first point.
std::vector<const detail::ArcStore::Entry*> by_first_point(const detail::ArcStore& store) {
  std::vector<const detail::ArcStore::Entry*> order;
  order.reserve(store.entries().size());
  for (const auto& entry : store.entries()) order.push_back(&entry);
  std::ranges::sort(order, {},
                    [](const auto* e) { return std::pair(detail::lattice_key(e->front), e->first); });
  return order;
}

std::vector<std::uint8_t> points_to_keep(const std::vector<const detail::ArcStore::Entry*>& order) {
  std::vector<detail::ArcEnds> ends;
  ends.reserve(order.size());
  for (const auto* e : order) {
    ends.push_back(
        {detail::lattice_key(e->front), detail::lattice_key(e->back), e->left, e->right, e->points == 2});
  }
  return detail::points_to_keep(ends);
}

}  // namespace

ArcSet simplify_arcs(ArcSet arcs, const SimplifyOptions& options, ExecContext& exec) {
  exec.check_cancelled();
  check(options);
  if (options.tolerance == 0.0) return arcs;
  detail::LatticeBits corners(arcs.width, arcs.height);
  std::vector<detail::ArcEnds> ends;
  ends.reserve(arcs.arcs.size());
  for (const Arc& arc : arcs.arcs) {
    mark(arc.points, options, corners);
    ends.push_back({detail::lattice_key(arc.points.front()), detail::lattice_key(arc.points.back()), arc.left,
                    arc.right, arc.points.size() == 2});
  }
  const std::vector<std::uint8_t> keep = detail::points_to_keep(ends);
  tbb::parallel_for(std::size_t{0}, arcs.arcs.size(),
                    [&](std::size_t i) { simplify(arcs.arcs[i], keep[i], options, corners); });
  return arcs;
}

PackedArcSimplifier::PackedArcSimplifier(const SimplifyOptions& options)
    : m_options(options), m_store(std::make_unique<detail::ArcStore>()) {
  check(options);
}
PackedArcSimplifier::~PackedArcSimplifier() = default;

void PackedArcSimplifier::add(const std::vector<Arc>& traced) {
  for (const Arc& arc : traced) m_store->put(arc);
}

ArcSet PackedArcSimplifier::finish(std::int64_t width, std::int64_t height, ExecContext& exec) {
  exec.check_cancelled();
  const auto order = by_first_point(*m_store);
  const std::vector<std::uint8_t> keep = points_to_keep(order);
  const bool as_traced = m_options.tolerance == 0.0;
  detail::LatticeBits corners(as_traced ? 0 : width, as_traced ? 0 : height);
  const auto for_each_arc = [&](const auto& work) { tbb::parallel_for(std::size_t{0}, order.size(), work); };
  if (!as_traced) {
    for_each_arc([&](std::size_t i) { mark(m_store->get(*order[i]).points, m_options, corners); });
  }
  ArcSet result{width, height, 1, std::vector<Arc>(order.size())};
  for_each_arc([&](std::size_t i) {
    Arc arc = m_store->get(*order[i]);
    if (!as_traced) simplify(arc, keep[i], m_options, corners);
    arc.points.shrink_to_fit();
    result.arcs[i] = std::move(arc);
  });
  m_store.reset();
  return result;
}

ArcSet PackedArcSimplifier::finish(std::int64_t width, std::int64_t height, const detail::CornerMoves& moves,
                                   ExecContext& exec) {
  exec.check_cancelled();
  const auto order = by_first_point(*m_store);
  const std::vector<std::uint8_t> keep = points_to_keep(order);
  ArcSet result{width, height, detail::kMoveUnits, std::vector<Arc>(order.size())};
  tbb::parallel_for(std::size_t{0}, order.size(), [&](std::size_t i) {
    Arc arc = m_store->get(*order[i]);
    move_and_simplify(arc, keep[i], m_options, moves);
    arc.points.shrink_to_fit();
    result.arcs[i] = std::move(arc);
  });
  m_store.reset();
  return result;
}

}  // namespace furrow::geo
