#include <furrow/labelling/label_audit.h>

#include <cmath>
#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>

namespace furrow::labelling {
namespace {

using testing::ElementsAre;
using Labels = std::vector<std::uint8_t>;
using Floats = std::vector<float>;

LabelAuditOptions binary() {
  LabelAuditOptions options;
  options.classes = 2;
  return options;
}

/// Probabilities of two classes from those of class 1.
Floats both(const Floats& field) {
  Floats all;
  for (const float p : field) all.push_back(1.0F - p);
  all.insert(all.end(), field.begin(), field.end());
  return all;
}

TEST(LabelAudit, FindsThePlantedError) {
  const Labels labels{1, 1, 1, 0, 0, 0, 0};
  const Floats model = both({0.9F, 0.8F, 0.7F, 0.1F, 0.2F, 0.1F, 0.95F});
  const AuditImage image{labels, model};
  const LabelAudit audit = audit_labels({&image, 1}, binary());
  EXPECT_NEAR(audit.class_threshold[1], 0.8, 1e-7);
  EXPECT_NEAR(audit.class_threshold[0], (0.9 + 0.8 + 0.9 + 0.05) / 4.0, 1e-7);
  EXPECT_THAT(audit.masks[0], ElementsAre(0, 0, 0, 0, 0, 0, 1));
  EXPECT_THAT(audit.issues, ElementsAre(1));
}

TEST(LabelAudit, DoubtBelowTheThresholdIsNoIssue) {
  const Labels labels{1, 1, 0, 0};
  const Floats model = both({0.95F, 0.9F, 0.1F, 0.6F});  // 0.6 does not reach 0.925
  const AuditImage image{labels, model};
  EXPECT_THAT(audit_labels({&image, 1}, binary()).issues, ElementsAre(0));
}

TEST(LabelAudit, ImageScoreIsASoftMinimum) {
  const Labels labels{1, 1, 0};
  const Floats model = both({0.9F, 0.2F, 0.4F});
  const AuditImage image{labels, model};
  LabelAuditOptions options = binary();
  options.temperature = 0.5;
  double sum = 0.0;
  double weights = 0.0;
  for (const double p : {0.9, 0.2, 0.6}) {
    sum += p * std::exp((1.0 - p) / 0.5);
    weights += std::exp((1.0 - p) / 0.5);
  }
  EXPECT_NEAR(audit_labels({&image, 1}, options).image_score[0], sum / weights, 1e-7);
  options.temperature = 1e-5;  // the worst pixel alone, without overflow
  EXPECT_NEAR(audit_labels({&image, 1}, options).image_score[0], 0.2, 1e-6);
}

TEST(LabelAudit, CountsOverAllImages) {
  const Labels first{1, 1, 1};
  const Labels second{0, 0, 1};
  const Floats sure = both({0.9F, 0.9F, 0.9F});
  const Floats other = both({0.05F, 0.97F, 0.03F});
  const std::vector<AuditImage> images{{first, sure}, {second, other}};
  const LabelAudit audit = audit_labels(images, binary());
  EXPECT_THAT(audit.issues, ElementsAre(0, 2));
  EXPECT_THAT(audit.masks[1], ElementsAre(0, 1, 1));
  EXPECT_LT(audit.image_score[1], audit.image_score[0]);
}

TEST(LabelAudit, PassesOverWhatIsNotThere) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Labels labels{255, 1, 0, 0};
  const Floats model = both({0.0F, nan, 0.1F, 0.9F});
  const Labels none(2, 255);
  const Floats any(4, 0.5F);
  const std::vector<AuditImage> images{{labels, model}, {none, any}, {{}, {}}};
  const LabelAudit audit = audit_labels(images, binary());
  EXPECT_TRUE(std::isnan(audit.class_threshold[1]));
  EXPECT_THAT(audit.masks[0], ElementsAre(0, 0, 0, 0));  // class 1 has no threshold to reach
  EXPECT_TRUE(std::isfinite(audit.image_score[0]));
  EXPECT_TRUE(std::isnan(audit.image_score[1]));
  EXPECT_TRUE(std::isnan(audit.image_score[2]));
  EXPECT_TRUE(audit_labels({}, binary()).image_score.empty());
}

TEST(LabelAudit, RefusesWhatDoesNotFit) {
  const Labels labels{0, 2};
  const Floats model(4, 0.5F);
  const AuditImage image{labels, model};
  EXPECT_THROW((void)audit_labels({&image, 1}, binary()), geo::InvalidArgument);  // label 2 of 2 classes
  EXPECT_THROW((void)audit_labels({&image, 1}, {}), geo::InvalidArgument);        // 3 classes need 6 numbers
  LabelAuditOptions options = binary();
  options.temperature = 0.0;
  EXPECT_THROW((void)audit_labels({}, options), geo::InvalidArgument);
}

}  // namespace
}  // namespace furrow::labelling
