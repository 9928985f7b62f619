#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <furrow/assessment/block_accuracy.h>

namespace furrow::assessment {

/// A field of which it is known whether it matches a true one.
struct KnownField {
  double raw = 0.0;  ///< FieldConfidence::raw
  bool matched = false;
  std::int64_t block = 0;  ///< fields of one block err together
};

/// How predicted probabilities and what is observed agree among fields of similar probability.
struct ReliabilityBin {
  double low = 0.0;  ///< of the predicted probability
  double high = 0.0;
  std::int64_t fields = 0;
  double predicted = 0.0;   ///< mean
  double observed = 0.0;    ///< share with a match
  Interval observed_range;  ///< 95 %: from the lower to the upper of Wilson's interval (1927) and that of the
                            ///< block bootstrap, which is too short in a bin of few fields
};

struct Reliability {
  std::int64_t fields = 0;
  std::int64_t matched = 0;
  std::int64_t blocks = 0;
  std::vector<ReliabilityBin>
      bins;                 ///< of BlockCounts::kBins, neighbours joined until ten fields are in each
  double brier = 0.0;       ///< mean of (p - outcome)^2; 0 is perfect
  Interval brier_range;     ///< 95 %
  double base_brier = 0.0;  ///< of one probability for all: the share with a match
  double ece = 0.0;         ///< expected calibration error: mean |predicted - observed| over the bins
  Interval ece_range;       ///< 95 %; the draws' own noise makes it lie high when fields are few
};

/// Intervals come from bootstrap_blocks; NaN with fewer than two blocks.
/// @param predicted  one probability per field, 0..1
/// @throws geo::InvalidArgument  no field, or another number of probabilities
[[nodiscard]] Reliability reliability_of(std::span<const KnownField> fields,
                                         std::span<const double> predicted, std::int64_t draws,
                                         std::uint64_t seed);

/// One row per bin, with a head: confidence (`of`), low, high, fields, predicted, observed, observed_low,
/// observed_high.
struct NamedReliability {
  std::string of;  ///< what is called a probability, for example "calibrated"
  const Reliability& reliability;
};
[[nodiscard]] std::string reliability_csv(std::span<const NamedReliability> all);

/// The same as a picture (SVG): observed over predicted share with intervals, one colour each, points as
/// large as they have fields, the diagonal where both agree, and a key with Brier scores.
/// @param all  one to three
[[nodiscard]] std::string reliability_svg(std::span<const NamedReliability> all);

}  // namespace furrow::assessment
