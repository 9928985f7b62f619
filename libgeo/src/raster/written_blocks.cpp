#include "written_blocks.h"

#include <algorithm>

namespace furrow::geo {

WrittenBlocks::WrittenBlocks(std::int64_t width, std::int64_t height, int block_width, int block_height)
    : m_width(width),
      m_height(height),
      m_block_width(block_width),
      m_block_height(block_height),
      m_columns((width + block_width - 1) / block_width) {
  const std::int64_t rows = (height + block_height - 1) / block_height;
  m_pixels.resize(static_cast<std::size_t>(m_columns * rows));
  m_waits.resize(m_pixels.size());
}

std::int64_t WrittenBlocks::block_pixels(const BlockPlace& block) const {
  return std::min<std::int64_t>(m_block_width, m_width - std::int64_t{block.col} * m_block_width) *
         std::min<std::int64_t>(m_block_height, m_height - std::int64_t{block.row} * m_block_height);
}

std::vector<BlockPlace> WrittenBlocks::add(const Window& window) {
  std::vector<BlockPlace> whole;
  if (window.empty()) return whole;
  for (std::int64_t row = window.row / m_block_height; row * m_block_height < window.end_row(); ++row) {
    for (std::int64_t col = window.col / m_block_width; col * m_block_width < window.end_col(); ++col) {
      const BlockPlace block{static_cast<int>(col), static_cast<int>(row)};
      const auto at = static_cast<std::size_t>(row * m_columns + col);
      const Window all{col * m_block_width, row * m_block_height, m_block_width, m_block_height};
      if (!m_waits[at]) ++m_waiting;
      m_waits[at] = true;
      m_pixels[at] += intersection(window, all).pixels();
      if (m_pixels[at] < block_pixels(block)) continue;
      whole.push_back(block);
      m_pixels[at] = 0;
      m_waits[at] = false;
      --m_waiting;
    }
  }
  return whole;
}

void WrittenBlocks::all_left() {
  m_waits.assign(m_waits.size(), false);
  m_waiting = 0;
}

}  // namespace furrow::geo
