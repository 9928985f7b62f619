#include "validation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include <oneapi/tbb/parallel_for.h>

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

void Validation::add_objects(const torch::Tensor& logits, const Batch& batch, double pixel_size_m,
                             geo::ExecContext& exec) {
  const torch::Tensor plain = logits.permute({0, 2, 3, 1}).contiguous();
  const auto window = static_cast<std::size_t>(plain.size(1) * plain.size(2));
  const std::span<const float> values(plain.data_ptr<float>(), batch.labels.size() * kTrainedClasses);
  std::vector<ObjectCounts> parts(static_cast<std::size_t>(batch.count));
  tbb::parallel_for(std::size_t{0}, parts.size(), [&](std::size_t i) {
    parts[i] =
        count_objects(values.subspan(i * window * kTrainedClasses, window * kTrainedClasses),
                      std::span(batch.labels).subspan(i * window, window), plain.size(2), pixel_size_m, exec);
  });
  for (const ObjectCounts& part : parts) objects += part;
}

double Validation::object_f1() const {
  const auto& boundary = confusion[2];
  const bool known = std::accumulate(boundary.begin(), boundary.end(), std::int64_t{0}) > 0;
  return known ? objects.f1() : std::numeric_limits<double>::quiet_NaN();
}

double selection_score(const EpochMetrics& epoch) {
  const auto known = [](double value) { return std::isnan(value) ? 0.0 : value; };
  const double iou = 0.5 * (known(epoch.val_iou_extent) + known(epoch.val_iou[1]));
  return std::isnan(epoch.val_object_f1) ? iou : 0.5 * (epoch.val_object_f1 + iou);
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
