#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <furrow/segmentation/trainer.h>

namespace furrow::segmentation {

/// Logits and labels of a sample of pixels: logits [labels.size(), classes].
struct LogitSample {
  int classes = 3;
  std::vector<float> logits;
  std::vector<std::uint8_t> labels;
};

/// Mean of -log p(label) with p = softmax(logits / temperature).
[[nodiscard]] double mean_log_loss(const LogitSample& sample, double temperature);

/// Pixels in equal bins of their largest probability.
[[nodiscard]] std::vector<ReliabilityBin> reliability(const LogitSample& sample, double temperature,
                                                      int bins = 15);

/// Expected calibration error (Naeini et al. 2015): pixels in equal bins of their largest probability; the
/// mean of |share correct - mean probability| over bins, weighted by pixels. NaN without pixels.
[[nodiscard]] double calibration_error(std::span<const ReliabilityBin> bins);

/// The temperature in [0.05, 20] with the smallest mean log loss (Guo et al. 2017), by golden-section search
/// in log(temperature); 1 for an empty sample.
[[nodiscard]] double fit_temperature(const LogitSample& sample);

}  // namespace furrow::segmentation
