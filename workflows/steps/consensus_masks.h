#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <furrow/labelling/labeller_weights.h>
#include <furrow/labelling/site_consensus.h>
#include <furrow/workflow/step.h>

namespace furrow::workflow {

/// The way of `consensus` that takes masks instead of a campaign: its options and its run.
class MaskBranch {
 public:
  void declare(OptionTable& table);
  [[nodiscard]] bool is_chosen() const { return !m_masks.empty(); }
  /// @throws geo::UsageError
  void check(const std::string& method) const;
  /// Writes into `folder`, and the skills to standard output when `json`.
  void run(StepContext& context, const labelling::ConsensusOptions& options,
           const std::vector<labelling::LabellerWeights>& weights, const std::string& method, bool json,
           const std::filesystem::path& folder) const;

 private:
  std::vector<std::string> m_masks;
  std::string m_truth;
  std::int64_t m_block_px = 0;
};

}  // namespace furrow::workflow
