#pragma once

#include <torch/torch.h>

#include "losses.h"

namespace furrow::segmentation {

/// Risk for scenes mapped only in part, where "background" means "nobody drew a field here".
///
/// Field against the rest by the non-negative positive-unlabelled risk (du Plessis, Niu & Sugiyama 2015;
/// nnPU, Kiryo et al. 2017): with q the probability of a field (interior and boundary), F the pixels labelled
/// field and A all pixels that are not ignored, both weighted by their risk weights,
///   R = prior mean_F(-log q) + max(0, r),  r = mean_A(-log(1 - q)) - prior mean_F(-log(1 - q)).
/// A and not only the unlabelled rest, because the labelled fields are a part of the same scene: the mean
/// over A is that of the marginal distribution, of which `prior` is the share of field. Where r falls below 0
/// (a sign of overfitting) the value is as above and the gradient that of -r (Algorithm 1 of nnPU with beta
/// 0, gamma 1), which undoes the step.
///
/// Interior against boundary by the ordinary losses on the pixels labelled field, between these two classes
/// only (softmax without background), added to R.
/// @param logits  [N, 3, H, W]
/// @param prior   share of field among all pixels, 0..1 exclusive
/// @return        a scalar; 0 when nothing is labelled
[[nodiscard]] torch::Tensor positive_unlabelled_risk(const torch::Tensor& logits, const Target& target,
                                                     double prior, const LossOptions& options);

}  // namespace furrow::segmentation
