#include "score_placement.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/topology/watershed.h>

#include "delineate_rules.h"
#include "line_corner.h"

namespace furrow::geo::detail {
namespace {

/// Least bend, in levels, of boundary scores whose top counts as a ridge.
constexpr double kLeastRidge = 2.0;

/// Least difference, in levels, between the two sides of a line that says on which one the crossing lies.
constexpr double kLeastSlope = 20.0;

/// From a corner to the centres of its pixels, in half pixels, in the order of LineCorner.
constexpr std::array<LatticePoint, 4> kPixels{LatticePoint{-1, -1}, {1, -1}, {1, 1}, {-1, 1}};

/// Across the line at a corner where two regions meet, towards region `to`: one pixel along an axis, or one
/// along each.
LatticePoint normal(const LineCorner& corner, std::uint32_t to) {
  LatticePoint sum;
  for (std::size_t i = 0; i < 4; ++i) {
    const int sign = corner[i] == to ? 1 : -1;
    sum.x += sign * kPixels[i].x;
    sum.y += sign * kPixels[i].y;
  }
  return {(sum.x > 0) - (sum.x < 0), (sum.y > 0) - (sum.y < 0)};
}

/// Along the normal, in its length, from -1/2 to 1/2.
CornerMove moved(LatticePoint normal, double by) {
  const auto units =
      static_cast<std::int32_t>(std::clamp<long>(std::lround(by * kMoveUnits), -kLargestMove, kLargestMove));
  return {static_cast<std::int8_t>(units * normal.x), static_cast<std::int8_t>(units * normal.y)};
}

/// Where inside (1-u)^2 + between u (1-u) + outside u^2 is 0, for u in 0..1, less 1/2.
double crossing(double inside, double between, double outside) {
  const double a = inside - between + outside;
  const double b = between - 2.0 * inside;
  // The one root in range, written so that nothing cancels and a may be 0.
  const double divisor = -b + std::sqrt(std::max(0.0, b * b - 4.0 * a * inside));
  return (divisor > 0.0 ? 2.0 * inside / divisor : 0.0) - 0.5;
}

}  // namespace

/// A strip while its corners are placed. Rows are those of the whole raster.
class ScorePlacement::Rows {
 public:
  Rows(const ScorePlacement& rules, const Raster<std::uint32_t>& labels, const ScoreMap& scores)
      : m_rules(rules),
        m_labels(labels),
        m_scores(scores),
        m_first_label(std::max<std::int64_t>(0, rules.m_next_row - 1)),
        m_first_score(std::max<std::int64_t>(0, rules.m_next_row - kPlacementMargin)) {}

  [[nodiscard]] std::vector<MovedCorner> place(std::int64_t y) const {
    std::vector<MovedCorner> found;
    for (std::int64_t x = 0; x <= m_rules.m_width; ++x) {
      const LineCorner corner{label(x - 1, y - 1), label(x, y - 1), label(x, y), label(x - 1, y)};
      const bool is_on_line = is_line(corner[0], corner[1]) || is_line(corner[1], corner[2]) ||
                              is_line(corner[2], corner[3]) || is_line(corner[3], corner[0]);
      if (is_on_line) found.push_back({static_cast<std::int32_t>(x), move(x, y, corner)});
    }
    return found;
  }

 private:
  [[nodiscard]] std::uint32_t label(std::int64_t col, std::int64_t row) const {
    if (col < 0 || row < 0 || col >= m_rules.m_width || row >= m_rules.m_height) return kOutsideInstance;
    return m_labels.at(col, row - m_first_label);
  }

  [[nodiscard]] CornerMove move(std::int64_t x, std::int64_t y, const LineCorner& corner) const {
    if (sides_between_regions(corner) != 2) return {};
    const auto [least, most] = std::ranges::minmax(corner);
    if (most == kUnknownInstance || most == kOutsideInstance) return {};
    return least == 0 ? to_threshold(x, y, corner) : to_ridge(x, y, normal(corner, most));
  }

  [[nodiscard]] CornerMove to_threshold(std::int64_t x, std::int64_t y, const LineCorner& corner) const {
    const bool halved = was_halved(x, y, corner);
    const LatticePoint out = normal(corner, 0);
    double inside = 0.0;
    double outside = 0.0;
    double sum = 0.0;
    for (const LatticePoint& d : kPixels) {
      const double value = inclination(x + (d.x - 1) / 2, y + (d.y - 1) / 2, halved);
      const int along = d.x * out.x + d.y * out.y;  // +-1 across a straight line; +-2 and 0 at a turn
      const bool is_straight = out.x == 0 || out.y == 0;
      if (along > 0) outside += is_straight ? 0.5 * value : value;
      if (along < 0) inside += is_straight ? 0.5 * value : value;
      if (along == 0) sum += value;
    }
    const double between = out.x == 0 || out.y == 0 ? inside + outside : sum;
    if (halved && (inside < 0.0 || outside >= 0.0)) {
      if (inside - outside < kLeastSlope) return {};
      return moved(out, inside < 0.0 ? -0.5 : 0.5);
    }
    if (!(inside >= 0.0 && outside < 0.0)) return {};
    return moved(out, crossing(inside, between, outside));
  }

  /// Background there had the extent of a field before the boundary was halved.
  [[nodiscard]] bool was_halved(std::int64_t x, std::int64_t y, const LineCorner& corner) const {
    if (m_scores.whole_extent.empty()) return false;
    for (std::size_t i = 0; i < 4; ++i) {
      const std::int64_t col = x + (kPixels[i].x - 1) / 2;
      const std::int64_t row = y + (kPixels[i].y - 1) / 2 - m_first_score;
      if (corner[i] == 0 && m_scores.whole_extent.at(col, row) >= m_rules.m_extent_level &&
          m_scores.extent.at(col, row) < m_rules.m_extent_level) {
        return true;
      }
    }
    return false;
  }

  /// How far a pixel lies on the side of fields, in levels; below 0 on that of the background.
  [[nodiscard]] double inclination(std::int64_t col, std::int64_t row, bool halved) const {
    row -= m_first_score;
    const double boundary = m_scores.boundary.at(col, row);
    if (halved) return m_scores.whole_extent.at(col, row) - 0.5 * boundary - 0.5 * kScoreLevels;
    const Raster<std::uint8_t>& extent =
        m_scores.whole_extent.empty() ? m_scores.extent : m_scores.whole_extent;
    return std::min(extent.at(col, row) - m_rules.m_extent_level, m_rules.m_boundary_level - boundary);
  }

  [[nodiscard]] CornerMove to_ridge(std::int64_t x, std::int64_t y, LatticePoint across) const {
    if (x < 2 || y < 2 || x > m_rules.m_width - 2 || y > m_rules.m_height - 2) return {};
    std::array<double, 3> ridge{};
    for (std::int64_t step = -1; step <= 1; ++step) {
      for (const LatticePoint& d : kPixels) {
        const std::int64_t col = x + step * across.x + (d.x - 1) / 2;
        const std::int64_t row = y + step * across.y + (d.y - 1) / 2 - m_first_score;
        if (m_scores.valid.at(col, row) == 0) return {};
        ridge[static_cast<std::size_t>(step + 1)] += 0.25 * m_scores.boundary.at(col, row);
      }
    }
    const double bend = 2.0 * ridge[1] - ridge[0] - ridge[2];
    if (bend < kLeastRidge) return {};
    return moved(across, 0.5 * (ridge[2] - ridge[0]) / bend);
  }

  const ScorePlacement& m_rules;
  const Raster<std::uint32_t>& m_labels;
  const ScoreMap& m_scores;
  std::int64_t m_first_label;
  std::int64_t m_first_score;
};

ScorePlacement::ScorePlacement(const DelineateOptions& options, std::int64_t width, std::int64_t height)
    : m_extent_level(score_level(options.extent_threshold)),
      m_boundary_level(options.mode == SplitMode::kComponents ? score_level(options.boundary_threshold)
                                                              : 2 * kScoreLevels),
      m_width(width),
      m_height(height),
      m_moves(width) {
  if (width > kLargestMovedRaster || height > kLargestMovedRaster) {
    throw InvalidArgument(concat("a raster of ", width, " x ", height,
                                 " px is too large for outlines placed ", "by scores, at most ",
                                 kLargestMovedRaster, " a side"));
  }
}

void ScorePlacement::add(const Raster<std::uint32_t>& labels, std::int64_t rows, const ScoreMap& scores) {
  const Rows strip(*this, labels, scores);
  const std::int64_t end = m_next_row + rows == m_height ? m_height + 1 : m_next_row + rows;
  std::vector<std::vector<MovedCorner>> found(static_cast<std::size_t>(end - m_next_row));
  tbb::parallel_for(m_next_row, end, [&](std::int64_t y) {
    found[static_cast<std::size_t>(y - m_next_row)] = strip.place(y);
  });
  for (const auto& row : found) m_moves.add_row(row);
  m_next_row += rows;
}

}  // namespace furrow::geo::detail
