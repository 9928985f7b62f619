#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <furrow/labelling/risk_calibration.h>
#include <furrow/labelling/vote_table.h>

/// Bayesian fusion of labels: truth, labellers' skills and the risk of every label from one model, with as
/// many or as few known truths as there are.
namespace furrow::labelling {

/// What counts as one piece of evidence about a labeller.
enum class InformationUnit {
  kItem,  ///< every item of the table (a patient, a point): items are independent
  kSite   ///< pixels of one site resemble each other: a site's pixels count as a few independent ones
};

enum class BayesInference {
  kMode,  ///< expectation-maximisation and an approximation of the uncertainty; any size
  kGibbs  ///< random draws from the exact posterior; item tables only, whole counts
};

/// Priors that are given instead of learned.
struct BayesPriors {
  std::vector<double> class_votes;  ///< shape [classes], > 0: Dirichlet prior of the class shares
  std::vector<double> row_votes;    ///< shape [classes, outcomes], > 0: Dirichlet prior of each confusion row
};

struct BayesOptions {
  InformationUnit unit = InformationUnit::kSite;
  BayesInference inference = BayesInference::kMode;
  std::optional<BayesPriors> priors;  ///< empty = learned from all labellers and all sites
  /// Pseudo-votes of a usual labeller, shape [classes, outcomes], > 0: learning starts from them and counts
  /// them as two labellers. Empty = 70 % right answers, 8 votes a row.
  std::vector<double> usual_rows;
  /// Intraclass correlation of a labeller's errors inside a site, 0..1 (kSite); empty = estimated.
  std::optional<double> site_correlation;
  /// How much of what one labeller says another repeats, 0 (independent) .. 1 (copies); empty = calibrated on
  /// sites with known truth, or `default_dependence` where there are fewer than `min_reference_sites`. With
  /// kItem empty = 0.
  std::optional<double> dependence;
  double default_dependence = 0.2;
  int min_reference_sites = 5;
  bool calibrate = true;              ///< calibrates posteriors on sites with known truth (same minimum)
  std::vector<double> group_weights;  ///< one per group, >= 0 (for a bootstrap over sites); empty = all 1
  double interval = 0.90;             ///< probability inside the intervals of skills
  int restarts = 4;                   ///< random starts besides the start from votes
  int max_iterations = 500;           ///< of one run
  /// A run ends when the objective gains less than this per unit of information.
  double tolerance = 1e-9;
  int draws = 4000;  ///< kGibbs: kept draws, after a quarter as many for warming up
  std::uint64_t seed = 1;
};

/// Posterior mean with the interval that holds BayesOptions::interval of the probability.
struct Estimate {
  double mean = 0.0;
  double low = 0.0;
  double high = 0.0;
};

/// What is known of one labeller. Class 0 is background, all other classes together are field.
struct VoterSkill {
  Estimate sensitivity;           ///< P(says any field class | field); "unsure" does not say field
  Estimate specificity;           ///< P(says background | background)
  Estimate accuracy;              ///< P(right answer), of answers like those given
  std::size_t sites = 0;          ///< groups with votes of this labeller
  double effective_sites = 0.0;   ///< the same, weighted by how much each tells (Kish: (sum e)^2 / sum e^2)
  double field_units = 0.0;       ///< independent observations of field that the votes are worth
  double background_units = 0.0;  ///< and of background
  /// The votes would have to be read as their opposite, but no known truth shows that: they do not count.
  bool is_silenced = false;
};

/// Result of fuse_bayes.
struct BayesFit {
  FusionFit fusion;                      ///< posteriors are calibrated; confusion holds posterior means
  std::vector<VoterSkill> skills;        ///< one per voter
  std::vector<double> population;        ///< shape [classes, outcomes]: mean confusion of all labellers
  std::vector<double> row_strength;      ///< shape [classes]: pseudo-votes that tie a labeller to it
  Estimate population_sensitivity;       ///< of a labeller never seen before
  Estimate population_specificity;       ///< of a labeller never seen before
  std::vector<double> group_shares;      ///< shape [groups, classes]
  double share_strength = 0.0;           ///< pseudo-items that tie a site's shares to the overall ones
  std::vector<double> site_correlation;  ///< shape [classes]; zeros with kItem
  double dependence = 0.0;               ///< see BayesOptions::dependence
  double kappa = 1.0;                    ///< kappa_of the mean number of voters of items without known truth
  std::size_t reference_groups = 0;      ///< groups with known truth and votes
  CalibrationReport calibration;         ///< of the posteriors of sites held out
  std::vector<double> trace;             ///< objective after every iteration of the last run (kMode)

  /// Weight of the votes of an item that n labellers voted on: 1 / (1 + (n - 1) dependence).
  [[nodiscard]] double kappa_of(std::size_t voters) const noexcept;

  /// P(truth c | votes) of an item with any votes at a site; known truths play no part.
  /// @param votes  of known voters and outcomes, one entry per voter and outcome
  /// @param group  site, or any number >= groups for a site never seen: overall shares
  [[nodiscard]] std::vector<double> predict(std::span<const VoteEntry> votes, std::size_t group) const;
};

/// Learns everything from votes: shares of the classes per site, how each labeller answers, and the truth.
///
/// Model. Truth of an item of site s: class c with probability g_s[c]. Labeller j answers o with probability
/// theta_j[c][o]; a missing answer says nothing; "unsure" is an outcome like any other. theta_j[c] is
/// Dirichlet around the population's row, g_s Dirichlet around the overall shares; means and strengths of
/// both are learned from all labellers and sites (empirical Bayes, with two pseudo-labellers, see
/// BayesOptions::usual_rows, so that small tables stay sane; the shares' two are as the votes have them).
/// Items with known truth are fixed: the same model works with all, some or no truth. A labeller without
/// votes has the population's skill.
///
/// Information. With kSite the n items of a class at a site count as n / (1 + (n - 1) rho) independent ones;
/// rho is estimated from how much labellers' rates differ between their sites (moments of the beta-binomial).
/// Labellers who err together: in a posterior the log likelihood ratios of n voters are multiplied by
/// kappa = 1 / (1 + (n - 1) dependence); skills and shares are learned without (flattened posteriors would
/// dilute them). Dependence is what predicts the known truth of reference sites best (log loss) when each of
/// them is judged by skills learned without it and by as many of its labellers as other sites have. On the
/// same predictions the posterior is calibrated (calibrate_risk).
///
/// Fit (kMode). Expectation-maximisation in the log domain on the rows, whose fixed points are posterior
/// means given the expected counts (mode in the softmax basis, MacKay 1998); never decreases its objective.
/// It starts from the votes as the priors read them, then from random skills; the best objective stays. A
/// random start that reads most votes as their opposite is thrown away; a single labeller whose votes would
/// be read as their opposite is silenced unless known truth shows it. Intervals: Beta distributions around
/// the means whose size is the prior's strength plus the effective number of observations, less the
/// information that is missing because the truth is (Louis 1982). Accuracies have a population of their
/// own, since who is good at one class is good at others too.
///
/// Fit (kGibbs). Draws truths (multinomial per row), skills and shares in turn; priors are those given or
/// learned by kMode. Exact up to the number of draws; for tables whose counts are small.
///
/// @throws InvalidArgument  options out of range or of another shape than the table; kGibbs with kSite,
///                          fractional counts or group weights
/// Empty tables, voters without votes, tables with all or no truth known are fine. The result does not depend
/// on threads. Memory: about 100 bytes per row and 300 per labeller and site. Thread-safe.
/// Source: Dawid and Skene 1979; Kim and Ghahramani 2012 (BCC); Paun et al. 2018 (hierarchical model);
/// Kleinman 1973 (moments); power likelihood: Miller and Dunson 2019.
[[nodiscard]] BayesFit fuse_bayes(const VoteTable& table, const BayesOptions& options = {});

}  // namespace furrow::labelling
