#pragma once

#include <cstdint>

#include <furrow/geo/topology/delineate.h>

#include "corner_moves.h"

namespace furrow::geo::detail {

/// Rows of scores needed above and below those of a strip.
inline constexpr std::int64_t kPlacementMargin = 2;

/// Says where the corners of lines between regions lie by the scores, by OutlinePlacement::kScore.
///
/// A corner moves along the normal of the line through the four pixels around it: across a straight line, and
/// along the diagonal where the line turns; by less than half a pixel in column and in row.
/// - Between field and background: to where what decided it, interpolated bilinearly between the centres of
///   the four pixels, crosses its threshold. That is the extent score, with SplitMode::kComponents the lesser
///   of extent and what is left to the boundary threshold. The corner's pixels on the two sides have
///   different signs, so the place is unique; where they do not (a hole that was filled, something small that
///   was joined or rejected) the corner stays.
/// - Where the boundary was halved (ScoreMap::whole_extent), to where interior - background crosses 0. The
///   pixels were told apart by distances, so it may cross elsewhere: then as far as can be towards it, where
///   the two sides differ by a tenth and say which way.
/// - Between two fields: to the top of the parabola through three boundary scores, at the corner and a step
///   to either side along the normal, each the mean of the four pixels there. Without a boundary band that is
///   the lowest extent. Where the scores bend by less than a hundredth the corner stays.
/// Nodes, and corners at the raster's border or beside pixels without scores, stay.
class ScorePlacement {
 public:
  /// @param width, height  of the raster, px
  /// @throws InvalidArgument  a side above kLargestMovedRaster
  ScorePlacement(const DelineateOptions& options, std::int64_t width, std::int64_t height);

  /// Places the corners above and between the next `rows` rows of pixels; after the last, those below too.
  /// @param labels  shape [1, rows + one above + one below where the raster has them, width]
  /// @param scores  the rows, with kPlacementMargin more on either side where the raster has them
  void add(const Raster<std::uint32_t>& labels, std::int64_t rows, const ScoreMap& scores);

  [[nodiscard]] const CornerMoves& moves() const { return m_moves; }

 private:
  class Rows;

  double m_extent_level;
  double m_boundary_level;  ///< above all scores when it decides nothing
  std::int64_t m_width;
  std::int64_t m_height;
  std::int64_t m_next_row = 0;
  CornerMoves m_moves;
};

}  // namespace furrow::geo::detail
