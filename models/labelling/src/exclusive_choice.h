#pragma once

#include <cstddef>
#include <vector>

namespace furrow::labelling {

/// Things to choose among, of which some exclude each other.
struct ExclusiveChoice {
  std::vector<double> gains;
  std::vector<std::vector<std::size_t>> excludes;  ///< per thing, ascending; symmetric
};

/// The set without two things that exclude each other that has the highest sum of gains (a weighted
/// independent set). Equal sums: the one with more members. Then whatever the set does not exclude is added,
/// the most valuable first, even if it gains nothing. Method: branch and bound in each connected component;
/// the bound covers the component with groups that exclude each other. After `steps` steps in one component
/// the best set so far stands.
/// @return  ascending
[[nodiscard]] std::vector<std::size_t> choose_exclusive(const ExclusiveChoice& choice,
                                                        std::size_t steps = 200'000);

}  // namespace furrow::labelling
