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
  const auto& entries = m_store->entries();
  std::vector<const detail::ArcStore::Entry*> order;
  order.reserve(entries.size());
  for (const auto& entry : entries) order.push_back(&entry);
  std::ranges::sort(order, {},
                    [](const auto* e) { return std::pair(detail::lattice_key(e->front), e->first); });
  std::vector<std::uint8_t> keep;
  {
    std::vector<detail::ArcEnds> ends;
    ends.reserve(order.size());
    for (const auto* e : order) {
      ends.push_back(
          {detail::lattice_key(e->front), detail::lattice_key(e->back), e->left, e->right, e->points == 2});
    }
    keep = detail::points_to_keep(ends);
  }
  const bool as_traced = m_options.tolerance == 0.0;
  detail::LatticeBits corners(as_traced ? 0 : width, as_traced ? 0 : height);
  const auto for_each_arc = [&](const auto& work) { tbb::parallel_for(std::size_t{0}, order.size(), work); };
  if (!as_traced) {
    for_each_arc([&](std::size_t i) { mark(m_store->get(*order[i]).points, m_options, corners); });
  }
  ArcSet result{width, height, std::vector<Arc>(order.size())};
  for_each_arc([&](std::size_t i) {
    Arc arc = m_store->get(*order[i]);
    if (!as_traced) simplify(arc, keep[i], m_options, corners);
    arc.points.shrink_to_fit();
    result.arcs[i] = std::move(arc);
  });
  m_store.reset();
  return result;
}

}  // namespace furrow::geo
