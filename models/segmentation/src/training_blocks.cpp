#include "training_blocks.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>

namespace furrow::segmentation {

using geo::concat;
using geo::Window;

namespace {

/// Boundaries that cut `length` into equal parts of about `target`.
std::vector<std::int64_t> cuts(std::int64_t start, std::int64_t length, std::int64_t target) {
  const std::int64_t parts = std::max<std::int64_t>(1, (length + target / 2) / target);
  std::vector<std::int64_t> result;
  for (std::int64_t i = 0; i <= parts; ++i) result.push_back(start + i * length / parts);
  return result;
}

std::uint64_t block_hash(const Block& block, std::uint64_t seed) {
  return geo::stable_hash(concat("block ", block.image, " ", block.key_col, " ", block.key_row), seed);
}

/// The window of side `chip` around `own`, moved inside `image` where that is large enough.
Window around(const Window& own, std::int64_t chip, const Window& image) {
  const auto place = [chip](std::int64_t start, std::int64_t length, std::int64_t low, std::int64_t size) {
    const std::int64_t centred = start - (chip - length) / 2;
    return size <= chip ? low : std::clamp(centred, low, low + size - chip);
  };
  return {place(own.col, own.width, image.col, image.width),
          place(own.row, own.height, image.row, image.height), chip, chip};
}

}  // namespace

std::vector<Block> cut_blocks(std::size_t scene, const Window& extent, std::int64_t side_px) {
  std::vector<Block> blocks;
  if (extent.empty()) return blocks;
  const auto cols = cuts(extent.col, extent.width, side_px);
  const auto rows = cuts(extent.row, extent.height, side_px);
  for (std::size_t r = 0; r + 1 < rows.size(); ++r) {
    for (std::size_t c = 0; c + 1 < cols.size(); ++c) {
      Block block;
      block.scene = scene;
      block.image = scene;
      block.key_col = static_cast<std::int64_t>(c);
      block.key_row = static_cast<std::int64_t>(r);
      block.window = {cols[c], rows[r], cols[c + 1] - cols[c], rows[r + 1] - rows[r]};
      blocks.push_back(block);
    }
  }
  return blocks;
}

std::vector<bool> choose_by_hash(const std::vector<Block>& blocks, double share, std::uint64_t seed) {
  const auto wanted = static_cast<std::size_t>(std::ceil(share * static_cast<double>(blocks.size())));
  if (wanted > 0 && wanted >= blocks.size()) {
    throw geo::InvalidArgument(concat("the labels cover only ", blocks.size(),
                                      " block(s), too few to keep some for validation; use smaller "
                                      "windows (--chip-px), more images, or --val-share 0"));
  }
  std::vector<std::size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::vector<std::uint64_t> hashes;
  for (const Block& block : blocks) hashes.push_back(block_hash(block, seed));
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return hashes[a] < hashes[b]; });
  std::vector<bool> chosen(blocks.size(), false);
  if (wanted == 0) return chosen;
  // Labels of several people for one place go to the same part, so that no validation pixel is trained on.
  for (std::size_t i = 0; i < wanted || hashes[order[i]] == hashes[order[wanted - 1]]; ++i) {
    chosen[order[i]] = true;
    if (i + 1 < blocks.size()) continue;
    throw geo::InvalidArgument(
        "the labels cover one place only, too few to keep some for validation; use smaller windows "
        "(--chip-px), more images, or --val-share 0");
  }
  return chosen;
}

std::vector<std::size_t> windows_of_epoch(const std::vector<Block>& blocks, std::int64_t chip_px) {
  std::vector<std::size_t> windows;
  const std::int64_t area = chip_px * chip_px;
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    const std::int64_t count = std::max<std::int64_t>(1, (blocks[b].window.pixels() + area / 2) / area);
    windows.insert(windows.end(), static_cast<std::size_t>(count), b);
  }
  return windows;
}

void add_validation_windows(std::size_t position, const Block& block, std::int64_t chip_px,
                            const Window& image, std::vector<ValWindow>& windows) {
  const Window& window = block.window;
  const std::int64_t nx = (window.width + chip_px - 1) / chip_px;
  const std::int64_t ny = (window.height + chip_px - 1) / chip_px;
  for (std::int64_t y = 0; y < ny; ++y) {
    for (std::int64_t x = 0; x < nx; ++x) {
      const std::int64_t col = window.col + x * window.width / nx;
      const std::int64_t row = window.row + y * window.height / ny;
      const Window own{col, row, window.col + (x + 1) * window.width / nx - col,
                       window.row + (y + 1) * window.height / ny - row};
      windows.push_back({position, around(own, chip_px, image), own});
    }
  }
}

}  // namespace furrow::segmentation
