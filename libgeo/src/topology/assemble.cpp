#include <furrow/geo/topology/assemble.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <tuple>
#include <unordered_map>
#include <utility>

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_sort.h>

#include <furrow/geo/core/error.h>

#include "lattice.h"

namespace furrow::geo {
namespace {

using LatticeRing = std::vector<LatticePoint>;

/// An arc seen in one direction: 2 x arc forwards, 2 x arc + 1 backwards.
using Half = std::uint32_t;
Half twin(Half half) {
  return half ^ 1U;
}

/// How arcs follow each other around regions.
class Network {
 public:
  /// @throws InvalidArgument  2^31 arcs or more
  explicit Network(const std::vector<Arc>& arcs) : m_arcs(arcs), m_place(2 * arcs.size()) {
    if (arcs.size() >= std::size_t{1} << 31U)
      throw InvalidArgument("too many edges between fields for one layer");
    m_out.reserve(2 * arcs.size());
    for (Half half = 0; half < 2 * arcs.size(); ++half)
      m_out.push_back({detail::lattice_key(start(half)), half, direction(half)});
    tbb::parallel_sort(m_out.begin(), m_out.end(), [](const Out& x, const Out& y) {
      return std::tie(x.node, x.direction) < std::tie(y.node, y.direction);
    });
    for (Half i = 0; i < m_out.size(); ++i) m_place[m_out[i].half] = i;
  }

  [[nodiscard]] std::uint32_t left(Half half) const {
    const Arc& arc = m_arcs[half / 2];
    return half % 2 == 0 ? arc.left : arc.right;
  }
  [[nodiscard]] LatticePoint start(Half half) const {
    const Arc& arc = m_arcs[half / 2];
    return half % 2 == 0 ? arc.points.front() : arc.points.back();
  }
  /// The next arc around the region on the left: the leftmost one, so that the walk stays with its pixel.
  [[nodiscard]] Half next(Half half) const {
    const std::size_t back = m_place[twin(half)];
    const std::uint64_t node = m_out[back].node;
    const Direction arriving = detail::turned(m_out[back].direction, 2);
    std::size_t first = back;
    while (first > 0 && m_out[first - 1].node == node) --first;
    for (const int turn : {-1, 0, 1}) {
      const Direction wanted = detail::turned(arriving, turn);
      for (std::size_t i = first; i < m_out.size() && m_out[i].node == node; ++i) {
        if (m_out[i].direction == wanted) return m_out[i].half;
      }
    }
    return twin(half);  // cannot be: lines between regions never end
  }
  /// All points but the last.
  void append(Half half, LatticeRing& ring) const {
    const auto& points = m_arcs[half / 2].points;
    if (half % 2 == 0) {
      ring.insert(ring.end(), points.begin(), points.end() - 1);
    } else {
      ring.insert(ring.end(), points.rbegin(), points.rend() - 1);
    }
  }

 private:
  struct Out {
    std::uint64_t node = 0;
    Half half = 0;
    Direction direction = Direction::kEast;
  };
  [[nodiscard]] Direction direction(Half half) const {
    const Arc& arc = m_arcs[half / 2];
    return half % 2 == 0 ? arc.first : detail::turned(arc.last, 2);
  }

  const std::vector<Arc>& m_arcs;
  std::vector<Out> m_out;
  std::vector<Half> m_place;
};

/// Twice the signed area; positive for shells (their inside is on the left when row 0 is on top).
std::int64_t doubled_area(const LatticeRing& ring) {
  std::int64_t sum = 0;
  const LatticePoint origin = ring.front();
  for (std::size_t i = 0; i < ring.size(); ++i) {
    const LatticePoint& p = ring[i];
    const LatticePoint& q = ring[(i + 1) % ring.size()];
    sum += (std::int64_t{q.x} - origin.x) * (std::int64_t{p.y} - origin.y) -
           (std::int64_t{p.x} - origin.x) * (std::int64_t{q.y} - origin.y);
  }
  return sum;
}

/// Starts the ring at its uppermost, then leftmost point.
void rotate_to_first(LatticeRing& ring) {
  std::ranges::rotate(ring, std::ranges::min_element(ring, {}, detail::lattice_key));
}

/// The way around a region so far, cut into rings whenever it comes back to a corner.
class RingCutter {
 public:
  RingCutter(const Network& network, std::vector<LatticeRing>& rings) : m_network(network), m_rings(rings) {}

  void add(Half half) {
    m_place.emplace(detail::lattice_key(m_network.start(half)), m_path.size());
    m_path.push_back(half);
  }
  /// The way has come to where `half` starts.
  void arrive(Half half) {
    const auto seen = m_place.find(detail::lattice_key(m_network.start(half)));
    if (seen == m_place.end()) return;
    const std::size_t from = seen->second;
    LatticeRing ring;
    for (std::size_t i = from; i < m_path.size(); ++i) {
      m_network.append(m_path[i], ring);
      m_place.erase(detail::lattice_key(m_network.start(m_path[i])));
    }
    m_path.resize(from);
    rotate_to_first(ring);
    m_rings.push_back(std::move(ring));
  }

 private:
  const Network& m_network;
  std::vector<LatticeRing>& m_rings;
  std::vector<Half> m_path;
  std::unordered_map<std::uint64_t, std::size_t> m_place;  ///< of the corners where the path's members start
};

/// The rings of one label, without their closing points; none visits a corner twice.
/// @param halves  with the label on their left, ascending
std::vector<LatticeRing> rings_of(const Network& network, std::span<const Half> halves) {
  std::vector<LatticeRing> rings;
  std::vector<bool> walked(halves.size(), false);
  for (std::size_t i = 0; i < halves.size(); ++i) {
    if (walked[i]) continue;
    RingCutter cutter(network, rings);
    Half half = halves[i];
    do {
      walked[static_cast<std::size_t>(std::ranges::lower_bound(halves, half) - halves.begin())] = true;
      cutter.add(half);
      half = network.next(half);
      cutter.arrive(half);
    } while (half != halves[i]);
  }
  return rings;
}

/// Even-odd rule for a point that lies on no line.
bool encloses(const LatticeRing& ring, double x, double y) {
  bool inside = false;
  for (std::size_t i = 0; i < ring.size(); ++i) {
    const LatticePoint& p = ring[i];
    const LatticePoint& q = ring[(i + 1) % ring.size()];
    if ((p.y > y) != (q.y > y) &&
        x < p.x + (y - p.y) * (static_cast<double>(q.x) - p.x) / (static_cast<double>(q.y) - p.y)) {
      inside = !inside;
    }
  }
  return inside;
}

struct Part {
  LatticeRing shell;
  std::int64_t area = 0;
  Box box;
  std::vector<LatticeRing> holes;
};

/// Gives each hole to the smallest shell around it.
std::vector<Part> arrange(std::vector<LatticeRing> rings) {
  std::vector<Part> parts;
  std::vector<LatticeRing> holes;
  for (auto& ring : rings) {
    const std::int64_t area = doubled_area(ring);
    if (area > 0) {
      Box box;
      for (const LatticePoint& p : ring)
        box.expand(Point{static_cast<double>(p.x), static_cast<double>(p.y)});
      parts.push_back({std::move(ring), area, box, {}});
    } else {
      holes.push_back(std::move(ring));
    }
  }
  const auto by_start = [](const LatticeRing& ring) { return detail::lattice_key(ring.front()); };
  std::ranges::sort(parts, {}, [&](const Part& part) { return by_start(part.shell); });
  std::ranges::sort(holes, {}, by_start);
  for (auto& hole : holes) {
    // The middle of a side lies on no other ring: rings meet in corners only.
    const double x = 0.5 * (static_cast<double>(hole[0].x) + hole[1].x);
    const double y = 0.5 * (static_cast<double>(hole[0].y) + hole[1].y);
    Part* home = parts.size() == 1 ? &parts.front() : nullptr;
    if (home == nullptr) {
      for (auto& part : parts) {
        if (!part.box.contains(Point{x, y}) || (home != nullptr && part.area >= home->area)) continue;
        if (encloses(part.shell, x, y)) home = &part;
      }
    }
    if (home != nullptr) home->holes.push_back(std::move(hole));
  }
  return parts;
}

/// @param units  of the points, per pixel
Ring to_world(const LatticeRing& ring, std::int32_t units, const GeoTransform& transform) {
  Ring out;
  out.reserve(ring.size() + 1);
  for (const LatticePoint& p : ring)
    out.push_back(transform.to_world({static_cast<double>(p.x) / units, static_cast<double>(p.y) / units}));
  out.push_back(out.front());
  // Counter-clockwise on screen is clockwise in a world whose y grows with the rows.
  if (transform.dx * transform.dy - transform.rx * transform.ry > 0.0) std::ranges::reverse(out);
  return out;
}

}  // namespace

struct PolygonAssembler::Impl {
  ArcSet set;
  GeoTransform transform;
  Network network;
  std::vector<std::size_t> begin;  ///< by label: where its half arcs begin
  std::vector<Half> halves;        ///< by the label on their left

  Impl(ArcSet arcs, std::uint32_t count, const GeoTransform& to_world)
      : set(std::move(arcs)),
        transform(to_world),
        network(set.arcs),
        begin(static_cast<std::size_t>(count) + 2, 0) {
    // Counting sort.
    const auto wanted = [&](std::uint32_t label) { return is_field(label) && label <= count; };
    for (Half half = 0; half < 2 * set.arcs.size(); ++half) {
      const std::uint32_t label = network.left(half);
      if (wanted(label)) ++begin[label + 1];
    }
    std::partial_sum(begin.begin(), begin.end(), begin.begin());
    halves.resize(begin.back());
    std::vector<std::size_t> fill = begin;
    for (Half half = 0; half < 2 * set.arcs.size(); ++half) {
      const std::uint32_t label = network.left(half);
      if (wanted(label)) halves[fill[label]++] = half;
    }
  }

  [[nodiscard]] MultiPolygon shape(std::size_t label) const {
    const auto from = halves.begin() + static_cast<std::ptrdiff_t>(begin[label]);
    const auto to = halves.begin() + static_cast<std::ptrdiff_t>(begin[label + 1]);
    MultiPolygon result;
    for (const Part& part : arrange(rings_of(network, std::span<const Half>(from, to)))) {
      Polygon polygon{to_world(part.shell, set.units, transform), {}};
      for (const auto& hole : part.holes) polygon.holes.push_back(to_world(hole, set.units, transform));
      result.push_back(std::move(polygon));
    }
    return result;
  }
};

PolygonAssembler::PolygonAssembler(ArcSet arcs, std::uint32_t count, const GeoTransform& transform)
    : m_impl(std::make_unique<Impl>(std::move(arcs), count, transform)) {}
PolygonAssembler::~PolygonAssembler() = default;

std::vector<MultiPolygon> PolygonAssembler::shapes(std::uint32_t first, std::uint32_t end) const {
  std::vector<MultiPolygon> shapes(end - first);
  tbb::parallel_for(std::size_t{0}, shapes.size(),
                    [&](std::size_t i) { shapes[i] = m_impl->shape(first + i); });
  return shapes;
}

std::vector<MultiPolygon> assemble_polygons(ArcSet arcs, std::uint32_t count, const GeoTransform& transform,
                                            ExecContext& exec) {
  exec.check_cancelled();
  return PolygonAssembler(std::move(arcs), count, transform).shapes(0, count + 1);
}

}  // namespace furrow::geo
