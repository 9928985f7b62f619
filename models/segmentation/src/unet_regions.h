#pragma once

#include <cstdint>
#include <vector>

#include <furrow/geo/raster/grid.h>

namespace furrow::segmentation {

/// What has to be computed at one level of a U-Net so that a part of its answer is right, in pixels of that
/// level (level 0 = full size). `in` is what the two convolutions of a block are given, `out` what is used of
/// their answer: up to two pixels less on each side, because the first convolutions take what lies beyond
/// `in` for 0.
struct LevelRegions {
  geo::Window encoder_in;
  geo::Window encoder_out;
  geo::Window decoder_from_below;  ///< what the level below gives: `decoder_in` to the next even pixels
  geo::Window decoder_in;          ///< empty at the deepest level, as the other two
  geo::Window decoder_out;
};

constexpr std::int64_t kBlockReachPx = 2;  ///< of the two 3 x 3 convolutions of a block

/// Rows of the answer that a U-Net computes at a time where it goes by rows: enough that convolutions work on
/// large pieces, few enough that memory stays small.
constexpr std::int64_t kRowsAtATime = 64;

/// The pixels of the level above that a window stands for: twice its numbers.
[[nodiscard]] geo::Window one_level_up(const geo::Window& window);

/// Regions of all levels for the part `wanted` of the answer to an input of `width` x `height` px (multiples
/// of 2^(levels - 1)). Every block has two 3 x 3 convolutions; going down a pixel stands for 2 x 2 of the
/// level above. Regions begin and end at even pixels wherever they meet the level below, so that pooling
/// cells stay the same. Where the whole answer is wanted the regions are whole. Pure and thread-safe.
[[nodiscard]] std::vector<LevelRegions> unet_regions(std::int64_t levels, std::int64_t width,
                                                     std::int64_t height, const geo::Window& wanted);

}  // namespace furrow::segmentation
