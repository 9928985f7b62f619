#include "calibration.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_reduce.h>

namespace furrow::segmentation {
namespace {

struct PixelScore {
  double log_loss = 0.0;
  double confidence = 0.0;
  bool correct = false;
};

PixelScore score_pixel(std::span<const float> logits, std::uint8_t label, double temperature) {
  const auto largest = std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit - *largest) / temperature);
  PixelScore score;
  score.confidence = 1.0 / sum;
  score.correct = largest - logits.begin() == label;
  score.log_loss = std::log(sum) - static_cast<double>(logits[label] - *largest) / temperature;
  return score;
}

std::span<const float> logits_of(const LogitSample& sample, std::size_t i) {
  const auto k = static_cast<std::size_t>(sample.classes);
  return std::span<const float>(sample.logits).subspan(i * k, k);
}

}  // namespace

double mean_log_loss(const LogitSample& sample, double temperature) {
  const std::size_t n = sample.labels.size();
  if (n == 0) return std::numeric_limits<double>::quiet_NaN();
  const double total = tbb::parallel_deterministic_reduce(
      tbb::blocked_range<std::size_t>(0, n, 16384), 0.0,
      [&](const tbb::blocked_range<std::size_t>& range, double sum) {
        for (std::size_t i = range.begin(); i < range.end(); ++i) {
          sum += score_pixel(logits_of(sample, i), sample.labels[i], temperature).log_loss;
        }
        return sum;
      },
      [](double a, double b) { return a + b; });
  return total / static_cast<double>(n);
}

std::vector<ReliabilityBin> reliability(const LogitSample& sample, double temperature, int bins) {
  std::vector<ReliabilityBin> result(static_cast<std::size_t>(bins));
  for (std::size_t i = 0; i < sample.labels.size(); ++i) {
    const PixelScore score = score_pixel(logits_of(sample, i), sample.labels[i], temperature);
    const auto bin = std::min(static_cast<std::size_t>(score.confidence * bins), result.size() - 1);
    ++result[bin].pixels;
    result[bin].probability += score.confidence;
    result[bin].correct += score.correct ? 1.0 : 0.0;
  }
  for (ReliabilityBin& bin : result) {
    if (bin.pixels == 0) continue;
    bin.probability /= static_cast<double>(bin.pixels);
    bin.correct /= static_cast<double>(bin.pixels);
  }
  return result;
}

double calibration_error(std::span<const ReliabilityBin> bins) {
  double error = 0.0;
  double pixels = 0.0;
  for (const ReliabilityBin& bin : bins) {
    pixels += static_cast<double>(bin.pixels);
    error += static_cast<double>(bin.pixels) * std::abs(bin.correct - bin.probability);
  }
  return pixels == 0.0 ? std::numeric_limits<double>::quiet_NaN() : error / pixels;
}

double fit_temperature(const LogitSample& sample) {
  if (sample.labels.empty()) return 1.0;
  const double golden = (std::sqrt(5.0) - 1.0) / 2.0;
  double low = std::log(0.05);
  double high = std::log(20.0);
  double a = high - golden * (high - low);
  double b = low + golden * (high - low);
  double loss_a = mean_log_loss(sample, std::exp(a));
  double loss_b = mean_log_loss(sample, std::exp(b));
  while (high - low > 1e-4) {
    if (loss_a <= loss_b) {
      high = b, b = a, loss_b = loss_a;
      a = high - golden * (high - low);
      loss_a = mean_log_loss(sample, std::exp(a));
    } else {
      low = a, a = b, loss_a = loss_b;
      b = low + golden * (high - low);
      loss_b = mean_log_loss(sample, std::exp(b));
    }
  }
  return std::exp(0.5 * (low + high));
}

}  // namespace furrow::segmentation
