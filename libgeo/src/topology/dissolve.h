#pragma once

#include <cstdint>
#include <vector>

#include <furrow/geo/core/exec_context.h>

#include "face_owners.h"
#include "planar_partition.h"
#include "precision_grid.h"

namespace furrow::geo::detail {

struct DissolveOptions {
  double simplify_m = 0.0;  ///< tolerance; 0: only vertices that cutting made may go
};

/// Shapes of all owners: edges between two faces of one owner vanish, every other edge is simplified once for
/// both sides. Shells run counter-clockwise, holes clockwise; rings start at their lowest point by x, then y.
/// @param is_corner  by node: an input vertex lies there; not used with a tolerance
/// @return           by owner, `count` of them
[[nodiscard]] std::vector<GridShape> dissolve(const PlanarPartition& partition, const FaceOwners& owners,
                                              std::size_t count, const std::vector<bool>& is_corner,
                                              const GroundScale& scale, const DissolveOptions& options,
                                              ExecContext& exec);

}  // namespace furrow::geo::detail
