#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include <furrow/geo/raster/grid.h>
#include <furrow/segmentation/training_data.h>

namespace furrow::segmentation {

/// A piece of a scene that trains or validates as a whole.
struct Block {
  std::size_t scene = 0;
  std::size_t image = 0;     ///< first scene with the same image: labels of several people share the split
  std::int64_t key_col = 0;  ///< its place among the blocks of the scene
  std::int64_t key_row = 0;
  geo::Window window;
  std::int64_t labelled_px = 0;
  std::int64_t first_pixel = 0;            ///< number of its first pixel among those of all training blocks
  std::array<std::int64_t, 3> class_px{};  ///< usable labels of each class, once the block was read
};

/// A window that the network sees: `window` is read, labels count inside `own` only.
struct ValWindow {
  std::size_t block = 0;
  geo::Window window;
  geo::Window own;
};

/// Cuts a part of a scene into about square blocks of equal size, with sides of about `side_px`.
[[nodiscard]] std::vector<Block> cut_blocks(std::size_t scene, const geo::Window& extent,
                                            std::int64_t side_px);

/// The `share` of the blocks, rounded up, whose seeded hash of their place is smallest, and all others of the
/// places among them.
/// @throws geo::InvalidArgument  when none would be left to train on
[[nodiscard]] std::vector<bool> choose_by_hash(const std::vector<Block>& blocks, double share,
                                               std::uint64_t seed);

/// How many windows of `chip_px` each block gives in an epoch, as positions of blocks: about as many as fit,
/// at least one.
[[nodiscard]] std::vector<std::size_t> windows_of_epoch(const std::vector<Block>& blocks,
                                                        std::int64_t chip_px);

/// Windows that tile a block; each sees its neighbourhood, inside the image where that is large enough.
void add_validation_windows(std::size_t position, const Block& block, std::int64_t chip_px,
                            const geo::Window& image, std::vector<ValWindow>& windows);

}  // namespace furrow::segmentation
