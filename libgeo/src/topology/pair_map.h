#pragma once

#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

namespace furrow::geo::detail {

/// A hash table from unordered pairs of numbers to values, which are kept in the order of their first use.
template <class Value>
class PairMap {
 public:
  struct Entry {
    std::uint32_t a = 0;  ///< a < b
    std::uint32_t b = 0;
    Value value;
  };

  PairMap() : m_slots(64, kEmpty) {}

  /// The value of the pair; a fresh one, with `is_new` set, when it was not there.
  Value& at(std::uint32_t a, std::uint32_t b, bool& is_new) {
    if (a > b) std::swap(a, b);
    std::size_t slot = hash(a, b);
    for (;; slot = (slot + 1) & (m_slots.size() - 1)) {
      const std::uint32_t found = m_slots[slot];
      if (found == kEmpty) break;
      if (m_entries[found].a == a && m_entries[found].b == b) {
        is_new = false;
        return m_entries[found].value;
      }
    }
    is_new = true;
    m_slots[slot] = static_cast<std::uint32_t>(m_entries.size());
    m_entries.push_back({a, b, Value{}});
    if (2 * m_entries.size() > m_slots.size()) grow();
    return m_entries.back().value;
  }

  [[nodiscard]] std::vector<Entry>& entries() { return m_entries; }

 private:
  static constexpr std::uint32_t kEmpty = 0xFFFFFFFFU;

  [[nodiscard]] std::size_t hash(std::uint32_t a, std::uint32_t b) const {
    const std::uint64_t key = (std::uint64_t{a} << 32) | b;
    // Fibonacci hashing: the high bits of the product are well mixed.
    const int bits = std::countr_zero(m_slots.size());
    return static_cast<std::size_t>((key * 0x9E3779B97F4A7C15ULL) >> (64 - bits));
  }
  void grow() {
    m_slots.assign(2 * m_slots.size(), kEmpty);
    for (std::uint32_t i = 0; i < m_entries.size(); ++i) {
      std::size_t slot = hash(m_entries[i].a, m_entries[i].b);
      while (m_slots[slot] != kEmpty) slot = (slot + 1) & (m_slots.size() - 1);
      m_slots[slot] = i;
    }
  }

  std::vector<std::uint32_t> m_slots;
  std::vector<Entry> m_entries;
};

}  // namespace furrow::geo::detail
