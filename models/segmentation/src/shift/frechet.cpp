#include "frechet.h"

#include <algorithm>

namespace furrow::segmentation {

FeatureStatistics shrunk_statistics(const torch::Tensor& features) {
  const auto n = static_cast<double>(features.size(0));
  const auto d = static_cast<double>(features.size(1));
  const torch::Tensor mean = features.mean(0);
  const torch::Tensor x = features - mean;
  torch::Tensor covariance = x.t().matmul(x) / n;
  const double scale = covariance.trace().item<double>() / d;
  const double squares = covariance.square().sum().item<double>();
  const double distance = squares - d * scale * scale;  // |S - scale I|^2, all norms times d
  // sum over windows of |x x' - S|^2 / n^2, with |x x'|^2 = (x'x)^2
  const double error = (x.square().sum(1).square().sum().item<double>() / n - squares) / n;
  const double share = distance > 0.0 ? std::clamp(error / distance, 0.0, 1.0) : 0.0;
  covariance = (1.0 - share) * covariance;
  covariance.diagonal().add_(share * scale);
  return {mean, covariance};
}

FrechetDistances::FrechetDistances(const FeatureStatistics& statistics, const torch::Tensor& features)
    : m_variance(statistics.covariance.trace().item<double>()) {
  const torch::Tensor x = features - statistics.mean;
  m_squared = x.square().sum(1);
  m_products = x.matmul(statistics.covariance).matmul(x.t());
}

torch::Tensor FrechetDistances::of(const torch::Tensor& groups) const {
  const auto n = static_cast<double>(groups.size(1));
  const torch::Tensor pairs = m_products.index({groups.unsqueeze(2), groups.unsqueeze(1)});  // [G, n, n]
  const torch::Tensor rows = pairs.mean(2, true);
  const torch::Tensor centred = pairs - rows - pairs.mean(1, true) + rows.mean(1, true);
  const torch::Tensor eigenvalues = torch::linalg_eigvalsh(centred / n).clamp_min(0.0);
  // |m - m_g|^2 + tr C_g is the mean squared distance of the windows from m.
  const torch::Tensor apart = m_squared.index({groups}).mean(1);
  return (apart + m_variance - 2.0 * eigenvalues.sqrt().sum(1)).clamp_min(0.0).sqrt();
}

}  // namespace furrow::segmentation
