#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <furrow/labelling/vote_table.h>

namespace furrow::labelling::bayes {

/// One answer on a row.
struct SeatVote {
  std::size_t seat = 0;
  std::uint16_t outcome = 0;
  double times = 1.0;
};

/// A VoteTable ordered by group. A "seat" is a voter at a group: whatever is summed is summed per seat, so
/// that groups are independent of each other and sums have one order whatever the threads. Rows whose truth
/// is known never change what they say: only their sums are kept.
struct Rows {
  std::size_t classes = 0;
  std::size_t outcomes = 0;
  std::size_t voters = 0;
  std::size_t groups = 0;
  std::vector<std::size_t> group_begin;   ///< first row of each group, one more than groups
  std::vector<std::size_t> original;      ///< row in the table
  std::vector<double> count;              ///< items of each row
  std::vector<std::size_t> vote_begin;    ///< first answer of each row, one more than rows
  std::vector<SeatVote> votes;            ///< ascending by voter in each row
  std::vector<std::size_t> seat_begin;    ///< first seat of each group, one more than groups
  std::vector<std::uint32_t> seat_voter;  ///< ascending in each group
  std::vector<std::size_t> seat_group;
  std::vector<double> known_votes;  ///< shape [seats, classes, outcomes]: items with known truth
  std::vector<double> known_items;  ///< shape [groups, classes]
  std::vector<double> items;        ///< of each group, known or not
  std::vector<double> replicas;     ///< weight of each group; 1 unless given

  [[nodiscard]] std::size_t size() const noexcept { return count.size(); }
  [[nodiscard]] std::size_t seats() const noexcept { return seat_voter.size(); }
  [[nodiscard]] std::size_t cells() const noexcept { return classes * outcomes; }
};

/// @param group_weights  one per group, or empty = all 1
[[nodiscard]] Rows index_rows(const VoteTable& table, const std::vector<double>& group_weights);

}  // namespace furrow::labelling::bayes
