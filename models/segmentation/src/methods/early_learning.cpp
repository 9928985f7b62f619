#include "early_learning.h"

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/rasterize.h>

#include "tensor_batch.h"

namespace furrow::segmentation {

EarlyLearning::EarlyLearning(std::int64_t pixels, double momentum, std::size_t memory_bytes)
    : m_momentum(momentum) {
  const std::size_t needed = static_cast<std::size_t>(pixels) * kTrainedClasses * sizeof(c10::Half);
  if (needed > memory_bytes / 2) {
    throw geo::ModelError(
        geo::concat("early-learning regularisation remembers ", geo::human_bytes(static_cast<double>(needed)),
                    " of answers for ", pixels, " training pixels, more than half of the memory budget of ",
                    geo::human_bytes(static_cast<double>(memory_bytes)),
                    "; raise it (--memory), train on fewer images, or leave the regularisation out"));
  }
  m_means = torch::zeros({pixels, kTrainedClasses}, torch::kHalf);
}

torch::Tensor EarlyLearning::term(const torch::Tensor& logits, const Batch& batch) {
  const std::int64_t n = logits.size(0);
  const std::int64_t area = logits.size(2) * logits.size(3);
  const torch::Tensor p = torch::softmax(logits, 1).clamp(1e-4, 1.0 - 1e-4);
  const torch::Tensor flat = p.permute({0, 2, 3, 1}).reshape({n, area, kTrainedClasses});
  torch::Tensor sum = torch::zeros({}, logits.options());
  std::int64_t labelled = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    std::vector<std::int64_t> places;
    std::vector<std::int64_t> numbers;
    for (std::int64_t k = 0; k < area; ++k) {
      const auto at = static_cast<std::size_t>(i * area + k);
      if (batch.labels[at] == geo::kIgnore) continue;
      places.push_back(k);
      numbers.push_back(batch.pixel_numbers[at]);
    }
    if (places.empty()) continue;
    const torch::Tensor place = torch::tensor(places, torch::kLong).to(logits.device());
    const torch::Tensor number = torch::tensor(numbers, torch::kLong);
    const torch::Tensor answers = flat[i].index_select(0, place);
    const torch::Tensor now = (answers / answers.sum(1, true)).detach().to(torch::kCPU, torch::kFloat);
    const torch::Tensor means =
        m_momentum * m_means.index_select(0, number).to(torch::kFloat) + (1.0 - m_momentum) * now;
    m_means.index_copy_(0, number, means.to(torch::kHalf));
    sum = sum + torch::log(1.0 - (answers * means.to(logits.device())).sum(1)).sum();
    labelled += static_cast<std::int64_t>(places.size());
  }
  return sum / static_cast<double>(std::max<std::int64_t>(labelled, 1));
}

}  // namespace furrow::segmentation
