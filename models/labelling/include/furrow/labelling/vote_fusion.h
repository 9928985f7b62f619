#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/core/csv.h>
#include <furrow/labelling/bayes_consensus.h>
#include <furrow/labelling/crowdlab.h>
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
  kBayes,       ///< fuse_bayes with independent items
  kCrowdlab     ///< crowdlab: a model's probabilities as one more voice
};

struct VoteFusionOptions {
  FusionMethod method = FusionMethod::kBayes;
  DawidSkeneOptions dawid_skene;  ///< one_coin is set by the method
  StapleOptions staple;
  BayesOptions bayes;         ///< unit is set by the method
  std::vector<double> model;  ///< kCrowdlab: the model's class probabilities, shape [rows, classes]
};

/// What fuse_table learned.
struct TableFit {
  FusionFit fusion;                  ///< one posterior per row of the votes
  std::vector<VoterSkill> skills;    ///< kBayes only: one per voter
  std::optional<Crowdlab> crowdlab;  ///< kCrowdlab only
};

/// Fuses the votes. Equal rows are joined for the fit, so that it costs as much as there are distinct rows.
/// With kCrowdlab the shares and confusion are counted from the posterior.
/// @throws InvalidArgument as the method does
[[nodiscard]] TableFit fuse_table(const VoteTable& votes, const VoteFusionOptions& options);

/// One worker as the fit sees it; no value where there is nothing to say.
struct WorkerSkill {
  std::string worker;
  std::int64_t n_items = 0;  ///< voted on
  std::int64_t n_votes = 0;  ///< with repeated ones
  /// P(right answer) on an item drawn by the class shares.
  std::optional<double> accuracy;
  std::optional<Estimate> accuracy_interval;  ///< kBayes only
  std::optional<double> weight;               ///< kCrowdlab only: beside the model's
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
                                                     const TableFit& fit);

/// The same with the names of the table.
[[nodiscard]] inline std::vector<WorkerSkill> worker_skills(const NamedVotes& votes, const TableFit& fit) {
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
  std::optional<double> model_weight;  ///< kCrowdlab only
  std::vector<double> class_shares;
  std::vector<WorkerSkill> workers;
};

/// @param labels  names of the outcomes
/// @throws InvalidArgument  as worker_skills, or another number of labels than of outcomes
[[nodiscard]] VoteSummary summarise_votes(const VoteTable& votes, const std::vector<std::string>& workers,
                                          const std::vector<std::string>& labels, const TableFit& fit);

/// One line per item: item, label, p_<class> for every class, risk (P(label is wrong)), n_votes.
[[nodiscard]] geo::CsvTable label_table(const NamedVotes& votes, const FusionFit& fit);

/// One line per worker: worker, n_items, n_votes, accuracy, accuracy_low, accuracy_high, agreement, kappa,
/// weight, <class>_as_<outcome> for every class and outcome: P(says outcome | class). Missing = NA.
[[nodiscard]] geo::CsvTable worker_table(const NamedVotes& votes, const std::vector<WorkerSkill>& skills);

}  // namespace furrow::labelling
