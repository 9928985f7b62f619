#pragma once

#include <cstdint>

#include <furrow/geo/topology/score_map.h>

namespace furrow::geo::detail {

/// How far, in pixels, background may lie from a boundary pixel that it gets. Boundaries up to twice as wide
/// are halved.
inline constexpr std::int64_t kOuterBoundaryReach = 4;

/// Halves the boundary between fields and background, as the watershed halves that between two fields.
///
/// Networks that tell background, interior and boundary apart learn boundaries that lie half on each side of
/// the outline (Furrow's labels, Lacuna's, Fields of The World's), so interior + boundary reaches half a
/// boundary too far into the background: an isolated field of 10 px with the usual 2 px would get 12 x 12.
/// The outer half loses its boundary score from the extent; between two fields nothing changes.
///
/// Rule, with a pixel's lean = interior - background: interior pixels lean by more than 0.3, background
/// pixels by less than -0.3, the others are in doubt. In doubt, a pixel is taken for background when the
/// nearest background pixel is nearer than the nearest interior pixel, both within kOuterBoundaryReach
/// (pixels as the king moves: the graph of 8 neighbours, as for the watershed). Where both are as near, the
/// pixels of both kinds within the reach are counted: at least twice as much background is the corner of a
/// field, which keeps it; at least twice as much interior the corner of background. Otherwise the pixel goes
/// where it leans, and without a lean to the background if more of the interior comes before it, row by row,
/// than after it: so a field gets such pixels on its upper and left sides and loses them on the others, and
/// areas are not biased. What is taken for background and has a pixel of background score 0.5 or more within
/// the reach keeps only its interior score as extent. A field too small to have an interior pixel loses
/// nothing but what leans to the background.
///
/// @param scores  extent = interior + boundary, with kOuterBoundaryReach more rows above and below those
///                wanted (fewer where the scene ends)
/// @param first, rows  the rows wanted
/// @return  those rows, on their part of the grid; whole_extent is the extent as it was
/// Memory: 3 bytes per pixel, and 4 of the result. Same result for any number of threads.
[[nodiscard]] ScoreMap halve_outer_boundary(const ScoreMap& scores, std::int64_t first, std::int64_t rows);

}  // namespace furrow::geo::detail
