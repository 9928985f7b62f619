#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <furrow/labelling/vote_table.h>

/// STAPLE: simultaneous truth and performance level estimation from several people's segmentations. Works on
/// vote tables: every distinct combination of votes is computed once, however many pixels have it.
///
/// Differences from dawid_skene: the class shares are fixed beforehand and not learned, and there is one
/// start. Known failures: a large background makes specificities high and eats small objects, so restrict the
/// table to the disputed surroundings where objects are small; poor voters can invert a label (s + q < 1).
///
/// In all functions votes for outcomes beyond the classes ("unsure") and missing votes say nothing, repeated
/// votes count as often as they were given, a row with a known truth keeps it, and a row without votes gets
/// the prior shares. A voter whose sensitivity or specificity rests on nothing (no foreground, or no
/// background) gets 1/2 there. Logarithms throughout: hundreds of votes do not underflow. Thread-safe.
/// Reference: Warfield, Zou and Wells 2004, IEEE Transactions on Medical Imaging 23(7); defaults and stopping
/// rules as in ITK's STAPLEImageFilter and MultiLabelSTAPLEImageFilter.
namespace furrow::labelling {

struct StapleOptions {
  /// Prior share of foreground (class 1), 0..1; nothing = the share of all votes that say foreground, times
  /// confidence_weight.
  std::optional<double> foreground_share;
  double confidence_weight = 1.0;  ///< >= 0; the product is cut at 1
  /// Stop when the square of every change of a sensitivity or specificity is at most this.
  double tolerance = 1e-14;
  int max_iterations = 100000;  ///< >= 1
};

/// Binary STAPLE: foreground is class 1.
/// @return class_shares holds the prior; iterations counts passes (ITK reports the index of the last one,
/// which
///         is one less); objective is the log-likelihood
/// @throws InvalidArgument  the table has not two classes; options out of range
[[nodiscard]] FusionFit staple(const VoteTable& votes, const StapleOptions& options = {});

struct MultiLabelStapleOptions {
  /// Stop when no number of a table changes by this much.
  double tolerance = 1e-5;
  int max_iterations = 100000;  ///< >= 1
};

/// STAPLE of any number of classes: a table P(vote | truth) per voter; the prior shares are those of all
/// votes. Start: each voter's votes against the majority, as P(majority | vote); items without a single
/// majority are left out of the start. (ITK treats those otherwise and works in
/// single precision: its number of iterations can differ by a few, its results agree within its tolerance.)
/// @throws InvalidArgument  options out of range
[[nodiscard]] FusionFit multi_label_staple(const VoteTable& votes,
                                           const MultiLabelStapleOptions& options = {});

struct StapleField {
  FusionFit fit;                   ///< posterior: the mean over each row's pixels; objective is 0
  std::vector<double> foreground;  ///< P(foreground) of every pixel, row-major
};

/// Binary STAPLE in which neighbouring pixels tend to agree (a Potts field, mean-field approximation): every
/// E-step adds beta x sum over the 4 neighbours of (2 P(foreground) - 1) to a pixel's log odds. Pixels beyond
/// the edge say nothing. It removes specks; it does not correct outlines that everybody shifts.
/// @param votes     distinct combinations of votes; their counts are not looked at
/// @param of_pixel  row of `votes` for every pixel, row-major
/// @param width     pixels in a line
/// @param beta      >= 0; 0 = staple
/// @throws InvalidArgument  as staple; of_pixel is no multiple of width, or names a row that is not there
/// Cost: iterations x pixels; lines run in parallel. The result does not depend on threads.
/// Reference: Zhang, Brady and Smith 2001 for the field; NiftySeg for its use in STAPLE.
[[nodiscard]] StapleField staple_field(const VoteTable& votes, std::span<const std::uint32_t> of_pixel,
                                       std::size_t width, double beta, const StapleOptions& options = {});

}  // namespace furrow::labelling
