#include "losses.h"

#include <numeric>

#include <furrow/geo/raster/rasterize.h>
#include <furrow/segmentation/trainer.h>

namespace furrow::segmentation {
namespace {

/// The target with ignored pixels at weight 0.
struct Masked {
  torch::Tensor labels;   ///< [N, H, W], a harmless class where ignored
  torch::Tensor weights;  ///< [N, H, W]
  torch::Tensor soft;     ///< [N, classes, H, W], zeros where ignored; undefined = hard labels
};

Masked masked(const Target& target) {
  const torch::Tensor ignored = target.labels.eq(static_cast<std::int64_t>(geo::kIgnore));
  Masked result{target.labels.masked_fill(ignored, 0), target.weights.masked_fill(ignored, 0.0), {}};
  if (target.soft.defined()) {
    // In memory as one_hot gives hard labels, so that sums add up in the same order.
    result.soft =
        target.soft.masked_fill(ignored.unsqueeze(1), 0.0).contiguous(torch::MemoryFormat::ChannelsLast);
  }
  return result;
}

/// Sums of one batch, each [classes].
struct ClassSums {
  torch::Tensor mass;  ///< of targets: sum w t
  torch::Tensor tp;
  torch::Tensor fn;
  torch::Tensor fp;
};

ClassSums class_sums(const torch::Tensor& logits, const Target& target) {
  const Masked pixels = masked(target);
  const torch::Tensor w = pixels.weights.unsqueeze(1);
  const torch::Tensor p = torch::softmax(logits, 1);
  const torch::Tensor t =
      pixels.soft.defined()
          ? pixels.soft
          : torch::one_hot(pixels.labels, logits.size(1)).permute({0, 3, 1, 2}).to(logits.scalar_type());
  const auto sum = [](const torch::Tensor& values) { return values.sum(torch::IntArrayRef{0, 2, 3}); };
  ClassSums sums;
  sums.mass = sum(w * t);
  sums.tp = sum(w * t * p);
  sums.fn = sums.mass - sums.tp;
  sums.fp = sum(w * p) - sums.tp;
  return sums;
}

/// (1 - T)^(1/g) of each class.
torch::Tensor focal_of_tversky(const ClassSums& sums, const LossOptions& options) {
  const double a = options.tversky_alpha;
  const double s = options.smooth;
  const torch::Tensor t = (sums.tp + s) / (sums.tp + a * sums.fn + (1.0 - a) * sums.fp + s);
  // The power has an infinite slope at a perfect score; stop just short of it.
  return (1.0 - t).clamp_min(1e-7).pow(1.0 / options.focal_gamma);
}

torch::Tensor weighted_mean(const torch::Tensor& values, const torch::Tensor& class_weights) {
  return (class_weights * values).sum() / class_weights.sum();
}

}  // namespace

torch::Tensor cross_entropy(const torch::Tensor& logits, const Target& target,
                            const torch::Tensor& class_weights) {
  const Masked pixels = masked(target);
  const torch::Tensor all = torch::log_softmax(logits, 1);
  torch::Tensor w;
  torch::Tensor weighted_log_p;
  if (pixels.soft.defined()) {
    const torch::Tensor shares =
        pixels.weights.unsqueeze(1) * class_weights.reshape({1, -1, 1, 1}) * pixels.soft;
    w = shares.sum(1);
    weighted_log_p = (shares * all).sum(1);
  } else {
    w = pixels.weights * class_weights.index({pixels.labels});
    weighted_log_p = w * all.gather(1, pixels.labels.unsqueeze(1)).squeeze(1);
  }
  const torch::Tensor total = w.sum();
  return weighted_log_p.sum().neg() / torch::where(total > 0, total, torch::ones_like(total));
}

torch::Tensor dice(const torch::Tensor& logits, const Target& target, const torch::Tensor& class_weights,
                   const LossOptions& options) {
  const ClassSums sums = class_sums(logits, target);
  const torch::Tensor twice = 2.0 * sums.tp + options.smooth;
  const torch::Tensor loss = 1.0 - twice / (twice + sums.fn + sums.fp);
  return weighted_mean(loss, class_weights);
}

torch::Tensor log_cosh_dice(const torch::Tensor& logits, const Target& target,
                            const torch::Tensor& class_weights, const LossOptions& options) {
  return torch::log(torch::cosh(dice(logits, target, class_weights, options)));
}

torch::Tensor tversky_focal(const torch::Tensor& logits, const Target& target,
                            const torch::Tensor& class_weights, const LossOptions& options) {
  const ClassSums sums = class_sums(logits, target);
  return weighted_mean(focal_of_tversky(sums, options), class_weights);
}

torch::Tensor local_tversky_focal(const torch::Tensor& logits, const Target& target,
                                  const LossOptions& options) {
  const ClassSums sums = class_sums(logits, target);
  const torch::Tensor& mass = sums.mass;
  const torch::Tensor inverse =
      torch::where(mass > 0, mass.sum() / mass.clamp_min(1e-12), torch::zeros_like(mass));
  const torch::Tensor share = inverse / inverse.sum().clamp_min(1e-12);
  const torch::Tensor class_weights = torch::where(mass > 0, share, torch::full_like(mass, 1e-5));
  return (class_weights.detach() * focal_of_tversky(sums, options)).sum();
}

torch::Tensor total_loss(const torch::Tensor& logits, const Target& target, const LossOptions& options) {
  const auto& given = options.class_weights;
  const torch::Tensor class_weights =
      torch::tensor(torch::ArrayRef<double>(given.data(), given.size()), torch::kDouble).to(logits.options());
  const auto value = [&](LossTerm term) {
    switch (term) {
      case LossTerm::kCrossEntropy:
        return cross_entropy(logits, target, class_weights);
      case LossTerm::kLocalTverskyFocal:
        return local_tversky_focal(logits, target, options);
      case LossTerm::kTverskyFocal:
        return tversky_focal(logits, target, class_weights, options);
      case LossTerm::kDice:
        return dice(logits, target, class_weights, options);
      case LossTerm::kLogCoshDice:
        break;
    }
    return log_cosh_dice(logits, target, class_weights, options);
  };
  const double all = std::accumulate(options.shares.begin(), options.shares.end(), 0.0);
  torch::Tensor loss = torch::zeros({}, logits.options());
  for (std::size_t i = 0; i < options.shares.size(); ++i) {
    if (options.shares[i] > 0.0) loss = loss + options.shares[i] / all * value(static_cast<LossTerm>(i));
  }
  return loss;
}

}  // namespace furrow::segmentation
