#include "bayes_rows.h"

#include <algorithm>
#include <span>

namespace furrow::labelling::bayes {
namespace {

/// Row numbers by group; rows of one group keep their order.
std::vector<std::size_t> order_by_group(const VoteTable& table, std::vector<std::size_t>& group_begin) {
  group_begin.assign(table.groups() + 1, 0);
  for (std::size_t i = 0; i < table.rows(); ++i) ++group_begin[table.row(i).group + 1];
  for (std::size_t g = 0; g < table.groups(); ++g) group_begin[g + 1] += group_begin[g];
  std::vector<std::size_t> next(group_begin.begin(), group_begin.end() - 1);
  std::vector<std::size_t> order(table.rows());
  for (std::size_t i = 0; i < table.rows(); ++i) order[next[table.row(i).group]++] = i;
  return order;
}

void add_seats(const VoteTable& table, std::span<const std::size_t> members, std::size_t group, Rows& rows) {
  std::vector<std::uint32_t> voters;
  for (const std::size_t i : members) {
    for (const VoteEntry& vote : table.row(i).votes) voters.push_back(vote.voter);
  }
  std::ranges::sort(voters);
  const auto repeated = std::ranges::unique(voters);
  voters.erase(repeated.begin(), repeated.end());
  rows.seat_voter.insert(rows.seat_voter.end(), voters.begin(), voters.end());
  rows.seat_group.resize(rows.seat_voter.size(), group);
  rows.seat_begin.push_back(rows.seat_voter.size());
  rows.known_votes.resize(rows.seats() * rows.cells(), 0.0);
}

std::size_t seat_of(const Rows& rows, std::size_t group, std::uint32_t voter) {
  const auto first = rows.seat_voter.begin() + static_cast<std::ptrdiff_t>(rows.seat_begin[group]);
  return static_cast<std::size_t>(std::lower_bound(first, rows.seat_voter.end(), voter) -
                                  rows.seat_voter.begin());
}

void add_known(const VoteRow& row, std::size_t group, Rows& rows) {
  const auto truth = static_cast<std::size_t>(row.truth);
  rows.known_items[group * rows.classes + truth] += row.count;
  for (const VoteEntry& vote : row.votes) {
    rows.known_votes[seat_of(rows, group, vote.voter) * rows.cells() + truth * rows.outcomes +
                     vote.outcome] += row.count * vote.times;
  }
}

void add_unknown(const VoteRow& row, std::size_t original, std::size_t group, Rows& rows) {
  for (const VoteEntry& vote : row.votes)
    rows.votes.push_back({seat_of(rows, group, vote.voter), vote.outcome, static_cast<double>(vote.times)});
  rows.vote_begin.push_back(rows.votes.size());
  rows.count.push_back(row.count);
  rows.original.push_back(original);
}

}  // namespace

Rows index_rows(const VoteTable& table, const std::vector<double>& group_weights) {
  Rows rows;
  rows.classes = static_cast<std::size_t>(table.classes());
  rows.outcomes = static_cast<std::size_t>(table.outcomes());
  rows.voters = table.voters();
  rows.groups = table.groups();
  rows.replicas = group_weights.empty() ? std::vector<double>(rows.groups, 1.0) : group_weights;
  rows.seat_begin.push_back(0);
  rows.vote_begin.push_back(0);
  rows.group_begin.push_back(0);
  rows.items.assign(rows.groups, 0.0);
  rows.known_items.assign(rows.groups * rows.classes, 0.0);
  std::vector<std::size_t> begin;
  const std::vector<std::size_t> order = order_by_group(table, begin);
  for (std::size_t g = 0; g < rows.groups; ++g) {
    const std::span<const std::size_t> members(order.data() + begin[g], begin[g + 1] - begin[g]);
    add_seats(table, members, g, rows);
    for (const std::size_t i : members) {
      const VoteRow row = table.row(i);
      rows.items[g] += row.count;
      if (row.truth >= 0) {
        add_known(row, g, rows);
      } else {
        add_unknown(row, i, g, rows);
      }
    }
    rows.group_begin.push_back(rows.size());
  }
  return rows;
}

}  // namespace furrow::labelling::bayes
