#pragma once

#include <cstdint>

#include <furrow/labelling/vote_table.h>

namespace furrow::labelling {

struct DawidSkeneOptions {
  /// One accuracy s per voter instead of a whole table: P(says c | c) = s, every other class (1 - s)/(K - 1).
  /// Fewer numbers to learn, so better where voters have few votes. Outcomes beyond the classes ("unsure")
  /// say nothing then, and their column of the confusion is 0.
  bool one_coin = false;

  /// Dirichlet pseudo-counts added to what is counted; 0 = maximum likelihood. The objective becomes the log
  /// posterior density up to a constant. All are finite and >= 0.
  double pseudo_items = 0.0;  ///< per class, on the class shares
  double pseudo_right = 0.0;  ///< per voter and class, on the right answer
  double pseudo_wrong = 0.0;  ///< per voter and class, on each other outcome

  /// Fits from random tables besides the one from the votes; the best objective wins. The likelihood has
  /// several maxima, and the votes do not always lead to the highest.
  int restarts = 0;
  std::uint64_t seed = 1;

  /// Stop when an iteration adds less than this to the objective, relative to 1 + |objective|, ...
  double tolerance = 1e-12;
  /// ... and changes no class share and no number of a voter's table by more than this. (The objective is
  /// flat at its maximum: it alone would stop where posteriors are still wrong in the sixth digit.)
  double table_tolerance = 1e-9;
  int max_iterations = 10000;  ///< >= 1
};

/// Dawid and Skene's model (1979), fitted by expectation maximisation: every voter answers with probabilities
/// of its own for each true class, independently of the other voters.
///
///  - Start: vote shares (weighted_vote), then the given number of random starts.
///  - Repeated votes count as often as they were given; missing votes say nothing.
///  - A row with a known truth keeps it and teaches the voters' tables (semi-supervised). It also counts
///    towards the class shares.
///  - A row without votes gets the class shares, which it does not change.
///  - A voter without votes on a class (its expected number is 0) gets the pseudo-counts' table there, or one
///    in which all outcomes are equally probable.
///  - Two fits that differ only in the names of the classes have the same likelihood. So where neither a
///  known
///    truth nor pseudo-counts tell them apart, classes are renamed by swaps until the votes agree with them
///    most.
///  - Works with logarithms: hundreds of votes on one row do not underflow.
///
/// @throws InvalidArgument  options out of range
/// @throws geo::Error       the objective fell from one iteration to the next by more than rounding: a defect
/// Cost: iterations x entries x classes, per start; starts run in parallel. The result does not depend on
/// threads. Thread-safe.
/// Reference: Dawid and Skene 1979, Applied Statistics 28(1).
[[nodiscard]] FusionFit dawid_skene(const VoteTable& votes, const DawidSkeneOptions& options = {});

}  // namespace furrow::labelling
