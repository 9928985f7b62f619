#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include <furrow/geo/topology/arcs.h>

namespace furrow::geo::detail {

/// One bit per corner of a raster. `set` and `test` may be called from several threads.
class LatticeBits {
 public:
  LatticeBits(std::int64_t width, std::int64_t height)
      : m_line(width + 1), m_words(static_cast<std::size_t>((width + 1) * (height + 1) / 64 + 1), 0) {}

  void set(LatticePoint p) {
    const auto [word, bit] = place(p);
    std::atomic_ref<std::uint64_t>(m_words[word]).fetch_or(bit, std::memory_order_relaxed);
  }
  [[nodiscard]] bool test(LatticePoint p) const {
    const auto [word, bit] = place(p);
    // There is no atomic reference to what is const before C++26; nothing is written.
    auto& words = const_cast<std::uint64_t&>(m_words[word]);
    return (std::atomic_ref<std::uint64_t>(words).load(std::memory_order_relaxed) & bit) != 0;
  }

 private:
  struct Place {
    std::size_t word;
    std::uint64_t bit;
  };
  [[nodiscard]] Place place(LatticePoint p) const {
    const std::int64_t i = p.y * m_line + p.x;
    return {static_cast<std::size_t>(i / 64), std::uint64_t{1} << (i % 64)};
  }
  std::int64_t m_line;
  std::vector<std::uint64_t> m_words;
};

/// Position in row-major order, to sort corners.
inline std::uint64_t lattice_key(LatticePoint p) {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(p.y)) << 32) |
         static_cast<std::uint32_t>(p.x);
}

inline Direction turned(Direction d, int quarter_turns_right) {
  return static_cast<Direction>((static_cast<int>(d) + quarter_turns_right + 4) % 4);
}

inline LatticePoint step(LatticePoint p, Direction d) {
  switch (d) {
    case Direction::kEast:
      return {p.x + 1, p.y};
    case Direction::kSouth:
      return {p.x, p.y + 1};
    case Direction::kWest:
      return {p.x - 1, p.y};
    case Direction::kNorth:
      break;
  }
  return {p.x, p.y - 1};
}

}  // namespace furrow::geo::detail
