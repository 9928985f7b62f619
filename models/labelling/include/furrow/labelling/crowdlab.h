#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <furrow/labelling/vote_table.h>

namespace furrow::labelling {

struct CrowdlabOptions {
  /// Scale the model's probabilities to the voters first, by the temperature that find_temperature finds.
  bool scale_temperature = true;
};

struct Crowdlab {
  std::vector<double> posterior;     ///< shape [rows, classes]
  std::vector<std::int32_t> labels;  ///< one per row
  double model_weight = 0.0;
  std::vector<double> voter_weight;   ///< one per voter
  std::vector<double> voter_quality;  ///< one per voter, 0..1; NaN for a voter without votes for a class
  double agreement = 0.0;             ///< P of the method: mean agreement of the votes with the consensus
  double temperature = 1.0;           ///< that the model's probabilities were scaled by
};

/// CROWDLAB: a consensus in which a model of the image is one more voter.
///
/// P(k) = [w_M p_M(k) + sum_j w_j (P if voter j says k, else (1 - P) / (K - 1))] / (w_M + sum_j w_j), with P
/// the mean agreement of votes and consensus on rows of two votes or more; w_j = max(1 - (1 - a_j) / E,
/// 1e-6), a_j how far voter j agrees with the other voters, E the error of always answering the commonest
/// class; w_M = max(1 - e_M / E, 1e-6) sqrt(mean votes on a row), e_M the model's error against the
/// consensus. The consensus is the majority in a first round and the most probable class in the second. No
/// iteration: one pass over the votes per round.
///
/// A tied majority goes to the class that the model finds more probable, then to the rarer one, then to the
/// first. A voter who shares no row with another gets the mean agreement of the others. A row without votes
/// gets the model's probabilities. Known truths are kept. Outcomes beyond the classes say nothing; repeated
/// votes count as often as they were given, but never as agreement of a voter with itself.
///
/// The model must not have been trained on these votes of the same rows (predict out of sample), or it only
/// repeats them.
/// @param model  the model's class probabilities, shape [rows, classes]; scaled here to sum to 1
/// @throws InvalidArgument  wrong length; a probability negative, not finite, or all 0 in a row; no row with
///                          votes of two voters
/// Thread-safe.
/// Reference: Goh, Tkachenko and Mueller 2022, CROWDLAB; numbers as its authors' program gives them.
[[nodiscard]] Crowdlab crowdlab(const VoteTable& votes, std::span<const double> model,
                                const CrowdlabOptions& options = {});

/// The temperature t at which the probabilities p^(1/t), scaled to sum to 1, fit the shares of the votes best
/// (cross entropy, each row with votes weighs the same). Below 1 sharpens, above 1 softens. Tries 0.1 to 8,
/// then four steps to either side of the best.
/// @throws InvalidArgument as crowdlab, but for the votes
[[nodiscard]] double find_temperature(const VoteTable& votes, std::span<const double> model);

}  // namespace furrow::labelling
