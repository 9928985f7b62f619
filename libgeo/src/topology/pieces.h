#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <furrow/geo/topology/clean.h>

#include "face_owners.h"
#include "planar_partition.h"
#include "precision_grid.h"

namespace furrow::geo::detail {

/// Connected faces of one feature.
struct Piece {
  std::uint32_t owner = kNoOwner;
  double area_m2 = 0.0;
  Box box;  ///< in steps
};

/// Pieces numbered by their lowest face.
struct Pieces {
  std::vector<Piece> list;
  std::vector<std::uint32_t> of_face;  ///< kNoOwner where the face is nobody's
};

[[nodiscard]] Pieces find_pieces(const PlanarPartition& partition, const FaceOwners& owners,
                                 std::span<const double> areas_m2);

struct LostPiece {
  std::uint32_t owner = kNoOwner;
  std::vector<std::uint32_t> faces;
  bool is_sliver = false;  ///< too narrow; else too small
};

/// Gives pieces that are too small or too narrow to the feature with the longest common edge, the smallest
/// piece first; those that touch no other feature become nobody's.
/// @return what became nobody's
[[nodiscard]] std::vector<LostPiece> absorb_pieces(const PlanarPartition& partition, const GroundScale& scale,
                                                   std::span<const std::uint32_t> precedence,
                                                   std::span<const double> areas_m2,
                                                   const CleanOptions& options, FaceOwners& owners,
                                                   ChangeCount& absorbed);

}  // namespace furrow::geo::detail
