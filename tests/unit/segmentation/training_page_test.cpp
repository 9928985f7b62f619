#include "training_page.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace furrow::segmentation {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

ModelSpec some_spec() {
  ModelSpec spec;
  spec.id = "0a1b";
  spec.architecture = "unet";
  spec.bands = {{"red & near"}};
  spec.training = {{"images", "<a>.tif"}};
  return spec;
}

TrainReport three_epochs() {
  TrainReport report;
  report.epochs = {{1, 0.1, 2.0, 1.8, 0.2, {0.5, 0.1, 0.0}, 0.0},
                   {2, 0.05, 1.0, 0.9, 0.6, {0.7, 0.5, 0.2}, 0.4},
                   {3, 0.0, 0.8, 1.0, 0.5, {0.7, 0.4, 0.2}, 0.3}};
  report.best_epoch = 2;
  report.ece_before = 0.1;
  report.ece_after = 0.02;
  report.reliability_before = {{0, 0.0, 0.0}, {10, 0.75, 0.5}};
  report.reliability_after = report.reliability_before;
  return report;
}

TrainingDataSummary enough_data() {
  TrainingDataSummary data;
  data.train_blocks = 40;
  data.val_blocks = 10;
  data.val_chips = 40;
  data.labelled_px = {1000000, 500, 50};
  return data;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST(TrainingPage, NeedsNoOtherFileAndNoScript) {
  const std::string page = training_page(some_spec(), three_epochs(), enough_data());
  for (const char* outside : {"<script", "http:", "https:", "<link", "src=", "url("})
    EXPECT_EQ(count(page, outside), 0u) << outside;
  EXPECT_EQ(count(page, "<svg"), 5u);
  EXPECT_EQ(count(page, "<svg"), count(page, "</svg>"));
  EXPECT_LT(page.size(), 40000u);
  EXPECT_EQ(page.find("nan"), std::string::npos);
}

TEST(TrainingPage, CurvesLieWhereTheirNumbersAre) {
  const std::string page = training_page(some_spec(), three_epochs(), enough_data());
  // Plot of 488 x 206 units from (58, 14); extent IoU 0.2, 0.6, 0.5 on an axis from 0 to 1.
  EXPECT_THAT(page, HasSubstr("points=\"58.0,178.8 302.0,96.4 546.0,117.0\""));
  // The bar of the second of two bins: half right.
  EXPECT_THAT(page, HasSubstr("<rect x=\"303.0\" y=\"117.0\" width=\"242.0\" height=\"103.0\""));
}

TEST(TrainingPage, TextIsEscaped) {
  const std::string page = training_page(some_spec(), three_epochs(), enough_data());
  EXPECT_THAT(page, HasSubstr("red &amp; near"));
  EXPECT_THAT(page, HasSubstr("&lt;a&gt;.tif"));
}

TEST(TrainingPage, WithoutValidationThereAreOnlyTheTrainingsOwnCurves) {
  TrainReport report = three_epochs();
  for (EpochMetrics& epoch : report.epochs) {
    epoch.val_loss = epoch.val_iou_extent = epoch.val_object_f1 = kNaN;
    epoch.val_iou.fill(kNaN);
  }
  report.ece_before = report.ece_after = kNaN;
  TrainingDataSummary data = enough_data();
  data.val_chips = data.val_blocks = 0;
  const std::string page = training_page(some_spec(), report, data);
  EXPECT_EQ(count(page, "<svg"), 2u);
  EXPECT_THAT(page, HasSubstr("No validation"));
  EXPECT_THAT(page, HasSubstr("not measured"));
}

TEST(TrainingPage, OneEpochIsADot) {
  TrainReport report = three_epochs();
  report.epochs.resize(1);
  report.best_epoch = 1;
  EXPECT_THAT(training_page(some_spec(), report, enough_data()), HasSubstr("<circle cx=\"58.0\""));
}

TEST(TrainingWarnings, SayWhatMakesTheFiguresDoubtful) {
  EXPECT_THAT(training_warnings(three_epochs(), enough_data()), IsEmpty());
  TrainReport report = three_epochs();
  report.best_epoch = 3;
  TrainingDataSummary data = enough_data();
  data.val_blocks = 1;
  report.ece_after = 0.2;
  data.labelled_px[2] = 0;
  data.labelled_without_risk_px = 7;
  const auto warnings = training_warnings(report, data);
  EXPECT_THAT(warnings, Contains(HasSubstr("No pixel is labelled boundary")));
  EXPECT_THAT(warnings, Contains(HasSubstr("Only 1 validation block:")));
  EXPECT_THAT(warnings, Contains(HasSubstr("longer training")));
  EXPECT_THAT(warnings, Contains(HasSubstr("larger calibration error")));
  EXPECT_THAT(warnings, Contains(HasSubstr("7 labelled pixels have no risk")));
  EXPECT_THAT(warnings, Not(Contains(HasSubstr("No validation"))));
}

}  // namespace
}  // namespace furrow::segmentation
