#pragma once

#include <map>
#include <span>
#include <string>

#include <furrow/labelling/consensus.h>
#include <furrow/labelling/labeller_weights.h>

namespace furrow::labelling {

/// What is known of a labeller's votes.
struct NamedWeight {
  VoterWeight weight;
  bool is_listed = false;    ///< the table has the name
  bool is_complete = false;  ///< with a score and both skills
};

/// Weights by the labeller's name, and the mean of those that are known.
class WeightTable {
 public:
  /// @throws InvalidArgument  no labeller has a score and both skills; a negative one
  explicit WeightTable(std::span<const LabellerWeights> weights);

  /// @param fill  take what is missing from the mean; else it is NaN
  [[nodiscard]] NamedWeight find(const std::string& labeller, bool fill) const;

 private:
  std::map<std::string, LabellerWeights> m_by_name;
  VoterWeight m_mean;
};

}  // namespace furrow::labelling
