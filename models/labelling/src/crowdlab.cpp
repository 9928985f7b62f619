#include <furrow/labelling/crowdlab.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

#include "fusion_counts.h"

namespace furrow::labelling {
namespace {

constexpr double kLeastWeight = 1e-6;
constexpr double kLeastProbability = 1e-30;

std::vector<double> checked_model(const VoteTable& votes, std::span<const double> model) {
  const auto classes = static_cast<std::size_t>(votes.classes());
  if (model.size() != votes.rows() * classes) {
    throw geo::InvalidArgument(geo::concat("a model gives ", model.size(), " probabilities for ",
                                           votes.rows(), " rows of ", classes, " classes"));
  }
  std::vector<double> result(model.begin(), model.end());
  for (std::size_t begin = 0; begin < result.size(); begin += classes) {
    const auto row = std::span(result).subspan(begin, classes);
    const bool right = std::ranges::all_of(row, [](double p) { return std::isfinite(p) && p >= 0.0; });
    if (!right || std::ranges::all_of(row, [](double p) { return p == 0.0; })) {
      throw geo::InvalidArgument(geo::concat("the model's probabilities of row ", begin / classes,
                                             " are not finite, 0 or more, and more than 0 in sum"));
    }
  }
  normalise_rows(result, classes);
  return result;
}

std::vector<double> scaled(std::vector<double> model, std::size_t classes, double temperature) {
  for (double& p : model) p = std::pow(std::max(p, kLeastProbability), 1.0 / temperature);
  normalise_rows(model, classes);
  return model;
}

std::size_t most_probable(std::span<const double> probabilities) {
  return static_cast<std::size_t>(std::ranges::max_element(probabilities) - probabilities.begin());
}

/// Votes for the classes, by row and over all rows.
class ClassVotes {
 public:
  explicit ClassVotes(const VoteTable& votes) : m_classes(static_cast<std::size_t>(votes.classes())) {
    m_by_row.assign(votes.rows() * m_classes, 0.0);
    m_totals.assign(votes.rows(), 0.0);
    m_by_class.assign(m_classes, 0.0);
    for (std::size_t i = 0; i < votes.rows(); ++i) {
      const VoteRow row = votes.row(i);
      for (const VoteEntry& vote : row.votes) {
        if (vote.outcome >= m_classes) continue;
        m_by_row[i * m_classes + vote.outcome] += vote.times;
        m_totals[i] += vote.times;
        m_by_class[vote.outcome] += row.count * vote.times;
      }
    }
  }
  [[nodiscard]] std::span<const double> of_row(std::size_t row) const {
    return {m_by_row.data() + row * m_classes, m_classes};
  }
  [[nodiscard]] double total(std::size_t row) const { return m_totals[row]; }
  [[nodiscard]] double of_class(std::size_t c) const { return m_by_class[c]; }

 private:
  std::size_t m_classes;
  std::vector<double> m_by_row;
  std::vector<double> m_totals;
  std::vector<double> m_by_class;
};

/// Mean over items of the cross entropy of the vote shares and the scaled model.
double cross_entropy(const VoteTable& votes, const ClassVotes& counts, const std::vector<double>& model) {
  const auto classes = static_cast<std::size_t>(votes.classes());
  double sum = 0.0;
  double items = 0.0;
  for (std::size_t i = 0; i < votes.rows(); ++i) {
    if (counts.total(i) <= 0.0) continue;
    const double count = votes.row(i).count;
    for (std::size_t c = 0; c < classes; ++c) {
      const double share = counts.of_row(i)[c] / counts.total(i);
      if (share > 0.0) sum -= count * share * std::log(std::max(model[i * classes + c], kLeastProbability));
    }
    items += count;
  }
  return items > 0.0 ? sum / items : 0.0;
}

double best_temperature(const VoteTable& votes, const ClassVotes& counts, const std::vector<double>& model) {
  constexpr std::array kCoarse{0.1, 0.2, 0.5, 0.8, 1.0, 2.0, 3.0, 5.0, 8.0};
  constexpr int kSteps = 4;
  const auto classes = static_cast<std::size_t>(votes.classes());
  double best = 1.0;
  double least = std::numeric_limits<double>::infinity();
  std::size_t at = 0;
  const auto consider = [&](double temperature) {
    const double loss = cross_entropy(votes, counts, scaled(model, classes, temperature));
    if (loss >= least) return false;
    least = loss;
    best = temperature;
    return true;
  };
  for (std::size_t i = 0; i < kCoarse.size(); ++i) {
    if (consider(kCoarse[i])) at = i;
  }
  least = std::numeric_limits<double>::infinity();
  for (std::size_t from = at == 0 ? 0 : at - 1; from < std::min(at + 1, kCoarse.size() - 1); ++from) {
    for (int step = 0; step < kSteps; ++step)
      (void)consider(kCoarse[from] + (kCoarse[from + 1] - kCoarse[from]) * step / kSteps);
  }
  (void)consider(kCoarse[std::min(at + 1, kCoarse.size() - 1)]);
  return best;
}

/// The two rounds of the method.
class Rounds {
 public:
  Rounds(const VoteTable& votes, const ClassVotes& counts, const std::vector<double>& model)
      : m_votes(votes),
        m_counts(counts),
        m_model(model),
        m_classes(static_cast<std::size_t>(votes.classes())) {}

  [[nodiscard]] Crowdlab run() const {
    Crowdlab result;
    const std::vector<double> agreement = agreement_between_voters();
    const std::vector<std::int32_t> majority = majority_labels();
    weigh(majority, agreement, result);
    result.labels = best_labels(result.posterior, majority);
    weigh(result.labels, agreement, result);
    rate_voters(result);
    return result;
  }

 private:
  [[nodiscard]] std::int32_t majority_of(std::size_t row) const {
    const auto votes = m_counts.of_row(row);
    const auto model = std::span(m_model).subspan(row * m_classes, m_classes);
    std::size_t best = 0;
    for (std::size_t c = 1; c < m_classes; ++c) {
      const auto better = [&] {
        if (votes[c] != votes[best]) return votes[c] > votes[best];
        if (model[c] != model[best]) return model[c] > model[best];
        return m_counts.of_class(c) < m_counts.of_class(best);
      };
      if (better()) best = c;
    }
    return static_cast<std::int32_t>(best);
  }

  [[nodiscard]] std::vector<std::int32_t> majority_labels() const {
    std::vector<std::int32_t> labels(m_votes.rows());
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const std::int32_t truth = m_votes.row(i).truth;
      labels[i] = truth >= 0 ? truth : majority_of(i);
    }
    return labels;
  }

  /// The most probable classes; where several are, the majority's.
  [[nodiscard]] std::vector<std::int32_t> best_labels(const std::vector<double>& posterior,
                                                      const std::vector<std::int32_t>& majority) const {
    std::vector<std::int32_t> labels = majority;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const auto row = std::span(posterior).subspan(i * m_classes, m_classes);
      const std::size_t best = most_probable(row);
      if (std::ranges::count(row, row[best]) == 1) labels[i] = static_cast<std::int32_t>(best);
    }
    return labels;
  }

  [[nodiscard]] bool is_shared(std::size_t row) const { return m_counts.total(row) >= 2.0; }

  /// How far every voter agrees with the others on the rows that they share.
  [[nodiscard]] std::vector<double> agreement_between_voters() const {
    std::vector<double> same(m_votes.voters(), 0.0);
    std::vector<double> all(m_votes.voters(), 0.0);
    for (std::size_t i = 0; i < m_votes.rows(); ++i) {
      const VoteRow row = m_votes.row(i);
      for (std::size_t begin = 0; begin < row.votes.size();) {
        std::size_t end = begin;
        std::vector<double> own(m_classes, 0.0);
        for (; end < row.votes.size() && row.votes[end].voter == row.votes[begin].voter; ++end) {
          if (row.votes[end].outcome < m_classes) own[row.votes[end].outcome] += row.votes[end].times;
        }
        const double own_votes = std::accumulate(own.begin(), own.end(), 0.0);
        const std::size_t voter = row.votes[begin].voter;
        for (std::size_t c = 0; c < m_classes; ++c)
          same[voter] += row.count * own[c] * (m_counts.of_row(i)[c] - own[c]);
        all[voter] += row.count * own_votes * (m_counts.total(i) - own_votes);
        begin = end;
      }
    }
    return shares_or_mean(same, all);
  }

  static std::vector<double> shares_or_mean(const std::vector<double>& same, const std::vector<double>& all) {
    std::vector<double> shares(same.size(), 0.0);
    double sum = 0.0;
    double known = 0.0;
    for (std::size_t j = 0; j < same.size(); ++j) {
      if (all[j] <= 0.0) continue;
      shares[j] = same[j] / all[j];
      sum += shares[j];
      known += 1.0;
    }
    if (known == 0.0)
      throw geo::InvalidArgument("CROWDLAB needs items that two voters voted on; there are none");
    for (std::size_t j = 0; j < same.size(); ++j) {
      if (all[j] <= 0.0) shares[j] = sum / known;
    }
    return shares;
  }

  /// Weighs voters and model by a consensus, and votes with the weights.
  /// @param between  agreement of every voter with the others
  void weigh(const std::vector<std::int32_t>& labels, const std::vector<double>& between,
             Crowdlab& result) const {
    std::vector<double> of_class(m_classes, 0.0);
    double agreement = 0.0;
    double shared = 0.0;
    double model_error = 0.0;
    double votes = 0.0;
    double voted = 0.0;
    for (std::size_t i = 0; i < m_votes.rows(); ++i) {
      const double count = m_votes.row(i).count;
      if (m_counts.total(i) > 0.0) {
        votes += count * m_counts.total(i);
        voted += count;
      }
      if (!is_shared(i)) continue;
      const auto label = static_cast<std::size_t>(labels[i]);
      of_class[label] += count;
      agreement += count * m_counts.of_row(i)[label] / m_counts.total(i);
      if (most_probable(std::span(m_model).subspan(i * m_classes, m_classes)) != label) model_error += count;
      shared += count;
    }
    const double error = std::max(1.0 - *std::ranges::max_element(of_class) / shared, kLeastWeight);
    result.voter_weight.clear();
    for (const double a : between)
      result.voter_weight.push_back(std::max(1.0 - (1.0 - a) / error, kLeastWeight));
    result.model_weight =
        std::max(1.0 - model_error / shared / error, kLeastWeight) * std::sqrt(votes / voted);
    result.agreement = agreement / shared;
    vote(result);
  }

  void vote(Crowdlab& result) const {
    result.posterior.assign(m_model.size(), 0.0);
    const double right = result.agreement;
    const double wrong = (1.0 - right) / static_cast<double>(m_classes - 1);
    for (std::size_t i = 0; i < m_votes.rows(); ++i) {
      const VoteRow row = m_votes.row(i);
      const auto posterior = std::span(result.posterior).subspan(i * m_classes, m_classes);
      if (row.truth >= 0) {
        posterior[static_cast<std::size_t>(row.truth)] = 1.0;
        continue;
      }
      double total = result.model_weight;
      for (std::size_t c = 0; c < m_classes; ++c)
        posterior[c] = result.model_weight * m_model[i * m_classes + c];
      for (const VoteEntry& vote : row.votes) {
        if (vote.outcome >= m_classes) continue;
        const double weight = vote.times * result.voter_weight[vote.voter];
        for (std::size_t c = 0; c < m_classes; ++c)
          posterior[c] += weight * (c == vote.outcome ? right : wrong);
        total += weight;
      }
      for (double& p : posterior) p /= total;
    }
  }

  /// Mean probability of a voter's labels and its agreement with the consensus, weighted as model and voters.
  void rate_voters(Crowdlab& result) const {
    std::vector<double> probability(m_votes.voters(), 0.0);
    std::vector<double> votes(m_votes.voters(), 0.0);
    std::vector<double> same(m_votes.voters(), 0.0);
    std::vector<double> shared(m_votes.voters(), 0.0);
    double items = 0.0;
    for (std::size_t i = 0; i < m_votes.rows(); ++i) {
      const VoteRow row = m_votes.row(i);
      if (m_counts.total(i) > 0.0) items += row.count;
      for (const VoteEntry& vote : row.votes) {
        if (vote.outcome >= m_classes) continue;
        const double weight = row.count * vote.times;
        probability[vote.voter] += weight * result.posterior[i * m_classes + vote.outcome];
        votes[vote.voter] += weight;
        if (!is_shared(i)) continue;
        shared[vote.voter] += weight;
        if (vote.outcome == result.labels[i]) same[vote.voter] += weight;
      }
    }
    const double all = std::accumulate(votes.begin(), votes.end(), 0.0);
    const double voters = std::accumulate(result.voter_weight.begin(), result.voter_weight.end(), 0.0) * all /
                          items / static_cast<double>(m_votes.voters());
    const double w = result.model_weight / (result.model_weight + voters);
    result.voter_quality.assign(m_votes.voters(), std::numeric_limits<double>::quiet_NaN());
    for (std::size_t j = 0; j < votes.size(); ++j) {
      if (votes[j] <= 0.0) continue;
      const double mean = probability[j] / votes[j];
      result.voter_quality[j] = shared[j] > 0.0 ? w * mean + (1.0 - w) * same[j] / shared[j] : mean;
    }
  }

  const VoteTable& m_votes;
  const ClassVotes& m_counts;
  const std::vector<double>& m_model;
  std::size_t m_classes;
};

}  // namespace

Crowdlab crowdlab(const VoteTable& votes, std::span<const double> model, const CrowdlabOptions& options) {
  std::vector<double> probabilities = checked_model(votes, model);
  const ClassVotes counts(votes);
  double temperature = 1.0;
  if (options.scale_temperature) {
    temperature = best_temperature(votes, counts, probabilities);
    probabilities = scaled(std::move(probabilities), static_cast<std::size_t>(votes.classes()), temperature);
  }
  Crowdlab result = Rounds(votes, counts, probabilities).run();
  result.temperature = temperature;
  return result;
}

double find_temperature(const VoteTable& votes, std::span<const double> model) {
  return best_temperature(votes, ClassVotes(votes), checked_model(votes, model));
}

}  // namespace furrow::labelling
