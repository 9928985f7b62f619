#pragma once

#include <array>

namespace furrow::segmentation {

/// Blocks of a network of encoder and decoder; see src/blocks.h.
enum class NetworkKind {
  kUNet,         ///< Ronneberger et al. 2015
  kResidualUNet  ///< Zhang et al. 2018, Road extraction by deep residual U-Net
};
/// Names on the command line and in model.json.
inline constexpr std::array<const char*, 2> kNetworkNames{"unet", "residual-unet"};

enum class NormKind {
  kBatch,  ///< Ioffe & Szegedy 2015: in use its statistics are fixed, so a score depends on its neighbourhood
  kGroup   ///< Wu & He 2018: statistics of the window itself, so a score depends on the whole window
};
inline constexpr std::array<const char*, 2> kNormNames{"batch", "group"};

/// What a network answers with; see src/heads.h.
enum class HeadKind {
  kClasses,   ///< logits of background, interior and boundary
  kMultiTask  ///< extent, boundary and distance to the field's edge (Diakogiannis et al. 2020, ResUNet-a;
              ///< Waldner & Diakogiannis 2020)
};
inline constexpr std::array<const char*, 2> kHeadNames{"classes", "multi-task"};

}  // namespace furrow::segmentation
