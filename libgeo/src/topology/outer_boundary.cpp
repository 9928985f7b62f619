#include "outer_boundary.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/topology/watershed.h>

namespace furrow::geo::detail {
namespace {

constexpr int kSure = 60;                      // levels that a sure pixel leans: 0.3
constexpr int kBackground = kScoreLevels / 2;  // background score, in levels, of what is background for sure
constexpr auto kOuterReach = static_cast<std::uint8_t>(kOuterBoundaryReach);
constexpr std::uint8_t kBeyondReach = kOuterReach + 1;
/// Times as many pixels on one side as on the other; around the corner of a right angle it is more.
constexpr int kCorner = 2;

enum Kind : int { kInterior, kLeansOut, kOutside, kKinds };

int lean(const ScoreMap& scores, std::int64_t col, std::int64_t row) {
  const int extent = scores.extent.at(col, row);
  return extent - scores.boundary.at(col, row) - (kScoreLevels - extent);
}

/// By kind and pixel: columns to the nearest pixel of the kind in the same row, at most kBeyondReach.
class AlongRows {
 public:
  explicit AlongRows(const ScoreMap& scores)
      : m_columns(scores.extent.width(), scores.extent.height(), kKinds, kBeyondReach) {
    tbb::parallel_for(std::int64_t{0}, scores.extent.height(), [&](std::int64_t row) { fill(scores, row); });
  }

  /// As the king moves, at most kBeyondReach.
  [[nodiscard]] std::uint8_t distance(Kind kind, std::int64_t col, std::int64_t row) const {
    std::uint8_t nearest = kBeyondReach;
    const std::int64_t end = std::min(m_columns.height() - 1, row + kOuterReach);
    for (std::int64_t y = std::max<std::int64_t>(0, row - kOuterReach); y <= end; ++y) {
      const auto rows = static_cast<std::uint8_t>(std::abs(y - row));
      nearest = std::min(nearest, std::max(rows, m_columns.at(col, y, kind)));
    }
    return nearest;
  }

  [[nodiscard]] bool is(Kind kind, std::int64_t col, std::int64_t row) const {
    return m_columns.at(col, row, kind) == 0;
  }

 private:
  void fill(const ScoreMap& scores, std::int64_t row) {
    std::array<std::uint8_t, kKinds> since{};
    since.fill(kBeyondReach);
    const auto step = [&](std::int64_t col) {
      for (int kind = 0; kind < kKinds; ++kind) {
        std::uint8_t& here = m_columns.at(col, row, kind);
        std::uint8_t& last = since[static_cast<std::size_t>(kind)];
        here = last = static_cast<std::uint8_t>(std::min<int>({here, last + 1, kBeyondReach}));
      }
    };
    for (std::int64_t col = 0; col < scores.extent.width(); ++col) {
      mark(scores, col, row);
      step(col);
    }
    since.fill(kBeyondReach);
    for (std::int64_t col = scores.extent.width() - 1; col >= 0; --col) step(col);
  }

  void mark(const ScoreMap& scores, std::int64_t col, std::int64_t row) {
    if (scores.valid.at(col, row) == 0) return;
    const int leaning = lean(scores, col, row);
    if (leaning > kSure) m_columns.at(col, row, kInterior) = 0;
    if (leaning < -kSure) m_columns.at(col, row, kLeansOut) = 0;
    if (kScoreLevels - scores.extent.at(col, row) >= kBackground) m_columns.at(col, row, kOutside) = 0;
  }

  Raster<std::uint8_t> m_columns;
};

/// For pixels as far from the interior as from what leans out: see the rule.
bool is_outer_of_equals(const ScoreMap& scores, const AlongRows& near, std::int64_t col, std::int64_t row) {
  int before = 0;
  int after = 0;
  int out = 0;
  const std::int64_t end_row = std::min(scores.extent.height() - 1, row + kOuterReach);
  const std::int64_t end_col = std::min(scores.extent.width() - 1, col + kOuterReach);
  for (std::int64_t y = std::max<std::int64_t>(0, row - kOuterReach); y <= end_row; ++y) {
    for (std::int64_t x = std::max<std::int64_t>(0, col - kOuterReach); x <= end_col; ++x) {
      const bool is_before = y < row || (y == row && x < col);
      if (near.is(kInterior, x, y)) ++(is_before ? before : after);
      if (near.is(kLeansOut, x, y)) ++out;
    }
  }
  const int interior = before + after;
  if (out >= kCorner * interior) return false;
  if (interior >= kCorner * out) return true;
  const int leaning = lean(scores, col, row);
  return leaning != 0 ? leaning < 0 : before > after;
}

bool is_outer_half(const ScoreMap& scores, const AlongRows& near, std::int64_t col, std::int64_t row) {
  if (scores.valid.at(col, row) == 0 || scores.boundary.at(col, row) == 0) return false;
  const int leaning = lean(scores, col, row);
  if (leaning > kSure || near.distance(kOutside, col, row) == kBeyondReach) return false;
  if (leaning < -kSure) return true;
  const std::uint8_t interior = near.distance(kInterior, col, row);
  const std::uint8_t out = near.distance(kLeansOut, col, row);
  if (interior == kBeyondReach || out > interior) return false;
  return out < interior || is_outer_of_equals(scores, near, col, row);
}

Raster<std::uint8_t> some_rows(const Raster<std::uint8_t>& from, std::int64_t first, std::int64_t rows) {
  Raster<std::uint8_t> part(from.width(), rows);
  std::copy_n(from.data().begin() + first * from.width(), rows * from.width(), part.data().begin());
  return part;
}

}  // namespace

ScoreMap halve_outer_boundary(const ScoreMap& scores, std::int64_t first, std::int64_t rows) {
  ScoreMap out{scores.grid.subgrid({0, first, scores.grid.width, rows}),
               some_rows(scores.extent, first, rows),
               some_rows(scores.boundary, first, rows),
               some_rows(scores.valid, first, rows),
               {},
               {}};
  out.whole_extent = out.extent;
  const AlongRows near(scores);
  tbb::parallel_for(std::int64_t{0}, rows, [&](std::int64_t row) {
    for (std::int64_t col = 0; col < scores.grid.width; ++col) {
      if (!is_outer_half(scores, near, col, first + row)) continue;
      std::uint8_t& extent = out.extent.at(col, row);
      extent = static_cast<std::uint8_t>(std::max(0, extent - scores.boundary.at(col, first + row)));
    }
  });
  return out;
}

}  // namespace furrow::geo::detail
