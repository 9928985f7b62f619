#include "arc_store.h"

namespace furrow::geo::detail {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{1} << 20;

/// Seven bits a byte, the lowest first; the sign in the lowest bit of all.
void put_number(std::int32_t value, std::vector<std::uint8_t>& out) {
  auto rest = static_cast<std::uint32_t>(value < 0 ? -(value + 1) : value);
  bool is_first = true;
  do {
    const std::uint32_t bits = is_first ? 6 : 7;
    auto byte = static_cast<std::uint32_t>(rest & ((1U << bits) - 1U));
    if (is_first) byte = byte << 1U | (value < 0 ? 1U : 0U);
    rest >>= bits;
    out.push_back(static_cast<std::uint8_t>(byte | (rest != 0 ? 0x80U : 0U)));
    is_first = false;
  } while (rest != 0);
}

std::int32_t get_number(const std::uint8_t*& in) {
  const std::uint8_t lowest = *in++;
  auto value = static_cast<std::uint32_t>((lowest & 0x7FU) >> 1U);
  std::uint32_t shift = 6;
  for (bool more = (lowest & 0x80U) != 0; more; shift += 7) {
    const std::uint8_t byte = *in++;
    value |= static_cast<std::uint32_t>(byte & 0x7FU) << shift;
    more = (byte & 0x80U) != 0;
  }
  const auto number = static_cast<std::int32_t>(value);
  return (lowest & 1U) != 0 ? -number - 1 : number;
}

bool is_horizontal(Direction d) {
  return d == Direction::kEast || d == Direction::kWest;
}

}  // namespace

void ArcStore::put(const Arc& arc) {
  if (m_blocks.empty() || m_blocks.back().size() >= kBlockBytes)
    m_blocks.emplace_back().reserve(kBlockBytes + 1024);
  std::vector<std::uint8_t>& bytes = m_blocks.back();
  m_entries.push_back({arc.left, arc.right, arc.points.front(), arc.points.back(),
                       static_cast<std::uint32_t>(arc.points.size()), arc.first, arc.last,
                       static_cast<std::uint32_t>(m_blocks.size() - 1),
                       static_cast<std::uint32_t>(bytes.size())});
  // Every corner is a turn: sides run along the rows and the columns in turn.
  bool along_row = is_horizontal(arc.first);
  for (std::size_t i = 1; i < arc.points.size(); ++i, along_row = !along_row) {
    const LatticePoint& from = arc.points[i - 1];
    const LatticePoint& to = arc.points[i];
    put_number(along_row ? to.x - from.x : to.y - from.y, bytes);
  }
}

Arc ArcStore::get(const Entry& entry) const {
  Arc arc{entry.left, entry.right, entry.first, entry.last, {}};
  arc.points.reserve(entry.points);
  arc.points.push_back(entry.front);
  const std::uint8_t* in = m_blocks[entry.block].data() + entry.offset;
  bool along_row = is_horizontal(entry.first);
  for (LatticePoint p = entry.front; arc.points.size() < entry.points; along_row = !along_row) {
    (along_row ? p.x : p.y) += get_number(in);
    arc.points.push_back(p);
  }
  return arc;
}

}  // namespace furrow::geo::detail
