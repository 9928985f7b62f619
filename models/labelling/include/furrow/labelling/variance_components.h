#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

/// How much of the spread of scores comes from the labellers, from the sites, and from neither.
namespace furrow::labelling {

/// A probability or a mean with its interval; NaN = unknown.
struct SkillEstimate {
  double mean = std::numeric_limits<double>::quiet_NaN();
  double low = std::numeric_limits<double>::quiet_NaN();
  double high = std::numeric_limits<double>::quiet_NaN();
};

/// A score, whose it is and where.
struct CrossedScore {
  std::size_t labeller = 0;
  std::size_t site = 0;
  double value = 0.0;
};

struct VarianceOptions {
  bool sites = true;      ///< false: sites differ by chance only (a one-way model)
  double interval = 0.9;  ///< probability inside the intervals
  double low = 0.0;       ///< values lie within low..high; intervals are cut there
  double high = 1.0;
};

/// score = mean + labeller + site + rest, the last three normal with these standard deviations.
struct VarianceComponents {
  std::int64_t scores = 0;
  std::int64_t labellers = 0;  ///< with at least one score
  std::int64_t sites = 0;
  double mean = std::numeric_limits<double>::quiet_NaN();
  double sd_labeller = std::numeric_limits<double>::quiet_NaN();
  double sd_site = std::numeric_limits<double>::quiet_NaN();
  double sd_rest = std::numeric_limits<double>::quiet_NaN();
  std::string note;  ///< what could not be told apart, and why; empty = everything was estimated
  /// Level of every labeller at a site of average difficulty: best linear unbiased prediction, drawn towards
  /// the mean the more the fewer the scores. A labeller without scores has the mean and the whole spread of
  /// labellers.
  std::vector<SkillEstimate> levels;
  std::vector<double> site_effects;  ///< predicted, 0 without scores; positive = easy

  /// Share of the variance of scores of equally difficult sites that lies between labellers; NaN = unknown.
  [[nodiscard]] double intraclass_correlation() const;
  /// Scored sites after which the mean score of a labeller has this reliability (share of its variance that
  /// is skill), sites being equally difficult. Infinite when labellers do not differ.
  [[nodiscard]] double sites_for_reliability(double reliability) const;
};

/// Restricted maximum likelihood on the crossed model. Repeated scores of a labeller at a site are scores of
/// their own. Method: profiled deviance with relative standard deviations (Bates, Machler, Bolker and Walker
/// 2015), sites eliminated, simplex search from fixed starts. Intervals take the standard deviations as
/// known.
///
/// Not enough to tell the parts apart (one labeller, every labeller with one score, all scores equal, every
/// site with one score): the parts that cannot be known are 0 or NaN, and `note` says so.
/// @param labellers, sites  how many there are in all; positions in `scores` are below them
/// @throws geo::InvalidArgument  a position out of range, a value that is not finite, bad options
/// Cost: (labellers with scores)^3 per step. Threads: safe to call concurrently; deterministic.
[[nodiscard]] VarianceComponents fit_variance(std::span<const CrossedScore> scores, std::size_t labellers,
                                              std::size_t sites, const VarianceOptions& options = {});

}  // namespace furrow::labelling
