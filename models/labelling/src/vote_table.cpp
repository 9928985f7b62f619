#include <furrow/labelling/vote_table.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <tuple>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::labelling {
namespace {

/// Sorts entries and sums those of one voter with one outcome.
void join_entries(std::vector<VoteEntry>& votes) {
  std::ranges::sort(votes);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < votes.size(); ++i) {
    if (kept > 0 && votes[kept - 1].voter == votes[i].voter && votes[kept - 1].outcome == votes[i].outcome) {
      const int times = votes[kept - 1].times + votes[i].times;
      if (times > std::numeric_limits<std::uint16_t>::max()) {
        throw geo::InvalidArgument(geo::concat("voter ", votes[i].voter, " gave outcome ", votes[i].outcome,
                                               " more than 65535 times on one item"));
      }
      votes[kept - 1].times = static_cast<std::uint16_t>(times);
    } else {
      votes[kept++] = votes[i];
    }
  }
  votes.resize(kept);
}

}  // namespace

VoteTable::VoteTable(int classes, int outcomes, std::size_t voters)
    : m_classes(classes), m_outcomes(outcomes), m_voters(voters) {
  if (classes < 2) throw geo::InvalidArgument(geo::concat("votes need 2 classes or more, not ", classes));
  if (outcomes < classes)
    throw geo::InvalidArgument(geo::concat(outcomes, " outcomes cannot name ", classes, " classes"));
}

void VoteTable::add(std::span<const VoteEntry> votes, double count, std::int32_t truth, std::uint32_t group) {
  if (!std::isfinite(count) || count < 0.0)
    throw geo::InvalidArgument(geo::concat("a count of votes is ", count, "; it must be 0 or more"));
  if (truth < -1 || truth >= m_classes)
    throw geo::InvalidArgument(geo::concat("known class ", truth, " is not one of ", m_classes, " classes"));
  std::vector<VoteEntry> entries(votes.begin(), votes.end());
  for (const VoteEntry& vote : entries) {
    if (vote.voter >= m_voters || vote.outcome >= m_outcomes)
      throw geo::InvalidArgument(
          geo::concat("vote ", vote.outcome, " of voter ", vote.voter, " is out of range"));
  }
  join_entries(entries);
  m_entries.insert(m_entries.end(), entries.begin(), entries.end());
  m_begin.push_back(m_entries.size());
  m_counts.push_back(count);
  m_truth.push_back(truth);
  m_group.push_back(group);
  m_groups = std::max(m_groups, std::size_t{group} + 1);
}

VoteTable VoteTable::grouped(std::vector<std::size_t>* row_of) const {
  using Key = std::tuple<std::uint32_t, std::int32_t, std::vector<VoteEntry>>;
  std::map<Key, std::size_t> seen;
  VoteTable result(m_classes, m_outcomes, m_voters);
  if (row_of != nullptr) row_of->assign(rows(), 0);
  for (std::size_t i = 0; i < rows(); ++i) {
    const VoteRow r = row(i);
    const auto [at, is_new] =
        seen.try_emplace(Key{r.group, r.truth, {r.votes.begin(), r.votes.end()}}, result.rows());
    if (is_new) {
      result.add(r.votes, r.count, r.truth, r.group);
    } else {
      result.m_counts[at->second] += r.count;
    }
    if (row_of != nullptr) (*row_of)[i] = at->second;
  }
  result.m_groups = m_groups;
  return result;
}

double VoteTable::items() const noexcept {
  return std::accumulate(m_counts.begin(), m_counts.end(), 0.0);
}

VoteRow VoteTable::row(std::size_t index) const {
  const std::size_t begin = m_begin[index];
  return {{m_entries.data() + begin, m_begin[index + 1] - begin},
          m_counts[index],
          m_truth[index],
          m_group[index]};
}

}  // namespace furrow::labelling
