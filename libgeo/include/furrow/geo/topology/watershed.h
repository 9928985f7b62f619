#pragma once

#include <cstdint>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/topology/components.h>

namespace furrow::geo {

/// Scores are stored in steps of 1/200: 0..200 stands for 0..1.
inline constexpr int kScoreLevels = 200;

/// Splits a mask of fields along ridges of the boundary score: hierarchical watershed, cut by dynamics.
///
/// The mask's pixels form a graph of 8 neighbours. The altitude of an edge is the **larger** boundary score
/// of its two pixels, so that a line one pixel wide separates with its full score (the mean of two pixels
/// would halve it) and the dynamics are those of Grimaud (1992): how far one must climb from the calmest
/// pixel of a field to get to a calmer one. Fields are the minima whose dynamics reach `cut_level`; each mask
/// pixel goes to exactly one field, boundary pixels included (no lines, no erosion).
///
/// Ties. Pixels are ranked by (boundary score, boundary score smoothed over 7 x 7 px, position in row-major
/// order) and edges by (rank of the higher pixel, rank of the lower one). The smoothing makes a broad ridge
/// of equal scores split along its middle. The ranking is a strict order that looks 3 pixels far, so the
/// minimum spanning forest is unique: the result depends on nothing but the input, and can be put together
/// from blocks.
///
/// Method: every pixel first joins its lowest neighbour (a step of Boruvka's algorithm, in parallel), then
/// Kruskal's algorithm runs over the lowest pass between each two basins, keeping the lowest score on each
/// side; a pass whose height above the shallower side is below the cut joins them. Cousty and Najman,
/// "Incremental algorithm for hierarchical minimum spanning forests and saliency of watershed cuts" (2011);
/// Najman, Cousty and Perret, "Playing with Kruskal" (2013).
///
/// @param boundary   shape [1, rows, cols]; boundary score 0..200
/// @param mask       same shape; not 0 where a field may be
/// @param cut_level  1..200, in score levels (40 = 0.2)
/// @return           same shape; fields numbered 1..count by their first pixel in row-major order, 0 outside
/// the mask
/// @throws InvalidArgument  shapes differ, cut_level outside 1..200, or 2^32 - 2 pixels or more
/// Memory: about 16 bytes per pixel. Same result for any number of threads.
[[nodiscard]] LabelledRaster watershed(const Raster<std::uint8_t>& boundary, const Raster<std::uint8_t>& mask,
                                       int cut_level, ExecContext& exec);

}  // namespace furrow::geo
