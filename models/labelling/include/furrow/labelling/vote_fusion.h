#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <furrow/geo/core/csv.h>
#include <furrow/labelling/bayes_consensus.h>
#include <furrow/labelling/dawid_skene.h>
#include <furrow/labelling/staple.h>
#include <furrow/labelling/votes_csv.h>

/// Fusing a table of votes by a chosen method, and what is told of it.
namespace furrow::labelling {

enum class FusionMethod {
  kMajority,    ///< weighted_vote with equal weights
  kDawidSkene,  ///< dawid_skene
  kOneCoin,     ///< dawid_skene with one accuracy per voter
  kStaple,      ///< staple; two classes only
  kBayes        ///< fuse_bayes with independent items
};

struct VoteFusionOptions {
  FusionMethod method = FusionMethod::kBayes;
  DawidSkeneOptions dawid_skene;  ///< one_coin is set by the method
  StapleOptions staple;
  BayesOptions bayes;  ///< unit is set by the method
};

/// Fuses the votes. Equal rows are joined for the fit, so that it costs as much as there are distinct rows.
/// @return with one posterior per row of `votes`
/// @throws InvalidArgument as the method does
[[nodiscard]] FusionFit fuse_table(const VoteTable& votes, const VoteFusionOptions& options);

/// One worker as the fit sees it; no value where there is nothing to say.
struct WorkerSkill {
  std::string worker;
  std::int64_t n_items = 0;  ///< voted on
  std::int64_t n_votes = 0;  ///< with repeated ones
  /// P(right answer) on an item drawn by the class shares.
  std::optional<double> accuracy;
  /// Share of the votes that name the fused label.
  std::optional<double> agreement;
  /// Cohen's kappa with the fused labels, which the worker's own votes went into.
  std::optional<double> kappa;
  std::vector<double> confusion;  ///< shape [classes, outcomes]; empty for a worker without votes
};

/// @param workers  names of the voters
/// @return one per worker, in their order
/// @throws InvalidArgument  another number of names than of voters
[[nodiscard]] std::vector<WorkerSkill> worker_skills(const VoteTable& votes,
                                                     const std::vector<std::string>& workers,
                                                     const FusionFit& fit);

/// The same with the names of the table.
[[nodiscard]] inline std::vector<WorkerSkill> worker_skills(const NamedVotes& votes, const FusionFit& fit) {
  return worker_skills(votes.table, votes.workers, fit);
}

/// What is told of votes and of the fit to them.
struct VoteSummary {
  int classes = 0;
  std::vector<std::string> labels;  ///< names of the outcomes: the classes, then the others
  std::int64_t items = 0;
  std::int64_t votes = 0;  ///< with repeated ones
  std::optional<double> krippendorff_alpha;
  std::optional<double> fleiss_kappa;
  std::optional<double> mean_top_posterior;
  std::optional<double> mean_entropy;
  double objective = 0.0;
  int iterations = 0;
  bool converged = false;
  std::vector<double> class_shares;
  std::vector<WorkerSkill> workers;
};

/// @param labels  names of the outcomes
/// @throws InvalidArgument  as worker_skills, or another number of labels than of outcomes
[[nodiscard]] VoteSummary summarise_votes(const VoteTable& votes, const std::vector<std::string>& workers,
                                          const std::vector<std::string>& labels, const FusionFit& fit);

/// One line per item: item, label, p_<class> for every class, risk (P(label is wrong)), n_votes.
[[nodiscard]] geo::CsvTable label_table(const NamedVotes& votes, const FusionFit& fit);

/// One line per worker: worker, n_items, n_votes, accuracy, agreement, kappa, <class>_as_<outcome> for every
/// class and outcome: P(says outcome | class). Missing = NA.
[[nodiscard]] geo::CsvTable worker_table(const NamedVotes& votes, const std::vector<WorkerSkill>& skills);

}  // namespace furrow::labelling
