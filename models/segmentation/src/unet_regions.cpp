#include "unet_regions.h"

#include <algorithm>

#include "prediction/rounding.h"

namespace furrow::segmentation {
namespace {

using geo::Window;

Window from_ends(std::int64_t col, std::int64_t row, std::int64_t end_col, std::int64_t end_row) {
  return {col, row, end_col - col, end_row - row};
}

Window seen_by_block(const Window& window, const Window& level) {
  return geo::intersection(geo::grow(window, kBlockReachPx), level);
}

/// Ends at even pixels, as whole pixels of the level below do. Levels that have one below have even sides.
Window even(const Window& window) {
  return from_ends(round_down(window.col, 2), round_down(window.row, 2), round_up(window.end_col(), 2),
                   round_up(window.end_row(), 2));
}

Window one_level_down(const Window& window) {
  return {window.col / 2, window.row / 2, window.width / 2, window.height / 2};
}

Window hull(const Window& a, const Window& b) {
  return from_ends(std::min(a.col, b.col), std::min(a.row, b.row), std::max(a.end_col(), b.end_col()),
                   std::max(a.end_row(), b.end_row()));
}

}  // namespace

Window one_level_up(const Window& window) {
  return {window.col * 2, window.row * 2, window.width * 2, window.height * 2};
}

std::vector<LevelRegions> unet_regions(std::int64_t levels, std::int64_t width, std::int64_t height,
                                       const Window& wanted) {
  std::vector<LevelRegions> regions(static_cast<std::size_t>(levels));
  const auto level_window = [&](std::size_t level) { return Window{0, 0, width >> level, height >> level}; };
  const std::size_t deepest = regions.size() - 1;
  Window needed = wanted;
  for (std::size_t level = 0; level < deepest; ++level) {
    regions[level].decoder_out = needed;
    regions[level].decoder_in = seen_by_block(needed, level_window(level));
    regions[level].decoder_from_below = even(regions[level].decoder_in);
    needed = one_level_down(regions[level].decoder_from_below);
  }
  for (std::size_t level = deepest;; --level) {
    if (level < deepest)
      needed = hull(one_level_up(regions[level + 1].encoder_in), regions[level].decoder_in);
    regions[level].encoder_out = needed;
    regions[level].encoder_in = seen_by_block(needed, level_window(level));
    if (level == 0) return regions;
  }
}

}  // namespace furrow::segmentation
