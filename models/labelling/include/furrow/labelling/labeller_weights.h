#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

namespace furrow::labelling {

/// What is known of a labeller from scored assignments; NaN = undefined.
struct LabellerWeights {
  std::string labeller;
  std::int64_t scored = 0;                                        ///< assignments that could be scored
  double score = std::numeric_limits<double>::quiet_NaN();        ///< mean quality score, 0..1
  double field_skill = std::numeric_limits<double>::quiet_NaN();  ///< sensitivity: P(says field | field)
  double nofield_skill =
      std::numeric_limits<double>::quiet_NaN();  ///< specificity: P(says no field | no field)
};

/// Reads `labellers.csv` as the command `score` writes it: Labeller, n_scored, Score, FieldSkill,
/// NoFieldSkill.
/// @throws geo::IoError  file or column missing, a labeller twice
[[nodiscard]] std::vector<LabellerWeights> read_labeller_weights(const std::filesystem::path& path);

}  // namespace furrow::labelling
