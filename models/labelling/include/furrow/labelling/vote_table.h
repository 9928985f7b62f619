#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

/// Votes of many labellers on many items (pixels, points, patients), as fusion methods read them.
namespace furrow::labelling {

/// One labeller's answer on an item.
struct VoteEntry {
  std::uint32_t voter = 0;    ///< 0 .. voters - 1
  std::uint16_t outcome = 0;  ///< 0 .. outcomes - 1
  std::uint16_t times = 1;    ///< how often the labeller gave it (repeated ratings)

  friend auto operator<=>(const VoteEntry&, const VoteEntry&) = default;
};

/// A row of a VoteTable.
struct VoteRow {
  std::span<const VoteEntry>
      votes;                ///< ascending by voter, then outcome; a voter without entry did not answer
  double count = 0.0;       ///< items with these votes
  std::int32_t truth = -1;  ///< class known from an expert, or -1
  std::uint32_t group = 0;  ///< site that the items lie in
};

/// Items with the same votes, the same known truth and the same group are one row with a count: fitting a
/// model costs as much as there are rows, however many pixels there are. Sparse: 300 labellers of whom 5
/// mapped a site cost 5 entries a row. Thread-safe for concurrent reads.
class VoteTable {
 public:
  /// @param classes   true classes, >= 2
  /// @param outcomes  possible answers, >= classes. Outcome k < classes says "class k"; further ones (such as
  ///                  "unsure") are answers of their own, which a model learns the meaning of
  /// @throws InvalidArgument
  VoteTable(int classes, int outcomes, std::size_t voters);

  /// Adds `count` items with these votes (any order; equal entries are summed). Rows are kept apart; see
  /// `group`.
  /// @throws InvalidArgument  a voter, outcome or truth out of range; count negative or not finite; a vote
  /// given more than 65535 times on one item
  void add(std::span<const VoteEntry> votes, double count = 1.0, std::int32_t truth = -1,
           std::uint32_t group = 0);

  /// The same table with equal rows (votes, truth and group) joined, in order of first appearance.
  /// @param row_of  if given: for every row of this table its row in the result
  [[nodiscard]] VoteTable grouped(std::vector<std::size_t>* row_of = nullptr) const;

  [[nodiscard]] int classes() const noexcept { return m_classes; }
  [[nodiscard]] int outcomes() const noexcept { return m_outcomes; }
  [[nodiscard]] std::size_t voters() const noexcept { return m_voters; }
  [[nodiscard]] std::size_t groups() const noexcept { return m_groups; }  ///< highest group + 1
  [[nodiscard]] std::size_t rows() const noexcept { return m_counts.size(); }
  [[nodiscard]] double items() const noexcept;  ///< sum of the counts
  [[nodiscard]] VoteRow row(std::size_t index) const;

 private:
  int m_classes;
  int m_outcomes;
  std::size_t m_voters;
  std::size_t m_groups = 0;
  std::vector<std::size_t> m_begin{0};  ///< of each row's entries, one more than rows
  std::vector<VoteEntry> m_entries;
  std::vector<double> m_counts;
  std::vector<std::int32_t> m_truth;
  std::vector<std::uint32_t> m_group;
};

/// What a fusion method learned from a VoteTable.
struct FusionFit {
  int classes = 0;
  int outcomes = 0;
  std::vector<double> class_shares;  ///< shape [classes]: prevalence over all items
  std::vector<double> confusion;     ///< shape [voters, classes, outcomes]: P(voter answers o | truth c)
  std::vector<double> posterior;     ///< shape [rows, classes]: P(truth c | votes); sums to 1
  double objective = 0.0;            ///< log-likelihood, or log posterior density where the method has priors
  int iterations = 0;
  bool converged = false;

  [[nodiscard]] double confusion_at(std::size_t voter, int truth, int outcome) const {
    return confusion[(voter * static_cast<std::size_t>(classes) + static_cast<std::size_t>(truth)) *
                         static_cast<std::size_t>(outcomes) +
                     static_cast<std::size_t>(outcome)];
  }
  [[nodiscard]] std::span<const double> posterior_of(std::size_t row) const {
    const auto k = static_cast<std::size_t>(classes);
    return {posterior.data() + row * k, k};
  }
};

}  // namespace furrow::labelling
