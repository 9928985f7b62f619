#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <furrow/geo/topology/arcs.h>

namespace furrow::geo::detail {

/// Parts of a pixel that corners move by.
inline constexpr std::int32_t kMoveUnits = 256;
/// The most that a corner moves, in these: less than half a pixel.
inline constexpr std::int32_t kLargestMove = 127;
/// Moved corners are held in 32 bits, areas in units squared in 64.
inline constexpr std::int64_t kLargestMovedRaster = (std::int64_t{1} << 22) - 1;

/// Where a corner goes, in kMoveUnits, each within +-kLargestMove.
struct CornerMove {
  std::int8_t x = 0;
  std::int8_t y = 0;
  friend bool operator==(const CornerMove&, const CornerMove&) = default;
};

/// One pixel corner that a traced line runs through.
struct MovedCorner {
  std::int32_t x = 0;
  CornerMove move;
};

/// Where the corners of all traced lines go, by their place.
///
/// Why lines whose corners all move by less than half a pixel in column and in row neither cross nor touch,
/// nor turn a ring around: a line's straight part along row y stays within the open band y +- 1/2 and between
/// the columns of its ends +- 1/2, likewise along columns. Two parts can only come near each other where
/// these boxes overlap, so where the parts as traced had a corner in common (corners lie whole pixels apart),
/// and there both end: lines are traced from corner to corner, and where two meet is a node. From the corner
/// they share, the other ends lie beyond different sides of the box of +- 1/2 around it, so the parts leave
/// it in different directions, and in the order as traced. This holds at each moment while corners move there
/// straight, so nothing ever changes sides.
///
/// Memory: 1.1 bits per pixel and 2 bytes per corner. Filled by one thread; then safe to ask from several.
class CornerMoves {
 public:
  /// @param width  of the raster, px
  explicit CornerMoves(std::int64_t width) : m_row_words(static_cast<std::size_t>(width / 64 + 1)) {}

  /// The next row of corners, from the top; by ascending x.
  void add_row(const std::vector<MovedCorner>& row);

  /// A line runs through that corner; false outside of the rows so far.
  [[nodiscard]] bool has(LatticePoint p) const {
    return p.x >= 0 && p.y >= 0 && static_cast<std::size_t>(p.y) < m_row_begin.size() &&
           static_cast<std::size_t>(p.x) / 64 < m_row_words && (m_words[word_of(p)] >> (p.x % 64) & 1U) != 0;
  }

  /// In kMoveUnits, of a corner that a line runs through.
  [[nodiscard]] LatticePoint place(LatticePoint p) const {
    const CornerMove move = m_moves[rank(p)];
    return {p.x * kMoveUnits + move.x, p.y * kMoveUnits + move.y};
  }

 private:
  static constexpr std::size_t kWordsPerCount = 8;

  [[nodiscard]] std::size_t word_of(LatticePoint p) const {
    return static_cast<std::size_t>(p.y) * m_row_words + static_cast<std::size_t>(p.x) / 64;
  }
  /// Corners before it.
  [[nodiscard]] std::size_t rank(LatticePoint p) const;

  std::size_t m_row_words;
  std::vector<std::uint64_t> m_words;      ///< a bit per corner of the raster, rows begin with a word
  std::vector<std::uint32_t> m_counts;     ///< corners of the row before every kWordsPerCount-th word
  std::vector<std::uint64_t> m_row_begin;  ///< corners before each row
  std::vector<CornerMove> m_moves;
};

}  // namespace furrow::geo::detail
