#include "seams.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/box_index.h>

#include "union_find.h"

namespace furrow::geo::detail {
namespace {

enum class Axis { kX, kY };  ///< x: the seam runs north-south at one x

constexpr double kCommonShare = 0.8;
constexpr std::size_t kPairsOfSeam = 3;

double across(GridPoint p, Axis axis) {
  return static_cast<double>(axis == Axis::kX ? p.x : p.y);
}
double low(const Box& box, Axis axis) {
  return axis == Axis::kX ? box.min_x : box.min_y;
}
double high(const Box& box, Axis axis) {
  return axis == Axis::kX ? box.max_x : box.max_y;
}

/// Two pieces that end at the same line from both sides.
struct CutPair {
  std::uint32_t low_piece;   ///< its box ends at the line
  std::uint32_t high_piece;  ///< its box begins at the line
  double line = 0.0;         ///< steps
  double along = 0.0;        ///< middle of the common edge, steps
};

class SeamFinder {
 public:
  SeamFinder(const PlanarPartition& partition, const GroundScale& scale, const Pieces& pieces, Axis axis,
             double tolerance_m)
      : m_partition(partition), m_scale(scale), m_pieces(pieces), m_axis(axis), m_tolerance_m(tolerance_m) {}

  /// Pairs with enough of their ends in common, by line, then place along it.
  [[nodiscard]] std::vector<CutPair> pairs() {
    measure();
    std::vector<CutPair> found;
    for (const auto& [key, common] : m_common) {
      const auto [a, b] = key;
      const double longest = std::max(m_high_end[a], m_low_end[b]);
      if (common.length < kCommonShare * longest || longest * common.step_m < 3.0 * m_tolerance_m) continue;
      found.push_back({a, b, common.across / common.length, common.along / common.length});
    }
    std::ranges::sort(
        found, {}, [](const CutPair& p) { return std::tuple(p.line, p.along, p.low_piece, p.high_piece); });
    return found;
  }

  [[nodiscard]] double tolerance_steps(std::uint32_t piece) const {
    const Point c = m_pieces.list[piece].box.centre();
    const StepLength step = m_scale.at({std::llround(c.x), std::llround(c.y)});
    return m_tolerance_m / (m_axis == Axis::kX ? step.x : step.y);
  }

 private:
  struct Common {
    double length = 0.0;  ///< steps along the line
    double across = 0.0;  ///< weighted by length
    double along = 0.0;
    double step_m = 1.0;
  };

  /// Half-edge h lies at the end of its piece on that side.
  [[nodiscard]] bool lies_at(double end, std::uint32_t piece, std::uint32_t h) const {
    const double tolerance = tolerance_steps(piece);
    return std::abs(across(m_partition.start(h), m_axis) - end) <= tolerance &&
           std::abs(across(m_partition.end(h), m_axis) - end) <= tolerance;
  }

  void measure() {
    m_high_end.assign(m_pieces.list.size(), 0.0);
    m_low_end.assign(m_pieces.list.size(), 0.0);
    const Axis other = m_axis == Axis::kX ? Axis::kY : Axis::kX;
    for (std::uint32_t h = 0; h < m_partition.half_edges(); ++h) {
      const std::uint32_t piece = m_pieces.of_face[m_partition.face(h)];
      const std::uint32_t beyond = m_pieces.of_face[m_partition.face(PlanarPartition::twin(h))];
      if (piece == kNoOwner || piece == beyond) continue;
      const double from = across(m_partition.start(h), other);
      const double to = across(m_partition.end(h), other);
      const double length = std::abs(to - from);
      const Box& box = m_pieces.list[piece].box;
      if (lies_at(low(box, m_axis), piece, h)) m_low_end[piece] += length;
      if (!lies_at(high(box, m_axis), piece, h)) continue;
      m_high_end[piece] += length;
      if (beyond == kNoOwner || !lies_at(low(m_pieces.list[beyond].box, m_axis), beyond, h)) continue;
      if (m_pieces.list[beyond].owner == m_pieces.list[piece].owner) continue;
      Common& common = m_common[{piece, beyond}];
      common.length += length;
      common.across +=
          length * 0.5 * (across(m_partition.start(h), m_axis) + across(m_partition.end(h), m_axis));
      common.along += length * 0.5 * (from + to);
      const StepLength step = m_scale.at(m_partition.start(h));
      common.step_m = m_axis == Axis::kX ? step.y : step.x;
    }
  }

  const PlanarPartition& m_partition;
  const GroundScale& m_scale;
  const Pieces& m_pieces;
  Axis m_axis;
  double m_tolerance_m;
  std::vector<double> m_high_end;  // steps of outline at the end, by piece
  std::vector<double> m_low_end;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Common> m_common;
};

/// Takes the pairs that lie on a line of the grid.
std::vector<CutPair> on_grid(const std::vector<CutPair>& pairs, double origin, double size,
                             const SeamFinder& finder) {
  std::vector<CutPair> kept;
  for (const CutPair& pair : pairs) {
    const double away = std::abs(std::remainder(pair.line - origin, size));
    if (away <= finder.tolerance_steps(pair.low_piece) + 1.0) kept.push_back(pair);
  }
  return kept;
}

/// Takes the pairs of lines that look like tile borders.
std::vector<CutPair> on_found_lines(const std::vector<CutPair>& pairs, const Pieces& pieces, Axis axis,
                                    const SeamFinder& finder) {
  std::vector<Box> boxes;
  for (const Piece& piece : pieces.list) boxes.push_back(piece.box);
  const BoxIndex index(boxes);
  const auto is_crossed = [&](const CutPair& a, const CutPair& b) {
    const double tolerance = finder.tolerance_steps(a.low_piece) + 1.0;
    const auto [from, to] = std::minmax(a.along, b.along);
    const Box line = axis == Axis::kX ? Box{a.line, from, a.line, to} : Box{from, a.line, to, a.line};
    return std::ranges::any_of(index.query(line), [&](std::size_t p) {
      return low(boxes[p], axis) < a.line - tolerance && high(boxes[p], axis) > a.line + tolerance;
    });
  };
  std::vector<CutPair> kept;
  std::vector<CutPair> run;
  const auto finish_run = [&] {
    if (run.size() >= kPairsOfSeam) kept.insert(kept.end(), run.begin(), run.end());
    run.clear();
  };
  for (std::size_t i = 0; i < pairs.size();) {
    std::size_t end = i + 1;
    while (end < pairs.size() &&
           pairs[end].line - pairs[end - 1].line <= finder.tolerance_steps(pairs[i].low_piece) + 1.0) {
      ++end;
    }
    std::vector<CutPair> line(pairs.begin() + static_cast<std::ptrdiff_t>(i),
                              pairs.begin() + static_cast<std::ptrdiff_t>(end));
    std::ranges::sort(line, {}, [](const CutPair& p) { return std::pair(p.along, p.low_piece); });
    for (const CutPair& pair : line) {
      if (!run.empty() && is_crossed(run.back(), pair)) finish_run();
      run.push_back(pair);
    }
    finish_run();
    i = end;
  }
  return kept;
}

}  // namespace

MergedFeatures merge_at_seams(const PlanarPartition& partition, const PrecisionGrid& grid,
                              const GroundScale& scale, std::size_t features,
                              std::span<const double> areas_m2, const CleanOptions& options,
                              FaceOwners& owners) {
  const Pieces pieces = find_pieces(partition, owners, areas_m2);
  const double tolerance_m = std::max(options.gaps_m, 2.0 * options.precision_m);
  UnionFind sets(features);
  std::map<std::pair<Axis, std::int64_t>, double> lines;
  const double steps = grid.steps_per_unit();
  for (const Axis axis : {Axis::kX, Axis::kY}) {
    SeamFinder finder(partition, scale, pieces, axis, tolerance_m);
    std::vector<CutPair> pairs = finder.pairs();
    const SeamGrid& seams = options.seam_grid;
    const bool is_x = axis == Axis::kX;
    pairs = options.seams == SeamMerge::kGrid ? on_grid(pairs, (is_x ? seams.x0 : seams.y0) * steps,
                                                        (is_x ? seams.dx : seams.dy) * steps, finder)
                                              : on_found_lines(pairs, pieces, axis, finder);
    for (const CutPair& pair : pairs) {
      sets.unite(pieces.list[pair.low_piece].owner, pieces.list[pair.high_piece].owner);
      const double tolerance = 2.0 * finder.tolerance_steps(pair.low_piece) + 1.0;
      lines.try_emplace({axis, std::llround(pair.line / tolerance)}, pair.line);
    }
  }
  MergedFeatures merged;
  for (const auto& [key, line] : lines) {
    merged.seams.push_back(
        concat(key.first == Axis::kX ? "x = " : "y = ", shortest(std::round(line) / steps)));
  }
  for (std::uint32_t f = 0; f < features; ++f) merged.into.push_back(sets.root(f));
  for (std::uint32_t& owner : owners) {
    if (owner != kNoOwner) owner = merged.into[owner];
  }
  return merged;
}

}  // namespace furrow::geo::detail
