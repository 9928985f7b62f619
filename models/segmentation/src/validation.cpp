#include "validation.h"

#include <algorithm>
#include <limits>

namespace furrow::segmentation {

void Validation::add(const torch::Tensor& logits, const Batch& batch, std::int64_t sample_every) {
  const torch::Tensor plain = logits.permute({0, 2, 3, 1}).contiguous();
  const float* values = plain.data_ptr<float>();
  for (std::size_t i = 0; i < batch.labels.size(); ++i) {
    const std::uint8_t label = batch.labels[i];
    if (label >= kTrainedClasses) continue;
    const float* pixel = values + i * kTrainedClasses;
    const auto predicted = static_cast<std::size_t>(std::max_element(pixel, pixel + kTrainedClasses) - pixel);
    ++confusion[label][predicted];
    if (sample_every > 0 && labelled % sample_every == 0) {
      sample.labels.push_back(label);
      sample.logits.insert(sample.logits.end(), pixel, pixel + kTrainedClasses);
    }
    ++labelled;
  }
}

double Validation::iou(bool (*belongs)(int)) const {
  std::int64_t both = 0;
  std::int64_t either = 0;
  for (int label = 0; label < kTrainedClasses; ++label) {
    for (int predicted = 0; predicted < kTrainedClasses; ++predicted) {
      const std::int64_t n = confusion[static_cast<std::size_t>(label)][static_cast<std::size_t>(predicted)];
      if (belongs(label) && belongs(predicted)) both += n;
      if (belongs(label) || belongs(predicted)) either += n;
    }
  }
  return either == 0 ? std::numeric_limits<double>::quiet_NaN()
                     : static_cast<double>(both) / static_cast<double>(either);
}

}  // namespace furrow::segmentation
