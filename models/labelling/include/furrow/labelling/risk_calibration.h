#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

/// Makes stated probabilities agree with how often they come true, and measures how well they do.
namespace furrow::labelling {

/// Probabilities stated for some items whose true class is known.
struct CalibrationSample {
  std::vector<double> posterior;  ///< shape [classes]; sums to 1
  std::vector<double> prior;      ///< shape [classes]: what would be said without any vote
  std::int32_t truth = 0;         ///< 0 .. classes - 1
  double weight = 1.0;            ///< how many items, or how much they count; >= 0
  std::uint32_t group = 0;        ///< site; samples of one site are never split between folds
};

/// Two numbers that bring a posterior into line: q = (1 - lapse) p^power / sum p^power + lapse x prior.
/// `power` below one flattens overconfident posteriors. `lapse` is the probability that all votes on an item
/// fail together (everybody missed the same field), which no power can express where votes agree.
struct RiskCalibration {
  double power = 1.0;
  double lapse = 0.0;

  /// @param posterior  sums to 1; changed in place
  /// @param prior      same length
  void apply(std::span<double> posterior, std::span<const double> prior) const;
};

/// How stated probabilities compare with what came true.
struct CalibrationMeasures {
  double log_loss = 0.0;    ///< mean of -log P(truth)
  double brier = 0.0;       ///< mean of sum over classes of (P - truth)^2, 0..2
  double ece = 0.0;         ///< mean |risk stated - error rate| over ten bins of risk, weighted by items
  double mean_risk = 0.0;   ///< mean of 1 - max P
  double error_rate = 0.0;  ///< how often the most probable class is wrong
};

/// One bin of a reliability curve: items whose stated risk lies in [low, high).
struct ReliabilityBin {
  double low = 0.0;
  double high = 0.0;
  double weight = 0.0;      ///< items, as CalibrationSample::weight
  double mean_risk = 0.0;   ///< NaN where the bin is empty
  double error_rate = 0.0;  ///< NaN where the bin is empty
};

/// Result of calibrate_risk.
struct CalibrationReport {
  RiskCalibration calibration;       ///< learned from all samples; the identity where that is not better
  std::size_t groups = 0;            ///< sites that samples come from
  CalibrationMeasures before;        ///< of the posteriors as given
  CalibrationMeasures after;         ///< cross-validated: every site judged by what the others taught
  std::vector<ReliabilityBin> bins;  ///< after, cross-validated
};

/// Bins [0, 0.1), [0.1, 0.2), ... [0.9, 1] of the risk of the most probable class. Thread-safe.
[[nodiscard]] std::vector<ReliabilityBin> reliability_curve(std::span<const CalibrationSample> samples);

/// All zeros without samples (or with weights of zero). Thread-safe.
[[nodiscard]] CalibrationMeasures measure_calibration(std::span<const CalibrationSample> samples);

/// The calibration with the least log loss on the samples; power in [0.1, 2], lapse in [0, 0.2].
/// Method: nested golden-section search; both one-dimensional problems have one minimum in practice.
/// Thread-safe.
[[nodiscard]] RiskCalibration fit_calibration(std::span<const CalibrationSample> samples);

/// Learns a calibration and says what it is worth on sites that it was not learned from.
///
/// Sites are dealt to `folds` folds in ascending order. Where the cross-validated log loss is not lower than
/// before, or there are fewer than two sites, nothing is changed.
/// @throws InvalidArgument  folds < 2
/// Source: temperature scaling, Guo et al. 2017 (On calibration of modern neural networks), with a lapse rate
/// as in psychometrics (Wichmann and Hill 2001). Thread-safe.
[[nodiscard]] CalibrationReport calibrate_risk(std::span<const CalibrationSample> samples, int folds = 5);

}  // namespace furrow::labelling
