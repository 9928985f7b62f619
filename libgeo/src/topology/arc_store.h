#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include <furrow/geo/topology/arcs.h>

namespace furrow::geo::detail {

/// Traced arcs in little memory: 40 bytes each, and about one byte per corner. `get` may be called
/// concurrently.
class ArcStore {
 public:
  struct Entry {
    std::uint32_t left = 0;
    std::uint32_t right = 0;
    LatticePoint front;
    LatticePoint back;
    std::uint32_t points = 0;
    Direction first = Direction::kEast;
    Direction last = Direction::kEast;
    std::uint32_t block = 0;
    std::uint32_t offset = 0;
  };

  void put(const Arc& arc);
  [[nodiscard]] Arc get(const Entry& entry) const;
  [[nodiscard]] const std::deque<Entry>& entries() const { return m_entries; }

 private:
  std::deque<Entry> m_entries;
  std::deque<std::vector<std::uint8_t>> m_blocks;
};

}  // namespace furrow::geo::detail
