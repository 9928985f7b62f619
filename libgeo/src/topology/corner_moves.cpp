#include "corner_moves.h"

namespace furrow::geo::detail {

void CornerMoves::add_row(const std::vector<MovedCorner>& row) {
  m_row_begin.push_back(m_moves.size());
  const std::size_t first = m_words.size();
  m_words.resize(first + m_row_words, 0);
  for (const MovedCorner& corner : row) {
    m_words[first + static_cast<std::size_t>(corner.x) / 64] |= std::uint64_t{1} << (corner.x % 64);
    m_moves.push_back(corner.move);
  }
  std::uint32_t count = 0;
  for (std::size_t i = 0; i < m_row_words; ++i) {
    if (i % kWordsPerCount == 0) m_counts.push_back(count);
    count += static_cast<std::uint32_t>(std::popcount(m_words[first + i]));
  }
}

std::size_t CornerMoves::rank(LatticePoint p) const {
  const std::size_t counts_per_row = (m_row_words + kWordsPerCount - 1) / kWordsPerCount;
  const auto row = static_cast<std::size_t>(p.y);
  const std::size_t block = static_cast<std::size_t>(p.x) / 64 / kWordsPerCount;
  std::size_t before = m_row_begin[row] + m_counts[row * counts_per_row + block];
  const std::size_t last = word_of(p);
  for (std::size_t i = row * m_row_words + block * kWordsPerCount; i < last; ++i) {
    before += static_cast<std::size_t>(std::popcount(m_words[i]));
  }
  const std::uint64_t below = (std::uint64_t{1} << (p.x % 64)) - 1;
  return before + static_cast<std::size_t>(std::popcount(m_words[last] & below));
}

}  // namespace furrow::geo::detail
