#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <furrow/labelling/consensus.h>

namespace furrow::labelling {

/// Distinct combinations of votes, found by their content: a hash table. Rows are numbered as they come.
/// `find` is safe to call concurrently.
class PatternIndex {
 public:
  /// @param voters  votes in a combination
  explicit PatternIndex(std::size_t voters);

  /// Adds `count` items. Combinations of different groups (sites) are kept apart.
  /// @return row
  std::uint32_t add(std::uint32_t group, std::span<const Vote> votes, std::int64_t count);
  [[nodiscard]] std::optional<std::uint32_t> find(std::uint32_t group, std::span<const Vote> votes) const;

  [[nodiscard]] std::size_t rows() const noexcept { return m_counts.size(); }
  [[nodiscard]] std::span<const Vote> votes(std::size_t row) const {
    return {m_votes.data() + row * m_voters, m_voters};
  }
  [[nodiscard]] std::uint32_t group(std::size_t row) const { return m_groups[row]; }
  [[nodiscard]] std::int64_t count(std::size_t row) const { return m_counts[row]; }

  /// Rows by group, then votes: an order that does not depend on the one in which they came.
  [[nodiscard]] std::vector<std::uint32_t> sorted() const;

 private:
  [[nodiscard]] std::size_t slot_of(std::uint32_t group, std::span<const Vote> votes) const;
  void grow();

  std::size_t m_voters;
  std::vector<Vote> m_votes;  ///< shape [rows, voters]
  std::vector<std::uint32_t> m_groups;
  std::vector<std::int64_t> m_counts;
  std::vector<std::uint32_t> m_slots;  ///< row + 1, or 0 = free; a power of two long
};

}  // namespace furrow::labelling
