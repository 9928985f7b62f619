#pragma once

#include <span>
#include <vector>

namespace furrow::segmentation {

/// Two normal distributions over losses, the clean one with the smaller mean.
struct LossMixture {
  bool separates = false;  ///< false: one distribution explains the losses as well, everything is clean
  double clean_share = 1.0;
  double clean_mean = 0.0;
  double clean_sd = 0.0;
  double noisy_mean = 0.0;
  double noisy_sd = 0.0;
  std::vector<double> log_likelihood;  ///< after each step of EM, never falling

  /// Probability that a loss belongs to the clean component, never rising with the loss: losses below the
  /// clean mean count as the mean does, those above the noisy mean as that one does (with unequal widths the
  /// tail of the wider component would come back on the other side). 1 when `separates` is false.
  [[nodiscard]] double clean_probability(double loss) const;
};

/// Fits the mixture by expectation maximisation.
///
/// Method: DivideMix (Li, Socher & Hoi 2020) separates clean from noisy samples by a two-component Gaussian
/// mixture of their losses; Arazo et al. (2019) use beta distributions, for skewed losses of single samples
/// in [0, 1]. Here a loss is a mean over the thousands of pixels of a block, so nearly normal and not
/// bounded, and the Gaussian M step is exact, so that the likelihood cannot fall (that of the beta mixture
/// uses moments and may). Started from the lower and upper half of the sorted losses. A standard deviation is
/// at least a thousandth of the range of the losses (the exact maximiser under that bound), so that no
/// component shrinks onto one block.
///
/// The two components count only when they explain the losses better than one by the Bayesian information
/// criterion (Schwarz 1978; 5 against 2 parameters) and each holds at least one block: clean data are not
/// split in two.
/// @param losses  finite; in any order; fewer than 8, or all equal: `separates` is false
/// @throws geo::InvalidArgument  a loss that is not a finite number
[[nodiscard]] LossMixture fit_loss_mixture(std::span<const double> losses);

}  // namespace furrow::segmentation
