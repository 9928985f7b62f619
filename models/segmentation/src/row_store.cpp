#include "row_store.h"

#include <algorithm>

#include "resize_features.h"
#include "unet_regions.h"

namespace furrow::segmentation {

torch::Tensor RowStore::rows(std::int64_t begin, std::int64_t end) const {
  return in_one_piece(m_memory.narrow(2, m_place + begin - m_begin, end - begin));
}

torch::Tensor RowStore::extend(std::int64_t first, std::int64_t channels, std::int64_t count,
                               std::int64_t width, const torch::Tensor& like) {
  if (!m_memory.defined()) m_begin = first;
  if (!m_memory.defined() || m_place + m_rows + count > m_memory.size(2)) {
    if (m_memory.defined() && m_rows <= m_place && m_rows + count <= m_memory.size(2))
      move_to_front();
    else
      grow(channels, count, width, like);
  }
  m_rows += count;
  return in_one_piece(m_memory.narrow(2, m_place + m_rows - count, count));
}

void RowStore::move_to_front() {
  m_memory.narrow(2, 0, m_rows).copy_(m_memory.narrow(2, m_place, m_rows));
  m_place = 0;
}

void RowStore::grow(std::int64_t channels, std::int64_t count, std::int64_t width,
                    const torch::Tensor& like) {
  // As much room again as is moved, so that a row is moved about once. The first rows are the most, but for
  // those around the next ones that were needed already.
  const std::int64_t spare = m_memory.defined() ? std::max(m_rows, count) : kBlockReachPx;
  torch::Tensor larger = torch::empty({1, channels, std::max(m_rows + count + spare, m_expected), width},
                                      like.options().memory_format(torch::MemoryFormat::ChannelsLast));
  if (m_rows > 0) larger.narrow(2, 0, m_rows).copy_(m_memory.narrow(2, m_place, m_rows));
  m_memory = larger;
  m_place = 0;
}

void RowStore::append(std::int64_t first, const torch::Tensor& rows) {
  extend(first, rows.size(1), rows.size(2), rows.size(3), rows).copy_(rows);
}

void RowStore::keep_from(std::int64_t row) {
  const std::int64_t dropped = std::clamp(row - m_begin, std::int64_t{0}, m_rows);
  m_place += dropped;
  m_begin += dropped;
  m_rows -= dropped;
}

}  // namespace furrow::segmentation
