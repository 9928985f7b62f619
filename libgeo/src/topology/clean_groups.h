#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "precision_grid.h"

namespace furrow::geo::detail {

/// Divides shapes into lists that can be cleaned apart from each other: shapes that overlap, or whose
/// outlines are not further than `reach_m` from each other, also by way of others, are in the same list.
/// Several such clusters share a list until it has `least_vertices` vertices.
/// @return numbers of shapes, ascending in each list; together all of them. Lists by their clusters' lowest
/// shapes.
[[nodiscard]] std::vector<std::vector<std::uint32_t>> groups_apart(std::span<const GridShape> shapes,
                                                                   const GroundScale& scale, double reach_m,
                                                                   std::size_t least_vertices);

}  // namespace furrow::geo::detail
