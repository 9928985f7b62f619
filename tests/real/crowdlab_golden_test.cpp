// CROWDLAB and the audit of labels against cleanlab's results (golden/f_cleanlab).
#include <furrow/labelling/crowdlab.h>
#include <furrow/labelling/label_audit.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "golden_tables.h"
#include "support.h"

namespace furrow::labelling {
namespace {

/// Probabilities [rows, classes] of the model.
std::vector<double> model() {
  std::vector<double> probabilities;
  for (const double field : test::golden_pixels("f_cleanlab/model_prob_field.csv"))
    probabilities.insert(probabilities.end(), {1.0 - field, field});
  return probabilities;
}

TEST(CrowdlabGolden, Cleanlab) {
  FURROW_NEEDS_SHARED_DATA();
  const test::GoldenTable wide("f_cleanlab/pixel_labels_wide.csv");
  VoteTable votes(2, 2, 5);
  for (std::size_t i = 0; i < wide.rows(); ++i) {
    std::vector<VoteEntry> row;
    for (std::uint32_t j = 0; j < 5; ++j) {
      const std::string& cell = wide.text(i, "a" + std::to_string(j + 1));
      if (!cell.empty()) row.push_back({j, static_cast<std::uint16_t>(cell == "1" ? 1 : 0)});
    }
    votes.add(row);
  }
  const Crowdlab result = crowdlab(votes, model(), {false});
  const test::GoldenTable weights("f_cleanlab/crowdlab_weights.csv");
  EXPECT_NEAR(result.model_weight, weights.number(0, "value"), 1e-8);
  for (std::size_t j = 0; j < 5; ++j)
    EXPECT_NEAR(result.voter_weight[j], weights.number(j + 1, "value"), 1e-8);
  const test::GoldenTable consensus("f_cleanlab/crowdlab_consensus.csv");
  ASSERT_EQ(consensus.rows(), votes.rows());
  for (std::size_t i = 0; i < consensus.rows(); ++i) {
    const auto label = static_cast<std::size_t>(consensus.number(i, "consensus_label"));
    ASSERT_EQ(result.labels[i], static_cast<std::int32_t>(label)) << i;
    ASSERT_NEAR(result.posterior[2 * i + label], consensus.number(i, "consensus_quality_score"), 1e-8) << i;
  }
  const test::GoldenTable annotators("f_cleanlab/crowdlab_annotators.csv");
  for (std::size_t i = 0; i < annotators.rows(); ++i) {
    const auto voter = static_cast<std::size_t>(annotators.number(i, ""));
    EXPECT_NEAR(result.voter_quality[voter], annotators.number(i, "annotator_quality"), 1e-8);
  }
}

TEST(LabelAuditGolden, Cleanlab) {
  FURROW_NEEDS_SHARED_DATA();
  const auto field = test::golden_pixels("f_cleanlab/model_prob_field.csv");
  std::vector<float> probabilities;
  for (const double p : field) probabilities.push_back(static_cast<float>(1.0 - p));
  for (const double p : field) probabilities.push_back(static_cast<float>(p));
  std::vector<std::vector<std::uint8_t>> labels;
  for (int j = 1; j <= 5; ++j) {
    const auto pixels = test::golden_pixels("d_staple/labeller" + std::to_string(j) + ".csv");
    labels.emplace_back(pixels.begin(), pixels.end());
  }
  std::vector<AuditImage> images;
  for (const auto& l : labels) images.push_back({l, probabilities});
  LabelAuditOptions options;
  options.classes = 2;
  const LabelAudit audit = audit_labels(images, options);
  const auto scores = test::golden_pixels("f_cleanlab/softmin_image_scores.csv");
  for (std::size_t j = 0; j < 5; ++j) {
    EXPECT_NEAR(audit.image_score[j], scores[j], 1e-7);
    const auto mask = test::golden_pixels("f_cleanlab/issues_mask" + std::to_string(j + 1) + ".csv");
    EXPECT_EQ(audit.masks[j], std::vector<std::uint8_t>(mask.begin(), mask.end())) << j;
  }
}

}  // namespace
}  // namespace furrow::labelling
