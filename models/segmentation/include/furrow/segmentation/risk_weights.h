#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace furrow::segmentation {

/// How the risk of a label (expected 0-1 loss, 1 - largest class probability) enters training.
enum class RiskMode {
  kOff,     ///< every labelled pixel weighs 1
  kIgnore,  ///< pixels with risk above a threshold become "ignore"
  kWeight,  ///< pixels weigh less the riskier they are
  kSoft,    ///< every labelled pixel weighs 1; the posterior of the labels is the target instead of a class
  kSoftWeight  ///< both
};

/// True for the modes in which risk changes weights or labels.
[[nodiscard]] constexpr bool uses_risk(RiskMode mode) {
  return mode == RiskMode::kIgnore || mode == RiskMode::kWeight || mode == RiskMode::kSoftWeight;
}

/// True for the modes that train on class probabilities.
[[nodiscard]] constexpr bool uses_soft_targets(RiskMode mode) {
  return mode == RiskMode::kSoft || mode == RiskMode::kSoftWeight;
}

struct RiskOptions {
  RiskMode mode = RiskMode::kOff;
  double gamma = 1.0;  ///< weight: exponent >= 0; 0 gives weight 1 everywhere, exactly as kOff
  double floor = 0.1;  ///< weight: no labelled pixel weighs less, 0..1
  double boundary_min =
      0.3;  ///< weight: no boundary pixel weighs less, 0..1: outlines are drawn with a jitter
            ///< of a pixel, so their risk is high everywhere and they would vanish from training
  double ignore_above =
      0.34;         ///< ignore: risk above this is ignored (0.34: Estes et al., Lacuna field boundaries)
  int classes = 3;  ///< largest possible risk is 1 - 1 / classes
};

/// @throws geo::InvalidArgument when a number is out of its range
void check_risk_options(const RiskOptions& options);

/// Weight of each pixel in the loss.
///
/// kWeight and kSoftWeight: w = max(floor, (1 - r / r_max)^gamma) with r_max = 1 - 1 / classes; boundary
/// pixels at least `boundary_min`. Risk above r_max counts as r_max. A pixel without risk (NaN) counts as
/// r_max too: nothing is known for it. The other modes: 1. Pixels with label 255 weigh 0 in every mode. The
/// losses divide by the sum of weights, so only ratios matter. Source: reference formula max(0.1, (1 - 2
/// r)^gamma) for two classes, generalised by r_max.
///
/// @param labels  0 background, 1 interior, 2 boundary, 255 ignore; kIgnore sets risky pixels to 255
/// @param risk    one per label, 0..1 or NaN; may be empty in modes kOff and kSoft
/// Threads: safe to call concurrently.
[[nodiscard]] std::vector<float> risk_weights(std::span<std::uint8_t> labels, std::span<const float> risk,
                                              const RiskOptions& options);

}  // namespace furrow::segmentation
