#include <furrow/labelling/vote_fusion.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/labelling/agreement.h>
#include <furrow/labelling/weighted_vote.h>

#include "fusion_counts.h"

namespace furrow::labelling {
namespace {

TableFit fit_bayes(const VoteTable& votes, BayesOptions options) {
  options.unit = InformationUnit::kItem;
  BayesFit fit = fuse_bayes(votes, options);
  return {std::move(fit.fusion), std::move(fit.skills), {}};
}

/// Rows with the same votes differ in what the model says, so they are not joined.
TableFit fit_crowdlab(const VoteTable& votes, const std::vector<double>& model) {
  TableFit fit;
  fit.crowdlab = crowdlab(votes, model);
  fit.fusion.classes = votes.classes();
  fit.fusion.outcomes = votes.outcomes();
  fit.fusion.posterior = std::exchange(fit.crowdlab->posterior, {});
  fit.fusion.class_shares = class_shares(votes, fit.fusion.posterior, 0.0);
  fit.fusion.confusion = expected_votes(votes, fit.fusion.posterior);
  normalise_rows(fit.fusion.confusion, static_cast<std::size_t>(votes.outcomes()));
  fit.fusion.converged = true;
  return fit;
}

TableFit fit_rows(const VoteTable& votes, const VoteFusionOptions& options) {
  DawidSkeneOptions dawid_skene_options = options.dawid_skene;
  dawid_skene_options.one_coin = options.method == FusionMethod::kOneCoin;
  switch (options.method) {
    case FusionMethod::kMajority:
      return {weighted_vote(votes), {}, {}};
    case FusionMethod::kStaple:
      return {staple(votes, options.staple), {}, {}};
    case FusionMethod::kBayes:
      return fit_bayes(votes, options.bayes);
    case FusionMethod::kDawidSkene:
    case FusionMethod::kOneCoin:
    case FusionMethod::kCrowdlab:
      break;
  }
  return {dawid_skene(votes, dawid_skene_options), {}, {}};
}

std::vector<std::int32_t> labels_of(const VoteTable& votes, const FusionFit& fit) {
  std::vector<std::int32_t> labels(votes.rows());
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = decide(fit.posterior_of(i)).label;
  return labels;
}

double accuracy_of(const FusionFit& fit, std::size_t voter) {
  double accuracy = 0.0;
  for (int c = 0; c < fit.classes; ++c)
    accuracy += fit.class_shares[static_cast<std::size_t>(c)] * fit.confusion_at(voter, c, c);
  return accuracy;
}

std::string text_of(const std::optional<double>& value) {
  return value ? geo::shortest(*value) : "NA";
}

void count_votes(const VoteTable& votes, std::vector<WorkerSkill>& skills) {
  std::vector<std::size_t> last(skills.size(), votes.rows());  // row that was counted last
  std::vector<double> n_items(skills.size(), 0.0);
  std::vector<double> n_votes(skills.size(), 0.0);
  for (std::size_t i = 0; i < votes.rows(); ++i) {
    const VoteRow row = votes.row(i);
    for (const VoteEntry& vote : row.votes) {
      n_votes[vote.voter] += row.count * vote.times;
      if (last[vote.voter] != i) n_items[vote.voter] += row.count;
      last[vote.voter] = i;
    }
  }
  for (std::size_t j = 0; j < skills.size(); ++j) {
    skills[j].n_items = std::llround(n_items[j]);
    skills[j].n_votes = std::llround(n_votes[j]);
  }
}

}  // namespace

TableFit fuse_table(const VoteTable& votes, const VoteFusionOptions& options) {
  if (options.method == FusionMethod::kCrowdlab) return fit_crowdlab(votes, options.model);
  std::vector<std::size_t> row_of;
  TableFit fit = fit_rows(votes.grouped(&row_of), options);
  const auto classes = static_cast<std::size_t>(fit.fusion.classes);
  std::vector<double> posterior(row_of.size() * classes);
  for (std::size_t i = 0; i < row_of.size(); ++i)
    std::ranges::copy(fit.fusion.posterior_of(row_of[i]),
                      posterior.begin() + static_cast<std::ptrdiff_t>(i * classes));
  fit.fusion.posterior = std::move(posterior);
  return fit;
}

std::vector<WorkerSkill> worker_skills(const VoteTable& votes, const std::vector<std::string>& workers,
                                       const TableFit& table_fit) {
  const FusionFit& fit = table_fit.fusion;
  if (workers.size() != votes.voters()) {
    throw geo::InvalidArgument(
        geo::concat("there are ", workers.size(), " names for ", votes.voters(), " voters"));
  }
  const std::vector<std::int32_t> labels = labels_of(votes, fit);
  std::vector<WorkerSkill> skills(workers.size());
  count_votes(votes, skills);
  const std::size_t numbers = static_cast<std::size_t>(fit.classes) * static_cast<std::size_t>(fit.outcomes);
  for (std::size_t j = 0; j < skills.size(); ++j) {
    WorkerSkill& skill = skills[j];
    skill.worker = workers[j];
    if (skill.n_votes == 0) continue;
    skill.accuracy = accuracy_of(fit, j);
    if (!table_fit.skills.empty()) {
      skill.accuracy_interval = table_fit.skills[j].accuracy;
      skill.accuracy = skill.accuracy_interval->mean;
    }
    if (table_fit.crowdlab) skill.weight = table_fit.crowdlab->voter_weight[j];
    skill.agreement = agreement_with_labels(votes, j, labels);
    skill.kappa = kappa_with_labels(votes, j, labels);
    const auto begin = fit.confusion.begin() + static_cast<std::ptrdiff_t>(j * numbers);
    skill.confusion.assign(begin, begin + static_cast<std::ptrdiff_t>(numbers));
  }
  return skills;
}

VoteSummary summarise_votes(const VoteTable& votes, const std::vector<std::string>& workers,
                            const std::vector<std::string>& labels, const TableFit& table_fit) {
  const FusionFit& fit = table_fit.fusion;
  if (labels.size() != static_cast<std::size_t>(votes.outcomes())) {
    throw geo::InvalidArgument(
        geo::concat("there are ", labels.size(), " labels for ", votes.outcomes(), " outcomes"));
  }
  VoteSummary summary;
  summary.classes = votes.classes();
  summary.labels = labels;
  summary.items = std::llround(votes.items());
  double n_votes = 0.0;
  for (std::size_t i = 0; i < votes.rows(); ++i) {
    const VoteRow row = votes.row(i);
    for (const VoteEntry& vote : row.votes) n_votes += row.count * vote.times;
  }
  summary.votes = std::llround(n_votes);
  summary.krippendorff_alpha = krippendorff_alpha(votes);
  summary.fleiss_kappa = fleiss_kappa(votes);
  summary.mean_top_posterior = mean_top_posterior(votes, fit.posterior);
  summary.mean_entropy = mean_entropy(votes, fit.posterior);
  summary.objective = fit.objective;
  summary.iterations = fit.iterations;
  summary.converged = fit.converged;
  summary.class_shares = fit.class_shares;
  if (table_fit.crowdlab) summary.model_weight = table_fit.crowdlab->model_weight;
  summary.workers = worker_skills(votes, workers, table_fit);
  return summary;
}

geo::CsvTable label_table(const NamedVotes& votes, const FusionFit& fit) {
  geo::CsvTable table;
  table.columns = {"item", "label"};
  for (const auto& name : votes.class_names()) table.columns.push_back("p_" + name);
  table.columns.insert(table.columns.end(), {"risk", "n_votes"});
  for (std::size_t i = 0; i < votes.items.size(); ++i) {
    const Decision decision = decide(fit.posterior_of(i));
    auto& row = table.rows.emplace_back();
    row = {votes.items[i], votes.labels[static_cast<std::size_t>(decision.label)]};
    for (const double p : fit.posterior_of(i)) row.push_back(geo::shortest(p));
    std::int64_t times = 0;
    for (const VoteEntry& vote : votes.table.row(i).votes) times += vote.times;
    row.push_back(geo::shortest(decision.risk));
    row.push_back(std::to_string(times));
  }
  return table;
}

geo::CsvTable worker_table(const NamedVotes& votes, const std::vector<WorkerSkill>& skills) {
  geo::CsvTable table;
  table.columns = {"worker",        "n_items",   "n_votes", "accuracy", "accuracy_low",
                   "accuracy_high", "agreement", "kappa",   "weight"};
  const auto classes = votes.class_names();
  for (const auto& truth : classes) {
    for (const auto& outcome : votes.labels) table.columns.push_back(geo::concat(truth, "_as_", outcome));
  }
  for (const WorkerSkill& skill : skills) {
    auto& row = table.rows.emplace_back();
    row = {skill.worker,
           std::to_string(skill.n_items),
           std::to_string(skill.n_votes),
           text_of(skill.accuracy),
           skill.accuracy_interval ? geo::shortest(skill.accuracy_interval->low) : "NA",
           skill.accuracy_interval ? geo::shortest(skill.accuracy_interval->high) : "NA",
           text_of(skill.agreement),
           text_of(skill.kappa),
           text_of(skill.weight)};
    for (const double p : skill.confusion) row.push_back(geo::shortest(p));
    row.resize(table.columns.size(), "NA");
  }
  return table;
}

}  // namespace furrow::labelling
