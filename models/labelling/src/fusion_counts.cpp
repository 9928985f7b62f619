#include "fusion_counts.h"

#include <algorithm>
#include <numeric>

namespace furrow::labelling {

std::vector<double> expected_votes(const VoteTable& votes, std::span<const double> posterior) {
  const auto classes = static_cast<std::size_t>(votes.classes());
  const auto outcomes = static_cast<std::size_t>(votes.outcomes());
  std::vector<double> counts(votes.voters() * classes * outcomes, 0.0);
  for (std::size_t i = 0; i < votes.rows(); ++i) {
    const VoteRow row = votes.row(i);
    for (const VoteEntry& vote : row.votes) {
      double* cell = counts.data() + confusion_index(votes, vote.voter, 0, vote.outcome);
      const double weight = row.count * vote.times;
      for (std::size_t c = 0; c < classes; ++c) cell[c * outcomes] += weight * posterior[i * classes + c];
    }
  }
  return counts;
}

void normalise_rows(std::span<double> table, std::size_t row_length) {
  for (std::size_t begin = 0; begin < table.size(); begin += row_length) {
    const auto row = table.subspan(begin, row_length);
    const double sum = std::accumulate(row.begin(), row.end(), 0.0);
    if (sum > 0.0) {
      for (double& value : row) value /= sum;
    } else {
      std::ranges::fill(row, 1.0 / static_cast<double>(row_length));
    }
  }
}

std::vector<double> class_shares(const VoteTable& votes, std::span<const double> posterior,
                                 double pseudo_items) {
  const auto classes = static_cast<std::size_t>(votes.classes());
  std::vector<double> shares(classes, pseudo_items);
  for (std::size_t i = 0; i < votes.rows(); ++i) {
    const VoteRow row = votes.row(i);
    if (row.votes.empty() && row.truth < 0) continue;
    for (std::size_t c = 0; c < classes; ++c) shares[c] += row.count * posterior[i * classes + c];
  }
  normalise_rows(shares, classes);
  return shares;
}

}  // namespace furrow::labelling
