// STAPLE against ITK's results (golden/d_staple) and the field against an independent one
// (golden/g_mrf_staple).
#include <furrow/labelling/staple.h>

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <furrow/labelling/weighted_vote.h>

#include "golden_tables.h"
#include "support.h"

namespace furrow::labelling {
namespace {

void expect_itk(const FusionFit& fit, const std::string& stack, int inputs) {
  const test::GoldenTable skills("d_staple/" + stack + "_skills.csv");
  ASSERT_EQ(skills.rows(), static_cast<std::size_t>(inputs));
  EXPECT_EQ(fit.iterations, static_cast<int>(skills.number(0, "elapsed_iterations")) + 1);
  for (std::size_t j = 0; j < skills.rows(); ++j) {
    EXPECT_NEAR(fit.confusion_at(j, 1, 1), skills.number(j, "sensitivity"), 1e-9);
    EXPECT_NEAR(fit.confusion_at(j, 0, 0), skills.number(j, "specificity"), 1e-9);
  }
}

void expect_itk(const std::string& files, const std::string& stack, int inputs) {
  const auto [votes, of_pixel] = test::golden_stack("d_staple/" + files, inputs);
  const FusionFit fit = staple(votes);
  expect_itk(fit, stack, inputs);
  const auto posterior = test::golden_pixels("d_staple/" + stack + "_posterior.csv");
  ASSERT_EQ(posterior.size(), of_pixel.size());
  for (std::size_t i = 0; i < posterior.size(); ++i)
    ASSERT_NEAR(fit.posterior_of(of_pixel[i])[1], posterior[i], 1e-9) << i;
}

TEST(StapleGolden, RandomErrors) {
  FURROW_NEEDS_SHARED_DATA();
  expect_itk("labeller", "random5", 5);
}

TEST(StapleGolden, ShiftedOutlines) {
  FURROW_NEEDS_SHARED_DATA();
  expect_itk("shifted", "shifted4", 4);
}

TEST(StapleGolden, TinyMasks) {
  FURROW_NEEDS_SHARED_DATA();
  expect_itk("tiny", "tiny3", 3);
}

// A fifth, blank mask: 37 iterations, and the field skills of the independent fit without smoothing.
TEST(StapleGolden, ABlankMaskAmongOthers) {
  FURROW_NEEDS_SHARED_DATA();
  const FusionFit fit = staple(test::golden_stack("d_staple/shifted", 5).votes);
  EXPECT_EQ(fit.iterations, 37 + 1);
  const test::GoldenTable own("g_mrf_staple/own_mean_field.csv");
  for (std::size_t i = 0; i < own.rows(); ++i) {
    if (own.text(i, "stack") != "shifted5" || own.number(i, "beta") != 0.0) continue;
    const auto j = static_cast<std::size_t>(own.number(i, "labeller")) - 1;
    EXPECT_NEAR(fit.confusion_at(j, 1, 1), own.number(i, "sensitivity"), 1e-6);
    EXPECT_NEAR(fit.confusion_at(j, 0, 0), own.number(i, "specificity"), 1e-6);
  }
}

TEST(StapleGolden, EightPixels) {
  FURROW_NEEDS_SHARED_DATA();
  const auto [votes, of_pixel] = test::golden_stack("d_staple/vec", 5);
  const FusionFit fit = staple(votes);
  std::vector<int> labels;
  for (const std::uint32_t row : of_pixel) labels.push_back(decide(fit.posterior_of(row)).label);
  EXPECT_EQ(labels, (std::vector<int>{0, 0, 0, 0, 1, 1, 1, 1}));
}

// ITK works in single precision and stops at changes of 1e-5.
TEST(StapleGolden, ThreeLabels) {
  FURROW_NEEDS_SHARED_DATA();
  const auto [votes, of_pixel] = test::golden_stack("d_staple/three", 4, 3);
  const FusionFit fit = multi_label_staple(votes);
  const test::GoldenTable table("d_staple/three4_confusion.csv");
  EXPECT_NEAR(fit.iterations, table.number(0, "elapsed_iterations"), 4.0);
  for (std::size_t i = 0; i < table.rows(); ++i) {
    const auto truth = static_cast<int>(table.number(i, "true_label"));
    EXPECT_NEAR(fit.confusion_at(static_cast<std::size_t>(table.number(i, "input")) - 1, truth,
                                 static_cast<int>(table.number(i, "given_label"))),
                table.number(i, "probability"), 5e-5);
    EXPECT_NEAR(fit.class_shares[static_cast<std::size_t>(truth)], table.number(i, "prior_true"), 1e-6);
  }
  const auto labels = test::golden_pixels("d_staple/three4_label.csv");
  for (std::size_t i = 0; i < labels.size(); ++i)
    ASSERT_EQ(decide(fit.posterior_of(of_pixel[i])).label, static_cast<int>(labels[i])) << i;
}

TEST(StapleGolden, FieldOfNeighbours) {
  FURROW_NEEDS_SHARED_DATA();
  const auto truth = test::golden_pixels("d_staple/truth.csv");
  const std::size_t width = test::golden_matrix("d_staple/truth.csv").front().size();
  const test::GoldenTable own("g_mrf_staple/own_mean_field.csv");
  StapleOptions options;
  options.tolerance = 1e-24;
  for (const std::string stack : {"random5", "shifted5"}) {
    const auto [votes, of_pixel] =
        test::golden_stack(stack == "random5" ? "d_staple/labeller" : "d_staple/shifted", 5);
    for (const std::string beta : {"0", "0.5", "1.5"}) {
      const StapleField field = staple_field(votes, of_pixel, width, std::stod(beta), options);
      double both = 0.0;
      double either = 0.0;
      for (std::size_t i = 0; i < truth.size(); ++i) {
        const bool says = field.foreground[i] > 0.5;
        both += says && truth[i] == 1.0;
        either += says || truth[i] == 1.0;
      }
      for (std::size_t i = 0; i < own.rows(); ++i) {
        if (own.text(i, "stack") != stack || own.text(i, "beta") != beta) continue;
        const auto j = static_cast<std::size_t>(own.number(i, "labeller")) - 1;
        EXPECT_NEAR(field.fit.confusion_at(j, 1, 1), own.number(i, "sensitivity"), 1e-6) << stack << beta;
        EXPECT_NEAR(field.fit.confusion_at(j, 0, 0), own.number(i, "specificity"), 1e-6) << stack << beta;
        EXPECT_NEAR(both / either, own.number(i, "iou_with_truth"), 1e-6) << stack << beta;
      }
      if (stack != "random5") continue;
      const auto posterior = test::golden_pixels("g_mrf_staple/own_random5_beta" + beta + "_posterior.csv");
      for (std::size_t i = 0; i < posterior.size(); ++i)
        ASSERT_NEAR(field.foreground[i], posterior[i], 1e-6) << beta << ", pixel " << i;
    }
  }
}

}  // namespace
}  // namespace furrow::labelling
