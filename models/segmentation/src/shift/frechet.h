#pragma once

#include <torch/torch.h>

namespace furrow::segmentation {

/// Mean and covariance of the features of many windows; both double.
struct FeatureStatistics {
  torch::Tensor mean;        ///< [d]
  torch::Tensor covariance;  ///< [d, d], symmetric, no negative eigenvalue
};

/// Mean, and covariance (divisor n) shrunk towards a multiple of the identity by as much as makes its
/// expected squared error smallest, which matters where windows are not many more than features. Exact, not
/// sampled. Method: Ledoit and Wolf 2004, "A well-conditioned estimator for large-dimensional covariance
/// matrices", J. Multivariate Analysis 88(2), section 3.3.
/// @param features  [n, d] double, n >= 1
[[nodiscard]] FeatureStatistics shrunk_statistics(const torch::Tensor& features);

/// Frechet distance between a normal distribution and those of groups of windows:
///   d^2 = |m - m_g|^2 + tr(C + C_g - 2 (C^1/2 C_g C^1/2)^1/2)
/// (Dowson and Landau 1982, J. Multivariate Analysis 12(3); on network features Heusel et al. 2017, "GANs
/// trained by a two time-scale update rule"). C_g is the covariance of the group with divisor n, so d^2 is
/// biased upwards the more, the fewer windows there are: only groups of equal size compare.
///
/// With X the n centred windows of a group, C^1/2 C_g C^1/2 and X C X' / n have the same eigenvalues but for
/// zeros, so one n x n problem per group is solved and no d x d one.
class FrechetDistances {
 public:
  /// @param features  [N, d] double: windows that groups are made of. Memory: N x N doubles.
  FrechetDistances(const FeatureStatistics& statistics, const torch::Tensor& features);
  /// @param groups  [G, n] int64, numbers of windows; a window may occur several times
  /// @return        [G] double, d (not its square), >= 0
  [[nodiscard]] torch::Tensor of(const torch::Tensor& groups) const;

 private:
  double m_variance;         ///< tr C
  torch::Tensor m_squared;   ///< [N], squared distance of each window from the mean
  torch::Tensor m_products;  ///< [N, N], (x_i - m)' C (x_j - m)
};

}  // namespace furrow::segmentation
