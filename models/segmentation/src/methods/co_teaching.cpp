#include "co_teaching.h"

#include <algorithm>
#include <cmath>

#include <furrow/geo/raster/rasterize.h>

namespace furrow::segmentation {

double forget_share(double forget, std::int64_t ramp_epochs, std::int64_t epoch) {
  return forget * std::min(1.0, static_cast<double>(epoch - 1) / static_cast<double>(ramp_epochs));
}

Target small_loss_target(const torch::Tensor& logits, const Target& target, double forget) {
  const torch::NoGradGuard no_grad;
  if (forget <= 0.0) return target;
  const torch::Tensor ignored = target.labels.eq(static_cast<std::int64_t>(geo::kIgnore));
  const torch::Tensor labels = target.labels.masked_fill(ignored, 0);
  const torch::Tensor loss = torch::log_softmax(logits, 1).gather(1, labels.unsqueeze(1)).squeeze(1).neg();
  Target chosen = target;
  chosen.weights = target.weights.clone();
  for (std::int64_t c = 0; c < logits.size(1); ++c) {
    const torch::Tensor of_class = target.labels.eq(c);
    const torch::Tensor values = loss.masked_select(of_class);
    if (values.numel() == 0) continue;
    const double kept = std::ceil((1.0 - forget) * static_cast<double>(values.numel()) - 1e-9);
    const torch::Tensor limit =
        std::get<0>(values.kthvalue(std::clamp<std::int64_t>(std::llround(kept), 1, values.numel())));
    chosen.weights.masked_fill_(of_class.logical_and(loss > limit), 0.0);
  }
  return chosen;
}

}  // namespace furrow::segmentation
