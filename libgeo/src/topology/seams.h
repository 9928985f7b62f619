#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/topology/clean.h>

#include "face_owners.h"
#include "pieces.h"

namespace furrow::geo::detail {

struct MergedFeatures {
  std::vector<std::uint32_t> into;  ///< by feature, the one that it became (itself where it was not merged)
  std::vector<std::string> seams;   ///< "x = 500000"
};

/// Gives the pieces of features that were cut at a tile border to the one with the lowest number, see
/// clean_layer.
[[nodiscard]] MergedFeatures merge_at_seams(const PlanarPartition& partition, const PrecisionGrid& grid,
                                            const GroundScale& scale, std::size_t features,
                                            std::span<const double> areas_m2, const CleanOptions& options,
                                            FaceOwners& owners);

}  // namespace furrow::geo::detail
