#include "pattern_index.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace furrow::labelling {
namespace {

std::uint64_t mix(std::uint64_t hash, std::uint64_t word) {
  hash = (hash ^ word) * 0x9E3779B97F4A7C15ULL;
  return hash ^ (hash >> 29U);
}

std::uint64_t hash_of(std::uint32_t group, std::span<const Vote> votes) {
  std::uint64_t hash = mix(0x2545F4914F6CDD1DULL, group);
  for (std::size_t i = 0; i < votes.size(); i += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, votes.data() + i, std::min(sizeof word, votes.size() - i));
    hash = mix(hash, word);
  }
  return hash ^ (hash >> 32U);
}

}  // namespace

PatternIndex::PatternIndex(std::size_t voters) : m_voters(voters), m_slots(1024, 0) {}

std::size_t PatternIndex::slot_of(std::uint32_t group, std::span<const Vote> votes) const {
  const std::size_t mask = m_slots.size() - 1;
  std::size_t slot = hash_of(group, votes) & mask;
  while (m_slots[slot] != 0) {
    const std::size_t row = m_slots[slot] - 1;
    if (m_groups[row] == group && std::ranges::equal(this->votes(row), votes)) break;
    slot = (slot + 1) & mask;
  }
  return slot;
}

void PatternIndex::grow() {
  m_slots.assign(m_slots.size() * 2, 0);
  for (std::size_t row = 0; row < rows(); ++row)
    m_slots[slot_of(m_groups[row], votes(row))] = static_cast<std::uint32_t>(row + 1);
}

std::uint32_t PatternIndex::add(std::uint32_t group, std::span<const Vote> votes, std::int64_t count) {
  if (2 * (rows() + 1) > m_slots.size()) grow();
  std::uint32_t& slot = m_slots[slot_of(group, votes)];
  if (slot == 0) {
    m_votes.insert(m_votes.end(), votes.begin(), votes.end());
    m_groups.push_back(group);
    m_counts.push_back(0);
    slot = static_cast<std::uint32_t>(rows());
  }
  m_counts[slot - 1] += count;
  return slot - 1;
}

std::optional<std::uint32_t> PatternIndex::find(std::uint32_t group, std::span<const Vote> votes) const {
  const std::uint32_t found = m_slots[slot_of(group, votes)];
  if (found == 0) return std::nullopt;
  return found - 1;
}

std::vector<std::uint32_t> PatternIndex::sorted() const {
  std::vector<std::uint32_t> order(rows());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::sort(order, [this](std::uint32_t a, std::uint32_t b) {
    if (m_groups[a] != m_groups[b]) return m_groups[a] < m_groups[b];
    return std::ranges::lexicographical_compare(votes(a), votes(b));
  });
  return order;
}

}  // namespace furrow::labelling
