#pragma once

#include <string>

#include <furrow/geo/topology/clean.h>

#include "face_owners.h"
#include "pieces.h"

namespace furrow::geo::detail {

/// Gives the pieces of a feature that was cut at a tile border to one feature, see clean_layer.
/// @param precedence  of features that are merged the one with the lowest number stays
/// @return merged: by feature, the one that it became (itself where it was not merged)
struct MergedFeatures {
  std::vector<std::uint32_t> into;
  std::vector<std::string> seams;
};
[[nodiscard]] MergedFeatures merge_at_seams(const PlanarPartition& partition, const PrecisionGrid& grid,
                                            const GroundScale& scale,
                                            std::span<const std::uint32_t> precedence,
                                            std::span<const double> areas_m2, const CleanOptions& options,
                                            FaceOwners& owners);

}  // namespace furrow::geo::detail
