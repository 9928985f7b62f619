#pragma once

#include <cstdint>

namespace furrow::segmentation {

enum class ScheduleKind {
  kCosine,      ///< warm-up, then half a cosine (Loshchilov & Hutter 2017, without restarts)
  kPolynomial,  ///< warm-up, then (1 - x)^power (Chen et al. 2017)
  kOneCycle     ///< up and down by half cosines (Smith & Topin 2019), as PyTorch's OneCycleLR
};

struct LearningRateSchedule {
  ScheduleKind kind = ScheduleKind::kCosine;
  double power = 0.9;  ///< kPolynomial: exponent >= 0; 1 = a straight line, 0 = constant after the warm-up
};

/// Learning rate of a step (from 0) of `steps` in all, for a largest rate `peak`.
///
/// Cosine and polynomial rise in a straight line over the first 5 % of the steps (at least one), then fall
/// from `peak` towards `peak` / 1000. One-cycle rises from `peak` / 25 over the first 30 % and falls to
/// `peak` / 250000; the momentum stays as it is.
[[nodiscard]] double learning_rate_at(std::int64_t step, std::int64_t steps, double peak,
                                      const LearningRateSchedule& schedule);

}  // namespace furrow::segmentation
