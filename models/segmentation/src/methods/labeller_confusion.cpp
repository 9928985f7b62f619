#include "labeller_confusion.h"

#include <cmath>

#include "tensor_batch.h"

namespace furrow::segmentation {

LabellerConfusionLayerImpl::LabellerConfusionLayerImpl(std::int64_t labellers) {
  constexpr double kDiagonal = 0.98;
  const double score = std::log(kDiagonal * (kTrainedClasses - 1) / (1.0 - kDiagonal));
  scores = register_parameter(
      "scores", score * torch::eye(kTrainedClasses).expand({labellers, kTrainedClasses, kTrainedClasses}));
}

torch::Tensor LabellerConfusionLayerImpl::matrices() const {
  return torch::softmax(scores, 2);
}

torch::Tensor LabellerConfusionLayerImpl::drawn(const torch::Tensor& logits, const Batch& batch) const {
  const torch::Tensor none = torch::eye(kTrainedClasses, scores.options()).unsqueeze(0);
  const torch::Tensor all = torch::cat({matrices(), none});  // the last one: no labeller
  std::vector<std::int64_t> which;
  for (const std::int32_t labeller : batch.labellers)
    which.push_back(labeller < 0 ? scores.size(0) : std::int64_t{labeller});
  const torch::Tensor of_window = all.index_select(0, torch::tensor(which, torch::kLong).to(scores.device()));
  const torch::Tensor p = torch::softmax(logits, 1);
  return torch::einsum("nihw,nij->njhw", {p, of_window}).clamp_min(1e-7).log();
}

torch::Tensor LabellerConfusionLayerImpl::loss(const torch::Tensor& logits, const Target& target,
                                               const Batch& batch, const LossOptions& options,
                                               double trace_weight) const {
  const torch::Tensor trace = matrices().diagonal(0, 1, 2).sum(1).mean();
  return total_loss(drawn(logits, batch), target, options) + trace_weight * trace;
}

std::vector<LabellerConfusion> LabellerConfusionLayerImpl::report(
    const std::vector<std::string>& names) const {
  const torch::Tensor values = matrices().detach().to(torch::kCPU, torch::kDouble).contiguous();
  const auto at = values.accessor<double, 3>();
  std::vector<LabellerConfusion> result;
  for (std::size_t labeller = 0; labeller < names.size(); ++labeller) {
    result.push_back({names[labeller], {}});
    for (std::size_t row = 0; row < kTrainedClasses; ++row) {
      for (std::size_t col = 0; col < kTrainedClasses; ++col) {
        result.back().matrix[row][col] = at[static_cast<std::int64_t>(labeller)]
                                           [static_cast<std::int64_t>(row)][static_cast<std::int64_t>(col)];
      }
    }
  }
  return result;
}

}  // namespace furrow::segmentation
