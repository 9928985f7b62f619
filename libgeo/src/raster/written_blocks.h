#pragma once

#include <cstdint>
#include <vector>

#include <furrow/geo/raster/grid.h>

namespace furrow::geo {

struct BlockPlace {
  int col = 0;  ///< in blocks
  int row = 0;
  friend bool operator==(const BlockPlace&, const BlockPlace&) = default;
};

/// How far the blocks of a raster are that is written by windows. One thread at a time.
class WrittenBlocks {
 public:
  /// @param width,height  of the raster, in pixels; blocks at the right and lower edge are cut off there
  WrittenBlocks(std::int64_t width, std::int64_t height, int block_width, int block_height);

  /// To be called after `window` was written.
  /// @return  the blocks that became whole. Pixels written twice count twice: such a block may be named too
  ///          early, and once more later
  [[nodiscard]] std::vector<BlockPlace> add(const Window& window);

  /// Blocks that `add` began and neither it nor `all_left` has ended: what waits in memory.
  [[nodiscard]] std::int64_t waiting() const noexcept { return m_waiting; }

  /// To be called after all that waited was written, whole or not.
  void all_left();

 private:
  [[nodiscard]] std::int64_t block_pixels(const BlockPlace& block) const;

  std::int64_t m_width;
  std::int64_t m_height;
  int m_block_width;
  int m_block_height;
  std::int64_t m_columns;              ///< of blocks
  std::vector<std::int64_t> m_pixels;  ///< written so far, of each block, row by row; 0 once it was whole
  std::vector<bool> m_waits;
  std::int64_t m_waiting = 0;
};

}  // namespace furrow::geo
