#pragma once

#include <optional>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include <furrow/labelling/vote_fusion.h>

namespace furrow::workflow {

/// What --json prints of a fusion: the same keys for tables of votes, masks and campaigns. What is not known
/// is null.
[[nodiscard]] inline nlohmann::ordered_json skills_json(const std::string& method,
                                                        const labelling::VoteSummary& summary) {
  using Json = nlohmann::ordered_json;
  const auto number_or_null = [](const std::optional<double>& value) {
    return value ? Json(*value) : Json();
  };
  const auto interval_or_null = [](const std::optional<labelling::Estimate>& value) {
    return value ? Json({value->low, value->high}) : Json();
  };
  const auto classes = static_cast<std::size_t>(summary.classes);
  const auto& labels = summary.labels;
  Json shares = Json::object();
  for (std::size_t c = 0; c < classes; ++c) shares[labels[c]] = summary.class_shares[c];
  Json workers = Json::array();
  for (const auto& skill : summary.workers) {
    Json confusion = Json::object();
    for (std::size_t c = 0; c < classes && !skill.confusion.empty(); ++c) {
      for (std::size_t k = 0; k < labels.size(); ++k)
        confusion[labels[c]][labels[k]] = skill.confusion[c * labels.size() + k];
    }
    workers.push_back({{"worker", skill.worker},
                       {"n_items", skill.n_items},
                       {"n_votes", skill.n_votes},
                       {"accuracy", number_or_null(skill.accuracy)},
                       {"accuracy_interval", interval_or_null(skill.accuracy_interval)},
                       {"agreement", number_or_null(skill.agreement)},
                       {"kappa", number_or_null(skill.kappa)},
                       {"weight", number_or_null(skill.weight)},
                       {"confusion", std::move(confusion)}});
  }
  return {{"method", method},
          {"items", summary.items},
          {"votes", summary.votes},
          {"krippendorff_alpha", number_or_null(summary.krippendorff_alpha)},
          {"fleiss_kappa", number_or_null(summary.fleiss_kappa)},
          {"mean_top_posterior", number_or_null(summary.mean_top_posterior)},
          {"mean_entropy", number_or_null(summary.mean_entropy)},
          {method == "bayes" ? "log_posterior" : "log_likelihood", summary.objective},
          {"iterations", summary.iterations},
          {"converged", summary.converged},
          {"model_weight", number_or_null(summary.model_weight)},
          {"class_shares", std::move(shares)},
          {"workers", std::move(workers)}};
}

}  // namespace furrow::workflow
