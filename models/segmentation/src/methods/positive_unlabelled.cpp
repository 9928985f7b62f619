#include "positive_unlabelled.h"

#include <furrow/geo/raster/rasterize.h>

namespace furrow::segmentation {
namespace {

/// sum w x / sum w, 0 without weight.
torch::Tensor mean(const torch::Tensor& values, const torch::Tensor& weights) {
  const torch::Tensor total = weights.sum();
  return (weights * values).sum() / torch::where(total > 0, total, torch::ones_like(total));
}

/// The part about field against the rest.
torch::Tensor field_risk(const torch::Tensor& logits, const Target& target, double prior) {
  const torch::Tensor ignored = target.labels.eq(static_cast<std::int64_t>(geo::kIgnore));
  const torch::Tensor all = target.weights.masked_fill(ignored, 0.0);
  const torch::Tensor fields = all.masked_fill(target.labels.eq(0), 0.0);
  const torch::Tensor log_p = torch::log_softmax(logits, 1);
  const torch::Tensor rest = log_p.select(1, 0).neg();                 // -log(1 - q)
  const torch::Tensor field = log_p.slice(1, 1).logsumexp({1}).neg();  // -log q
  const torch::Tensor positive = prior * mean(field, fields);
  const torch::Tensor negative = mean(rest, all) - prior * mean(rest, fields);
  if (negative.item<double>() >= 0.0) return positive + negative;
  return negative.detach() - negative + positive.detach();
}

/// The part about interior against boundary.
torch::Tensor boundary_loss(const torch::Tensor& logits, const Target& target, const LossOptions& options) {
  constexpr double kNever = -1e4;
  const torch::Tensor background = torch::full_like(logits.slice(1, 0, 1), kNever);
  Target fields = target;
  fields.labels = target.labels.masked_fill(target.labels.eq(0), static_cast<std::int64_t>(geo::kIgnore));
  return total_loss(torch::cat({background, logits.slice(1, 1)}, 1), fields, options);
}

}  // namespace

torch::Tensor positive_unlabelled_risk(const torch::Tensor& logits, const Target& target, double prior,
                                       const LossOptions& options) {
  return field_risk(logits, target, prior) + boundary_loss(logits, target, options);
}

}  // namespace furrow::segmentation
