#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/topology/clean.h>

#include "planar_partition.h"
#include "precision_grid.h"

namespace furrow::geo::detail {

inline constexpr std::uint32_t kNoOwner = 0xFFFFFFFFU;

/// Area of every face on the ground, m2; 0 for the outside.
[[nodiscard]] std::vector<double> face_areas_m2(const PlanarPartition& partition, const GroundScale& scale);

/// The feature that each face belongs to, kNoOwner where there is none.
using FaceOwners = std::vector<std::uint32_t>;

/// The feature with the longest edge, of equals the one that goes first; kNoOwner without any.
/// @param lengths  m, by feature
[[nodiscard]] std::uint32_t longest(const std::map<std::uint32_t, double>& lengths,
                                    std::span<const std::uint32_t> precedence);

/// Gives every face that is covered to one feature.
/// @param precedence  by feature: of several that cover a face the one with the lowest number gets it, and
/// ties
///                    of edge lengths go to it
[[nodiscard]] FaceOwners resolve_overlaps(const PlanarPartition& partition, const GroundScale& scale,
                                          std::span<const std::uint32_t> precedence, OverlapRule rule,
                                          std::span<const double> areas_m2, ChangeCount& resolved);

/// Gives uncovered faces in which no circle of diameter `width_m` fits to the neighbour with the longest
/// common edge: together those that touch each other and the same features.
void close_gaps(const PlanarPartition& partition, const GroundScale& scale,
                std::span<const std::uint32_t> precedence, double width_m, std::span<const double> areas_m2,
                std::span<const std::uint8_t> candidates, FaceOwners& owners, ChangeCount& closed,
                ExecContext& exec);

}  // namespace furrow::geo::detail
