#include "losses.h"

#include <furrow/geo/raster/rasterize.h>
#include <furrow/segmentation/trainer.h>

namespace furrow::segmentation {
namespace {

/// Weights with ignored pixels at 0, and labels with a harmless class in their place.
struct Masked {
  torch::Tensor labels;
  torch::Tensor weights;
};

Masked masked(const torch::Tensor& labels, const torch::Tensor& weights) {
  const torch::Tensor ignored = labels.eq(static_cast<std::int64_t>(geo::kIgnore));
  return {labels.masked_fill(ignored, 0), weights.masked_fill(ignored, 0.0)};
}

}  // namespace

torch::Tensor weighted_cross_entropy(const torch::Tensor& logits, const torch::Tensor& labels,
                                     const torch::Tensor& weights, const torch::Tensor& class_weights) {
  const Masked pixels = masked(labels, weights);
  const torch::Tensor log_p = torch::log_softmax(logits, 1).gather(1, pixels.labels.unsqueeze(1)).squeeze(1);
  const torch::Tensor w = pixels.weights * class_weights.index({pixels.labels});
  const torch::Tensor total = w.sum();
  return (w * log_p).sum().neg() / torch::where(total > 0, total, torch::ones_like(total));
}

torch::Tensor tversky_focal(const torch::Tensor& logits, const torch::Tensor& labels,
                            const torch::Tensor& weights, const LossOptions& options) {
  const Masked pixels = masked(labels, weights);
  const torch::Tensor w = pixels.weights.unsqueeze(1);
  const torch::Tensor p = torch::softmax(logits, 1);
  const torch::Tensor y =
      torch::one_hot(pixels.labels, logits.size(1)).permute({0, 3, 1, 2}).to(logits.scalar_type());
  const auto sum = [](const torch::Tensor& values) { return values.sum(torch::IntArrayRef{0, 2, 3}); };

  const torch::Tensor mass = sum(w * y);
  const torch::Tensor tp = sum(w * y * p);
  const torch::Tensor fn = mass - tp;
  const torch::Tensor fp = sum(w * p) - tp;
  const double a = options.tversky_alpha;
  const double s = options.smooth;
  const torch::Tensor t = (tp + s) / (tp + a * fn + (1.0 - a) * fp + s);
  // The power has an infinite slope at a perfect score; stop just short of it.
  const torch::Tensor loss = (1.0 - t).clamp_min(1e-7).pow(1.0 / options.focal_gamma);

  const torch::Tensor inverse =
      torch::where(mass > 0, mass.sum() / mass.clamp_min(1e-12), torch::zeros_like(mass));
  const torch::Tensor share = inverse / inverse.sum().clamp_min(1e-12);
  const torch::Tensor class_weights = torch::where(mass > 0, share, torch::full_like(mass, 1e-5));
  return (class_weights.detach() * loss).sum();
}

torch::Tensor total_loss(const torch::Tensor& logits, const torch::Tensor& labels,
                         const torch::Tensor& weights, const LossOptions& options) {
  torch::Tensor loss = torch::zeros({}, logits.options());
  if (options.tversky_share < 1.0) {
    const auto& given = options.class_weights;
    const torch::Tensor class_weights =
        torch::tensor(torch::ArrayRef<double>(given.data(), given.size()), torch::kDouble)
            .to(logits.scalar_type());
    loss =
        loss + (1.0 - options.tversky_share) * weighted_cross_entropy(logits, labels, weights, class_weights);
  }
  if (options.tversky_share > 0.0) {
    loss = loss + options.tversky_share * tversky_focal(logits, labels, weights, options);
  }
  return loss;
}

}  // namespace furrow::segmentation
